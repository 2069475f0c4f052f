//! Opening folders of an IMAP destination, and what that tells of them.

use super::ImapSink;
use crate::error::Result;
use crate::imap::{Selected, Status};
use crate::sink::Door;

impl ImapSink {
    /// Selects a folder, read-write, unless it is selected already.
    pub(super) fn select(&mut self, name: &[u8]) -> Result<()> {
        if self
            .session
            .selected()
            .is_some_and(|(selected, writable)| selected == name && writable)
        {
            return Ok(());
        }
        self.select_afresh(name).map(drop)
    }

    pub(super) fn select_afresh(&mut self, name: &[u8]) -> Result<Door> {
        let selected = self.session.select(name)?;
        self.permanent
            .insert(name.to_vec(), selected.permanent.clone());
        self.seen_by_opening(&selected)
    }

    /// Opens the folder afresh for reading: not even `\Recent` changes.
    pub(super) fn examine_afresh(&mut self, name: &[u8]) -> Result<Door> {
        let selected = self.session.examine(name)?;
        self.seen_by_opening(&selected)
    }

    /// Opens it afresh as it is open now: whoever only reads goes on so.
    pub(super) fn open_afresh(&mut self, name: &[u8]) -> Result<Door> {
        let reads = |(selected, writable): (&[u8], bool)| selected == name && !writable;
        match self.session.selected().is_some_and(reads) {
            true => self.examine_afresh(name),
            false => self.select_afresh(name),
        }
    }

    pub(super) fn seen_by_opening(&mut self, selected: &Selected) -> Result<Door> {
        let floor = match selected.uid_next {
            Some(next) => next,
            None => self.highest_uid(selected.exists)?.saturating_add(1),
        };
        Ok(Door {
            uid_validity: selected.uid_validity,
            floor,
            messages: selected.exists,
        })
    }

    pub(super) fn highest_uid(&mut self, exists: u32) -> Result<u32> {
        let mut highest = 0;
        if exists > 0 {
            self.session
                .flags(&[(u32::MAX, u32::MAX)], None, &mut |uid, _| {
                    highest = highest.max(uid);
                    Ok(())
                })?;
        }
        Ok(highest)
    }
}

/// A STATUS as a door; `None` where it lacks UIDNEXT.
pub(super) fn seen_door(status: &Status) -> Option<Door> {
    Some(Door {
        uid_validity: status.uid_validity,
        floor: status.uid_next?,
        messages: status.messages,
    })
}
