//! A token bucket: pure, its clock is the caller's.

use std::sync::Mutex;
use std::time::Duration;

use crate::engine::context::lock;

const SECOND: i128 = 1_000_000_000;

/// Lets `rate` units a second pass, and at most `burst` at once. Shared by all that it holds for.
#[derive(Debug)]
pub(super) struct Bucket {
    rate: i128,
    burst: i128,
    state: Mutex<State>,
}

/// Levels are billionths of a unit, so that nothing is lost by rounding.
#[derive(Debug)]
struct State {
    /// Below zero: what was taken already and has still to be waited for.
    level: i128,
    at: Duration,
}

impl Bucket {
    /// Both at least 1; it begins full.
    pub(super) fn new(rate: u64, burst: u64) -> Self {
        let burst = i128::from(burst.max(1)) * SECOND;
        Bucket {
            rate: i128::from(rate.max(1)),
            burst,
            state: Mutex::new(State {
                level: burst,
                at: Duration::ZERO,
            }),
        }
    }

    /// Takes units at the time `now` (since any fixed moment) and says how long to wait before they may pass. Who waits so never
    /// sees more than `burst + rate × t` pass in any time `t`, however many take at once; they pass in the order of taking.
    pub(super) fn take(&self, units: u64, now: Duration) -> Duration {
        let mut state = lock(&self.state);
        // Threads may come with times that are not quite in order.
        let passed = now.saturating_sub(state.at);
        state.at = state.at.max(now);
        let gained = i128::try_from(passed.as_nanos()).unwrap_or(i128::MAX / self.rate) * self.rate;
        state.level = (state.level + gained).min(self.burst) - i128::from(units) * SECOND;
        let debt = -state.level;
        if debt <= 0 {
            return Duration::ZERO;
        }
        let nanos = (debt + self.rate - 1) / self.rate;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_full_bucket_gives_at_once_and_then_at_its_rate() {
        let bucket = Bucket::new(10, 5);
        let at = Duration::from_secs(7);
        assert_eq!(bucket.take(5, at), Duration::ZERO);
        assert_eq!(bucket.take(1, at), Duration::from_millis(100));
        assert_eq!(bucket.take(9, at), Duration::from_secs(1));
        // It fills up again, to the brim and no further.
        assert_eq!(
            bucket.take(5, at + Duration::from_secs(100)),
            Duration::ZERO
        );
        assert_eq!(
            bucket.take(1, at + Duration::from_secs(100)),
            Duration::from_millis(100)
        );
    }

    #[test]
    fn a_time_before_the_last_one_gains_nothing() {
        let bucket = Bucket::new(1, 1);
        assert_eq!(bucket.take(1, Duration::from_secs(10)), Duration::ZERO);
        assert_eq!(
            bucket.take(1, Duration::from_secs(9)),
            Duration::from_secs(1)
        );
        assert_eq!(
            bucket.take(1, Duration::from_secs(10)),
            Duration::from_secs(2)
        );
    }

    proptest! {
        /// Over any stretch of time, however the takes come, no more than burst + rate × t passes.
        #[test]
        fn never_more_than_burst_and_rate(
            rate in 1_u64..1_000_000,
            burst in 1_u64..1_000_000,
            takes in proptest::collection::vec((0_u64..3_000, 0_u64..500_000), 1..60),
        ) {
            let bucket = Bucket::new(rate, burst);
            let mut now = Duration::ZERO;
            let mut passed: Vec<(Duration, u64)> = Vec::new();
            for (gap, units) in takes {
                now += Duration::from_millis(gap);
                passed.push((now + bucket.take(units, now), units));
            }
            let allowed = |time: Duration| {
                u128::from(burst) * 1_000_000_000 + u128::from(rate) * (time.as_nanos() + 1)
            };
            let mut all = vec![(Duration::ZERO, 0)];
            all.extend(passed);
            for (from, &(start, _)) in all.iter().enumerate() {
                let mut sum = 0_u128;
                for &(end, units) in &all[from + 1..] {
                    sum += u128::from(units) * 1_000_000_000;
                    prop_assert!(sum <= allowed(end - start), "from {start:?} to {end:?}");
                }
            }
        }
    }
}
