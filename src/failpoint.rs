//! Places where a test kills the process. Without the feature `failpoints` all of this is nothing.
//!
//! Every passing of a place is a step, counted from 1 over the whole process. `MAILHAUL_FAIL_AT=n` aborts at step n, with
//! `MAILHAUL_FAIL_BY=panic` it panics there; `MAILHAUL_FAIL_LOG` names a file that gets a line for each step passed.
//! `MAILHAUL_FAIL_WAIT=seconds` shortens the waits for a server, which are what such tests spend their time with.
//! `MAILHAUL_FAIL_CLOCK=unix-seconds` is the time by which days are counted; it stands still, but for the waits for another day, which
//! then take no time.
//! `MAILHAUL_FAIL_BATCH=messages` makes batches small, so that a few messages are several of them.

#[cfg(feature = "failpoints")]
mod armed {
    use std::fs::OpenOptions;
    use std::io::Write;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    /// Counts a step; `true` if it is the one to die at.
    pub(crate) fn strikes(place: &str) -> bool {
        static PASSED: AtomicU64 = AtomicU64::new(0);
        static AT: OnceLock<Option<u64>> = OnceLock::new();
        let at = AT.get_or_init(|| std::env::var("MAILHAUL_FAIL_AT").ok()?.parse().ok());
        let step = PASSED.fetch_add(1, Ordering::SeqCst) + 1;
        if let Some(path) = std::env::var_os("MAILHAUL_FAIL_LOG") {
            let log = OpenOptions::new().append(true).create(true).open(path);
            // A log that cannot be written shows in the test that reads it.
            // One write, so that lines of threads do not mix.
            let line = format!("{step} {place}\n");
            drop(log.and_then(|mut log| log.write_all(line.as_bytes())));
        }
        *at == Some(step)
    }

    /// A literal is written in three pieces, so that there are places inside it: to its middle, to its last byte, that byte.
    pub(crate) fn piece(len: usize, sent: u64, size: u64) -> usize {
        let next = [size / 2, size.saturating_sub(1)]
            .into_iter()
            .find(|&end| end > sent);
        let room = next.map_or(usize::MAX, |end| {
            usize::try_from(end - sent).unwrap_or(usize::MAX)
        });
        len.min(room)
    }

    pub(crate) fn waiting(usual: Duration) -> Duration {
        let seconds = std::env::var("MAILHAUL_FAIL_WAIT").ok();
        let asked = seconds.and_then(|text| text.parse().ok());
        asked.map_or(usual, |seconds| usual.min(Duration::from_secs(seconds)))
    }

    pub(crate) fn clock() -> Option<i64> {
        std::env::var("MAILHAUL_FAIL_CLOCK").ok()?.parse().ok()
    }

    /// How many messages a batch may hold.
    pub(crate) fn batch(usual: usize) -> usize {
        let messages = std::env::var("MAILHAUL_FAIL_BATCH").ok();
        let asked = messages.and_then(|text| text.parse().ok());
        asked.map_or(usual, |messages: usize| usual.min(messages))
    }

    pub(crate) fn die() -> ! {
        if std::env::var_os("MAILHAUL_FAIL_BY").is_some_and(|by| by == "panic") {
            panic!("a step at which a test wanted a panic");
        }
        std::process::abort()
    }
}

#[cfg(not(feature = "failpoints"))]
mod unarmed {
    #[inline(always)]
    pub(crate) fn strikes(_place: &str) -> bool {
        false
    }

    #[inline(always)]
    pub(crate) fn piece(len: usize, _sent: u64, _size: u64) -> usize {
        len
    }

    #[inline(always)]
    pub(crate) fn waiting(usual: std::time::Duration) -> std::time::Duration {
        usual
    }

    #[inline(always)]
    pub(crate) fn clock() -> Option<i64> {
        None
    }

    #[inline(always)]
    pub(crate) fn batch(usual: usize) -> usize {
        usual
    }

    #[inline(always)]
    pub(crate) fn die() {}
}

#[cfg(feature = "failpoints")]
pub(crate) use armed::{batch, clock, die, piece, strikes, waiting};
#[cfg(not(feature = "failpoints"))]
pub(crate) use unarmed::{batch, clock, die, piece, strikes, waiting};

/// A step at which the process may be killed.
#[inline(always)]
pub(crate) fn pass(place: &str) {
    if strikes(place) {
        die();
    }
}
