//! What stands in `sample-jobs/`: every job is one that mailhaul takes, and the sample mailbox is what the demo says.

use crate::support::canonical::{canonical, digest, message_id};
use crate::support::root;
use std::collections::BTreeMap;
use std::path::PathBuf;

fn files(dir: &str, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join(dir)).expect(dir);
    let mut paths: Vec<PathBuf> = entries.map(|e| e.expect("an entry").path()).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == extension));
    paths.sort();
    paths
}

#[test]
fn every_sample_job_is_valid() {
    let jobs = files("sample-jobs", "toml");
    assert!(!jobs.is_empty(), "no sample jobs");
    for job in jobs {
        if let Err(e) = mailhaul::job::Job::load(&job, &[]) {
            panic!("{}: {e:?}", job.display());
        }
    }
}

#[test]
fn the_sample_mailbox_holds_what_it_should() {
    let mails: Vec<Vec<u8>> = files("sample-jobs/mailbox", "eml")
        .iter()
        .map(|p| std::fs::read(p).expect("read"))
        .collect();
    assert_eq!(mails.len(), 48);
    let no_id = mails.iter().filter(|m| message_id(m).is_none()).count();
    assert_eq!(no_id, 2);
    let mut copies = BTreeMap::new();
    for mail in &mails {
        *copies.entry((message_id(mail), digest(mail))).or_insert(0) += 1;
    }
    assert_eq!(copies.values().filter(|n| **n == 2).count(), 3);
    assert_eq!(copies.len(), 45);
    let long = |m: &[u8]| canonical(m).split(|b| *b == b'\n').any(|l| l.len() > 999);
    assert!(mails.iter().any(|m| long(m)), "no long line");
    assert!(
        mails.iter().any(|m| !m.ends_with(b"\n")),
        "all end with a line end"
    );
    assert!(
        mails.iter().any(|m| m.windows(2).any(|w| w == b"\n.")),
        "no dot at a line's start"
    );
    assert!(
        mails.iter().any(|m| std::str::from_utf8(m).is_err()),
        "no bytes but UTF-8"
    );
}
