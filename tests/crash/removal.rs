//! `after` at the source, killed at every step: each message is at the source or at the destination, what the user had marked as
//! deleted stays, and the next run brings it to its end.

use super::kills::{fill, mails};
use super::steps::{each, killed, passed, resumed, same};
use crate::support::job::ARCHIVE;
use crate::support::{Corpus, Dovecot, End, Imap, Job, Snapshot, fresh_user, maildir, shared};

/// One account at the source, what a run makes of both ends, and the job.
struct Attempt {
    old: String,
    new: String,
    job: Job,
}

/// An IMAP source with a seventh message, which its user has marked as deleted.
fn imap(server: &Dovecot, after: &str) -> Attempt {
    let (old, new) = (fresh_user("gone"), fresh_user("gone-new"));
    fill(server, &old);
    let mut imap = Imap::login(server.imap, &old);
    imap.append("INBOX", &[Corpus::new("marked", 78).mail()]);
    imap.store("INBOX", "5", "+FLAGS", "\\Deleted");
    let source = End::imap(server, &old).line(&format!("after = {after}"));
    let job = Job::new("", &source, &End::imap(shared(), &new), "");
    Attempt { old, new, job }
}

fn pop3(server: &Dovecot) -> Attempt {
    let (old, new) = (fresh_user("gone-pop"), fresh_user("gone-pop-new"));
    maildir::fill(server, &old, &mails(false));
    let source = End::pop3(server, &old).line("after = \"delete\"");
    let job = Job::new("", &source, &End::imap(shared(), &new), ARCHIVE);
    Attempt { old, new, job }
}

fn ends(server: &Dovecot, attempt: &Attempt) -> (Snapshot, Snapshot) {
    let old = Snapshot::of(server.imap, &attempt.old).without_empty();
    (
        old,
        Snapshot::of(shared().imap, &attempt.new).without_empty(),
    )
}

fn remove(name: &str, server: &Dovecot, make: impl Fn() -> Attempt + Sync) {
    let sample = make();
    let before = Snapshot::of(server.imap, &sample.old).digests();
    let steps = passed(&sample.job);
    let want = ends(server, &sample);
    each(name, &steps, |n| {
        let attempt = make();
        let was_killed = killed(&attempt.job, n);
        let (old, new) = ends(server, &attempt);
        for digest in before.keys() {
            let there = |end: &Snapshot| end.digests().contains_key(digest);
            if !there(&old) && !there(&new) {
                return Err(format!("a message is lost, digest {digest}"));
            }
        }
        let right = || {
            let (old, new) = ends(server, &attempt);
            same(&new, &want.1).map_err(|e| format!("destination: {e}"))?;
            same(&old, &want.0).map_err(|e| format!("source: {e}"))
        };
        resumed(&attempt.job, &right).map(|()| was_killed)
    });
}

/// How many messages are left at the source after a run that nobody disturbs, and how many of them are marked as deleted.
fn left(server: &Dovecot, attempt: &Attempt) -> (usize, usize) {
    super::run(&attempt.job).exits(0);
    let (old, new) = ends(server, attempt);
    assert_eq!(new.total(), 6);
    let entries = old.0.values().flatten();
    let marked = entries.filter(|e| e.flags.contains("\\Deleted")).count();
    (old.total(), marked)
}

#[test]
fn deleted_over_imap() {
    let server = shared();
    assert_eq!(left(server, &imap(server, "\"delete\"")), (1, 1));
    remove("delete", server, || imap(server, "\"delete\""));
}

#[test]
fn deleted_over_imap_without_uidplus() {
    let server = &Dovecot::start(&["capability=IMAP4rev1 NAMESPACE UNSELECT"]);
    assert_eq!(left(server, &imap(server, "\"delete\"")), (7, 7));
    remove("delete, no UIDPLUS", server, || imap(server, "\"delete\""));
}

#[test]
fn deleted_over_pop3() {
    let server = shared();
    assert_eq!(left(server, &pop3(server)), (0, 0));
    remove("delete over POP3", server, || pop3(server));
}

#[test]
fn moved() {
    let server = shared();
    let after = "{ move-to = \"Moved\" }";
    assert_eq!(left(server, &imap(server, after)), (7, 1));
    remove("move-to", server, || imap(server, after));
}

#[test]
fn marked_as_read() {
    let server = shared();
    remove("mark-read", server, || imap(server, "\"mark-read\""));
}

#[test]
fn kept_until_the_days_are_over() {
    let server = shared();
    let after = "{ delete-after-days = 30 }";
    assert_eq!(left(server, &imap(server, after)), (7, 1));
    remove("delete-after-days", server, || imap(server, after));
}
