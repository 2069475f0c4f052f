//! One message in a file, at a known place.

use super::line_ends::LineEnds;
use super::quoting::{Quoting, Rule};
use crate::error::{Code, Error, Kind, Result};
use crate::fs;
use crate::spool::{Body, Budget};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

const PIECE: u64 = 64 << 10;
const FROM: &[u8; 5] = b"From ";

/// Where a message that we wrote is, and what its bytes there do not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Record {
    /// Of its From_ line, in bytes.
    pub offset: u64,
    /// Of the From_ line, the message and the empty line behind it, in bytes.
    pub length: u64,
    #[serde(flatten)]
    pub line_ends: LineEnds,
}

impl Record {
    /// Reads a message that we wrote from the mbox at `path`.
    ///
    /// # Errors
    /// `Kind::Message` where there is no message at that place; `Code::Disk`; what [`Budget::body`] says.
    pub fn read(&self, path: &Path, budget: &Budget) -> Result<Body> {
        let file = fs::open(path)?;
        let span = self.span(&file, path)?;
        read(&file, path, &span, self.line_ends, budget)
    }

    fn span(&self, file: &File, path: &Path) -> Result<Span> {
        let moved = || changed(path, self.offset);
        let end = self.offset.checked_add(self.length).ok_or_else(moved)?;
        let mut line = vec![0; super::from_line::LONGEST.min(self.length as usize)];
        file.read_exact_at(&mut line, self.offset)
            .map_err(|e| gone_or_broken(path, self.offset, &e))?;
        let from_line = memchr::memchr(b'\n', &line).ok_or_else(moved)? as u64 + 1;
        let start = self.offset + from_line;
        let message = (start, end - 1);
        let mut last = [0; 2];
        file.read_exact_at(&mut last, end.saturating_sub(2))
            .map_err(|e| gone_or_broken(path, self.offset, &e))?;
        if start >= end || last != *b"\n\n" {
            return Err(moved());
        }
        Ok(Span {
            offset: self.offset,
            message,
            rule: Rule::Remove,
        })
    }
}

/// The bytes of a message in a file.
pub(super) struct Span {
    /// Of the From_ line.
    pub(super) offset: u64,
    /// First byte of the message, and the first behind it.
    pub(super) message: (u64, u64),
    pub(super) rule: Rule,
}

/// Reads, unquotes, and makes canonical.
pub(super) fn read(
    file: &File,
    path: &Path,
    span: &Span,
    line_ends: LineEnds,
    budget: &Budget,
) -> Result<Body> {
    let mut from = [0; FROM.len()];
    file.read_exact_at(&mut from, span.offset)
        .map_err(|e| gone_or_broken(path, span.offset, &e))?;
    if from != *FROM {
        return Err(changed(path, span.offset));
    }
    let (mut at, mut end) = span.message;
    if line_ends.final_added && at < end {
        end -= 1;
    }
    let mut body = budget.body(end - at)?;
    let mut quoting = Quoting::new(span.rule);
    let mut piece = vec![0; PIECE.min(end - at) as usize];
    while at < end {
        let wanted = PIECE.min(end - at);
        let piece = &mut piece[..wanted as usize];
        file.read_exact_at(piece, at)
            .map_err(|e| gone_or_broken(path, span.offset, &e))?;
        quoting.push(piece, &mut |part| body.push(part))?;
        at += wanted;
    }
    quoting.finish(&mut |part| body.push(part))?;
    body.finish()
}

fn gone_or_broken(path: &Path, offset: u64, e: &io::Error) -> Error {
    match e.kind() {
        io::ErrorKind::UnexpectedEof => changed(path, offset),
        _ => Error::disk("read", path, e),
    }
}

/// There is no message (any more) where one was.
pub(super) fn changed(path: &Path, offset: u64) -> Error {
    let what = format!(
        "{} was changed: no message is at byte {offset}",
        path.display()
    );
    Error::new(Kind::Message, Code::Disk, what)
        .hint("let no other program write to it while mailhaul reads it, then run again")
}
