//! The end of a folder, and what is written down without a delivery.

use super::context::{Context, StepRun};
use super::deliver::{Decided, Deliverer};
use super::known::shown_key;
use super::labels;
use crate::error::Result;
use crate::journal::{Conclusion, Delivered, MessageRow};
use crate::message::{FlagChange, Flags};
use crate::outcome::{Outcome, Trouble};
use crate::source::Opened;
use std::collections::HashMap;

/// Writes down messages that were decided without a delivery, and counts them.
pub(super) fn write_decided(context: &Context, run: &StepRun, decided: Vec<Decided>) -> Result<()> {
    if decided.is_empty() {
        return Ok(());
    }
    let (number, folder, sink) = (context.run, run.folder, context.sink);
    for one in decided.iter().filter(|one| one.outcome.is_trouble()) {
        context.trouble(Trouble {
            folder: run.step.source.folder.to_string(),
            key: shown_key(&one.seen.key),
            message_id: String::from_utf8_lossy(one.seen.message_id.as_deref().unwrap_or_default())
                .into_owned(),
            outcome: one.outcome,
            words: one.words.clone(),
        });
    }
    let mut counts: HashMap<Outcome, u64> = HashMap::new();
    decided
        .iter()
        .for_each(|one| *counts.entry(one.outcome).or_default() += 1);
    context.ledger.note(move |journal| {
        let mut seen = Vec::with_capacity(decided.len());
        let mut rest = Vec::with_capacity(decided.len());
        for Decided {
            seen: message,
            outcome,
            words,
            delivered,
            same_as,
        } in decided
        {
            rest.push((message.flags.clone(), outcome, words, delivered, same_as));
            seen.push(message);
        }
        let rows = journal.record(number, folder, &seen)?;
        let conclusions: Vec<Conclusion> = rows
            .into_iter()
            .zip(rest)
            .map(|(row, (flags, outcome, words, delivered, of))| Conclusion {
                row,
                sink,
                outcome: outcome.as_str(),
                words: Some(words).filter(|words| !words.is_empty()),
                delivered,
                flags,
                of,
            })
            .collect();
        journal.conclude(number, None, &conclusions, false)
    })?;
    for (outcome, messages) in counts {
        run.count(context, outcome, messages, 0);
    }
    Ok(())
}

/// Does this row belong to another source folder than the step's, whatever their UIDVALIDITYs?
pub(super) fn is_of_other_folder(
    context: &Context,
    row: MessageRow,
    run: &StepRun,
) -> Result<bool> {
    let (source, name) = (run.step.source.source, run.step.source.name.clone());
    context
        .ledger
        .ask(move |journal| Ok(journal.folder_of(row)? != Some((source, name))))
}

/// Messages whose flags change alike: destination folder and its UIDVALIDITY, then the change's text.
type Alike = HashMap<(Delivered, String), (FlagChange, Vec<(MessageRow, u32, Option<Flags>)>)>;

/// Carries changes of flags over: only what changed, never absolute flags.
pub(super) fn change_flags(deliverer: &mut Deliverer<'_>) -> Result<()> {
    let mut alike: Alike = HashMap::new();
    let source = deliverer.step()?.step.source.clone();
    for work in std::mem::take(&mut deliverer.flags) {
        let Some(uid) = work.delivered.uid else {
            continue;
        };
        let folder = Delivered {
            uid: None,
            ..work.delivered
        };
        let change = labels::carried(deliverer.context, &source, &work);
        let text = format!("+{} -{}", change.add.to_text(), change.remove.to_text());
        let entry = alike
            .entry((folder, text))
            .or_insert_with(|| (change, Vec::new()));
        entry.1.push((work.row, uid, work.now));
    }
    for ((folder, _), (change, messages)) in alike {
        change_alike(deliverer, &folder, &change, messages)?;
    }
    Ok(())
}

fn change_alike(
    deliverer: &mut Deliverer<'_>,
    folder: &Delivered,
    change: &FlagChange,
    messages: Vec<(MessageRow, u32, Option<Flags>)>,
) -> Result<()> {
    let context = deliverer.context;
    let id = folder.folder;
    let Some(name) = context
        .ledger
        .ask(move |journal| journal.sink_folder_name(id))?
    else {
        return Ok(());
    };
    let change = fit(deliverer, &name, change)?;
    let uids: Vec<u32> = messages.iter().map(|(_, uid, _)| *uid).collect();
    let carried = change.is_empty()
        || deliverer
            .link
            .retry(|sink| sink.change_flags(&name, folder.uid_validity, &uids, &change))?;
    if carried && !change.is_empty() {
        deliverer.step()?.report().flags_changed += uids.len() as u64;
    } else if !carried {
        context.warn(format!(
            "{} changes of flags are not carried over: {} was made anew at the destination",
            uids.len(),
            String::from_utf8_lossy(&name)
        ));
    }
    let (run, sink) = (context.run, context.sink);
    let remembered: Vec<(MessageRow, Flags)> = messages
        .into_iter()
        .filter_map(|(row, _, now)| now.map(|now| (row, now)))
        .collect();
    context
        .ledger
        .ask(move |journal| journal.flags_changed(run, sink, &remembered))
}

/// Without the keywords that the destination cannot hold.
fn fit(deliverer: &mut Deliverer<'_>, name: &[u8], change: &FlagChange) -> Result<FlagChange> {
    let mut change = change.clone();
    if !change.add.keywords.is_empty() {
        for keyword in deliverer
            .link
            .retry(|sink| sink.unfit_keywords(name, &change.add))?
        {
            change.add.keywords.remove(&keyword);
        }
    }
    Ok(change)
}

/// The folder is done as far as it can be: its state is remembered, so that a run with nothing new has nothing to do.
pub(super) fn folder_done(
    context: &Context,
    run: &StepRun,
    complete: Option<Opened>,
) -> Result<()> {
    let (number, folder, sink) = (context.run, run.folder, context.sink);
    // As STATUS told before anything was read: what changed since then is seen by the next run.
    let status_modseq = run.step.source.highest_modseq;
    let fingerprints = context.ledger.ask(move |journal| {
        if let Some(opened) = complete {
            journal.folder_done(
                number,
                folder,
                opened.uid_next,
                Some(opened.messages),
                status_modseq,
            )?;
        }
        journal.fingerprints(folder, sink)
    })?;
    let mut report = run.report();
    report.read = fingerprints.0.map(|digest| digest.to_string());
    report.delivered = fingerprints.1.map(|digest| digest.to_string());
    Ok(())
}
