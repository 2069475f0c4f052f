//! LIST, UIDL and TOP (RFC 1939 §5, §7).

use super::session::{Session, number};
use super::unstuff::Unstuffer;
use crate::error::{Kind, Result};

/// No listing is longer: that would be more than two million messages.
const LISTING_BYTES: usize = 128 * 1024 * 1024;

/// Message numbers and their unique ids (bytes).
pub type UniqueIds = Vec<(u32, Vec<u8>)>;

impl Session {
    /// Message numbers and sizes in bytes, as the server lists them: sizes may be wrong.
    pub fn list(&mut self) -> Result<Vec<(u32, u64)>> {
        self.command(format_args!("LIST"), Kind::Account)?;
        let mut listed = Vec::new();
        for line in self.lines("LIST")? {
            let mut words = line
                .split(u8::is_ascii_whitespace)
                .filter(|w| !w.is_empty());
            let entry = words.next().and_then(message_number);
            match (entry, words.next().and_then(number)) {
                (Some(message), Some(size)) => listed.push((message, size)),
                _ => return Err(self.wire.protocol("a line of LIST", &line)),
            }
        }
        Ok(listed)
    }

    /// Message numbers and unique ids (bytes), in the order of numbers; `None` where the server has no UIDL. A message
    /// whose id is empty is left out, of several lines for one number the first counts; nothing is said about the ids
    /// being distinct or of the length that the RFC wants.
    pub fn uidl(&mut self) -> Result<Option<UniqueIds>> {
        if let Err(refusal) = self.ask(format_args!("UIDL"))? {
            return match refusal.not_now(self.wire.endpoint(), None) {
                Some(e) => Err(e),
                None => Ok(None),
            };
        }
        let mut listed = Vec::new();
        for line in self.lines("UIDL")? {
            let text = line.trim_ascii();
            let end = memchr::memchr2(b' ', b'\t', text).unwrap_or(text.len());
            let Some(message) = message_number(&text[..end]) else {
                return Err(self.wire.protocol("a line of UIDL", &line));
            };
            let id = text[end..].trim_ascii();
            if !id.is_empty() {
                listed.push((message, id.to_vec()));
            }
        }
        listed.sort_by_key(|(message, _)| *message);
        listed.dedup_by_key(|(message, _)| *message);
        Ok(Some(listed))
    }

    /// The header and the first `lines` lines of the body (bytes, CRLF), cut after `max_bytes`. Some servers send the
    /// whole message, some leave something out: good for comparing, not for keeping. `Kind::Message` where refused.
    pub fn top(&mut self, number: u32, lines: u32, max_bytes: usize) -> Result<Vec<u8>> {
        self.command(format_args!("TOP {number} {lines}"), Kind::Message)?;
        self.in_step = false;
        let mut unstuffer = Unstuffer::new(None);
        let mut top = Vec::new();
        loop {
            let piece = self
                .wire
                .piece(format_args!("reading the top of message {number}"))?;
            let mut keep = |text: &[u8]| {
                let room = max_bytes - top.len();
                top.extend_from_slice(&text[..text.len().min(room)]);
                Ok(())
            };
            let (length, end) = (piece.len(), unstuffer.push(piece, &mut keep)?);
            self.wire.consume(end.unwrap_or(length));
            if end.is_some() {
                self.in_step = true;
                return Ok(top);
            }
        }
    }

    fn lines(&mut self, what: &str) -> Result<Vec<Vec<u8>>> {
        self.in_step = false;
        let lines = self
            .wire
            .lines(LISTING_BYTES, format_args!("reading {what}"))?;
        self.in_step = true;
        Ok(lines)
    }
}

fn message_number(word: &[u8]) -> Option<u32> {
    u32::try_from(number(word)?).ok().filter(|&n| n > 0)
}
