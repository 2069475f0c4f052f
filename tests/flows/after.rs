//! What happens at the source once its mail is safe.

use super::run;
use crate::support::job::ARCHIVE;
use crate::support::{Corpus, End, Imap, Job, Mail, Snapshot, fresh_user, maildir, popped, shared};

fn mails(name: &str, count: usize) -> Vec<Mail> {
    let mut corpus = Corpus::new(name, 21);
    corpus.flags = false;
    corpus.mails(count)
}

/// An IMAP source whose second message its user has marked as deleted; the job has run once.
fn imap_source(after: &str) -> (String, String, Vec<Mail>) {
    let server = shared();
    let (old, new) = (fresh_user("after"), fresh_user("after-new"));
    let mails = mails(&old, 10);
    let mut imap = Imap::login(server.imap, &old);
    imap.append("INBOX", &mails);
    imap.store("INBOX", "2", "+FLAGS", "\\Deleted");
    let source = End::imap(server, &old).line(&format!("after = {after}"));
    let job = Job::new("", &source, &End::imap(server, &new), ARCHIVE);
    run(&job).exits(0);
    (old, new, mails)
}

/// All but the message that is marked as deleted.
fn without_second(mails: &[Mail]) -> Vec<Mail> {
    [&mails[..1], &mails[2..]].concat()
}

#[test]
fn delete_leaves_what_the_user_marked() {
    let server = shared();
    let (old, new, mails) = imap_source("\"delete\"");
    Snapshot::of(server.imap, &new)
        .without_empty()
        .assert_same(&Snapshot::one("INBOX", &without_second(&mails)));
    let mut marked = mails[1].clone();
    marked.flags = vec!["\\Deleted".into()];
    Snapshot::of(server.imap, &old)
        .without_empty()
        .assert_same(&Snapshot::one("INBOX", &[marked]));
}

#[test]
fn delete_over_pop3() {
    let server = shared();
    let (old, new) = (fresh_user("after-pop"), fresh_user("after-pop-new"));
    let mails = mails(&old, 15);
    maildir::fill(server, &old, &mails);
    let source = End::pop3(server, &old).line("after = \"delete\"");
    let job = Job::new("", &source, &End::imap(server, &new), ARCHIVE);
    run(&job).exits(0);
    assert_eq!(Snapshot::of(server.imap, &old).total(), 0);
    Snapshot::of(server.imap, &new)
        .without_empty()
        .assert_same(&Snapshot::one("INBOX", &popped(&mails)));
    run(&job).exits(0);
    assert_eq!(Snapshot::of(server.imap, &new).total(), 15);
}

#[test]
fn mark_read() {
    let server = shared();
    let (old, new, mails) = imap_source("\"mark-read\"");
    let unread = |user: &str| {
        let fetched = Imap::login(server.imap, user).fetch("INBOX").into_iter();
        fetched
            .filter(|f| !f.flags.contains(&"\\Seen".to_owned()))
            .count()
    };
    assert_eq!(unread(&old), 1, "the one marked as deleted was not copied");
    assert_eq!(
        unread(&new),
        mails.len() - 1,
        "the copies keep their own state"
    );
}

#[test]
fn move_to() {
    let server = shared();
    let (old, _, mails) = imap_source("{ move-to = \"Moved\" }");
    let there = Snapshot::of(server.imap, &old);
    assert_eq!(there.0["INBOX"].len(), 1);
    let moved = Snapshot::one("Moved", &without_second(&mails));
    let mut only_moved = there.clone();
    only_moved.0.retain(|name, _| name == "Moved");
    only_moved.assert_same(&moved);
}

#[test]
fn keep_and_delete_after_days_leave_the_source_alone() {
    let server = shared();
    for after in ["\"keep\"", "{ delete-after-days = 30 }"] {
        let (old, _, mails) = imap_source(after);
        let left = Snapshot::of(server.imap, &old).total();
        assert_eq!(left, mails.len(), "after = {after}");
    }
}
