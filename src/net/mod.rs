//! Connections: connect, TLS and STARTTLS, deadlines.

use crate::error::{End, Result};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::time::Duration;

/// How a connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte (RFC 8314).
    Tls,
    /// In plain text until STARTTLS (RFC 9051 §6.2.1) or STLS (RFC 2595); nothing secret before.
    StartTls,
    Plain,
}

/// Whom to trust.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Trust {
    /// The system's certificate authorities.
    #[default]
    System,
    /// The certificates in this PEM file, and no others.
    CaFile(PathBuf),
    /// The server's certificate has this SHA-256 (of its DER form); nothing else about it counts.
    Pin([u8; 32]),
}

/// Where to connect to, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub end: End,
    pub host: String,
    pub port: u16,
    pub security: Security,
    pub trust: Trust,
    /// The longest wait for any progress at all.
    pub timeout: Duration,
}

/// A connected stream with deadlines: a read or write that makes no progress within the endpoint's timeout fails with
/// `ErrorKind::TimedOut`.
pub trait Stream: Read + Write + Send {
    /// Reads what is there without waiting: `Ok(None)` where nothing is, `Ok(Some(0))` at the end of the stream.
    fn try_read(&mut self, buf: &mut [u8]) -> std::io::Result<Option<usize>>;
}

/// The only way to the network: a TCP connection, with TLS done already when the endpoint asks for implicit TLS.
pub struct Connection {}

/// Connects within the endpoint's timeout, trying every address of the host.
pub fn connect(endpoint: &Endpoint) -> Result<Connection> {
    let _ = endpoint;
    todo!()
}

impl Connection {
    /// Does the TLS handshake on a plain connection, for STARTTLS and STLS. The caller has checked that nothing was
    /// received behind the server's go-ahead.
    pub fn start_tls(self, endpoint: &Endpoint) -> Result<Connection> {
        let _ = endpoint;
        todo!()
    }

    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        todo!()
    }

    /// The peer's IP address, for telling whether two ends are one server.
    #[must_use]
    pub fn peer(&self) -> Option<std::net::SocketAddr> {
        todo!()
    }
}
