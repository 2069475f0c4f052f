//! Connections: connect, TLS and STARTTLS, deadlines.

mod brake;
mod connection;
mod dial;
mod endpoint;
pub mod http;
mod reason;
mod shown;
mod socket;
mod tls;
mod trace;
mod transcript;
mod trickle;

#[cfg(test)]
mod tests;

pub use brake::{Brake, Brakes, Way, says_day_is_used, suggested_wait};
pub use connection::{Connection, certificate, connect};
pub use endpoint::{Endpoint, Security, Trust, loopback};
pub use shown::Shown;
pub use trace::{Tap, Trace};
pub use transcript::Transcript;
pub use trickle::{Arrived, SLOW_HINT, too_slow};

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
