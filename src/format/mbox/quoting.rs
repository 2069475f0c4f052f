//! `>` before `From ` at the start of a line: put there by writers, taken away by readers.

use memchr::memchr;

/// What happens to a line of `>`s (perhaps none) and `From `.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    Keep,
    /// One more `>` (mboxrd).
    Add,
    /// One less where there is any (mboxrd).
    Remove,
    /// Away with it where it is the only one (mboxo).
    RemoveSingle,
}

const FROM: &[u8] = b"From ";
const ARROWS: [u8; 256] = [b'>'; 256];

/// Applies a rule to bytes that come in pieces, cut anywhere; LF ends a line.
pub(super) struct Quoting {
    rule: Rule,
    at: At,
}

enum At {
    /// At the start of a line: so many `>`, then so much of `From `.
    Start {
        arrows: u64,
        matched: usize,
    },
    Inside,
}

const START: At = At::Start {
    arrows: 0,
    matched: 0,
};

impl Quoting {
    /// The first byte is the start of a line.
    pub(super) fn new(rule: Rule) -> Self {
        Quoting { rule, at: START }
    }

    /// Gives the changed bytes to `out`, but for a line's start that is not yet decided.
    pub(super) fn push<E>(
        &mut self,
        piece: &[u8],
        out: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.rule == Rule::Keep {
            return out(piece);
        }
        let (mut rest, mut plain) = (piece, 0);
        // `plain`: how many bytes before `rest` go out as they are, in one piece.
        while let Some(&byte) = rest.first() {
            match &mut self.at {
                At::Inside => {
                    let end = memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
                    if rest[end - 1] == b'\n' {
                        self.at = START;
                    }
                    plain += end;
                    rest = &rest[end..];
                }
                At::Start { arrows, matched } => {
                    if plain > 0 && (byte == b'>' || byte == FROM[0]) {
                        let start = piece.len() - rest.len() - plain;
                        out(&piece[start..start + plain])?;
                        plain = 0;
                    }
                    if *matched == 0 && byte == b'>' {
                        *arrows += 1;
                        rest = &rest[1..];
                    } else if byte == FROM[*matched] {
                        *matched += 1;
                        rest = &rest[1..];
                        if *matched == FROM.len() {
                            self.decide(out)?;
                        }
                    } else {
                        self.decide(out)?;
                    }
                }
            }
        }
        if plain > 0 {
            out(&piece[piece.len() - plain..])?;
        }
        Ok(())
    }

    /// Gives out what is held back at the end.
    pub(super) fn finish<E>(
        mut self,
        out: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.decide(out)
    }

    fn decide<E>(&mut self, out: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let At::Start { arrows, matched } = std::mem::replace(&mut self.at, At::Inside) else {
            return Ok(());
        };
        let mut left = match self.rule {
            _ if matched < FROM.len() => arrows,
            Rule::Keep => arrows,
            Rule::Add => arrows.saturating_add(1),
            Rule::Remove => arrows.saturating_sub(1),
            Rule::RemoveSingle if arrows == 1 => 0,
            Rule::RemoveSingle => arrows,
        };
        while left > 0 {
            let now = left.min(ARROWS.len() as u64);
            out(&ARROWS[..now as usize])?;
            left -= now;
        }
        if matched > 0 {
            out(&FROM[..matched])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::convert::Infallible;

    fn apply(rule: Rule, bytes: &[u8], cut: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut take = |part: &[u8]| {
            out.extend_from_slice(part);
            Ok::<(), Infallible>(())
        };
        let mut quoting = Quoting::new(rule);
        for piece in bytes.chunks(cut) {
            quoting.push(piece, &mut take).unwrap();
        }
        quoting.finish(&mut take).unwrap();
        out
    }

    #[test]
    fn only_at_the_start_of_a_line() {
        let text = b"From a\nx From b\n>From c\n>>From d\nFrom\n >From\nFro\n>>";
        for cut in 1..text.len() {
            assert_eq!(
                apply(Rule::Add, text, cut),
                b">From a\nx From b\n>>From c\n>>>From d\nFrom\n >From\nFro\n>>"
            );
            assert_eq!(
                apply(Rule::RemoveSingle, text, cut),
                b"From a\nx From b\nFrom c\n>>From d\nFrom\n >From\nFro\n>>"
            );
            assert_eq!(
                apply(Rule::Remove, text, cut),
                b"From a\nx From b\nFrom c\n>From d\nFrom\n >From\nFro\n>>"
            );
        }
        let long = [&b">".repeat(1000)[..], b"From x"].concat();
        assert_eq!(apply(Rule::Add, &long, 7).len(), long.len() + 1);
    }

    proptest! {
        #[test]
        fn removing_undoes_adding(
            parts in prop::collection::vec(prop::sample::select(vec!["From ", ">", "\n", "F", "From", "\r\n", "x"]), 0..40),
            cut in 1usize..9,
        ) {
            let text = parts.concat().into_bytes();
            let quoted = apply(Rule::Add, &text, cut);
            prop_assert!(!quoted.starts_with(b"From ") && memchr::memmem::find(&quoted, b"\nFrom ").is_none());
            prop_assert_eq!(apply(Rule::Remove, &quoted, cut), text);
        }
    }
}
