//! Traits that servers are known to change, found while a message streams by.

/// What makes a message risky to store (promise 3 of the guarantees).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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

/// The longest line that RFC 5322 §2.1.1 allows, without its CRLF.
const LONGEST: u64 = 998;

/// Finds the traits, and the end of the head, of canonical bytes that come in pieces.
#[derive(Default)]
pub(super) struct Scanner {
    traits: Traits,
    /// Bytes of the line that is not yet ended.
    line: u64,
    size: u64,
    /// Where the head ends, its empty line included; `None` while in it.
    head_end: Option<u64>,
    last: u8,
}

impl Scanner {
    pub(super) fn push(&mut self, piece: &[u8]) {
        let Some(&last) = piece.last() else { return };
        self.find_bare_cr(piece);
        self.traits.nul |= memchr::memchr(0, piece).is_some();
        let in_head = self.lines(piece);
        self.traits.eight_bit_header |= !piece[..in_head].is_ascii();
        self.size += piece.len() as u64;
        self.last = last;
    }

    fn find_bare_cr(&mut self, piece: &[u8]) {
        self.traits.bare_cr |= self.last == b'\r' && piece[0] != b'\n';
        let inner = &piece[..piece.len() - 1];
        self.traits.bare_cr |= memchr::memchr_iter(b'\r', inner).any(|at| piece[at + 1] != b'\n');
    }

    /// Measures lines; returns how many bytes of the piece belong to the head.
    fn lines(&mut self, piece: &[u8]) -> usize {
        let mut in_head = if self.head_end.is_some() {
            0
        } else {
            piece.len()
        };
        let mut start = 0;
        for at in memchr::memchr_iter(b'\n', piece) {
            // Its CR is counted, in canonical form there always is one.
            let line = self.line + (at - start) as u64;
            self.traits.long_line |= line > LONGEST + 1;
            if line == 1 && self.head_end.is_none() {
                in_head = at + 1;
                self.head_end = Some(self.size + in_head as u64);
            }
            self.line = 0;
            start = at + 1;
        }
        self.line += (piece.len() - start) as u64;
        in_head
    }

    /// Length of the head so far, its empty line included.
    pub(super) fn head_len(&self) -> u64 {
        self.head_end.unwrap_or(self.size)
    }

    /// The traits, once all has been seen; whether there is a header only its reader knows.
    pub(super) fn finish(mut self, no_header: bool) -> Traits {
        self.traits.no_header = no_header;
        self.traits.bare_cr |= self.last == b'\r';
        self.traits.no_final_line_end = self.last != b'\n';
        self.traits.long_line |= self.line > LONGEST;
        self.traits
    }
}
