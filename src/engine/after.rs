//! What the job's `after` asks for at the source, once everything is safe at every destination: a phase and connections of its own.
//!
//! A message is touched only if its bytes, read again at every destination just now, are those that were read from the source; if it
//! is still there with the flags that were carried over; and if nobody but mailhaul has marked it as deleted.

use super::context::{Context, lock};
use super::link::{SinkLink, SourceLink};
use crate::error::{Code, End, Error, Kind, Result};
use crate::failpoint;
use crate::job::After;
use crate::journal::{Deletable, DeletableAt, FolderId, MessageRow};
use crate::message::{Digest, Flags, SourceKey, header};
use crate::net::Flow;
use crate::outcome::Outcome;
use crate::plan::{Plan, SourceFolder};
use crate::source::AfterMessage;
use crate::spool::{Body, Budget};
use std::collections::{HashMap, HashSet};
use std::time::{SystemTime, UNIX_EPOCH};

/// Messages that are re-read at the destinations before they are touched at the source.
const CHUNK: usize = 100;
/// Bytes held while re-reading.
const READING: u64 = 1 << 20;

/// Does it for every folder of the plan; gives the number of messages done.
pub(super) fn carry_out(context: &Context, plan: &Plan) -> Result<u64> {
    let sinks = 0..context.destinations.len();
    let mut sinks: Vec<SinkLink<'_>> = sinks.map(|at| SinkLink::to(context, at)).collect();
    let mut done = 0;
    for (order, step) in plan.steps.iter().enumerate() {
        let after = &context.sources[step.source.source as usize].0.after;
        let Some(id) = context.folder_of(order).filter(|_| *after != After::Keep) else {
            continue;
        };
        context.check_stop()?;
        let mut work = FolderWork {
            context,
            folder: &step.source,
            id,
            after,
            source: SourceLink::new(context, step.source.source as usize),
            marks_stay: false,
            staying: Staying::default(),
        };
        match work.carry_out(&mut sinks) {
            // The others go on; what was done by then shows in the next run's listing.
            Err(error) if matches!(error.kind, Kind::Folder | Kind::Message) => {
                context.warn(format!("{}: {error}", step.source.folder));
            }
            other => done += other?,
        }
    }
    for sink in &mut sinks {
        if let Err(error) = sink.close() {
            context.warn(format!("the destination ended the session badly: {error}"));
        }
    }
    Ok(done)
}

/// One source folder.
struct FolderWork<'a> {
    context: &'a Context,
    folder: &'a SourceFolder,
    id: FolderId,
    after: &'a After,
    source: SourceLink<'a>,
    /// The server does not remove, it only lets messages be marked.
    marks_stay: bool,
    staying: Staying,
}

/// Messages that are left as they are, by reason.
#[derive(Debug, Default)]
struct Staying {
    /// Adopted by their headers: their bytes were never read.
    unread: u64,
    /// A destination does not give the same bytes back.
    unproven: u64,
    /// Somebody marked them as deleted: that is theirs to carry out.
    marked: u64,
    /// Their flags changed after they were copied; the next run carries that over first.
    changed: u64,
}

impl FolderWork<'_> {
    fn carry_out(&mut self, sinks: &mut [SinkLink<'_>]) -> Result<u64> {
        let id = self.id;
        let without = self
            .context
            .ledger
            .ask(move |journal| journal.without_digest(id))?;
        self.staying.unread = without;
        let ripe = ripe(self.context, self.id, self.after)?;
        let mut done = 0;
        if !ripe.is_empty() {
            let there = self.still_there(ripe)?;
            done = self.touch(sinks, &there)?;
        }
        self.tell(done);
        Ok(done)
    }

    /// Those that a fresh listing shows unchanged.
    fn still_there(&mut self, ripe: Vec<Deletable>) -> Result<Vec<Deletable>> {
        let mut listing: HashMap<SourceKey, Flags> = HashMap::new();
        let folder = self.folder;
        let opened = self.source.retry(|source| {
            listing.clear();
            source.list(folder, &mut |listed| {
                listing.insert(listed.key, listed.flags);
                Ok(())
            })
        })?;
        if opened.uid_validity != folder.uid_validity {
            let what = "nothing is done at the source: the folder has another UIDVALIDITY now";
            return Err(Error::new(Kind::Folder, Code::Refused, what).at(End::Source));
        }
        self.marks_stay = self.source.get()?.only_marks(self.after);
        let mut there = Vec::new();
        for message in ripe {
            match listing.get(&message.key).map(|now| state(&message, now)) {
                None => {}
                Some(State::Marked) => self.staying.marked += 1,
                Some(State::Changed) => self.staying.changed += 1,
                // An earlier run did all that this server lets it do.
                Some(State::MarkedByUs) if self.marks_stay => {}
                Some(State::MarkedByUs | State::Same) => there.push(message),
            }
        }
        Ok(there)
    }

    fn touch(&mut self, sinks: &mut [SinkLink<'_>], there: &[Deletable]) -> Result<u64> {
        // For POP3 it is the end of the session that deletes.
        let at_end = self.folder.uid_validity == 0;
        let mut rows = Vec::new();
        let mut done = 0;
        for chunk in there.chunks(CHUNK) {
            self.context.check_stop()?;
            let touched = self.touch_chunk(sinks, chunk)?;
            done += touched.len() as u64;
            rows.extend(touched);
            if !at_end {
                self.remember(std::mem::take(&mut rows))?;
            }
        }
        self.source.close()?;
        self.remember(rows)?;
        Ok(done)
    }

    fn touch_chunk(
        &mut self,
        sinks: &mut [SinkLink<'_>],
        chunk: &[Deletable],
    ) -> Result<Vec<MessageRow>> {
        let safe = still_safe(self.context, sinks, chunk)?;
        self.staying.unproven += (chunk.len() - safe.len()) as u64;
        if safe.is_empty() {
            return Ok(Vec::new());
        }
        self.announce(safe.iter().map(|(row, _)| *row).collect())?;
        let messages: Vec<AfterMessage> = safe.iter().map(|(_, message)| message.clone()).collect();
        failpoint::pass("after: before the source is touched");
        // Not repeated on a lost connection: what was done by then shows in the next run.
        let source = self.source.get()?;
        let done = source.after(self.folder, self.after, &messages)?;
        failpoint::pass("after: done at the source, not written down");
        let done: HashSet<SourceKey> = done.into_iter().collect();
        Ok(safe
            .into_iter()
            .filter(|(_, message)| done.contains(&message.key))
            .map(|(row, _)| row)
            .collect())
    }

    /// A mark that a killed run leaves behind must not be taken for the user's.
    fn announce(&self, rows: Vec<MessageRow>) -> Result<()> {
        if self.folder.uid_validity == 0 {
            return Ok(());
        }
        let run = self.context.run;
        let deleted = *self.after != After::MarkRead;
        self.context
            .ledger
            .ask(move |journal| journal.about_to_mark(run, &rows, deleted))
    }

    fn remember(&mut self, rows: Vec<MessageRow>) -> Result<()> {
        // What is only marked is still there.
        if rows.is_empty() || self.marks_stay {
            return Ok(());
        }
        let run = self.context.run;
        let marked_read = *self.after == After::MarkRead;
        self.context.ledger.ask(move |journal| match marked_read {
            true => journal.marked_read(run, &rows),
            false => journal.removed_at_source(run, &rows),
        })
    }

    fn tell(&mut self, done: u64) {
        let Staying {
            unread,
            unproven,
            marked,
            changed,
        } = self.staying;
        let marked_only = if self.marks_stay { done } else { 0 };
        let reasons = [
            (
                unread,
                "found at the destination by their headers, their bytes never compared",
            ),
            (
                unproven,
                "a destination does not give back the bytes that were read here",
            ),
            (marked, "marked as deleted by somebody else"),
            (
                changed,
                "their flags changed meanwhile; the next run carries that over first",
            ),
        ];
        if marked_only > 0 {
            let folder = &self.folder.folder;
            self.context.warn(format!(
                "{folder}: {marked_only} messages are only marked as deleted: the source's server cannot remove single messages (no UIDPLUS)"
            ));
        }
        for (messages, why) in reasons.into_iter().filter(|(messages, _)| *messages > 0) {
            let folder = &self.folder.folder;
            self.context.warn(format!(
                "{folder}: {messages} messages stay as they are at the source: {why}"
            ));
        }
    }
}

/// How a message stands at the source now.
#[derive(Debug, PartialEq, Eq)]
enum State {
    Same,
    /// As deleted, by somebody else.
    Marked,
    MarkedByUs,
    Changed,
}

fn state(message: &Deletable, now: &Flags) -> State {
    if now.deleted {
        return match message.marked && message.flags.deleted {
            true => State::MarkedByUs,
            false => State::Marked,
        };
    }
    let mut then = message.flags.clone();
    then.deleted = false;
    if message.marked {
        // Announced, perhaps not done.
        then.seen = now.seen;
    }
    // Flags of a duplicate are not carried over, so a change of them waits for nothing.
    let carried = |at: &DeletableAt| at.outcome != Outcome::Duplicate.as_str();
    if message.at.iter().any(carried) && !then.change_to(now).is_empty() {
        return State::Changed;
    }
    State::Same
}

/// Messages that every destination has, old enough for the job.
fn ripe(context: &Context, folder: FolderId, after: &After) -> Result<Vec<Deletable>> {
    let age = match after {
        After::DeleteAfterDays(days) => i64::from(*days) * 86_400,
        _ => 0,
    };
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs() as i64);
    let seen_too = *after != After::MarkRead;
    context.ledger.ask(move |journal| {
        let mut ripe = Vec::new();
        journal.deletable(folder, &mut |message| {
            if message.delivered_at_unix + age <= now
                && (seen_too || !message.flags.seen || message.marked)
            {
                ripe.push(message);
            }
        })?;
        Ok(ripe)
    })
}

/// Of these, those whose bytes were read again at every destination just now, and are those of the source. What a destination
/// altered counts as safe only if the archive has the original.
fn still_safe(
    context: &Context,
    sinks: &mut [SinkLink<'_>],
    chunk: &[Deletable],
) -> Result<Vec<(MessageRow, AfterMessage)>> {
    let mut here = Here::new();
    for (at, sink) in sinks.iter_mut().enumerate() {
        digests_here(context, sink, at, chunk, &mut here)?;
    }
    let mut safe = Vec::new();
    for message in chunk.iter().filter(|m| m.at.len() == sinks.len()) {
        let found = message
            .at
            .iter()
            .map(|at| proof(context, message, at, &here))
            .collect::<Option<Vec<Digest>>>();
        let Some(head_digest) = found.and_then(|heads| heads.into_iter().next()) else {
            continue;
        };
        let after = AfterMessage {
            key: message.key.clone(),
            digest: message.digests.exact,
            head_digest,
        };
        safe.push((message.row, after));
    }
    Ok(safe)
}

/// Digests of a message and of its header, by destination folder (the journal's row, of one destination) and UID.
type Here = HashMap<(i64, u32), (Digest, Digest)>;

/// The header's digest, if this delivery is proof that the message is safe.
fn proof(context: &Context, message: &Deletable, at: &DeletableAt, here: &Here) -> Option<Digest> {
    let (digest, head) = here.get(&(at.delivered.folder, at.delivered.uid?))?;
    if *digest == message.digests.exact {
        return Some(*head);
    }
    if at.outcome != Outcome::Altered.as_str() {
        return None;
    }
    let place = message.place.as_ref()?;
    let archive = context.archive.as_ref()?;
    let body = lock(archive).read(place, &Budget::new(READING)).ok()?;
    (body.digests().exact == message.digests.exact).then(|| head_digest(&body))
}

fn head_digest(body: &Body) -> Digest {
    Digest::of(&body.head()[..header::head_len(body.head())])
}

/// Reads what stands at destination number `at` now.
fn digests_here(
    context: &Context,
    sink: &mut SinkLink<'_>,
    at: usize,
    chunk: &[Deletable],
    here: &mut Here,
) -> Result<()> {
    let mut wanted: HashMap<(i64, u32), Vec<u32>> = HashMap::new();
    for delivered in chunk
        .iter()
        .filter_map(|m| m.at.get(at))
        .map(|at| at.delivered)
    {
        let folder = (delivered.folder, delivered.uid_validity);
        wanted.entry(folder).or_default().extend(delivered.uid);
    }
    for ((folder, uid_validity), uids) in wanted {
        match read_folder(context, sink, folder, uid_validity, uids, here) {
            // A folder that is gone proves nothing.
            Err(error) if error.kind == Kind::Folder => {}
            other => other?,
        }
    }
    Ok(())
}

fn read_folder(
    context: &Context,
    sink: &mut SinkLink<'_>,
    folder: i64,
    uid_validity: u32,
    mut uids: Vec<u32>,
    here: &mut Here,
) -> Result<()> {
    let name = context
        .ledger
        .ask(move |journal| journal.sink_folder_name(folder))?;
    let Some(name) = name else { return Ok(()) };
    if sink.retry(|sink| sink.door(&name))?.uid_validity != uid_validity {
        return Ok(());
    }
    uids.sort_unstable();
    uids.dedup();
    let set: Vec<(u32, u32)> = uids.into_iter().map(|uid| (uid, uid)).collect();
    let budget = Budget::new(READING);
    sink.retry(|sink| {
        sink.bodies(&name, &set, &budget, &mut |uid, body| {
            if let Ok(body) = body {
                here.insert((folder, uid), (body.digests().exact, head_digest(&body)));
            }
            Ok(Flow::Continue)
        })
    })
    .map(drop)
}
