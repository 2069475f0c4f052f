//! A session after login: one command, one answer.

use super::capability::Capabilities;
use super::open;
use super::reply::{Refusal, Reply};
use super::wire::Wire;
use crate::auth::{Credentials, Mechanism, with_fresh_secret};
use crate::error::{Code, Error, Kind, Result};
use crate::net::Endpoint;
use std::fmt::Arguments;
use std::net::SocketAddr;

/// A logged-in POP3 session. It holds the maildrop's lock; nothing is deleted before [`Session::quit`] was answered.
///
/// Once a retrieval was stopped or failed in the middle of answers the session can do nothing more: every call then
/// fails with `Kind::Transient`.
pub struct Session {
    pub(super) wire: Wire,
    capabilities: Capabilities,
    signed_in_by: Mechanism,
    /// False while answers are outstanding that nobody will read.
    pub(super) in_step: bool,
}

impl Session {
    /// Connects, sets up TLS as the endpoint says, logs in, and learns the capabilities anew after each.
    ///
    /// Errors: those of [`crate::net::connect`]; `Code::Tls` where STLS is not offered or refused, before anything
    /// secret is sent; `Code::Auth` (`Kind::Account`) where the server refuses the login; `Code::Throttled` where
    /// another session holds the maildrop or logins come too often (RFC 2449 §8.1); `Code::Protocol`.
    pub fn open(endpoint: &Endpoint, credentials: &Credentials) -> Result<Session> {
        with_fresh_secret(credentials, |secret| {
            open::open(endpoint, credentials, secret)
        })
        .map_err(|e| e.at(endpoint.end))
    }

    pub(super) fn new(wire: Wire, capabilities: Capabilities, by: Mechanism) -> Self {
        Session {
            wire,
            capabilities,
            signed_in_by: by,
            in_step: true,
        }
    }

    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    #[must_use]
    pub fn signed_in_by(&self) -> Mechanism {
        self.signed_in_by
    }

    /// The server's address, for telling whether two ends are one server.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.wire.connection().peer()
    }

    /// Bytes read and written so far, without what TLS adds.
    #[must_use]
    pub fn traffic(&self) -> (u64, u64) {
        self.wire.connection().traffic()
    }

    /// Can the session still take commands?
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.in_step
    }

    /// How many messages, and how many bytes in all (RFC 1939 §5).
    pub fn stat(&mut self) -> Result<(u32, u64)> {
        let text = self.command(format_args!("STAT"), Kind::Account)?;
        let mut numbers = text.split(|&b| b == b' ').filter(|word| !word.is_empty());
        let mut next = || number(numbers.next()?);
        match (next(), next()) {
            (Some(count), Some(octets)) if u32::try_from(count).is_ok() => {
                Ok((u32::try_from(count).unwrap_or(u32::MAX), octets))
            }
            _ => Err(self.wire.protocol("the answer to STAT", &text)),
        }
    }

    /// Marks a message for deletion; [`Session::quit`] deletes (RFC 1939 §5).
    pub fn dele(&mut self, number: u32) -> Result<()> {
        self.command(format_args!("DELE {number}"), Kind::Message)
            .map(drop)
    }

    pub fn noop(&mut self) -> Result<()> {
        self.command(format_args!("NOOP"), Kind::Account).map(drop)
    }

    /// Takes all marks for deletion off.
    pub fn rset(&mut self) -> Result<()> {
        self.command(format_args!("RSET"), Kind::Account).map(drop)
    }

    /// Ends the session. Only when this is `Ok` are the messages deleted that were marked (RFC 1939 §6); after an
    /// error some, all or none of them may be.
    pub fn quit(mut self) -> Result<()> {
        self.command(format_args!("QUIT"), Kind::Folder).map(drop)
    }

    /// Sends a command and gives the text of its `+OK`; `-ERR` becomes an error of the given kind.
    pub(super) fn command(&mut self, command: Arguments<'_>, kind: Kind) -> Result<Vec<u8>> {
        self.ask(command)?
            .map_err(|refusal| self.refused(command, kind, &refusal))
    }

    /// Sends a command and gives its answer's status line.
    pub(super) fn ask(&mut self, command: Arguments<'_>) -> Result<Result<Vec<u8>, Refusal>> {
        self.check_in_step()?;
        self.wire.send(
            format!("{command}\r\n").as_bytes(),
            format_args!("sending {command}"),
        )?;
        self.status(format_args!("waiting for the answer to {command}"))
    }

    pub(super) fn status(&mut self, doing: Arguments<'_>) -> Result<Result<Vec<u8>, Refusal>> {
        match self.wire.reply(doing) {
            Ok(Reply::Ok(text)) => Ok(Ok(text)),
            Ok(Reply::No(refusal)) => Ok(Err(refusal)),
            Ok(Reply::More(_)) => {
                self.in_step = false;
                Err(self.wire.protocol("a status line", b"+"))
            }
            Err(e) => {
                self.in_step = false;
                Err(e)
            }
        }
    }

    pub(super) fn refused(&self, command: Arguments<'_>, kind: Kind, refusal: &Refusal) -> Error {
        let what = format!("the server refuses {command}");
        self.wire
            .endpoint()
            .error(kind, Code::Refused, &what)
            .words(refusal.words())
    }

    pub(super) fn check_in_step(&self) -> Result<()> {
        if self.in_step {
            return Ok(());
        }
        let what = "the session was given up in the middle of an answer";
        let endpoint = self.wire.endpoint();
        Err(endpoint.error(Kind::Transient, Code::Connect, what))
    }
}

/// Decimal digits and nothing else.
pub(super) fn number(word: &[u8]) -> Option<u64> {
    if !word.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(word).ok()?.parse().ok()
}
