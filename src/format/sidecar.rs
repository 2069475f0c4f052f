//! Files of lines that cannot be half believed: append-only, each line `CHECKSUM JSON`, LF at the end.
//!
//! The checksum is the first 16 hex digits of the JSON's BLAKE3. Bad lines at the end are a write that was cut short, and are cut off; a bad
//! line between good ones is damage, counted and passed over.

use crate::error::{Error, Result};
use crate::failpoint;
use crate::fs;
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

    /// Adds lines, durable when it returns.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn append(&self, lines: &[L]) -> Result<()> {
        let new = !self.exists();
        let file = self.add(lines)?;
        failpoint::pass("sidecar: written");
        file.sync_data().map_err(|e| self.broken("write", &e))?;
        failpoint::pass("sidecar: durable");
        match self.path.parent().filter(|_| new) {
            Some(dir) => fs::sync_dir(dir),
            None => Ok(()),
        }
    }

    /// Adds a line that may be lost: it saves work, and nothing depends on it.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn note(&self, line: &L) -> Result<()> {
        self.add(std::slice::from_ref(line)).map(drop)
    }

    fn add(&self, lines: &[L]) -> Result<std::fs::File> {
        let bytes = self.encode(lines)?;
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
        let bytes = self.encode(lines)?;
        fs::persist(&self.path, |file| file.write_all(&bytes))
    }

    fn encode(&self, lines: &[L]) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        for line in lines {
            write_line(line, &mut bytes).map_err(|e| self.broken("write", &e))?;
        }
        Ok(bytes)
    }

    /// Gives every good line to `take`; then cuts off what a write cut short left at the end. Returns the number of bad lines
    /// between good ones.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn recover(&self, take: impl FnMut(L)) -> Result<u64> {
        let scan = self.scan(take)?;
        if scan.end < scan.length {
            let file = fs::open_or_create(&self.path)?;
            file.set_len(scan.end)
                .and_then(|()| file.sync_all())
                .map_err(|e| self.broken("cut", &e))?;
        }
        Ok(scan.bad_between)
    }

    /// Gives every good line to `take` and changes nothing.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn read(&self, take: impl FnMut(L)) -> Result<()> {
        self.scan(take).map(drop)
    }

    fn scan(&self, mut take: impl FnMut(L)) -> Result<Scan> {
        let mut reader = BufReader::with_capacity(1 << 16, fs::open(&self.path)?);
        let mut scan = Scan::default();
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
            scan.length += bytes.len() as u64;
            match parse_line(&bytes) {
                Some(line) => {
                    take(line);
                    scan.end = scan.length;
                    scan.bad_between += std::mem::take(&mut bad);
                }
                None => bad += 1,
            }
        }
    }

    fn broken(&self, doing: &str, e: &std::io::Error) -> Error {
        Error::disk(doing, &self.path, e)
    }
}

#[derive(Default)]
struct Scan {
    length: u64,
    /// Where the last good line ends.
    end: u64,
    bad_between: u64,
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
        let bad = sidecar.recover(|line| lines.push(line)).unwrap();
        (lines, bad)
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
