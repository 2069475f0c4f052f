//! Patience with an end that fails or asks for time: how long to wait before the next attempt, and when to give up.

use super::context::Context;
use super::pace::Pace;
use super::times;
use crate::error::{Code, Error, Kind, Result};
use crate::failpoint;
use crate::outcome::{Event, Wait};
use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Failures in a row, without any progress between them, before an end counts as unreachable.
const TRIES: usize = 6;

/// The same for a server that this run has not reached yet: more likely the job names the wrong one.
const FIRST_TRIES: usize = 3;

/// Waits between attempts at one end; forgets its failures when something went well.
pub(super) struct Patience {
    waits: ExponentialBackoff,
    /// How many more connections may fail; `None`: as many as there are waits.
    unmet: Option<usize>,
    /// Of the end that it is had with.
    pub(super) pace: Arc<Pace>,
}

impl Patience {
    pub(super) fn new(pace: &Arc<Pace>) -> Self {
        Patience {
            waits: waits(),
            unmet: None,
            pace: Arc::clone(pace),
        }
    }

    /// With a server that this run has not reached yet: gives up sooner.
    pub(super) fn first(&mut self) {
        self.unmet = Some(FIRST_TRIES);
    }

    /// Something went well: the next failure is a first one again.
    pub(super) fn refill(&mut self) {
        (self.waits, self.unmet) = (waits(), None);
    }

    /// Is this one failure too many of a server that was never reached?
    fn gives_up(&mut self, error: &Error) -> bool {
        if error.code != Code::Connect {
            return false;
        }
        let Some(left) = &mut self.unmet else {
            return false;
        };
        *left = left.saturating_sub(1);
        *left == 0
    }

    /// Waits before the next attempt. Gives the error back where no attempt is left, it is not worth one, or the run is to stop.
    pub(super) fn wait(&mut self, context: &Context, error: Error) -> Result<()> {
        if let (Kind::Throttled(asked), Code::Throttled) = (error.kind, error.code) {
            // Who works slowly has to slow down as a whole.
            self.pace.hold(asked);
        }
        self.wait_alone(context, error)
    }

    /// As [`Patience::wait`], for a connection that could not be made: the others are not to be held back by that.
    pub(super) fn wait_alone(&mut self, context: &Context, error: Error) -> Result<()> {
        if error.code == Code::DailyLimit && error.is_transient() {
            return Arc::clone(&self.pace).until_tomorrow(context, error);
        }
        let asked = match error.kind {
            Kind::Transient => Duration::ZERO,
            Kind::Throttled(asked) => asked,
            _ => return Err(error),
        };
        if self.gives_up(&error) {
            return Err(error);
        }
        if matches!(error.kind, Kind::Throttled(_)) {
            context.note_throttle(error.to_string());
        }
        let Some(wait) = self.waits.next() else {
            return Err(error);
        };
        let wait = wait.max(asked);
        let event = Event::Waiting {
            account: context.account.name.clone(),
            why: error.to_string(),
            seconds: wait.as_secs(),
        };
        context.tell(event);
        pause(context, wait)
    }
}

fn waits() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(250))
        .with_max_delay(failpoint::waiting(Duration::from_secs(30)))
        .with_factor(3.0)
        .with_max_times(TRIES)
        .with_jitter()
        .build()
}

/// Waits while something holds an end back as a whole; then a connection is worth having.
pub(super) fn wait_until_ready(context: &Context, pace: &Pace) -> Result<()> {
    while let Err(error) = pace.ready() {
        match (error.kind, error.code) {
            (Kind::Throttled(_), Code::DailyLimit) => pace.until_tomorrow(context, error)?,
            (Kind::Throttled(wait), _) => pause(context, wait)?,
            _ => return Err(error),
        }
    }
    Ok(())
}

/// Sleeps, but not past a request to stop.
pub(super) fn pause(context: &Context, wait: Duration) -> Result<()> {
    if wait.is_zero() {
        return context.check_stop();
    }
    let end = Instant::now() + wait;
    times::during(context.times.as_deref(), Wait::Pause, || {
        loop {
            context.check_stop()?;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(Duration::from_millis(100)));
        }
    })
}
