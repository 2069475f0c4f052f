//! A connection, plain or under TLS.

use super::brake::{Brakes, Way};
use super::endpoint::{Endpoint, Security};
use super::socket::{Socket, timed_out};
use super::trace::Tap;
use super::trickle::{Arrived, Trickle};
use super::{Shown, Stream, dial, tls};
use crate::error::{Code, Kind, Result};
use native_tls::TlsStream;
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// The only way to the network: a TCP connection, with TLS done already when the endpoint asks for implicit TLS.
///
/// A read or write that makes no progress within the endpoint's timeout fails with `ErrorKind::TimedOut`; the
/// connection is of no use after a failed write.
pub struct Connection {
    channel: Channel,
    origin: Origin,
}

pub(super) enum Channel {
    Plain(Socket),
    Tls(Box<TlsStream<Socket>>),
}

/// Connects within the endpoint's timeout, trying every address of the host.
///
/// Errors: `Code::Connect` and `Code::Timeout` (`Kind::Transient`), `Code::Tls` (`Kind::Account`), `Code::Job` for a
/// host that cannot be one.
pub fn connect(endpoint: &Endpoint) -> Result<Connection> {
    let connection = plain(endpoint)?;
    if endpoint.security == Security::Tls {
        return connection.start_tls_again(endpoint, &mut || plain(endpoint));
    }
    Ok(connection)
}

/// The certificate that a server with TLS from the first byte shows, trusted or not. Nothing is sent inside TLS.
pub fn certificate(endpoint: &Endpoint) -> Result<Shown> {
    let (socket, _) = plain(endpoint)?.into_plain(endpoint)?;
    tls::shown(socket, endpoint)
}

fn plain(endpoint: &Endpoint) -> Result<Connection> {
    let tap = endpoint.trace.tap(endpoint.end);
    tap.event(format_args!(
        "connecting to {}:{}",
        endpoint.host, endpoint.port
    ));
    let (socket, peer) =
        dial::dial(endpoint).inspect_err(|e| tap.event(format_args!("failed: {e}")))?;
    tap.event(format_args!("connected to {peer}"));
    Ok(Connection {
        channel: Channel::Plain(socket),
        origin: Origin {
            peer,
            read: 0,
            written: 0,
            tap,
            brakes: endpoint.brakes.clone(),
            trickle: Trickle::new(endpoint.minimum_rate, endpoint.timeout),
        },
    })
}

impl Connection {
    /// Does the TLS handshake on a plain connection, for STARTTLS and STLS. The caller has checked that nothing was
    /// received behind the server's go-ahead.
    pub fn start_tls(self, endpoint: &Endpoint) -> Result<Connection> {
        let (socket, origin) = self.into_plain(endpoint)?;
        match tls::handshake(socket, endpoint) {
            Ok(stream) => Ok(origin.secured(stream)),
            Err(e) => {
                origin.tap.event(format_args!("failed: {e}"));
                Err(e)
            }
        }
    }

    /// As [`Connection::start_tls`]; where the certificate is not trusted, `again` makes a second connection that
    /// stands at the same point (nothing secret sent), from which the certificate's fingerprint is read into the
    /// error's hint.
    pub fn start_tls_again(
        self,
        endpoint: &Endpoint,
        again: &mut dyn FnMut() -> Result<Connection>,
    ) -> Result<Connection> {
        let failure = match self.start_tls(endpoint) {
            Err(e) if tls::is_distrust(&e) => e,
            other => return other,
        };
        let seen = again()
            .and_then(|c| c.into_plain(endpoint))
            .and_then(|(socket, _)| tls::fingerprint(socket, endpoint));
        Err(match seen {
            Ok(fingerprint) => tls::with_fingerprint(failure, &fingerprint),
            Err(_) => failure,
        })
    }

    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        matches!(self.channel, Channel::Tls(_))
    }

    /// The peer's IP address, for telling whether two ends are one server.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        Some(self.origin.peer)
    }

    /// Bytes read and written so far, without what TLS adds.
    #[must_use]
    pub fn traffic(&self) -> (u64, u64) {
        (self.origin.read, self.origin.written)
    }

    fn into_plain(self, endpoint: &Endpoint) -> Result<(Socket, Origin)> {
        match self.channel {
            Channel::Plain(socket) => Ok((socket, self.origin)),
            Channel::Tls(_) => {
                Err(endpoint.error(Kind::Internal, Code::Internal, "TLS asked for twice"))
            }
        }
    }

    fn socket(&self) -> &Socket {
        match &self.channel {
            Channel::Plain(socket) => socket,
            Channel::Tls(stream) => stream.get_ref(),
        }
    }

    /// Whatever `work` reads or writes has to end within this time together; how long it took.
    fn within<T>(
        &mut self,
        time: Option<Duration>,
        work: impl FnOnce(&mut Self) -> T,
    ) -> (T, Duration) {
        let started = Instant::now();
        let limit = |connection: &mut Self, until| match &mut connection.channel {
            Channel::Plain(socket) => socket.limit(until),
            Channel::Tls(stream) => stream.get_mut().limit(until),
        };
        limit(self, time.map(|time| started + time));
        let done = work(self);
        limit(self, None);
        (done, started.elapsed())
    }

    /// A wait that ran out: was it the peer's silence, or that it is too slow?
    fn ran_out(
        &self,
        e: io::Error,
        longest: Option<Duration>,
        waited: Duration,
        does: &'static str,
    ) -> io::Error {
        let slow = e.kind() == ErrorKind::WouldBlock && longest.is_some_and(|most| waited >= most);
        if slow {
            return self.origin.trickle.too_slow(does);
        }
        timed_out(e)
    }

    fn write_some(&mut self, buf: &[u8]) -> io::Result<usize> {
        match &mut self.channel {
            Channel::Plain(socket) => socket.write(buf),
            Channel::Tls(stream) => stream.write(buf),
        }
    }

    fn read_some(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let got = match &mut self.channel {
            Channel::Plain(socket) => socket.read(buf),
            Channel::Tls(stream) => stream.read(buf),
        }?;
        self.origin.read += got as u64;
        Ok(got)
    }
}

/// What of a connection outlives its change to TLS.
struct Origin {
    peer: SocketAddr,
    read: u64,
    written: u64,
    tap: Tap,
    trickle: Trickle,
    brakes: Brakes,
}

impl Origin {
    fn secured(self, stream: TlsStream<Socket>) -> Connection {
        self.tap.event(format_args!("TLS"));
        Connection {
            channel: Channel::Tls(Box::new(stream)),
            origin: self,
        }
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        let (read, written) = (self.read, self.written);
        self.tap
            .event(format_args!("closed: {read} bytes read, {written} written"));
    }
}

impl Read for Connection {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let most = self.origin.brakes.piece(buf.len());
        let buf = &mut buf[..most];
        let longest = self.origin.trickle.left();
        let (got, waited) = self.within(longest, |connection| connection.read_some(buf));
        match got {
            Ok(n) if n > 0 => {
                self.origin.trickle.heard(waited, n)?;
                self.origin.brakes.passed(Way::Down, n)?;
                Ok(n)
            }
            Ok(n) => Ok(n),
            Err(e) => Err(self.ran_out(e, longest, waited, "sends")),
        }
    }
}

impl Write for Connection {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let buf = &buf[..self.origin.brakes.piece(buf.len())];
        let longest = self.origin.trickle.longest_write();
        let (put, waited) = self.within(longest, |connection| connection.write_some(buf));
        let put = put.map_err(|e| self.ran_out(e, longest, waited, "takes"))?;
        self.origin.written += put as u64;
        self.origin.trickle.said(waited, put)?;
        self.origin.brakes.passed(Way::Up, put)?;
        Ok(put)
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.channel {
            Channel::Plain(socket) => socket.flush(),
            Channel::Tls(stream) => stream.flush(),
        }
        .map_err(timed_out)
    }
}

impl Stream for Connection {
    fn try_read(&mut self, buf: &mut [u8]) -> io::Result<Option<usize>> {
        self.socket().blocking(false)?;
        let got = self.read_some(buf);
        self.socket().blocking(true)?;
        match got {
            Ok(n) => {
                self.origin.brakes.passed(Way::Down, n)?;
                Ok(Some(n))
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn arrived(&mut self, what: Arrived) {
        self.origin.trickle.arrived(what);
    }

    fn tap(&self) -> Tap {
        self.origin.tap.clone()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("peer", &self.origin.peer)
            .field("encrypted", &self.is_encrypted())
            .finish_non_exhaustive()
    }
}
