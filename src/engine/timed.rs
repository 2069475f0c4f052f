//! Sources and sinks with a clock around every call: what their threads wait for there, less what callers' own work takes of it.

use super::context::Context;
use super::times::{Clock, Times};
use crate::error::Result;
use crate::job::After;
use crate::message::{FlagChange, Flags, SourceKey, UidRanges};
use crate::net::Flow;
use crate::outcome::Wait;
use crate::plan::{Naming, SinkFolder, SourceFolder, Target};
use crate::sink::{self, BatchLimit, Content, Delivery, Door, Removed, Report, Sink, StandingHead};
use crate::source::{self, AfterMessage, Arrival, Heading, Listed, Opened, Source, Traces, Wanted};
use crate::spool::{Body, Budget};
use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

impl Context {
    /// Connects to a source, trying once; with clocks if they are wanted.
    pub(super) fn open_source(&self, index: usize) -> Result<Box<dyn Source>> {
        let (spec, login) = &self.sources[index];
        let open = || source::open(spec, index as u32, login.as_ref());
        let Some(times) = &self.times else {
            return open();
        };
        let inner = times.during(Wait::Connecting, open)?;
        times.count_source();
        let times = Arc::clone(times);
        Ok(Box::new(TimedSource { inner, times }))
    }

    /// The same for a destination; `cautious` as [`sink::open`] has it.
    pub(super) fn open_sink(&self, sink: usize, cautious: bool) -> Result<Box<dyn Sink>> {
        let (spec, login) = &self.destinations[sink];
        let open = || sink::open(spec, login.as_ref(), cautious);
        let Some(times) = &self.times else {
            return open();
        };
        let inner = times.during(Wait::Connecting, open)?;
        times.count_destination();
        let times = Arc::clone(times);
        Ok(Box::new(TimedSink { inner, times }))
    }
}

/// One call under way: its waits are the end's, but for those inside callbacks and for memory.
struct Call<'a> {
    times: &'a Times,
    wait: Wait,
    clock: Clock,
    elsewhere: Cell<Duration>,
    budget: Option<Budget>,
}

impl<'a> Call<'a> {
    fn new(times: &'a Times, wait: Wait) -> Self {
        Call {
            times,
            wait,
            clock: Clock::start(),
            elsewhere: Cell::default(),
            budget: None,
        }
    }

    /// A handle to the budget that tells this call's waits for it.
    fn budget(&mut self, budget: &Budget) -> Budget {
        let own = budget.watched();
        self.budget = Some(own.clone());
        own
    }

    /// Runs a caller's own work; what it waits for counts as `held`, if it is to count here.
    fn aside<T>(&self, held: Option<Wait>, work: impl FnOnce() -> T) -> T {
        let clock = Clock::start();
        let done = work();
        let waited = clock.waited();
        self.elsewhere.set(self.elsewhere.get() + waited);
        if let Some(held) = held {
            self.times.add(held, waited);
        }
        done
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let memory = self.budget.as_ref().map_or(Duration::ZERO, Budget::waited);
        self.times.add(Wait::Memory, memory);
        let waited = self.clock.waited();
        let own = waited.saturating_sub(self.elsewhere.get() + memory);
        self.times.add(self.wait, own);
    }
}

struct TimedSource {
    inner: Box<dyn Source>,
    times: Arc<Times>,
}

impl Source for TimedSource {
    fn folders(&mut self) -> Result<Vec<SourceFolder>> {
        let _call = Call::new(&self.times, Wait::Source);
        self.inner.folders()
    }

    fn list(
        &mut self,
        folder: &SourceFolder,
        on: &mut dyn FnMut(Listed) -> Result<()>,
    ) -> Result<Opened> {
        let call = Call::new(&self.times, Wait::Source);
        self.inner
            .list(folder, &mut |listed| call.aside(None, || on(listed)))
    }

    fn changes(
        &mut self,
        folder: &SourceFolder,
        since: u64,
        on: &mut dyn FnMut(Listed) -> Result<()>,
    ) -> Result<Option<Opened>> {
        let call = Call::new(&self.times, Wait::Source);
        self.inner
            .changes(folder, since, &mut |listed| call.aside(None, || on(listed)))
    }

    fn fetch(
        &mut self,
        folder: &SourceFolder,
        wanted: Wanted<'_>,
        budget: &Budget,
        opened: &mut dyn FnMut(&Opened) -> Result<Flow>,
        on: &mut dyn FnMut(Arrival) -> Result<Flow>,
    ) -> Result<()> {
        self.fetch_on(folder, wanted, budget, opened, on, &mut |_| None)
    }

    fn fetch_on(
        &mut self,
        folder: &SourceFolder,
        wanted: Wanted<'_>,
        budget: &Budget,
        opened: &mut dyn FnMut(&Opened) -> Result<Flow>,
        on: &mut dyn FnMut(Arrival) -> Result<Flow>,
        next: &mut dyn FnMut(usize) -> Option<SourceFolder>,
    ) -> Result<()> {
        let mut call = Call::new(&self.times, Wait::Source);
        let budget = call.budget(budget);
        self.inner.fetch_on(
            folder,
            wanted,
            &budget,
            &mut |state| call.aside(None, || opened(state)),
            &mut |arrival| call.aside(Some(Wait::HeldBack), || on(arrival)),
            next,
        )
    }

    fn is_divisible(&self) -> bool {
        self.inner.is_divisible()
    }

    fn fetch_range(
        &mut self,
        folder: &SourceFolder,
        uids: (u32, u32),
        budget: &Budget,
        opened: &mut dyn FnMut(&Opened) -> Result<Flow>,
        on: &mut dyn FnMut(Arrival) -> Result<Flow>,
        next: &mut dyn FnMut(usize) -> Option<(u32, u32)>,
    ) -> Result<()> {
        let mut call = Call::new(&self.times, Wait::Source);
        let budget = call.budget(budget);
        self.inner.fetch_range(
            folder,
            uids,
            &budget,
            &mut |state| call.aside(None, || opened(state)),
            &mut |arrival| call.aside(Some(Wait::HeldBack), || on(arrival)),
            next,
        )
    }

    fn headings(
        &mut self,
        folder: &SourceFolder,
        on: &mut dyn FnMut(Heading) -> Result<()>,
    ) -> Result<Option<Opened>> {
        let call = Call::new(&self.times, Wait::Source);
        self.inner.headings(folder, &mut |heading| {
            call.aside(Some(Wait::HeldBack), || on(heading))
        })
    }

    fn after(
        &mut self,
        folder: &SourceFolder,
        after: &After,
        messages: &[AfterMessage],
    ) -> Result<Vec<SourceKey>> {
        let _call = Call::new(&self.times, Wait::Source);
        self.inner.after(folder, after, messages)
    }

    fn only_marks(&self, after: &After) -> bool {
        self.inner.only_marks(after)
    }

    fn may_hold_back(&self) -> bool {
        self.inner.may_hold_back()
    }

    fn peer(&self) -> Option<SocketAddr> {
        self.inner.peer()
    }

    fn assumed(&self) -> Vec<String> {
        self.inner.assumed()
    }

    fn traces(&mut self) -> Result<Traces> {
        let _call = Call::new(&self.times, Wait::Source);
        self.inner.traces()
    }

    fn close(self: Box<Self>) -> Result<()> {
        let _call = Call::new(&self.times, Wait::Source);
        self.inner.close()
    }
}

struct TimedSink {
    inner: Box<dyn Sink>,
    times: Arc<Times>,
}

impl Sink for TimedSink {
    fn folders(&mut self) -> Result<(Naming, Vec<SinkFolder>)> {
        let _call = Call::new(&self.times, Wait::Destination);
        self.inner.folders()
    }

    fn prepare(&mut self, targets: &[&Target]) -> Result<Vec<Result<()>>> {
        let _call = Call::new(&self.times, Wait::Destination);
        self.inner.prepare(targets)
    }

    fn door(&mut self, name: &[u8]) -> Result<Door> {
        let _call = Call::new(&self.times, Wait::Destination);
        self.inner.door(name)
    }

    fn doors(&mut self, names: &[&[u8]]) -> Result<Vec<Option<Door>>> {
        let _call = Call::new(&self.times, Wait::Destination);
        self.inner.doors(names)
    }

    fn heads(
        &mut self,
        name: &[u8],
        uids: (u32, u32),
        on: &mut dyn FnMut(StandingHead) -> Result<()>,
    ) -> Result<()> {
        let call = Call::new(&self.times, Wait::Destination);
        self.inner
            .heads(name, uids, &mut |head| call.aside(None, || on(head)))
    }

    fn bodies(
        &mut self,
        name: &[u8],
        uids: &[(u32, u32)],
        budget: &Budget,
        on: &mut dyn FnMut(u32, Result<Body>) -> Result<Flow>,
    ) -> Result<bool> {
        let mut call = Call::new(&self.times, Wait::Destination);
        let budget = call.budget(budget);
        self.inner.bodies(name, uids, &budget, &mut |uid, body| {
            call.aside(None, || on(uid, body))
        })
    }

    fn bodies_of(
        &mut self,
        folders: &[(&[u8], UidRanges)],
        budget: &Budget,
        on: &mut dyn FnMut(usize, u32, Result<Body>) -> Result<Flow>,
    ) -> Result<Vec<Result<bool>>> {
        let mut call = Call::new(&self.times, Wait::Destination);
        let budget = call.budget(budget);
        self.inner
            .bodies_of(folders, &budget, &mut |at, uid, body| {
                call.aside(None, || on(at, uid, body))
            })
    }

    fn deliver(&mut self, name: &[u8], batch: &[Delivery<'_>]) -> Report {
        let _call = Call::new(&self.times, Wait::Destination);
        self.inner.deliver(name, batch)
    }

    fn submit(&mut self, name: &[u8], batch: &[Delivery<'_>]) -> Option<Report> {
        let _call = Call::new(&self.times, Wait::Destination);
        self.inner.submit(name, batch)
    }

    fn collect(&mut self, wait: bool) -> Option<Report> {
        let _call = Call::new(&self.times, Wait::Destination);
        self.inner.collect(wait)
    }

    fn batch_limit(&self) -> BatchLimit {
        self.inner.batch_limit()
    }

    fn change_flags(
        &mut self,
        name: &[u8],
        uid_validity: u32,
        uids: &[u32],
        change: &FlagChange,
    ) -> Result<bool> {
        let _call = Call::new(&self.times, Wait::Destination);
        self.inner.change_flags(name, uid_validity, uids, change)
    }

    fn only_reads(&self, name: &[u8]) -> bool {
        self.inner.only_reads(name)
    }

    fn leave_reading(&mut self, name: &[u8]) -> Result<()> {
        let _call = Call::new(&self.times, Wait::Destination);
        self.inner.leave_reading(name)
    }

    fn knows_keywords(&self, name: &[u8]) -> bool {
        self.inner.knows_keywords(name)
    }

    fn unfit_keywords(&mut self, name: &[u8], flags: &Flags) -> Result<Vec<String>> {
        let _call = Call::new(&self.times, Wait::Destination);
        self.inner.unfit_keywords(name, flags)
    }

    fn contents(&mut self, name: &[u8], on: &mut dyn FnMut(Content) -> Result<()>) -> Result<Door> {
        let call = Call::new(&self.times, Wait::Destination);
        self.inner
            .contents(name, &mut |content| call.aside(None, || on(content)))
    }

    fn remove(&mut self, name: &[u8], uid_validity: u32, uids: &[u32]) -> Result<Removed> {
        let _call = Call::new(&self.times, Wait::Destination);
        self.inner.remove(name, uid_validity, uids)
    }

    fn idle(&mut self) -> Result<()> {
        let _call = Call::new(&self.times, Wait::Destination);
        self.inner.idle()
    }

    fn peer(&self) -> Option<SocketAddr> {
        self.inner.peer()
    }

    fn traces(&mut self) -> Result<Traces> {
        let _call = Call::new(&self.times, Wait::Destination);
        self.inner.traces()
    }

    fn assumed(&self) -> Vec<String> {
        self.inner.assumed()
    }

    fn warnings(&mut self) -> Vec<String> {
        self.inner.warnings()
    }

    fn close(self: Box<Self>) -> Result<()> {
        let _call = Call::new(&self.times, Wait::Destination);
        self.inner.close()
    }
}

#[cfg(test)]
mod tests {
    /// The names of the functions that stand between a line that begins so and the end of its block.
    fn functions<'a>(text: &'a str, block: &str) -> Vec<&'a str> {
        let body = text.split_once(block).expect("the block").1;
        let body = body.split_once("\n}\n").expect("its end").0;
        let names = body.lines().filter_map(|line| {
            let name = line.strip_prefix("    fn ")?;
            name.split_once('(').map(|(name, _)| name)
        });
        names.collect()
    }

    /// A method with a body of its own in the trait would else silently lose what the source or sink does in its place.
    #[test]
    fn every_method_is_passed_on() {
        let own = include_str!("timed.rs");
        for (text, of, implemented) in [
            (
                include_str!("../source/mod.rs"),
                "\npub trait Source: Send {\n",
                "\nimpl Source for TimedSource {\n",
            ),
            (
                include_str!("../sink/mod.rs"),
                "\npub trait Sink: Send {\n",
                "\nimpl Sink for TimedSink {\n",
            ),
        ] {
            let wanted = functions(text, of);
            assert!(wanted.len() > 10, "{wanted:?}");
            assert_eq!(functions(own, implemented), wanted);
        }
    }
}
