//! How many lanes work: one more while that helps, one fewer where a server refuses it, asks for patience, or gets slower by it.
//!
//! Pure: times are told to it, and how much has been done by then.

use crate::outcome::CrewChange;
use std::time::Duration;

/// So many lanes are begun with: harmless everywhere, and most of what there is to gain.
pub(super) const START: usize = 4;
/// How long it is measured before and after a lane joins.
const WINDOW: Duration = Duration::from_secs(3);
/// How long nothing is tried after it was of no use; doubled each time.
const WAIT: Duration = Duration::from_secs(15);
const LONGEST: Duration = Duration::from_secs(300);
/// One more lane is worth its connections if it makes this of the rate.
const GAIN: f64 = 1.1;
/// Below this part of the rate a lane has made things slower.
const LOSS: f64 = 0.9;

/// Finds the number of lanes.
#[derive(Debug)]
pub(super) struct Headcount {
    lanes: usize,
    most: usize,
    window: Duration,
    usual_wait: Duration,
    wait: Duration,
    /// Before that, none joins.
    hold: Duration,
    /// Since when it is measured, and what had been done by then.
    since: (Duration, u64),
    /// The rate before the last lane joined, while that is on trial.
    before: Option<f64>,
}

impl Headcount {
    /// `lanes` work now, at time 0; never more than `most`.
    pub(super) fn new(lanes: usize, most: usize) -> Self {
        let (window, wait) = (waiting(WINDOW), waiting(WAIT));
        Headcount {
            lanes,
            most: most.max(lanes),
            window,
            usual_wait: wait,
            wait,
            hold: Duration::ZERO,
            since: (Duration::ZERO, 0),
            before: None,
        }
    }

    pub(super) fn lanes(&self) -> usize {
        self.lanes
    }

    /// So much has been `done` by `now`, since the beginning, in whatever unit.
    pub(super) fn measured(&mut self, now: Duration, done: u64) -> Option<CrewChange> {
        let (since, before) = self.since;
        let took = now.saturating_sub(since);
        if took < self.window {
            return None;
        }
        self.since = (now, done);
        let rate = done.saturating_sub(before) as f64 / took.as_secs_f64();
        match self.before.take() {
            Some(before) if rate >= before * GAIN => {
                self.wait = self.usual_wait;
                None
            }
            Some(before) => {
                self.fewer(now, self.lanes - 1);
                Some(match rate < before * LOSS {
                    true => CrewChange::Slower,
                    false => CrewChange::NoGain,
                })
            }
            None if self.lanes < self.most && now >= self.hold => {
                self.lanes += 1;
                self.before = Some(rate);
                Some(CrewChange::Trying)
            }
            None => None,
        }
    }

    /// A server did not take one more connection: `standing` lanes work.
    pub(super) fn refused(&mut self, now: Duration, standing: usize) {
        self.fewer(now, standing.min(self.lanes));
    }

    /// A server asks for patience. `None`: it has only one lane as it is.
    pub(super) fn throttled(&mut self, now: Duration) -> Option<CrewChange> {
        let lanes = self.lanes;
        self.fewer(now, lanes - 1);
        (self.lanes < lanes).then_some(CrewChange::Throttled)
    }

    fn fewer(&mut self, now: Duration, lanes: usize) {
        self.lanes = lanes.max(1);
        self.before = None;
        self.hold = now + self.wait;
        self.wait = (self.wait * 2).min(LONGEST);
        // What was done meanwhile says nothing of the lanes that are left.
        self.since.0 = now;
    }
}

/// In tests it need not take so long.
fn waiting(usual: Duration) -> Duration {
    crate::failpoint::waiting(usual)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server whose rate hangs on the number of lanes; seconds go by one after another.
    struct Server {
        headcount: Headcount,
        now: u64,
        done: u64,
    }

    impl Server {
        fn new(lanes: usize, most: usize) -> Self {
            let headcount = Headcount::new(lanes, most);
            Server {
                headcount,
                now: 0,
                done: 0,
            }
        }

        /// What the headcount decided in so many seconds, and the number of lanes then.
        fn go(&mut self, seconds: u64, rate: impl Fn(usize) -> u64) -> Vec<(CrewChange, usize)> {
            let mut told = Vec::new();
            for _ in 0..seconds {
                self.now += 1;
                self.done += rate(self.headcount.lanes());
                let now = Duration::from_secs(self.now);
                if let Some(why) = self.headcount.measured(now, self.done) {
                    told.push((why, self.headcount.lanes()));
                }
            }
            told
        }
    }

    #[test]
    fn it_rises_while_that_helps_and_no_further_than_it_may() {
        let mut server = Server::new(4, 7);
        let told = server.go(60, |lanes| lanes as u64 * 100);
        let tried = [5, 6, 7].map(|lanes| (CrewChange::Trying, lanes));
        assert_eq!(told, tried);
        assert!(Server::new(4, 4).go(60, |_| 100).is_empty());
    }

    #[test]
    fn one_that_slows_all_goes_again_and_is_tried_ever_more_rarely() {
        let mut server = Server::new(4, 8);
        let slow = |lanes| if lanes > 4 { 50 } else { 400 };
        let told = server.go(100, slow);
        let once = [(CrewChange::Trying, 5), (CrewChange::Slower, 4)];
        assert_eq!(told, [once, once, once].concat());
        // It has become better: then it rises again.
        let told = server.go(400, |lanes| lanes as u64 * 100);
        assert_eq!(told.last(), Some(&(CrewChange::Trying, 8)));
    }

    #[test]
    fn one_that_brings_nothing_goes_again() {
        let mut server = Server::new(2, 8);
        let told = server.go(8, |_| 400);
        assert_eq!(told, [(CrewChange::Trying, 3), (CrewChange::NoGain, 2)]);
    }

    #[test]
    fn what_is_refused_is_tried_again_later() {
        let mut server = Server::new(4, 4);
        server.headcount.refused(Duration::from_secs(1), 2);
        server.now = 1;
        assert_eq!(server.headcount.lanes(), 2);
        assert!(server.go(14, |lanes| lanes as u64).is_empty());
        let told = server.go(20, |lanes| lanes as u64 * 100);
        assert_eq!(told, [(CrewChange::Trying, 3), (CrewChange::Trying, 4)]);
    }

    #[test]
    fn a_server_that_asks_for_patience_has_fewer_and_always_one() {
        let mut headcount = Headcount::new(2, 4);
        let now = Duration::from_secs(1);
        assert_eq!(headcount.throttled(now), Some(CrewChange::Throttled));
        assert_eq!((headcount.throttled(now), headcount.lanes()), (None, 1));
        headcount.refused(now, 0);
        assert_eq!(headcount.lanes(), 1);
    }
}
