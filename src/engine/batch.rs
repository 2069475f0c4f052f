//! Delivering one batch: intent, bytes, settlement, conclusion.

use super::cargo::Load;
use super::conclude::conclude;
use super::deliver::{Deliverer, seen};
use super::settle::{self, Sought};
use super::{doubt, refusal};
use crate::error::{Error, Kind, Result};
use crate::journal::{Intent, IntentId, MessageRow};
use crate::message::Flags;
use crate::outcome::Outcome;
use crate::plan::labels::Labels;
use crate::plan::{Holds, Target};
use crate::sink::{BatchLimit, Delivery, Refusal, Stored};
use std::collections::{HashSet, VecDeque};

/// How far ahead of the floor the UIDs may be that a server tells for a batch, other deliveries being slipped in between: one
/// further off is not believed but looked for.
const AHEAD: u32 = 1_000;
/// Connections that one message may cost before it counts as rejected.
const LOSSES: u32 = 3;
/// Connections in a row that may be lost without one message being delivered, before the destination counts as unreachable:
/// more than one bad message costs, fewer than would have a broken server reject a whole mailbox.
const BARREN: u32 = 12;

/// A message waiting to be delivered.
pub(super) struct Pending {
    pub(super) load: Load,
    /// As they are sent: without what the destination cannot hold.
    pub(super) flags: Flags,
    pub(super) date: Option<crate::message::InternalDate>,
    pub(super) row: Option<MessageRow>,
    /// What could not come along, in words.
    pub(super) without: Vec<String>,
    losses: u32,
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
}

/// What is known of a part of a batch once the server has answered and the folder was looked at.
#[derive(Default)]
pub(super) struct Sorted {
    pub(super) done: Vec<(Pending, Option<u32>, Outcome)>,
    pub(super) refused: Vec<(Pending, String, Outcome)>,
    pub(super) again: Vec<Vec<Pending>>,
    /// May still be stored by a session that is dying: looked for again at the end of the run.
    pub(super) doubtful: usize,
    /// Ends the account, once what is known is written down.
    pub(super) fatal: Option<Error>,
    /// The server asks to wait before anything is sent again.
    pub(super) put_off: Option<Error>,
}

/// Delivers the batch that was collected.
pub(super) fn send(deliverer: &mut Deliverer<'_>) -> Result<()> {
    let batch = std::mem::take(&mut deliverer.batch);
    let Some(target) = batch.target else {
        return Ok(());
    };
    let mut parts = VecDeque::from([fit(deliverer, &target, batch.items)?]);
    while let Some(part) = parts.pop_front() {
        if part.is_empty() {
            continue;
        }
        let again = send_part(deliverer, &target, part)?;
        again
            .into_iter()
            .rev()
            .for_each(|part| parts.push_front(part));
    }
    Ok(())
}

/// Takes off what the destination cannot hold, and out what it would never take.
fn fit(
    deliverer: &mut Deliverer<'_>,
    target: &Target,
    items: Vec<Pending>,
) -> Result<Vec<Pending>> {
    let most = deliverer.link.get()?.batch_limit().message_bytes;
    let labels = deliverer.context.labels();
    let folder = deliverer.step()?.step.source.clone();
    let mut fitting = Vec::with_capacity(items.len());
    let mut sorted = Sorted::default();
    for mut item in items {
        if let Some(most) = most.filter(|&most| item.load.body.size() > most) {
            let words = format!("the destination takes at most {most} bytes a message");
            sorted.refused.push((item, words, Outcome::Rejected));
            continue;
        }
        let carried = labels.carried(&folder, &item.flags);
        if !carried.keywords.is_empty() {
            for keyword in deliverer
                .link
                .retry(|sink| sink.unfit_keywords(&target.name, &carried))?
            {
                item.flags.keywords.remove(&keyword);
                Labels::drop_keyword(&mut item.flags, &keyword);
                item.without.push(format!("keyword {keyword}"));
            }
        }
        fitting.push(item);
    }
    if !sorted.refused.is_empty() {
        record(deliverer, sorted.refused.iter_mut().map(|(item, ..)| item))?;
        conclude(deliverer, target, None, sorted)?;
    }
    Ok(fitting)
}

/// Intent, bytes, answer, settlement, conclusion. Gives back what has to be sent again.
fn send_part(
    deliverer: &mut Deliverer<'_>,
    target: &Target,
    mut part: Vec<Pending>,
) -> Result<Vec<Vec<Pending>>> {
    let landing = deliverer
        .landings
        .get(deliverer.context, &mut deliverer.link, target)?;
    let (id, door) = (landing.id, landing.door.clone());
    let intent = intend(deliverer, &mut part, id, door.uid_validity, door.floor)?;
    deliverer.link.pace(part.len());
    let texts = source_texts(deliverer, &part)?;
    let from_pop3 = deliverer.is_from_pop3()?;
    let (labels, step) = (deliverer.context.labels(), deliverer.step()?);
    let flags: Vec<Flags> = part
        .iter()
        .map(|item| labels.carried(&step.step.source, &item.flags))
        .collect();
    let deliveries: Vec<Delivery<'_>> = part
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
    let report = deliverer.link.get()?.deliver(&target.name, &deliveries);
    drop(deliveries);
    deliverer.link.cautious |= report.cautious;
    if report.lost.is_some() {
        deliverer.link.drop_connection();
    }
    if report.stored.contains(&Stored::Unknown) {
        // Now, and not once it was looked for: the look itself may fail.
        doubt::begins(deliverer.context);
    }
    let mut sorted = sort(
        deliverer,
        target,
        part,
        report.stored,
        door.uid_validity,
        door.floor,
    )?;
    if let Some(lost) = report.lost.as_ref()
        && lost.kind == Kind::Internal
    {
        // The local disk, not the server: no message is to be blamed for it.
        sorted.fatal.get_or_insert(lost.clone());
    }
    if !sorted.done.is_empty() {
        deliverer.barren = 0;
    }
    if sorted.done.is_empty()
        && let Some(lost) = report.lost
    {
        deliverer.barren += 1;
        if deliverer.barren >= BARREN {
            sorted.fatal.get_or_insert(transient(lost.clone()));
        }
        // Nothing went through: wait before the next attempt, and give up in the end.
        if let Err(error) = deliverer
            .link
            .patience
            .wait(deliverer.context, transient(lost))
        {
            sorted.fatal.get_or_insert(error);
        }
    } else if !sorted.done.is_empty() {
        deliverer.link.patience.refill();
    }
    let fatal = sorted.fatal.take();
    let again = std::mem::take(&mut sorted.again);
    let put_off = sorted.put_off.take();
    conclude(deliverer, target, Some(intent), sorted)?;
    if let Some(error) = fatal {
        return Err(error);
    }
    if let Some(error) = put_off {
        deliverer.link.patience.wait(deliverer.context, error)?;
    }
    Ok(again)
}

/// What names each message among all of the account.
fn source_texts(deliverer: &Deliverer<'_>, part: &[Pending]) -> Result<Vec<String>> {
    let step = deliverer.step()?;
    let text = |item: &Pending| {
        deliverer
            .context
            .source_text(&step.step.source, &item.load.key)
    };
    Ok(part.iter().map(text).collect())
}

/// A connection lost while delivering is worth another, whatever it was lost by.
fn transient(error: Error) -> Error {
    let kind = if error.is_transient() {
        error.kind
    } else {
        Kind::Transient
    };
    Error { kind, ..error }
}

/// Writes the intent, before the first byte leaves; gives the items their rows.
fn intend(
    deliverer: &Deliverer<'_>,
    part: &mut [Pending],
    folder: crate::journal::SinkFolderId,
    uid_validity: u32,
    floor: u32,
) -> Result<IntentId> {
    let (run, sink, source) = (
        deliverer.context.run,
        deliverer.context.sink,
        deliverer.step()?.folder,
    );
    let all: Vec<_> = part.iter().map(|item| seen(&item.load)).collect();
    let (rows, intent) = deliverer.context.ledger.ask(move |journal| {
        let intent = Intent {
            sink,
            folder,
            uid_validity,
            floor,
            messages: Vec::new(),
        };
        journal.record_and_intend(run, source, &all, &intent)
    })?;
    for (item, row) in part.iter_mut().zip(rows) {
        item.row = Some(row);
    }
    Ok(intent)
}

fn record<'p>(
    deliverer: &Deliverer<'_>,
    items: impl Iterator<Item = &'p mut Pending>,
) -> Result<()> {
    let (run, source) = (deliverer.context.run, deliverer.step()?.folder);
    let mut items: Vec<&mut Pending> = items.collect();
    let all: Vec<_> = items.iter().map(|item| seen(&item.load)).collect();
    let rows = deliverer
        .context
        .ledger
        .ask(move |journal| journal.record(run, source, &all))?;
    for (item, row) in items.iter_mut().zip(rows) {
        item.row = Some(row);
    }
    Ok(())
}

/// Sorts a part by what the server answered; where that leaves a doubt, by what the folder holds.
fn sort(
    deliverer: &mut Deliverer<'_>,
    target: &Target,
    part: Vec<Pending>,
    stored: Vec<Stored>,
    uid_validity: u32,
    floor: u32,
) -> Result<Sorted> {
    let mut sorted = Sorted::default();
    let mut open: Vec<(Pending, Stored)> = Vec::new();
    let mut refused = Vec::new();
    let mut blamed = false;
    let highest = floor.saturating_add(AHEAD + part.len() as u32);
    // An archive knows its UIDs; one below the floor is of a message that it kept before.
    // A server with labels gives the UID of the copy that it has already.
    let exact = deliverer.context.labels().holds() != Holds::Nothing;
    for (mut item, stored) in part.into_iter().zip(stored) {
        match stored {
            Stored::Yes(Some((validity, uid)))
                if validity == uid_validity && (exact || (floor..highest).contains(&uid)) =>
            {
                sorted.done.push((item, Some(uid), Outcome::Copied));
            }
            Stored::No {
                words,
                why,
                batch: false,
            } => {
                refused.push((item, words, why));
            }
            Stored::NotSent => {
                if !blamed {
                    item.losses += 1;
                    blamed = true;
                }
                open.push((item, stored));
            }
            stored => open.push((item, stored)),
        }
    }
    if open.iter().any(|(_, stored)| *stored != Stored::NotSent) {
        let still = look(deliverer, target, (uid_validity, floor), open, &mut sorted)?;
        refused.extend(still);
    } else {
        resend(
            open.into_iter().map(|(item, _)| item).collect(),
            &mut sorted,
        );
    }
    refusal::sort_out(deliverer, target, refused, &mut sorted)?;
    Ok(sorted)
}

/// Looks at the folder for those of which the answer left a doubt. Gives back those that are refused indeed.
fn look(
    deliverer: &mut Deliverer<'_>,
    target: &Target,
    (uid_validity, floor): (u32, u32),
    open: Vec<(Pending, Stored)>,
    sorted: &mut Sorted,
) -> Result<Vec<(Pending, String, Refusal)>> {
    let taken: HashSet<u32> = sorted.done.iter().filter_map(|(_, uid, _)| *uid).collect();
    let seen = settle::look_afresh(
        &mut deliverer.link,
        &target.name,
        (uid_validity, floor),
        &taken,
    )?;
    if seen.anew {
        // It is opened afresh when it is needed next.
        deliverer.landings.forget(&target.name);
    }
    let found = seen.found;
    let sought: Vec<Sought> = open.iter().map(|(item, _)| sought(item)).collect();
    let mut places = settle::pair(&sought, &found);
    let uids: Vec<_> = open.iter().map(|(_, stored)| stored.uid()).collect();
    settle::told(&mut places, &uids, &found, seen.uid_validity);
    let (mut again, mut refused) = (Vec::new(), Vec::new());
    for ((item, stored), place) in open.into_iter().zip(places) {
        match (place, stored) {
            (Some(place), _) => {
                let outcome = if place.intact {
                    Outcome::Copied
                } else {
                    Outcome::Altered
                };
                sorted.done.push((item, Some(place.uid), outcome));
            }
            (None, Stored::Unknown) => sorted.doubtful += 1,
            (None, Stored::No { words, why, .. }) if why != Refusal::Batch => {
                refused.push((item, words, why));
            }
            (None, Stored::Yes(_)) => {
                let words =
                    "the server said OK, but the message does not stand in the folder".to_owned();
                sorted.refused.push((item, words, Outcome::Failed));
            }
            (None, _) => again.push(item),
        }
    }
    resend(again, sorted);
    Ok(refused)
}

fn sought(item: &Pending) -> Sought {
    Sought {
        digests: item.load.body.digests(),
        header: item.load.header.clone(),
        size: item.load.body.size(),
    }
}

/// What is known not to be stored goes again, in halves, so that a message nobody can take ends up alone.
fn resend(mut items: Vec<Pending>, sorted: &mut Sorted) {
    if items.len() == 1 && items[0].losses >= LOSSES {
        let words = format!("the destination closed the connection {LOSSES} times at this message");
        sorted
            .refused
            .extend(items.pop().map(|item| (item, words, Outcome::Rejected)));
        return;
    }
    let half = items.split_off(items.len().div_ceil(2));
    sorted
        .again
        .extend([items, half].into_iter().filter(|part| !part.is_empty()));
}
