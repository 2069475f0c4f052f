//! Reading delivered messages back: what the destination changed is told, what it does not give back was not delivered.
//!
//! Folders that are done wait for one another, so that reading back costs a round trip for many and not for each.

use super::context::{Context, StepRun};
use super::deliver::Deliverer;
use super::finish;
use super::known::shown_key;
use super::target::Check;
use crate::error::{Error, Kind, Result};
use crate::journal::{Conclusion, Delivered, MessageRow, SinkFolderId};
use crate::message::{Digest, Flags, UidRanges};
use crate::net::Flow;
use crate::outcome::{Event, Outcome, Trouble};
use crate::source::Opened;
use crate::spool::Budget;
use std::collections::HashMap;
use std::sync::Arc;

/// The words for an altered message.
pub(super) const CHANGED: &str = "the destination changed its bytes";
/// Bytes held while reading back: each message is digested and dropped.
const READING: u64 = 1 << 20;
/// Folders, and messages to be read back, that wait at most.
const FOLDERS: usize = 16;
const MESSAGES: usize = 512;

/// What of one destination folder is to be read back.
struct Place {
    name: Vec<u8>,
    folder: SinkFolderId,
    uid_validity: u32,
    checks: Vec<Check>,
}

/// A source folder that is delivered as far as it can be; its report is not told yet.
pub(super) struct Delivery {
    run: Arc<StepRun>,
    places: Vec<Place>,
    complete: Option<Opened>,
    error: Option<Error>,
}

/// Folders that wait to be read back.
#[derive(Default)]
pub(super) struct Waiting(Vec<Delivery>);

impl Waiting {
    fn is_enough(&self) -> bool {
        let messages = self.0.iter().flat_map(|delivery| &delivery.places);
        let messages: usize = messages.map(|place| place.checks.len()).sum();
        messages == 0 || messages >= MESSAGES || self.0.len() >= FOLDERS
    }
}

/// The step is delivered: `error` says what kept it from being so whole.
pub(super) fn ended(
    deliverer: &mut Deliverer<'_>,
    run: Arc<StepRun>,
    complete: Option<Opened>,
    error: Option<Error>,
) -> Result<()> {
    // What was delivered before an error came is read back all the same; after an interruption there is no time for it.
    let interrupted = error.as_ref().is_some_and(|e| e.kind == Kind::Interrupted);
    let mut places = Vec::new();
    for landing in deliverer.landings.all() {
        // What else was concluded together with the last of this folder is read back at the end of its own.
        let all = std::mem::take(&mut landing.checks).into_iter();
        let (checks, others): (Vec<Check>, _) = all.partition(|check| check.of == run.folder);
        landing.checks = others;
        if !checks.is_empty() && !interrupted {
            places.push(Place {
                name: landing.name.clone(),
                folder: landing.id,
                uid_validity: landing.door.uid_validity,
                checks,
            });
        }
    }
    deliverer.unread.0.push(Delivery {
        run,
        places,
        complete: complete.filter(|_| error.is_none()),
        error,
    });
    match deliverer.unread.is_enough() {
        true => read_back(deliverer),
        false => Ok(()),
    }
}

/// Reads back what waits, and tells the folders' reports. `Err` ends the account.
pub(super) fn read_back(deliverer: &mut Deliverer<'_>) -> Result<()> {
    let mut waiting = std::mem::take(&mut deliverer.unread.0);
    let found = digests(deliverer, &waiting)?;
    let mut found = found.into_iter();
    for delivery in &mut waiting {
        for place in std::mem::take(&mut delivery.places) {
            let result = match found.next() {
                Some(found) => {
                    found.and_then(|found| settle(deliverer, &delivery.run, place, &found))
                }
                None => Ok(()),
            };
            match result {
                Err(error) if matches!(error.kind, Kind::Folder | Kind::Message) => {
                    delivery.error.get_or_insert(error);
                }
                other => other?,
            }
        }
        tell_folder(deliverer.context, delivery)?;
    }
    Ok(())
}

/// Digests of what stands in a folder now, and whether the server showed all that it has of them.
#[derive(Default)]
struct Found {
    digests: HashMap<u32, Digest>,
    whole: bool,
}

/// What every place has now, in order.
fn digests(deliverer: &mut Deliverer<'_>, waiting: &[Delivery]) -> Result<Vec<Result<Found>>> {
    let places: Vec<&Place> = waiting
        .iter()
        .flat_map(|delivery| &delivery.places)
        .collect();
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let wanted: Vec<(&[u8], UidRanges)> = places
        .iter()
        .map(|place| (place.name.as_slice(), uids(&place.checks)))
        .collect();
    let budget = Budget::new(READING);
    deliverer.link.retry(|sink| {
        let mut found: Vec<Found> = places.iter().map(|_| Found::default()).collect();
        let mut unread = vec![false; places.len()];
        let whole = sink.bodies_of(&wanted, &budget, &mut |at, uid, body| {
            match body {
                Ok(body) => drop(found[at].digests.insert(uid, body.digests().exact)),
                Err(_) => unread[at] = true,
            }
            Ok(Flow::Continue)
        })?;
        let each = found.into_iter().zip(whole).zip(unread);
        Ok(each
            .map(|((found, whole), unread)| {
                whole.map(|whole| Found {
                    whole: whole && !unread,
                    ..found
                })
            })
            .collect())
    })
}

fn uids(checks: &[Check]) -> UidRanges {
    let mut uids: Vec<u32> = checks.iter().map(|check| check.uid).collect();
    uids.sort_unstable();
    uids.into_iter().map(|uid| (uid, uid)).collect()
}

fn settle(deliverer: &mut Deliverer<'_>, run: &StepRun, place: Place, found: &Found) -> Result<()> {
    let digests = &found.digests;
    let sound = |check: &Check| digests.get(&check.uid) == Some(&check.digest);
    if place.checks.iter().all(sound) {
        return Ok(());
    }
    if deliverer
        .link
        .retry(|sink| sink.door(&place.name))?
        .uid_validity
        != place.uid_validity
    {
        // The UIDs are another folder's now: they say nothing about what was delivered.
        return Ok(());
    }
    let mut conclusions = Vec::new();
    for check in place.checks {
        let (outcome, words) = match digests.get(&check.uid) {
            Some(digest) if *digest == check.digest => continue,
            Some(_) => (Outcome::Altered, CHANGED),
            // The server would not show everything: that is no proof that it has lost anything.
            None if !found.whole => continue,
            None => (
                Outcome::Failed,
                "the destination said OK, but does not give the message back",
            ),
        };
        run.report().counts.move_one(check.outcome, outcome);
        tell(deliverer.context, run, check.row, outcome, words)?;
        let delivered = (outcome == Outcome::Altered).then_some(Delivered {
            folder: place.folder,
            uid_validity: place.uid_validity,
            uid: Some(check.uid),
        });
        conclusions.push((check.row, outcome, words, delivered));
    }
    conclude_again(deliverer.context, conclusions)
}

/// Names a message of the journal in the report.
fn tell(
    context: &Context,
    run: &StepRun,
    row: MessageRow,
    outcome: Outcome,
    words: &str,
) -> Result<()> {
    let named = context.ledger.ask(move |journal| journal.name_of(row))?;
    if let Some((key, id)) = named {
        context.trouble(Trouble {
            folder: run.step.source.folder.to_string(),
            key: shown_key(&key),
            message_id: String::from_utf8_lossy(&id.unwrap_or_default()).into_owned(),
            outcome,
            words: words.to_owned(),
        });
    }
    Ok(())
}

fn conclude_again(
    context: &Context,
    conclusions: Vec<(MessageRow, Outcome, &'static str, Option<Delivered>)>,
) -> Result<()> {
    if conclusions.is_empty() {
        return Ok(());
    }
    let (run, sink) = (context.run, context.sink);
    context.ledger.ask(move |journal| {
        let conclusions: Vec<Conclusion> = conclusions
            .into_iter()
            .map(|(row, outcome, words, delivered)| Conclusion {
                row,
                sink,
                outcome: outcome.as_str(),
                words: Some(words.to_owned()),
                delivered,
                flags: Flags::default(),
                of: None,
            })
            .collect();
        journal.conclude(run, None, &conclusions, false)
    })
}

fn tell_folder(context: &Context, delivery: &mut Delivery) -> Result<()> {
    let error = delivery.error.take();
    let complete = delivery.complete.filter(|_| error.is_none());
    finish::folder_done(context, &delivery.run, complete)?;
    let mut report = delivery.run.report();
    report.error = error.filter(|error| error.kind != Kind::Interrupted);
    if report.error.is_some() {
        report.fail_the_rest();
    }
    let report = report.clone();
    context.tell(Event::FolderDone {
        account: context.account.name.clone(),
        report,
    });
    Ok(())
}
