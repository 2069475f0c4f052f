//! What a job leaves out, and where it puts the rest; a second run neither delivers nor downloads again.

use super::{assert_nothing_left, run};
use crate::support::canonical::digest;
use crate::support::{
    Corpus, Dovecot, End, Imap, Job, Mail, Snapshot, fresh_user, maildir, popped, shared,
};
use chrono::{DateTime, Datelike};
use regex::Regex;
use std::collections::BTreeMap;
use std::time::Duration;

fn mails(name: &str, count: usize) -> Vec<Mail> {
    let mut corpus = Corpus::new(name, 63);
    corpus.flags = false;
    corpus.mails(count)
}

/// How many whole messages the server gave this user so far, as its log has it.
fn given(server: &Dovecot, user: &str) -> u64 {
    // The line is written when a session has ended, which the client does not wait for.
    std::thread::sleep(Duration::from_millis(300));
    let counts = Regex::new(r"(?:body_count|retr)=(\d+)").expect("a pattern");
    let log = server.log();
    let of_user = log
        .lines()
        .filter(|line| line.contains(&format!("({user})<")));
    of_user
        .filter_map(|line| counts.captures(line)?[1].parse::<u64>().ok())
        .sum()
}

/// The run after a finished one: nothing is copied, and nothing downloaded.
#[track_caller]
fn assert_idle(job: &Job, old: &str) {
    let before = given(shared(), old);
    assert!(before > 0, "the log does not tell what was given");
    assert_nothing_left(job);
    assert_eq!(given(shared(), old), before, "downloaded again");
}

fn year(mail: &Mail) -> i32 {
    DateTime::from_timestamp(mail.date, 0)
        .expect("a date")
        .year()
}

/// Folders and what should be in them.
fn expected(mails: &[Mail], folder: impl Fn(&Mail) -> Option<String>) -> Snapshot {
    let mut folders: BTreeMap<String, Vec<Mail>> = BTreeMap::new();
    for mail in mails {
        if let Some(folder) = folder(mail) {
            folders.entry(folder).or_default().push(mail.clone());
        }
    }
    let all = folders
        .iter()
        .flat_map(|(name, mails)| Snapshot::one(name, mails).0);
    Snapshot(all.collect())
}

#[test]
fn dates_and_sizes() {
    let filter = "[filter]\nsince = 2014-01-01\nbefore = 2020-01-01\nmax-size = \"4 KB\"\n";
    let passes = |mail: &Mail| {
        let fits = (2014..2020).contains(&year(mail)) && mail.bytes.len() <= 4_000;
        fits.then(|| "INBOX".to_owned())
    };
    for protocol in ["imap", "pop3"] {
        let server = shared();
        let (old, new) = (fresh_user("filter"), fresh_user("filter-new"));
        let mails = mails(&old, 80);
        maildir::fill(server, &old, &mails);
        let source = match protocol {
            "imap" => End::imap(server, &old),
            _ => End::pop3(server, &old),
        };
        let job = Job::new("", &source, &End::imap(server, &new), filter);
        let done = run(&job).exits(0);
        done.balance().assert_adds_up();
        assert_eq!(done.balance().total, 80, "{protocol}");
        let mails = if protocol == "pop3" {
            popped(&mails)
        } else {
            mails
        };
        let want = expected(&mails, passes);
        assert!((5..60).contains(&want.total()), "{} pass", want.total());
        Snapshot::of(server.imap, &new)
            .without_empty()
            .assert_same(&want);
        assert_idle(&job, &old);
    }
}

const ROUTES: &str = "[[route]]\nfrom = \"WRITER3@*\"\nfolder = \"Writers/Three\"\n\
    [[route]]\nyear = 2012\nfolder = \"Old\"\n\
    [[route]]\nto = \"budi@example.org\"\nfrom = \"writer1?@example.net\"\nfolder = \"Mail/{year}\"\n";

#[test]
fn routes() {
    let server = shared();
    let (old, new) = (fresh_user("route"), fresh_user("route-new"));
    let mails = mails(&old, 90);
    maildir::fill(server, &old, &mails);
    let job = Job::new(
        "",
        &End::pop3(server, &old),
        &End::imap(server, &new),
        ROUTES,
    );
    run(&job).exits(0).balance().assert_adds_up();
    let writer = Regex::new(r"From: Writer (\d+) ").expect("a pattern");
    let folder = |mail: &Mail| {
        let head = String::from_utf8_lossy(&mail.bytes);
        let writer: u32 = writer.captures(&head).expect("a writer")[1]
            .parse()
            .expect("a number");
        Some(match (writer, year(mail)) {
            (3, _) => "Writers/Three".to_owned(),
            (_, 2012) => "Old".to_owned(),
            (10.., year) => format!("Mail/{year}"),
            _ => "INBOX".to_owned(),
        })
    };
    let want = expected(&popped(&mails), folder);
    assert!(want.0.len() > 6, "{:?}", want.0.keys());
    Snapshot::of(server.imap, &new)
        .without_empty()
        .assert_same(&want);
    assert_idle(&job, &old);
}

#[test]
fn mail_marked_as_deleted() {
    let server = shared();
    for (word, arrive) in [("skip", 17), ("copy", 20)] {
        let (old, new) = (fresh_user("deleted"), fresh_user("deleted-new"));
        let mails = mails(&old, 20);
        let mut imap = Imap::login(server.imap, &old);
        imap.append("INBOX", &mails);
        imap.store("INBOX", "4:6", "+FLAGS", "\\Deleted");
        let source = End::imap(server, &old).line(&format!("deleted = \"{word}\""));
        let job = Job::new("", &source, &End::imap(server, &new), "");
        let done = run(&job).exits(0);
        done.balance().assert_adds_up();
        assert_eq!(done.balance().part("copied"), arrive, "{word}");
        let there = Snapshot::of(server.imap, &new).digests();
        let marked = mails[3..6]
            .iter()
            .filter(|m| there.contains_key(&digest(&m.bytes)));
        assert_eq!(marked.count(), arrive as usize - 17, "{word}");
        assert_idle(&job, &old);
    }
}

#[test]
fn pop3_mail_that_counts_as_read() {
    let server = shared();
    for seen in [true, false] {
        let (old, new) = (fresh_user("seen"), fresh_user("seen-new"));
        maildir::fill(server, &old, &mails(&old, 12));
        let source = End::pop3(server, &old).line(&format!("seen = {seen}"));
        let job = Job::new("", &source, &End::imap(server, &new), "");
        run(&job).exits(0);
        let there = Snapshot::of(server.imap, &new);
        assert_eq!(there.total(), 12);
        for entry in there.0.values().flatten() {
            assert_eq!(
                entry.flags.iter().any(|f| f.eq_ignore_ascii_case("\\Seen")),
                seen,
                "{entry:?}"
            );
        }
        assert_idle(&job, &old);
    }
}

const FOLDERS: &str = "[folders]\ninclude = [\"INBOX\", \"Work/*\", \"Old/*\"]\nexclude = [\"*/Secret\"]\n\
    map = [[\"Old/(.*)\", \"Archive/$1\"], [\"Work/(\\\\d+)\", \"Years/$1\"]]\n";

#[test]
fn folders_taken_left_and_renamed() {
    let server = shared();
    let (old, new) = (fresh_user("folders"), fresh_user("folders-new"));
    let mut imap = Imap::login(server.imap, &old);
    let all = [
        "INBOX",
        "Work/2019",
        "Work/Plans",
        "Work/Secret",
        "Old/a/b",
        "Junk mail",
    ];
    for name in all {
        if name != "INBOX" {
            imap.create(name);
        }
        imap.append(name, &mails(&format!("{old}-{name}"), 6));
    }
    let job = Job::new(
        "",
        &End::imap(server, &old),
        &End::imap(server, &new),
        FOLDERS,
    );
    let done = run(&job).exits(0);
    assert_eq!(done.balance().part("copied"), 24);
    let mut want = Snapshot::of(server.imap, &old).without_empty();
    want.0
        .retain(|name, _| name != "Work/Secret" && name != "Junk mail");
    let want = want.renamed(|name| match name {
        "Work/2019" => "Years/2019".to_owned(),
        "Old/a/b" => "Archive/a/b".to_owned(),
        other => other.to_owned(),
    });
    Snapshot::of(server.imap, &new)
        .without_empty()
        .assert_same(&want);
    assert_idle(&job, &old);
}
