//! Thousands of real and malformed messages: each gets an outcome, and what is called copied is there, byte for byte.

use super::backup::{FORMATS, archive, backup, format};
use super::{assert_nothing_left, run};
use crate::support::canonical::digest;
use crate::support::job::ARCHIVE;
use crate::support::{
    Dovecot, End, Imap, Job, Run, Snapshot, fresh_user, maildir, mailhaul, pop3, real, shared,
};
use std::collections::BTreeMap;
use std::path::Path;

#[test]
fn real_mail_from_pop3() {
    let Some(mails) = real::messages() else {
        return;
    };
    let server = shared();
    let (old, new) = (fresh_user("real-pop"), fresh_user("real-pop-new"));
    maildir::fill(server, &old, &mails);
    let job = Job::new(
        "",
        &End::pop3(server, &old),
        &End::imap(server, &new),
        ARCHIVE,
    );
    let served: Vec<String> = pop3::retrieve(server.pop3, &old)
        .iter()
        .map(|m| digest(m))
        .collect();
    assert_eq!(served.len(), mails.len());
    let done = run(&job);
    all_accounted_for(server, &done, &served, &new);
    resumes_without_doubling(server, &job, &new);
    verify_tells_the_same(&job, &done);
}

#[test]
fn real_mail_from_imap() {
    let Some(mails) = real::messages() else {
        return;
    };
    let server = shared();
    let (old, new) = (fresh_user("real-imap"), fresh_user("real-imap-new"));
    maildir::fill(server, &old, &mails);
    let job = Job::new("", &End::imap(server, &old), &End::imap(server, &new), "");
    // What the server serves counts: Dovecot shows a NUL as another byte.
    let served: Vec<String> = Imap::login(server.imap, &old)
        .fetch("INBOX")
        .iter()
        .map(|m| digest(&m.bytes))
        .collect();
    assert_eq!(served.len(), mails.len());
    let done = run(&job);
    all_accounted_for(server, &done, &served, &new);
    resumes_without_doubling(server, &job, &new);
    verify_tells_the_same(&job, &done);
}

#[test]
fn real_mail_through_an_archive() {
    let Some(mails) = real::messages() else {
        return;
    };
    let server = shared();
    let old = fresh_user("real-archive");
    maildir::fill(server, &old, &mails);
    let served: Vec<String> = Imap::login(server.imap, &old)
        .fetch("INBOX")
        .iter()
        .map(|m| digest(&m.bytes))
        .collect();
    for kind in FORMATS {
        let saved = backup(&End::imap(server, &old), &format(kind));
        let done = run(&saved).exits(0);
        let balance = done.balance();
        assert_eq!(balance.part("copied"), served.len() as u64, "{balance:?}");
        if kind == "maildir" {
            let kept = kept(&archive(&saved).join("mail/cur"));
            assert_eq!(missing(&kept, &served), [""; 0]);
        }
        verify_tells_the_same(&saved, &done);
        assert_nothing_left(&saved);
        let new = fresh_user("real-restored");
        let source = End::files("archive", &archive(&saved));
        let back = Job::new("", &source, &End::imap(server, &new), "");
        let done = run(&back);
        all_accounted_for(server, &done, &served, &new);
        resumes_without_doubling(server, &back, &new);
        verify_tells_the_same(&back, &done);
    }
}

/// The digests of all files of a directory.
fn kept(dir: &Path) -> BTreeMap<String, usize> {
    let mut kept = BTreeMap::new();
    for entry in std::fs::read_dir(dir).expect("cur") {
        let bytes = std::fs::read(entry.expect("an entry").path()).expect("read");
        *kept.entry(digest(&bytes)).or_insert(0) += 1;
    }
    kept
}

fn all_accounted_for(server: &Dovecot, done: &Run, mails: &[String], new: &str) {
    // 3: Dovecot refuses the empty ones.
    assert!(
        matches!(done.code, Some(0 | 3)),
        "{:?}\n{}\n{}",
        done.code,
        done.stdout,
        done.stderr
    );
    let balance = done.balance();
    balance.assert_adds_up();
    assert_eq!(balance.total, mails.len() as u64);
    println!("real mail: {balance:?}");
    let there = Snapshot::of(server.imap, new);
    let missing = missing(&there.digests(), mails);
    let whole = balance.part("copied") + balance.part("already there");
    let stored = whole + balance.part("altered");
    assert_eq!(
        there.total() as u64,
        stored,
        "messages at the destination: {balance:?}"
    );
    let untold = missing.len() as u64 - (balance.total - whole);
    assert_eq!(
        untold, 0,
        "altered or missing without a word: {missing:?}\n{balance:?}"
    );
}

/// What the run called altered and not copied is what `verify`, which asks no journal, finds.
fn verify_tells_the_same(job: &Job, done: &Run) {
    let path = job.path();
    let told = mailhaul(&["verify".as_ref(), "--json".as_ref(), path.as_os_str()]);
    let last = told.stdout.lines().last().expect("a summary");
    let last: serde_json::Value = serde_json::from_str(last).expect("JSON");
    let balance = done.balance();
    let number = |key: &str| last[key].as_u64().expect("a number");
    println!("verify: {last}");
    assert_eq!(number("altered"), balance.part("altered"), "{last}");
    let whole = balance.part("copied") + balance.part("already there");
    assert_eq!(number("equal"), whole, "{last}");
    assert_eq!(number("missing"), balance.total - whole - number("altered"));
    assert_eq!(
        (number("changed"), number("extra"), number("doubled")),
        (0, 0, 0)
    );
    let differs = number("altered") + number("missing") > 0;
    assert_eq!(told.code, Some(if differs { 4 } else { 0 }));
}

/// The digests that are not at the destination as often as in `mails`.
fn missing(there: &BTreeMap<String, usize>, mails: &[String]) -> Vec<String> {
    let mut there = there.clone();
    let digests = mails.iter().cloned();
    digests
        .filter(|d| match there.get_mut(d) {
            Some(n) if *n > 0 => {
                *n -= 1;
                false
            }
            _ => true,
        })
        .collect()
}

fn resumes_without_doubling(server: &Dovecot, job: &Job, new: &str) {
    let before = Snapshot::of(server.imap, new);
    let again = run(job);
    assert!(
        matches!(again.code, Some(0 | 3)),
        "{:?}\n{}",
        again.code,
        again.stderr
    );
    again.balance().assert_adds_up();
    Snapshot::of(server.imap, new).assert_same_order(&before);
    if again.code == Some(0) {
        assert_nothing_left(job);
    }
}
