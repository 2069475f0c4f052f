//! What the job's `after` asks for at the source, once everything is safe at every destination: a phase and connections of its own.

use super::context::{Context, lock};
use super::link::{SinkLink, SourceLink};
use crate::error::Result;
use crate::job::After;
use crate::journal::{Deletable, DeletableAt, FolderId, MessageRow};
use crate::message::{Digest, header};
use crate::net::Flow;
use crate::outcome::Outcome;
use crate::plan::{Plan, SourceFolder};
use crate::source::AfterMessage;
use crate::spool::{Body, Budget};
use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

/// Messages that are re-read at the destination before they are touched at the source.
const CHUNK: usize = 100;
/// Bytes held while re-reading.
const READING: u64 = 1 << 20;

/// Does it for every folder of the plan; gives the number of messages done.
pub(super) fn carry_out(context: &Context, plan: &Plan) -> Result<u64> {
    let mut done = 0;
    for (order, step) in plan.steps.iter().enumerate() {
        let after = &context.sources[step.source.source as usize].0.after;
        let Some(folder) = context.folder_of(order).filter(|_| *after != After::Keep) else {
            continue;
        };
        context.check_stop()?;
        done += one_folder(context, &step.source, folder, after)?;
    }
    Ok(done)
}

fn one_folder(
    context: &Context,
    folder: &SourceFolder,
    id: FolderId,
    after: &After,
) -> Result<u64> {
    let ripe = ripe(context, id, after)?;
    let mut source = SourceLink::new(context, folder.source as usize);
    let mut sink = SinkLink::new(context, None);
    let mut rows = Vec::new();
    for chunk in ripe.chunks(CHUNK) {
        context.check_stop()?;
        let safe = still_safe(context, &mut sink, chunk)?;
        if safe.is_empty() {
            continue;
        }
        let messages: Vec<AfterMessage> = safe.iter().map(|(_, message)| message.clone()).collect();
        // Not repeated on a lost connection: what was done by then shows in the next run.
        source.get()?.after(folder, after, &messages)?;
        rows.extend(safe.into_iter().map(|(row, _)| row));
    }
    sink.close()?;
    // For POP3 it is the end of the session that deletes.
    source.close()?;
    let done = rows.len() as u64;
    remember(context, after, rows)?;
    Ok(done)
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
            if message.delivered_at_unix + age <= now && (seen_too || !message.flags.seen) {
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
    sink: &mut SinkLink<'_>,
    chunk: &[Deletable],
) -> Result<Vec<(MessageRow, AfterMessage)>> {
    let mut safe = Vec::new();
    let here = digests_here(context, sink, chunk)?;
    for message in chunk {
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

/// Digests of a message and of its header, by destination folder and UID.
type Here = HashMap<(i64, u32), (Digest, Digest)>;

/// The header's digest, if this delivery is proof that the message is safe.
fn proof(context: &Context, message: &Deletable, at: &DeletableAt, here: &Here) -> Option<Digest> {
    let uid = at.delivered.uid?;
    let (digest, head) = here.get(&(at.delivered.folder, uid))?;
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

/// Reads what stands at the destination now.
fn digests_here(context: &Context, sink: &mut SinkLink<'_>, chunk: &[Deletable]) -> Result<Here> {
    let mut wanted: HashMap<(i64, u32), Vec<u32>> = HashMap::new();
    for at in chunk.iter().flat_map(|message| &message.at) {
        let folder = (at.delivered.folder, at.delivered.uid_validity);
        wanted.entry(folder).or_default().extend(at.delivered.uid);
    }
    let mut here = Here::new();
    let budget = Budget::new(READING);
    for ((folder, uid_validity), mut uids) in wanted {
        let Some(name) = context
            .ledger
            .ask(move |journal| journal.sink_folder_name(folder))?
        else {
            continue;
        };
        if sink.retry(|sink| sink.door(&name))?.uid_validity != uid_validity {
            continue;
        }
        uids.sort_unstable();
        uids.dedup();
        let set: Vec<(u32, u32)> = uids.into_iter().map(|uid| (uid, uid)).collect();
        sink.retry(|sink| {
            sink.bodies(&name, &set, &budget, &mut |uid, body| {
                if let Ok(body) = body {
                    here.insert((folder, uid), (body.digests().exact, head_digest(&body)));
                }
                Ok(Flow::Continue)
            })
        })?;
    }
    Ok(here)
}

fn remember(context: &Context, after: &After, rows: Vec<MessageRow>) -> Result<()> {
    let run = context.run;
    let marked = *after == After::MarkRead;
    context.ledger.ask(move |journal| match marked {
        // So that the next run does not take it for a change that the user made.
        true => journal.marked_read(run, &rows),
        false => journal.removed_at_source(run, &rows),
    })
}
