//! Message bodies in flight: permits of a byte budget, and spooling of large ones to an unlinked temporary file.

use crate::error::Result;
use crate::message::Digests;
use std::io::{Read, Write};
use std::sync::Arc;

/// The byte budget over everything in flight. Cheap to clone: one budget shared by all threads of a run.
#[derive(Debug, Clone)]
pub struct Budget {
    #[allow(dead_code)]
    inner: Arc<()>,
}

impl Budget {
    /// A budget of `bytes`.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        let _ = bytes;
        todo!()
    }

    /// Starts a body whose announced size is `announced` bytes (a hint, a server may lie; never preallocated beyond 64 KiB).
    /// Blocks until the budget has room for it; a body larger than a quarter of the budget goes to an unlinked
    /// temporary file and takes a permit for its buffer only. Waiting gives up when `stop` says so, with `Kind::Interrupted`.
    pub fn body(&self, announced: u64) -> Result<BodyWriter> {
        let _ = announced;
        todo!()
    }

    /// Is somebody waiting for bytes right now? A sink that holds a batch then flushes it.
    #[must_use]
    pub fn starving(&self) -> bool {
        todo!()
    }

    /// The most bytes that were ever taken at once.
    #[must_use]
    pub fn high_water(&self) -> u64 {
        todo!()
    }

    /// Wakes all who wait, for good: from now on [`Budget::body`] fails with `Kind::Interrupted`.
    pub fn close(&self) {
        todo!()
    }
}

/// Takes a message's raw bytes piece by piece, makes them canonical, digests them on the way.
pub struct BodyWriter {}

impl BodyWriter {
    /// The next piece of raw bytes (any line ends).
    pub fn push(&mut self, piece: &[u8]) -> Result<()> {
        let _ = piece;
        todo!()
    }

    pub fn finish(self) -> Result<Body> {
        todo!()
    }
}

/// A whole message in canonical form, in memory or in an unlinked file, with its permit: dropping the
/// last clone gives the bytes back to the budget.
#[derive(Debug, Clone)]
pub struct Body {}

impl Body {
    /// Size of the canonical form in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        todo!()
    }

    #[must_use]
    pub fn digests(&self) -> Digests {
        todo!()
    }

    /// The header and the empty line that ends it, at most the first 1 MiB; in memory always.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        todo!()
    }

    /// Reads the canonical bytes from the start; several readers may be open at once.
    #[must_use]
    pub fn reader(&self) -> Box<dyn Read + Send + '_> {
        todo!()
    }

    /// Writes the canonical bytes to `to`, in large pieces.
    pub fn write_to(&self, to: &mut dyn Write) -> std::io::Result<()> {
        let _ = to;
        todo!()
    }

    /// Traits that servers are known to change: see [`Traits`].
    #[must_use]
    pub fn traits(&self) -> Traits {
        todo!()
    }
}

/// What makes a message risky to store (promise 3 of the guarantees).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)]
pub struct Traits {
    pub eight_bit_header: bool,
    pub nul: bool,
    /// A CR without an LF behind it.
    pub bare_cr: bool,
    pub no_final_line_end: bool,
    pub no_header: bool,
    /// A line of more than 998 bytes.
    pub long_line: bool,
}

impl Traits {
    #[must_use]
    pub fn risky(self) -> bool {
        self.eight_bit_header
            || self.nul
            || self.bare_cr
            || self.no_final_line_end
            || self.no_header
            || self.long_line
    }
}
