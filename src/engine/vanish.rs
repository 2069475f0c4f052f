//! What the job's `on-vanish` asks for in an archive that is the destination, for mail that has gone from the source: the last
//! phase of a run.
//!
//! A message is touched only if a complete listing of a folder that still exists no longer showed it, its days of grace are over, nobody
//! but its user took it away there, and no message that is still there stands for the same copy. POP3 listings prove nothing.

use super::context::Context;
use super::known::shown_key;
use super::link::SinkLink;
use crate::error::{Code, Error, Kind, Result};
use crate::failpoint;
use crate::job::OnVanish;
use crate::journal::{Conclusion, FolderId, Vanished};
use crate::message::Folder;
use crate::net::Flow;
use crate::outcome::Outcome;
use crate::plan::{Plan, Step, Target, Work};
use crate::sink::{Delivery, Removed, Sink, Stored};
use crate::spool::{Body, Budget};
use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

/// So few may always go; of more, at most one in [`PART`].
const FEW: u64 = 20;
const PART: u64 = 10;
/// Messages that are moved or removed at once.
const CHUNK: usize = 100;
/// Bytes held while moving.
const MOVING: u64 = 4 << 20;
/// What is moved goes below this folder.
pub(super) use crate::archive::TRASH;

/// One source folder's messages that are to be touched.
struct Gone<'a> {
    step: &'a Step,
    messages: Vec<Vanished>,
    /// How many of the folder stand in the archive, these too.
    standing: u64,
}

/// Does it for every folder of the plan; adds to `done` the messages moved or removed.
///
/// # Errors
/// `Code::Deletions` where more would go than is plausible; nothing is touched then. `Code::Disk` where messages of the archive are not what
/// was stored: those stay, the rest is done.
pub(super) fn carry_out(context: &Context, plan: &Plan, done: &mut u64) -> Result<()> {
    let rule = context.account.archive.on_vanish;
    if rule == OnVanish::Keep || !context.destination.0.store.is_archive() {
        return Ok(());
    }
    let mut gone = Vec::new();
    for (order, step) in plan.steps.iter().enumerate() {
        let folder = context.folder_of(order);
        if let Some(folder) = folder.filter(|_| listings_count(context, plan, step.source.source)) {
            gone.push(of_folder(context, step, folder)?);
        }
    }
    plausible(&gone, context.account.archive.accept_deletions)?;
    let mut link = SinkLink::new(context, None);
    let mut spoilt = 0;
    for gone in gone.iter().filter(|gone| !gone.messages.is_empty()) {
        for chunk in gone.messages.chunks(CHUNK) {
            context.check_stop()?;
            let touched = touch(context, &mut link, gone.step, chunk, rule)?;
            *done += touched.done;
            spoilt += touched.spoilt;
        }
    }
    link.close()?;
    match spoilt {
        0 => Ok(()),
        _ => Err(stay(spoilt)),
    }
}

/// What of a chunk could be done.
#[derive(Default)]
struct Touched {
    done: u64,
    /// Messages whose bytes in the archive are not what was stored.
    spoilt: u64,
}

fn stay(spoilt: u64) -> Error {
    let what = format!(
        "{spoilt} messages that have gone from the source are not in the archive as they were stored; they stay where they are"
    );
    Error::new(Kind::Account, Code::Disk, what)
        .hint("`mailhaul archive check` names everything that is spoilt")
}

/// Was every folder of the source seen whole and kept whole, in this run or by its unchanged state? What has gone from one may have
/// been moved to another that was not.
fn listings_count(context: &Context, plan: &Plan, source: u32) -> bool {
    let mut steps = plan.steps.iter().enumerate();
    !context.sources[source as usize].0.store.is_pop3()
        && steps.all(|(order, step)| {
            step.source.source != source
                || !matches!(step.work, Work::Refused { .. }) && context.ended_well(order)
        })
}

fn of_folder<'a>(context: &Context, step: &'a Step, folder: FolderId) -> Result<Gone<'a>> {
    let sink = context.sink;
    let grace = i64::from(context.account.archive.grace_days) * 86_400;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs() as i64);
    let (messages, standing) = context.ledger.ask(move |journal| {
        let mut messages = Vec::new();
        journal.vanished(folder, sink, &mut |message| {
            if message.since_unix + grace <= now {
                messages.push(message);
            }
        })?;
        Ok((messages, journal.standing_at(folder, sink)?))
    })?;
    Ok(Gone {
        step,
        messages,
        standing,
    })
}

/// A source that shows less than it holds must not empty the archive.
fn plausible(gone: &[Gone<'_>], accepted: Option<u64>) -> Result<()> {
    let many = |gone: u64, standing: u64| gone > FEW && gone * PART > standing;
    let all: u64 = gone.iter().map(|folder| folder.messages.len() as u64).sum();
    let standing: u64 = gone.iter().map(|folder| folder.standing).sum();
    let emptied = gone.iter().find(|folder| {
        let messages = folder.messages.len() as u64;
        messages > FEW && messages == folder.standing
    });
    if !(many(all, standing) || emptied.is_some())
        || accepted.is_some_and(|accepted| all <= accepted)
    {
        return Ok(());
    }
    let why = match emptied {
        Some(folder) => format!(
            "all {} messages of {} among them",
            folder.standing, folder.step.source.folder
        ),
        None => format!("of {standing} in the archive"),
    };
    let what = format!(
        "{all} messages have gone from the source ({why}): more than is plausible, so nothing is taken out of the archive"
    );
    Err(Error::new(Kind::Account, Code::Deletions, what).hint(format!(
        "look at the source; if they are meant to be gone, run again with --accept-deletions {all}"
    )))
}

fn touch(
    context: &Context,
    link: &mut SinkLink<'_>,
    step: &Step,
    chunk: &[Vanished],
    rule: OnVanish,
) -> Result<Touched> {
    // Messages of one folder may stand in several (routes), and in folders made anew.
    let mut places: HashMap<(&[u8], u32), Vec<&Vanished>> = HashMap::new();
    for message in chunk {
        let place = (message.place.as_slice(), message.delivered.uid_validity);
        places.entry(place).or_default().push(message);
    }
    let mut touched = Touched::default();
    for ((name, uid_validity), messages) in places {
        let all = messages.len();
        let moved = match rule {
            OnVanish::Trash => set_aside(context, link, step, name, &messages)?,
            _ => messages,
        };
        touched.spoilt += (all - moved.len()) as u64;
        failpoint::pass("vanish: before the archive is touched");
        let uids: Vec<u32> = moved.iter().filter_map(|m| m.delivered.uid).collect();
        if link.get()?.remove(name, uid_validity, &uids)? == Removed::OtherFolder {
            continue;
        }
        failpoint::pass("vanish: done in the archive, not written down");
        conclude(context, &moved, rule)?;
        touched.done += moved.len() as u64;
    }
    Ok(touched)
}

/// Copies messages to the trash; gives those that are there now. What is not what was stored stays. A message that is there already is not written twice: the archive
/// knows it by its source.
fn set_aside<'a>(
    context: &Context,
    link: &mut SinkLink<'_>,
    step: &Step,
    name: &[u8],
    messages: &[&'a Vanished],
) -> Result<Vec<&'a Vanished>> {
    let sink = link.get()?;
    let trash = trash(context, name);
    for made in sink.prepare(&[&trash])? {
        made?;
    }
    let mut moved = Vec::new();
    for &message in messages {
        match read(sink, name, message)? {
            Some(Ok(body)) if is_intact(message, &body) => {
                store(context, sink, step, &trash, message, &body)?;
                moved.push(message);
            }
            Some(Ok(_)) => context.warn(spoilt_words(
                step,
                message,
                "its bytes are not those that were stored",
            )),
            Some(Err(error)) => context.warn(spoilt_words(step, message, &error.to_string())),
            // Somebody took it out of the archive already.
            None => moved.push(message),
        }
    }
    Ok(moved)
}

fn is_intact(message: &Vanished, body: &Body) -> bool {
    message
        .digest
        .is_none_or(|digest| digest == body.digests().exact)
}

fn spoilt_words(step: &Step, message: &Vanished, why: &str) -> String {
    let folder = &step.source.folder;
    format!(
        "{folder}: {} stays in the archive: {why}",
        shown_key(&message.key)
    )
}

/// The bytes of one message of the archive; `None` where it is not there.
fn read(sink: &mut dyn Sink, name: &[u8], message: &Vanished) -> Result<Option<Result<Body>>> {
    let Some(uid) = message.delivered.uid else {
        return Ok(None);
    };
    let mut found = None;
    sink.bodies(name, &[(uid, uid)], &Budget::new(MOVING), &mut |_, body| {
        found = Some(body);
        Ok(Flow::Continue)
    })?;
    Ok(found)
}

fn trash(context: &Context, name: &[u8]) -> Target {
    let shown = String::from_utf8_lossy(name);
    let folder = Folder::parse(&format!("{TRASH}/{shown}"));
    Target {
        subscribe: false,
        ..context.target(&folder.unwrap_or_else(Folder::inbox))
    }
}

fn store(
    context: &Context,
    sink: &mut dyn Sink,
    step: &Step,
    trash: &Target,
    message: &Vanished,
    body: &Body,
) -> Result<()> {
    let source = context.source_text(&step.source, &message.key);
    let delivery = Delivery {
        flags: &message.flags,
        date: message.date,
        body,
        key: &message.key,
        from_pop3: false,
        source: &source,
    };
    let report = sink.deliver(&trash.name, &[delivery]);
    match (report.lost, report.stored.first()) {
        (Some(error), _) => Err(error),
        (None, Some(Stored::Yes(_))) => Ok(()),
        (None, other) => {
            let what = format!("a message cannot be moved to {}: {other:?}", trash.folder);
            Err(Error::new(Kind::Folder, Code::Refused, what))
        }
    }
}

fn conclude(context: &Context, moved: &[&Vanished], rule: OnVanish) -> Result<()> {
    let (run, sink) = (context.run, context.sink);
    let words = match rule {
        OnVanish::Trash => format!("gone from the source; moved below {TRASH} in the archive"),
        _ => "gone from the source; removed from the archive".to_owned(),
    };
    let conclusions: Vec<Conclusion> = moved
        .iter()
        .map(|message| Conclusion {
            row: message.row,
            sink,
            outcome: Outcome::Vanished.as_str(),
            words: Some(words.clone()),
            delivered: None,
            flags: message.flags.clone(),
            of: None,
        })
        .collect();
    context
        .ledger
        .ask(move |journal| journal.conclude(run, None, &conclusions, false))
}
