//! What the journal adds to a difference: words, never a verdict about bytes.

use crate::engine::context::lock;
use crate::error::Result;
use crate::journal::{Delivery, FolderId, Journal};
use crate::message::SourceKey;
use crate::outcome::Outcome;
use crate::plan::SourceFolder;
use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

/// The journal, opened for reading; a job that never ran has none.
pub(super) struct History {
    journal: Option<Mutex<Journal>>,
    sink: u32,
}

/// What runs know of a destination folder.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// UIDs that runs delivered, each with the run.
    pub(super) delivered: HashMap<u32, i64>,
    /// UIDs that runs found there and that were the destination's own.
    pub(super) own: HashSet<u32>,
    /// No run has left a journal.
    pub(super) unknown: bool,
}

impl History {
    pub(super) fn new(journal: Option<Journal>, sink: u32) -> Self {
        History {
            journal: journal.map(Mutex::new),
            sink,
        }
    }

    /// The journal's number of a source folder.
    pub(super) fn folder(&self, folder: &SourceFolder) -> Result<Option<FolderId>> {
        let Some(journal) = &self.journal else {
            return Ok(None);
        };
        lock(journal).find_folder(folder.source, &folder.name, folder.uid_validity)
    }

    pub(super) fn delivery(
        &self,
        folder: Option<FolderId>,
        key: &SourceKey,
    ) -> Result<Option<Delivery>> {
        let Some((journal, folder)) = self.journal.as_ref().zip(folder) else {
            return Ok(None);
        };
        lock(journal).delivery(folder, self.sink, key)
    }

    pub(super) fn place(&self, name: &[u8], uid_validity: u32) -> Result<Place> {
        let mut place = Place::default();
        let Some(journal) = &self.journal else {
            place.unknown = true;
            return Ok(place);
        };
        let journal = lock(journal);
        let Some(folder) = journal.find_sink_folder(self.sink, name, uid_validity)? else {
            return Ok(place);
        };
        journal.delivered_at(folder, &mut |uid, run| {
            place.delivered.insert(uid, run);
        })?;
        journal.standing(folder, |row| {
            if row.row.is_none() {
                place.own.insert(row.uid);
            }
        })?;
        Ok(place)
    }

    /// Why a message may be missing.
    pub(super) fn why_missing(&self, found: Option<&Delivery>) -> String {
        if self.journal.is_none() {
            return "the job has not been run".to_owned();
        }
        let Some(found) = found else {
            return "no run has seen it yet".to_owned();
        };
        let run = found.run;
        let words = found.words.as_deref().unwrap_or("without a word");
        match Outcome::from_word(&found.outcome) {
            Some(Outcome::Copied | Outcome::Altered) => {
                format!("delivered in run {run}, and not there any more")
            }
            Some(Outcome::Present | Outcome::Duplicate) => {
                format!("another message stood for it in run {run}, and is not there any more")
            }
            Some(outcome) => format!("{} in run {run}: {words}", outcome.as_str()),
            None => format!("taken back in run {run} (undo)"),
        }
    }

    /// What runs told of a message whose bytes are others at the destination.
    pub(super) fn why_altered(&self, found: Option<&Delivery>) -> Option<String> {
        let found = found?;
        let run = found.run;
        match Outcome::from_word(&found.outcome)? {
            Outcome::Altered => Some(format!("told as altered in run {run}")),
            Outcome::Copied => Some(format!(
                "run {run} had delivered it; changed since, or on the way unnoticed"
            )),
            Outcome::Present => Some(format!("stood there already; adopted in run {run}")),
            _ => None,
        }
    }
}
