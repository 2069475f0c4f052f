//! mbox files as a source, whoever wrote them: a file, or a directory of them. Nothing in them is changed.
//!
//! A message is named by its digest, and by its number among its equals in the folder: that stays when the file is rewritten.

mod listing;
mod shelves;

use super::{Arrival, Heading, Listed, Opened, Source, Wanted};
use crate::error::{Code, End, Error, Kind, Result};
use crate::format::mbox::Dialect;
use crate::job::Local;
use crate::message::Folder;
use crate::net::Flow;
use crate::plan::SourceFolder;
use crate::source::disk::{VALIDITY, count, opened};
use crate::spool::Budget;
use listing::OpenFolder;
use shelves::{Shelf, shelves};
use std::path::PathBuf;

pub(super) struct MboxSource {
    root: PathBuf,
    dialect: Option<Dialect>,
    index: u32,
    shelves: Vec<Shelf>,
    /// The folder opened last.
    open: Option<OpenFolder>,
}

impl MboxSource {
    pub(super) fn open(local: &Local, index: u32) -> Result<Self> {
        Ok(MboxSource {
            root: local.path.clone(),
            dialect: local.dialect,
            index,
            shelves: shelves(&local.path, local.dialect).map_err(of_account)?,
            open: None,
        })
    }

    fn shelf(&self, folder: &Folder) -> Result<&Shelf> {
        match self.shelves.iter().find(|s| s.folder == *folder) {
            Some(shelf) if !shelf.link => Ok(shelf),
            Some(shelf) => Err(shelf.refused()),
            None => {
                let what = format!("the folder {folder} is gone from {}", self.root.display());
                Err(Error::new(Kind::Folder, Code::Refused, what).at(End::Source))
            }
        }
    }

    /// Reads a folder, which stays open for the bodies.
    fn read(
        &mut self,
        folder: &Folder,
        on: &mut dyn FnMut(Listed, &[u8]) -> Result<()>,
    ) -> Result<&OpenFolder> {
        // What a callback says is for the caller as it stands.
        let mut told = None;
        let shelf = self.shelf(folder)?;
        let read = OpenFolder::read(&self.root, shelf, self.dialect, &mut |listed, head| {
            on(listed, head).inspect_err(|error| told = Some(error.clone()))
        });
        match (read, told) {
            (_, Some(error)) => Err(error),
            (Ok(open), None) => Ok(self.open.insert(open)),
            (Err(error), None) => Err(of_folder(error)),
        }
    }
}

impl Source for MboxSource {
    fn folders(&mut self) -> Result<Vec<SourceFolder>> {
        self.shelves = shelves(&self.root, self.dialect).map_err(of_account)?;
        self.open = None;
        let shown = self.shelves.iter().map(|shelf| SourceFolder {
            source: self.index,
            name: shelf.folder.to_string().into_bytes(),
            folder: shelf.folder.clone(),
            special_use: None,
            subscribed: true,
            uid_validity: VALIDITY,
            uid_next: None,
            messages: count(shelf.messages),
            highest_modseq: shelf.state(&self.root),
            labelled: false,
        });
        Ok(shown.collect())
    }

    fn list(
        &mut self,
        folder: &SourceFolder,
        on: &mut dyn FnMut(Listed) -> Result<()>,
    ) -> Result<Opened> {
        let open = self.read(&folder.folder, &mut |listed, _| on(listed))?;
        Ok(opened(open.len()))
    }

    fn fetch(
        &mut self,
        folder: &SourceFolder,
        wanted: Wanted<'_>,
        budget: &Budget,
        on_open: &mut dyn FnMut(&Opened) -> Result<Flow>,
        on: &mut dyn FnMut(Arrival) -> Result<Flow>,
    ) -> Result<()> {
        let known = self
            .open
            .as_ref()
            .is_some_and(|open| open.folder == folder.folder);
        if !known || matches!(wanted, Wanted::Whole) {
            self.read(&folder.folder, &mut |_, _| Ok(()))?;
        }
        let Some(open) = &self.open else {
            return Ok(());
        };
        if matches!(on_open(&opened(open.len()))?, Flow::Stop) {
            return Ok(());
        }
        let number = match wanted {
            Wanted::Whole => open.len(),
            Wanted::Keys(keys) => keys.len(),
        };
        for n in 0..number {
            let arrival = match wanted {
                Wanted::Whole => open.nth(n, budget),
                Wanted::Keys(keys) => open.arrival(keys[n].clone(), budget),
            };
            if let Some(arrival) = arrival.map_err(of_folder_or_run)?
                && matches!(on(arrival)?, Flow::Stop)
            {
                break;
            }
        }
        Ok(())
    }

    fn headings(
        &mut self,
        folder: &SourceFolder,
        on: &mut dyn FnMut(Heading) -> Result<()>,
    ) -> Result<Option<Opened>> {
        let open = self.read(&folder.folder, &mut |listed, head| {
            let head = head.to_vec();
            on(Heading { listed, head })
        })?;
        Ok(Some(opened(open.len())))
    }
}

/// A file that cannot be read fails its folder, and the others go on.
fn of_folder(error: Error) -> Error {
    Error {
        kind: Kind::Folder,
        ..error.at(End::Source)
    }
}

/// Being stopped is no fault of the folder's.
fn of_folder_or_run(error: Error) -> Error {
    match error.kind {
        Kind::Interrupted => error,
        _ => of_folder(error),
    }
}

fn of_account(error: Error) -> Error {
    Error {
        kind: Kind::Account,
        ..error.at(End::Source)
    }
}
