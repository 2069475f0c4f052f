//! The canonical form: an LF without a CR before it becomes CRLF; CR alone and CRCRLF stay.

/// Turns bytes into canonical form piece by piece; pieces may be cut anywhere.
#[derive(Debug, Default, Clone)]
pub struct Canonicalizer {
    last_was_cr: bool,
}

impl Canonicalizer {
    /// Appends the canonical form of the next piece to `out`.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let mut start = 0;
        for at in memchr::memchr_iter(b'\n', piece) {
            let after_cr = if at == 0 {
                self.last_was_cr
            } else {
                piece[at - 1] == b'\r'
            };
            if !after_cr {
                out.extend_from_slice(&piece[start..at]);
                out.push(b'\r');
                start = at;
            }
        }
        out.extend_from_slice(&piece[start..]);
        if let Some(&last) = piece.last() {
            self.last_was_cr = last == b'\r';
        }
    }
}

/// The canonical form of a whole message.
#[must_use]
pub fn canonical(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len() + raw.len() / 32);
    Canonicalizer::default().push(raw, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_an_lf_alone_changes() {
        assert_eq!(
            canonical(b"a\nb\r\nc\rd\r\r\n\n"),
            b"a\r\nb\r\nc\rd\r\r\n\r\n"
        );
        assert_eq!(canonical(b""), b"");
        assert_eq!(canonical(b"\n"), b"\r\n");
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(pieces in prop::collection::vec("[a\r\n]{0,6}", 0..9)) {
            let whole = canonical(pieces.concat().as_bytes());
            let mut canonicalizer = Canonicalizer::default();
            let mut out = Vec::new();
            pieces.iter().for_each(|p| canonicalizer.push(p.as_bytes(), &mut out));
            prop_assert_eq!(&out, &whole);
            prop_assert_eq!(canonical(&whole), whole);
        }
    }
}
