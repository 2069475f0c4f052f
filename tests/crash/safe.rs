//! What must be known of a message before it is deleted at the source.

use super::run;
use crate::support::dovecot::PASSWORD;
use crate::support::{Corpus, End, Imap, Job, Mail, Snapshot, fresh_user, shared};

fn mails(name: &str, count: usize) -> Vec<Mail> {
    let mut corpus = Corpus::new(name, 41);
    corpus.flags = false;
    (0..count).map(|_| corpus.mail()).collect()
}

/// A job from one account to several, which deletes.
fn to_several(old: &str, new: &[String]) -> Job {
    let server = shared();
    let end = |user: &str| {
        format!(
            "protocol = \"imap\"\nhost = \"127.0.0.1\"\nport = {}\nsecurity = \"plain\"\nuser = \"{user}\"\n\
             password = {{ env = \"TEST_PASSWORD\" }}\n",
            server.imap
        )
    };
    let job = Job::new("", &End::imap(server, old), &End::imap(server, old), "");
    let mut text = format!("version = 1\n[source]\n{}after = \"delete\"\n", end(old));
    for user in new {
        text += &format!("[[destination]]\n{}", end(user));
    }
    assert!(!text.contains(PASSWORD));
    std::fs::write(job.path(), text).expect("write");
    job
}

#[test]
fn deleted_only_once_every_destination_has_it() {
    let server = shared();
    let old = fresh_user("several");
    let new = [fresh_user("several-a"), fresh_user("several-b")];
    Imap::login(server.imap, &old).append("INBOX", &mails(&old, 7));
    let want = Snapshot::of(server.imap, &old).without_empty();
    run(&to_several(&old, &new)).exits(0);
    for user in &new {
        let have = Snapshot::of(server.imap, user).without_empty();
        have.assert_same(&want);
    }
    assert_eq!(Snapshot::of(server.imap, &old).total(), 0);
}

#[test]
fn what_one_destination_has_lost_stays() {
    let server = shared();
    let old = fresh_user("lost");
    let new = [fresh_user("lost-a"), fresh_user("lost-b")];
    let mails = mails(&old, 6);
    let mut source = Imap::login(server.imap, &old);
    source.append("INBOX", &mails);
    let job = to_several(&old, &new);
    let whole = std::fs::read_to_string(job.path()).expect("read");
    std::fs::write(job.path(), whole.replace("after = \"delete\"\n", "")).expect("write");
    run(&job).exits(0);
    Imap::login(server.imap, &new[0]).expunge("INBOX", "2");
    Imap::login(server.imap, &new[1]).expunge("INBOX", "5");
    std::fs::write(job.path(), whole).expect("write");
    let said = run(&job).exits(0);
    assert!(said.stderr.contains("2 messages stay"), "{}", said.stderr);
    let left = Snapshot::one("INBOX", &[mails[1].clone(), mails[4].clone()]);
    Snapshot::of(server.imap, &old)
        .without_empty()
        .assert_same(&left);
}

#[test]
fn what_was_adopted_by_its_header_stays_and_is_told() {
    let server = shared();
    let (old, new) = (fresh_user("adopted"), fresh_user("adopted-new"));
    let mails = mails(&old, 5);
    Imap::login(server.imap, &old).append("INBOX", &mails);
    Imap::login(server.imap, &new).append("INBOX", &mails[..2]);
    let source = End::imap(server, &old).line("after = \"delete\"");
    let job = Job::new("", &source, &End::imap(server, &new), "");
    let said = run(&job).exits(0);
    assert!(said.stderr.contains("2 messages stay"), "{}", said.stderr);
    let left = Snapshot::of(server.imap, &old).without_empty();
    left.assert_same(&Snapshot::one("INBOX", &mails[..2]));
}

#[test]
fn what_its_user_marked_or_changed_after_the_copy_stays() {
    let server = shared();
    let (old, new) = (fresh_user("marked"), fresh_user("marked-new"));
    let mails = mails(&old, 5);
    let mut imap = Imap::login(server.imap, &old);
    imap.append("INBOX", &mails);
    let job = Job::new("", &End::imap(server, &old), &End::imap(server, &new), "");
    run(&job).exits(0);
    imap.store("INBOX", "2", "+FLAGS", "\\Deleted \\Seen");
    let source = End::imap(server, &old).line("after = \"delete\"");
    job.rewrite("", &source, &End::imap(server, &new), "");
    run(&job).exits(0);
    let mut marked = mails[1].clone();
    marked.flags = vec!["\\Deleted".into(), "\\Seen".into()];
    let left = Snapshot::of(server.imap, &old).without_empty();
    left.assert_same(&Snapshot::one("INBOX", &[marked]));
    assert_eq!(Snapshot::of(server.imap, &new).total(), 5);
}
