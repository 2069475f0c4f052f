//! Making a plan from what both ends and the journal say, and making ready what it needs.

use super::account::{Frame, Logins};
use super::context::{Context, lock};
use super::front::journal_identity;
use super::lane;
use super::link::SinkLink;
use super::pace::forecast;
use crate::error::Result;
use crate::job::Account;
use crate::journal::Journal;
use crate::outcome::Event;
use crate::plan::{self, FolderKnown, Inputs, Landscape, Plan, SinkFolder, SourceFolder, Work};
use crate::sink::Door;
use std::collections::HashMap;

pub(super) fn make_plan(context: &Context, folders: Vec<SourceFolder>) -> Result<Plan> {
    let sink = context.sink;
    let account = context.account.clone();
    let (known, unsettled) = context
        .ledger
        .ask(move |journal| known(journal, &account, sink))?;
    let landscape = context.landscape();
    Ok(plan_from(
        &context.account,
        sink,
        folders,
        &landscape,
        &known,
        unsettled,
    ))
}

/// What the journal knows of each source folder, by source, wire name and UIDVALIDITY.
pub(super) type KnownFolders = HashMap<(u32, Vec<u8>, u32), FolderKnown>;

/// What the journal knows of every folder, and how many messages are in doubt.
pub(super) fn known(
    journal: &Journal,
    account: &Account,
    sink: u32,
) -> Result<(KnownFolders, u64)> {
    let (sources, destinations) = (account.sources.len() as u32, account.destinations.len());
    let mut folders = KnownFolders::new();
    let counts = journal.counts(sink)?;
    for source in 0..sources {
        for state in journal.folders(source)? {
            let mut known = FolderKnown {
                uid_next: state.uid_next,
                messages: state.messages,
                highest_modseq: state.highest_modseq,
                // The journal has one such state a folder: what one destination was told of, another may not know.
                complete: state.complete && destinations == 1,
                ever: journal.has_messages(state.id)?,
                ..FolderKnown::default()
            };
            for count in counts.iter().filter(|count| count.folder == state.id) {
                let outcome = count
                    .outcome
                    .as_deref()
                    .and_then(crate::outcome::Outcome::from_word);
                known.known += count.messages;
                if outcome
                    .is_none_or(|outcome| super::known::is_open(outcome, account.retry_rejected))
                {
                    known.waiting += count.messages;
                }
            }
            folders.insert((source, state.name, state.uid_validity), known);
        }
    }
    let open = journal.open_intents(sink)?;
    let unsettled = open
        .iter()
        .flat_map(|intent| &intent.messages)
        .filter(|message| !message.concluded)
        .count();
    Ok((folders, unsettled as u64))
}

pub(super) fn plan_from(
    account: &Account,
    sink: u32,
    folders: Vec<SourceFolder>,
    landscape: &Landscape,
    known: &KnownFolders,
    unsettled: u64,
) -> Plan {
    plan::build(Inputs {
        account,
        sources: account
            .sources
            .iter()
            .map(|source| source.store.to_string())
            .collect(),
        destination: account.destinations[sink as usize].store.to_string(),
        folders,
        landscape,
        known: &|folder| {
            known
                .get(&(folder.source, folder.name.clone(), folder.uid_validity))
                .copied()
        },
        unsettled,
        folders_ignore_case: account.destinations[sink as usize]
            .store
            .folders_ignore_case(),
    })
}

pub(super) fn tell_plan(context: &Context, plan: &Plan) {
    let messages = plan
        .steps
        .iter()
        .map(|step| u64::from(step.source.messages))
        .sum();
    let account = context.account.name.clone();
    context.tell(Event::Planned {
        account,
        folders: plan.steps.len(),
        messages,
    });
}

/// Creates and subscribes what the plan asks for; a step whose folder cannot be made is refused.
pub(super) fn prepare(sink: &mut SinkLink<'_>, plan: &mut Plan) -> Result<()> {
    let targets: Vec<_> = plan
        .steps
        .iter()
        .filter(|step| !matches!(step.work, Work::Refused { .. }))
        .filter(|step| step.target.standing.is_none() || step.target.subscribe)
        .map(|step| step.target.clone())
        .collect();
    if targets.is_empty() {
        return Ok(());
    }
    let asked: Vec<_> = targets.iter().collect();
    let made = sink.retry(|sink| sink.prepare(&asked))?;
    for (target, made) in targets.iter().zip(made) {
        let Err(error) = made else { continue };
        let why = super::target::cannot_make(target, &error);
        for step in plan
            .steps
            .iter_mut()
            .filter(|step| step.target.name == target.name)
        {
            step.work = Work::Refused {
                messages: step.source.messages,
                why: why.to_string(),
                remedy: why.hint.clone().unwrap_or_default(),
            };
        }
    }
    Ok(())
}

/// Looks at all folders that will be written to in one round trip, instead of one each; what a server's listing has just told is not
/// asked again, unless a dying session may have stored something since.
pub(super) fn look_ahead(context: &Context, sink: &mut SinkLink<'_>, plan: &Plan) -> Result<()> {
    let listed = context.destination.0.store.server().is_some() && plan.unsettled == 0;
    let mut doors: HashMap<Vec<u8>, Option<Door>> = HashMap::new();
    for step in plan.steps.iter().filter(|step| !lane::is_idle(&step.work)) {
        let standing = step.target.standing.as_ref().filter(|_| listed);
        doors
            .entry(step.target.name.clone())
            .or_insert_with(|| standing.and_then(listed_door));
    }
    let unseen = doors.iter().filter(|(_, door)| door.is_none());
    let mut names: Vec<Vec<u8>> = unseen.map(|(name, _)| name.clone()).collect();
    names.sort_unstable();
    if !names.is_empty() {
        let asked: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
        let found = sink.retry(|sink| sink.doors(&asked))?;
        doors.extend(names.into_iter().zip(found));
    }
    let seen = doors.into_iter();
    lock(&context.doors).extend(seen.filter_map(|(name, door)| Some((name, door?))));
    Ok(())
}

fn listed_door(folder: &SinkFolder) -> Option<Door> {
    Some(Door {
        uid_validity: folder.uid_validity,
        floor: folder.uid_next?,
        messages: folder.messages,
    })
}

/// What `run` would do now; connects and looks, writes nothing anywhere.
pub(super) fn plan_only(frame: &Frame<'_>, logins: &Logins) -> Result<Vec<Plan>> {
    let account = frame.account;
    let journal = Journal::open_read_only(&account.archive.path, &journal_identity(account))?;
    let mut plans = Vec::new();
    let (mut folders, mut assumed) = (Vec::new(), Vec::new());
    for (index, (spec, login)) in account.sources.iter().zip(&logins.sources).enumerate() {
        let mut source = crate::source::open(spec, index as u32, login.as_ref())?;
        assumed.extend(source.assumed());
        folders.extend(source.folders()?);
        source.close()?;
    }
    for (sink, (spec, login)) in account
        .destinations
        .iter()
        .zip(&logins.destinations)
        .enumerate()
    {
        let mut open = crate::sink::open(spec, login.as_ref(), false)?;
        let (naming, standing) = open.folders()?;
        let heard = assumed.iter().cloned().chain(open.assumed()).collect();
        open.close()?;
        let landscape = Landscape {
            naming,
            folders: standing,
        };
        let (known, unsettled) = match &journal {
            Some(journal) => known(journal, account, sink as u32)?,
            None => Default::default(),
        };
        let mut plan = plan_from(
            account,
            sink as u32,
            folders.clone(),
            &landscape,
            &known,
            unsettled,
        );
        let notes = std::mem::replace(&mut plan.notes, heard);
        plan.notes.extend(notes);
        plan.forecast = forecast(frame, logins, journal.as_ref(), (&plan, sink))?;
        plans.push(plan);
    }
    Ok(plans)
}
