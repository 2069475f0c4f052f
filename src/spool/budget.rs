//! Permits of a byte budget, given out in the order in which they were asked for.

use crate::error::{Code, Error, Kind, Result};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The byte budget over everything in flight. Cheap to clone: one budget shared by all threads of a run.
#[derive(Debug, Clone)]
pub struct Budget {
    shared: Arc<Shared>,
    /// Nanoseconds that were waited for it through this handle and its clones.
    waited: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Shared {
    total: u64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    taken: u64,
    high_water: u64,
    /// Tickets given out, and the one whose turn it is: equal when nobody waits.
    next: u64,
    serving: u64,
    closed: bool,
}

impl Shared {
    /// The state is whole at every unlock, so a thread that panicked has not spoilt it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Budget {
    /// A budget of `bytes`.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        Budget {
            shared: Arc::new(Shared {
                total: bytes,
                state: Mutex::default(),
                changed: Condvar::new(),
            }),
            waited: Arc::default(),
        }
    }

    /// Another handle to the same budget, which tells its own waits by [`Budget::waited`].
    #[must_use]
    pub fn watched(&self) -> Self {
        Budget {
            shared: Arc::clone(&self.shared),
            waited: Arc::default(),
        }
    }

    /// How long was waited for room through this handle and its clones, summed over threads.
    #[must_use]
    pub fn waited(&self) -> Duration {
        Duration::from_nanos(self.waited.load(Ordering::Relaxed))
    }

    /// The size of the whole budget in bytes.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.shared.total
    }

    /// Takes `bytes` (at most the whole budget), waiting its turn. `Kind::Interrupted` once the budget is closed.
    pub(super) fn take(&self, bytes: u64) -> Result<Permit> {
        let bytes = bytes.min(self.shared.total);
        let mut state = self.shared.lock();
        let ticket = state.next;
        state.next += 1;
        let full = |state: &State| {
            !state.closed && (state.serving != ticket || self.shared.total - state.taken < bytes)
        };
        if full(&state) {
            let began = Instant::now();
            let woken = self.shared.changed.wait_while(state, |state| full(state));
            state = woken.unwrap_or_else(PoisonError::into_inner);
            let waited = began.elapsed().as_nanos() as u64;
            self.waited.fetch_add(waited, Ordering::Relaxed);
        }
        if state.closed {
            return Err(Error::new(
                Kind::Interrupted,
                Code::Interrupted,
                "stopped while waiting for memory",
            ));
        }
        state.serving += 1;
        state.taken += bytes;
        state.high_water = state.high_water.max(state.taken);
        drop(state);
        self.shared.changed.notify_all();
        Ok(Permit {
            shared: Arc::clone(&self.shared),
            bytes,
        })
    }

    /// Is somebody waiting for bytes right now? A sink that holds a batch then flushes it.
    #[must_use]
    pub fn starving(&self) -> bool {
        let state = self.shared.lock();
        state.serving != state.next && !state.closed
    }

    /// The most bytes that were ever taken at once.
    #[must_use]
    pub fn high_water(&self) -> u64 {
        self.shared.lock().high_water
    }

    /// Wakes all who wait, for good: from now on [`Budget::body`] fails with `Kind::Interrupted`.
    pub fn close(&self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> u64 {
        let state = self.shared.lock();
        state.next - state.serving
    }

    #[cfg(test)]
    pub(super) fn taken(&self) -> u64 {
        self.shared.lock().taken
    }
}

/// Bytes taken from a budget; dropping it gives them back.
#[derive(Debug)]
pub(super) struct Permit {
    shared: Arc<Shared>,
    bytes: u64,
}

impl Permit {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Gives back what is beyond `bytes`.
    pub(super) fn shrink(&mut self, bytes: u64) {
        let spare = self.bytes.saturating_sub(bytes);
        self.bytes -= spare;
        self.give_back(spare);
    }

    fn give_back(&self, bytes: u64) {
        self.shared.lock().taken -= bytes;
        self.shared.changed.notify_all();
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.give_back(self.bytes);
    }
}
