//! Lines and pieces over a connection, out of one buffer.

use super::reply::Reply;
use crate::error::{Code, Error, Kind, Result};
use crate::net::{Arrived, Connection, Endpoint, Stream, Transcript};
use std::fmt::Arguments;
use std::io::{ErrorKind, Read, Write};

/// Bytes asked of the connection at once: large pieces make retrieval fast.
const BUFFER: usize = 128 * 1024;

/// No line of an answer is longer; RFC 2449 §4 allows 512 bytes, servers take more for their banner.
const LINE: usize = 8 * 1024;

/// The two directions of a connection. `doing` everywhere says what goes on, for errors: "reading message 5".
pub(super) struct Wire {
    connection: Connection,
    endpoint: Endpoint,
    buffer: Vec<u8>,
    from: usize,
    to: usize,
    pub(super) transcript: Transcript,
}

impl Wire {
    pub(super) fn new(connection: Connection, endpoint: Endpoint) -> Self {
        Wire {
            transcript: Transcript::new(connection.tap()),
            connection,
            endpoint,
            buffer: vec![0; BUFFER],
            from: 0,
            to: 0,
        }
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The connection itself, which only goes while no received byte is left here.
    pub(super) fn into_connection(self) -> Option<Connection> {
        (self.from == self.to).then_some(self.connection)
    }

    pub(super) fn send(&mut self, bytes: &[u8], doing: Arguments<'_>) -> Result<()> {
        self.transcript.said(bytes);
        self.put(bytes, doing)
    }

    /// As [`Wire::send`] for one line, of which a trace does not show what is behind `shown`.
    pub(super) fn send_elided(
        &mut self,
        shown: &[u8],
        bytes: &[u8],
        doing: Arguments<'_>,
    ) -> Result<()> {
        self.transcript.said(shown);
        self.transcript.said_elided();
        self.transcript.said(b"\r\n");
        self.put(bytes, doing)
    }

    fn put(&mut self, bytes: &[u8], doing: Arguments<'_>) -> Result<()> {
        self.connection
            .write_all(bytes)
            .and_then(|()| self.connection.flush())
            .map_err(|e| self.endpoint.broken(&doing.to_string(), &e))
    }

    /// The next line without its CRLF (or LF).
    pub(super) fn line(&mut self, doing: Arguments<'_>) -> Result<Vec<u8>> {
        loop {
            let held = &self.buffer[self.from..self.to];
            if let Some(end) = memchr::memchr(b'\n', held) {
                let line = held[..end].strip_suffix(b"\r").unwrap_or(&held[..end]);
                let line = line.to_vec();
                self.from += end + 1;
                self.transcript.heard(&line);
                self.connection.arrived(Arrived::Part);
                return Ok(line);
            }
            if held.len() > LINE {
                return Err(self.protocol("a line without end", held));
            }
            self.fill(doing)?;
        }
    }

    /// The next status line.
    pub(super) fn reply(&mut self, doing: Arguments<'_>) -> Result<Reply> {
        let line = self.line(doing)?;
        self.connection.arrived(Arrived::Answer);
        Reply::parse(&line).ok_or_else(|| self.protocol("a status line", &line))
    }

    /// The lines of a multi-line answer (RFC 1939 §3), of `limit` bytes at most, each without its line end and without
    /// the dot that the server put in front of another.
    pub(super) fn lines(&mut self, limit: usize, doing: Arguments<'_>) -> Result<Vec<Vec<u8>>> {
        let mut lines = Vec::new();
        let mut bytes = 0;
        loop {
            let line = self.line(doing)?;
            let line = match line.strip_prefix(b".") {
                Some([]) => return Ok(lines),
                Some(stuffed) => stuffed.to_vec(),
                None => line,
            };
            // An endless row of short lines counts as what it takes to hold it.
            bytes += line.len().max(size_of::<Vec<u8>>()) + 2;
            if bytes > limit {
                return Err(self.protocol("an answer without end", &line));
            }
            lines.push(line);
        }
    }

    /// Received bytes that are not consumed yet, at least one.
    pub(super) fn piece(&mut self, doing: Arguments<'_>) -> Result<&[u8]> {
        if self.from == self.to {
            self.fill(doing)?;
        }
        Ok(&self.buffer[self.from..self.to])
    }

    /// Of what [`Wire::piece`] gave, so many bytes of mail are seen to.
    pub(super) fn consume(&mut self, bytes: usize) {
        self.transcript.heard_mail(bytes as u64);
        self.from = (self.from + bytes).min(self.to);
    }

    /// The server sent something that is not POP3.
    pub(super) fn protocol(&self, what: &str, got: &[u8]) -> Error {
        let what = format!("the server does not speak POP3: {what}");
        let got = &got[..got.len().min(200)];
        self.endpoint
            .error(Kind::Account, Code::Protocol, &what)
            .words(String::from_utf8_lossy(got))
    }

    fn fill(&mut self, doing: Arguments<'_>) -> Result<()> {
        self.buffer.copy_within(self.from..self.to, 0);
        self.to -= self.from;
        self.from = 0;
        let got = match self.connection.read(&mut self.buffer[self.to..]) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            other => other,
        };
        self.to += got.map_err(|e| self.endpoint.broken(&doing.to_string(), &e))?;
        Ok(())
    }
}
