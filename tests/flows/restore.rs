//! Archive → IMAP: what comes back is what was there.

use super::backup::{FORMATS, archive, backup, format};
use super::imap_to_imap::{large_account, subscribed};
use super::{assert_nothing_left, run};
use crate::support::job::ARCHIVE;
use crate::support::{
    Corpus, End, Imap, Job, Mail, Snapshot, fresh_user, maildir, mailhaul, popped, shared,
};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

fn restore(of: &Job, user: &str) -> Job {
    let source = End::files("archive", &archive(of));
    Job::new("", &source, &End::imap(shared(), user), "")
}

/// `verify --level content` finds both ends equal.
fn verified(job: &Job) {
    let level = ["--level".as_ref(), "content".as_ref()];
    mailhaul(&[&["verify".as_ref(), job.path().as_os_str()], &level[..]].concat()).exits(0);
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
        verified(&saved);
        verified(&job);
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

#[test]
fn what_others_appended_to_an_mbox_comes_along() {
    let old = fresh_user("appended");
    let mut mails = Corpus::new(&old, 12).mails(6);
    Imap::login(shared().imap, &old).append("INBOX", &mails[..3]);
    let saved = backup(&End::imap(shared(), &old), &format("mbox"));
    run(&saved).exits(0);
    let mbox = archive(&saved).join("mail/INBOX.mbox");
    let own = Mail {
        bytes: b"Subject: own\r\nStatus: RO\r\n\r\nFrom me.\r\n".to_vec(),
        flags: vec!["\\Seen".into()],
        date: 1_000_000_000,
    };
    let text =
        "From me@example.org Sun Sep  9 01:46:40 2001\nSubject: own\nStatus: RO\n\n>From me.\n\n";
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(&mbox)
        .expect("open");
    file.write_all(text.as_bytes()).expect("write");
    // The next backup goes on behind it, and leaves it alone.
    Imap::login(shared().imap, &old).append("INBOX", &mails[3..]);
    assert_eq!(run(&saved).exits(0).balance().part("copied"), 3);
    let new = fresh_user("appended-new");
    let job = restore(&saved, &new);
    assert_eq!(run(&job).exits(0).balance().part("copied"), 7);
    mails.push(own);
    Snapshot::of(shared().imap, &new).assert_same(&Snapshot::one("INBOX", &mails));
    assert_nothing_left(&job);
}

#[test]
fn what_was_kept_on_its_way_comes_back() {
    for kind in FORMATS {
        let old = fresh_user("kept");
        let mails = popped(&Corpus::new(&old, 30).mails(30));
        maildir::fill(shared(), &old, &mails);
        let (new, back) = (fresh_user("kept-new"), fresh_user("kept-back"));
        let rest = format!("{ARCHIVE}{}", format(kind));
        let job = Job::new(
            "",
            &End::pop3(shared(), &old),
            &End::imap(shared(), &new),
            &rest,
        );
        run(&job).exits(0);
        run(&restore(&job, &back)).exits(0);
        Snapshot::of(shared().imap, &back).assert_same(&Snapshot::of(shared().imap, &new));
    }
}

#[test]
fn an_archive_is_not_restored_into_itself() {
    let dir = tempfile::tempdir().expect("a directory");
    let new = fresh_user("itself");
    let source = End::files("archive", &dir.path().join("box.archive"));
    for inside in ["", "/mail"] {
        let rest = format!(
            "[archive]\npath = {:?}\n",
            dir.path().join(format!("box.archive{inside}"))
        );
        let job = Job::new("", &source, &End::imap(shared(), &new), &rest);
        let done = run(&job).exits(2);
        assert!(done.stderr.contains("archive.path"), "{}", done.stderr);
    }
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
