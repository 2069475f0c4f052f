//! IMAP and POP3 → archive: everything is kept, later runs bring what has changed, other programs can read it.

use super::{assert_nothing_left, run};
use crate::support::{Corpus, Dovecot, End, Imap, Job, Snapshot, fresh_user, shared};

/// A job whose archive is where the mail goes.
fn backup(source: &End, more: &str) -> Job {
    Job::backup(
        "",
        source,
        &format!("[archive]\npath = \"box.archive\"\n{more}"),
    )
}

#[test]
fn an_account_is_backed_up() {
    let server = shared();
    let old = fresh_user("backup");
    let mut imap = Imap::login(server.imap, &old);
    let mut corpus = Corpus::new(&old, 40);
    imap.append("INBOX", &corpus.mails(20));
    imap.create("Work/2024");
    imap.append("Work/2024", &corpus.mails(20));
    let job = backup(&End::imap(server, &old), "");
    let done = run(&job).exits(0);
    assert_eq!(done.balance().part("copied"), 40);
    done.balance().assert_adds_up();
    println!("{}", done.stdout);
    assert_nothing_left(&job);
}
