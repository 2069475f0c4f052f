//! A destination folder while messages are delivered into it.

use super::context::{Context, lock};
use super::link::SinkLink;
use crate::error::{Code, End, Error, Kind, Result};
use crate::identity::{HeaderIdentity, Index, Standing};
use crate::job::Dedup;
use crate::journal::{FolderId, MessageRow, SinkFolderId, StandingRow};
use crate::message::Digest;
use crate::outcome::Outcome;
use crate::plan::Target;
use crate::sink::Door;
use std::collections::{HashMap, HashSet};

/// A delivered message that is to be read back.
#[derive(Debug, Clone)]
pub(super) struct Check {
    pub(super) row: MessageRow,
    /// The source folder that the message is of: others may deliver into the same lane meanwhile.
    pub(super) of: FolderId,
    pub(super) uid: u32,
    pub(super) digest: Digest,
    /// Its outcome before the check.
    pub(super) outcome: Outcome,
}

pub(super) struct Landing {
    pub(super) name: Vec<u8>,
    pub(super) id: SinkFolderId,
    pub(super) door: Door,
    /// What stands there, for telling what need not be delivered.
    pub(super) index: Index,
    pub(super) checks: Vec<Check>,
    /// UIDs that batches got, as far as they are not below the floor of every batch under way.
    pub(super) taken: HashSet<u32>,
}

/// The destination folders of one lane, opened when they are first needed.
#[derive(Default)]
pub(super) struct Landings {
    open: HashMap<Vec<u8>, Landing>,
}

impl Landings {
    pub(super) fn get(
        &mut self,
        context: &Context,
        link: &mut SinkLink<'_>,
        target: &Target,
    ) -> Result<&mut Landing> {
        let landing = match self.open.remove(&target.name) {
            Some(landing) => landing,
            None => open(context, link, target)?,
        };
        Ok(self.open.entry(target.name.clone()).or_insert(landing))
    }

    /// The folder, if it is open.
    pub(super) fn opened(&mut self, name: &[u8]) -> Option<&mut Landing> {
        self.open.get_mut(name)
    }

    /// The folder is no longer the one that was opened.
    pub(super) fn forget(&mut self, name: &[u8]) {
        self.open.remove(name);
    }

    pub(super) fn all(&mut self) -> impl Iterator<Item = &mut Landing> {
        self.open.values_mut()
    }

    /// A lane that goes to other folders now needs no index of these any more.
    pub(super) fn keep_only(&mut self, needed: impl Fn(&[u8]) -> bool) {
        self.open.retain(|name, _| needed(name));
    }
}

/// Opens a folder, made anew if it is not there.
fn open(context: &Context, link: &mut SinkLink<'_>, target: &Target) -> Result<Landing> {
    let seen = lock(&context.doors).remove(&target.name);
    let door = match seen {
        Some(door) => door,
        None => look(link, target)?,
    };
    let (run, sink, name, validity) = (
        context.run,
        context.sink,
        target.name.clone(),
        door.uid_validity,
    );
    let id = context
        .ledger
        .ask(move |journal| journal.sink_folder(run, sink, &name, validity))?;
    let index = match context.account.dedup {
        Dedup::Off => Index::new(Dedup::Off),
        _ => index(context, link, &target.name, id, &door)?,
    };
    Ok(Landing {
        name: target.name.clone(),
        id,
        door,
        index,
        checks: Vec::new(),
        taken: HashSet::new(),
    })
}

fn look(link: &mut SinkLink<'_>, target: &Target) -> Result<Door> {
    match link.retry(|sink| sink.door(&target.name)) {
        Err(error) if error.kind == Kind::Folder => {
            make(link, target)?;
            link.retry(|sink| sink.door(&target.name))
        }
        other => other,
    }
}

/// Creates a folder that was not there, or not there any more.
pub(super) fn make(link: &mut SinkLink<'_>, target: &Target) -> Result<()> {
    let missing = Target {
        standing: None,
        ..target.clone()
    };
    let made = link
        .retry(|sink| sink.prepare(&[&missing]))?
        .into_iter()
        .next();
    made.unwrap_or(Ok(()))
        .map_err(|error| cannot_make(target, &error))
}

/// The words for a folder that the destination does not let be made.
pub(super) fn cannot_make(target: &Target, error: &Error) -> Error {
    let what = format!(
        "the folder {} cannot be made at the destination",
        target.folder
    );
    Error::new(Kind::Folder, Code::Refused, what)
        .words(error.words.clone().unwrap_or_else(|| error.what.clone()))
        .hint("give it another name with [folders] map, or leave it out with [folders] exclude")
        .at(End::Destination)
}

/// What stands in the folder: what the journal knows of it, and the headers of what has come since.
fn index(
    context: &Context,
    link: &mut SinkLink<'_>,
    name: &[u8],
    id: SinkFolderId,
    door: &Door,
) -> Result<Index> {
    let (mut rows, claims) = context.ledger.ask(move |journal| {
        let (mut rows, mut claims) = (Vec::new(), HashMap::<u32, Vec<u32>>::new());
        journal.standing(id, &mut |row| rows.push(row))?;
        // Without these, a further copy would claim what an earlier run adopted for the first one, and never arrive.
        journal.adopted(id, &mut |uid, folder| {
            claims.entry(uid).or_default().push(claimant(folder));
        })?;
        Ok((rows, claims))
    })?;
    let mut index = Index::new(context.account.dedup);
    let next = rows
        .iter()
        .map(|row| row.uid)
        .max()
        .map_or(1, |uid| uid.saturating_add(1));
    let mut fresh: Vec<StandingRow> = Vec::new();
    if door.messages > 0 && next < door.floor {
        fresh = heads(link, name, next)?;
    }
    if rows.iter().any(|row| row.row.is_none())
        && rows.len() + fresh.len() != door.messages as usize
    {
        let there: HashSet<u32> = heads(link, name, 1)?.iter().map(|row| row.uid).collect();
        // The destination's own mail that was deleted since can stand for nothing more; what this job delivered or adopted
        // still does: that is not delivered again though it was deleted.
        rows.retain(|row| {
            row.row.is_some() || claims.contains_key(&row.uid) || there.contains(&row.uid)
        });
    }
    for row in rows {
        let adopted = claims.get(&row.uid).into_iter().flatten().copied();
        let claimants = row.folder.map(claimant).into_iter().chain(adopted);
        index.insert(standing(&row), claimants);
    }
    for row in &fresh {
        index.insert(standing(row), []);
    }
    if !fresh.is_empty() {
        let run = context.run;
        context
            .ledger
            .ask(move |journal| journal.add_standing(run, id, &fresh))?;
    }
    Ok(index)
}

/// What stands in the folder from this UID on, by its headers.
fn heads(link: &mut SinkLink<'_>, name: &[u8], from: u32) -> Result<Vec<StandingRow>> {
    let mut rows: Vec<StandingRow> = Vec::new();
    link.retry(|sink| {
        rows.clear();
        sink.heads(name, (from, u32::MAX), &mut |head| {
            let standing = Standing::new(
                Some(head.uid),
                &HeaderIdentity::of(&head.head),
                None,
                head.size,
                None,
            );
            rows.push(standing_row(&standing, head.uid, None));
            Ok(())
        })
    })?;
    Ok(rows)
}

/// How a source folder is named in an index.
pub(super) fn claimant(folder: FolderId) -> u32 {
    // A journal with four thousand million folders is not to be expected.
    u32::try_from(folder).unwrap_or(u32::MAX)
}

fn standing(row: &StandingRow) -> Standing {
    Standing {
        uid: Some(row.uid),
        source_row: row.row,
        date: row.date,
        key: Some(row.key).filter(|&key| key != 0),
        from_subject: (row.from, row.subject),
        loose: row.loose,
        size: Some(u64::from(row.size)).filter(|&size| size != 0),
    }
}

/// What the journal keeps of a standing message; `of`: the message of the job it is, and that one's folder.
pub(super) fn standing_row(
    standing: &Standing,
    uid: u32,
    of: Option<(MessageRow, FolderId)>,
) -> StandingRow {
    let (from, subject) = standing.from_subject;
    StandingRow {
        uid,
        key: standing.key.unwrap_or(0),
        date: standing.date,
        from,
        subject,
        loose: standing.loose,
        size: standing
            .size
            .map_or(0, |size| u32::try_from(size).unwrap_or(u32::MAX)),
        row: of.map(|(row, _)| row),
        folder: of.map(|(_, folder)| folder),
    }
}
