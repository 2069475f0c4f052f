//! Mail that goes from a source that is backed up, and mailboxes that change in every way between two runs.

use super::backup::{FORMATS, backup, format};
use super::{assert_nothing_left, run};
use crate::support::{Corpus, End, Imap, Job, Run, Snapshot, fresh_user, mailhaul, shared};

/// What the archive holds, by a restore into an account of its own.
fn restored(job: &Job) -> Snapshot {
    let new = fresh_user("vanish-restored");
    let archive = End::files("archive", &super::backup::archive(job));
    let back = Job::new("", &archive, &End::imap(shared(), &new), "");
    run(&back).exits(0);
    Snapshot::of(shared().imap, &new)
}

fn accepting(job: &Job, messages: u32) -> Run {
    mailhaul(&[
        "run".as_ref(),
        job.path().as_os_str(),
        "--accept-deletions".as_ref(),
        messages.to_string().as_ref(),
    ])
}

/// An account with mail in INBOX and in Work.
fn account(stem: &str, inbox: usize, work: usize) -> (String, Imap) {
    let user = fresh_user(stem);
    let mut corpus = Corpus::new(&user, 12);
    let mut imap = Imap::login(shared().imap, &user);
    imap.append("INBOX", &corpus.mails(inbox));
    imap.create("Work");
    imap.append("Work", &corpus.mails(work));
    (user, imap)
}

fn entries(snapshot: &Snapshot, folder: &str) -> usize {
    snapshot.0.get(folder).map_or(0, Vec::len)
}

#[test]
fn what_has_gone_stays_is_put_aside_or_goes_as_the_job_says() {
    for kind in FORMATS {
        for (rule, stays, aside) in [("keep", 30, 0), ("trash", 28, 2), ("delete", 28, 0)] {
            let (user, mut imap) = account("gone", 30, 30);
            let end = End::imap(shared(), &user);
            let job = backup(&end, &format!("{}on-vanish = \"{rule}\"\n", format(kind)));
            run(&job).exits(0);
            imap.expunge("INBOX", "4,9");
            run(&job).exits(0).balance().assert_adds_up();
            let have = restored(&job);
            assert_eq!(entries(&have, "INBOX"), stays, "{kind} {rule}");
            assert_eq!(entries(&have, "Vanished/INBOX"), aside, "{kind} {rule}");
            assert_eq!(entries(&have, "Work"), 30);
            assert_nothing_left(&job);
            assert_eq!(
                restored(&job),
                have,
                "{kind} {rule}: a third run changed it"
            );
        }
    }
}

#[test]
fn days_of_grace() {
    let (user, mut imap) = account("grace", 10, 5);
    let end = End::imap(shared(), &user);
    let job = backup(&end, "on-vanish = \"delete\"\ngrace-days = 30\n");
    run(&job).exits(0);
    imap.expunge("INBOX", "1");
    for _ in 0..2 {
        run(&job).exits(0);
        assert_eq!(entries(&restored(&job), "INBOX"), 10);
    }
    // As if a month had passed.
    let journal = rusqlite::Connection::open(job.journal()).expect("the journal");
    journal
        .execute("UPDATE run SET started = started - 31 * 86400", [])
        .expect("an update");
    drop(journal);
    run(&job).exits(0);
    assert_eq!(entries(&restored(&job), "INBOX"), 9);
}

#[test]
fn too_much_at_once_is_not_believed() {
    let (user, mut imap) = account("many", 60, 40);
    let job = backup(&End::imap(shared(), &user), "on-vanish = \"delete\"\n");
    run(&job).exits(0);
    imap.expunge("INBOX", "1:30");
    for _ in 0..2 {
        let refused = run(&job).exits(1);
        assert!(
            refused.stderr.contains("--accept-deletions 30"),
            "{}",
            refused.stderr
        );
        assert_eq!(entries(&restored(&job), "INBOX"), 60);
    }
    assert!(
        accepting(&job, 29)
            .stderr
            .contains("more than is plausible")
    );
    accepting(&job, 30).exits(0);
    assert_eq!(entries(&restored(&job), "INBOX"), 30);

    // A folder that is gone whole says nothing about its mail.
    imap.command("DELETE Work");
    run(&job).exits(0);
    assert_eq!(entries(&restored(&job), "Work"), 40);
}

#[test]
fn a_copy_that_another_message_stands_for_stays() {
    let user = fresh_user("stands");
    let mail = Corpus::new(&user, 9).mails(3);
    let mut imap = Imap::login(shared().imap, &user);
    imap.append("INBOX", &mail);
    imap.create("Copies");
    imap.append("Copies", &mail);
    let rules = "on-vanish = \"delete\"\n[folders]\nflatten = true\nmerge = true\n";
    let job = backup(&End::imap(shared(), &user), rules);
    run(&job).exits(0);
    assert_eq!(entries(&restored(&job), "INBOX"), 3);
    imap.expunge("INBOX", "1:3");
    run(&job).exits(0);
    assert_eq!(entries(&restored(&job), "INBOX"), 3);
    imap.expunge("Copies", "1:3");
    run(&job).exits(0);
    assert_eq!(entries(&restored(&job), "INBOX"), 0);
}

/// New, expunged, moved and reflagged mail, a renamed and a recreated folder: the archive is right after the second run.
#[test]
fn a_mailbox_changed_in_every_way() {
    for kind in FORMATS {
        let (user, mut imap) = account("every-way", 40, 30);
        let mut corpus = Corpus::new("every-way-more", 3);
        for folder in ["Old name", "Again"] {
            imap.create(folder);
            imap.append(folder, &corpus.mails(12));
        }
        let more = format!("{}on-vanish = \"delete\"\n", format(kind));
        let job = backup(&End::imap(shared(), &user), &more);
        run(&job).exits(0);

        imap.append("INBOX", &corpus.mails(4));
        imap.expunge("INBOX", "2:3");
        imap.store("INBOX", "5:9", "+FLAGS", "\\Flagged todo");
        imap.store("INBOX", "6", "-FLAGS", "\\Seen");
        imap.command("SELECT INBOX");
        imap.command("UID MOVE 10:12 Work");
        imap.command("RENAME \"Old name\" \"New name\"");
        let kept = Snapshot::of(shared().imap, &user).0["Again"].clone();
        imap.command("DELETE Again");
        imap.create("Again");
        let fresh = corpus.mails(5);
        imap.append("Again", &fresh);

        run(&job).exits(0).balance().assert_adds_up();
        let want = Snapshot::of(shared().imap, &user);
        let mut have = restored(&job);
        // Its folder is gone from the source: nothing is concluded from that.
        assert_eq!(have.0.remove("Old name").map(|mail| mail.len()), Some(12));
        // A folder of another UIDVALIDITY is another folder: what the old one had stays with it.
        let again = have.0.get_mut("Again").expect("the recreated folder");
        assert_eq!(again.len(), 12 + 5, "{kind}");
        again.retain(|entry| !kept.iter().any(|old| old.digest == entry.digest));
        have.without_empty().assert_same(&want.without_empty());
        assert_nothing_left(&job);
    }
}

/// A file that is put back is mail of the source again: copied once more where it was removed, and safe from then on.
#[test]
fn what_comes_back_is_copied_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let cur = dir.path().join("Maildir/cur");
    for part in ["cur", "new", "tmp"] {
        std::fs::create_dir_all(dir.path().join("Maildir").join(part)).expect("a Maildir");
    }
    for (n, mail) in Corpus::new("comes-back", 5).mails(5).iter().enumerate() {
        let name = format!("10000000{n}.M{n}P1.host:2,S");
        std::fs::write(cur.join(name), &mail.bytes).expect("write");
    }
    let source = End::files("maildir", &dir.path().join("Maildir"));
    let job = backup(&source, "on-vanish = \"delete\"\n");
    run(&job).exits(0);
    let (there, aside) = (
        cur.join("100000002.M2P1.host:2,S"),
        dir.path().join("aside"),
    );
    for _ in 0..2 {
        std::fs::rename(&there, &aside).expect("rename");
        run(&job).exits(0);
        assert_eq!(entries(&restored(&job), "INBOX"), 4);
        std::fs::rename(&aside, &there).expect("rename");
        assert_eq!(run(&job).exits(0).balance().part("copied"), 1);
        assert_eq!(entries(&restored(&job), "INBOX"), 5);
        assert_nothing_left(&job);
    }
}

/// A message that was moved to a folder that could not be copied is in the archive in one place alone.
#[test]
fn nothing_goes_while_another_folder_fails() {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path().join("Maildir");
    for folder in ["", ".Work"] {
        for part in ["cur", "new", "tmp"] {
            std::fs::create_dir_all(root.join(folder).join(part)).expect("a Maildir");
        }
    }
    for (n, mail) in Corpus::new("moved-away", 5).mails(3).iter().enumerate() {
        std::fs::write(
            root.join(format!("cur/1000000{n}.M{n}P1.host:2,S")),
            &mail.bytes,
        )
        .expect("write");
    }
    let job = backup(&End::files("maildir", &root), "on-vanish = \"delete\"\n");
    run(&job).exits(0);
    let (from, to) = (
        "cur/10000001.M1P1.host:2,S",
        ".Work/cur/10000001.M1P1.host:2,S",
    );
    std::fs::rename(root.join(from), root.join(to)).expect("rename");
    std::fs::rename(root.join(".Work/new"), dir.path().join("new")).expect("rename");
    std::os::unix::fs::symlink(dir.path().join("new"), root.join(".Work/new")).expect("a link");
    run(&job).exits(3);
    std::fs::remove_file(root.join(".Work/new")).expect("remove");
    std::fs::rename(dir.path().join("new"), root.join(".Work/new")).expect("rename");
    // As it was before the failed run, the message had not gone from the archive.
    assert_eq!(entries(&restored(&job), "INBOX"), 3);
    run(&job).exits(0);
    let have = restored(&job);
    assert_eq!((entries(&have, "INBOX"), entries(&have, "Work")), (2, 1));
}

/// What has rotted in the archive is not put aside as if it were whole.
#[test]
fn what_is_spoilt_stays_and_is_told() {
    let (user, mut imap) = account("spoilt", 5, 1);
    let job = backup(&End::imap(shared(), &user), "on-vanish = \"trash\"\n");
    run(&job).exits(0);
    let cur = super::backup::archive(&job).join("mail/cur");
    for entry in std::fs::read_dir(&cur).expect("cur") {
        let path = entry.expect("an entry").path();
        let mut bytes = std::fs::read(&path).expect("read");
        bytes[3] ^= 1;
        std::fs::write(&path, bytes).expect("write");
    }
    imap.expunge("INBOX", "2");
    let told = run(&job).exits(1);
    assert!(
        told.stderr.contains("stay where they are"),
        "{}",
        told.stderr
    );
    assert!(
        !super::backup::archive(&job)
            .join("mail/.Vanished.INBOX/cur")
            .exists()
            || std::fs::read_dir(super::backup::archive(&job).join("mail/.Vanished.INBOX/cur"))
                .expect("cur")
                .count()
                == 0
    );
    assert_eq!(std::fs::read_dir(&cur).expect("cur").count(), 5);
}
