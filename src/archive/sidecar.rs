//! A folder's sidecar: append-only lines, each `CHECKSUM JSON`, LF at the end.
//!
//! The checksum is the first 16 hex digits of the JSON's BLAKE3. The first line names the folder; every other one a message, a
//! change of its flags, or its end. Bad lines at the end are a write that was cut short, and are cut off; a bad line between good
//! ones is damage, counted and passed over. Lines are numbered from 0, bad ones too: the number of a message's line is its UID.

use super::Keep;
use super::rack::Put;
use crate::error::{Error, Result};
use crate::failpoint;
use crate::format::maildir::base_name;
use crate::format::mbox::Record;
use crate::fs;
use crate::message::{Digest, InternalDate};
use crate::net::Flow;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const CHECKSUM: usize = 16;
/// Lines are a few hundred bytes; what is longer is no line of ours.
const LONGEST: u64 = 1 << 20;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Line {
    /// `dir` is where its Maildir or mbox is under `mail/`. Another sidecar of the same folder has another `uid_validity`; those of before there
    /// was one all have 1.
    Folder {
        version: u32,
        name: String,
        dir: String,
        #[serde(default = "first_validity")]
        uid_validity: u32,
        #[serde(default)]
        format: Format,
    },
    Message(Entry),
    /// `file` is the name without its flags.
    Flags {
        file: String,
        flags: String,
    },
    /// The mbox was so long, in bytes, when a batch of so many messages began. What becomes of it is told by the lines behind.
    Growing {
        length: u64,
        messages: usize,
    },
    /// A message of the batch, and where it is to be; `from` is its From_ line. It counts once it has a line of its own.
    Coming {
        from: String,
        entry: Entry,
    },
    /// The torn tail that was there went into this file beside the mbox.
    Torn {
        aside: String,
    },
    /// The message is none any more: taken out on purpose. `at` in unix seconds.
    Gone {
        file: String,
        at: i64,
        why: String,
    },
    /// The files of what is gone by now are taken away.
    Removed {},
}

/// How a folder's mail is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Format {
    #[default]
    Maildir,
    Mbox,
}

fn first_validity() -> u32 {
    1
}

/// A line and where it stands.
pub(super) struct Numbered {
    /// From 0.
    pub(super) number: u32,
    /// Of its first byte.
    pub(super) offset: u64,
    pub(super) line: Line,
}

/// A message that is in `mail/`, or about to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// What names it at its source.
    pub(super) source: String,
    /// Its name in `cur/` when it was stored; in an mbox, its offset.
    pub(super) file: String,
    /// Its place in an mbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) part: Option<Record>,
    /// 64 hex digits each.
    pub(super) digest: String,
    pub(super) loose: String,
    /// INTERNALDATE, unix seconds, and its zone in minutes east.
    pub(super) date: Option<(i64, i16)>,
    pub(super) flags: String,
    /// Bytes in canonical form; 0 in lines of before it stood there.
    #[serde(default)]
    pub(super) size: u64,
}

impl Entry {
    pub(super) fn new(item: &Keep<'_>, put: &Put) -> Self {
        let digests = item.body.digests();
        Entry {
            source: item.source.to_owned(),
            file: put.file.clone(),
            part: put.part,
            digest: digests.exact.to_string(),
            loose: digests.loose.to_string(),
            date: item.date.map(|d| (d.epoch, d.offset_minutes)),
            flags: item.flags.to_text(),
            size: item.body.size(),
        }
    }

    /// The file's name without its flags, which change.
    pub(super) fn base(&self) -> &str {
        base_name(&self.file)
    }

    pub(super) fn exact(&self) -> Option<Digest> {
        blake3::Hash::from_hex(&self.digest)
            .ok()
            .map(|hash| Digest(*hash.as_bytes()))
    }

    pub(super) fn internal_date(&self) -> Option<InternalDate> {
        self.date.map(|(epoch, offset_minutes)| InternalDate {
            epoch,
            offset_minutes,
        })
    }
}

#[derive(Debug)]
pub(super) struct Sidecar {
    path: PathBuf,
}

impl Sidecar {
    pub(super) fn new(path: PathBuf) -> Self {
        Sidecar { path }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn exists(&self) -> bool {
        std::fs::symlink_metadata(&self.path).is_ok()
    }

    /// Adds lines, durable when it returns; gives the length of each in bytes.
    pub(super) fn append(&self, lines: &[Line]) -> Result<Vec<u64>> {
        let (mut bytes, mut lengths) = (Vec::new(), Vec::with_capacity(lines.len()));
        for line in lines {
            let before = bytes.len();
            write_line(line, &mut bytes).map_err(|e| self.broken("write", &e))?;
            lengths.push((bytes.len() - before) as u64);
        }
        let new = !self.exists();
        let mut file = fs::open_or_create(&self.path)?;
        let torn = failpoint::strikes("sidecar: half written");
        let end = if torn { bytes.len() / 2 } else { bytes.len() };
        file.seek(SeekFrom::End(0))
            .and_then(|_| file.write_all(&bytes[..end]))
            .map_err(|e| self.broken("write", &e))?;
        if torn {
            failpoint::die();
        }
        failpoint::pass("sidecar: written");
        file.sync_data().map_err(|e| self.broken("write", &e))?;
        failpoint::pass("sidecar: durable");
        if let Some(dir) = self.path.parent().filter(|_| new) {
            fs::sync_dir(dir)?;
        }
        Ok(lengths)
    }

    /// Gives every good line to `take`; then cuts off what a write cut short left at the end.
    pub(super) fn recover(&self, take: impl FnMut(Numbered)) -> Result<Scan> {
        let scan = self.read(take)?;
        if scan.end < scan.length {
            let file = fs::open_or_create(&self.path)?;
            file.set_len(scan.end)
                .and_then(|()| file.sync_all())
                .map_err(|e| self.broken("cut", &e))?;
        }
        Ok(scan)
    }

    /// Gives every good line to `take` and changes nothing.
    pub(super) fn read(&self, mut take: impl FnMut(Numbered)) -> Result<Scan> {
        self.read_from((0, 0), |numbered| {
            take(numbered);
            Ok(Flow::Continue)
        })
    }

    /// The numbers of the lines that cannot be read, those of a write cut short at the end too.
    pub(super) fn bad_lines(&self) -> Result<Vec<u32>> {
        let mut reader = BufReader::with_capacity(1 << 16, fs::open(&self.path)?);
        let (mut bytes, mut number, mut bad) = (Vec::new(), 0, Vec::new());
        loop {
            bytes.clear();
            let read = (&mut reader)
                .take(LONGEST)
                .read_until(b'\n', &mut bytes)
                .map_err(|e| self.broken("read", &e))?;
            if read == 0 {
                return Ok(bad);
            }
            if parse_line(&bytes).is_none() {
                bad.push(number);
            }
            number += 1;
        }
    }

    /// The line at an offset that [`Sidecar::recover`] gave.
    pub(super) fn line_at(&self, offset: u64) -> Result<Option<Line>> {
        let mut file = fs::open(&self.path)?;
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(offset))
            .and_then(|_| {
                BufReader::new(file)
                    .take(LONGEST)
                    .read_until(b'\n', &mut bytes)
            })
            .map_err(|e| self.broken("read", &e))?;
        Ok(parse_line(&bytes))
    }

    pub(super) fn length(&self) -> Result<u64> {
        let meta = std::fs::symlink_metadata(&self.path);
        Ok(meta.map_err(|e| self.broken("look at", &e))?.len())
    }

    /// As [`Sidecar::read`], from the line with this number and offset on, until `take` says otherwise.
    pub(super) fn read_from(
        &self,
        (mut number, offset): (u32, u64),
        mut take: impl FnMut(Numbered) -> Result<Flow>,
    ) -> Result<Scan> {
        let mut file = fs::open(&self.path)?;
        file.seek(SeekFrom::Start(offset))
            .map_err(|e| self.broken("read", &e))?;
        let mut reader = BufReader::with_capacity(1 << 16, file);
        let mut scan = Scan {
            length: offset,
            ..Scan::default()
        };
        let (mut bytes, mut bad) = (Vec::new(), 0);
        loop {
            bytes.clear();
            let read = (&mut reader)
                .take(LONGEST)
                .read_until(b'\n', &mut bytes)
                .map_err(|e| self.broken("read", &e))?;
            if read == 0 {
                return Ok(scan);
            }
            let offset = scan.length;
            scan.length += bytes.len() as u64;
            number += 1;
            let Some(line) = parse_line(&bytes) else {
                bad += 1;
                continue;
            };
            scan.end = scan.length;
            scan.lines = number;
            scan.bad_between += std::mem::take(&mut bad);
            let numbered = Numbered {
                number: number - 1,
                offset,
                line,
            };
            if take(numbered)? == Flow::Stop {
                return Ok(scan);
            }
        }
    }

    fn broken(&self, doing: &str, e: &std::io::Error) -> Error {
        Error::disk(doing, &self.path, e)
    }
}

/// What a sidecar was when it was read.
#[derive(Debug, Default)]
pub(super) struct Scan {
    length: u64,
    /// Where the last good line ends.
    pub(super) end: u64,
    /// As many as there are up to it, bad ones too: the number of the next.
    pub(super) lines: u32,
    pub(super) bad_between: u64,
}

fn write_line(line: &Line, to: &mut Vec<u8>) -> std::io::Result<()> {
    let json = serde_json::to_vec(line)?;
    to.extend_from_slice(checksum(&json).as_bytes());
    to.push(b' ');
    to.extend_from_slice(&json);
    to.push(b'\n');
    Ok(())
}

fn parse_line(line: &[u8]) -> Option<Line> {
    let (sum, rest) = line.strip_suffix(b"\n")?.split_at_checked(CHECKSUM)?;
    let json = rest.strip_prefix(b" ")?;
    if checksum(json).as_bytes() != sum {
        return None;
    }
    serde_json::from_slice(json).ok()
}

fn checksum(json: &[u8]) -> String {
    blake3::hash(json).to_hex()[..CHECKSUM].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(n: u32) -> Line {
        Line::Flags {
            file: format!("file {n}\n\u{202e}"),
            flags: "\\Seen".into(),
        }
    }

    fn lines(sidecar: &Sidecar) -> (Vec<Line>, u64) {
        let mut lines = Vec::new();
        let scan = sidecar.recover(|found| lines.push(found.line)).unwrap();
        (lines, scan.bad_between)
    }

    #[test]
    fn a_write_cut_short_anywhere_is_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let sidecar = Sidecar::new(dir.path().join("a.jsonl"));
        sidecar.append(&[line(1)]).unwrap();
        let kept = sidecar.length().unwrap();
        sidecar.append(&[line(2)]).unwrap();
        let whole = std::fs::read(sidecar.path()).unwrap();
        for cut in usize::try_from(kept).unwrap()..whole.len() {
            fs::persist(sidecar.path(), |f| f.write_all(&whole[..cut])).unwrap();
            assert_eq!(lines(&sidecar), (vec![line(1)], 0));
            assert_eq!(sidecar.length().unwrap(), kept);
        }
        sidecar.append(&[line(3)]).unwrap();
        assert_eq!(lines(&sidecar), (vec![line(1), line(3)], 0));
    }

    #[test]
    fn damage_between_good_lines_is_counted_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let sidecar = Sidecar::new(dir.path().join("a.jsonl"));
        sidecar.append(&[line(1), line(2), line(3)]).unwrap();
        let mut whole = std::fs::read(sidecar.path()).unwrap();
        let middle = whole.len() / 2;
        whole[middle] ^= 1;
        fs::persist(sidecar.path(), |f| f.write_all(&whole)).unwrap();
        assert_eq!(lines(&sidecar), (vec![line(1), line(3)], 1));
        assert_eq!(std::fs::read(sidecar.path()).unwrap(), whole);
    }
}
