//! POP3 → IMAP through the journal, with and without kept mail.

use super::{assert_nothing_left, run};
use crate::support::canonical::digest;
use crate::support::job::{ARCHIVE, Security};
use crate::support::popped;
use crate::support::{
    Corpus, Dovecot, End, Imap, Job, Mail, Snapshot, fresh_user, maildir, mailhaul, shared,
};
use std::path::Path;

/// Mail as POP3 gives it: without flags, dated by its topmost Received (which the generator sets to the same instant).
fn mails(name: &str, seed: u64, count: usize) -> Vec<Mail> {
    let mut corpus = Corpus::new(name, seed);
    corpus.flags = false;
    corpus.mails(count)
}

fn transfer(server: &Dovecot, security: Security, seed: u64) {
    let (old, new) = (fresh_user("pop-old"), fresh_user("pop-new"));
    let mails = mails(&old, seed, 120);
    maildir::fill(server, &old, &mails);
    let job = Job::new(
        "",
        &End::on(server, "pop3", &old, security),
        &End::on(server, "imap", &new, security),
        ARCHIVE,
    );
    let done = run(&job).exits(0);
    assert_eq!(done.balance().part("copied"), 120);
    done.balance().assert_adds_up();
    Snapshot::of(server.imap, &new)
        .without_empty()
        .assert_same_order(&Snapshot::one("INBOX", &popped(&mails)));
    assert_nothing_left(&job);
    assert_eq!(Snapshot::of(server.imap, &new).total(), 120);
}

#[test]
fn plain() {
    transfer(shared(), Security::Plain, 1);
}

#[test]
fn stls_and_starttls() {
    transfer(shared(), Security::Starttls, 2);
}

#[test]
fn implicit_tls() {
    transfer(shared(), Security::Tls, 3);
}

#[test]
fn the_archive_keeps_every_message() {
    let server = shared();
    let (old, new) = (fresh_user("keep-old"), fresh_user("keep-new"));
    let mails = mails(&old, 4, 60);
    maildir::fill(server, &old, &mails);
    let job = Job::new(
        "",
        &End::pop3(server, &old),
        &End::imap(server, &new),
        ARCHIVE,
    );
    run(&job).exits(0);
    let mut kept = Vec::new();
    digests(&job.dir().join("box.archive/mail"), &mut kept);
    let mut sent: Vec<String> = popped(&mails).iter().map(|m| digest(&m.bytes)).collect();
    kept.sort();
    sent.sort();
    assert_eq!(kept, sent);
}

/// Digests of all files in `cur` and `new` folders below a directory.
fn digests(dir: &Path, out: &mut Vec<String>) {
    for entry in std::fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        let box_of_mail = dir.ends_with("cur") || dir.ends_with("new");
        if path.is_dir() {
            digests(&path, out);
        } else if box_of_mail {
            out.push(digest(&std::fs::read(&path).expect("read")));
        }
    }
}

#[test]
fn the_journal_alone_is_enough() {
    let server = shared();
    let (old, new) = (fresh_user("lone-old"), fresh_user("lone-new"));
    let mails = mails(&old, 5, 40);
    maildir::fill(server, &old, &mails);
    let job = Job::new("", &End::pop3(server, &old), &End::imap(server, &new), "");
    run(&job).exits(0);
    assert_nothing_left(&job);
    maildir::fill(server, &old, &self::mails("later", 6, 7));
    assert_eq!(run(&job).exits(0).balance().part("copied"), 7);
    assert_eq!(Snapshot::of(server.imap, &new).total(), 47);
}

#[test]
fn what_was_delivered_once_is_not_delivered_again() {
    let server = shared();
    let (old, new) = (fresh_user("once-old"), fresh_user("once-new"));
    maildir::fill(server, &old, &mails(&old, 7, 20));
    let job = Job::new("", &End::pop3(server, &old), &End::imap(server, &new), "");
    run(&job).exits(0);
    let mut imap = Imap::login(server.imap, &new);
    imap.create("Kept");
    imap.command("SELECT INBOX");
    imap.command("UID MOVE 1:5 Kept");
    imap.expunge("INBOX", "6:9");
    assert_nothing_left(&job);
    assert_eq!((imap.count("INBOX"), imap.count("Kept")), (11, 5));
}

#[test]
fn a_plan_and_a_status_change_nothing() {
    let server = shared();
    let (old, new) = (fresh_user("plan-old"), fresh_user("plan-new"));
    maildir::fill(server, &old, &mails(&old, 8, 10));
    let job = Job::new(
        "",
        &End::pop3(server, &old),
        &End::imap(server, &new),
        ARCHIVE,
    );
    for command in ["plan", "status"] {
        mailhaul(&[command.as_ref(), job.path().as_os_str()]).exits(0);
    }
    assert!(!job.dir().join("box.archive").exists());
    assert_eq!(Snapshot::of(server.imap, &new).total(), 0);
    run(&job).exits(0);
    assert_eq!(Snapshot::of(server.imap, &new).total(), 10);
}

#[test]
fn json_is_one_object_a_line() {
    let server = shared();
    let (old, new) = (fresh_user("json-old"), fresh_user("json-new"));
    maildir::fill(server, &old, &mails(&old, 9, 10));
    let job = Job::new("", &End::pop3(server, &old), &End::imap(server, &new), "");
    let run = mailhaul(&["run".as_ref(), "--json".as_ref(), job.path().as_os_str()]).exits(0);
    let lines: Vec<serde_json::Value> = run
        .stdout
        .lines()
        .map(|l| serde_json::from_str(l).expect("JSON"))
        .collect();
    assert!(
        lines.iter().all(|l| l["type"].is_string()),
        "{}",
        run.stdout
    );
    assert!(
        lines.iter().any(|l| l["type"] == "summary"),
        "{}",
        run.stdout
    );
}
