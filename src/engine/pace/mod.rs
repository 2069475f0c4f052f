//! How fast, and how much a day: what holds an account back so that its servers, and others on the line, bear it.
//!
//! Bytes are counted and slowed down on the wire, as they flow ([`Brake`]); messages where they arrive and before they are delivered; a
//! day's limit stops between two messages. Every end of an account has one [`Pace`], which all its connections share; the
//! limits of a host and of the job are shared by all accounts of a run.

mod bucket;
mod clock;
mod day;
mod forecast;
mod limit;
mod pause;
mod rooms;
#[cfg(test)]
mod tests;

pub(super) use forecast::{forecast, used_today};
pub(super) use rooms::Places;

use super::Stop;
use super::context::{Parts, lock};
use crate::error::{Code, End, Error, Kind, Result};
use crate::job::{Account, Job, JobLimits, OnDailyLimit, Server, Store};
use crate::journal::RunId;
use crate::net::{Brake, Brakes, Way};
use clock::{Clock, System};
use day::{Days, JournalBook};
use limit::Limit;
use rooms::Rooms;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A connection that would stand still for longer is given up: servers close those that do not read.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How often who waits looks whether the run is to stop.
const LOOK: Duration = Duration::from_millis(100);
/// Bytes on their way on one connection when a day ends: a batch, what a socket holds.
const UNDER_WAY: u64 = 4 << 20;

/// What all accounts of a run share.
#[derive(Debug)]
pub(super) struct Pacing {
    clock: Arc<dyn Clock>,
    limits: JobLimits,
    whole: Option<Arc<Limit>>,
    hosts: Mutex<HashMap<String, Option<Arc<Limit>>>>,
    rooms: Arc<Rooms>,
}

impl Pacing {
    pub(super) fn new(job: &Job) -> Arc<Self> {
        Arc::new(Pacing {
            clock: Self::system_clock(),
            limits: job.limits,
            whole: Limit::new(job.limits.whole),
            hosts: Mutex::default(),
            rooms: Arc::new(Rooms::new(job)),
        })
    }

    fn system_clock() -> Arc<dyn Clock> {
        Arc::new(System::new())
    }

    /// Waits for the connections that an account cannot do without; not past a request to stop.
    pub(super) fn enter(&self, account: &Account, stop: &Stop) -> Places {
        self.rooms.enter(account.hosts(), stop)
    }

    fn host(&self, name: String) -> Option<Arc<Limit>> {
        let mut hosts = lock(&self.hosts);
        let limit = || Limit::new(self.limits.per_host);
        hosts.entry(name).or_insert_with(limit).clone()
    }

    fn limits(&self, server: &Server) -> Vec<Arc<Limit>> {
        let own = Limit::new(server.limits);
        let all = [own, self.host(server.host()), self.whole.clone()];
        all.into_iter().flatten().collect()
    }
}

/// The paces of an account on its way to one destination.
#[derive(Debug)]
pub(super) struct Paces {
    pub(super) sources: Vec<Arc<Pace>>,
    pub(super) destinations: Vec<Arc<Pace>>,
    pacing: Arc<Pacing>,
    /// Lanes that wait for another day.
    paused: Mutex<usize>,
}

impl Paces {
    /// From now on every connection that is made from these specifications keeps to its pace.
    pub(super) fn over(parts: &mut Parts) -> Self {
        let pacing = Arc::clone(&parts.pacing);
        let shared = Arc::clone(&pacing);
        let (run, ledger, stop) = (parts.run, parts.ledger.clone(), parts.stop.clone());
        let over = |store: &mut Store, end: End| {
            let Store::Server(server) = store else {
                return Arc::new(Pace::free(end, Arc::clone(&shared.clock), stop.clone()));
            };
            let book = (run != RunId::READER).then(|| (ledger.clone(), run));
            let pace = Arc::new(Pace::of(server, &shared, book, stop.clone()));
            if pace.holds_back() {
                server.endpoint.brakes = Brakes::new(pace.clone());
            }
            pace
        };
        let sources = parts.sources.iter_mut();
        let sources = sources.map(|(spec, _)| over(&mut spec.store, End::Source));
        let sources = sources.collect();
        let destinations = parts.destinations.iter_mut();
        let destinations = destinations.map(|(spec, _)| over(&mut spec.store, End::Destination));
        Paces {
            sources,
            destinations: destinations.collect(),
            pacing,
            paused: Mutex::new(0),
        }
    }

    /// Room for one more lane: a connection to each source and one to a destination. `None`: these hosts get no more of this run.
    pub(super) fn further(&self, stores: &[&Store]) -> Option<Places> {
        let mut wanted = BTreeMap::new();
        for server in stores.iter().filter_map(|store| store.server()) {
            *wanted.entry(server.host()).or_default() += 1;
        }
        self.pacing.rooms.further(wanted)
    }

    /// Gives back what was counted ahead. What cannot be written down now counts as used, which costs nothing but time.
    pub(super) fn close(&self) {
        for pace in self.sources.iter().chain(&self.destinations) {
            if let Some(days) = &pace.days {
                drop(days.close());
            }
        }
    }
}

/// What holds back all connections to one end of an account.
#[derive(Debug)]
pub(super) struct Pace {
    end: End,
    /// The way that counts: that of the mail.
    way: Way,
    /// Whose limits these are, for people.
    whose: String,
    limits: Vec<Arc<Limit>>,
    days: Option<Days>,
    clock: Arc<dyn Clock>,
    stop: Stop,
    /// The server asked for quiet until then.
    quiet: Mutex<Duration>,
    /// The server said itself that this day (days since 1970, UTC) is used up.
    told: Mutex<Option<i64>>,
}

impl Pace {
    /// That of files.
    fn free(end: End, clock: Arc<dyn Clock>, stop: Stop) -> Self {
        Pace {
            end,
            way: way(end),
            whose: String::new(),
            limits: Vec::new(),
            days: None,
            clock,
            stop,
            quiet: Mutex::default(),
            told: Mutex::default(),
        }
    }

    fn of(
        server: &Server,
        pacing: &Pacing,
        book: Option<(super::ledger::Ledger, RunId)>,
        stop: Stop,
    ) -> Self {
        let end = server.endpoint.end;
        let (way, clock) = (way(end), Arc::clone(&pacing.clock));
        let days = server
            .daily_limit()
            .zip(book)
            .map(|(limit, (ledger, run))| {
                let book = JournalBook {
                    ledger,
                    run,
                    end: server.to_string(),
                    way,
                };
                let under_way = UNDER_WAY * server.connections as u64;
                Days::new(limit, way, under_way, Box::new(book), Arc::clone(&clock))
            });
        let name = &server.preset.provider().name;
        Pace {
            whose: if name.is_empty() {
                server.host()
            } else {
                name.clone()
            },
            limits: pacing.limits(server),
            days,
            ..Pace::free(end, clock, stop)
        }
    }

    /// Is there anything to count or to wait for on the wire?
    fn holds_back(&self) -> bool {
        self.days.is_some() || self.limits.iter().any(|limit| limit.rate().is_some())
    }

    fn rate(&self) -> Option<u64> {
        self.limits.iter().filter_map(|limit| limit.rate()).min()
    }

    /// At most so many messages, and bytes, are sent before an answer is waited for: some seconds' worth, and not more than a part of
    /// what the day still allows.
    pub(super) fn batch(&self) -> (usize, u64) {
        let messages = self.limits.iter().filter_map(|limit| limit.messages());
        let messages = messages.min().unwrap_or(u64::MAX).saturating_mul(5);
        let a_day = self
            .days
            .as_ref()
            .map_or(u64::MAX, |days| days.limit() / 20);
        let bytes = self.rate().unwrap_or(u64::MAX).saturating_mul(5).min(a_day);
        (
            usize::try_from(messages).unwrap_or(usize::MAX),
            bytes.max(1),
        )
    }

    /// The server asked for patience: none of the account's connections to it asks for more before.
    pub(super) fn hold(&self, wait: Duration) {
        let until = self.clock.now() + wait;
        let mut quiet = lock(&self.quiet);
        *quiet = until.max(*quiet);
    }

    fn quiet(&self) -> Duration {
        lock(&self.quiet).saturating_sub(self.clock.now())
    }

    /// How long to wait before so many messages more pass; they count as passed.
    pub(super) fn take(&self, messages: u64) -> Duration {
        let now = self.clock.now();
        let waits = self
            .limits
            .iter()
            .map(|limit| limit.take_messages(self.way, messages, now));
        waits.max().unwrap_or_default().max(self.quiet())
    }

    /// A message has come: waits before the next one is read. An error where that takes so long that the connection is better given
    /// up; whoever reads goes on behind this message.
    pub(super) fn arrived(&self) -> Result<()> {
        self.check_day()?;
        let wait = self.take(1);
        if wait > LONGEST_PAUSE {
            return Err(self.throttled(wait));
        }
        // A request to stop is heard by who reads.
        drop(self.rest(wait));
        Ok(())
    }

    /// Nothing holds the end back for long: a connection is worth having. Else why.
    pub(super) fn ready(&self) -> Result<()> {
        self.check_day()?;
        match self.quiet() {
            Duration::ZERO => Ok(()),
            quiet => Err(self.throttled(quiet)),
        }
    }

    fn check_day(&self) -> Result<()> {
        match self.used_up()? {
            Some(until) => Err(self.day_is_used(until)),
            None => Ok(()),
        }
    }

    /// Waits, but not past a request to stop: then a source's connection ends, and a destination's goes on, unhindered, with what it
    /// has in flight.
    fn rest(&self, wait: Duration) -> io::Result<()> {
        let end = self.clock.now() + wait;
        loop {
            let left = end.saturating_sub(self.clock.now());
            if left.is_zero() {
                return Ok(());
            }
            if self.stop.asked() {
                return match self.end {
                    End::Source => Err(io::Error::other("stopped while it was slowed down")),
                    End::Destination => Ok(()),
                };
            }
            self.clock.sleep(left.min(LOOK));
        }
    }

    fn throttled(&self, wait: Duration) -> Error {
        let what = format!(
            "the {} is given time, as limits or its own words ask",
            self.end
        );
        Error::new(Kind::Throttled(wait), Code::Throttled, what).at(self.end)
    }
}

impl Brake for Pace {
    fn piece(&self) -> usize {
        let piece = self.rate().map_or(1 << 20, |rate| rate / 8);
        // What is read ahead of the message that uses up the day was read for nothing.
        let a_day = self
            .days
            .as_ref()
            .map_or(1 << 20, |days| days.limit() / 100);
        let piece = piece.min(a_day);
        usize::try_from(piece.clamp(256, 1 << 20)).unwrap_or(1 << 20)
    }

    fn passed(&self, way: Way, bytes: usize) -> io::Result<()> {
        let bytes = bytes as u64;
        if let Some(days) = &self.days {
            days.passed(way, bytes);
        }
        let now = self.clock.now();
        let waits = self
            .limits
            .iter()
            .map(|limit| limit.take_bytes(way, bytes, now));
        self.rest(waits.max().unwrap_or_default())
    }
}

/// The way that mail goes at an end.
fn way(end: End) -> Way {
    match end {
        End::Source => Way::Down,
        End::Destination => Way::Up,
    }
}
