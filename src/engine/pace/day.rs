//! How much of a day's bytes an end has used.
//!
//! The journal is always ahead: bytes are booked there before they pass, some at a time, and what was not used of them is given back at
//! the end. A run that is killed has counted too much, never too little. Days are those of UTC.

use super::clock::{Clock, DAY, day};
use crate::engine::context::lock;
use crate::engine::ledger::Ledger;
use crate::error::Result;
use crate::journal::RunId;
use crate::net::Way;
use std::fmt;
use std::sync::{Arc, Mutex};

/// Where usage is written down.
pub(super) trait Book: Send + Sync {
    fn used(&self, day: i64) -> Result<u64>;
    fn use_up_to(&self, day: i64, bytes: u64) -> Result<()>;
    fn is_used(&self, day: i64) -> Result<()>;
}

/// The journal, for one end.
pub(super) struct JournalBook {
    pub(super) ledger: Ledger,
    pub(super) run: RunId,
    pub(super) end: String,
    pub(super) way: Way,
}

impl Book for JournalBook {
    fn used(&self, day: i64) -> Result<u64> {
        let (end, way) = (self.end.clone(), self.way);
        let used = self
            .ledger
            .ask(move |journal| journal.used(&end, way, day))?;
        Ok(used.bytes)
    }

    fn use_up_to(&self, day: i64, bytes: u64) -> Result<()> {
        let (run, end, way) = (self.run, self.end.clone(), self.way);
        self.ledger
            .ask(move |journal| journal.use_up_to(run, &end, way, day, bytes))
    }

    fn is_used(&self, day: i64) -> Result<()> {
        let (run, end, way) = (self.run, self.end.clone(), self.way);
        self.ledger
            .ask(move |journal| journal.day_is_used(run, &end, way, day))
    }
}

/// An end's day. Shared by its connections.
pub(super) struct Days {
    /// Bytes a day.
    limit: u64,
    way: Way,
    /// Of the limit, left over for what is under way when the rest is used.
    margin: u64,
    book: Box<dyn Book>,
    clock: Arc<dyn Clock>,
    state: Mutex<Option<Today>>,
}

struct Today {
    day: i64,
    used: u64,
    booked: u64,
}

impl fmt::Debug for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Days")
            .field("limit", &self.limit)
            .field("way", &self.way)
            .finish_non_exhaustive()
    }
}

impl Days {
    /// `under_way`: bytes that may be on their way at once over all connections.
    pub(super) fn new(
        limit: u64,
        way: Way,
        under_way: u64,
        book: Box<dyn Book>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Days {
            limit,
            way,
            margin: under_way.min(limit / 10),
            book,
            clock,
            state: Mutex::new(None),
        }
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    /// Bytes have passed.
    pub(super) fn passed(&self, way: Way, bytes: u64) {
        if way == self.way
            && let Some(today) = &mut *lock(&self.state)
        {
            today.used += bytes;
        }
    }

    /// May more pass? If not, when the next day begins (unix seconds). What may pass before the next asking is booked.
    pub(super) fn used_up(&self) -> Result<Option<i64>> {
        let mut state = lock(&self.state);
        let today = self.today(&mut state)?;
        if today.used + self.margin >= self.limit {
            return Ok(Some((today.day + 1) * DAY));
        }
        let step = (self.limit / 50).max(self.margin).max(1);
        if today.booked < today.used + step / 2 {
            today.booked = today.used + step;
            self.book.use_up_to(today.day, today.booked)?;
        }
        Ok(None)
    }

    /// The server says that nothing more passes today, whatever was counted here.
    pub(super) fn exhaust(&self) -> Result<()> {
        let mut state = lock(&self.state);
        let today = self.today(&mut state)?;
        today.used = today.used.max(self.limit);
        self.book_exactly(today)
    }

    /// Remembers that the day was found used up.
    pub(super) fn note(&self) -> Result<()> {
        let mut state = lock(&self.state);
        let today = self.today(&mut state)?;
        self.book_exactly(today)?;
        self.book.is_used(today.day)
    }

    /// Gives back what was booked and not used.
    pub(super) fn close(&self) -> Result<()> {
        match &mut *lock(&self.state) {
            Some(today) => self.book_exactly(today),
            None => Ok(()),
        }
    }

    fn book_exactly(&self, today: &mut Today) -> Result<()> {
        if today.booked == today.used {
            return Ok(());
        }
        today.booked = today.used;
        self.book.use_up_to(today.day, today.used)
    }

    fn today<'s>(&self, state: &'s mut Option<Today>) -> Result<&'s mut Today> {
        let now = day(self.clock.unix());
        let fresh = match state.take() {
            // A clock that was set back gives no second day.
            Some(today) if today.day >= now => today,
            old => {
                if let Some(mut old) = old {
                    self.book_exactly(&mut old)?;
                }
                let used = self.book.used(now)?;
                Today {
                    day: now,
                    used,
                    booked: used,
                }
            }
        };
        Ok(state.insert(fresh))
    }
}

#[cfg(test)]
mod tests {
    use super::super::clock::Fake;
    use super::*;
    use std::collections::BTreeMap;

    #[derive(Clone, Default)]
    struct Notes(Arc<Mutex<BTreeMap<i64, u64>>>);

    impl Book for Notes {
        fn used(&self, day: i64) -> Result<u64> {
            Ok(self.0.lock().unwrap().get(&day).copied().unwrap_or(0))
        }

        fn use_up_to(&self, day: i64, bytes: u64) -> Result<()> {
            self.0.lock().unwrap().insert(day, bytes);
            Ok(())
        }

        fn is_used(&self, _: i64) -> Result<()> {
            Ok(())
        }
    }

    fn days(clock: &Arc<Fake>, notes: &Notes) -> Days {
        let clock: Arc<dyn Clock> = clock.clone();
        Days::new(1000, Way::Up, 50, Box::new(notes.clone()), clock)
    }

    #[test]
    fn the_journal_is_ahead_and_the_rest_is_given_back() {
        let (clock, notes) = (Arc::new(Fake::default()), Notes::default());
        let day = days(&clock, &notes);
        for _ in 0..20 {
            assert_eq!(day.used_up().unwrap(), None);
            day.passed(Way::Up, 25);
            day.passed(Way::Down, 10_000);
            let booked = notes.used(0).unwrap();
            let used = lock(&day.state).as_ref().unwrap().used;
            assert!((used..used + 100).contains(&booked), "{used} {booked}");
        }
        day.close().unwrap();
        assert_eq!(notes.used(0).unwrap(), 500);
        // The next run goes on counting there.
        let next = days(&clock, &notes);
        next.used_up().unwrap();
        next.passed(Way::Up, 450);
        assert_eq!(next.used_up().unwrap(), Some(DAY), "with a margin");
    }

    #[test]
    fn a_new_day_begins_at_nothing() {
        let (clock, notes) = (Arc::new(Fake::default()), Notes::default());
        let day = days(&clock, &notes);
        day.used_up().unwrap();
        day.passed(Way::Up, 990);
        assert_eq!(day.used_up().unwrap(), Some(DAY));
        clock.doze(DAY);
        assert_eq!(day.used_up().unwrap(), None);
        assert_eq!(notes.used(0).unwrap(), 990);
        day.exhaust().unwrap();
        assert_eq!(day.used_up().unwrap(), Some(2 * DAY));
        assert_eq!(notes.used(1).unwrap(), 1000);
        clock.doze(2 * DAY);
        assert_eq!(day.used_up().unwrap(), None);
    }
}
