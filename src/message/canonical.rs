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
