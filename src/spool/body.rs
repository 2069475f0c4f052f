//! A message's bytes on their way: written once, piece by piece, then read as often as there are sinks.

use super::budget::{Budget, Permit};
use super::traits::{Scanner, Traits};
use crate::error::{Error, Result};
use crate::message::canonical::Canonicalizer;
use crate::message::{Digester, Digests, header};
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// The longest head that is kept in memory.
const HEAD: u64 = 1 << 20;
/// Pieces are worked on, and files read, in parts of this size.
const PART: usize = 64 << 10;

impl Budget {
    /// Starts a body whose announced size is `announced` bytes (a hint, a server may lie; never preallocated beyond 64 KiB).
    ///
    /// Blocks until the budget has room for it, in the order of asking; a body larger than a quarter of the budget goes to an
    /// unlinked temporary file and takes a permit for its head only. Once the budget is closed: `Kind::Interrupted`.
    pub fn body(&self, announced: u64) -> Result<BodyWriter> {
        // Room for line ends that become canonical, for small lies, and for the head where a large lie makes it spill.
        let wanted = announced.saturating_add(announced / 16).max(PART as u64);
        let quarter = self.total() / 4;
        let spill = announced > quarter;
        let permit = self.take(if spill { HEAD + PART as u64 } else { wanted }.min(quarter))?;
        let mut writer = BodyWriter {
            memory: Vec::with_capacity(announced.min(permit.bytes()).min(PART as u64) as usize),
            file: None,
            permit,
            canonicalizer: Canonicalizer::default(),
            digester: Digester::default(),
            digested: 0,
            scanner: Scanner::default(),
        };
        if spill {
            writer.spill()?;
        }
        Ok(writer)
    }
}

/// Takes a message's raw bytes piece by piece, makes them canonical, digests them on the way.
pub struct BodyWriter {
    /// All so far; with a file, the head alone.
    memory: Vec<u8>,
    file: Option<File>,
    permit: Permit,
    canonicalizer: Canonicalizer,
    digester: Digester,
    /// How much of `memory` is digested, while there is no file.
    digested: usize,
    scanner: Scanner,
}

impl BodyWriter {
    /// The next piece of raw bytes (any line ends). Fails as the local disk does, for a body that is spooled.
    ///
    /// It never waits for the budget: a body that outgrows its permit goes to a file, for others may wait for it to end.
    pub fn push(&mut self, piece: &[u8]) -> Result<()> {
        let mut part = Vec::new();
        for raw in piece.chunks(PART) {
            part.clear();
            self.canonicalizer.push(raw, &mut part);
            self.scanner.push(&part);
            self.keep(&part)?;
        }
        Ok(())
    }

    fn keep(&mut self, part: &[u8]) -> Result<()> {
        let len = self.memory.len() + part.len();
        if self.file.is_none() && len as u64 > self.permit.bytes() {
            self.spill()?;
        }
        let Some(file) = &mut self.file else {
            self.reserve(part.len());
            self.memory.extend_from_slice(part);
            self.digest_blocks();
            return Ok(());
        };
        self.digester.update(part);
        file.write_all(part).map_err(|e| disk("write", &e))?;
        let missing = self.head_kept().saturating_sub(self.memory.len());
        let missing = missing.min(part.len());
        self.memory.extend_from_slice(&part[..missing]);
        Ok(())
    }

    /// Digests what makes up whole blocks: BLAKE3 is several times slower over the small pieces in which TLS brings a message.
    fn digest_blocks(&mut self) {
        let whole = (self.memory.len() - self.digested) / PART * PART;
        if whole > 0 {
            let end = self.digested + whole;
            self.digester.update(&self.memory[self.digested..end]);
            self.digested = end;
        }
    }

    /// Digests what is in memory and was not yet.
    fn digest_rest(&mut self) {
        self.digester.update(&self.memory[self.digested..]);
        self.digested = self.memory.len();
    }

    /// Grows as a vector does, but never beyond the permit.
    fn reserve(&mut self, more: usize) {
        let len = self.memory.len();
        if self.memory.capacity() - len < more {
            let room = (self.permit.bytes() as usize).saturating_sub(len);
            self.memory.reserve_exact(more.max(len.min(room)));
        }
    }

    /// From now on to a file; of what is in memory the head stays.
    fn spill(&mut self) -> Result<()> {
        let mut file = tempfile::tempfile().map_err(|e| disk("make", &e))?;
        file.write_all(&self.memory)
            .map_err(|e| disk("write", &e))?;
        self.file = Some(file);
        self.digest_rest();
        self.memory.truncate(self.head_kept());
        Ok(())
    }

    /// How much of the head so far is kept in memory.
    fn head_kept(&self) -> usize {
        let most = match self.file {
            Some(_) => HEAD.min(self.permit.bytes()),
            None => HEAD,
        };
        self.scanner.head_len().min(most) as usize
    }

    /// Ends the message: gives back what it did not need of its permit. Cannot fail today; the type leaves room.
    pub fn finish(mut self) -> Result<Body> {
        let head_len = self.head_kept().min(self.memory.len());
        let no_header = header::fields(&self.memory[..head_len]).next().is_none();
        if self.file.is_none() {
            self.digest_rest();
        }
        let (digests, size) = self.digester.finish();
        let part = if self.file.is_some() { PART as u64 } else { 0 };
        self.permit.shrink(self.memory.len() as u64 + part);
        Ok(Body {
            whole: Arc::new(Whole {
                memory: self.memory.into_boxed_slice(),
                file: self.file,
                head_len,
                size,
                digests,
                traits: self.scanner.finish(no_header),
                _permit: self.permit,
            }),
        })
    }
}

fn disk(doing: &str, e: &io::Error) -> Error {
    let doing = format!("{doing} a temporary file in");
    Error::disk(&doing, &std::env::temp_dir(), e)
        .hint("make room there, or point TMPDIR at a larger disk")
}

/// A whole message in canonical form, in memory or in an unlinked file, with its permit: dropping the
/// last clone gives the bytes back to the budget.
#[derive(Clone)]
pub struct Body {
    whole: Arc<Whole>,
}

struct Whole {
    /// All of it; with a file, the head alone.
    memory: Box<[u8]>,
    file: Option<File>,
    head_len: usize,
    size: u64,
    digests: Digests,
    traits: Traits,
    _permit: Permit,
}

/// Without the bytes: mail does not belong into logs.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field("size", &self.whole.size)
            .field("digests", &self.whole.digests)
            .finish_non_exhaustive()
    }
}

impl Body {
    /// Size of the canonical form in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.whole.size
    }

    #[must_use]
    pub fn digests(&self) -> Digests {
        self.whole.digests
    }

    /// The header and the empty line that ends it, at most the first 1 MiB; in memory always. Of a spooled message whose
    /// size was announced wrongly, or under a very small budget, only as much as its permit covers: 64 KiB or more by default.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        &self.whole.memory[..self.whole.head_len]
    }

    /// Reads the canonical bytes from the start; several readers may be open at once.
    #[must_use]
    pub fn reader(&self) -> Box<dyn Read + Send + '_> {
        match &self.whole.file {
            None => Box::new(&*self.whole.memory),
            Some(file) => Box::new(FileReader {
                file,
                at: 0,
                size: self.whole.size,
            }),
        }
    }

    /// Writes the canonical bytes to `to`, in large pieces.
    pub fn write_to(&self, to: &mut dyn Write) -> io::Result<()> {
        if self.whole.file.is_none() {
            return to.write_all(&self.whole.memory);
        }
        let mut reader = self.reader();
        let mut part = vec![0; PART];
        loop {
            match reader.read(&mut part)? {
                0 => return Ok(()),
                n => to.write_all(&part[..n])?,
            }
        }
    }

    /// Traits that servers are known to change: see [`Traits`].
    #[must_use]
    pub fn traits(&self) -> Traits {
        self.whole.traits
    }

    /// Does it stand in a temporary file?
    #[must_use]
    pub fn is_spooled(&self) -> bool {
        self.whole.file.is_some()
    }
}

/// Reads by position, so that readers of one file do not disturb each other.
struct FileReader<'a> {
    file: &'a File,
    at: u64,
    size: u64,
}

impl Read for FileReader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read_at(buf, self.at)?;
        // A file cut short under us must not pass for a whole message.
        if n == 0 && !buf.is_empty() && self.at < self.size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += n as u64;
        Ok(n)
    }
}
