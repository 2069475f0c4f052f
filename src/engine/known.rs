//! What the journal knows of a folder, set against its listing.

use super::cargo::FlagWork;
pub(super) use crate::compare::key_words as shown_key;
use crate::error::Result;
use crate::journal::{FolderId, Journal, Place, Row, RunId};
use crate::message::{Folder, InternalDate, SourceKey};
use crate::outcome::{Outcome, Trouble};
use crate::source::Listed;
use std::collections::HashMap;

/// What is still to be done for a listed message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// Read it from the source.
    Fetch,
    /// An earlier run kept it in the archive but did not deliver it.
    Kept(Place),
    /// An earlier run left it out; it had this date.
    Skipped {
        date: Option<InternalDate>,
        words: String,
    },
}

impl Fate {
    /// The date of the message, if the journal knows it.
    pub(super) fn date(&self) -> Option<InternalDate> {
        match self {
            Fate::Skipped { date, .. } => *date,
            _ => None,
        }
    }
}

/// Does this outcome of an earlier run leave something to do? `retry`: a rejected message is tried again.
pub(super) fn is_open(outcome: Outcome, retry: bool) -> bool {
    match outcome {
        Outcome::Failed | Outcome::Vanished | Outcome::Skipped => true,
        Outcome::Rejected => retry,
        _ => false,
    }
}

/// A message that an earlier run could not copy, for good.
#[derive(Debug)]
pub(super) struct OldTrouble {
    key: SourceKey,
    message_id: Option<Vec<u8>>,
    outcome: Outcome,
    words: String,
}

/// A listing, sorted by what is known.
#[derive(Debug, Default)]
pub(super) struct Compared {
    pub(super) open: Vec<(Listed, Fate)>,
    pub(super) done: HashMap<Outcome, u64>,
    /// Those that need nothing more in this pass.
    pub(super) done_keys: Vec<SourceKey>,
    pub(super) trouble: Vec<OldTrouble>,
    pub(super) flags: Vec<FlagWork>,
}

/// What a listing is compared for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Against {
    pub(super) run: RunId,
    pub(super) folder: FolderId,
    pub(super) sink: u32,
    /// The listing is the whole folder: what is not in it is gone.
    pub(super) complete: bool,
    /// What was rejected is still to be done.
    pub(super) retry: bool,
    /// The job has other destinations, which may have been told of a change that this one has not.
    pub(super) one_of_several: bool,
}

/// Compares a listing with the journal.
pub(super) fn compare(
    journal: &mut Journal,
    against: Against,
    mut listing: Vec<Listed>,
) -> Result<Compared> {
    let mut order: Vec<usize> = (0..listing.len()).collect();
    order.sort_unstable_by(|&a, &b| listing[a].key.cmp(&listing[b].key));
    let mut fates: Vec<Option<Fate>> = vec![Some(Fate::Fetch); listing.len()];
    let mut compared = Compared::default();
    let (mut gone, mut returned) = (Vec::new(), Vec::new());
    journal.for_each_message(against.folder, against.sink, &mut |row| match order
        .binary_search_by(|&at| listing[at].key.cmp(&row.key))
    {
        Ok(at) => {
            if row.removed_at_source {
                returned.push(row.row);
            }
            fates[order[at]] = fate(&listing[order[at]], row, against, &mut compared);
        }
        Err(_) if row.removed_at_source => {}
        Err(_) => gone.push(row.row),
    })?;
    if against.complete && !gone.is_empty() {
        journal.removed_at_source(against.run, &gone)?;
    }
    if !returned.is_empty() {
        journal.returned_to_source(against.run, &returned)?;
    }
    for (listed, fate) in listing.drain(..).zip(fates) {
        match fate {
            Some(fate) => compared.open.push((listed, fate)),
            None => compared.done_keys.push(listed.key),
        }
    }
    Ok(compared)
}

/// The folder as the journal has it since a run did all of it: its HIGHESTMODSEQ then, and its messages in the order of their keys.
/// `None` where there is no such state.
pub(super) fn when_done(
    journal: &Journal,
    folder: FolderId,
    sink: u32,
) -> Result<Option<(u64, Vec<Listed>)>> {
    let Some(modseq) = journal.modseq_when_done(folder)? else {
        return Ok(None);
    };
    let mut listing = Vec::new();
    journal.for_each_message(folder, sink, &mut |row| {
        if !row.removed_at_source {
            listing.push(Listed {
                key: row.key,
                flags: row.flags,
                date: row.date,
                size: Some(row.size),
            });
        }
    })?;
    Ok(Some((modseq, listing)))
}

/// What is still to be done for a message that is listed and known; `None`: nothing.
fn fate(listed: &Listed, row: Row, against: Against, compared: &mut Compared) -> Option<Fate> {
    if row.open_intent {
        // It may be on its way in: the end of the run looks for it.
        return None;
    }
    let again = || Some(row.place.clone().map_or(Fate::Fetch, Fate::Kept));
    let outcome = row.outcome.as_deref().and_then(Outcome::from_word);
    let (now, done) = match outcome {
        None | Some(Outcome::Failed | Outcome::Vanished) => return again(),
        Some(Outcome::Skipped) => {
            return Some(Fate::Skipped {
                date: row.date,
                words: row.words.unwrap_or_default(),
            });
        }
        Some(Outcome::Duplicate) => (Outcome::Duplicate, false),
        Some(Outcome::Rejected) if against.retry => return again(),
        Some(Outcome::Rejected) => (Outcome::Rejected, false),
        Some(Outcome::Copied | Outcome::Present | Outcome::Altered) => (Outcome::Present, true),
    };
    *compared.done.entry(now).or_default() += 1;
    if now == Outcome::Rejected {
        compared.trouble.push(OldTrouble {
            key: row.key,
            message_id: row.message_id,
            outcome: now,
            words: row.words.unwrap_or_default(),
        });
    } else if done {
        let known = match row.flags_delivered {
            Some(delivered) if against.one_of_several => delivered,
            _ => row.flags,
        };
        let change = known.change_to(&listed.flags);
        if let (Some(delivered), false) = (row.delivered, change.is_empty()) {
            compared.flags.push(FlagWork {
                row: row.row,
                delivered,
                change,
                now: Some(listed.flags.clone()),
            });
        }
    }
    None
}

/// How the messages of a folder that has not changed ended in earlier runs.
pub(super) fn counts(
    journal: &Journal,
    folder: FolderId,
    sink: u32,
) -> Result<Vec<(Outcome, u64)>> {
    let mut counts: HashMap<Outcome, u64> = HashMap::new();
    for count in journal.counts_of(folder, sink)? {
        let outcome = match count.outcome.as_deref().and_then(Outcome::from_word) {
            Some(Outcome::Copied | Outcome::Altered) => Outcome::Present,
            Some(outcome) => outcome,
            None => continue,
        };
        *counts.entry(outcome).or_default() += count.messages;
    }
    Ok(counts.into_iter().collect())
}

/// The words for a message that an earlier run could not copy.
pub(super) fn told(folder: &Folder, trouble: OldTrouble) -> Trouble {
    Trouble {
        folder: folder.to_string(),
        key: shown_key(&trouble.key),
        message_id: String::from_utf8_lossy(trouble.message_id.as_deref().unwrap_or_default())
            .into_owned(),
        outcome: trouble.outcome,
        words: trouble.words,
    }
}
