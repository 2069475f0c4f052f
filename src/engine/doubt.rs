//! Batches whose end nobody saw: looked for at the destination before anything of them is sent again.

use super::context::{Context, lock};
use super::known::shown_key;
use super::labels;
use super::link::{SinkLink, pause};
use super::settle::{self, Found, Place, Sought};
use crate::error::Result;
use crate::failpoint;
use crate::identity::{HeaderIdentity, Standing};
use crate::journal::{
    Conclusion, Delivered, FolderId, IntentMessage, MessageRow, OpenIntent, StandingRow,
};
use crate::message::{Flags, SourceKey};
use crate::outcome::{Event, Outcome, Trouble};
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// A server may still store what a dead connection had sent; after this long it is taken to be over.
const LATE: Duration = Duration::from_secs(30);

/// A message of a doubtful batch that does not stand at the destination.
#[derive(Debug, Clone)]
pub(super) struct Absent {
    pub(super) row: MessageRow,
    pub(super) folder: FolderId,
    pub(super) key: SourceKey,
    message_id: Option<Vec<u8>>,
    flags: Flags,
}

/// What looking at the doubtful batches gave.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// Messages that stand at the destination after all, by source folder and outcome.
    pub(super) found: HashMap<(FolderId, Outcome), u64>,
    /// Messages that are still nowhere.
    pub(super) absent: Vec<Absent>,
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
        begins(context);
    }
    Ok(settled)
}

/// From now on something may be on its way in from a connection that is lost; what was in doubt before waits on with it.
pub(super) fn begins(context: &Context) {
    *lock(&context.doubt_since) = Some(Instant::now());
}

/// Gives up on messages that were in doubt each time they were sent: they failed, and the next run tries again.
pub(super) fn give_up(context: &Context, absent: Vec<Absent>) -> Result<()> {
    const WORDS: &str = "the connection was lost each time before the destination answered, and the message is not there";
    let (run, sink) = (context.run, context.sink);
    let conclusions: Vec<Conclusion> = absent
        .iter()
        .map(|absent| Conclusion {
            row: absent.row,
            sink,
            outcome: Outcome::Failed.as_str(),
            words: Some(WORDS.to_owned()),
            delivered: None,
            flags: absent.flags.clone(),
            of: None,
        })
        .collect();
    context
        .ledger
        .ask(move |journal| journal.conclude(run, None, &conclusions, false))?;
    for absent in absent {
        context.count_late(absent.folder, Outcome::Failed, 1);
        context.trouble(Trouble {
            folder: context.name_of(absent.folder),
            key: shown_key(&absent.key),
            message_id: String::from_utf8_lossy(&absent.message_id.unwrap_or_default())
                .into_owned(),
            outcome: Outcome::Failed,
            words: WORDS.to_owned(),
        });
    }
    Ok(())
}

/// Waits until what a dying session had in hand must have been stored.
pub(super) fn wait_for_late(context: &Context, messages: usize) -> Result<()> {
    let Some(since) = *lock(&context.doubt_since) else {
        return Ok(());
    };
    if context.destination.0.store.is_local() {
        // Files are written by nobody but us.
        return Ok(());
    }
    let left = failpoint::waiting(LATE).saturating_sub(since.elapsed());
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
                settled.absent.push(Absent {
                    row: message.row,
                    folder: message.folder,
                    key: message.key.clone(),
                    message_id: message.message_id.clone(),
                    flags: message.flags.clone(),
                });
            }
        }
    }
    let stored: Vec<(&IntentMessage, u32)> = open
        .iter()
        .zip(&places)
        .filter_map(|(message, place)| Some((*message, (*place)?.uid)))
        .collect();
    labels::set_found(context, link, &intent, &stored)?;
    let done = last || places.iter().all(Option::is_some);
    let (run, id, folder) = (context.run, intent.id, intent.folder);
    context.ledger.ask(move |journal| {
        journal.conclude(run, Some(id), &conclusions, done)?;
        journal.add_standing(run, folder, &rows)
    })
}

/// What stands in the intent's folder and is not spoken for. A folder that is gone holds nothing; one made anew is looked through whole.
fn standing(context: &Context, link: &mut SinkLink<'_>, intent: &OpenIntent) -> Result<Vec<Found>> {
    let mut taken: HashSet<u32> = intent
        .messages
        .iter()
        .filter_map(|message| message.uid)
        .collect();
    let folder = intent.folder;
    let known = context.ledger.ask(move |journal| {
        let mut uids = Vec::new();
        journal.standing(folder, |row| uids.extend(row.row.map(|_| row.uid)))?;
        Ok(uids)
    })?;
    taken.extend(known);
    let opened = (intent.uid_validity, intent.floor);
    Ok(settle::look_afresh(link, &intent.name, opened, &taken)?.found)
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
