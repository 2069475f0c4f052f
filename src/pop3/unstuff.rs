//! Multi-line answers (RFC 1939 §3): where a message ends, and which dots are not its own.
//!
//! A line is what CRLF ends. A message ends at CRLF `.` CRLF, its own last CRLF included; `.` as the very first line is the
//! empty message. A dot that begins a line is the server's and is taken off. A bare LF is a byte like others: Dovecot
//! sends CRLF always, and taking LF `.` CRLF for the end would let mail cut itself short. One exception: when it stands
//! exactly where the announced size ends, because a server that passes bare LF on puts its end marker right behind it.
//! That a message had no line end at its end cannot be told from what is sent (Dovecot adds one, and its size in LIST does
//! not count it).

use crate::error::Result;
use memchr::memmem::Finder;

/// Takes an answer piece by piece, cut anywhere.
pub(super) struct Unstuffer {
    state: State,
    /// The last line end when a piece ends in one.
    tail: Tail,
    /// Bytes of the message so far, and as announced.
    passed: u64,
    announced: Option<u64>,
    finder: Finder<'static>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Text,
    /// Behind a dot that begins a line and is held back.
    Dot,
    /// Behind a held dot and a CR.
    DotCr,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tail {
    Other,
    Cr,
    CrLf,
    Lf,
}

impl Unstuffer {
    /// `announced` is the size the server gave, in bytes; it may be wrong.
    pub(super) fn new(announced: Option<u64>) -> Self {
        Unstuffer {
            state: State::Text,
            tail: Tail::CrLf,
            passed: 0,
            announced,
            finder: Finder::new(b"\n."),
        }
    }

    /// Hands the message's bytes in `piece` to `to`. `Some(n)`: the message has ended, and the end marker with the
    /// first `n` bytes of `piece`. `None`: all of `piece` was taken and more is to come.
    pub(super) fn push(
        &mut self,
        piece: &[u8],
        to: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Option<usize>> {
        let mut at = 0;
        while at < piece.len() {
            at = match self.state {
                State::Text => self.text(piece, at, to)?,
                State::Dot => self.dot(piece, at, to)?,
                State::DotCr if piece[at] == b'\n' => return Ok(Some(at + 1)),
                State::DotCr => {
                    self.emit_held(b".\r", to)?;
                    self.state = State::Text;
                    at
                }
            };
        }
        Ok(None)
    }

    /// Text up to the next dot that counts; gives where to go on.
    fn text(
        &mut self,
        piece: &[u8],
        start: usize,
        to: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<usize> {
        if start == 0 && piece[0] == b'.' && self.counts(self.tail, 0) {
            return Ok(self.hold(1));
        }
        let mut seek = start;
        while let Some(found) = self.finder.find(&piece[seek..]) {
            let dot = seek + found + 1;
            let text = &piece[start..dot];
            if self.counts(self.tail_behind(piece, dot), text.len() as u64) {
                self.emit(text, to)?;
                self.tail = self.tail_behind(piece, dot);
                return Ok(self.hold(dot + 1));
            }
            seek = dot + 1;
        }
        self.emit(&piece[start..], to)?;
        self.tail = self.tail_behind(piece, piece.len());
        Ok(piece.len())
    }

    /// A dot is held back: what follows decides whether it is the end marker.
    fn hold(&mut self, next: usize) -> usize {
        self.state = State::Dot;
        next
    }

    fn dot(
        &mut self,
        piece: &[u8],
        at: usize,
        to: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<usize> {
        if piece[at] == b'\r' {
            self.state = State::DotCr;
            return Ok(at + 1);
        }
        self.emit_held(b".", to)?;
        self.state = State::Text;
        Ok(at)
    }

    /// What was held turned out to be text: all of it behind a bare LF, all but the dot behind CRLF.
    fn emit_held(&mut self, held: &[u8], to: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let own = if self.tail == Tail::CrLf {
            &held[1..]
        } else {
            held
        };
        self.tail = if held.ends_with(b"\r") {
            Tail::Cr
        } else {
            Tail::Other
        };
        self.emit(own, to)
    }

    fn emit(&mut self, text: &[u8], to: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        self.passed += text.len() as u64;
        to(text)
    }

    /// Does a dot behind this line end mean something? `more` bytes before it are not passed yet.
    fn counts(&self, tail: Tail, more: u64) -> bool {
        match tail {
            Tail::CrLf => true,
            Tail::Lf => self.announced == Some(self.passed + more),
            Tail::Cr | Tail::Other => false,
        }
    }

    /// The line end before `piece[end]`, which may have begun in the piece before.
    fn tail_behind(&self, piece: &[u8], end: usize) -> Tail {
        match piece[..end] {
            [.., b'\r', b'\n'] => Tail::CrLf,
            [b'\n'] if self.tail == Tail::Cr => Tail::CrLf,
            [.., b'\n'] => Tail::Lf,
            [.., b'\r'] => Tail::Cr,
            [] => self.tail,
            _ => Tail::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a server sends for a message that ends in CRLF or is empty, the end marker included.
    fn stuff(message: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut line_start = true;
        for (i, &b) in message.iter().enumerate() {
            if b == b'.' && line_start {
                out.push(b'.');
            }
            out.push(b);
            line_start = b == b'\n' && i > 0 && message[i - 1] == b'\r';
        }
        out.extend_from_slice(b".\r\n");
        out
    }

    /// The message and what was left over, from `sent` cut at the given places.
    fn unstuff(sent: &[u8], cuts: &[usize], announced: Option<u64>) -> Option<(Vec<u8>, Vec<u8>)> {
        let mut unstuffer = Unstuffer::new(announced);
        let mut out = Vec::new();
        let mut from = 0;
        let mut cuts = cuts.to_vec();
        cuts.push(sent.len());
        for cut in cuts {
            let mut take = |piece: &[u8]| {
                out.extend_from_slice(piece);
                Ok(())
            };
            if let Some(n) = unstuffer.push(&sent[from..cut], &mut take).unwrap() {
                return Some((out, sent[from + n..].to_vec()));
            }
            from = cut;
        }
        None
    }

    fn at_every_cut(sent: &[u8], message: &[u8], left: &[u8], announced: Option<u64>) {
        let expected = Some((message.to_vec(), left.to_vec()));
        let single: Vec<usize> = (1..sent.len()).collect();
        assert_eq!(unstuff(sent, &single, announced), expected, "byte by byte");
        for a in 0..=sent.len() {
            for b in a..=sent.len() {
                assert_eq!(
                    unstuff(sent, &[a, b], announced),
                    expected,
                    "cut at {a}, {b}"
                );
            }
        }
    }

    #[test]
    fn messages_cut_anywhere() {
        for (sent, message) in [
            (&b".\r\n"[..], &b""[..]),
            (b"a\r\n.\r\n", b"a\r\n"),
            (b"..\r\n.\r\n", b".\r\n"),
            (b"a\r\n..\r\n...b\r\n.\r\n", b"a\r\n.\r\n..b\r\n"),
            (b"\r\n\r\n.\r\n", b"\r\n\r\n"),
            (b"a\r\r\n.\r\n", b"a\r\r\n"),
            (
                b"a\n.\r\nb\n..c\n.\nd\r\n.\r\n",
                b"a\n.\r\nb\n..c\n.\nd\r\n",
            ),
            (b".\rx\r\n.\r\n", b"\rx\r\n"),
            (b".\r\rx\r\n.\r\n", b"\r\rx\r\n"),
            (b".\n.\r\n\r\n.\r\n", b"\n.\r\n\r\n"),
            (b".a\r\n.\r\n", b"a\r\n"),
            (b"a\r.\r\n.\r\n", b"a\r.\r\n"),
        ] {
            at_every_cut(sent, message, b"", None);
            let more = [sent, b"+OK\r\n"].concat();
            at_every_cut(
                &more,
                message,
                b"+OK\r\n",
                Some(0).filter(|_| message.is_empty()),
            );
        }
    }

    #[test]
    fn a_bare_line_feed_before_the_end_marker_ends_only_where_the_size_says() {
        let sent = b"a\nb\n.\r\n+OK\r\n";
        at_every_cut(sent, b"a\nb\n", b"+OK\r\n", Some(4));
        assert_eq!(unstuff(sent, &[], Some(5)), None);
        assert_eq!(unstuff(sent, &[], None), None);
        let not_the_end = b"ab\n.cd\r\n.\r\n";
        at_every_cut(not_the_end, b"ab\n.cd\r\n", b"", Some(3));
        at_every_cut(b"ab\n.\rd\r\n.\r\n", b"ab\n.\rd\r\n", b"", Some(3));
        at_every_cut(b"ab\n..\r\n.\r\n", b"ab\n..\r\n", b"", Some(3));
    }

    #[test]
    fn without_the_marker_there_is_no_end() {
        for sent in [
            &b"a\r\n."[..],
            b"a\r\n.\r",
            b"a\r\n",
            b"",
            b"a.\r\n",
            b"a\r\n..\r\n",
        ] {
            assert_eq!(unstuff(sent, &[], None), None);
        }
    }

    proptest! {
        #[test]
        fn stuffed_and_unstuffed_is_the_same(
            parts in prop::collection::vec(
                prop::sample::select(vec![&b"."[..], b"\r\n", b"\r", b"\n", b"a", b"..", b"bc\r\n."]), 0..40),
            cuts in prop::collection::vec(0_usize..200, 0..8),
            honest: bool,
        ) {
            let mut message = parts.concat();
            if !message.is_empty() {
                message.extend_from_slice(b"\r\n");
            }
            let sent = [stuff(&message), b"-ERR next\r\n".to_vec()].concat();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(sent.len())).collect();
            cuts.sort_unstable();
            let announced = honest.then_some(message.len() as u64);
            let (out, left) = unstuff(&sent, &cuts, announced).unwrap();
            prop_assert_eq!(out, message);
            prop_assert_eq!(left, b"-ERR next\r\n");
        }
    }
}
