//! A day that is used up: the account waits for the next one, or ends, as the job says.

use super::clock::{DAY, day};
use super::{OnDailyLimit, Pace, Way};
use crate::engine::context::{Context, lock};
use crate::error::{Code, Error, Kind, Result};
use crate::outcome::Event;
use std::time::Duration;

impl Pace {
    /// Until when (unix seconds) nothing more passes, if so: by our own count, or by the server's word.
    pub(super) fn used_up(&self) -> Result<Option<i64>> {
        let told = *lock(&self.told);
        if let Some(told) = told.filter(|told| *told >= day(self.clock.unix())) {
            return Ok(Some((told + 1) * DAY));
        }
        match &self.days {
            Some(days) => days.used_up(),
            None => Ok(None),
        }
    }

    pub(super) fn day_is_used(&self, until: i64) -> Error {
        let left = u64::try_from(until - self.clock.unix()).unwrap_or(0);
        let kind = Kind::Throttled(Duration::from_secs(left));
        Error::new(kind, Code::DailyLimit, self.daily()).at(self.end)
    }

    /// `500 MB a day for uploads to gmail`.
    fn daily(&self) -> String {
        let limit = self.days.as_ref().map(|days| days.limit());
        let limit = limit.map_or_else(
            || "the server's limit of a day".to_owned(),
            |limit| format!("{} a day", bytesize::ByteSize(limit).display().si()),
        );
        let what = match self.way {
            Way::Down => "downloads from",
            Way::Up => "uploads to",
        };
        format!("{limit} for {what} {}", self.whose)
    }

    /// The server itself says that the day is used up.
    fn told_so(&self) -> Result<()> {
        *lock(&self.told) = Some(day(self.clock.unix()));
        self.days.as_ref().map_or(Ok(()), |days| days.exhaust())
    }

    /// What a daily limit that was met leads to: `Ok` once another day has begun. An error that carries a server's words is the
    /// server's own; without words it is ours.
    pub(in crate::engine) fn until_tomorrow(&self, context: &Context, met: Error) -> Result<()> {
        if met.words.is_some() {
            self.told_so()?;
        }
        // Another lane may have waited already.
        let Some(until) = self.used_up()? else {
            return Ok(());
        };
        if let Some(days) = &self.days {
            days.note()?;
        }
        let error = Error {
            words: met.words,
            ..self.day_is_used(until)
        };
        if context.account.on_daily_limit == OnDailyLimit::Stop {
            return Err(ended(error, until));
        }
        let _paused = Paused::begin(context, until, &error);
        while self.clock.unix() < until {
            context.check_stop()?;
            self.clock.doze(until);
        }
        Ok(())
    }
}

fn ended(error: Error, until: i64) -> Error {
    let kind = Kind::Account;
    let then = chrono::DateTime::from_timestamp(until, 0).unwrap_or_default();
    let hint = format!(
        "run the same command again after {}: it goes on where it stopped",
        then.format("%Y-%m-%d %H:%M UTC")
    );
    Error { kind, ..error }.hint(hint)
}

/// Somebody of the account waits for another day: told when the first begins to and when the last ends.
struct Paused<'a> {
    context: &'a Context,
}

impl<'a> Paused<'a> {
    fn begin(context: &'a Context, until: i64, why: &Error) -> Self {
        let mut paused = lock(&context.paces.paused);
        if *paused == 0 {
            context.tell(Event::Paused {
                account: context.account.name.clone(),
                until,
                why: why.to_string(),
            });
        }
        *paused += 1;
        drop(paused);
        Paused { context }
    }
}

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        let mut paused = lock(&self.context.paces.paused);
        *paused -= 1;
        // A request to stop ends the pause too, and nothing goes on then.
        if *paused == 0 && !self.context.stop.asked() {
            self.context.tell(Event::Resumed {
                account: self.context.account.name.clone(),
            });
        }
    }
}
