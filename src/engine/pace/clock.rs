//! Time as limits see it; tests bring their own.

use crate::failpoint;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub(super) const DAY: i64 = 86_400;

pub(super) trait Clock: fmt::Debug + Send + Sync {
    /// Since any fixed moment; never goes back.
    fn now(&self) -> Duration;

    /// Unix seconds.
    fn unix(&self) -> i64;

    fn sleep(&self, time: Duration);

    /// Waits until the clock may show `until` (unix seconds), or for a moment: the caller looks again.
    fn doze(&self, until: i64);
}

/// The system's.
#[derive(Debug)]
pub(super) struct System {
    start: Instant,
    /// A test's: unix seconds at the start, and those that were slept away.
    pretended: Option<(i64, AtomicI64)>,
}

impl System {
    pub(super) fn new() -> Self {
        System {
            start: Instant::now(),
            pretended: failpoint::clock().map(|start| (start, AtomicI64::new(0))),
        }
    }
}

impl Clock for System {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn unix(&self) -> i64 {
        if let Some((start, slept)) = &self.pretended {
            return start + slept.load(Ordering::SeqCst);
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
    }

    fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }

    fn doze(&self, until: i64) {
        match &self.pretended {
            Some((start, slept)) => {
                slept.fetch_max(until - start, Ordering::SeqCst);
            }
            None => self.sleep(Duration::from_millis(100)),
        }
    }
}

/// Days since 1970, UTC.
pub(super) fn day(unix: i64) -> i64 {
    unix.div_euclid(DAY)
}

/// A clock that only goes on when it is slept by.
#[cfg(test)]
#[derive(Debug, Default)]
pub(super) struct Fake {
    nanos: std::sync::Mutex<Duration>,
    pub(super) sleeps: std::sync::Mutex<Vec<Duration>>,
}

#[cfg(test)]
impl Clock for Fake {
    fn now(&self) -> Duration {
        *self.nanos.lock().unwrap()
    }

    fn unix(&self) -> i64 {
        i64::try_from(self.now().as_secs()).unwrap()
    }

    fn sleep(&self, time: Duration) {
        *self.nanos.lock().unwrap() += time;
        self.sleeps.lock().unwrap().push(time);
    }

    fn doze(&self, until: i64) {
        let until = Duration::from_secs(u64::try_from(until).unwrap());
        let mut now = self.nanos.lock().unwrap();
        *now = until.max(*now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_end_at_midnight() {
        assert_eq!((day(-1), day(0), day(DAY - 1), day(DAY)), (-1, 0, 0, 1));
    }
}
