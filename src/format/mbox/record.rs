//! One message in a file, at a known place.

use super::line_ends::LineEnds;
use super::quoting::{Quoting, Rule};
use crate::error::{Code, Error, Kind, Result};
use crate::fs;
use crate::message::canonical::Canonicalizer;
use crate::message::{Digest, header};
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
    /// Of the empty line behind the message: one, but for mail that others wrote.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub(super) blank: u8,
}

fn one() -> u8 {
    1
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_one(blank: &u8) -> bool {
    *blank == 1
}

impl Record {
    /// Of a message that we wrote, as it was told when it was written.
    #[must_use]
    pub fn new(offset: u64, length: u64, line_ends: LineEnds) -> Self {
        Record {
            offset,
            length,
            line_ends,
            blank: one(),
        }
    }

    /// Reads a message that we wrote from the mbox at `path`.
    ///
    /// # Errors
    /// `Kind::Message` where there is no message at that place; `Code::Disk`; what [`Budget::body`] says.
    pub fn read(&self, path: &Path, budget: &Budget) -> Result<Body> {
        let file = fs::open(path)?;
        let span = self.span(&file, path)?;
        read(&file, path, &span, self.line_ends, budget)
    }

    /// Its header as it stands in the file, at most `longest` bytes.
    ///
    /// # Errors
    /// As [`Record::read`].
    pub fn head(&self, path: &Path, longest: usize) -> Result<Vec<u8>> {
        let file = fs::open(path)?;
        let (start, end) = self.span(&file, path)?.message;
        let mut head = vec![0; usize::try_from(end - start).unwrap_or(longest).min(longest)];
        file.read_exact_at(&mut head, start)
            .map_err(|e| gone_or_broken(path, self.offset, &e))?;
        head.truncate(header::head_len(&head));
        Ok(head)
    }

    /// Its digest alone, from a file that is open; `None` where no message is at that place.
    pub(super) fn digest(&self, file: &File, path: &Path) -> Result<Option<Digest>> {
        let found = self.span(file, path);
        match found.and_then(|span| digest(file, path, &span, self.line_ends)) {
            Ok(digest) => Ok(Some(digest)),
            Err(e) if e.kind == Kind::Message => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Where the next one begins, or the file ends.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.length)
    }

    fn span(&self, file: &File, path: &Path) -> Result<Span> {
        let moved = || changed(path, self.offset);
        let end = self.offset.checked_add(self.length).ok_or_else(moved)?;
        let mut line = vec![0; super::from_line::LONGEST.min(self.length as usize)];
        file.read_exact_at(&mut line, self.offset)
            .map_err(|e| gone_or_broken(path, self.offset, &e))?;
        let from_line = memchr::memchr(b'\n', &line).ok_or_else(moved)? as u64 + 1;
        let start = self.offset + from_line;
        let message = (start, end.saturating_sub(u64::from(self.blank)));
        let mut last = [0; 2];
        file.read_exact_at(&mut last, end.saturating_sub(2))
            .map_err(|e| gone_or_broken(path, self.offset, &e))?;
        if start > message.1 || self.blank == 1 && last != *b"\n\n" {
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
    let mut body = budget.body(span.message.1 - span.message.0)?;
    visit(file, path, span, line_ends, &mut |part| body.push(part))?;
    body.finish()
}

/// BLAKE3 of the canonical form, without keeping the message.
pub(super) fn digest(file: &File, path: &Path, span: &Span, line_ends: LineEnds) -> Result<Digest> {
    digest_without(file, path, span, line_ends, &[])
}

/// The same for a message without some of its lines: first byte and the first behind, of the file, in order.
pub(super) fn digest_without(
    file: &File,
    path: &Path,
    span: &Span,
    line_ends: LineEnds,
    left_out: &[(u64, u64)],
) -> Result<Digest> {
    let (mut canonicalizer, mut hasher) = (Canonicalizer::default(), blake3::Hasher::new());
    let mut part = Vec::new();
    let mut take = |raw: &[u8]| {
        part.clear();
        canonicalizer.push(raw, &mut part);
        hasher.update(&part);
        Ok(())
    };
    let (mut start, end) = span.message;
    for &(from, to) in left_out {
        let message = (start, from);
        visit(
            file,
            path,
            &Span { message, ..*span },
            LineEnds::default(),
            &mut take,
        )?;
        start = to;
    }
    let message = (start, end);
    visit(file, path, &Span { message, ..*span }, line_ends, &mut take)?;
    Ok(Digest(*hasher.finalize().as_bytes()))
}

/// Gives the unquoted bytes to `take`, piece by piece.
fn visit(
    file: &File,
    path: &Path,
    span: &Span,
    line_ends: LineEnds,
    take: &mut impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
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
    let mut quoting = Quoting::new(span.rule);
    let mut piece = vec![0; PIECE.min(end - at) as usize];
    while at < end {
        let wanted = PIECE.min(end - at);
        let piece = &mut piece[..wanted as usize];
        file.read_exact_at(piece, at)
            .map_err(|e| gone_or_broken(path, span.offset, &e))?;
        quoting.push(piece, take)?;
        at += wanted;
    }
    quoting.finish(take)
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
