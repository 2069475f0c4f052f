//! Made-up reports for the tests of this module.

use crate::message::Folder;
use crate::outcome::{AccountReport, Counts, FolderReport, Outcome, Trouble};
use crate::plan::{SourceFolder, Step, Target, Work};
use std::time::Duration;

pub(crate) fn counts(parts: &[(Outcome, u64)]) -> Counts {
    let mut counts = Counts::default();
    for &(outcome, n) in parts {
        counts.add(outcome, n);
    }
    counts
}

pub(crate) fn folder(name: &str, to: &str, parts: &[(Outcome, u64)]) -> FolderReport {
    let counts = counts(parts);
    FolderReport {
        folder: name.into(),
        to: to.into(),
        source_count: counts.total(),
        counts,
        flags_changed: 0,
        bytes: counts.of(Outcome::Copied) * 1024,
        read: Some("ab".repeat(32)),
        delivered: Some("ab".repeat(32)),
        error: None,
    }
}

pub(crate) fn report(folders: Vec<FolderReport>) -> AccountReport {
    AccountReport {
        account: "budi".into(),
        folders,
        trouble: Vec::new(),
        elapsed: Duration::from_secs(20),
        after: 0,
        vanished: 0,
        error: None,
        high_water: 4096,
    }
}

pub(crate) fn trouble(outcome: Outcome) -> Trouble {
    Trouble {
        folder: "INBOX".into(),
        key: "4711".into(),
        message_id: "<one@example.org>".into(),
        outcome,
        words: "NO [CANNOT]\x1b[31m no\x00".into(),
    }
}

pub(crate) fn step(name: &str, work: Work) -> Step {
    let folder = Folder::new(vec![name.to_owned()]).unwrap();
    Step {
        source: SourceFolder {
            source: 0,
            folder: folder.clone(),
            name: name.as_bytes().to_vec(),
            special_use: None,
            subscribed: false,
            uid_validity: 1,
            uid_next: None,
            messages: 3,
            highest_modseq: None,
        },
        target: Target {
            folder,
            name: name.as_bytes().to_vec(),
            standing: None,
            special_use: None,
            subscribe: true,
        },
        work,
    }
}
