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
    /// For what is held back until its turn comes: [`Budget::behind`].
    behind: Option<Arc<Mutex<Behind>>>,
}

/// What was taken by somebody whose turn has perhaps not come yet. Locked only under the budget's own lock.
#[derive(Debug, Default)]
struct Behind {
    taken: u64,
    come: bool,
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
    /// Of `taken`, what those hold whose turn has not come.
    held_back: u64,
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
            behind: None,
        }
    }

    /// Another handle to the same budget, which tells its own waits by [`Budget::waited`].
    #[must_use]
    pub fn watched(&self) -> Self {
        Budget {
            waited: Arc::default(),
            ..self.clone()
        }
    }

    /// How long was waited for room through this handle and its clones, summed over threads.
    #[must_use]
    pub fn waited(&self) -> Duration {
        Duration::from_nanos(self.waited.load(Ordering::Relaxed))
    }

    /// Waits while the state is so, and counts how long.
    fn wait_while<'s>(
        &'s self,
        state: MutexGuard<'s, State>,
        is_so: impl Fn(&State) -> bool,
    ) -> MutexGuard<'s, State> {
        if !is_so(&state) {
            return state;
        }
        let began = Instant::now();
        let woken = self.shared.changed.wait_while(state, |state| is_so(state));
        let waited = began.elapsed().as_nanos() as u64;
        self.waited.fetch_add(waited, Ordering::Relaxed);
        woken.unwrap_or_else(PoisonError::into_inner)
    }

    /// The same budget for one whose messages are held back until those before it are done: until [`Budget::come`] it and all
    /// others like it take half of the whole at most, so that whoever is waited for always finds room.
    #[must_use]
    pub fn behind(&self) -> Self {
        Budget {
            behind: Some(Arc::default()),
            ..self.clone()
        }
    }

    /// The turn of one that was held back has come: it takes as everybody does from now on.
    pub fn come(&self) {
        let Some(behind) = &self.behind else { return };
        let mut state = self.shared.lock();
        let mut behind = held(behind);
        if !std::mem::replace(&mut behind.come, true) {
            state.held_back -= behind.taken;
        }
        drop(behind);
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Waits until one that is held back may take so much more, and counts it.
    fn take_behind<'s>(
        &'s self,
        state: MutexGuard<'s, State>,
        bytes: u64,
    ) -> MutexGuard<'s, State> {
        let Some(behind) = &self.behind else {
            return state;
        };
        let most = self.shared.total / 2;
        let mut state = self.wait_while(state, |state| {
            !state.closed && !held(behind).come && state.held_back + bytes > most
        });
        let mut behind = held(behind);
        behind.taken += bytes;
        if !behind.come {
            state.held_back += bytes;
        }
        drop(behind);
        state
    }

    /// The size of the whole budget in bytes.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.shared.total
    }

    /// Takes `bytes` (at most the whole budget), waiting its turn. `Kind::Interrupted` once the budget is closed.
    pub(super) fn take(&self, bytes: u64) -> Result<Permit> {
        let bytes = bytes.min(self.shared.total);
        let mut state = self.take_behind(self.shared.lock(), bytes);
        let ticket = state.next;
        state.next += 1;
        let full = |state: &State| {
            !state.closed && (state.serving != ticket || self.shared.total - state.taken < bytes)
        };
        let mut state = self.wait_while(state, full);
        if state.closed {
            give_back_behind(&mut state, self.behind.as_ref(), bytes);
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
            behind: self.behind.clone(),
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

/// Plain data, whole at every unlock.
fn held(behind: &Mutex<Behind>) -> MutexGuard<'_, Behind> {
    behind.lock().unwrap_or_else(PoisonError::into_inner)
}

fn give_back_behind(state: &mut State, behind: Option<&Arc<Mutex<Behind>>>, bytes: u64) {
    let Some(behind) = behind else { return };
    let mut behind = held(behind);
    behind.taken -= bytes;
    if !behind.come {
        state.held_back -= bytes;
    }
}

/// Bytes taken from a budget; dropping it gives them back.
#[derive(Debug)]
pub(super) struct Permit {
    shared: Arc<Shared>,
    behind: Option<Arc<Mutex<Behind>>>,
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
        let mut state = self.shared.lock();
        state.taken -= bytes;
        give_back_behind(&mut state, self.behind.as_ref(), bytes);
        drop(state);
        self.shared.changed.notify_all();
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.give_back(self.bytes);
    }
}
