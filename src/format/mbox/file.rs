//! An mbox file opened for reading: its messages found, its dialect known.

use super::dialect::{Dialect, Reason, judge, lengths_decide};
use super::from_line::{self, FromLine};
use super::line_ends::LineEnds;
use super::marks::state_fields;
use super::record;
use super::scan::{Extent, Scan, scan};
use super::view::View;
use crate::error::{Error, Result};
use crate::fs;
use crate::message::{Digest, header};
use crate::spool::{Body, Budget};
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

const PIECE: usize = 64 << 10;

/// A file's messages as they were when it was opened. What is appended later is not seen.
#[derive(Debug)]
pub struct MboxFile {
    path: PathBuf,
    /// The file itself; of a compressed one, what it holds, in a file without a name.
    file: File,
    size: u64,
    modified: Option<SystemTime>,
    dialect: Dialect,
    reason: Reason,
    messages: Vec<Extent>,
    before: u64,
}

impl MboxFile {
    /// Opens a file, plain or compressed with gzip or zstd (by its first bytes), and finds all its messages. Without a `dialect` the file
    /// itself has to tell it. A compressed file is unpacked into a temporary one.
    ///
    /// # Errors
    /// `Code::Disk`, naming the path; also for a compressed file that is damaged.
    pub fn open(path: &Path, dialect: Option<Dialect>) -> Result<Self> {
        let packed = fs::open(path)?;
        let broken = |e: io::Error| Error::disk("read", path, &e);
        let modified = packed.metadata().and_then(|m| m.modified()).ok();
        let file = unpacked(packed).map_err(broken)?;
        let size = file.metadata().map_err(broken)?.len();
        let (found, dialect, reason) = explore(&file, size, dialect).map_err(broken)?;
        Ok(MboxFile {
            path: path.to_owned(),
            file,
            size,
            modified,
            dialect,
            reason,
            messages: found.extents,
            before: found.before,
        })
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// In bytes, unpacked.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// When the file was last changed, where the system tells.
    #[must_use]
    pub fn modified(&self) -> Option<SystemTime> {
        self.modified
    }

    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Displayed as words that follow "because".
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// In the order of the file.
    #[must_use]
    pub fn messages(&self) -> &[Extent] {
        &self.messages
    }

    /// Bytes before the first message that belong to none; the whole size of a file that is no mbox.
    #[must_use]
    pub fn before(&self) -> u64 {
        self.before
    }

    /// Is there nothing but line ends from one byte to before another?
    pub(super) fn holds_only_line_ends(&self, from: u64, to: u64) -> Result<bool> {
        let mut bytes = View::new(&self.file, self.size);
        for at in (from..to).step_by(PIECE) {
            let piece = bytes.bytes(at, (to - at).min(PIECE as u64));
            let piece = piece.map_err(|e| Error::disk("read", &self.path, &e))?;
            if !piece.iter().all(|b| matches!(b, b'\r' | b'\n')) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The From_ line of a message.
    ///
    /// # Errors
    /// `Code::Disk`; `Kind::Message` where the file was changed meanwhile.
    pub fn from_line(&self, at: &Extent) -> Result<FromLine> {
        let mut line = vec![0; usize::from(at.from_line)];
        self.file
            .read_exact_at(&mut line, at.offset)
            .map_err(|e| Error::disk("read", &self.path, &e))?;
        from_line::parse(line.strip_suffix(b"\n").unwrap_or(&line))
            .ok_or_else(|| record::changed(&self.path, at.offset))
    }

    /// The message's header as it stands in the file, quoted, with the file's line ends, at most `longest` bytes.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn head(&self, at: &Extent, longest: usize) -> Result<Vec<u8>> {
        let (start, end) = at.message();
        let mut head = vec![0; usize::try_from(end - start).unwrap_or(longest).min(longest)];
        self.file
            .read_exact_at(&mut head, start)
            .map_err(|e| Error::disk("read", &self.path, &e))?;
        head.truncate(header::head_len(&head));
        head.shrink_to_fit();
        Ok(head)
    }

    /// BLAKE3 of the message's canonical form; nothing is kept in memory.
    ///
    /// # Errors
    /// `Code::Disk`; `Kind::Message` where the file was changed meanwhile.
    pub fn digest(&self, at: &Extent, line_ends: LineEnds) -> Result<Digest> {
        record::digest(&self.file, &self.path, &self.span(at), line_ends)
    }

    /// The same without the header fields in which programs keep a message's state: it stays when a message is read or marked. `head` is what
    /// [`MboxFile::head`] gave.
    ///
    /// # Errors
    /// As [`MboxFile::digest`].
    pub fn stable_digest(&self, at: &Extent, head: &[u8], line_ends: LineEnds) -> Result<Digest> {
        let (start, _) = at.message();
        let state: Vec<(u64, u64)> = state_fields(head)
            .into_iter()
            .map(|(from, to)| (start + from as u64, start + to as u64))
            .collect();
        record::digest_without(&self.file, &self.path, &self.span(at), line_ends, &state)
    }

    /// The message's bytes, unquoted as the dialect says.
    ///
    /// # Errors
    /// `Code::Disk`; `Kind::Message` where the file was changed meanwhile; what [`Budget::body`] says.
    pub fn read(&self, at: &Extent, line_ends: LineEnds, budget: &Budget) -> Result<Body> {
        record::read(&self.file, &self.path, &self.span(at), line_ends, budget)
    }

    fn span(&self, at: &Extent) -> record::Span {
        record::Span {
            offset: at.offset,
            message: at.message(),
            rule: self.dialect.unquoting(),
        }
    }
}

/// One pass in the usual case; a second one where lengths were met that are not to be believed.
fn explore(file: &File, size: u64, given: Option<Dialect>) -> io::Result<(Scan, Dialect, Reason)> {
    if let Some(dialect) = given {
        let found = scan(file, size, dialect.by_length())?;
        return Ok((found, dialect, Reason::Given));
    }
    let mut found = scan(file, size, true)?;
    if found.evidence.landed > 0 && !lengths_decide(&found) {
        found = scan(file, size, false)?;
    }
    let (dialect, reason) = judge(&found);
    Ok((found, dialect, reason))
}

fn unpacked(file: File) -> io::Result<File> {
    let mut magic = [0; 4];
    let read = file.read_at(&mut magic, 0)?;
    match magic {
        [0x1f, 0x8b, ..] if read >= 2 => {
            unpack(&mut flate2::read::MultiGzDecoder::new(BufReader::new(file)))
        }
        [0x28, 0xb5, 0x2f, 0xfd] => unpack(&mut zstd::Decoder::new(file)?),
        _ => Ok(file),
    }
}

fn unpack(from: &mut dyn Read) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    let mut piece = vec![0; PIECE];
    loop {
        match from.read(&mut piece) {
            Ok(0) => return Ok(file),
            Ok(n) => file.write_all(&piece[..n])?,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}
