//! Clocks around the waits of a run, for `run --explain-time`. Without it there are none.

use crate::outcome::{Spent, Wait};
use rustix::time::{ClockId, clock_gettime};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// What all threads of an account have waited for so far.
#[derive(Debug, Default)]
pub(super) struct Times {
    spent: Mutex<Spent>,
}

impl Times {
    pub(super) fn add(&self, wait: Wait, time: Duration) {
        super::context::lock(&self.spent).add(wait, time);
    }

    /// Does the work; what of it this thread spent waiting counts as `wait`.
    pub(super) fn during<T>(&self, wait: Wait, work: impl FnOnce() -> T) -> T {
        let clock = Clock::start();
        let done = work();
        self.add(wait, clock.waited());
        done
    }

    pub(super) fn count_source(&self) {
        super::context::lock(&self.spent).sources += 1;
    }

    pub(super) fn count_destination(&self) {
        super::context::lock(&self.spent).destinations += 1;
    }

    /// All so far, with the processor time of the process.
    pub(super) fn spent(&self) -> Spent {
        let mut spent = *super::context::lock(&self.spent);
        spent.processor = processor(ClockId::ProcessCPUTime);
        spent
    }
}

/// As [`Times::during`], where there may be no clocks.
pub(super) fn during<T>(times: Option<&Times>, wait: Wait, work: impl FnOnce() -> T) -> T {
    match times {
        Some(times) => times.during(wait, work),
        None => work(),
    }
}

/// Tells waiting from working, for the thread that started it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    began: Instant,
    worked: Duration,
}

impl Clock {
    pub(super) fn start() -> Self {
        Clock {
            began: Instant::now(),
            worked: processor(ClockId::ThreadCPUTime),
        }
    }

    /// The time since the start in which the thread did not run: it waited, or the machine's processors were busy with others.
    pub(super) fn waited(&self) -> Duration {
        let worked = processor(ClockId::ThreadCPUTime).saturating_sub(self.worked);
        self.began.elapsed().saturating_sub(worked)
    }
}

fn processor(clock: ClockId) -> Duration {
    // Neither is negative.
    Duration::try_from(clock_gettime(clock)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleeping_is_waiting() {
        let times = Times::default();
        let nap = Duration::from_millis(30);
        let done = times.during(Wait::Archive, || {
            std::thread::sleep(nap);
            7
        });
        assert_eq!(done, 7);
        assert!(times.spent().on(Wait::Archive) >= nap);
        assert_eq!(times.spent().on(Wait::Source), Duration::ZERO);
    }

    #[test]
    fn working_is_none() {
        let clock = Clock::start();
        let mut sum = 0_u64;
        while processor(ClockId::ThreadCPUTime).saturating_sub(clock.worked)
            < Duration::from_millis(20)
        {
            sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(1));
        }
        let waited = clock.waited();
        assert!(clock.began.elapsed().saturating_sub(waited) >= Duration::from_millis(20));
    }
}
