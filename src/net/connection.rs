//! A connection, plain or under TLS.

use super::endpoint::{Endpoint, Security};
use super::socket::{Socket, timed_out};
use super::{Shown, Stream, dial, tls};
use crate::error::{Code, Kind, Result};
use native_tls::TlsStream;
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;

/// The only way to the network: a TCP connection, with TLS done already when the endpoint asks for implicit TLS.
///
/// A read or write that makes no progress within the endpoint's timeout fails with `ErrorKind::TimedOut`; the
/// connection is of no use after a failed write.
pub struct Connection {
    channel: Channel,
    peer: SocketAddr,
    read: u64,
    written: u64,
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
    let (socket, peer) = dial::dial(endpoint)?;
    Ok(Connection {
        channel: Channel::Plain(socket),
        peer,
        read: 0,
        written: 0,
    })
}

impl Connection {
    /// Does the TLS handshake on a plain connection, for STARTTLS and STLS. The caller has checked that nothing was
    /// received behind the server's go-ahead.
    pub fn start_tls(self, endpoint: &Endpoint) -> Result<Connection> {
        let socket = self.into_plain(endpoint)?;
        tls::handshake(socket.0, endpoint).map(|stream| socket.1.secured(stream))
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
        Some(self.peer)
    }

    /// Bytes read and written so far, without what TLS adds.
    #[must_use]
    pub fn traffic(&self) -> (u64, u64) {
        (self.read, self.written)
    }

    fn into_plain(self, endpoint: &Endpoint) -> Result<(Socket, Origin)> {
        let origin = Origin {
            peer: self.peer,
            read: self.read,
            written: self.written,
        };
        match self.channel {
            Channel::Plain(socket) => Ok((socket, origin)),
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

    fn read_some(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let got = match &mut self.channel {
            Channel::Plain(socket) => socket.read(buf),
            Channel::Tls(stream) => stream.read(buf),
        }?;
        self.read += got as u64;
        Ok(got)
    }
}

/// What of a connection outlives its change to TLS.
struct Origin {
    peer: SocketAddr,
    read: u64,
    written: u64,
}

impl Origin {
    fn secured(self, stream: TlsStream<Socket>) -> Connection {
        Connection {
            channel: Channel::Tls(Box::new(stream)),
            peer: self.peer,
            read: self.read,
            written: self.written,
        }
    }
}

impl Read for Connection {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.read_some(buf).map_err(timed_out)
    }
}

impl Write for Connection {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let put = match &mut self.channel {
            Channel::Plain(socket) => socket.write(buf),
            Channel::Tls(stream) => stream.write(buf),
        }
        .map_err(timed_out)?;
        self.written += put as u64;
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
            Ok(n) => Ok(Some(n)),
            Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(e) => Err(e),
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("peer", &self.peer)
            .field("encrypted", &self.is_encrypted())
            .finish_non_exhaustive()
    }
}
