//! Destinations that hold mail already, copies, and mail that is the same in several places: nothing lost, nothing doubled.

use super::{assert_nothing_left, run};
use crate::support::job::ARCHIVE;
use crate::support::{
    End, Imap, Job, Mail, Run, Snapshot, fresh_user, maildir, mailhaul, popped, shared,
};

/// A mail of 2020, number `n`; the head holds `id` as it is given.
pub(super) fn mail(n: usize, id: Option<&str>, subject: &str, body: &str) -> Mail {
    let id = id.map_or(String::new(), |id| {
        format!("Message-ID: <{id}@example.org>\r\n")
    });
    let (hour, minute) = (n / 60 % 24, n % 60);
    let text = format!(
        "From: Writer <writer{n}@example.net>\r\nTo: budi@example.org\r\nSubject: {subject}\r\n\
         Date: Mon, 06 Jan 2020 {hour:02}:{minute:02}:00 +0000\r\n{id}\r\n{body}\r\n"
    );
    Mail {
        bytes: text.into_bytes(),
        flags: vec![],
        date: 1_578_268_800 + n as i64 * 60,
    }
}

fn numbered(count: usize) -> Vec<Mail> {
    let one = |n: usize| mail(n, Some(&format!("m{n}")), "Rapat", &format!("body {n}"));
    (0..count).map(one).collect()
}

fn flagged(mail: &Mail, flags: &[&str]) -> Mail {
    let flags = flags.iter().map(|&flag| flag.to_owned()).collect();
    Mail {
        flags,
        ..mail.clone()
    }
}

/// What another tool made of it: a field more.
fn marked(mail: &Mail) -> Mail {
    let mut bytes = b"X-TUID: abcdef123456\r\n".to_vec();
    bytes.extend(&mail.bytes);
    Mail {
        bytes,
        ..mail.clone()
    }
}

/// A user whose folders hold these; folders other than INBOX are made.
pub(super) fn filled(stem: &str, folders: &[(&str, &[Mail])]) -> String {
    let user = fresh_user(stem);
    let mut imap = Imap::login(shared().imap, &user);
    for (folder, mails) in folders {
        if *folder != "INBOX" {
            imap.create(folder);
        }
        imap.append(folder, mails);
    }
    user
}

pub(super) fn imap(user: &str) -> End {
    End::imap(shared(), user)
}

pub(super) fn snapshot(user: &str) -> Snapshot {
    Snapshot::of(shared().imap, user).without_empty()
}

/// The balance of a run that ended well: copied, already there, duplicate.
#[track_caller]
fn parts(run: &Run) -> (u64, u64, u64) {
    let balance = run.balance();
    balance.assert_adds_up();
    let [copied, present, duplicate] =
        ["copied", "already there", "duplicate"].map(|word| balance.part(word));
    assert_eq!(copied + present + duplicate, balance.total, "{balance:?}");
    (copied, present, duplicate)
}

/// Runs, expects these parts, and that the next run changes nothing.
#[track_caller]
pub(super) fn runs_to(job: &Job, new: &str, expected: (u64, u64, u64)) -> Run {
    let done = run(job).exits(0);
    assert_eq!(parts(&done), expected, "{}\n{}", done.stdout, done.stderr);
    let before = snapshot(new);
    assert_nothing_left(job);
    snapshot(new).assert_same_order(&before);
    done
}

/// The journal is lost: all of it is adopted, nothing doubled.
#[track_caller]
pub(super) fn survives_without_journal(job: &Job, new: &str, messages: u64) {
    let before = snapshot(new);
    let state = job.journal();
    std::fs::remove_dir_all(state.parent().expect("a directory")).expect("the journal's directory");
    let again = run(job).exits(0);
    assert_eq!(
        parts(&again),
        (0, messages, 0),
        "{}\n{}",
        again.stdout,
        again.stderr
    );
    snapshot(new).assert_same_order(&before);
    assert_nothing_left(job);
}

/// By headers alone, and with every message read for the archive.
pub(super) const WAYS: [&str; 2] = ["", ARCHIVE];

#[test]
fn another_tools_copies_with_a_field_more() {
    for way in WAYS {
        let mails = numbered(40);
        let old = filled("tool-old", &[("INBOX", &mails)]);
        let there: Vec<Mail> = mails
            .iter()
            .rev()
            .map(|mail| flagged(&marked(mail), &["\\Seen", "\\Flagged"]))
            .collect();
        let new = filled("tool-new", &[("INBOX", &there)]);
        let before = snapshot(&new);
        let job = Job::new("", &imap(&old), &imap(&new), way);
        runs_to(&job, &new, (0, 40, 0));
        snapshot(&new).assert_same_order(&before);
    }
}

#[test]
fn three_copies_of_which_one_is_there() {
    for way in WAYS {
        let one = numbered(1).remove(0);
        let three = vec![one.clone(), one.clone(), one.clone()];
        let old = filled("three-old", &[("INBOX", &three)]);
        let new = filled("three-new", &[("INBOX", &[one])]);
        let job = Job::new("", &imap(&old), &imap(&new), way);
        runs_to(&job, &new, (2, 1, 0));
        snapshot(&new).assert_same(&Snapshot::one("INBOX", &three));
        survives_without_journal(&job, &new, 3);
    }
}

#[test]
fn a_copy_that_comes_later_is_a_copy_more() {
    for way in WAYS {
        let one = numbered(1);
        let old = filled("later-old", &[("INBOX", &one)]);
        let new = filled("later-new", &[("INBOX", &one)]);
        let job = Job::new("", &imap(&old), &imap(&new), way);
        runs_to(&job, &new, (0, 1, 0));
        Imap::login(shared().imap, &old).append("INBOX", &one);
        // What was adopted for the first does not stand for the second.
        runs_to(&job, &new, (1, 1, 0));
        assert_eq!(snapshot(&new).total(), 2);
    }
}

#[test]
fn a_second_copy_in_a_flattened_folder_comes_later() {
    let one = numbered(1);
    let old = filled("flat-later-old", &[("INBOX", &one), ("Work", &one)]);
    let new = fresh_user("flat-later-new");
    let rest = "[folders]\nflatten = true\n";
    let job = Job::new("", &imap(&old), &imap(&new), rest);
    runs_to(&job, &new, (1, 0, 1));
    Imap::login(shared().imap, &old).append("Work", &one);
    // Work holds two now, so that two must stand at the destination.
    runs_to(&job, &new, (1, 1, 1));
    assert_eq!(snapshot(&new).total(), 2);
}

#[test]
fn one_message_id_on_different_mails() {
    for way in WAYS {
        let ours = mail(1, Some("both"), "Invoice", "pay");
        let theirs = mail(2, Some("both"), "Holidays", "rest");
        let old = filled("id-old", &[("INBOX", std::slice::from_ref(&ours))]);
        let new = filled("id-new", &[("INBOX", std::slice::from_ref(&theirs))]);
        let job = Job::new("", &imap(&old), &imap(&new), way);
        let done = runs_to(&job, &new, (1, 0, 0));
        let told = "another message with the same Message-ID";
        assert!(done.stderr.contains(told), "{}", done.stderr);
        snapshot(&new).assert_same(&Snapshot::one("INBOX", &[theirs, ours]));
    }
}

#[test]
fn mail_without_message_id() {
    for way in WAYS {
        let mails: Vec<Mail> = (0..6).map(|n| mail(n, None, "No id", "text")).collect();
        let old = filled("noid-old", &[("INBOX", &mails)]);
        // Number 5 is there in another length: another message.
        let other = mail(5, None, "No id", "another text");
        let there = [mails[3].clone(), mails[0].clone(), other.clone()];
        let new = filled("noid-new", &[("INBOX", &there)]);
        let job = Job::new("", &imap(&old), &imap(&new), way);
        runs_to(&job, &new, (4, 2, 0));
        let mut expected = mails.clone();
        expected.push(other);
        snapshot(&new).assert_same(&Snapshot::one("INBOX", &expected));
        survives_without_journal(&job, &new, 6);
    }
}

#[test]
fn flattened_folders_with_a_message_in_both() {
    for way in WAYS {
        let mails = numbered(5);
        let bare = mail(9, None, "No id", "text");
        let (mut a, mut b) = (mails[..3].to_vec(), mails[2..].to_vec());
        a.push(bare.clone());
        b.push(bare.clone());
        let old = filled("flat-old", &[("INBOX", &a), ("Work", &b)]);
        let new = fresh_user("flat-new");
        let rest = format!("[folders]\nflatten = true\n{way}");
        let job = Job::new("", &imap(&old), &imap(&new), &rest);
        runs_to(&job, &new, (6, 0, 2));
        let expected = [&mails[..], std::slice::from_ref(&bare)].concat();
        snapshot(&new).assert_same(&Snapshot::one("INBOX", &expected));
    }
}

#[test]
fn pop3_and_imap_of_one_mailbox() {
    let mut mails = numbered(8);
    mails.push(mail(20, None, "No id", "text"));
    // Its last line has no end: POP3 adds one.
    for mail in &mut mails[6..] {
        mail.bytes.truncate(mail.bytes.len() - 2);
    }
    let old = fresh_user("two-old");
    maildir::fill(shared(), &old, &mails);
    for pop3_first in [true, false] {
        for way in WAYS {
            let new = fresh_user("two-new");
            let mut sources = [End::pop3(shared(), &old), imap(&old)];
            if !pop3_first {
                sources.reverse();
            }
            let job = Job::with_sources("", &sources, &imap(&new), way);
            runs_to(&job, &new, (9, 0, 9));
            let expected = if pop3_first {
                popped(&mails)
            } else {
                mails.clone()
            };
            snapshot(&new)
                .without_flags()
                .assert_same(&Snapshot::one("INBOX", &expected));
        }
    }
}

const MERGED: &str = "[folders]\nmap = [[\"A|B\", \"Both\"]]\n";

#[test]
fn folders_merged_on_purpose() {
    let mails = numbered(6);
    let old = filled("merge-old", &[("A", &mails[..4]), ("B", &mails[3..])]);
    let new = fresh_user("merge-new");
    let rest = format!("{MERGED}merge = true\n");
    let job = Job::new("", &imap(&old), &imap(&new), &rest);
    runs_to(&job, &new, (6, 0, 1));
    snapshot(&new).assert_same(&Snapshot::one("Both", &mails));
}

#[test]
fn folders_that_meet_by_accident_are_refused() {
    let mails = numbered(6);
    let folders: [(&str, &[Mail]); 3] = [
        ("INBOX", &mails[..2]),
        ("A", &mails[2..4]),
        ("B", &mails[4..]),
    ];
    let old = filled("meet-old", &folders);
    let new = fresh_user("meet-new");
    let job = Job::new("", &imap(&old), &imap(&new), MERGED);
    let planned = mailhaul(&["plan".as_ref(), job.path().as_os_str()]);
    let said = planned.stdout + &planned.stderr;
    assert!(said.contains("would both land in Both"), "{said}");
    for copied in [4, 0] {
        let done = run(&job).exits(3);
        let said = format!("{}\n{}", done.stdout, done.stderr);
        assert!(said.contains("would both land in Both"), "{said}");
        assert_eq!(done.balance().part("copied"), copied, "{said}");
        assert_eq!(done.balance().part("not copied"), 2, "{said}");
        done.balance().assert_adds_up();
        // Of A and B the one that the server lists first is copied, and it alone.
        let there = snapshot(&new);
        let one = [&mails[2..4], &mails[4..]].map(|part| {
            let mut expected = Snapshot::one("INBOX", &mails[..2]);
            expected.0.extend(Snapshot::one("Both", part).0);
            there.differences(&expected, false).is_empty()
        });
        assert!(one[0] != one[1], "{there:?}");
    }
}

#[test]
fn collapsed_copies_unite_their_flags() {
    for way in WAYS {
        let mails = numbered(2);
        let copies = [
            flagged(&mails[0], &["\\Seen"]),
            mails[1].clone(),
            flagged(&mails[0], &["\\Flagged", "todo"]),
            mails[0].clone(),
        ];
        let old = filled("fold-old", &[("INBOX", &copies)]);
        let new = fresh_user("fold-new");
        let job = Job::new("collapse = true", &imap(&old), &imap(&new), way);
        runs_to(&job, &new, (2, 0, 2));
        let united = [
            flagged(&mails[0], &["\\Flagged", "\\Seen", "todo"]),
            mails[1].clone(),
        ];
        snapshot(&new).assert_same_order(&Snapshot::one("INBOX", &united));
    }
}

/// A job with this rule, whose destination holds the first of two mails, and a second with the id of the second.
fn ruled(rule: &str, way: &str) -> (Job, String) {
    let mails = numbered(2);
    let old = filled("rule-old", &[("INBOX", &mails)]);
    let other = mail(7, Some("m1"), "Quite another", "thing");
    let new = filled("rule-new", &[("INBOX", &[mails[0].clone(), other])]);
    let top = format!("dedup = \"{rule}\"");
    (Job::new(&top, &imap(&old), &imap(&new), way), new)
}

#[test]
fn without_dedup_all_is_copied_once() {
    for way in WAYS {
        let (job, new) = ruled("off", way);
        runs_to(&job, &new, (2, 0, 0));
        assert_eq!(snapshot(&new).total(), 4);
    }
}

#[test]
fn strict_message_id_looks_at_nothing_else() {
    for way in WAYS {
        let (job, new) = ruled("strict-message-id", way);
        runs_to(&job, &new, (0, 2, 0));
        assert_eq!(snapshot(&new).total(), 2);
    }
}

#[test]
fn by_content_mail_of_this_job_alone_is_known() {
    for way in WAYS {
        let mails = numbered(3);
        let old = filled(
            "content-old",
            &[("INBOX", &mails[..2]), ("Work", &mails[1..])],
        );
        let new = filled("content-new", &[("INBOX", &mails[..1])]);
        let rest = format!("[folders]\nflatten = true\n{way}");
        let job = Job::new("dedup = \"content\"", &imap(&old), &imap(&new), &rest);
        runs_to(&job, &new, (3, 0, 1));
        assert_eq!(snapshot(&new).total(), 4);
    }
}

/// The index of an earlier run is no proof that the destination's own mail still stands.
#[test]
fn own_mail_that_was_deleted_since_stands_for_nothing() {
    let mails = numbered(3);
    let old = filled("own-old", &[("INBOX", &mails[..1])]);
    let new = filled("own-new", &[("INBOX", &mails[1..])]);
    let job = Job::new(
        "",
        &End::imap(shared(), &old),
        &End::imap(shared(), &new),
        "",
    );
    assert_eq!(run(&job).exits(0).balance().part("copied"), 1);
    let mut there = Imap::login(shared().imap, &new);
    there.store("INBOX", "1", "+FLAGS", "\\Deleted");
    there.expunge("INBOX", "1");
    Imap::login(shared().imap, &old).append("INBOX", &mails[1..]);
    let balance = run(&job).exits(0).balance();
    assert_eq!(
        (balance.part("copied"), balance.part("already there")),
        (1, 2)
    );
    let have = Snapshot::of(shared().imap, &new);
    have.assert_same(&Snapshot::one("INBOX", &mails));
    assert_nothing_left(&job);
}
