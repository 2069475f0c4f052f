//! TCP connect: every address of a host, within one deadline.

use super::endpoint::Endpoint;
use super::socket::Socket;
use crate::error::{Code, Error, Kind, Result};
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// An address that others follow is given up after this: a dead IPv6 route must not cost the whole deadline.
const SHARE: Duration = Duration::from_secs(15);

/// A connected socket and the address that answered.
pub(super) fn dial(endpoint: &Endpoint) -> Result<(Socket, SocketAddr)> {
    endpoint.check()?;
    let deadline = Instant::now() + endpoint.timeout;
    let addresses = resolve(endpoint)?;
    let mut failure = io::Error::from(ErrorKind::TimedOut);
    for (i, address) in addresses.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        let last = i + 1 == addresses.len();
        let wait = if last { left } else { left.min(SHARE) };
        match try_address(address, wait, endpoint.timeout) {
            Ok(socket) => return Ok((socket, *address)),
            Err(e) => failure = e,
        }
    }
    Err(unreachable(endpoint, &addresses, &failure))
}

fn try_address(address: &SocketAddr, wait: Duration, timeout: Duration) -> io::Result<Socket> {
    Socket::new(TcpStream::connect_timeout(address, wait)?, timeout)
}

fn resolve(endpoint: &Endpoint) -> Result<Vec<SocketAddr>> {
    let found = (endpoint.name(), endpoint.port).to_socket_addrs();
    let words = match found.map(Iterator::collect::<Vec<_>>) {
        Ok(addresses) if !addresses.is_empty() => return Ok(addresses),
        Ok(_) => "no address".to_owned(),
        Err(e) => e.to_string(),
    };
    Err(endpoint
        .error(Kind::Transient, Code::Connect, "host name not found")
        .words(words)
        .hint("check the spelling of `host`, and that this machine has a network"))
}

fn unreachable(endpoint: &Endpoint, addresses: &[SocketAddr], e: &io::Error) -> Error {
    let (code, why, hint) = match e.kind() {
        ErrorKind::ConnectionRefused => (
            Code::Connect,
            "connection refused",
            "check `port`, and that the server runs and offers this protocol",
        ),
        ErrorKind::TimedOut | ErrorKind::WouldBlock => (
            Code::Timeout,
            "no answer to the connection attempt",
            "check `host` and `port`, and whether a firewall is between",
        ),
        _ => (
            Code::Connect,
            "cannot connect",
            "check `host` and `port`, and that this machine has a network",
        ),
    };
    let tried: Vec<String> = addresses.iter().map(|a| a.ip().to_string()).collect();
    endpoint
        .error(Kind::Transient, code, why)
        .words(format!("{e} (tried {})", tried.join(", ")))
        .hint(hint)
}
