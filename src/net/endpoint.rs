//! Where to connect to, and the errors that name it.

use super::brake::Brakes;
use super::trace::Trace;
use super::trickle::{SLOW_HINT, too_slow};
use crate::error::{Code, End, Error, Kind, Result};
use std::io;
use std::net::IpAddr;
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
    /// Bytes a second that have to pass, over twice the timeout, where something is under way; 0: any.
    pub minimum_rate: u64,
    pub trace: Trace,
    /// What all its connections are slowed down by.
    pub brakes: Brakes,
}

impl Endpoint {
    /// Where the job does not say: legal servers were seen below 1 KiB a second.
    pub const MINIMUM_RATE: u64 = 64;

    /// An error that names the end, host and port: `source pop.example:995: WHAT`.
    #[must_use]
    pub fn error(&self, kind: Kind, code: Code, what: &str) -> Error {
        let what = format!("{} {}:{}: {what}", self.end, self.host, self.port);
        Error::new(kind, code, what).at(self.end)
    }

    /// A connection broke while mailhaul was `doing` something (`reading the greeting`): `Code::Timeout` or
    /// `Code::Connect`, both `Kind::Transient`.
    #[must_use]
    pub fn broken(&self, doing: &str, e: &io::Error) -> Error {
        if let Some(slow) = too_slow(e) {
            let what = format!("the server {slow} while {doing}");
            return self
                .error(Kind::Transient, Code::Timeout, &what)
                .hint(SLOW_HINT);
        }
        if matches!(
            e.kind(),
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock
        ) {
            let waited = humantime::format_duration(self.timeout);
            let what = format!("no answer for {waited} while {doing}");
            return self.error(Kind::Transient, Code::Timeout, &what);
        }
        let what = format!("the connection was lost while {doing}");
        self.error(Kind::Transient, Code::Connect, &what)
            .words(e.to_string())
    }

    /// The host as a resolver and a certificate know it: without the brackets of an IPv6 literal.
    pub(super) fn name(&self) -> &str {
        bare(&self.host)
    }

    /// Refuses a host that could not be one, before any resolver sees it.
    pub(super) fn check(&self) -> Result<()> {
        let bad = |c: char| c.is_control() || c.is_whitespace();
        if self.name().is_empty() || self.host.contains(bad) {
            let what = format!(
                "the host of the {} cannot be a host name: {:?}",
                self.end, self.host
            );
            return Err(Error::new(Kind::Job, Code::Job, what).at(self.end));
        }
        Ok(())
    }
}

fn bare(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|h| h.strip_suffix(']'))
        .unwrap_or(host)
}

/// Does `host` (text, as in a job file) mean this machine, so that plain text does not leave it?
#[must_use]
pub fn loopback(host: &str) -> bool {
    let host = bare(host);
    if let Ok(address) = host.parse::<IpAddr>() {
        return address.to_canonical().is_loopback();
    }
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}
