//! A budget of connections for each host, over all accounts of a run.
//!
//! An account needs a connection for each of its ends at once. It gets all these places together before it begins, or waits holding
//! none; what it wants beyond them it gets only where a place is free and nobody waits. So nobody ever waits while holding what
//! another waits for.

use crate::engine::Stop;
use crate::engine::context::lock;
use crate::job::Job;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// How often who waits looks whether the run is to stop.
const LOOK: Duration = Duration::from_millis(100);

/// Places wanted or held, by host.
pub(super) type Wanted = BTreeMap<String, usize>;

#[derive(Debug)]
pub(super) struct Rooms {
    /// Hosts that are not here take any number.
    most: HashMap<String, usize>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    taken: HashMap<String, usize>,
    waiting: usize,
    high_water: HashMap<String, usize>,
}

impl State {
    fn fits(&self, wanted: &Wanted, most: &HashMap<String, usize>) -> bool {
        wanted.iter().all(|(host, places)| {
            let taken = self.taken.get(host).copied().unwrap_or(0);
            most.get(host).is_none_or(|most| taken + places <= *most)
        })
    }

    fn take(&mut self, wanted: &Wanted) {
        for (host, places) in wanted {
            let taken = self.taken.entry(host.clone()).or_default();
            *taken += places;
            let high = self.high_water.entry(host.clone()).or_default();
            *high = (*high).max(*taken);
        }
    }
}

/// Places that are held until this is dropped.
#[derive(Debug)]
pub(in crate::engine) struct Places {
    rooms: Arc<Rooms>,
    held: Wanted,
}

impl Drop for Places {
    fn drop(&mut self) {
        let mut state = lock(&self.rooms.state);
        for (host, places) in &self.held {
            if let Some(taken) = state.taken.get_mut(host) {
                *taken = taken.saturating_sub(*places);
            }
        }
        drop(state);
        self.rooms.changed.notify_all();
    }
}

impl Rooms {
    /// As the job says, else as many as the provider of a host allows; never fewer than one account needs there.
    pub(super) fn new(job: &Job) -> Self {
        let mut most: HashMap<String, usize> = HashMap::new();
        for account in &job.accounts {
            let sources = account.sources.iter().map(|source| &source.store);
            let stores = sources.chain(account.destinations.iter().map(|to| &to.store));
            for server in stores.filter_map(crate::job::Store::server) {
                let known = server.preset.provider().connections;
                if let Some(limit) = job.limits.connections_per_host.or(known) {
                    most.insert(server.host(), limit);
                }
            }
        }
        for (host, needed) in job.accounts.iter().flat_map(crate::job::Account::hosts) {
            if let Some(limit) = most.get_mut(&host) {
                *limit = needed.max(*limit);
            }
        }
        Rooms::with(most)
    }

    fn with(most: HashMap<String, usize>) -> Self {
        Rooms {
            most,
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// What an account cannot do without: waits for it, but not past a request to stop.
    pub(super) fn enter(self: &Arc<Self>, wanted: Wanted, stop: &Stop) -> Places {
        let mut state = lock(&self.state);
        state.waiting += 1;
        while !state.fits(&wanted, &self.most) && !stop.asked() {
            let woken = self.changed.wait_timeout(state, LOOK);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.waiting -= 1;
        // Who is to stop does not connect any more.
        let held = if stop.asked() { Wanted::new() } else { wanted };
        state.take(&held);
        drop(state);
        self.changed.notify_all();
        Places {
            rooms: Arc::clone(self),
            held,
        }
    }

    /// More than that: only what is free, and nobody waits for.
    pub(super) fn further(self: &Arc<Self>, wanted: Wanted) -> Option<Places> {
        let mut state = lock(&self.state);
        if state.waiting > 0 || !state.fits(&wanted, &self.most) {
            return None;
        }
        state.take(&wanted);
        Some(Places {
            rooms: Arc::clone(self),
            held: wanted,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rooms(most: usize) -> Arc<Rooms> {
        Arc::new(Rooms::with(HashMap::from([("a".to_owned(), most)])))
    }

    fn wanted(places: usize) -> Wanted {
        Wanted::from([("a".to_owned(), places), ("elsewhere".to_owned(), 9)])
    }

    #[test]
    fn further_places_are_only_what_is_free() {
        let rooms = rooms(3);
        let stop = Stop::default();
        let first = rooms.enter(wanted(2), &stop);
        assert!(rooms.further(wanted(2)).is_none());
        let more = rooms.further(wanted(1));
        assert!(more.is_some() && rooms.further(wanted(1)).is_none());
        drop(first);
        assert!(rooms.further(wanted(2)).is_some());
    }

    #[test]
    fn who_waits_goes_before_who_wants_more_and_a_stop_ends_the_wait() {
        let rooms = rooms(2);
        let stop = Stop::default();
        let held = rooms.enter(wanted(1), &stop);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| rooms.enter(wanted(2), &stop));
            while lock(&rooms.state).waiting == 0 {
                std::thread::yield_now();
            }
            assert!(rooms.further(wanted(1)).is_none(), "somebody waits");
            drop(held);
            drop(waiting.join().unwrap());
            let held = rooms.enter(wanted(1), &stop);
            let waiting = scope.spawn(|| rooms.enter(wanted(2), &stop));
            stop.ask();
            assert!(waiting.join().unwrap().held.is_empty());
            drop(held);
        });
    }

    /// Both ends of every account at one host with few places: nobody waits for ever, and the number is kept.
    #[test]
    fn many_accounts_never_lock_each_other_out() {
        let rooms = rooms(5);
        let stop = Stop::default();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let pair = rooms.enter(wanted(2), &stop);
                        let more = rooms.further(wanted(2));
                        drop((more, pair));
                    }
                });
            }
        });
        let state = lock(&rooms.state);
        assert!(state.high_water["a"] <= 5, "{state:?}");
        assert_eq!((state.taken["a"], state.waiting), (0, 0));
    }
}
