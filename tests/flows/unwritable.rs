//! Folders that a destination does not let be made cost themselves alone.

use super::run;
use crate::support::{Corpus, End, Imap, Job, fresh_user, shared};

#[test]
fn names_that_a_server_refuses() {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path().join("Maildir");
    let mut corpus = Corpus::new("unwritable", 3);
    // A line end and an escape, in modified UTF-7; and what Dovecot takes for somebody's home.
    for folder in ["", ".Fine", ".new&AAo-line", ".an&ABs-escape", ".~tilde"] {
        let folder = root.join(folder);
        for part in ["cur", "new", "tmp"] {
            std::fs::create_dir_all(folder.join(part)).expect("a Maildir");
        }
        for (n, mail) in corpus.mails(2).iter().enumerate() {
            let file = folder.join(format!("cur/100000000.M{n}P1.host:2,S"));
            std::fs::write(file, &mail.bytes).expect("write");
        }
    }
    let new = fresh_user("unwritable");
    let job = Job::new(
        "",
        &End::files("maildir", &root),
        &End::imap(shared(), &new),
        "",
    );
    let done = run(&job).exits(3);
    done.balance().assert_adds_up();
    assert!(!done.stderr.contains("no IMAP response"), "{}", done.stderr);
    let mut there = Imap::login(shared().imap, &new);
    assert_eq!((there.count("INBOX"), there.count("Fine")), (2, 2));
}
