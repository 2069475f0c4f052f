//! Connections: connect, TLS and STARTTLS, deadlines.

mod connection;
mod dial;
mod endpoint;
pub mod http;
mod pace;
mod reason;
mod socket;
mod tls;
mod trace;
mod transcript;

#[cfg(test)]
mod tests;

pub use connection::{Connection, certificate, connect};
pub use endpoint::{Endpoint, Security, Trust, loopback};
pub use pace::{Arrived, SLOW_HINT, too_slow};
pub use trace::{Tap, Trace};
pub use transcript::Transcript;

use std::io::{Read, Write};

/// A connected stream with deadlines: a read or write that makes no progress within the endpoint's timeout fails with
/// `ErrorKind::TimedOut`.
pub trait Stream: Read + Write + Send {
    /// Reads what is there without waiting: `Ok(None)` where nothing is, `Ok(Some(0))` at the end of the stream.
    fn try_read(&mut self, buf: &mut [u8]) -> std::io::Result<Option<usize>>;

    /// Something that was waited for has come in whole: the measure of what is too slow begins anew.
    fn arrived(&mut self, _what: Arrived) {}

    /// Where what is said on it is written down.
    fn tap(&self) -> Tap {
        Tap::default()
    }
}

/// What a consumer of a stream of messages answers to each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    Continue,
    /// No more messages are wanted.
    Stop,
}
