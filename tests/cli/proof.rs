//! `verify` and `undo` on a real Dovecot, as a person meets them.

use super::live::{account, imap_job, mails, tell};
use crate::support::{Imap, shared};

/// A job that ran, and what somebody did at its destination since.
fn changed(user: &str) -> crate::support::Job {
    account(shared(), user);
    let job = imap_job(user, "");
    crate::support::mailhaul(&["run".as_ref(), job.path().as_os_str()]).exits(0);
    let mut imap = Imap::login(shared().imap, &format!("{user}-new"));
    imap.expunge("INBOX", "2");
    imap.store("INBOX", "3", "+FLAGS", "\\Flagged touched");
    imap.create("Kept");
    imap.command("SELECT INBOX");
    imap.command("UID MOVE 4 Kept");
    imap.append("INBOX", &mails("somebody", 1));
    job
}

#[test]
fn verify_as_a_person_meets_it() {
    account(shared(), "proof");
    let job = imap_job("proof", "");
    insta::assert_snapshot!("verify-before", tell(&job, &["verify", "--level", "count"]));
    crate::support::mailhaul(&["run".as_ref(), job.path().as_os_str()]).exits(0);
    insta::assert_snapshot!("verify-equal", tell(&job, &["verify"]));
    insta::assert_snapshot!("verify-sample", tell(&job, &["verify", "--sample", "50%"]));
    insta::assert_snapshot!("verify-quiet", tell(&job, &["verify", "--quiet"]));
    insta::assert_snapshot!(
        "verify-usage",
        tell(&job, &["verify", "--sample", "5%", "--level", "count"])
    );
}

#[test]
fn verify_after_somebody_changed_the_destination() {
    let job = changed("proof-changed");
    insta::assert_snapshot!("verify-changed", tell(&job, &["verify"]));
    insta::assert_snapshot!(
        "verify-changed-headers",
        tell(&job, &["verify", "--level", "headers"])
    );
}

#[test]
fn verify_in_json() {
    // One folder: several are worked on side by side, and their lines mix.
    Imap::login(shared().imap, "proof-json").append("INBOX", &mails("proof-json", 4));
    let job = imap_job("proof-json", "");
    crate::support::mailhaul(&["run".as_ref(), job.path().as_os_str()]).exits(0);
    Imap::login(shared().imap, "proof-json-new").expunge("INBOX", "2");
    insta::assert_snapshot!("verify-json", tell(&job, &["verify", "--json"]));
}

#[test]
fn undo_as_a_person_meets_it() {
    let job = changed("proof-undo");
    insta::assert_snapshot!("undo-asks", tell(&job, &["undo", "--run", "1"]));
    insta::assert_snapshot!("undo-dry", tell(&job, &["undo", "--run", "1", "--dry-run"]));
    insta::assert_snapshot!("undo-done", tell(&job, &["undo", "--run", "last", "--yes"]));
    insta::assert_snapshot!(
        "undo-again-json",
        tell(&job, &["undo", "--run", "1", "--yes", "--json"])
    );
    insta::assert_snapshot!("undo-no-run", tell(&job, &["undo", "--run", "7", "--yes"]));
    insta::assert_snapshot!("undo-status", tell(&job, &["status"]));
}
