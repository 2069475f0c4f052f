//! Delivering one batch: intent, bytes, settlement, conclusion.

use super::cargo::Load;
use super::context::Context;
use super::deliver::{Deliverer, seen};
use super::settle::{self, Sought};
use super::target::{self, Check};
use crate::error::{Code, End, Error, Kind, Result};
use crate::identity::Standing;
use crate::job::Verify;
use crate::journal::{Conclusion, Delivered, Intent, IntentId, MessageRow};
use crate::message::Flags;
use crate::outcome::Outcome;
use crate::plan::Target;
use crate::sink::{BatchLimit, Delivery, Refusal, Stored};
use std::collections::{HashSet, VecDeque};

/// Connections that one message may cost before it counts as rejected.
const LOSSES: u32 = 3;
/// Times that a server may put a message off.
const DELAYS: u32 = 5;

/// A message waiting to be delivered.
pub(super) struct Pending {
    pub(super) load: Load,
    /// As they are sent: without what the destination cannot hold.
    flags: Flags,
    date: Option<crate::message::InternalDate>,
    row: Option<MessageRow>,
    /// What could not come along, in words.
    without: Vec<String>,
    losses: u32,
    delays: u32,
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
struct Sorted {
    done: Vec<(Pending, Option<u32>, Outcome)>,
    refused: Vec<(Pending, String, Outcome)>,
    again: Vec<Vec<Pending>>,
    /// May still be stored by a session that is dying: looked for again at the end of the run.
    doubtful: usize,
    /// Ends the account, once what is known is written down.
    fatal: Option<Error>,
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
    let mut fitting = Vec::with_capacity(items.len());
    let mut sorted = Sorted::default();
    for mut item in items {
        if let Some(most) = most.filter(|&most| item.load.body.size() > most) {
            let words = format!("the destination takes at most {most} bytes a message");
            sorted.refused.push((item, words, Outcome::Rejected));
            continue;
        }
        if !item.flags.keywords.is_empty() {
            for keyword in deliverer
                .link
                .retry(|sink| sink.unfit_keywords(&target.name, &item.flags))?
            {
                item.flags.keywords.remove(&keyword);
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
    let deliveries: Vec<Delivery<'_>> = part
        .iter()
        .map(|item| Delivery {
            flags: &item.flags,
            date: item.date,
            body: &item.load.body,
        })
        .collect();
    let report = deliverer.link.get()?.deliver(&target.name, &deliveries);
    drop(deliveries);
    deliverer.link.cautious |= report.cautious;
    if report.lost.is_some() {
        deliverer.link.drop_connection();
    }
    let mut sorted = sort(
        deliverer,
        target,
        part,
        report.stored,
        door.uid_validity,
        door.floor,
    )?;
    if sorted.done.is_empty()
        && let Some(lost) = report.lost
    {
        // Nothing went through: wait before the next attempt, and give up in the end.
        if let Err(error) = deliverer
            .link
            .patience
            .wait(deliverer.context, transient(lost))
        {
            sorted.fatal.get_or_insert(error);
        }
    } else {
        deliverer.link.patience.refill();
    }
    let fatal = sorted.fatal.take();
    let again = std::mem::take(&mut sorted.again);
    conclude(deliverer, target, Some(intent), sorted)?;
    fatal.map_or(Ok(again), Err)
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
    let mut blamed = false;
    for (mut item, stored) in part.into_iter().zip(stored) {
        match stored {
            Stored::Yes(Some((validity, uid))) if validity == uid_validity => {
                sorted.done.push((item, Some(uid), Outcome::Copied));
            }
            Stored::No { ref words, why } if why != Refusal::Batch => {
                refuse(deliverer, target, item, words, why, &mut sorted)?
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
        look(deliverer, target, floor, open, &mut sorted)?;
    } else {
        resend(
            open.into_iter().map(|(item, _)| item).collect(),
            &mut sorted,
        );
    }
    Ok(sorted)
}

/// Looks at the folder for those of which the answer left a doubt.
fn look(
    deliverer: &mut Deliverer<'_>,
    target: &Target,
    floor: u32,
    open: Vec<(Pending, Stored)>,
    sorted: &mut Sorted,
) -> Result<()> {
    let taken: HashSet<u32> = sorted.done.iter().filter_map(|(_, uid, _)| *uid).collect();
    let found = deliverer
        .link
        .retry(|sink| settle::look(sink, &target.name, floor, &taken))?;
    let sought: Vec<Sought> = open.iter().map(|(item, _)| sought(item)).collect();
    let places = settle::pair(&sought, &found);
    let mut again = Vec::new();
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
            (None, Stored::Yes(_)) => {
                let words =
                    "the server said OK, but the message does not stand in the folder".to_owned();
                sorted.refused.push((item, words, Outcome::Failed));
            }
            (None, _) => again.push(item),
        }
    }
    resend(again, sorted);
    Ok(())
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

/// A refusal of one message.
fn refuse(
    deliverer: &mut Deliverer<'_>,
    target: &Target,
    mut item: Pending,
    words: &str,
    why: Refusal,
    sorted: &mut Sorted,
) -> Result<()> {
    match why {
        Refusal::Full => {
            sorted.fatal.get_or_insert(full(target, words));
            sorted
                .refused
                .push((item, words.to_owned(), Outcome::Failed));
        }
        Refusal::NoFolder if item.delays == 0 => {
            item.delays += 1;
            target::make(&mut deliverer.link, target)?;
            sorted.again.push(vec![item]);
        }
        Refusal::Later if item.delays < DELAYS => {
            item.delays += 1;
            let error = Error::new(
                Kind::Transient,
                Code::Throttled,
                "the destination puts a message off",
            )
            .words(words);
            deliverer
                .link
                .patience
                .wait(deliverer.context, error.at(End::Destination))?;
            sorted.again.push(vec![item]);
        }
        Refusal::Later => sorted
            .refused
            .push((item, words.to_owned(), Outcome::Failed)),
        _ if lighten(&mut item, words) => sorted.again.push(vec![item]),
        _ => sorted
            .refused
            .push((item, words.to_owned(), Outcome::Rejected)),
    }
    Ok(())
}

fn full(target: &Target, words: &str) -> Error {
    Error::new(
        Kind::Account,
        Code::Full,
        format!("no room at the destination, at folder {}", target.folder),
    )
    .words(words)
    .hint("make room or raise the quota there, then run again: it goes on where it stopped")
    .at(End::Destination)
}

/// Takes keywords off, then the date, from a message that was refused, where the words do not say that it is the message itself.
/// `false`: nothing is left to take off.
fn lighten(item: &mut Pending, words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    let says = |hints: &[&str]| hints.iter().any(|hint| words.contains(hint));
    if !item.flags.keywords.is_empty()
        && says(&["keyword", "flag", "parse", "invalid", "argument", "syntax"])
    {
        item.without.push(format!("keywords ({words})"));
        item.flags.keywords.clear();
        return true;
    }
    if item.date.is_some() && says(&["date", "time", "parse", "invalid", "argument", "syntax"]) {
        item.without.push(format!("its date ({words})"));
        item.date = None;
        return true;
    }
    false
}

/// Writes down what is known; a part without a doubt settles its intent.
fn conclude(
    deliverer: &mut Deliverer<'_>,
    target: &Target,
    intent: Option<IntentId>,
    sorted: Sorted,
) -> Result<()> {
    let run = deliverer.step()?;
    let context = deliverer.context;
    let claimant = target::claimant(run.folder);
    let verify = context.account.verify;
    let landing = deliverer
        .landings
        .get(context, &mut deliverer.link, target)?;
    let (id, uid_validity) = (landing.id, landing.door.uid_validity);
    let mut conclusions = Vec::with_capacity(sorted.done.len() + sorted.refused.len());
    let mut standing = Vec::with_capacity(sorted.done.len());
    for (item, uid, outcome) in &sorted.done {
        let Some(row) = item.row else { continue };
        let delivered = Delivered {
            folder: id,
            uid_validity,
            uid: *uid,
        };
        conclusions.push(conclusion(context, row, *outcome, item, Some(delivered)));
        let Some(uid) = *uid else { continue };
        landing.door.floor = landing.door.floor.max(uid.saturating_add(1));
        let stands = stands(item, uid, row);
        standing.push(target::standing_row(&stands, uid, Some((row, run.folder))));
        landing.index.insert_delivered(claimant, stands);
        if *outcome == Outcome::Copied && wants_reading_back(verify, item) {
            let digest = item.load.body.digests().exact;
            landing.checks.push(Check {
                row,
                uid,
                digest,
                outcome: *outcome,
            });
        }
    }
    for (item, words, outcome) in &sorted.refused {
        let Some(row) = item.row else { continue };
        conclusions.push(Conclusion {
            words: Some(words.clone()),
            ..conclusion(context, row, *outcome, item, None)
        });
    }
    let (number, settled) = (context.run, sorted.doubtful == 0);
    context.ledger.ask(move |journal| {
        journal.conclude(number, intent, &conclusions, settled)?;
        journal.add_standing(number, id, &standing)
    })?;
    count(deliverer, &sorted)
}

fn count(deliverer: &Deliverer<'_>, sorted: &Sorted) -> Result<()> {
    let run = deliverer.step()?;
    for outcome in [Outcome::Copied, Outcome::Altered] {
        let of = sorted.done.iter().filter(|(_, _, is)| *is == outcome);
        let (messages, bytes) = of.fold((0, 0), |(n, bytes), (item, ..)| {
            (n + 1, bytes + item.load.body.size())
        });
        if messages > 0 {
            run.count(deliverer.context, outcome, messages, bytes);
        }
    }
    for (item, words, outcome) in &sorted.refused {
        run.count(deliverer.context, *outcome, 1, 0);
        let id = item.load.header.message_id.as_deref().unwrap_or_default();
        deliverer.tell_trouble(super::known::key_text(&item.load.key), id, *outcome, words)?;
    }
    Ok(())
}

fn conclusion(
    context: &Context,
    row: MessageRow,
    outcome: Outcome,
    item: &Pending,
    delivered: Option<Delivered>,
) -> Conclusion {
    let words =
        (!item.without.is_empty()).then(|| format!("stored without {}", item.without.join(", ")));
    let flags = item.flags.clone();
    Conclusion {
        row,
        sink: context.sink,
        outcome: outcome.as_str(),
        words,
        delivered,
        flags,
        of: None,
    }
}

fn stands(item: &Pending, uid: u32, row: MessageRow) -> Standing {
    let size = Some(item.load.body.size());
    Standing::new(
        Some(uid),
        &item.load.header,
        Some(item.load.body.digests()),
        size,
        Some(row),
    )
}

/// Is this message read back in the run? A sample is drawn by the digest, so that every run draws the same.
fn wants_reading_back(verify: Verify, item: &Pending) -> bool {
    match verify {
        Verify::All => true,
        Verify::None => false,
        Verify::Risky => {
            let [first, second, ..] = item.load.body.digests().exact.0;
            item.load.body.traits().risky() || u16::from_be_bytes([first, second]) < u16::MAX / 100
        }
    }
}
