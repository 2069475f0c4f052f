//! From nothing to a connection that is ready for a login: greeting, STARTTLS, capabilities (RFC 9051 §7.1, §6.2).

use super::capability::Capabilities;
use super::fault::Peer;
use super::link::{Link, Nothing};
use super::quote::Command;
use super::response::{Line, Status};
use super::wire::Wire;
use crate::error::{Code, Error, Kind, Result};
use crate::net::{self, Connection, Endpoint, Security, Stream, loopback};

/// The longest greeting or answer to STARTTLS, in bytes.
const LINE: usize = 64 * 1024;

/// A connection ready for a login, and whether the server holds it for logged in.
pub(super) struct Opened {
    pub(super) link: Link,
    pub(super) preauth: bool,
    pub(super) encrypted: bool,
    /// Encrypted, or to this very machine.
    pub(super) private: bool,
    pub(super) peer_address: Option<std::net::SocketAddr>,
}

pub(super) fn open(endpoint: &Endpoint) -> Result<Opened> {
    let peer = Peer {
        end: endpoint.end,
        name: format!("{} {}:{}", endpoint.end, endpoint.host, endpoint.port),
    };
    let connection = net::connect(endpoint)?;
    let peer_address = connection.peer();
    if endpoint.security == Security::StartTls {
        let connection = start_tls(connection, &peer, endpoint)?;
        let link = Link::new(Wire::new(Box::new(connection)), peer);
        return Ok(Opened {
            link,
            preauth: false,
            encrypted: true,
            private: true,
            peer_address,
        });
    }
    let encrypted = connection.is_encrypted();
    let mut link = Link::new(Wire::new(Box::new(connection)), peer);
    let preauth = greeting(&mut link)?;
    Ok(Opened {
        link,
        preauth,
        encrypted,
        private: encrypted || loopback(&endpoint.host),
        peer_address,
    })
}

/// Reads the greeting. Is the session authenticated already?
fn greeting(link: &mut Link) -> Result<bool> {
    link.doing = "waiting for the greeting";
    let raw = link.read(&mut Nothing).map_err(silent)?;
    let Some(line) = Line::parse(&raw) else {
        return Err(no_imap(link.protocol("does not greet as an IMAP server")));
    };
    link.note(&line)?;
    match line {
        Line::Untagged(condition) if condition.status == Status::Ok => Ok(false),
        Line::Untagged(condition) if condition.status == Status::Preauth => Ok(true),
        _ => Err(no_imap(link.protocol("does not greet as an IMAP server"))),
    }
}

fn no_imap(error: Error) -> Error {
    error.hint("check `protocol` and `port`")
}

/// A server that waits for TLS says nothing to a client that waits for a greeting.
fn silent(error: Error) -> Error {
    match error.code {
        Code::Connect | Code::Timeout if error.hint.is_none() => error.hint(
            "check `port`; a server that expects TLS from the first byte wants security = \"tls\"",
        ),
        _ => error,
    }
}

/// Greeting and STARTTLS on a wire of their own, which is thrown away with everything it was told in plain text.
fn start_tls(connection: Connection, peer: &Peer, endpoint: &Endpoint) -> Result<Connection> {
    let mut wire = Wire::new(connection);
    plain_greeting(&mut wire, peer)?;
    let send = |wire: &mut Wire<Connection>, bytes: &[u8]| {
        wire.queue(bytes)
            .map_err(|e| peer.io(&e, "asking for STARTTLS", None))
    };
    send(&mut wire, b"s1 STARTTLS\r\n")?;
    loop {
        let line = plain_line(&mut wire, peer)?;
        let raw = super::response::Raw {
            line,
            literals: Vec::new(),
        };
        match Line::parse(&raw) {
            Some(Line::Tagged(b"s1", answer)) if answer.status == Status::Ok => break,
            Some(Line::Tagged(_, answer)) => {
                let words = answer.to_completion().words();
                return Err(peer
                    .tls("refused STARTTLS; nothing secret was sent")
                    .words(words));
            }
            Some(Line::Untagged(c)) if c.status == Status::Bye => {
                return Err(peer.bye(&c.to_completion().words()));
            }
            Some(_) => {}
            None => return Err(peer.protocol("sent something that is no IMAP response")),
        }
    }
    if !wire.buffered().is_empty() {
        return Err(peer.tls(
            "sent bytes behind its go-ahead for TLS: somebody may be tampering with the connection",
        ));
    }
    wire.into_stream().start_tls(endpoint)
}

fn plain_greeting<S: Stream>(wire: &mut Wire<S>, peer: &Peer) -> Result<()> {
    let line = plain_line(wire, peer)?;
    let raw = super::response::Raw {
        line,
        literals: Vec::new(),
    };
    match Line::parse(&raw) {
        Some(Line::Untagged(c)) => match c.status {
            Status::Ok => Ok(()),
            Status::Preauth => {
                Err(peer.tls("is logged in before TLS (PREAUTH), so STARTTLS is not possible"))
            }
            _ => Err(peer.bye(&c.to_completion().words())),
        },
        _ => Err(peer.protocol("does not greet as an IMAP server")),
    }
}

/// A line without CRLF, of the little that is said before TLS.
fn plain_line<S: Stream>(wire: &mut Wire<S>, peer: &Peer) -> Result<Vec<u8>> {
    loop {
        if let Some(at) = memchr::memchr(b'\n', wire.buffered()) {
            let line = wire.buffered()[..at].trim_ascii_end().to_vec();
            wire.consume(at + 1);
            wire.transcript.heard(&line);
            return Ok(line);
        }
        if wire.buffered().len() > LINE {
            return Err(peer.protocol("sent a line without end"));
        }
        wire.fill()
            .map_err(|e| peer.io(&e, "asking for STARTTLS", None))?;
    }
}

/// Asks for the capabilities unless they were told.
pub(super) fn capabilities(link: &mut Link) -> Result<Capabilities> {
    link.doing = "asking for capabilities";
    if link.state.capabilities.is_none() {
        let answer = link.run(&Command::new("CAPABILITY"), &mut Nothing)?;
        if !answer.is_ok() {
            return Err(link.peer.refused(&answer, "CAPABILITY", Kind::Account));
        }
    }
    Ok(link.state.capabilities.clone().unwrap_or_default())
}
