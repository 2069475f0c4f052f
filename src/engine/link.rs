//! Connections that are made anew: the retry decorator around sources and sinks.

use super::context::{Context, lock};
use super::pace::{LONGEST_PAUSE, Pace};
use super::times;
use crate::error::{Code, Error, Kind, Result};
use crate::failpoint;
use crate::outcome::{Event, Wait};
use crate::sink::{BatchLimit, Delivery, Report, Sink};
use crate::source::Source;
use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use std::collections::VecDeque;
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
    pace: Arc<Pace>,
}

impl Patience {
    fn new(pace: &Arc<Pace>) -> Self {
        Patience {
            waits: waits(),
            unmet: None,
            pace: Arc::clone(pace),
        }
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
    fn wait_alone(&mut self, context: &Context, error: Error) -> Result<()> {
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
fn wait_until_ready(context: &Context, pace: &Pace) -> Result<()> {
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

/// A source that is connected when it is needed.
pub(super) struct SourceLink<'a> {
    context: &'a Context,
    index: usize,
    open: Option<Box<dyn Source>>,
    pub(super) patience: Patience,
}

impl<'a> SourceLink<'a> {
    pub(super) fn new(context: &'a Context, index: usize) -> Self {
        SourceLink {
            context,
            index,
            open: None,
            patience: Patience::new(&context.paces.sources[index]),
        }
    }

    /// The run's first connection to this server: gives up sooner.
    pub(super) fn first(mut self) -> Self {
        self.patience.unmet = Some(FIRST_TRIES);
        self
    }

    /// Connects, trying once only.
    pub(super) fn connect(&mut self) -> Result<()> {
        self.open = Some(self.context.open_source(self.index)?);
        Ok(())
    }

    /// The connection, made if there is none, trying once only.
    pub(super) fn reach(&mut self) -> Result<&mut dyn Source> {
        if self.open.is_none() {
            self.connect()?;
        }
        self.get()
    }

    /// The connection, made if there is none, an idle one first; patient with passing failures.
    pub(super) fn get(&mut self) -> Result<&mut dyn Source> {
        if self.open.is_none() {
            self.open = lock(&self.context.idle_sources[self.index]).take();
        }
        while self.open.is_none() {
            self.context.check_stop()?;
            wait_until_ready(self.context, &self.patience.pace)?;
            match self.context.open_source(self.index) {
                Ok(source) => self.open = Some(source),
                Err(error) => self.patience.wait_alone(self.context, error)?,
            }
        }
        match &mut self.open {
            Some(source) => Ok(source.as_mut()),
            None => Err(super::context::interrupted()),
        }
    }

    /// Runs something that may be repeated without harm, on a fresh connection if the first is lost.
    pub(super) fn retry<T>(
        &mut self,
        mut work: impl FnMut(&mut dyn Source) -> Result<T>,
    ) -> Result<T> {
        loop {
            match work(self.get()?) {
                Err(error) if error.is_transient() => {
                    self.drop_connection();
                    self.patience.wait(self.context, error)?;
                }
                other => return other,
            }
        }
    }

    /// The connection is of no use any more.
    pub(super) fn drop_connection(&mut self) {
        self.open = None;
    }

    /// Leaves the connection to whoever needs one next.
    pub(super) fn give_back(&mut self) {
        *lock(&self.context.idle_sources[self.index]) = self.open.take();
    }

    pub(super) fn close(&mut self) -> Result<()> {
        self.open.take().map_or(Ok(()), |source| source.close())
    }
}

/// A sink that is connected when it is needed.
pub(super) struct SinkLink<'a> {
    context: &'a Context,
    /// Which destination of the account.
    sink: usize,
    open: Option<Box<dyn Sink>>,
    /// How many messages each batch holds that is under way, the oldest first.
    under_way: VecDeque<usize>,
    /// Reports that came before they were asked for: those of the oldest.
    told: VecDeque<Report>,
    /// The server was seen to mishandle non-synchronising literals.
    cautious: bool,
    pub(super) patience: Patience,
}

impl<'a> SinkLink<'a> {
    pub(super) fn new(context: &'a Context, open: Option<Box<dyn Sink>>) -> Self {
        SinkLink {
            context,
            sink: context.sink as usize,
            open,
            under_way: VecDeque::new(),
            told: VecDeque::new(),
            cautious: false,
            patience: Patience::new(&context.paces.destinations[context.sink as usize]),
        }
    }

    /// To any destination of the account.
    pub(super) fn to(context: &'a Context, sink: usize) -> Self {
        SinkLink {
            sink,
            patience: Patience::new(&context.paces.destinations[sink]),
            ..SinkLink::new(context, None)
        }
    }

    /// The run's first connection to this server: gives up sooner.
    pub(super) fn first(mut self) -> Self {
        self.patience.unmet = Some(FIRST_TRIES);
        self
    }

    /// Waits until so many messages may be sent; a connection that would stand still for long is given up. A request to stop ends the
    /// wait: what is in flight is still brought to its end.
    pub(super) fn pace(&mut self, messages: usize) {
        let wait = self.patience.pace.take(messages as u64);
        if wait > LONGEST_PAUSE {
            self.gather();
            self.drop_connection();
        }
        drop(pause(self.context, wait));
    }

    /// The connection with nothing under way: what was is waited for first. Made if there is none; patient with passing failures. A
    /// request to stop does not end it: what is in flight is still brought to its end.
    pub(super) fn get(&mut self) -> Result<&mut dyn Sink> {
        self.gather();
        self.ready()
    }

    /// The same for what may be asked though batches are under way: see [`Sink::submit`].
    pub(super) fn ready(&mut self) -> Result<&mut dyn Sink> {
        match self.patience.pace.ready().map_err(|error| error.kind) {
            // As with what is in flight: a request to stop only ends the wait.
            Err(Kind::Throttled(wait)) if wait <= LONGEST_PAUSE && self.open.is_some() => {
                drop(pause(self.context, wait));
            }
            // Idle until then it would be closed by the server.
            Err(_) => {
                self.gather();
                self.drop_connection();
            }
            Ok(()) => {}
        }
        while self.open.is_none() {
            wait_until_ready(self.context, &self.patience.pace)?;
            match self.context.open_sink(self.sink, self.cautious) {
                Ok(sink) => self.open = Some(sink),
                Err(error) => self.patience.wait_alone(self.context, error)?,
            }
        }
        match &mut self.open {
            Some(sink) => Ok(sink.as_mut()),
            None => Err(super::context::interrupted()),
        }
    }

    /// What one batch may hold, by the server and by the limits of the job.
    pub(super) fn batch_limit(&mut self) -> Result<BatchLimit> {
        let (messages, bytes) = self.patience.pace.batch();
        let limit = self.ready()?.batch_limit();
        Ok(BatchLimit {
            messages: limit.messages.min(messages),
            bytes: limit.bytes.min(bytes),
            ..limit
        })
    }

    /// Sends a batch behind those under way; [`SinkLink::collect`] tells of each, in order.
    pub(super) fn submit(&mut self, name: &[u8], batch: &[Delivery<'_>]) -> Result<()> {
        let report = self.ready()?.submit(name, batch);
        self.under_way.push_back(batch.len());
        if let Some(report) = report {
            self.hear(report);
        }
        Ok(())
    }

    /// The report of the oldest batch under way; without `wait` only if it is there. After a loss the connection is dropped, and the
    /// reports of all are there.
    pub(super) fn collect(&mut self, wait: bool) -> Option<Report> {
        if self.told.is_empty() && !self.under_way.is_empty() {
            match self.open.as_mut().and_then(|sink| sink.collect(wait)) {
                Some(report) => self.hear(report),
                None if wait => self.gather(),
                None => return None,
            }
        }
        self.under_way.pop_front();
        self.told.pop_front()
    }

    fn hear(&mut self, report: Report) {
        let lost = report.lost.is_some();
        self.cautious |= report.cautious;
        self.told.push_back(report);
        if lost {
            self.drop_connection();
        }
    }

    /// Waits for the reports of all that is under way.
    fn gather(&mut self) {
        while let Some(&messages) = self.under_way.get(self.told.len()) {
            let told = self.open.as_mut().and_then(|sink| sink.collect(true));
            let report = told.unwrap_or_else(|| Report::untold(messages));
            self.cautious |= report.cautious;
            self.told.push_back(report);
        }
        if self.told.iter().any(|report| report.lost.is_some()) {
            self.shut();
        }
    }

    /// Keeps an open connection alive.
    pub(super) fn idle(&mut self) -> Result<()> {
        self.open.as_mut().map_or(Ok(()), |sink| sink.idle())
    }

    /// Hands the connection on.
    pub(super) fn take(&mut self) -> Option<Box<dyn Sink>> {
        self.open.take()
    }

    /// Runs something that may be repeated without harm, on a fresh connection if the first is lost.
    pub(super) fn retry<T>(
        &mut self,
        mut work: impl FnMut(&mut dyn Sink) -> Result<T>,
    ) -> Result<T> {
        loop {
            match work(self.get()?) {
                Ok(done) => {
                    self.patience.refill();
                    return Ok(done);
                }
                Err(error) if error.is_transient() => {
                    self.drop_connection();
                    self.patience.wait(self.context, error)?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The connection is of no use any more; what was under way is told of all the same.
    pub(super) fn drop_connection(&mut self) {
        self.gather();
        self.shut();
    }

    fn shut(&mut self) {
        self.tell_warnings();
        self.open = None;
    }

    pub(super) fn close(&mut self) -> Result<()> {
        self.tell_warnings();
        if self.told.len() < self.under_way.len() {
            // Given up in the middle: the intents of what is under way have the next run look for it.
            self.open = None;
        }
        self.open.take().map_or(Ok(()), |sink| sink.close())
    }

    fn tell_warnings(&mut self) {
        let warnings = self.open.as_mut().map(|sink| sink.warnings());
        for warning in warnings.unwrap_or_default() {
            self.context.warn(warning);
        }
    }
}
