//! Files of lines that cannot be half believed: append-only, each line `CHECKSUM JSON`, LF at the end.
//!
//! The checksum is the first 16 hex digits of the JSON's BLAKE3. Bad lines at the end are a write that was cut short, and are cut off; a bad
//! line between good ones is damage, counted and passed over. Lines are numbered from 0, bad ones too.

use crate::error::{Error, Result};
use crate::failpoint;
use crate::fs;
use crate::net::Flow;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

const CHECKSUM: usize = 16;
/// Lines are a few hundred bytes; what is longer is no line of ours.
const LONGEST: u64 = 1 << 20;

/// A file of lines of one type.
#[derive(Debug)]
pub struct Sidecar<L> {
    path: PathBuf,
    lines: PhantomData<L>,
}

impl<L: Serialize + DeserializeOwned> Sidecar<L> {
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Sidecar {
            path,
            lines: PhantomData,
        }
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    #[must_use]
    pub fn exists(&self) -> bool {
        std::fs::symlink_metadata(&self.path).is_ok()
    }

    /// Adds lines, durable when it returns; gives the length of each in bytes.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn append(&self, lines: &[L]) -> Result<Vec<u64>> {
        let new = !self.exists();
        let (bytes, lengths) = self.encode(lines)?;
        let file = self.add(&bytes)?;
        failpoint::pass("sidecar: written");
        file.sync_data().map_err(|e| self.broken("write", &e))?;
        failpoint::pass("sidecar: durable");
        if let Some(dir) = self.path.parent().filter(|_| new) {
            fs::sync_dir(dir)?;
        }
        Ok(lengths)
    }

    /// Adds a line that may be lost: it saves work, and nothing depends on it.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn note(&self, line: &L) -> Result<()> {
        let (bytes, _) = self.encode(std::slice::from_ref(line))?;
        self.add(&bytes).map(drop)
    }

    fn add(&self, bytes: &[u8]) -> Result<std::fs::File> {
        let mut file = fs::open_or_create(&self.path)?;
        let torn = failpoint::strikes("sidecar: half written");
        let end = if torn { bytes.len() / 2 } else { bytes.len() };
        file.seek(SeekFrom::End(0))
            .and_then(|_| file.write_all(&bytes[..end]))
            .map_err(|e| self.broken("write", &e))?;
        if torn {
            failpoint::die();
        }
        Ok(file)
    }

    /// Puts these lines in the place of all that stood there, whole or not at all, durably.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn replace(&self, lines: &[L]) -> Result<()> {
        let (bytes, _) = self.encode(lines)?;
        fs::persist(&self.path, |file| file.write_all(&bytes))
    }

    fn encode(&self, lines: &[L]) -> Result<(Vec<u8>, Vec<u64>)> {
        let (mut bytes, mut lengths) = (Vec::new(), Vec::with_capacity(lines.len()));
        for line in lines {
            let before = bytes.len();
            write_line(line, &mut bytes).map_err(|e| self.broken("write", &e))?;
            lengths.push((bytes.len() - before) as u64);
        }
        Ok((bytes, lengths))
    }

    /// Gives every good line to `take`; then cuts off what a write cut short left at the end.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn recover(&self, take: impl FnMut(Numbered<L>)) -> Result<Scan> {
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
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn read(&self, mut take: impl FnMut(Numbered<L>)) -> Result<Scan> {
        self.read_from((0, 0), |numbered| {
            take(numbered);
            Ok(Flow::Continue)
        })
    }

    /// As [`Sidecar::read`], from the line with this number and offset on, until `take` says otherwise.
    ///
    /// # Errors
    /// `Code::Disk`, and those of `take`.
    pub fn read_from(
        &self,
        from: (u32, u64),
        mut take: impl FnMut(Numbered<L>) -> Result<Flow>,
    ) -> Result<Scan> {
        let mut scan = Scan {
            length: from.1,
            ..Scan::default()
        };
        let mut bad = 0;
        self.each(from, |number, offset, bytes| {
            scan.length = offset + bytes.len() as u64;
            let Some(line) = parse_line(bytes) else {
                bad += 1;
                return Ok(Flow::Continue);
            };
            scan.end = scan.length;
            scan.lines = number + 1;
            scan.bad_between += std::mem::take(&mut bad);
            take(Numbered {
                number,
                offset,
                line,
            })
        })?;
        Ok(scan)
    }

    /// The numbers of the lines that cannot be read, those of a write cut short at the end too.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn bad_lines(&self) -> Result<Vec<u32>> {
        let mut bad = Vec::new();
        self.each((0, 0), |number, _, bytes| {
            if parse_line::<L>(bytes).is_none() {
                bad.push(number);
            }
            Ok(Flow::Continue)
        })?;
        Ok(bad)
    }

    /// Gives each line, good or bad, with its number and offset.
    fn each(
        &self,
        (first, mut offset): (u32, u64),
        mut take: impl FnMut(u32, u64, &[u8]) -> Result<Flow>,
    ) -> Result<()> {
        let mut file = fs::open(&self.path)?;
        file.seek(SeekFrom::Start(offset))
            .map_err(|e| self.broken("read", &e))?;
        let mut reader = BufReader::with_capacity(1 << 16, file);
        let mut bytes = Vec::new();
        for number in first.. {
            bytes.clear();
            let read = (&mut reader)
                .take(LONGEST)
                .read_until(b'\n', &mut bytes)
                .map_err(|e| self.broken("read", &e))?;
            if read == 0 || take(number, offset, &bytes)? == Flow::Stop {
                break;
            }
            offset += bytes.len() as u64;
        }
        Ok(())
    }

    /// The line at an offset that a [`Numbered`] told; `None` where it cannot be read.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn line_at(&self, offset: u64) -> Result<Option<L>> {
        let mut found = None;
        self.each((0, offset), |_, _, bytes| {
            found = parse_line(bytes);
            Ok(Flow::Stop)
        })?;
        Ok(found)
    }

    /// In bytes.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn length(&self) -> Result<u64> {
        let meta = std::fs::symlink_metadata(&self.path);
        Ok(meta.map_err(|e| self.broken("look at", &e))?.len())
    }

    fn broken(&self, doing: &str, e: &std::io::Error) -> Error {
        Error::disk(doing, &self.path, e)
    }
}

/// A line and where it stands.
#[derive(Debug)]
pub struct Numbered<L> {
    /// From 0, bad ones counted too.
    pub number: u32,
    /// Of its first byte.
    pub offset: u64,
    pub line: L,
}

/// What a sidecar was when it was read.
#[derive(Debug, Default)]
pub struct Scan {
    length: u64,
    /// Where the last good line ends.
    pub end: u64,
    /// As many as there are up to it, bad ones too: the number of the next.
    pub lines: u32,
    pub bad_between: u64,
}

fn write_line<L: Serialize>(line: &L, to: &mut Vec<u8>) -> std::io::Result<()> {
    let json = serde_json::to_vec(line)?;
    to.extend_from_slice(checksum(&json).as_bytes());
    to.push(b' ');
    to.extend_from_slice(&json);
    to.push(b'\n');
    Ok(())
}

fn parse_line<L: DeserializeOwned>(line: &[u8]) -> Option<L> {
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

    fn lines(sidecar: &Sidecar<String>) -> (Vec<String>, u64) {
        let mut lines = Vec::new();
        let scan = sidecar.recover(|found| lines.push(found.line)).unwrap();
        (lines, scan.bad_between)
    }

    fn of(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn a_write_cut_short_anywhere_is_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let sidecar = Sidecar::new(dir.path().join("a.jsonl"));
        sidecar.append(&of(&["one\n\u{202e}"])).unwrap();
        let kept = std::fs::read(sidecar.path()).unwrap().len();
        sidecar.append(&of(&["two"])).unwrap();
        let whole = std::fs::read(sidecar.path()).unwrap();
        for cut in kept..whole.len() {
            fs::persist(sidecar.path(), |f| f.write_all(&whole[..cut])).unwrap();
            assert_eq!(lines(&sidecar), (of(&["one\n\u{202e}"]), 0));
            assert_eq!(std::fs::read(sidecar.path()).unwrap().len(), kept);
        }
        sidecar.note(&"three".to_owned()).unwrap();
        assert_eq!(lines(&sidecar).0, of(&["one\n\u{202e}", "three"]));
        sidecar.replace(&of(&["four"])).unwrap();
        assert_eq!(lines(&sidecar).0, of(&["four"]));
    }

    #[test]
    fn damage_between_good_lines_is_counted_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let sidecar = Sidecar::new(dir.path().join("a.jsonl"));
        sidecar.append(&of(&["one", "two", "three"])).unwrap();
        let mut whole = std::fs::read(sidecar.path()).unwrap();
        let middle = whole.len() / 2;
        whole[middle] ^= 1;
        fs::persist(sidecar.path(), |f| f.write_all(&whole)).unwrap();
        assert_eq!(lines(&sidecar), (of(&["one", "three"]), 1));
        assert_eq!(std::fs::read(sidecar.path()).unwrap(), whole);
    }
}
