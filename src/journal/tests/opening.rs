//! What an unfit file does: refused with words, and left as it is.

use super::*;
use crate::fs;
use crate::net::Way;
use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;

fn with_messages(dir: &Path) -> Journal {
    let mut journal = Journal::open(dir, &identity()).unwrap();
    let run = journal.begin_run("job").unwrap();
    let folder = journal.folder(run, 0, b"INBOX", 1).unwrap();
    for first in (1..=500).step_by(50) {
        let batch: Vec<_> = (first..first + 50).map(seen).collect();
        journal.record(run, folder, &batch).unwrap();
    }
    journal
}

/// As a killed process leaves it: the file and its write-ahead log, without the shared memory.
fn torn_copy(from: &Path, to: &Path, keep: u64) {
    for name in ["journal.db", "journal.db-wal"] {
        std::fs::copy(from.join(name), to.join(name)).unwrap();
    }
    let wal = OpenOptions::new()
        .write(true)
        .open(to.join("journal.db-wal"));
    wal.unwrap().set_len(keep).unwrap();
}

#[test]
fn a_torn_log_loses_whole_transactions_at_most() {
    let dir = tempfile::tempdir().unwrap();
    let journal = with_messages(dir.path());
    let length = std::fs::metadata(dir.path().join("journal.db-wal"))
        .unwrap()
        .len();
    let mut counts = Vec::new();
    for part in 0..=20 {
        let to = tempfile::tempdir().unwrap();
        let keep = length * part / 20 - u64::from(part == 20) + u64::from(part == 0);
        torn_copy(dir.path(), to.path(), keep);
        let torn = Journal::open(to.path(), &identity()).unwrap();
        let messages: usize = torn
            .folders(0)
            .unwrap()
            .iter()
            .map(|f| rows(&torn, f.id).len())
            .sum();
        assert_eq!(messages % 50, 0);
        counts.push(messages);
    }
    drop(journal);
    assert!(
        counts.is_sorted() && counts[0] == 0 && counts[20] == 450,
        "{counts:?}"
    );
}

#[test]
fn another_account_is_refused_and_a_new_destination_is_not() {
    let dir = tempfile::tempdir().unwrap();
    drop(with_messages(dir.path()));
    let mut other = identity();
    other.sources = vec!["imap://b'@old".into()];
    let refused = Journal::open(dir.path(), &other).unwrap_err();
    assert_eq!(refused.code, Code::Foreign);
    assert!(refused.hint.unwrap().contains("imap://b''@old"));
    assert!(Journal::open_read_only(dir.path(), &other).is_err());
    let mut moved = identity();
    moved.destinations = vec!["imap://a@elsewhere".into()];
    let reader = Journal::open_read_only(dir.path(), &moved)
        .unwrap()
        .unwrap();
    assert_eq!(reader.counts(0).unwrap()[0].outcome, None);
    drop(reader);
    let mut more = identity();
    more.sources.push("pop3://c@x".into());
    Journal::open(dir.path(), &more).unwrap();
    Journal::open(dir.path(), &moved).unwrap();
}

#[test]
fn before_any_folder_was_seen_a_journal_is_nobodys() {
    let dir = tempfile::tempdir().unwrap();
    let mut misspelt = identity();
    misspelt.sources = vec!["imap://bdui@x".into()];
    drop(Journal::open(dir.path(), &misspelt).unwrap());
    drop(Journal::open(dir.path(), &identity()).unwrap());
    drop(with_messages(dir.path()));
    let refused = Journal::open(dir.path(), &misspelt).unwrap_err();
    assert_eq!(refused.code, Code::Foreign, "{refused}");
}

#[test]
fn foreign_newer_and_damaged_files_stay_as_they_are() {
    let cases: [(&str, Code); 4] = [
        ("PRAGMA application_id = 1", Code::Foreign),
        ("PRAGMA user_version = 99", Code::Foreign),
        ("empty", Code::Foreign),
        ("garbage", Code::Journal),
    ];
    for (change, code) in cases {
        let dir = tempfile::tempdir().unwrap();
        drop(Journal::open(dir.path(), &identity()).unwrap());
        let path = dir.path().join("journal.db");
        match change {
            "empty" => fs::persist(&path, |_| Ok(())).unwrap(),
            "garbage" => fs::persist(&path, |f| f.write_all(&[7; 9000])).unwrap(),
            sql => Connection::open(&path).unwrap().execute_batch(sql).unwrap(),
        }
        let before = std::fs::read(&path).unwrap();
        let refused = Journal::open(dir.path(), &identity()).unwrap_err();
        assert_eq!(refused.code, code, "{change}: {refused}");
        let refused = Journal::open_read_only(dir.path(), &identity()).unwrap_err();
        assert_eq!(refused.code, code, "{change}: {refused}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
}

/// A journal of the first version is taken over whole, and read by `status` as it is.
#[test]
fn an_older_journal_becomes_one_of_ours() {
    let dir = tempfile::tempdir().unwrap();
    let runs = with_messages(dir.path()).runs().unwrap().len();
    let old = Connection::open(dir.path().join("journal.db")).unwrap();
    old.execute_batch("DROP TABLE usage; PRAGMA user_version = 1")
        .unwrap();
    drop(old);
    let read = Journal::open_read_only(dir.path(), &identity())
        .unwrap()
        .unwrap();
    let used = read.used("imap://a@old", Way::Down, 3).unwrap();
    assert_eq!(used, Used::default());
    drop(read);
    let mut journal = Journal::open(dir.path(), &identity()).unwrap();
    assert_eq!(journal.runs().unwrap().len(), runs);
    let copy = dir.path().join("journal.v1.db");
    let mode = std::fs::metadata(&copy).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let copy = Connection::open(&copy).unwrap();
    let count = |sql: &str| copy.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT user_version FROM pragma_user_version"), 1);
    assert_eq!(count("SELECT count(*) FROM message"), 500);
    let run = journal.begin_run("j").unwrap();
    journal
        .use_up_to(run, "imap://a@old", Way::Down, 3, 700)
        .unwrap();
    journal
        .use_up_to(run, "imap://a@old", Way::Down, 3, 600)
        .unwrap();
    journal
        .day_is_used(run, "imap://a@old", Way::Down, 3)
        .unwrap();
    let used = journal.used("imap://a@old", Way::Down, 3).unwrap();
    assert!(used.bytes == 600 && used.paused.is_some(), "{used:?}");
    assert_eq!(
        journal.used("imap://a@old", Way::Up, 3).unwrap(),
        Used::default()
    );
    drop(journal);
    Journal::open(dir.path(), &identity()).unwrap();
}

#[test]
fn spoilt_pages_show_when_it_is_opened_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    drop(with_messages(dir.path()));
    let path = dir.path().join("journal.db");
    let mut file = OpenOptions::new().write(true).open(&path).unwrap();
    file.seek(SeekFrom::Start(8 * 4096)).unwrap();
    file.write_all(&[0xff; 20 * 4096]).unwrap();
    let refused = Journal::open(dir.path(), &identity()).unwrap_err();
    assert_eq!(refused.code, Code::Journal, "{refused}");
}

#[test]
fn looking_makes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    assert!(!Journal::exists(dir.path()));
    assert!(
        Journal::open_read_only(dir.path(), &identity())
            .unwrap()
            .is_none()
    );
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    drop(with_messages(dir.path()));
    let mode = std::fs::metadata(dir.path().join("journal.db"))
        .unwrap()
        .permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    let count = || std::fs::read_dir(dir.path()).unwrap().count();
    let before = count();
    let mut reader = Journal::open_read_only(dir.path(), &identity())
        .unwrap()
        .unwrap();
    assert_eq!(reader.runs().unwrap().len(), 1);
    assert!(reader.begin_run("job").is_err());
    drop(reader);
    assert_eq!(count(), before);
}

#[test]
fn a_link_in_its_place_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    drop(Journal::open(other.path(), &identity()).unwrap());
    let link = dir.path().join("journal.db");
    std::os::unix::fs::symlink(other.path().join("journal.db"), link).unwrap();
    assert!(Journal::open(dir.path(), &identity()).is_err());
}

#[test]
fn a_reader_sees_what_a_running_or_killed_run_has_committed() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = with_messages(dir.path());
    let killed = tempfile::tempdir().unwrap();
    let length = std::fs::metadata(dir.path().join("journal.db-wal"))
        .unwrap()
        .len();
    torn_copy(dir.path(), killed.path(), length);
    let run = journal.begin_run("job").unwrap();
    for (at, runs) in [(dir.path(), 2), (killed.path(), 1)] {
        let reader = Journal::open_read_only(at, &identity()).unwrap().unwrap();
        assert_eq!(reader.runs().unwrap().len(), runs);
        assert_eq!(reader.counts(0).unwrap()[0].messages, 500);
    }
    journal.end_run(run, "{}").unwrap();
}

#[test]
fn a_directory_with_odd_characters_holds_a_journal() {
    let dir = tempfile::tempdir().unwrap();
    let odd = dir.path().join("50% a?b#c ü");
    fs::private_dir(&odd).unwrap();
    drop(with_messages(&odd));
    let reader = Journal::open_read_only(&odd, &identity()).unwrap().unwrap();
    assert_eq!(reader.counts(0).unwrap()[0].messages, 500);
}
