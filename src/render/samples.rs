//! Made-up reports for the tests of this module.

use crate::archive::{Checked, Exported, Finding, Listed, Rebuilt, Refilled, Total, Wrong};
use crate::message::{Flags, Folder, InternalDate, Readable};
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
        spent: None,
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
            labelled: false,
        },
        target: Target {
            folder,
            name: name.as_bytes().to_vec(),
            standing: None,
            special_use: None,
            subscribe: true,
        },
        work,
        take: crate::plan::labels::Take::All,
    }
}

/// One finding of each kind.
pub(crate) fn checked() -> Checked {
    let finding = |wrong| Finding {
        wrong,
        folder: Some(Folder::inbox()),
        path: "mail/cur/1.x\x1b[2J".into(),
        number: Some(7),
        words: None,
    };
    Checked {
        findings: Wrong::ALL.map(finding).into(),
        folders: 1,
        messages: 1200,
        bytes: 2048,
    }
}

pub(crate) fn total() -> Total {
    Total {
        folder: Folder::inbox(),
        messages: 1200,
        bytes: 2048,
    }
}

pub(crate) fn listed() -> Listed {
    Listed {
        folder: Folder::inbox(),
        number: 12,
        date: Some(InternalDate {
            epoch: 0,
            offset_minutes: 90,
        }),
        from: "Budi \x1b[2J".into(),
        subject: "the rent\u{202e}".into(),
        message_id: None,
        flags: Flags::from_text("\\Seen Work"),
        bytes: 10,
        missing: false,
    }
}

pub(crate) fn readable() -> Readable {
    Readable::new(
        b"X-Odd: \x1b[1m\r\nSubject: a\r\nFrom: b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
          --b\r\n\r\none\ttwo\x07\r\n\xe2\x80\xaelast\r\n--b\r\nContent-Type: image/png\r\n\r\nabc\r\n--b--\r\n",
    )
}

pub(crate) fn rebuilt() -> Rebuilt {
    Rebuilt {
        folders: 2,
        messages: 39,
        left_out: vec![("mail/cur/1.x".into(), "changed".into())],
        without_source: 3,
        refilled: vec![Refilled {
            folder: Folder::inbox(),
            messages: 3,
            new: true,
        }],
        old: Some("a/journal.db.before-rebuild-1".into()),
    }
}

pub(crate) fn exported() -> Exported {
    Exported {
        folders: vec![(Folder::inbox(), 2)],
        bytes: 2048,
        failed: vec![("mail/cur/1.x".into(), "missing".into())],
    }
}
