//! Where messages begin and end.
//!
//! A line is a separator if it starts with `From `, has a whole date, and either follows an empty line or is followed by a header
//! field. A line without a date is one only where the file begins with such a line: then all of that file's are, and each must be followed by
//! a field, and either be the same line or follow an empty line and have at most one word.

use super::from_line;
use super::view::{CHUNK, View};
use crate::message::header;
use memchr::memmem;
use std::fs::File;
use std::io;

/// Heads are searched for Content-Length this far.
const HEAD: u64 = 64 << 10;
/// Bytes before a chunk that are seen again: empty lines and quotes stand before `From `.
const BEHIND: u64 = 128;
/// Bytes behind a chunk: a From_ line and the start of the next line.
const AHEAD: u64 = 2 * from_line::LONGEST as u64;

/// Where one message is in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Of its From_ line.
    pub offset: u64,
    /// Of all that is its: From_ line, message, and the empty line behind it.
    pub length: u64,
    /// Of the From_ line, its line end included.
    pub(super) from_line: u16,
    /// Of the empty line behind the message, which is none of its bytes.
    pub(super) blank: u8,
}

impl Extent {
    /// First byte of the message and the first behind it.
    pub(super) fn message(&self) -> (u64, u64) {
        let start = self.offset + u64::from(self.from_line);
        (start, self.offset + self.length - u64::from(self.blank))
    }
}

/// What was seen that tells the dialect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Evidence {
    /// Messages whose Content-Length ends exactly before a separator or the end of the file.
    pub(super) landed: u64,
    /// Messages whose Content-Length ends elsewhere, but for the file's last, of which half may be missing.
    pub(super) missed: u64,
    /// Is the file's first message one that landed?
    pub(super) first_landed: bool,
    /// Those that landed and whose body holds what looks like a separator.
    pub(super) jumped: u64,
    /// Lines in messages that start with `From `, with `>From `, and with more `>`.
    pub(super) unquoted: u64,
    pub(super) quoted: u64,
    pub(super) quoted_twice: u64,
}

#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) by_length: bool,
    pub(super) extents: Vec<Extent>,
    /// Bytes before the first separator that are not empty lines.
    pub(super) before: u64,
    pub(super) evidence: Evidence,
}

/// Finds all messages of the file's first `size` bytes. `by_length`: a Content-Length that fits counts more than separators.
pub(super) fn scan(file: &File, size: u64, by_length: bool) -> io::Result<Scan> {
    let mut scanner = Scanner {
        view: View::new(file, size),
        found: Scan {
            by_length,
            ..Scan::default()
        },
        first: 0,
        undated: None,
        open: None,
    };
    scanner.skip_empty_lines()?;
    scanner.run()?;
    Ok(scanner.found)
}

struct Scanner<'a> {
    view: View<'a>,
    found: Scan,
    /// Where the file's first line that is not empty begins.
    first: u64,
    /// What the file's first From_ line says, where it has no date: then none of this file's has.
    undated: Option<Vec<u8>>,
    open: Option<Open>,
}

/// The message that is being passed.
struct Open {
    offset: u64,
    from_line: u16,
    /// Where its Content-Length says that it ends, if that fits.
    end: Option<u64>,
    /// Has it a Content-Length that does not fit?
    misses: bool,
    jumped: bool,
}

impl Scanner<'_> {
    fn skip_empty_lines(&mut self) -> io::Result<()> {
        const BOM: &[u8] = b"\xef\xbb\xbf";
        let start = self.view.bytes(0, CHUNK)?;
        let skip = if start.starts_with(BOM) { BOM.len() } else { 0 };
        let empty = start[skip..]
            .iter()
            .take_while(|b| matches!(b, b'\r' | b'\n'))
            .count();
        self.first = (skip + empty) as u64;
        Ok(())
    }

    fn run(&mut self) -> io::Result<()> {
        let finder = memmem::Finder::new(b"From ");
        let mut base = self.first;
        let mut hits = Vec::new();
        while base < self.view.size() {
            let next = base.saturating_add(CHUNK);
            let from = base.saturating_sub(BEHIND);
            let ahead = next.saturating_add(AHEAD);
            let chunk = self.view.load(from, ahead)?;
            let at = finder.find_iter(chunk).map(|at| at as u64 + from);
            hits.extend(at.skip_while(|&at| at < base).take_while(|&at| at < next));
            for at in hits.drain(..) {
                self.hit(at)?;
            }
            base = next;
        }
        let size = self.view.size();
        if self.found.extents.is_empty() && self.open.is_none() {
            self.found.before = size - self.first.min(size);
        }
        self.close(size)
    }

    /// `From ` stands at `at`.
    fn hit(&mut self, at: u64) -> io::Result<()> {
        let Some(arrows) = self.quotes(at)? else {
            return Ok(());
        };
        match arrows {
            0 if self.is_separator(at)? => self.separator(at),
            0 => {
                self.found.evidence.unquoted += 1;
                Ok(())
            }
            1 => {
                self.found.evidence.quoted += 1;
                Ok(())
            }
            _ => {
                self.found.evidence.quoted_twice += 1;
                Ok(())
            }
        }
    }

    /// How many `>` stand before it; `None` where that is not the start of a line.
    fn quotes(&mut self, at: u64) -> io::Result<Option<u64>> {
        let from = at.saturating_sub(BEHIND);
        let before = self.view.bytes(from, at - from)?;
        let arrows = before.iter().rev().take_while(|&&b| b == b'>').count();
        let line_start = match before[..before.len() - arrows].last() {
            Some(&byte) => byte == b'\n',
            None => from == 0,
        };
        let starts = line_start || at - arrows as u64 == self.first;
        Ok(starts.then_some(arrows as u64))
    }

    fn is_separator(&mut self, at: u64) -> io::Result<bool> {
        let first = at == self.first;
        let after_empty = first || self.is_after_empty_line(at)?;
        let Some((line, next)) = from_line_at(&mut self.view, at)? else {
            return Ok(false);
        };
        let Some(from) = from_line::parse(line) else {
            return Ok(false);
        };
        let dated = from.date.is_some();
        let before_field = starts_a_head(next);
        let one_word = !from.sender.contains(&b' ');
        if first {
            self.undated = (!dated).then_some(from.sender);
            return Ok(true);
        }
        Ok(match &self.undated {
            _ if dated => after_empty || before_field,
            Some(first) => before_field && (*first == from.sender || after_empty && one_word),
            None => false,
        })
    }

    fn is_after_empty_line(&mut self, at: u64) -> io::Result<bool> {
        let from = at.saturating_sub(3);
        let before = self.view.bytes(from, at - from)?;
        Ok(before.ends_with(b"\n\n") || before.ends_with(b"\n\r\n"))
    }

    fn separator(&mut self, at: u64) -> io::Result<()> {
        if let Some(Open {
            end: Some(end),
            jumped,
            ..
        }) = &mut self.open
            && at < *end
        {
            *jumped = true;
            self.found.evidence.unquoted += 1;
            return Ok(());
        }
        if self.found.extents.is_empty() && self.open.is_none() {
            self.found.before = at - self.first;
        }
        self.close(at)?;
        let line = from_line_at(&mut self.view, at)?.map_or(0, |(line, _)| line.len() + 1);
        // A last line may lack its end.
        let line = (line as u64).min(self.view.size() - at);
        let announced = match self.found.by_length {
            true => self.announced(at + line)?,
            false => None,
        };
        let end = match announced {
            Some(end) => self.fitting(end)?,
            None => None,
        };
        self.open = Some(Open {
            offset: at,
            from_line: line as u16,
            end,
            misses: announced.is_some() && end.is_none(),
            jumped: false,
        });
        Ok(())
    }

    /// The message that is open ends here.
    fn close(&mut self, at: u64) -> io::Result<()> {
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        let start = open.offset + u64::from(open.from_line);
        let blank = match open.end {
            Some(end) => at - end,
            None => self.empty_line_before(start, at)?,
        };
        let is_last = at == self.view.size();
        let evidence = &mut self.found.evidence;
        evidence.landed += u64::from(open.end.is_some());
        evidence.missed += u64::from(open.misses && !is_last);
        evidence.first_landed |= open.end.is_some() && self.found.extents.is_empty();
        evidence.jumped += u64::from(open.jumped);
        self.found.extents.push(Extent {
            offset: open.offset,
            length: at - open.offset,
            from_line: open.from_line,
            blank: blank as u8,
        });
        Ok(())
    }

    /// Length of the empty line that ends at `end`, in a message that starts at `start`.
    fn empty_line_before(&mut self, start: u64, end: u64) -> io::Result<u64> {
        // The LF before the message is its From_ line's.
        let from = end.saturating_sub(3).max(start.saturating_sub(1));
        let tail = self.view.bytes(from, end - from)?;
        Ok(if tail.ends_with(b"\n\n") {
            1
        } else if tail.ends_with(b"\n\r\n") {
            2
        } else {
            0
        })
    }

    /// Where the Content-Length of the head at `start` says that the message ends; `None` where it has none.
    fn announced(&mut self, start: u64) -> io::Result<Option<u64>> {
        let head = self.view.bytes(start, HEAD)?;
        let length = content_length(head);
        let body = start + header::head_len(head) as u64;
        Ok(length.map(|length| body.saturating_add(length)))
    }

    /// An announced end, only where a separator or the end of the file is there, behind at most two empty lines.
    fn fitting(&mut self, end: u64) -> io::Result<Option<u64>> {
        if end > self.view.size() {
            return Ok(None);
        }
        let behind = self.view.bytes(end, 4)?;
        let empty = behind
            .iter()
            .take_while(|b| matches!(b, b'\r' | b'\n'))
            .count() as u64;
        let next = end + empty;
        if next == self.view.size() {
            return Ok(Some(end));
        }
        let Some((line, after)) = from_line_at(&mut self.view, next)? else {
            return Ok(None);
        };
        let fits = from_line::parse(line).is_some_and(|from| {
            from.date.is_some() || self.undated.is_some() && starts_a_head(after)
        });
        Ok(fits.then_some(end))
    }
}

/// The line at a position, without its LF, and what follows it. `None` for one that is too long.
fn from_line_at<'v>(view: &'v mut View<'_>, at: u64) -> io::Result<Option<(&'v [u8], &'v [u8])>> {
    let size = view.size();
    let bytes = view.bytes(at, AHEAD)?;
    let line = &bytes[..bytes.len().min(from_line::LONGEST)];
    Ok(match memchr::memchr(b'\n', line) {
        Some(end) => Some((&bytes[..end], &bytes[end + 1..])),
        None if at + line.len() as u64 == size => Some((line, b"")),
        None => None,
    })
}

/// Does a file begin as an mbox does? `start` is its first bytes, empty lines taken off.
pub(super) fn begins(start: &[u8]) -> bool {
    let end = memchr::memchr(b'\n', start).unwrap_or(start.len());
    let (line, rest) = start.split_at(end);
    let rest = rest.get(1..).unwrap_or_default();
    from_line::parse(line).is_some_and(|from| from.date.is_some() || starts_a_head(rest))
}

/// Does a header field, or a second From_ line, stand there?
fn starts_a_head(bytes: &[u8]) -> bool {
    let name = bytes
        .iter()
        .take_while(|b| b.is_ascii_graphic() && **b != b':')
        .count();
    name > 0 && bytes.get(name) == Some(&b':') || bytes.starts_with(b">From ")
}

/// `None` where there is none, or two that differ.
fn content_length(head: &[u8]) -> Option<u64> {
    let fields = header::fields(head).filter(|f| f.name.eq_ignore_ascii_case(b"Content-Length"));
    let mut lengths = fields.map(|f| std::str::from_utf8(f.value).ok()?.trim().parse().ok());
    let first: u64 = lengths.next()??;
    lengths.all(|other| other == Some(first)).then_some(first)
}
