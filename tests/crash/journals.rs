//! Journals that are not ours, newer or damaged, an archive in use, and what somebody planted in it: refused in words, nothing changed.

use super::{run, steps};
use crate::support::job::ARCHIVE;
use crate::support::{Corpus, End, Imap, Job, Snapshot, fresh_user, maildir, shared};
use rusqlite::Connection;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// A job through an archive that has run once, with mail at the source that it has not seen; and its destination's user.
fn job_through_archive() -> (Job, String) {
    let server = shared();
    let (old, new) = (fresh_user("journal"), fresh_user("journal-new"));
    let mut corpus = Corpus::new(&old, 5);
    maildir::fill(server, &old, &corpus.mails(8));
    let job = Job::new(
        "",
        &End::pop3(server, &old),
        &End::imap(server, &new),
        ARCHIVE,
    );
    run(&job).exits(0);
    maildir::fill(server, &old, &corpus.mails(3));
    (job, new)
}

fn archive(job: &Job) -> PathBuf {
    job.dir().join("box.archive")
}

/// The run is refused with this code and these words; the destination has no message more than before.
#[track_caller]
fn refused(job: &Job, new: &str, code: i32, words: &str) {
    let said = run(job).exits(code);
    assert!(said.stderr.contains(words), "{}", said.stderr);
    assert_eq!(Snapshot::of(shared().imap, new).total(), 8);
}

#[test]
fn a_journal_that_is_not_ours_or_newer() {
    for (pragma, words) in [
        ("application_id = 7", "is not a journal of mailhaul"),
        ("user_version = 1000", "was written by a newer mailhaul"),
    ] {
        let (job, new) = job_through_archive();
        Connection::open(job.journal())
            .and_then(|journal| journal.execute_batch(&format!("PRAGMA {pragma}")))
            .expect("a pragma");
        let before = fs::read(job.journal()).expect("read");
        refused(&job, &new, 12, words);
        assert!(
            before == fs::read(job.journal()).expect("read"),
            "it was changed"
        );
    }
}

/// Killed at every step of taking over a journal of the first version, the next run takes it over and goes on.
#[test]
fn an_upgrade_that_was_killed_is_done_by_the_next_run() {
    let older = || {
        let (job, new) = job_through_archive();
        Connection::open(job.journal())
            .and_then(|old| old.execute_batch("DROP TABLE usage; PRAGMA user_version = 1"))
            .expect("an older journal");
        (job, new)
    };
    let steps = steps::passed(&older().0);
    let of_it = |step: &&String| step.contains("upgrade") || step.contains("the copy");
    let names: Vec<_> = steps.iter().filter(of_it).collect();
    assert_eq!(names.len(), 3, "{steps:?}");
    for (at, name) in steps.iter().enumerate().filter(|(_, step)| of_it(step)) {
        let (job, new) = older();
        assert!(steps::killed(&job, at as u64 + 1), "{name}");
        run(&job).exits(0);
        assert_eq!(Snapshot::of(shared().imap, &new).total(), 11, "{name}");
        let kept = Connection::open(archive(&job).join("journal.v1.db"))
            .and_then(|copy| copy.query_row("SELECT count(*) FROM message", [], |row| row.get(0)))
            .unwrap_or(0i64);
        assert_eq!(kept, 8, "{name}");
    }
}

#[test]
fn a_journal_that_is_damaged_is_never_begun_anew() {
    type Damage<'d> = &'d dyn Fn(&[u8]) -> Vec<u8>;
    let rest = |whole: &[u8]| whole[..whole.len() / 2 / 4096 * 4096].to_vec();
    let noise = |whole: &[u8]| whole.iter().map(|b| b.wrapping_mul(31) ^ 0x5a).collect();
    let damages: [(&str, Damage); 3] = [
        ("half", &rest),
        ("noise", &noise),
        ("empty", &|_| Vec::new()),
    ];
    for (name, damage) in damages {
        let (job, new) = job_through_archive();
        let spoilt = damage(&fs::read(job.journal()).expect("read"));
        fs::write(job.journal(), &spoilt).expect("write");
        let said = run(&job);
        assert!(matches!(said.code, Some(1 | 12)), "{name}: {:?}", said);
        assert!(
            said.stderr.contains("journal.db"),
            "{name}: {}",
            said.stderr
        );
        assert_eq!(Snapshot::of(shared().imap, &new).total(), 8, "{name}");
        assert!(
            spoilt == fs::read(job.journal()).expect("read"),
            "{name}: changed"
        );
    }
}

#[test]
fn another_account_is_refused() {
    let (job, new) = job_through_archive();
    let server = shared();
    let other = End::pop3(server, &fresh_user("somebody-else"));
    job.rewrite("", &other, &End::imap(server, &new), ARCHIVE);
    refused(&job, &new, 12, "is about");
}

#[test]
fn an_archive_in_use() {
    let (job, new) = job_through_archive();
    let lock = File::open(archive(&job).join("lock")).expect("the lock");
    lock.lock().expect("lock");
    refused(&job, &new, 12, "is in use by");
    drop(lock);
    run(&job).exits(0);
    assert_eq!(Snapshot::of(server_imap(), &new).total(), 11);
}

fn server_imap() -> u16 {
    shared().imap
}

/// Rows of every table but `run`, and what the newest run's row takes.
fn rows(job: &Job) -> (Vec<(String, i64)>, i64) {
    let journal = Connection::open(job.journal()).expect("a journal");
    let mut tables = journal
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name <> 'run'")
        .expect("a query");
    let names = tables.query_map([], |row| row.get::<_, String>(0));
    let count = |name: String| {
        let sql = format!("SELECT COUNT(*) FROM {name}");
        let rows = journal.query_row(&sql, [], |row| row.get(0));
        (name, rows.expect("a count"))
    };
    let counts = names
        .expect("names")
        .map(|name| count(name.expect("a name")))
        .collect();
    let sql = "SELECT LENGTH(summary) + LENGTH(job) FROM run ORDER BY id DESC LIMIT 1";
    (
        counts,
        journal.query_row(sql, [], |row| row.get(0)).expect("a run"),
    )
}

#[test]
fn a_run_with_nothing_new_leaves_the_journal_as_it_is() {
    let server = shared();
    let (old, new) = (fresh_user("idle"), fresh_user("idle-new"));
    let mut imap = Imap::login(server.imap, &old);
    imap.append("INBOX", &Corpus::new(&old, 15).mails(20));
    imap.store("INBOX", "3:5", "+FLAGS", "\\Deleted");
    let source = End::imap(server, &old);
    let job = Job::new(
        "",
        &source,
        &End::imap(server, &new),
        "[filter]\nsince = 2016-01-01\n",
    );
    let (pop3, _) = job_through_archive();
    for job in [&job, &pop3] {
        run(job).exits(0);
        let before = rows(job);
        for _ in 0..3 {
            run(job).exits(0);
        }
        let after = rows(job);
        assert_eq!(after.0, before.0);
        assert!(after.1 < 400, "a run takes {} bytes", after.1);
    }
}

/// A link in the place of something of the archive leads to a copy of it outside; nothing outside may change.
#[test]
fn planted_links_are_not_followed() {
    for place in [
        "journal.db",
        "lock",
        "mail",
        "mail/cur",
        "mail/tmp",
        "sidecar",
        "sidecar/INBOX.jsonl",
    ] {
        let (job, new) = job_through_archive();
        let (inside, outside) = (archive(&job).join(place), job.dir().join("outside"));
        fs::rename(&inside, &outside).unwrap_or_else(|e| panic!("{place}: {e}"));
        symlink(&outside, &inside).expect("a link");
        let before = tree(&outside);
        let said = run(&job);
        assert_ne!(said.code, Some(0), "{place}: {said:?}");
        assert_eq!(tree(&outside), before, "{place}: {}", said.stderr);
        assert_eq!(
            Imap::login(server_imap(), &new).count("INBOX"),
            8,
            "{place}"
        );
    }
}

/// Every file below a path with its size.
fn tree(path: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    if !path.is_dir() {
        let bytes = fs::read(path).expect("read");
        let sum = bytes.iter().map(|&b| u64::from(b)).sum::<u64>();
        return vec![(path.into(), bytes.len() as u64 * 1_000_003 + sum)];
    }
    for entry in fs::read_dir(path).expect("a directory") {
        found.extend(tree(&entry.expect("an entry").path()));
    }
    found.sort();
    found
}
