//! A destination folder while messages are delivered into it.

use super::context::Context;
use super::link::SinkLink;
use crate::error::{Code, End, Error, Kind, Result};
use crate::identity::{HeaderIdentity, Index, Standing};
use crate::job::Dedup;
use crate::journal::{SinkFolderId, StandingRow};
use crate::message::{Digest, Folder};
use crate::outcome::Outcome;
use crate::plan::Target;
use crate::sink::Door;
use std::collections::HashMap;

/// A delivered message that is to be read back.
#[derive(Debug, Clone)]
pub(super) struct Check {
    pub(super) row: crate::journal::MessageRow,
    pub(super) uid: u32,
    pub(super) digest: Digest,
    /// Its outcome before the check.
    pub(super) outcome: Outcome,
}

pub(super) struct Landing {
    pub(super) name: Vec<u8>,
    pub(super) folder: Folder,
    pub(super) id: SinkFolderId,
    pub(super) door: Door,
    /// What stands there, for telling what need not be delivered.
    pub(super) index: Index,
    pub(super) checks: Vec<Check>,
}

/// The destination folders of one lane, opened when they are first needed.
#[derive(Default)]
pub(super) struct Landings {
    open: HashMap<Vec<u8>, Landing>,
}

impl Landings {
    pub(super) fn get(&mut self, context: &Context, link: &mut SinkLink<'_>, target: &Target) -> Result<&mut Landing> {
        let landing = match self.open.remove(&target.name) {
            Some(landing) => landing,
            None => open(context, link, target)?,
        };
        Ok(self.open.entry(target.name.clone()).or_insert(landing))
    }

    pub(super) fn existing(&mut self, name: &[u8]) -> Option<&mut Landing> {
        self.open.get_mut(name)
    }

    pub(super) fn all(&mut self) -> impl Iterator<Item = &mut Landing> {
        self.open.values_mut()
    }

    /// A lane that goes to other folders now needs no index of these any more.
    pub(super) fn keep_only(&mut self, name: &[u8]) {
        self.open.retain(|open, _| open == name);
    }
}

/// Opens a folder, made anew if it is not there.
fn open(context: &Context, link: &mut SinkLink<'_>, target: &Target) -> Result<Landing> {
    let door = match link.retry(|sink| sink.door(&target.name)) {
        Err(error) if error.kind == Kind::Folder => {
            make(link, target)?;
            link.retry(|sink| sink.door(&target.name))?
        }
        other => other?,
    };
    let (run, sink, name, validity) = (context.run, context.sink, target.name.clone(), door.uid_validity);
    let id = context.ledger.ask(move |journal| journal.sink_folder(run, sink, &name, validity))?;
    let index = match context.account.dedup {
        Dedup::Off => Index::default(),
        _ => index(context, link, &target.name, id, &door)?,
    };
    Ok(Landing { name: target.name.clone(), folder: target.folder.clone(), id, door, index, checks: Vec::new() })
}

/// Creates a folder that was not there, or not there any more.
pub(super) fn make(link: &mut SinkLink<'_>, target: &Target) -> Result<()> {
    let missing = Target { standing: None, ..target.clone() };
    let made = link.retry(|sink| sink.prepare(&[&missing]))?.into_iter().next();
    made.unwrap_or(Ok(())).map_err(|error| cannot_make(target, &error))
}

/// The words for a folder that the destination does not let be made.
pub(super) fn cannot_make(target: &Target, error: &Error) -> Error {
    let what = format!("the folder {} cannot be made at the destination", target.folder);
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
    let rows = context.ledger.ask(move |journal| {
        let mut rows = Vec::new();
        journal.standing(id, &mut |row| rows.push(row))?;
        Ok(rows)
    })?;
    let mut index = Index::default();
    let next = rows.iter().map(|row| row.uid).max().map_or(1, |uid| uid.saturating_add(1));
    for row in rows {
        let owner = row.folder.map(claimant);
        index.insert(standing(&row), owner);
    }
    if door.messages == 0 || next >= door.floor {
        return Ok(index);
    }
    let mut fresh: Vec<StandingRow> = Vec::new();
    link.retry(|sink| {
        fresh.clear();
        sink.heads(name, next, &mut |head| {
            fresh.push(standing_row(head.uid, &HeaderIdentity::of(&head.head), head.size));
            Ok(())
        })
    })?;
    for row in &fresh {
        index.insert(standing(row), None);
    }
    let run = context.run;
    context.ledger.ask(move |journal| journal.add_standing(run, id, &fresh))?;
    Ok(index)
}

/// How a source folder is named in an index.
pub(super) fn claimant(folder: crate::journal::FolderId) -> u32 {
    // A journal with four thousand million folders is not to be expected.
    u32::try_from(folder).unwrap_or(u32::MAX)
}

fn standing(row: &StandingRow) -> Standing {
    let half = |bytes: [u8; 16]| u128::from_be_bytes(bytes);
    Standing {
        uid: Some(row.uid),
        key: row.message_id,
        date: row.date,
        from: row.from,
        subject: row.subject,
        loose: row.loose.map(half),
        exact: row.exact.map(half),
        size: row.size,
        source_row: row.row,
    }
}

fn standing_row(uid: u32, header: &HeaderIdentity, size: Option<u64>) -> StandingRow {
    let standing = Standing::of(Some(uid), header, None, size);
    StandingRow {
        uid,
        message_id: standing.key,
        date: standing.date,
        from: standing.from,
        subject: standing.subject,
        loose: None,
        exact: None,
        size: standing.size,
        row: None,
        folder: None,
    }
}
