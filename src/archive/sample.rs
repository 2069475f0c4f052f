//! A small archive for the tests of this module.

use super::{Archive, Keep, Place};
use crate::job::{ArchiveSpec, Layout, MailFormat, OnVanish};
use crate::journal::source_text;
use crate::message::{Flags, Folder, InternalDate, SourceKey};
use crate::spool::{Body, Budget};
use std::path::{Path, PathBuf};

pub(super) const SOURCE: &str = "imap://budi@old.example";
const DAY: i64 = 86_400;

/// An archive in a directory that is gone with this value: 30 messages in INBOX, 10 in `Work/Grüße`, UIDVALIDITY 7 at the source.
pub(super) struct Sample {
    dir: tempfile::TempDir,
    pub(super) places: Vec<Place>,
}

impl Sample {
    pub(super) fn new() -> Self {
        Sample::of(MailFormat::Maildir)
    }

    pub(super) fn of(format: MailFormat) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut archive = Archive::open(&spec(&dir.path().join("a"), format)).unwrap();
        let mut places = Vec::new();
        for (folder, from, to) in [(inbox(), 0, 30), (work(), 30, 40)] {
            for n in from..to {
                places.push(keep(&mut archive, &folder, n));
            }
        }
        Sample { dir, places }
    }

    pub(super) fn root(&self) -> PathBuf {
        self.dir.path().join("a")
    }

    /// A path beside the archive.
    pub(super) fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn file(&self, at: usize) -> PathBuf {
        self.root().join(&self.places[at].path)
    }

    pub(super) fn sidecar(&self, name: &str) -> PathBuf {
        self.root().join("sidecar").join(name)
    }

    pub(super) fn open(&self) -> Archive {
        Archive::open(&spec(&self.root(), MailFormat::Maildir)).unwrap()
    }
}

fn spec(path: &Path, format: MailFormat) -> ArchiveSpec {
    ArchiveSpec {
        path: path.to_owned(),
        keep_mail: true,
        format,
        layout: Layout::default(),
        on_vanish: OnVanish::Keep,
        grace_days: 0,
        accept_deletions: None,
    }
}

pub(super) fn inbox() -> Folder {
    Folder::inbox()
}

pub(super) fn work() -> Folder {
    Folder::parse("Work/Grüße").unwrap()
}

/// Message number `n`, CRLF; every third without a final line end, one with a bare CR before a CRLF.
pub(super) fn raw(n: u32) -> Vec<u8> {
    let end = if n.is_multiple_of(3) { "" } else { "\r\n" };
    let odd = if n == 5 { "\r\r\n" } else { "" };
    format!(
        "Message-ID: <{n}@example.org>\r\nFrom: =?utf-8?q?J=C3=B6rg?= <j{n}@example.org>\r\n\
         Subject: number {n}\r\n\r\nFrom here on{odd}\r\n{}{end}",
        "text ".repeat(40)
    )
    .into_bytes()
}

pub(super) fn flags(n: u32) -> Flags {
    Flags::from_text(["", "\\Seen", "\\Flagged Work"][n as usize % 3])
}

pub(super) fn date(n: u32) -> InternalDate {
    InternalDate {
        epoch: i64::from(n) * DAY + 1,
        offset_minutes: 60,
    }
}

pub(super) fn body(raw: &[u8]) -> Body {
    let mut writer = Budget::new(1 << 20).body(raw.len() as u64).unwrap();
    writer.push(raw).unwrap();
    writer.finish().unwrap()
}

pub(super) fn source(folder: &Folder, n: u32) -> String {
    let wire = folder.to_wire(Some(b'/'), b"");
    source_text(SOURCE, &wire, 7, &SourceKey::Uid(n))
}

pub(super) fn keep(archive: &mut Archive, folder: &Folder, n: u32) -> Place {
    let item = Keep {
        body: &body(&raw(n)),
        flags: &flags(n),
        date: Some(date(n)),
        source: &source(folder, n),
    };
    archive.store(folder, &[item]).unwrap().remove(0)
}

/// Puts other bytes into a file that is there.
pub(super) fn overwrite(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path).unwrap();
    change(&mut bytes);
    crate::fs::persist(path, |file| std::io::Write::write_all(file, &bytes)).unwrap();
}
