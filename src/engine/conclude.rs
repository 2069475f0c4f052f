//! Writing down what became of a part of a batch.

use super::batch::Pending;
use super::context::{Context, StepRun};
use super::deliver::Deliverer;
use super::labels;
use super::readback;
use super::sorting::Sorted;
use super::target::{self, Check};
use crate::error::Result;
use crate::identity::Standing;
use crate::job::Verify;
use crate::journal::{Conclusion, Delivered, IntentId, MessageRow};
use crate::message::Flags;
use crate::outcome::{Outcome, Trouble};
use crate::plan::Target;

/// Writes down what is known; a part without a doubt settles its intent.
pub(super) fn conclude(
    deliverer: &mut Deliverer<'_>,
    run: &StepRun,
    target: &Target,
    intent: Option<IntentId>,
    mut sorted: Sorted,
) -> Result<()> {
    let context = deliverer.context;
    label(deliverer, run, target, &mut sorted)?;
    let claimant = target::claimant(run.folder);
    let store = &context.account.destinations[context.sink as usize].store;
    let verify = store.reads_back(context.account.verify);
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
            uid: Some(*uid),
        };
        conclusions.push(conclusion(context, row, *outcome, item, Some(delivered)));
        let uid = *uid;
        // Where it stood before it was sent, only its bytes say that it is the same.
        let older = uid < landing.door.floor && !context.destination.0.store.is_archive();
        landing.door.floor = landing.door.floor.max(uid.saturating_add(1));
        let stands = stands(item, uid, row);
        standing.push(target::standing_row(&stands, uid, Some((row, run.folder))));
        landing.index.insert(stands, [claimant]);
        if *outcome == Outcome::Copied && (older || wants_reading_back(verify, item)) {
            let digest = item.load.body.digests().exact;
            landing.checks.push(Check {
                row,
                of: run.folder,
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
    // Nobody waits for it: everything that builds on it asks the journal behind it.
    context.ledger.note(move |journal| {
        journal.conclude(number, intent, &conclusions, settled)?;
        journal.add_standing(number, id, &standing)
    })?;
    count(context, run, &sorted);
    Ok(())
}

/// Sets the labels of what is delivered, before the journal calls it so.
fn label(
    deliverer: &mut Deliverer<'_>,
    run: &StepRun,
    target: &Target,
    sorted: &mut Sorted,
) -> Result<()> {
    let (context, link) = (deliverer.context, &mut deliverer.link);
    let landing = deliverer.landings.get(context, link, target)?;
    let uid_validity = landing.door.uid_validity;
    let done = sorted.done.iter();
    let messages: Vec<(u32, &Flags)> = done.map(|(item, uid, _)| (*uid, &item.flags)).collect();
    let at = (target.name.as_slice(), uid_validity);
    let refused = labels::set(context, link, at, &run.step.source, &messages)?;
    for (item, uid, _) in &mut sorted.done {
        item.without
            .extend(refused.get(uid).into_iter().flatten().cloned());
    }
    Ok(())
}

fn count(context: &Context, run: &StepRun, sorted: &Sorted) {
    for outcome in [Outcome::Copied, Outcome::Altered] {
        let of = sorted.done.iter().filter(|(_, _, is)| *is == outcome);
        let (messages, bytes) = of.fold((0, 0), |(n, bytes), (item, ..)| {
            (n + 1, bytes + item.load.body.size())
        });
        if messages > 0 {
            run.count(context, outcome, messages, bytes);
        }
    }
    for (item, ..) in sorted
        .done
        .iter()
        .filter(|(_, _, is)| *is == Outcome::Altered)
    {
        let id = item.load.header.message_id.as_deref().unwrap_or_default();
        let key = super::known::shown_key(&item.load.key);
        tell_trouble(context, run, key, id, Outcome::Altered, readback::CHANGED);
    }
    for (item, words, outcome) in &sorted.refused {
        run.count(context, *outcome, 1, 0);
        let id = item.load.header.message_id.as_deref().unwrap_or_default();
        let key = super::known::shown_key(&item.load.key);
        tell_trouble(context, run, key, id, *outcome, words);
    }
}

/// A message that did not go as it should, for the report.
fn tell_trouble(
    context: &Context,
    run: &StepRun,
    key: String,
    message_id: &[u8],
    outcome: Outcome,
    words: &str,
) {
    context.trouble(Trouble {
        folder: run.step.source.folder.to_string(),
        key,
        message_id: String::from_utf8_lossy(message_id).into_owned(),
        outcome,
        words: words.to_owned(),
    });
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
