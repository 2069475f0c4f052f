//! BLAKE3 digests of a message's canonical form.

use std::fmt;

/// BLAKE3 of a message's canonical form, 32 bytes. Displayed as 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Digest of bytes that are in canonical form already.
    #[must_use]
    pub fn of(canonical: &[u8]) -> Self {
        Digest(*blake3::hash(canonical).as_bytes())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The exact digest, and the loose one: of the same bytes with exactly one CRLF at the end, which
/// matches POP3 with IMAP copies.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Digests {
    pub exact: Digest,
    pub loose: Digest,
}

/// Computes both digests, and the size, of canonical bytes that come in pieces.
#[derive(Clone, Default)]
pub struct Digester {
    exact: blake3::Hasher,
    loose: blake3::Hasher,
    /// CRs and LFs at the end that may or may not belong to the loose form.
    held: Vec<u8>,
    size: u64,
}

impl Digester {
    /// Takes the next piece, canonical bytes cut anywhere.
    pub fn update(&mut self, piece: &[u8]) {
        self.exact.update(piece);
        self.size += piece.len() as u64;
        let kept = piece
            .iter()
            .rposition(|&b| b != b'\r' && b != b'\n')
            .map_or(0, |at| at + 1);
        if kept > 0 {
            self.loose.update(&self.held);
            self.held.clear();
            self.loose.update(&piece[..kept]);
        }
        self.held.extend_from_slice(&piece[kept..]);
    }

    /// Both digests and the size in bytes.
    #[must_use]
    pub fn finish(mut self) -> (Digests, u64) {
        let mut end = self.held.len();
        while self.held[..end].ends_with(b"\r\n") {
            end -= 2;
        }
        self.loose.update(&self.held[..end]);
        self.loose.update(b"\r\n");
        let digests = Digests {
            exact: Digest(*self.exact.finalize().as_bytes()),
            loose: Digest(*self.loose.finalize().as_bytes()),
        };
        (digests, self.size)
    }
}

/// Both digests of canonical bytes.
#[must_use]
pub fn digests(canonical: &[u8]) -> Digests {
    let mut digester = Digester::default();
    digester.update(canonical);
    digester.finish().0
}
