//! Batches whose end nobody saw: looked for at the destination before anything of them is sent again.

use super::context::{Context, lock};
use super::link::{SinkLink, pause};
use super::settle::{self, Found, Place, Sought};
use crate::error::{Kind, Result};
use crate::identity::{HeaderIdentity, Standing};
use crate::journal::{Conclusion, Delivered, FolderId, IntentMessage, OpenIntent, StandingRow};
use crate::outcome::{Event, Outcome};
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// A server may still store what a dead connection had sent; after this long it is taken to be over.
const LATE: Duration = Duration::from_secs(30);

/// What looking at the doubtful batches gave.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// Messages that stand at the destination after all, by source folder and outcome.
    pub(super) found: HashMap<(FolderId, Outcome), u64>,
    /// Source folders with messages that are still nowhere.
    pub(super) absent: HashSet<FolderId>,
}

/// Looks for every message of every batch that is not settled. `last`: what is absent now is taken not to be stored, and may
/// be sent again.
pub(super) fn settle(context: &Context, link: &mut SinkLink<'_>, last: bool) -> Result<Settled> {
    let sink = context.sink;
    let intents = context
        .ledger
        .ask(move |journal| journal.open_intents(sink))?;
    let mut settled = Settled::default();
    for intent in intents {
        settle_one(context, link, intent, last, &mut settled)?;
    }
    if !settled.absent.is_empty() {
        lock(&context.doubt_since).get_or_insert_with(Instant::now);
    }
    Ok(settled)
}

/// Waits until what a dying session had in hand must have been stored.
pub(super) fn wait_for_late(context: &Context, messages: usize) -> Result<()> {
    let Some(since) = *lock(&context.doubt_since) else {
        return Ok(());
    };
    let left = LATE.saturating_sub(since.elapsed());
    if left.is_zero() {
        return Ok(());
    }
    context.tell(Event::Waiting {
        account: context.account.name.clone(),
        why: format!("{messages} messages may still be on their way in from a connection that was lost; looking again"),
        seconds: left.as_secs() + 1,
    });
    pause(context, left)
}

fn settle_one(
    context: &Context,
    link: &mut SinkLink<'_>,
    intent: OpenIntent,
    last: bool,
    settled: &mut Settled,
) -> Result<()> {
    let open: Vec<&IntentMessage> = intent
        .messages
        .iter()
        .filter(|message| !message.concluded)
        .collect();
    let found = match open.is_empty() {
        true => Vec::new(),
        false => standing(context, link, &intent)?,
    };
    let sought: Vec<Sought> = open.iter().map(|message| sought(message)).collect();
    let places = settle::pair(&sought, &found);
    let mut conclusions = Vec::new();
    let mut rows = Vec::new();
    for (message, place) in open.iter().zip(&places) {
        match place {
            Some(place) => {
                let outcome = if place.intact {
                    Outcome::Copied
                } else {
                    Outcome::Altered
                };
                *settled.found.entry((message.folder, outcome)).or_default() += 1;
                conclusions.push(conclusion(context, &intent, message, outcome, *place));
                rows.extend(
                    found
                        .iter()
                        .find(|found| found.uid == place.uid)
                        .map(|found| row(message, found)),
                );
            }
            None => {
                settled.absent.insert(message.folder);
            }
        }
    }
    let done = last || places.iter().all(Option::is_some);
    let (run, id, folder) = (context.run, intent.id, intent.folder);
    context.ledger.ask(move |journal| {
        journal.conclude(run, Some(id), &conclusions, done)?;
        journal.add_standing(run, folder, &rows)
    })
}

/// What stands in the intent's folder and is not spoken for. A folder that is gone holds nothing; one made anew is looked through whole.
fn standing(context: &Context, link: &mut SinkLink<'_>, intent: &OpenIntent) -> Result<Vec<Found>> {
    let door = match link.retry(|sink| sink.door(&intent.name)) {
        Err(error) if error.kind == Kind::Folder => return Ok(Vec::new()),
        door => door?,
    };
    let same = door.uid_validity == intent.uid_validity;
    let mut taken: HashSet<u32> = intent
        .messages
        .iter()
        .filter_map(|message| message.uid)
        .collect();
    if same {
        let folder = intent.folder;
        let known = context.ledger.ask(move |journal| {
            let mut uids = Vec::new();
            journal.standing(folder, |row| uids.extend(row.row.map(|_| row.uid)))?;
            Ok(uids)
        })?;
        taken.extend(known);
    } else {
        taken.clear();
    }
    let floor = if same { intent.floor } else { 1 };
    link.retry(|sink| settle::look(sink, &intent.name, floor, &taken))
}

fn sought(message: &IntentMessage) -> Sought {
    let header = HeaderIdentity {
        message_id: message.message_id.clone(),
        ..HeaderIdentity::default()
    };
    Sought {
        digests: message.digests,
        header,
        size: message.size,
    }
}

fn conclusion(
    context: &Context,
    intent: &OpenIntent,
    message: &IntentMessage,
    outcome: Outcome,
    place: Place,
) -> Conclusion {
    Conclusion {
        row: message.row,
        sink: context.sink,
        outcome: outcome.as_str(),
        words: None,
        delivered: Some(Delivered {
            folder: intent.folder,
            uid_validity: intent.uid_validity,
            uid: Some(place.uid),
        }),
        flags: message.flags.clone(),
        of: None,
    }
}

fn row(message: &IntentMessage, found: &Found) -> StandingRow {
    let standing = Standing::new(
        Some(found.uid),
        &found.header,
        Some(found.digests),
        Some(found.size),
        Some(message.row),
    );
    super::target::standing_row(&standing, found.uid, Some((message.row, message.folder)))
}
