//! A peer that makes progress, but so little that waiting for it would never end.
//!
//! A deadline for each read or write lets a byte a minute pass for ever. So what takes long is measured: once something has begun, be it
//! a line, a message or our own bytes on their way out, at least [`Trickle::least`] bytes have to pass in a [`Trickle::window`] of waiting. What
//! is not waited for does not count, nor does the wait for the first byte, for which there is the deadline; and a server that only says that
//! it is still there, in whole lines, may do so for [`PATIENT`] windows.

use std::fmt;
use std::io::{self, ErrorKind};
use std::time::Duration;

/// Windows without an answer, or so many bytes, after which a server that only talks counts as too slow.
const PATIENT: u32 = 12;

/// What has come in whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrived {
    /// A line, or a literal.
    Part,
    /// The answer to a command.
    Answer,
}

/// What is counted of one connection.
#[derive(Debug)]
pub(super) struct Trickle {
    /// Bytes a second; 0: any.
    rate: u64,
    window: Duration,
    part: Meter,
    answer: Meter,
    out: Meter,
}

#[derive(Debug, Default)]
struct Meter {
    waited: Duration,
    bytes: u64,
}

impl Meter {
    /// Was it quick enough? What begins afresh begins with the end of its first read or write.
    fn took(&mut self, waited: Duration, bytes: u64, least: u64, window: Duration) -> bool {
        if self.bytes > 0 {
            self.waited += waited;
        }
        self.bytes += bytes;
        if self.bytes >= least {
            *self = Meter::default();
        }
        self.waited < window
    }
}

impl Trickle {
    /// `timeout`: the longest wait for any progress. The window is twice that, so that a peer may pause once and still be quick enough.
    pub(super) fn new(rate: u64, timeout: Duration) -> Self {
        Trickle {
            rate,
            window: timeout * 2,
            part: Meter::default(),
            answer: Meter::default(),
            out: Meter::default(),
        }
    }

    fn least(&self) -> u64 {
        self.rate.saturating_mul(self.window.as_secs()).max(1)
    }

    /// How long a read may take; `None`: as long as its own deadline allows.
    pub(super) fn left(&self) -> Option<Duration> {
        let part = self.window.saturating_sub(self.part.waited);
        let answer = (self.window * PATIENT).saturating_sub(self.answer.waited);
        (self.rate > 0).then(|| part.min(answer).max(Duration::from_millis(1)))
    }

    /// How long a write may take, which is one record of TLS at most.
    pub(super) fn longest_write(&self) -> Option<Duration> {
        (self.rate > 0).then_some(self.window)
    }

    /// So many bytes were read after a wait.
    pub(super) fn heard(&mut self, waited: Duration, bytes: usize) -> io::Result<()> {
        let (least, window) = (self.least(), self.window);
        let part = self.part.took(waited, bytes as u64, least, window);
        let answer = self
            .answer
            .took(waited, bytes as u64, least, window * PATIENT);
        self.judge(part && answer, "sends")
    }

    /// So many bytes were written after a wait.
    pub(super) fn said(&mut self, waited: Duration, bytes: usize) -> io::Result<()> {
        let (least, window) = (self.least(), self.window);
        let quick = self.out.took(waited, bytes as u64, least, window);
        self.judge(quick, "takes")
    }

    pub(super) fn arrived(&mut self, what: Arrived) {
        self.part = Meter::default();
        if what == Arrived::Answer {
            self.answer = Meter::default();
        }
    }

    fn judge(&self, quick: bool, does: &'static str) -> io::Result<()> {
        if quick || self.rate == 0 {
            return Ok(());
        }
        Err(self.too_slow(does))
    }

    pub(super) fn too_slow(&self, does: &'static str) -> io::Error {
        let rate = self.rate;
        io::Error::new(ErrorKind::TimedOut, TooSlow { does, rate })
    }
}

/// Why a connection was given up that was not silent.
#[derive(Debug)]
struct TooSlow {
    does: &'static str,
    rate: u64,
}

impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} less than {} bytes a second", self.does, self.rate)
    }
}

impl std::error::Error for TooSlow {}

/// What to try where [`too_slow`] says something.
pub const SLOW_HINT: &str = "for a server that is always so slow set minimum-rate lower, or 0";

/// Was the peer too slow? What it does: `sends less than 64 bytes a second`.
#[must_use]
pub fn too_slow(e: &io::Error) -> Option<String> {
    let inner = e.get_ref()?;
    inner.is::<TooSlow>().then(|| inner.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A window of 10 seconds, 640 bytes.
    fn peer() -> Trickle {
        Trickle::new(64, 5 * SECOND)
    }

    #[test]
    fn a_trickle_is_too_slow_and_a_thin_line_is_not() {
        let mut trickle = peer();
        let seconds = (1..).find(|_| trickle.heard(SECOND, 1).is_err());
        assert_eq!(seconds, Some(11));
        let mut thin = peer();
        assert!((0..1000).all(|_| thin.heard(SECOND, 65).is_ok()));
        let mut out = peer();
        let wrong = (0..100).find_map(|_| out.said(SECOND, 10).err());
        assert_eq!(
            too_slow(&wrong.unwrap()).unwrap(),
            "takes less than 64 bytes a second"
        );
    }

    #[test]
    fn a_long_pause_before_the_first_byte_is_not_counted() {
        let mut peer = peer();
        peer.heard(100 * SECOND, 1).unwrap();
        assert_eq!(peer.left(), Some(10 * SECOND));
        peer.heard(4 * SECOND, 1).unwrap();
        assert_eq!(peer.left(), Some(6 * SECOND));
        peer.heard(SECOND, 638).unwrap();
        assert_eq!(peer.left(), Some(10 * SECOND));
    }

    #[test]
    fn whole_lines_may_come_slowly_but_not_for_ever() {
        let mut peer = peer();
        let mut line = || {
            peer.heard(5 * SECOND, 30)?;
            peer.arrived(Arrived::Part);
            Ok::<_, io::Error>(())
        };
        let lines = (0..100).take_while(|_| line().is_ok()).count();
        // 640 bytes are there sooner than 12 windows of them are over.
        assert_eq!(lines, 100);
        peer.arrived(Arrived::Answer);
        let mut word = || {
            peer.heard(5 * SECOND, 2)?;
            peer.arrived(Arrived::Part);
            Ok::<_, io::Error>(())
        };
        let words = (0..100).take_while(|_| word().is_ok()).count();
        assert!((20..30).contains(&words), "{words}");
    }

    #[test]
    fn any_pace_will_do_where_the_job_says_so() {
        let mut peer = Trickle::new(0, SECOND);
        assert!((0..1000).all(|_| peer.heard(SECOND, 0).is_ok()));
        assert_eq!((peer.left(), peer.longest_write()), (None, None));
    }
}
