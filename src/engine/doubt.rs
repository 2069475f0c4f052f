//! Batches whose end nobody saw: looked for at the destination before anything of them is sent again.

use super::context::{Context, lock};
use super::known::shown_key;
use super::labels;
use super::link::SinkLink;
use super::patience::pause;
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
    for mut intents in by_folder(intents) {
        once_each(&mut intents);
        settle_folder(context, link, &intents, last, &mut settled)?;
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

/// Several batches of a folder may have been under way at once: they are looked for together, so that no message is taken for one of
/// another batch.
fn by_folder(intents: Vec<OpenIntent>) -> Vec<Vec<OpenIntent>> {
    let mut folders: Vec<Vec<OpenIntent>> = Vec::new();
    for intent in intents {
        match folders
            .iter_mut()
            .find(|folder| folder[0].folder == intent.folder)
        {
            Some(folder) => folder.push(intent),
            None => folders.push(vec![intent]),
        }
    }
    folders
}

/// What a later batch holds was known not to be of the earlier one when it was sent again.
fn once_each(intents: &mut [OpenIntent]) {
    let mut later = HashSet::new();
    for intent in intents.iter_mut().rev() {
        intent
            .messages
            .retain(|message| message.concluded || later.insert(message.row));
    }
}

/// Looks for all batches of one folder.
fn settle_folder(
    context: &Context,
    link: &mut SinkLink<'_>,
    intents: &[OpenIntent],
    last: bool,
    settled: &mut Settled,
) -> Result<()> {
    let messages = || intents.iter().flat_map(|intent| &intent.messages);
    let found = match messages().any(|message| !message.concluded) {
        true => standing(context, link, intents)?,
        false => Vec::new(),
    };
    let sought: Vec<Sought> = messages()
        .filter(|message| !message.concluded)
        .map(sought)
        .collect();
    let mut places = settle::pair(&sought, &found).into_iter();
    for intent in intents {
        conclude(context, link, intent, (&found, &mut places), last, settled)?;
    }
    Ok(())
}

/// Writes down what of one batch was found; `places`: where each of its messages stands that has no outcome yet, in order.
fn conclude(
    context: &Context,
    link: &mut SinkLink<'_>,
    intent: &OpenIntent,
    (found, places): (&[Found], &mut impl Iterator<Item = Option<Place>>),
    last: bool,
    settled: &mut Settled,
) -> Result<()> {
    let (mut conclusions, mut rows, mut done) = (Vec::new(), Vec::new(), true);
    let mut stored: Vec<(&IntentMessage, u32)> = Vec::new();
    for message in intent.messages.iter().filter(|message| !message.concluded) {
        let Some(place) = places.next().flatten() else {
            done = last;
            settled.absent.push(Absent {
                row: message.row,
                folder: message.folder,
                key: message.key.clone(),
                message_id: message.message_id.clone(),
                flags: message.flags.clone(),
            });
            continue;
        };
        let outcome = if place.intact {
            Outcome::Copied
        } else {
            Outcome::Altered
        };
        *settled.found.entry((message.folder, outcome)).or_default() += 1;
        conclusions.push(conclusion(context, intent, message, outcome, place));
        stored.push((message, place.uid));
        let stands = found.iter().find(|found| found.uid == place.uid);
        rows.extend(stands.map(|found| row(message, found)));
    }
    labels::set_found(context, link, intent, &stored)?;
    let (run, id, folder) = (context.run, intent.id, intent.folder);
    context.ledger.ask(move |journal| {
        journal.conclude(run, Some(id), &conclusions, done)?;
        journal.add_standing(run, folder, &rows)
    })
}

/// What stands in the intents' folder and is not spoken for. A folder that is gone holds nothing; one made anew is looked through whole.
fn standing(
    context: &Context,
    link: &mut SinkLink<'_>,
    intents: &[OpenIntent],
) -> Result<Vec<Found>> {
    let Some(first) = intents.first() else {
        return Ok(Vec::new());
    };
    let messages = intents.iter().flat_map(|intent| &intent.messages);
    let mut taken: HashSet<u32> = messages.filter_map(|message| message.uid).collect();
    let folder = first.folder;
    let known = context.ledger.ask(move |journal| {
        let mut uids = Vec::new();
        journal.standing(folder, |row| uids.extend(row.row.map(|_| row.uid)))?;
        Ok(uids)
    })?;
    taken.extend(known);
    let floors = intents.iter().map(|intent| intent.floor);
    let opened = (first.uid_validity, floors.min().unwrap_or(first.floor));
    Ok(settle::look_afresh(link, &first.name, opened, &taken)?.found)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Digest;
    use crate::message::Digests;

    fn intent(id: i64, folder: i64, messages: &[(i64, bool)]) -> OpenIntent {
        let message = |&(row, concluded): &(i64, bool)| IntentMessage {
            row,
            folder: 1,
            key: SourceKey::Uid(1),
            digests: Digests {
                exact: Digest([0; 32]),
                loose: Digest([0; 32]),
            },
            message_id: None,
            size: 1,
            flags: Flags::default(),
            date: None,
            place: None,
            concluded,
            uid: None,
        };
        OpenIntent {
            id,
            created_unix: 0,
            folder,
            name: b"A".to_vec(),
            uid_validity: 1,
            floor: 1,
            messages: messages.iter().map(message).collect(),
        }
    }

    #[test]
    fn what_a_later_batch_holds_is_sought_once() {
        let all = vec![
            intent(1, 5, &[(10, false), (11, true), (12, false)]),
            intent(2, 6, &[(20, false)]),
            intent(3, 5, &[(12, false), (13, false)]),
        ];
        let mut folders = by_folder(all);
        folders.iter_mut().for_each(|intents| once_each(intents));
        let rows: Vec<Vec<Vec<i64>>> = folders
            .iter()
            .map(|intents| {
                let rows = |intent: &OpenIntent| intent.messages.iter().map(|m| m.row).collect();
                intents.iter().map(rows).collect()
            })
            .collect();
        assert_eq!(rows, [vec![vec![10, 11], vec![12, 13]], vec![vec![20]]]);
    }
}
