//! mailhaul's own archive as a sink: what a backup writes to.
//!
//! A message's UID is the number of its line in the folder's sidecar. The run holds the archive's lock; each lane opens the folders
//! that it writes to, which first finishes what a killed run left in them. Looking at folders writes nothing, so that other commands may look
//! while a backup runs; a message that a killed run left half done is seen by nobody until then, and is not stored twice when it comes
//! again.

use super::disk::{count, is_full, no, report};
use super::{
    BatchLimit, Content, Delivery, Door, Refusal, Removed, Report, Sink, StandingHead, Stored,
};
use crate::archive::{self, At, Keep, Kept, Making, Shelves, Unstored, View, no_folder};
use crate::error::{Code, End, Error, Kind, Result};
use crate::job::Local;
use crate::message::{FlagChange, Flags, Folder};
use crate::net::Flow;
use crate::plan::{Holds, Naming, SinkFolder, Target};
use crate::spool::{Body, Budget};

/// What shares the fsyncs of one batch.
const BATCH_MESSAGES: usize = 256;
const BATCH_BYTES: u64 = 8 << 20;

/// Why the sidecar says that a message is gone.
const REMOVED: &str = "taken out by mailhaul, as the job or its user said";

pub(super) struct ArchiveSink {
    shelves: Shelves,
}

impl ArchiveSink {
    pub(super) fn open(local: &Local) -> Self {
        ArchiveSink {
            shelves: Shelves::new(&local.path, local.mail, local.layout.unwrap_or_default()),
        }
    }

    /// Gives messages of these UIDs whose files are there.
    fn each(
        &mut self,
        name: &[u8],
        uids: (u32, u32),
        mut on: impl FnMut(Kept, At) -> Result<Flow>,
    ) -> Result<Option<Door>> {
        let folder = folder(name)?;
        let Some(view) = self.shelves.view(&folder)? else {
            return Ok(None);
        };
        let mut messages = 0;
        view.each(uids, |kept| match view.find(&kept)? {
            None => Ok(Flow::Continue),
            Some(at) => {
                messages += 1;
                on(kept, at)
            }
        })?;
        Ok(Some(door_of(view, messages)))
    }

    /// Is this still the folder whose UIDs the caller has?
    fn is_same(&mut self, folder: &Folder, uid_validity: u32) -> Result<bool> {
        Ok(self
            .shelves
            .open(folder)?
            .is_some_and(|view| view.uid_validity == uid_validity))
    }
}

impl Sink for ArchiveSink {
    fn folders(&mut self) -> Result<(Naming, Vec<SinkFolder>)> {
        let naming = Naming {
            holds: Holds::Sidecar,
            ..Naming::of_files()
        };
        let folders = archive::folders(self.shelves.root()).map_err(here)?;
        let folders: Vec<SinkFolder> = folders
            .into_iter()
            .map(|state| SinkFolder {
                name: naming.name(&state.folder),
                folder: state.folder,
                special_use: state.special_use,
                subscribed: state.subscribed,
                uid_validity: state.uid_validity,
                uid_next: None,
                messages: state.messages,
            })
            .collect();
        Ok((naming, folders))
    }

    fn prepare(&mut self, targets: &[&Target]) -> Result<Vec<Result<()>>> {
        let makings: Vec<Making<'_>> = targets
            .iter()
            .map(|target| Making {
                folder: &target.folder,
                special_use: target.special_use,
                subscribe: target.subscribe,
            })
            .collect();
        let made = self.shelves.prepare(&makings).map_err(here)?;
        Ok(made.into_iter().map(|made| made.map_err(here)).collect())
    }

    fn door(&mut self, name: &[u8]) -> Result<Door> {
        let folder = folder(name)?;
        let root = self.shelves.root().to_owned();
        match self.shelves.view(&folder).map_err(here)? {
            Some(view) => Ok(door_of(view, view.messages())),
            None => Err(here(no_folder(&root, &folder))),
        }
    }

    /// Each is looked at once, by the lane that writes to it.
    fn doors(&mut self, names: &[&[u8]]) -> Result<Vec<Option<Door>>> {
        Ok(vec![None; names.len()])
    }

    fn heads(
        &mut self,
        name: &[u8],
        uids: (u32, u32),
        on: &mut dyn FnMut(StandingHead) -> Result<()>,
    ) -> Result<()> {
        self.each(name, uids, |kept, at| {
            on(StandingHead {
                uid: kept.uid,
                size: kept.size,
                head: at.head().map_err(here)?,
            })?;
            Ok(Flow::Continue)
        })
        .map(drop)
        .map_err(here)
    }

    fn bodies(
        &mut self,
        name: &[u8],
        uids: &[(u32, u32)],
        budget: &Budget,
        on: &mut dyn FnMut(u32, Result<Body>) -> Result<Flow>,
    ) -> Result<bool> {
        for &range in uids {
            let mut stopped = false;
            self.each(name, range, |kept, at| {
                // Whatever its bytes are by now: the caller knows what they should be.
                let body = at.body(budget).map_err(here);
                let flow = on(kept.uid, body)?;
                stopped = flow == Flow::Stop;
                Ok(flow)
            })
            .map_err(here)?;
            if stopped {
                break;
            }
        }
        Ok(true)
    }

    fn deliver(&mut self, name: &[u8], batch: &[Delivery<'_>]) -> Report {
        let items: Vec<Keep<'_>> = batch
            .iter()
            .map(|delivery| Keep {
                body: delivery.body,
                flags: delivery.flags,
                date: delivery.date,
                source: delivery.source,
            })
            .collect();
        match self.store(name, &items) {
            Ok(stored) => report(stored, None),
            Err(Unstored {
                error,
                begun: false,
            }) if is_full(&error) => report(vec![no(&error, Refusal::Full); batch.len()], None),
            Err(Unstored { error, begun }) => {
                let each = match begun {
                    true => Stored::Unknown,
                    false => Stored::NotSent,
                };
                report(vec![each; batch.len()], Some(error))
            }
        }
    }

    fn batch_limit(&self) -> BatchLimit {
        BatchLimit {
            messages: BATCH_MESSAGES,
            bytes: BATCH_BYTES,
            message_bytes: None,
        }
    }

    fn change_flags(
        &mut self,
        name: &[u8],
        uid_validity: u32,
        uids: &[u32],
        change: &FlagChange,
    ) -> Result<bool> {
        let folder = folder(name)?;
        if !self.is_same(&folder, uid_validity).map_err(here)? {
            return Ok(false);
        }
        let changed = self.shelves.change_flags(&folder, uids, change);
        changed.map_err(here).map(|()| true)
    }

    /// The sidecar holds them all.
    fn unfit_keywords(&mut self, _name: &[u8], _flags: &Flags) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn contents(&mut self, name: &[u8], on: &mut dyn FnMut(Content) -> Result<()>) -> Result<Door> {
        let folder = folder(name)?;
        let root = self.shelves.root().to_owned();
        let view = self.shelves.view(&folder).map_err(here)?;
        let view = view.ok_or_else(|| here(no_folder(&root, &folder)))?;
        let now = view.now().map_err(here)?;
        let door = self.each(name, (0, u32::MAX), |kept, at| {
            on(Content {
                uid: kept.uid,
                flags: now.flags(&kept, &at),
                date: kept.date,
                size: kept.size,
            })?;
            Ok(Flow::Continue)
        });
        door.map_err(here)?
            .ok_or_else(|| here(no_folder(&root, &folder)))
    }

    fn remove(&mut self, name: &[u8], uid_validity: u32, uids: &[u32]) -> Result<Removed> {
        let folder = folder(name)?;
        if !self.is_same(&folder, uid_validity).map_err(here)? {
            return Ok(Removed::OtherFolder);
        }
        let removed = self.shelves.remove(&folder, uids, REMOVED);
        removed.map_err(here).map(|()| Removed::Gone)
    }

    fn warnings(&mut self) -> Vec<String> {
        self.shelves.warnings()
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.shelves.close().map_err(here)
    }
}

impl ArchiveSink {
    fn store(&mut self, name: &[u8], items: &[Keep<'_>]) -> Result<Vec<Stored>, Unstored> {
        let not_begun = |error| Unstored {
            error,
            begun: false,
        };
        let folder = folder(name).map_err(not_begun)?;
        let added = self.shelves.add(&folder, items)?;
        let opened = self
            .shelves
            .open(&folder)
            .map_err(|error| Unstored { error, begun: true })?;
        let uid_validity = opened.map_or(0, |view| view.uid_validity);
        let stored = |uid| Stored::Yes(Some((uid_validity, uid)));
        Ok(added.into_iter().map(stored).collect())
    }
}

fn door_of(view: &View, messages: usize) -> Door {
    Door {
        uid_validity: view.uid_validity,
        floor: view.next_uid(),
        messages: count(messages),
    }
}

fn folder(name: &[u8]) -> Result<Folder> {
    Naming::of_files().folder(name).ok_or_else(|| {
        let what = format!("{} names no folder", name.escape_ascii());
        Error::new(Kind::Folder, Code::Refused, what).at(End::Destination)
    })
}

fn here(error: Error) -> Error {
    error.at(End::Destination)
}
