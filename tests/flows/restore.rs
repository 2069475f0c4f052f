//! Archive → IMAP: what comes back is what was there.

use super::backup::{FORMATS, archive, backup, format};
use super::imap_to_imap::{large_account, subscribed};
use super::{assert_nothing_left, run};
use crate::support::{Corpus, End, Imap, Job, Snapshot, fresh_user, shared};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

fn restore(of: &Job, user: &str) -> Job {
    let source = End::files("archive", &archive(of));
    Job::new("", &source, &End::imap(shared(), user), "")
}

#[test]
fn an_account_comes_back_as_it_was() {
    let old = fresh_user("whole");
    large_account(shared(), &old);
    let before = Snapshot::of(shared().imap, &old);
    for kind in FORMATS {
        let saved = backup(&End::imap(shared(), &old), &format(kind));
        run(&saved).exits(0).balance().assert_adds_up();
        let new = fresh_user("whole-new");
        let job = restore(&saved, &new);
        let done = run(&job).exits(0);
        assert_eq!(done.balance().part("copied"), 2_000);
        done.balance().assert_adds_up();
        Snapshot::of(shared().imap, &new).assert_same_order(&before);
        assert_eq!(subscribed(shared(), &new), subscribed(shared(), &old));
        assert_nothing_left(&job);
        Snapshot::of(shared().imap, &new).assert_same_order(&before);
    }
}

#[test]
fn an_archive_goes_into_an_account_that_holds_part_of_it() {
    let old = fresh_user("part");
    let mails = Corpus::new(&old, 30).mails(30);
    Imap::login(shared().imap, &old).append("INBOX", &mails);
    let saved = backup(&End::imap(shared(), &old), "");
    run(&saved).exits(0);
    let new = fresh_user("part-new");
    Imap::login(shared().imap, &new).append("INBOX", &mails[..12]);
    let balance = run(&restore(&saved, &new)).exits(0).balance();
    assert_eq!(
        (balance.part("copied"), balance.part("already there")),
        (18, 12)
    );
    Snapshot::of(shared().imap, &new).assert_same(&Snapshot::one("INBOX", &mails));
}

/// Changes one byte in the middle of a message's body.
fn spoil(path: &Path, needle: &[u8]) {
    let mut bytes = Vec::new();
    let mut file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .expect("open");
    file.read_to_end(&mut bytes).expect("read");
    let at = bytes
        .windows(needle.len())
        .position(|w| w == needle)
        .expect("the text");
    file.seek(SeekFrom::Start(at as u64)).expect("seek");
    file.write_all(b"X").expect("write");
}

#[test]
fn bit_rot_is_told_and_the_rest_comes_back() {
    for kind in FORMATS {
        let old = fresh_user("rot");
        let mut mails = Corpus::new(&old, 30).mails(5);
        mails[2].bytes.extend(b"the spoilt one\r\n");
        Imap::login(shared().imap, &old).append("INBOX", &mails);
        let saved = backup(&End::imap(shared(), &old), &format(kind));
        run(&saved).exits(0);
        let mail = archive(&saved).join("mail");
        let files: Vec<PathBuf> = match kind {
            "mbox" => vec![mail.join("INBOX.mbox")],
            _ => std::fs::read_dir(mail.join("cur"))
                .expect("cur")
                .map(|e| e.expect("an entry").path())
                .collect(),
        };
        let holds = |path: &&PathBuf| {
            let bytes = std::fs::read(path).expect("read");
            bytes.windows(14).any(|w| w == b"the spoilt one")
        };
        let rotten = files.iter().find(holds).expect("the file");
        spoil(rotten, b"the spoilt one");
        let new = fresh_user("rot-new");
        let job = restore(&saved, &new);
        let done = run(&job).exits(3);
        let balance = done.balance();
        assert_eq!((balance.part("copied"), balance.total), (4, 5));
        let said = done.stdout + &done.stderr;
        let name = rotten.file_name().expect("a name").to_string_lossy();
        assert!(
            said.contains(&*name) && said.contains("digest differs"),
            "{said}"
        );
        mails.remove(2);
        Snapshot::of(shared().imap, &new).assert_same(&Snapshot::one("INBOX", &mails));
        // Put right, it comes.
        run(&saved).exits(0);
        run(&job).exits(3);
    }
}

#[test]
fn no_archive_is_no_empty_account() {
    let dir = tempfile::tempdir().expect("a directory");
    let new = fresh_user("nothing");
    let source = End::files("archive", &dir.path().join("mistyped"));
    let job = Job::new("", &source, &End::imap(shared(), &new), "");
    let done = run(&job).exits(10);
    assert!(done.stderr.contains("mistyped"), "{}", done.stderr);
}
