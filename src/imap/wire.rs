//! The wire: the only buffers between a connection and everything that speaks IMAP on it.

use crate::net::{Arrived, Stream, Tap, Transcript};
use std::io;

/// Bytes that one read may take; large, so that message literals come in large pieces.
const INPUT: usize = 256 * 1024;
/// Bytes that are gathered before they are handed to the system.
const OUTPUT: usize = 64 * 1024;

impl<S: Stream + ?Sized> Stream for Box<S> {
    fn try_read(&mut self, buf: &mut [u8]) -> io::Result<Option<usize>> {
        (**self).try_read(buf)
    }

    fn arrived(&mut self, what: Arrived) {
        (**self).arrived(what);
    }

    fn tap(&self) -> Tap {
        (**self).tap()
    }
}

/// A stream with one buffer for each direction. A read that has to wait first sends what is queued.
pub(super) struct Wire<S = Box<dyn Stream>> {
    stream: S,
    input: Vec<u8>,
    start: usize,
    end: usize,
    output: Vec<u8>,
    queued: u64,
    attempted: u64,
    pub(super) transcript: Transcript,
}

impl<S: Stream> Wire<S> {
    pub(super) fn new(stream: S) -> Self {
        Wire {
            transcript: Transcript::new(stream.tap()),
            stream,
            input: vec![0; INPUT],
            start: 0,
            end: 0,
            output: Vec::new(),
            queued: 0,
            attempted: 0,
        }
    }

    pub(super) fn into_stream(self) -> S {
        self.stream
    }

    /// What was received and not consumed yet.
    pub(super) fn buffered(&self) -> &[u8] {
        &self.input[self.start..self.end]
    }

    pub(super) fn consume(&mut self, bytes: usize) {
        self.start = (self.start + bytes).min(self.end);
    }

    /// See [`Stream::arrived`].
    pub(super) fn arrived(&mut self, what: Arrived) {
        self.stream.arrived(what);
    }

    fn make_room(&mut self) {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        } else if self.end == self.input.len() {
            self.input.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
    }

    /// Waits for more bytes. The end of the stream is `UnexpectedEof`: no IMAP response ends a connection.
    pub(super) fn fill(&mut self) -> io::Result<()> {
        self.flush()?;
        self.make_room();
        let end = self.end;
        match self.stream.read(&mut self.input[end..])? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            n => {
                self.end += n;
                Ok(())
            }
        }
    }

    /// Takes what has arrived, without waiting. Is there anything new?
    pub(super) fn try_fill(&mut self) -> io::Result<bool> {
        self.make_room();
        let end = self.end;
        if end == self.input.len() {
            return Ok(false);
        }
        match self.stream.try_read(&mut self.input[end..])? {
            None => Ok(false),
            Some(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Some(n) => {
                self.end += n;
                Ok(true)
            }
        }
    }

    /// Sends bytes of commands, sooner or later: see [`Wire::flush`].
    pub(super) fn queue(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.transcript.said(bytes);
        self.put(bytes)
    }

    /// As [`Wire::queue`], for bytes of a message.
    pub(super) fn queue_mail(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.transcript.said_mail(bytes.len());
        self.put(bytes)
    }

    /// As [`Wire::queue`], for what nobody may see, now or when the server repeats it.
    pub(super) fn queue_secret(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.transcript.hide(bytes);
        self.queue_elided(bytes)
    }

    /// As [`Wire::queue`], for what is not shown.
    pub(super) fn queue_elided(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.transcript.said_elided();
        self.put(bytes)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.queued += bytes.len() as u64;
        if self.output.len() + bytes.len() > OUTPUT {
            self.send_output()?;
        }
        if bytes.len() >= OUTPUT {
            self.attempted += bytes.len() as u64;
            return self.stream.write_all(bytes);
        }
        self.output.extend_from_slice(bytes);
        Ok(())
    }

    fn send_output(&mut self) -> io::Result<()> {
        if self.output.is_empty() {
            return Ok(());
        }
        self.attempted += self.output.len() as u64;
        let sent = self.stream.write_all(&self.output);
        self.output.clear();
        sent
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        if self.output.is_empty() {
            return Ok(());
        }
        self.send_output()?;
        self.stream.flush()
    }

    /// Would these bytes make the next [`Wire::queue`] write to the system?
    pub(super) fn would_send(&self, bytes: usize) -> bool {
        bytes >= OUTPUT || self.output.len() + bytes > OUTPUT
    }

    /// How many bytes were ever queued.
    pub(super) fn queued(&self) -> u64 {
        self.queued
    }

    /// How many of the queued bytes were handed to the system: any of them may have reached the server.
    pub(super) fn attempted(&self) -> u64 {
        self.attempted
    }
}
