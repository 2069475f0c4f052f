//! The vetting filter: what the `imap` crate, which serves as control plane, gets to see of the wire.
//!
//! The crate panics at an untagged NO while it selects, falls out of step for good at responses that its grammar does
//! not know, and rejects 8-bit text. So it sees only what ends its commands — tagged lines rebuilt in ASCII —, never more than
//! one line a read. Every untagged response is read by our own scanner and
//! kept in [`State`](super::state::State); the server's words are kept raw in [`Gate::answer`].

use super::link::{Link, Nothing};
use super::response::{Completion, Line, Raw, Status};
use crate::error::Error;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The crate's side of a [`Link`].
pub(super) struct Gate {
    pub(super) link: Link,
    /// How the crate's last command ended, raw.
    pub(super) answer: Option<Completion>,
    /// Why the crate's last command did not end.
    pub(super) failure: Option<Error>,
    /// The login is done already: the crate's next command is swallowed and answered with OK.
    pub(super) pretend: bool,
    vetted: Vec<u8>,
}

/// A shared handle on the connection, given to the `imap` crate as its stream.
#[derive(Clone)]
pub(super) struct Handle(Arc<Mutex<Gate>>);

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Handle")
    }
}

impl Handle {
    pub(super) fn new(link: Link) -> Self {
        Handle(Arc::new(Mutex::new(Gate {
            link,
            answer: None,
            failure: None,
            pretend: false,
            vetted: Vec::new(),
        })))
    }

    /// The lock is never contended: a session has one owner, and the crate works only while that owner waits for it.
    pub(super) fn gate(&self) -> MutexGuard<'_, Gate> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gate {
    /// Readies the gate for the crate's next command.
    pub(super) fn begin(&mut self, doing: &'static str) {
        self.answer = None;
        self.failure = None;
        self.vetted.clear();
        self.link.doing = doing;
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if !self.pretend {
            return self.link.queue(bytes);
        }
        let tag = bytes.split(|b| *b == b' ').next().unwrap_or_default();
        if tag.len() > 1 && tag.len() < bytes.len() {
            self.vetted = [tag, b" OK done\r\n"].concat();
        }
        Ok(())
    }

    fn read(&mut self, buf: &mut [u8]) -> Result<usize, Error> {
        while self.vetted.is_empty() {
            let raw = self.link.read(&mut Nothing)?;
            self.vet(&raw)?;
        }
        let len = buf.len().min(self.vetted.len());
        buf[..len].copy_from_slice(&self.vetted[..len]);
        self.vetted.drain(..len);
        Ok(len)
    }

    fn vet(&mut self, raw: &Raw) -> Result<(), Error> {
        let Some(line) = Line::parse(raw) else {
            return Err(self
                .link
                .protocol("sent something that is no IMAP response"));
        };
        self.link.note(&line)?;
        match line {
            Line::Tagged(tag, condition) => {
                let status = ascii_status(condition.status);
                self.answer = Some(condition.to_completion());
                if !tag.iter().all(u8::is_ascii_alphanumeric) {
                    return Err(self.link.protocol("answered a command that was not asked"));
                }
                self.vetted = [tag, b" ", status, b" done\r\n"].concat();
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn ascii_status(status: Status) -> &'static [u8] {
    match status {
        Status::Ok => b"OK",
        Status::No => b"NO",
        Status::Bye | Status::Bad | Status::Preauth => b"BAD",
    }
}

fn keep<T>(failure: &mut Option<Error>, result: Result<T, Error>) -> io::Result<T> {
    result.map_err(|e| {
        let told = io::Error::other(e.to_string());
        *failure = Some(e);
        told
    })
}

impl Read for Handle {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut gate = self.gate();
        let read = gate.read(buf);
        keep(&mut gate.failure, read)
    }
}

impl Write for Handle {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let mut gate = self.gate();
        let written = gate.write(buf).map(|()| buf.len());
        keep(&mut gate.failure, written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut gate = self.gate();
        let flushed = gate.link.flush();
        keep(&mut gate.failure, flushed)
    }
}
