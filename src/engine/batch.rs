//! A batch on its way out: what the destination can hold of it, its intent, its bytes.

use super::cargo::Load;
use super::conclude::conclude;
use super::context::{Context, StepRun};
use super::deliver::{Deliverer, seen};
use super::flight::Sent;
use super::sorting::Sorted;
use crate::error::Result;
use crate::failpoint;
use crate::journal::{Intent, IntentId, MessageRow, SinkFolderId};
use crate::message::Flags;
use crate::outcome::Outcome;
use crate::plan::Target;
use crate::plan::labels::Labels;
use crate::sink::{BatchLimit, Delivery, Door};
use std::sync::Arc;

/// A message waiting to be delivered.
pub(super) struct Pending {
    pub(super) load: Load,
    /// As they are sent: without what the destination cannot hold.
    pub(super) flags: Flags,
    pub(super) date: Option<crate::message::InternalDate>,
    pub(super) row: Option<MessageRow>,
    /// What could not come along, in words.
    pub(super) without: Vec<String>,
    pub(super) losses: u32,
    pub(super) delays: u32,
}

/// Messages collected for one folder.
#[derive(Default)]
pub(super) struct Batch {
    target: Option<Target>,
    items: Vec<Pending>,
    bytes: u64,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) fn goes_to(&self, name: &[u8]) -> bool {
        self.items.is_empty()
            || self
                .target
                .as_ref()
                .is_some_and(|target| target.name == name)
    }

    pub(super) fn push(&mut self, target: &Target, load: Load) {
        if self.items.is_empty() {
            self.target = Some(target.clone());
        }
        self.bytes += load.body.size();
        let (flags, date) = (load.flags.clone(), load.date);
        self.items.push(Pending {
            load,
            flags,
            date,
            row: None,
            without: Vec::new(),
            losses: 0,
            delays: 0,
        });
    }

    pub(super) fn is_full(&self, limit: BatchLimit) -> bool {
        self.items.len() >= limit.messages || self.bytes >= limit.bytes
    }

    pub(super) fn clear(&mut self) {
        *self = Batch::default();
    }

    /// What was collected, and where it goes; `None`: nothing was.
    pub(super) fn take(&mut self) -> Option<(Target, Vec<Pending>)> {
        let batch = std::mem::take(self);
        Some((batch.target?, batch.items))
    }
}

/// Takes off what the destination cannot hold, and out what it would never take.
pub(super) fn fit(
    deliverer: &mut Deliverer<'_>,
    run: &StepRun,
    target: &Target,
    items: Vec<Pending>,
) -> Result<Vec<Pending>> {
    let most = deliverer.link.ready()?.batch_limit().message_bytes;
    let labels = deliverer.context.labels();
    let folder = run.step.source.clone();
    let mut fitting = Vec::with_capacity(items.len());
    let mut sorted = Sorted::default();
    for mut item in items {
        if let Some(most) = most.filter(|&most| item.load.body.size() > most) {
            let words = format!("the destination takes at most {most} bytes a message");
            sorted.refused.push((item, words, Outcome::Rejected));
            continue;
        }
        let carried = labels.carried(&folder, &item.flags);
        for keyword in unfit_keywords(deliverer, &target.name, &carried)? {
            item.flags.keywords.remove(&keyword);
            Labels::drop_keyword(&mut item.flags, &keyword);
            item.without.push(format!("keyword {keyword}"));
        }
        fitting.push(item);
    }
    if !sorted.refused.is_empty() {
        record(
            deliverer.context,
            run,
            sorted.refused.iter_mut().map(|(item, ..)| item),
        )?;
        conclude(deliverer, run, target, None, sorted)?;
    }
    Ok(fitting)
}

/// What of these flags the folder cannot hold; asks only where that is not known, for asking waits for all that is under way.
fn unfit_keywords(
    deliverer: &mut Deliverer<'_>,
    name: &[u8],
    flags: &Flags,
) -> Result<Vec<String>> {
    if flags.keywords.is_empty() {
        return Ok(Vec::new());
    }
    let sink = deliverer.link.ready()?;
    match sink.knows_keywords(name) {
        true => sink.unfit_keywords(name, flags),
        false => deliverer
            .link
            .retry(|sink| sink.unfit_keywords(name, flags)),
    }
}

/// Writes the intent and sends the bytes, behind what is under way; the folder's answer is not waited for.
pub(super) fn submit(
    deliverer: &mut Deliverer<'_>,
    run: &Arc<StepRun>,
    target: &Target,
    mut items: Vec<Pending>,
) -> Result<()> {
    let context = deliverer.context;
    deliverer.link.pace(items.len());
    if deliverer.link.ready()?.only_reads(&target.name) {
        deliverer
            .link
            .retry(|sink| sink.leave_reading(&target.name))?;
    }
    let others = deliverer.flights.go_to(&target.name);
    let landing = deliverer
        .landings
        .get(context, &mut deliverer.link, target)?;
    if !others {
        landing.taken.clear();
    }
    let (folder, door) = (landing.id, landing.door.clone());
    let intent = intend(context, run, &mut items, folder, &door)?;
    let source = |item: &Pending| context.source_text(&run.step.source, &item.load.key);
    let texts: Vec<String> = items.iter().map(source).collect();
    let from_pop3 = context.sources[run.step.source.source as usize]
        .0
        .store
        .is_pop3();
    let labels = context.labels();
    let flags: Vec<Flags> = items
        .iter()
        .map(|item| labels.carried(&run.step.source, &item.flags))
        .collect();
    let deliveries: Vec<Delivery<'_>> = items
        .iter()
        .zip(&texts)
        .zip(&flags)
        .map(|((item, source), flags)| Delivery {
            flags,
            date: item.date,
            body: &item.load.body,
            key: &item.load.key,
            from_pop3,
            source,
        })
        .collect();
    deliverer.link.submit(&target.name, &deliveries)?;
    drop(deliveries);
    failpoint::pass("delivery: one more batch under way");
    deliverer.flights.sent(Sent {
        run: Arc::clone(run),
        target: target.clone(),
        intent,
        uid_validity: door.uid_validity,
        floor: door.floor,
        items,
    });
    Ok(())
}

/// Writes the intent, before the first byte leaves; gives the items their rows.
fn intend(
    context: &Context,
    run: &StepRun,
    items: &mut [Pending],
    folder: SinkFolderId,
    door: &Door,
) -> Result<IntentId> {
    let (number, source) = (context.run, run.folder);
    let all: Vec<_> = items.iter().map(|item| seen(&item.load)).collect();
    let intent = Intent {
        sink: context.sink,
        folder,
        uid_validity: door.uid_validity,
        floor: door.floor,
        messages: Vec::new(),
    };
    let (rows, intent) = context
        .ledger
        .ask(move |journal| journal.record_and_intend(number, source, &all, &intent))?;
    for (item, row) in items.iter_mut().zip(rows) {
        item.row = Some(row);
    }
    Ok(intent)
}

fn record<'p>(
    context: &Context,
    run: &StepRun,
    items: impl Iterator<Item = &'p mut Pending>,
) -> Result<()> {
    let (number, source) = (context.run, run.folder);
    let mut items: Vec<&mut Pending> = items.collect();
    let all: Vec<_> = items.iter().map(|item| seen(&item.load)).collect();
    let rows = context
        .ledger
        .ask(move |journal| journal.record(number, source, &all))?;
    for (item, row) in items.iter_mut().zip(rows) {
        item.row = Some(row);
    }
    Ok(())
}
