//! The reading side of a lane: opens folders at the source and sends their messages down.

use super::arrival::{arrived, changed_validity, unwanted, verdict};
use super::cargo::{Cargo, Ending, Load};
use super::context::{Context, StepRun, interrupted, lock};
use super::known::{self, Fate};
use super::link::SourceLink;
use crate::error::{Code, Error, Kind, Result};
use crate::identity::HeaderIdentity;
use crate::job::Dedup;
use crate::journal::Place;
use crate::message::{InternalDate, SourceKey};
use crate::net::Flow;
use crate::outcome::{Event, Outcome};
use crate::plan::{Step, Work};
use crate::source::{Listed, Opened, Source, Wanted};
use crossbeam_channel::{Sender, bounded};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Sessions at a source that shows only a part of itself in each.
const SESSIONS: usize = 10_000;

/// The reading side of one lane.
pub(super) struct Collector<'a> {
    context: &'a Context,
    /// One connection a source, made when a step needs it.
    links: Vec<SourceLink<'a>>,
    lane: Sender<Cargo>,
}

/// The delivering side is gone: it has told why.
fn lane_closed() -> Error {
    interrupted()
}

/// The delivering side passes this folder over: it has told why.
fn not_taken(step: &Step) -> Error {
    let what = format!(
        "{} could not be compared with the destination",
        step.source.folder
    );
    Error::new(Kind::Folder, Code::Refused, what)
}

impl<'a> Collector<'a> {
    pub(super) fn new(context: &'a Context, lane: Sender<Cargo>) -> Self {
        let links = (0..context.sources.len())
            .map(|index| SourceLink::new(context, index))
            .collect();
        Collector {
            context,
            links,
            lane,
        }
    }

    /// Connects to the source, if there is only one; tries once, for a server that takes no further connection does not take it later.
    pub(super) fn connect(&mut self) -> Result<()> {
        match self.links.as_mut_slice() {
            [link] => link.connect(),
            _ => Ok(()),
        }
    }

    /// Works through one step. `Err` ends the lane; what concerns this folder only is in its report.
    pub(super) fn collect(&mut self, order: usize, step: Step) -> Result<()> {
        let (source, name, validity) = (
            step.source.source,
            step.source.name.clone(),
            step.source.uid_validity,
        );
        let run = self.context.run;
        let folder = self
            .context
            .ledger
            .ask(move |journal| journal.folder(run, source, &name, validity))?;
        let again = self.context.folder_of(order).is_some();
        let run = StepRun::new(order, again, step, folder);
        self.context.enter(&run);
        if !again {
            run.report().source_count = u64::from(run.step.source.messages);
        }
        self.context.tell(Event::FolderStarted {
            account: self.context.account.name.clone(),
            folder: run.step.source.folder.to_string(),
            to: run.step.target.folder.to_string(),
            messages: u64::from(run.step.source.messages),
        });
        self.send(Cargo::Start(Arc::clone(&run)))?;
        let result = self.read(&run);
        let (ending, fatal) = match result {
            Ok(complete) => (
                Ending {
                    complete,
                    error: None,
                },
                None,
            ),
            Err(error) => {
                let fatal =
                    (!matches!(error.kind, Kind::Folder | Kind::Message)).then(|| error.clone());
                (
                    Ending {
                        complete: None,
                        error: Some(error),
                    },
                    fatal,
                )
            }
        };
        self.send(Cargo::End(ending))?;
        fatal.map_or(Ok(()), Err)
    }

    pub(super) fn close(&mut self) {
        for link in &mut self.links {
            if self.context.stop.asked() {
                // A session left in the middle of a stream cannot say good-bye.
                link.drop_connection();
            } else if let Err(error) = link.close() {
                self.context
                    .warn(format!("the source ended the session badly: {error}"));
            }
        }
    }

    fn send(&self, cargo: Cargo) -> Result<()> {
        self.lane.send(cargo).map_err(|_| lane_closed())
    }

    /// Reads a folder to its end, over as many connections as it takes.
    fn read(&mut self, run: &Arc<StepRun>) -> Result<Option<Opened>> {
        let index = run.step.source.source as usize;
        let mut reading = Reading {
            context: self.context,
            run,
            lane: &self.lane,
            seen: HashSet::new(),
            listed: false,
            vanished: 0,
        };
        let mut sessions = 0;
        loop {
            self.context.check_stop()?;
            let link = &mut self.links[index];
            let before = reading.seen.len();
            let result = match link.get() {
                Ok(source) => reading.pass(source),
                Err(error) => return Err(error),
            };
            if reading.seen.len() > before {
                link.patience.refill();
            }
            match result {
                Ok(complete) => {
                    sessions += 1;
                    let again = link.get()?.may_hold_back()
                        && reading.seen.len() > before
                        && sessions < SESSIONS;
                    if !again {
                        return Ok(complete);
                    }
                    link.close()?;
                }
                Err(error) if error.is_transient() => {
                    link.drop_connection();
                    link.patience.wait(self.context, error)?;
                }
                Err(error) => {
                    // Nobody knows what the connection would say next.
                    link.drop_connection();
                    return Err(error);
                }
            }
        }
    }
}

/// One folder being read.
struct Reading<'a> {
    context: &'a Context,
    run: &'a Arc<StepRun>,
    lane: &'a Sender<Cargo>,
    /// Messages that have been sent down, over all connections of this run.
    seen: HashSet<SourceKey>,
    /// What is known of earlier runs has been told down the lane.
    listed: bool,
    /// Messages that were shown and are gone.
    vanished: u64,
}

impl Reading<'_> {
    /// Reads what is still to be read over one connection.
    fn pass(&mut self, source: &mut dyn Source) -> Result<Option<Opened>> {
        match &self.run.step.work {
            Work::Unchanged { .. } => self.unchanged(),
            Work::Refused {
                messages,
                why,
                remedy,
            } => {
                let messages = u64::from(*messages);
                self.run.count(self.context, Outcome::Failed, messages, 0);
                Err(Error::new(Kind::Folder, Code::Refused, why.clone()).hint(remedy.clone()))
            }
            Work::CopyWhole { .. } if self.seen.is_empty() && !self.listed && self.streams() => {
                self.whole(source)
            }
            Work::Match { .. } if !self.listed && self.headings_help() => self.matched(source),
            _ => self.listed(source),
        }
    }

    /// May the folder come in one stream, nothing known of any message before its bytes?
    fn streams(&self) -> bool {
        self.context.account.filter == Default::default() && self.run.step.source.uid_validity != 0
    }

    /// Is it worth asking for headers first? Not where every message is read for the archive anyway.
    fn headings_help(&self) -> bool {
        let by_header = matches!(
            self.context.account.dedup,
            Dedup::MessageId | Dedup::StrictMessageId
        );
        by_header
            && self.context.archive.is_none()
            && self.context.account.routes.is_empty()
            && !self.context.account.collapse
    }

    fn unchanged(&mut self) -> Result<Option<Opened>> {
        let (folder, sink) = (self.run.folder, self.context.sink);
        let counts = self
            .context
            .ledger
            .ask(move |journal| known::counts(journal, folder, sink))?;
        for (outcome, messages) in counts {
            self.run.count(self.context, outcome, messages, 0);
        }
        // The journal has this state already.
        Ok(None)
    }

    /// `CopyWhole`: one stream, and a listing only if it came short.
    fn whole(&mut self, source: &mut dyn Source) -> Result<Option<Opened>> {
        let Some(opened) = self.fetch(source, Wanted::Whole, false)? else {
            return Ok(None);
        };
        self.run.report().source_count = u64::from(opened.messages).max(self.seen.len() as u64);
        if self.seen.len() as u64 >= u64::from(opened.messages) {
            return Ok(Some(opened));
        }
        // Expunged meanwhile, or held back: only a listing tells.
        self.listed(source)
    }

    /// Headers first: what stands at the destination is adopted without downloading it.
    fn matched(&mut self, source: &mut dyn Source) -> Result<Option<Opened>> {
        let lane = self.lane;
        let context = self.context;
        let deleted_too = self.copies_deleted();
        let mut passed_over = Vec::new();
        let mut adopted = HashSet::new();
        let opened = source.headings(&self.run.step.source, &mut |heading| {
            context.check_stop()?;
            if let Some(reason) = unwanted(context, &heading.listed, deleted_too) {
                passed_over.push((heading.listed, reason));
                return Ok(());
            }
            let header = HeaderIdentity::of(&heading.head);
            adopted.insert(heading.listed.key.clone());
            lane.send(Cargo::Heading {
                listed: heading.listed,
                header,
            })
            .map_err(|_| lane_closed())
        })?;
        let Some(opened) = opened else {
            return self.listed(source);
        };
        self.check_validity(&opened)?;
        self.run.report().source_count = u64::from(opened.messages);
        let (reply, wanted) = bounded(1);
        self.lane
            .send(Cargo::HeadingsEnd(reply))
            .map_err(|_| lane_closed())?;
        let wanted = wanted.recv().map_err(|_| not_taken(&self.run.step))?;
        wanted.iter().for_each(|listed| {
            adopted.remove(&listed.key);
        });
        self.seen.extend(adopted);
        // From here on a lost connection is made good by a listing: the journal knows what was adopted.
        self.listed = true;
        for (listed, reason) in passed_over {
            self.skip(&listed, reason)?;
        }
        self.fetch_all(source, wanted)?;
        Ok(Some(opened))
    }

    /// A complete listing, compared with the journal; then what is new.
    fn listed(&mut self, source: &mut dyn Source) -> Result<Option<Opened>> {
        let mut listing = Vec::new();
        let opened = source.list(&self.run.step.source, &mut |listed| {
            listing.push(listed);
            Ok(())
        })?;
        self.check_validity(&opened)?;
        let first = !std::mem::replace(&mut self.listed, true);
        self.count_listing(&listing, first);
        let complete = self.seen.is_empty()
            && opened.uid_validity != 0
            && listing.len() as u64 >= u64::from(opened.messages);
        listing.retain(|listed| !self.seen.contains(&listed.key));
        if self.run.again && first {
            self.only_resent(&mut listing);
        }
        let listing = self.sort_out(listing, complete)?;
        self.fetch_all(source, listing)?;
        Ok(Some(opened))
    }

    /// Every message that was ever shown in this run counts: those gone by now are *vanished*.
    fn count_listing(&mut self, listing: &[Listed], first: bool) {
        if self.run.again {
            return;
        }
        let fresh = listing
            .iter()
            .filter(|listed| !self.seen.contains(&listed.key))
            .count();
        let there = (self.seen.len() + fresh) as u64 + self.vanished;
        let before = if first && self.seen.is_empty() {
            there
        } else {
            self.run.report().source_count
        };
        self.run.report().source_count = there.max(before);
        if before > there {
            self.vanished += before - there;
            self.run
                .count(self.context, Outcome::Vanished, before - there, 0);
        }
    }

    /// At the end of a run only what was in doubt is sent once more; of that, what is gone by now has vanished.
    fn only_resent(&mut self, listing: &mut Vec<Listed>) {
        let resend = lock(&self.context.resend)
            .remove(&self.run.folder)
            .unwrap_or_default();
        let (wanted, others): (Vec<_>, Vec<_>) = std::mem::take(listing)
            .into_iter()
            .partition(|listed| resend.contains(&listed.key));
        self.seen
            .extend(others.into_iter().map(|listed| listed.key));
        let gone = resend.len().saturating_sub(wanted.len()) as u64;
        if gone > 0 {
            self.run.count(self.context, Outcome::Vanished, gone, 0);
        }
        *listing = wanted;
    }

    /// What a listing means, given the journal: tells what is done already, gives back what has to be fetched.
    fn sort_out(&mut self, listing: Vec<Listed>, complete: bool) -> Result<Vec<Listed>> {
        let (folder, sink, run) = (self.run.folder, self.context.sink, self.context.run);
        let compared = self
            .context
            .ledger
            .ask(move |journal| known::compare(journal, run, folder, sink, listing, complete))?;
        if !self.run.again {
            self.tell_done(compared.done, compared.trouble);
        }
        self.seen.extend(compared.done_keys);
        let deleted_too = self.copies_deleted();
        for mut work in compared.flags {
            if !deleted_too {
                // A mark that such a job never carries: at the destination it could cost the message.
                work.change.add.deleted = false;
                work.change.remove.deleted = false;
            }
            if !work.change.is_empty() {
                self.send(Cargo::Flags(work))?;
            }
        }
        let mut wanted = Vec::new();
        for (listed, fate) in compared.open {
            let listed = Listed {
                date: listed.date.or(fate.date()),
                ..listed
            };
            match (unwanted(self.context, &listed, deleted_too), fate) {
                (Some(_), Fate::Skipped(_)) => {
                    // Written down by an earlier run.
                    self.seen.insert(listed.key);
                    self.run.count(
                        self.context,
                        Outcome::Skipped,
                        u64::from(!self.run.again),
                        0,
                    );
                }
                (Some(reason), _) => self.skip(&listed, reason)?,
                (None, Fate::Skipped(_)) => wanted.push(listed),
                (None, Fate::Fetch) => wanted.push(listed),
                (None, Fate::Kept(place)) => self.send_kept(listed, place, &mut wanted)?,
            }
        }
        Ok(wanted)
    }

    /// What earlier runs did.
    fn tell_done(&self, done: HashMap<Outcome, u64>, trouble: Vec<known::OldTrouble>) {
        for (outcome, messages) in done {
            self.run.count(self.context, outcome, messages, 0);
        }
        for trouble in trouble {
            self.context
                .trouble(known::told(&self.run.step.source.folder, trouble));
        }
    }

    /// A message that an earlier run kept but did not deliver: not downloaded again.
    fn send_kept(&mut self, listed: Listed, place: Place, wanted: &mut Vec<Listed>) -> Result<()> {
        let Some(archive) = &self.context.archive else {
            wanted.push(listed);
            return Ok(());
        };
        let read = lock(archive).read(&place, &self.context.budget);
        match read {
            Ok(body) => {
                self.seen.insert(listed.key.clone());
                let header = HeaderIdentity::of(body.head());
                let date = listed
                    .date
                    .or_else(|| InternalDate::from_headers(body.head()));
                let load = Load {
                    key: listed.key,
                    flags: listed.flags,
                    date,
                    body,
                    header,
                    place: Some(place),
                };
                self.send(Cargo::Message(load))
            }
            Err(error) if error.kind == Kind::Interrupted => Err(error),
            Err(error) => {
                self.context
                    .warn(format!("read again from the source: {error}"));
                wanted.push(listed);
                Ok(())
            }
        }
    }

    /// Fetches these, asks once more for those that did not come, and gives those that never come their outcome.
    fn fetch_all(&mut self, source: &mut dyn Source, mut wanted: Vec<Listed>) -> Result<()> {
        if wanted.is_empty() {
            return Ok(());
        }
        self.try_fetch(source, &wanted, false)?;
        wanted.retain(|listed| !self.seen.contains(&listed.key));
        if wanted.is_empty() {
            return Ok(());
        }
        let mut there = HashSet::new();
        source.list(&self.run.step.source, &mut |listed| {
            there.insert(listed.key);
            Ok(())
        })?;
        let (held_back, gone): (Vec<_>, Vec<_>) = wanted
            .into_iter()
            .partition(|listed| there.contains(&listed.key));
        for listed in gone {
            self.verdict(
                &listed,
                Outcome::Vanished,
                "gone at the source before it was read",
            )?;
        }
        self.fetch_parts(source, held_back)
    }

    /// Asks for ever smaller parts of what the source lists but did not give, until what it never gives is alone.
    fn fetch_parts(&mut self, source: &mut dyn Source, part: Vec<Listed>) -> Result<()> {
        let mut parts = vec![part];
        while let Some(mut part) = parts.pop().filter(|part| !part.is_empty()) {
            self.context.check_stop()?;
            let alone = part.len() == 1;
            let words = self.try_fetch(source, &part, alone)?;
            part.retain(|listed| !self.seen.contains(&listed.key));
            match part.as_slice() {
                [] => {}
                [listed] if alone => {
                    let words = words
                        .unwrap_or_else(|| "the source lists it but does not give it".to_owned());
                    self.verdict(listed, Outcome::Failed, &words)?;
                }
                _ => {
                    let rest = part.split_off(part.len().div_ceil(2));
                    parts.extend([rest, part].into_iter().filter(|part| !part.is_empty()));
                }
            }
        }
        Ok(())
    }

    /// Fetches these; that the server refuses is no error yet: its words.
    fn try_fetch(
        &mut self,
        source: &mut dyn Source,
        wanted: &[Listed],
        last: bool,
    ) -> Result<Option<String>> {
        match self.fetch(source, Wanted::Keys(wanted), last) {
            Ok(_) => Ok(None),
            Err(error) if error.kind == Kind::Folder && error.code == Code::Refused => {
                Ok(Some(error.words.unwrap_or(error.what)))
            }
            Err(error) => Err(error),
        }
    }

    /// Streams messages down the lane. `last`: one that comes without a body is not asked for again.
    fn fetch(
        &mut self,
        source: &mut dyn Source,
        wanted: Wanted<'_>,
        last: bool,
    ) -> Result<Option<Opened>> {
        let context = self.context;
        let validity = self.run.step.source.uid_validity;
        let mut state = None;
        let deleted_too = self.copies_deleted();
        let (lane, seen) = (self.lane, &mut self.seen);
        let name = self.run.step.source.folder.to_string();
        source.fetch(
            &self.run.step.source,
            wanted,
            &context.budget,
            &mut |opened| {
                if opened.uid_validity != validity {
                    return Err(changed_validity(&name));
                }
                state = Some(*opened);
                Ok(if context.stop.asked() {
                    Flow::Stop
                } else {
                    Flow::Continue
                })
            },
            &mut |arrival| {
                if let Some(cargo) = arrived(context, arrival, seen, last, deleted_too)? {
                    lane.send(cargo).map_err(|_| lane_closed())?;
                }
                Ok(if context.stop.asked() {
                    Flow::Stop
                } else {
                    Flow::Continue
                })
            },
        )?;
        context.check_stop()?;
        Ok(state)
    }

    /// UIDs of another UIDVALIDITY are those of other messages.
    fn check_validity(&self, opened: &Opened) -> Result<()> {
        if opened.uid_validity == self.run.step.source.uid_validity {
            return Ok(());
        }
        Err(changed_validity(&self.run.step.source.folder.to_string()))
    }

    fn copies_deleted(&self) -> bool {
        self.context.sources[self.run.step.source.source as usize]
            .0
            .copy_deleted
    }

    fn skip(&mut self, listed: &Listed, reason: &'static str) -> Result<()> {
        self.verdict(listed, Outcome::Skipped, reason)
    }

    fn verdict(&mut self, listed: &Listed, outcome: Outcome, words: &str) -> Result<()> {
        self.seen.insert(listed.key.clone());
        self.send(Cargo::Verdict(verdict(listed, outcome, words)))
    }

    fn send(&self, cargo: Cargo) -> Result<()> {
        self.lane.send(cargo).map_err(|_| lane_closed())
    }
}
