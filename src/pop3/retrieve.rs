//! RETR of many messages, pipelined where the server can (RFC 2449 §6.6).

use super::session::Session;
use super::unstuff::Unstuffer;
use crate::error::{Code, Error, Kind, Result};
use crate::net::Flow;
use crate::spool::{Body, BodyWriter, Budget};

/// Commands on their way at most. None is longer than 17 bytes, so that all of them fit into any socket's buffer and
/// sending never waits for a server that itself waits for us to read.
const WINDOW: usize = 256;

impl Session {
    /// Retrieves messages (number, and size in bytes as listed) in the given order and hands each to `on`. A message
    /// that the server refuses is handed on as an error of `Kind::Message`, and the rest goes on.
    ///
    /// The budget is asked for each message before its bytes are read, so `on` must not keep bodies that it waits to
    /// be able to drop. After `Flow::Stop`, or an error of `on`, the session is unusable where answers are still
    /// outstanding (see [`Session::is_usable`]); with no pipelining it stays usable after `Flow::Stop`.
    ///
    /// Errors: a lost connection (`Kind::Transient`; what was handed to `on` is whole and stays good), those of the
    /// budget and of `on`.
    pub fn retrieve(
        &mut self,
        numbers: &[(u32, u64)],
        budget: &Budget,
        on: &mut dyn FnMut(u32, Result<Body>) -> Result<Flow>,
    ) -> Result<()> {
        self.check_in_step()?;
        let mut sent = 0;
        for (at, &(number, size)) in numbers.iter().enumerate() {
            self.in_step = false;
            sent = self.send_ahead(numbers, at, sent)?;
            let outstanding = sent - at - 1;
            let answer = match self.answer(number, size, outstanding, budget) {
                Err(e) if e.code == Code::Protocol => return self.no_answer(number, e, on),
                answer => answer?,
            };
            self.in_step = outstanding == 0;
            if on(number, answer)? == Flow::Stop {
                break;
            }
        }
        Ok(())
    }

    /// What came in place of a message is no answer: that is this message's trouble, and the session is of no use any more. The others come
    /// over another one.
    fn no_answer(
        &mut self,
        number: u32,
        e: Error,
        on: &mut dyn FnMut(u32, Result<Body>) -> Result<Flow>,
    ) -> Result<()> {
        self.in_step = false;
        let transient = Error {
            kind: Kind::Transient,
            ..e.clone()
        };
        let failed = Error {
            kind: Kind::Message,
            ..e
        };
        match on(number, Err(failed))? {
            Flow::Stop => Ok(()),
            Flow::Continue => Err(transient),
        }
    }

    /// Keeps the window at least half full with few, large writes; gives how many commands have been sent.
    fn send_ahead(&mut self, numbers: &[(u32, u64)], at: usize, sent: usize) -> Result<usize> {
        let window = if self.capabilities().pipelining {
            WINDOW
        } else {
            1
        };
        if sent > at + window / 2 || sent == numbers.len() {
            return Ok(sent);
        }
        let until = numbers.len().min(at + window);
        let commands: String = numbers[sent..until]
            .iter()
            .map(|(number, _)| format!("RETR {number}\r\n"))
            .collect();
        self.wire
            .send(commands.as_bytes(), format_args!("asking for messages"))?;
        Ok(until)
    }

    fn answer(
        &mut self,
        number: u32,
        size: u64,
        outstanding: usize,
        budget: &Budget,
    ) -> Result<Result<Body>> {
        let status = self.status(format_args!("waiting for message {number}"))?;
        match status {
            Ok(_) => self.body(number, size, budget.body(size)?).map(Ok),
            Err(refusal) => {
                let e = self.refused(format_args!("RETR {number}"), Kind::Message, &refusal);
                self.still_there(outstanding, &e)?;
                Ok(Err(e))
            }
        }
    }

    fn body(&mut self, number: u32, size: u64, mut writer: BodyWriter) -> Result<Body> {
        let mut unstuffer = Unstuffer::new(Some(size));
        loop {
            let piece = self.wire.piece(format_args!("reading message {number}"))?;
            let (length, end) = (
                piece.len(),
                unstuffer.push(piece, &mut |text| writer.push(text))?,
            );
            self.wire.consume(end.unwrap_or(length));
            if end.is_some() {
                return writer.finish();
            }
        }
    }

    /// A server that goes away says so with `-ERR`, too. That is no judgement of a message, so a refusal counts only
    /// when the session outlives it.
    fn still_there(&mut self, outstanding: usize, said: &Error) -> Result<()> {
        let doing = format_args!("reading on behind a refusal ({said})");
        if outstanding == 0 {
            self.wire.send(b"NOOP\r\n", doing)?;
            return self.status(doing).map(drop);
        }
        self.wire.piece(doing).map(drop)
    }
}
