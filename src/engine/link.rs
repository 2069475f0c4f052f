//! Connections that are made anew: the retry decorator around sources and sinks.

use super::context::{Context, lock};
use super::pace::LONGEST_PAUSE;
use super::patience::{Patience, pause, wait_until_ready};
use crate::error::{Kind, Result};
use crate::sink::{BatchLimit, Delivery, Report, Sink};
use crate::source::Source;
use std::collections::VecDeque;

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
        self.patience.first();
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
        self.patience.first();
        self
    }

    /// Would the next question wait, for a limit or because the server asked for time?
    pub(super) fn is_held_back(&self) -> bool {
        self.patience.pace.ready().is_err()
    }

    /// Waits until so many messages may be sent; a connection that would stand still for long is given up. A request to stop ends the
    /// wait: what is in flight is still brought to its end.
    pub(super) fn pace(&mut self, messages: usize) {
        let wait = self.patience.pace.take(messages as u64);
        if wait > LONGEST_PAUSE {
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
            Err(_) => self.drop_connection(),
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
