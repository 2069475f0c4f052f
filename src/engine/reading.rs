//! One folder being read: in one stream, by headers first, or by a listing set against the journal.

use super::arrival::{changed_validity, unwanted, verdict};
use super::cargo::{Cargo, Load};
use super::collect::lane_closed;
use super::context::{Context, StepRun, lock};
use super::known::{self, Against, Fate};
use crate::error::{Code, Error, Kind, Result};
use crate::identity::HeaderIdentity;
use crate::job::Dedup;
use crate::journal::Place;
use crate::message::{InternalDate, SourceKey};
use crate::outcome::{Outcome, Trouble};
use crate::plan::labels::Take;
use crate::plan::{SourceFolder, Step, Work, filter};
use crate::source::{Listed, Opened, Source, Wanted};
use crossbeam_channel::{Sender, bounded};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The delivering side passes this folder over: it has told why.
fn not_taken(step: &Step) -> Error {
    let what = format!(
        "{} could not be compared with the destination",
        step.source.folder
    );
    Error::new(Kind::Folder, Code::Refused, what)
}

/// How many messages the server counts in the folder without listing them. Mail that came in since does not stand for them.
fn missing(opened: &Opened, listing: &[Listed]) -> u64 {
    let old = |listed: &&Listed| match (&listed.key, opened.uid_next) {
        (SourceKey::Uid(uid), Some(next)) => *uid < next,
        _ => true,
    };
    let shown = listing.iter().filter(old).count() as u64;
    u64::from(opened.messages).saturating_sub(shown)
}

/// One folder being read.
pub(super) struct Reading<'a> {
    pub(super) context: &'a Context,
    pub(super) run: &'a Arc<StepRun>,
    pub(super) lane: &'a Sender<Cargo>,
    /// Messages that have been sent down, over all connections of this run.
    pub(super) seen: HashSet<SourceKey>,
    /// What is known of earlier runs has been told down the lane.
    pub(super) listed: bool,
    /// Messages that were shown and are gone.
    pub(super) vanished: u64,
    /// What is read after this folder: [`Source::fetch_on`]. `None`: it may be long until that is read.
    pub(super) next: Option<&'a mut Next<'a>>,
}

/// The folder that is fetched whole as the n-th after this one, from 0.
pub(super) type Next<'a> = dyn FnMut(usize) -> Option<SourceFolder> + 'a;

/// May the folder come in one stream, nothing known of any message before its bytes?
pub(super) fn streams(context: &Context, step: &Step) -> bool {
    matches!(step.work, Work::CopyWhole { .. })
        && context.account.filter == Default::default()
        && step.source.uid_validity != 0
        && step.take == Take::All
}

impl<'a> Reading<'a> {
    pub(super) fn new(
        context: &'a Context,
        run: &'a Arc<StepRun>,
        lane: &'a Sender<Cargo>,
        next: &'a mut Next<'a>,
    ) -> Self {
        Reading {
            context,
            run,
            lane,
            seen: HashSet::new(),
            listed: false,
            vanished: 0,
            next: Some(next),
        }
    }

    /// Reads what is still to be read over one connection.
    pub(super) fn pass(&mut self, source: &mut dyn Source) -> Result<Option<Opened>> {
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
            _ if self.seen.is_empty() && !self.listed && streams(self.context, &self.run.step) => {
                self.whole(source)
            }
            Work::Match { .. } if !self.listed && self.headings_help() => self.matched(source),
            _ => self.listed(source),
        }
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
            && self.context.account.filter.search.is_none()
            && !self.context.account.collapse
            && matches!(self.run.step.take, Take::All | Take::Kept | Take::Routed)
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
        // Mail that came in during the stream does not stand for some that was not given.
        let old = |key: &&SourceKey| match (key, opened.uid_next) {
            (SourceKey::Uid(uid), Some(next)) => *uid < next,
            _ => true,
        };
        if self.seen.iter().filter(old).count() as u64 >= u64::from(opened.messages) {
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
        let this = &*self;
        let opened = source.headings(&this.run.step.source, &mut |heading| {
            context.check_stop()?;
            let reason = unwanted(context, &heading.listed, deleted_too);
            if let Some(reason) = reason.or_else(|| this.unwanted_label(&heading.listed.flags)) {
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
        self.fetch_by_place(source, wanted)?;
        Ok(Some(opened))
    }

    /// A complete listing, compared with the journal; then what is new.
    fn listed(&mut self, source: &mut dyn Source) -> Result<Option<Opened>> {
        let (opened, mut listing) = match self.since_last_run(source)? {
            Some(listing) => listing,
            None => self.whole_listing(source)?,
        };
        self.check_validity(&opened)?;
        self.tell_reused_apart(source, &mut listing)?;
        let first = !std::mem::replace(&mut self.listed, true);
        let missing = missing(&opened, &listing);
        self.keep_part(&mut listing);
        self.count_listing(&listing, missing, first);
        // What is sent again is a part of the folder: nothing follows from what it leaves out.
        let complete =
            !self.run.again && self.seen.is_empty() && opened.uid_validity != 0 && missing == 0;
        listing.retain(|listed| !self.seen.contains(&listed.key));
        if self.run.again && first {
            self.only_resent(&mut listing);
        }
        let listing = self.sort_out(listing, complete)?;
        self.fetch_by_place(source, listing)?;
        if missing > 0 && !self.run.again {
            self.tell_missing(missing);
            // Not a state of the folder that the next run may rely on.
            return Ok(None);
        }
        Ok(Some(opened))
    }

    /// The server counts messages that it does not list: nobody knows which, so they have failed.
    fn tell_missing(&self, missing: u64) {
        self.run.count(self.context, Outcome::Failed, missing, 0);
        self.context.trouble(Trouble {
            folder: self.run.step.source.folder.to_string(),
            key: String::new(),
            message_id: String::new(),
            outcome: Outcome::Failed,
            words: format!(
                "the source says that {missing} more are in the folder, and does not list them"
            ),
        });
    }

    /// What a listing means, given the journal: tells what is done already, gives back what has to be fetched.
    fn sort_out(&mut self, listing: Vec<Listed>, complete: bool) -> Result<Vec<Listed>> {
        let against = Against {
            run: self.context.run,
            folder: self.run.folder,
            sink: self.context.sink,
            complete,
            retry: self.context.account.retry_rejected,
            one_of_several: self.context.destinations.len() > 1,
        };
        let compared = self
            .context
            .ledger
            .ask(move |journal| known::compare(journal, against, listing))?;
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
            let filter = &self.context.account.filter;
            let reason = unwanted(self.context, &listed, deleted_too)
                .or_else(|| self.unwanted_label(&listed.flags));
            match (reason, fate) {
                (reason, Fate::Skipped { words, .. })
                    if reason.is_some() || filter::is_not_found_again(filter, &words) =>
                {
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
                (None, Fate::Skipped { .. }) => wanted.push(listed),
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

    /// UIDs of another UIDVALIDITY are those of other messages.
    pub(super) fn check_validity(&self, opened: &Opened) -> Result<()> {
        if opened.uid_validity == self.run.step.source.uid_validity {
            return Ok(());
        }
        Err(changed_validity(&self.run.step.source.folder.to_string()))
    }

    pub(super) fn copies_deleted(&self) -> bool {
        self.context.sources[self.run.step.source.source as usize]
            .0
            .copy_deleted
    }

    pub(super) fn skip(&mut self, listed: &Listed, reason: &'static str) -> Result<()> {
        self.verdict(listed, Outcome::Skipped, reason)
    }

    pub(super) fn verdict(&mut self, listed: &Listed, outcome: Outcome, words: &str) -> Result<()> {
        self.seen.insert(listed.key.clone());
        self.send(Cargo::Verdict(verdict(listed, outcome, words)))
    }

    pub(super) fn send(&self, cargo: Cargo) -> Result<()> {
        self.lane.send(cargo).map_err(|_| lane_closed())
    }
}
