//! Whole migrations to a server that nobody here wrote, and back: what both directions have to show, whichever server it is.

use crate::support::canonical::digest;
use crate::support::{Corpus, Mail, fresh_user, maildir, mailhaul, real, shared, tell};
use crate::support::{Dovecot, End, Foreign, Imap, Job, Run, Snapshot};
use std::collections::BTreeMap;

/// How a server names what Dovecot calls `Work/2024`.
pub type Naming = fn(&str) -> String;

/// Folders beside the inbox, as Dovecot names them (modified UTF-7).
const FOLDERS: [&str; 4] = ["Sent", "Kerja", "Kerja/2024", "Entw&APw-rfe &- mehr"];

/// About so many of the real messages, where they stand beside the project.
const REAL: usize = 400;

pub fn run(job: &Job) -> Run {
    mailhaul(&["run".as_ref(), job.path().as_os_str()])
}

/// A mailbox on Dovecot: real mail in the inbox (made up where there is none), made-up mail with flags in folders.
pub fn mailbox(user: &str) -> &'static Dovecot {
    let server = shared();
    maildir::fill(server, user, &inbox(user));
    let mut imap = Imap::login(server.imap, user);
    for (number, folder) in (0u64..).zip(FOLDERS) {
        // Dovecot makes the special ones by itself.
        let made = imap.try_command(format!("CREATE \"{folder}\"").as_bytes());
        assert!(made.is_ok() || folder == "Sent", "{folder}: {made:?}");
        imap.append(folder, &Corpus::new(folder, 70 + number).mails(25));
        imap.subscribe(folder);
    }
    server
}

fn inbox(user: &str) -> Vec<Mail> {
    match real::messages() {
        Some(mails) => {
            let step = mails.len().div_ceil(REAL);
            mails.into_iter().step_by(step).collect()
        }
        None => Corpus::new(user, 7).mails(150),
    }
}

/// What went over, and what it cost.
pub struct Moved {
    pub job: Job,
    pub done: Run,
}

/// Runs a job from `from` to `to` and checks what holds for every server: the outcomes add up, what is called copied is there byte for
/// byte in the right folder, what is not is told, a second run transfers nothing and `verify` by content agrees.
pub fn moved(from: (u16, &str, End), to: (u16, &str, End), rename: Naming, rest: &str) -> Moved {
    let job = Job::new("", &from.2, &to.2, rest);
    let before = Snapshot::of(from.0, from.1);
    let done = run(&job);
    assert!(
        matches!(done.code, Some(0 | 3)),
        "{}\n{}",
        done.stdout,
        done.stderr
    );
    let balance = done.balance();
    balance.assert_adds_up();
    tell(&format!("{}: {balance:?}", to.1));
    assert_eq!(balance.total, before.total() as u64);
    let there = Snapshot::of(to.0, to.1);
    let stored = balance.part("copied") + balance.part("altered");
    assert_eq!(there.total() as u64, stored, "{balance:?}");
    let lost = missing(&before.renamed(rename), &there);
    assert_eq!(
        lost as u64,
        balance.total - balance.part("copied"),
        "{balance:?}\n{}",
        done.stdout
    );
    again(&job, (to.0, to.1), &there, &done);
    proven(&job, &done);
    Moved { job, done }
}

/// Messages that are not at the destination with the same bytes, flags and date in the same folder.
fn missing(expected: &Snapshot, there: &Snapshot) -> usize {
    let mut lost = 0;
    for (folder, entries) in &expected.0 {
        let mut left: BTreeMap<String, usize> = BTreeMap::new();
        for entry in there.0.get(folder).into_iter().flatten() {
            *left.entry(format!("{entry:?}")).or_default() += 1;
        }
        for entry in entries {
            match left.get_mut(&format!("{entry:?}")) {
                Some(count) if *count > 0 => *count -= 1,
                _ => lost += 1,
            }
        }
    }
    lost
}

/// A second run stores nothing, and leaves the destination as it was.
fn again(job: &Job, to: (u16, &str), there: &Snapshot, first: &Run) {
    let second = run(job);
    assert_eq!(
        second.code, first.code,
        "{}\n{}",
        second.stdout, second.stderr
    );
    let balance = second.balance();
    balance.assert_adds_up();
    assert_eq!(balance.part("copied"), 0, "{}", second.stdout);
    Snapshot::of(to.0, to.1).assert_same_order(there);
}

/// `verify --level content`, which asks no journal, finds what the run told.
fn proven(job: &Job, done: &Run) {
    let path = job.path();
    let level = ["verify", "--level", "content", "--json"].map(std::ffi::OsStr::new);
    let told = mailhaul(&[&level[..], &[path.as_os_str()]].concat());
    let last = told.stdout.lines().last().expect("a summary");
    let last: serde_json::Value = serde_json::from_str(last).expect("JSON");
    let number = |key: &str| last[key].as_u64().expect("a number");
    let balance = done.balance();
    let absent = balance.total - balance.part("copied") - balance.part("altered");
    assert_eq!(number("equal"), balance.part("copied"), "{last}");
    assert_eq!(number("altered"), balance.part("altered"), "{last}");
    assert_eq!(number("missing"), absent, "{last}");
    let nothing = (number("changed"), number("extra"), number("doubled"));
    assert_eq!(nothing, (0, 0, 0), "{last}");
}

/// Dovecot to `server` and from there to Dovecot again; `user` is one of its users.
pub fn there_and_back(server: &Foreign, user: &str, rename: Naming, back: Naming) -> Moved {
    let old = fresh_user("foreign-old");
    let dovecot = mailbox(&old);
    let source = (dovecot.imap, &*old, End::imap(dovecot, &old));
    let to = (server.imap, user, server.imap_end(user));
    let moved_there = moved(source, to, rename, "");
    let new = fresh_user("foreign-new");
    let source = (server.imap, user, server.imap_end(user));
    let to = (dovecot.imap, &*new, End::imap(dovecot, &new));
    let moved_back = moved(source, to, back, "");
    // What it serves went back as it is.
    moved_back.done.exits(0);
    moved_there
}

/// The inbox of `server` by POP3, in the server's order, into Dovecot.
pub fn popped(server: &Foreign, user: &str) {
    let (dovecot, new) = (shared(), fresh_user("foreign-popped"));
    let job = Job::new("", &server.pop3_end(user), &End::imap(dovecot, &new), "");
    let done = run(&job).exits(0);
    let served = crate::support::pop3::retrieve(server.pop3, user);
    assert!(served.len() > 10, "{} messages", served.len());
    assert_eq!(
        done.balance().part("copied"),
        served.len() as u64,
        "{}",
        done.stdout
    );
    let there: Vec<String> = Imap::login(dovecot.imap, &new)
        .fetch("INBOX")
        .iter()
        .map(|mail| digest(&mail.bytes))
        .collect();
    let served: Vec<String> = served.iter().map(|mail| digest(mail)).collect();
    assert_eq!(there, served);
    let again = run(&job).exits(0);
    assert_eq!(again.balance().part("copied"), 0, "{}", again.stdout);
}

/// One message of each kind that servers treat differently, into the inbox of `user` there; the words of the outcome, by kind.
pub fn odd(server: &Foreign, user: &str) -> BTreeMap<&'static str, String> {
    let head =
        |name: &str| format!("From: a@example.org\r\nMessage-ID: <{name}@odd>\r\nSubject: {name}");
    let kinds: [(&'static str, Vec<u8>); 7] = [
        ("plain", format!("{}\r\n\r\nbody\r\n", head("plain")).into()),
        (
            "latin",
            [head("latin").as_bytes(), b" \xe9t\xe9\r\n\r\nbody\r\n"].concat(),
        ),
        (
            "nul",
            format!("{}\r\n\r\na \0 byte\r\n", head("nul")).into(),
        ),
        (
            "bare-cr",
            format!("{}\r\n\r\na \r return\r\n", head("bare-cr")).into(),
        ),
        (
            "no-end",
            format!("{}\r\n\r\nno line end", head("no-end")).into(),
        ),
        (
            "no-header",
            b"just words, and no header\r\n\r\nat all\r\n".to_vec(),
        ),
        (
            "long-line",
            format!("{}\r\n\r\n{}\r\n", head("long-line"), "x".repeat(20_000)).into(),
        ),
    ];
    let dir = tempfile::tempdir().expect("a directory");
    for (name, bytes) in &kinds {
        std::fs::write(dir.path().join(format!("{name}.eml")), bytes).expect("write");
    }
    let job = Job::new(
        "",
        &End::files("eml", dir.path()),
        &server.imap_end(user),
        "[folders]\nmap = [[\".*\", \"Odd\"]]",
    );
    let path = job.path();
    let done = mailhaul(&["run".as_ref(), "--json".as_ref(), path.as_os_str()]);
    assert!(
        matches!(done.code, Some(0 | 3)),
        "{}\n{}",
        done.stdout,
        done.stderr
    );
    let failed = ["status", "--failed", "--json"].map(std::ffi::OsStr::new);
    let told = mailhaul(&[&failed[..], &[path.as_os_str()]].concat());
    let outcome = |name: &&'static str| {
        let line = told
            .stdout
            .lines()
            .find(|line| line.contains(&format!("{name}.eml")));
        let word = |line: &str| {
            let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
            line["outcome"].as_str().unwrap_or("?").to_owned()
        };
        line.map_or_else(|| "copied".to_owned(), word)
    };
    let outcomes = kinds
        .iter()
        .map(|(name, _)| (*name, outcome(name)))
        .collect();
    tell(&format!("{outcomes:?}\n{}\n{}", done.stdout, told.stdout));
    outcomes
}
