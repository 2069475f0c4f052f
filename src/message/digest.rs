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

impl Digest {
    /// Parses what `Display` writes, in either case of letters.
    #[must_use]
    pub fn parse(hex: &str) -> Option<Self> {
        let hex = hex.as_bytes();
        let mut bytes = [0; 32];
        if hex.len() != 64 {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(hex.chunks(2)) {
            let high = char::from(pair[0]).to_digit(16)?;
            let low = char::from(pair[1]).to_digit(16)?;
            *byte = (high * 16 + low) as u8;
        }
        Some(Digest(bytes))
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
///
/// Only line ends at the very end are left out of the loose form, so those seen last are held back, as a
/// count: a mail that ends in a gigabyte of empty lines takes no memory.
#[derive(Clone, Default)]
pub struct Digester {
    exact: blake3::Hasher,
    loose: blake3::Hasher,
    /// CRLF pairs seen last, not yet in `loose`.
    pairs: u64,
    /// A CR behind those pairs, which an LF may yet make a pair.
    cr: bool,
    size: u64,
}

/// What held-back pairs are hashed from.
const PAIRS: &[u8; 1024] = &{
    let mut pairs = [b'\r'; 1024];
    let mut at = 1;
    while at < pairs.len() {
        pairs[at] = b'\n';
        at += 2;
    }
    pairs
};

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
            self.release();
            self.loose.update(&piece[..kept]);
        }
        piece[kept..].iter().for_each(|&b| self.hold(b));
    }

    /// Takes a CR or LF that may be the end.
    fn hold(&mut self, byte: u8) {
        match (byte, self.cr) {
            (b'\r', false) => self.cr = true,
            (b'\r', true) => {
                self.release();
                self.cr = true;
            }
            (_, true) => {
                self.cr = false;
                self.pairs += 1;
            }
            (_, false) => {
                self.release();
                self.loose.update(b"\n");
            }
        }
    }

    /// What was held back was not the end.
    fn release(&mut self) {
        let mut left = self.pairs.saturating_mul(2);
        while left > 0 {
            let now = left.min(PAIRS.len() as u64);
            self.loose.update(&PAIRS[..now as usize]);
            left -= now;
        }
        self.pairs = 0;
        if std::mem::take(&mut self.cr) {
            self.loose.update(b"\r");
        }
    }

    /// Both digests and the size in bytes.
    #[must_use]
    pub fn finish(mut self) -> (Digests, u64) {
        if self.cr {
            self.release();
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The loose form written out: every final CRLF off, one on.
    fn loose_form(canonical: &[u8]) -> Vec<u8> {
        let mut end = canonical.len();
        while canonical[..end].ends_with(b"\r\n") {
            end -= 2;
        }
        [&canonical[..end], b"\r\n"].concat()
    }

    #[test]
    fn final_line_ends_do_not_count_for_the_loose_digest() {
        let one = digests(b"a\r\n\r\nb\r\n");
        let none = digests(b"a\r\n\r\nb");
        let many = digests(b"a\r\n\r\nb\r\n\r\n\r\n");
        assert_eq!((one.loose, one.loose), (none.loose, many.loose));
        assert_ne!(one.exact, none.exact);
        assert_ne!(one.loose, digests(b"a\r\nb\r\n").loose);
        assert_eq!(one.exact, Digest::of(b"a\r\n\r\nb\r\n"));
        assert_eq!(one.exact, one.loose);
    }

    #[test]
    fn many_final_pairs_are_counted_not_kept() {
        let mut digester = Digester::default();
        let pairs = b"\r\n".repeat(3000);
        digester.update(&pairs);
        digester.update(b"x");
        let (got, size) = digester.finish();
        let want = [&pairs[..], b"x\r\n"].concat();
        assert_eq!((got.loose, size), (Digest::of(&want), 6001));
    }

    #[test]
    fn hex_round_trip() {
        let digest = Digest::of(b"x");
        assert_eq!(Digest::parse(&digest.to_string()), Some(digest));
        assert_eq!(Digest::parse("ab"), None);
        assert_eq!(Digest::parse(&"g".repeat(64)), None);
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(
            pieces in prop::collection::vec("[a\r\n]{0,9}", 0..12),
        ) {
            let whole = pieces.concat().into_bytes();
            let mut digester = Digester::default();
            pieces.iter().for_each(|p| digester.update(p.as_bytes()));
            let (got, size) = digester.finish();
            prop_assert_eq!(size, whole.len() as u64);
            prop_assert_eq!(got.exact, Digest::of(&whole));
            prop_assert_eq!(got.loose, Digest::of(&loose_form(&whole)));
        }
    }
}
