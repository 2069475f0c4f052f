//! A TCP socket whose waits end.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// A TCP stream that takes up again what a signal interrupted: with a timeout set, the system does not restart such
/// calls, and a TLS layer above would take the interruption for a lost connection. A wait that ran out is `WouldBlock`,
/// which the TLS layer expects; [`timed_out`] turns it into what callers expect.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    timeout: Duration,
    until: Option<Instant>,
    /// How long the system waits now.
    armed: Duration,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, timeout: Duration) -> io::Result<Self> {
        // Commands are small and each is waited for: never hold one back for a fuller packet.
        stream.set_nodelay(true)?;
        let mut socket = Socket {
            stream,
            timeout: timeout.max(Duration::from_millis(1)),
            until: None,
            armed: Duration::ZERO,
        };
        socket.start()?;
        Ok(socket)
    }

    /// With `Some`, everything up to [`Socket::limit`]`(None)` together has to end by then: a TLS handshake or record, which a
    /// peer could else draw out byte by byte.
    pub(super) fn limit(&mut self, until: Option<Instant>) {
        self.until = until;
    }

    pub(super) fn blocking(&self, blocking: bool) -> io::Result<()> {
        self.stream.set_nonblocking(!blocking)
    }

    fn start(&mut self) -> io::Result<()> {
        let left = self
            .until
            .map(|until| until.saturating_duration_since(Instant::now()));
        let wait = left.map_or(self.timeout, |left| left.min(self.timeout));
        if wait.is_zero() {
            return Err(ErrorKind::WouldBlock.into());
        }
        if wait != self.armed {
            self.stream.set_read_timeout(Some(wait))?;
            self.stream.set_write_timeout(Some(wait))?;
            self.armed = wait;
        }
        Ok(())
    }
}

impl Read for Socket {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            self.start()?;
            match self.stream.read(buf) {
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }
}

impl Write for Socket {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        loop {
            self.start()?;
            match self.stream.write(buf) {
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a blocking socket reports as `WouldBlock` is that its timeout passed.
pub(super) fn timed_out(e: io::Error) -> io::Error {
    if e.kind() == ErrorKind::WouldBlock {
        return io::Error::new(ErrorKind::TimedOut, "timed out");
    }
    e
}
