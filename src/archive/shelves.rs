//! The folders of an archive that one owner writes to, opened as they are needed. The run holds the archive's lock meanwhile.

use super::folders;
use super::rack::Keeping;
use super::shelf::{Broken, Shelf};
use super::sidecar::Format;
use super::view::View;
use super::{Keep, on_disk};
use crate::error::{Code, Error, Kind, Result};
use crate::format::maildir::subscriptions;
use crate::job::{Layout, MailFormat};
use crate::message::{FlagChange, Folder, SpecialUse};
use crate::spool::Budget;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// Bytes held while a message that may be there already is read.
const LOOKING: u64 = 1 << 20;

/// A folder that is to be made.
#[derive(Debug, Clone, Copy)]
pub struct Making<'a> {
    pub folder: &'a Folder,
    pub special_use: Option<SpecialUse>,
    pub subscribe: bool,
}

pub struct Shelves {
    root: PathBuf,
    keeping: Keeping,
    open: HashMap<Folder, Shelf>,
    views: HashMap<Folder, View>,
    /// Folders that were written to.
    touched: HashSet<Folder>,
    /// The places of all folders, in lower case, once a new one needs a place of its own.
    taken: Option<HashSet<PathBuf>>,
    warnings: Vec<String>,
}

/// A batch that could not be stored.
#[derive(Debug)]
pub struct Unstored {
    pub error: Error,
    /// Some of it, or all, may stand all the same.
    pub begun: bool,
}

impl Shelves {
    /// Of the archive at `root`; nothing is made before a folder is.
    #[must_use]
    pub fn new(root: &Path, format: MailFormat, layout: Layout) -> Self {
        let format = match format {
            MailFormat::Maildir => Format::Maildir,
            MailFormat::Mbox => Format::Mbox,
        };
        let layout = on_disk(layout);
        Shelves {
            root: root.to_owned(),
            keeping: Keeping { format, layout },
            open: HashMap::new(),
            views: HashMap::new(),
            touched: HashSet::new(),
            taken: None,
            warnings: Vec::new(),
        }
    }

    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Makes folders; one result each, in order.
    ///
    /// # Errors
    /// `Code::Disk`, when no folder at all can be made.
    pub fn prepare(&mut self, makings: &[Making<'_>]) -> Result<Vec<Result<()>>> {
        crate::fs::private_dir(&self.root)?;
        crate::fs::private_dir(&self.root.join("sidecar"))?;
        let about: Vec<_> = makings
            .iter()
            .map(|making| (making.folder, making.special_use, making.subscribe))
            .collect();
        // Before the folders: what stands is not described once more.
        folders::describe(&self.root, &about)?;
        let mut made = Vec::with_capacity(makings.len());
        for making in makings {
            match self.shelf(making.folder).map(drop) {
                Err(error) if error.kind == Kind::Internal => return Err(error),
                done => made.push(done),
            }
        }
        let subscribed: Vec<&Folder> = makings
            .iter()
            .filter(|making| making.subscribe)
            .map(|making| making.folder)
            .collect();
        if !subscribed.is_empty() && self.keeping.format == Format::Maildir {
            // For mail programs that read `mail/`; what counts for mailhaul was written before.
            subscriptions::add(&self.root.join("mail"), self.keeping.layout, &subscribed)?;
        }
        Ok(made)
    }

    /// Opens a folder that is there for writing, and finishes what a killed run left in it; `None` where there is none.
    ///
    /// # Errors
    /// `Code::Disk`; `Code::Foreign` where the folder was kept in another layout.
    pub fn open(&mut self, folder: &Folder) -> Result<Option<&View>> {
        if super::view::Head::read(&folders::sidecar(&self.root, folder))?.is_none() {
            return Ok(None);
        }
        Ok(Some(&self.shelf(folder)?.view))
    }

    /// The folder as it stands, to be read; nothing is written. `None` where there is none.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn view(&mut self, folder: &Folder) -> Result<Option<&mut View>> {
        if self.is_current(folder)? {
            return Ok(self.open.get_mut(folder).map(|shelf| &mut shelf.view));
        }
        let fresh = match self.views.remove(folder) {
            Some(view) if view.is_current()? => view,
            _ => match folders::view(&self.root, folder)? {
                None => return Ok(None),
                Some(mut view) => {
                    view.forget_missing()?;
                    view
                }
            },
        };
        self.views.insert(folder.clone(), fresh);
        Ok(self.views.get_mut(folder))
    }

    /// Adds a batch to a folder, durable when it returns; the UID of each, in order. What is there already, by the same source and
    /// digest, is not written twice.
    ///
    /// # Errors
    /// `Code::Disk`, and whether something may stand all the same.
    pub fn add(&mut self, folder: &Folder, items: &[Keep<'_>]) -> Result<Vec<u32>, Unstored> {
        let shelf = self.shelf(folder).map_err(|error| Unstored {
            error,
            begun: false,
        })?;
        let added = shelf.add_once(items, &Budget::new(LOOKING));
        added.map_err(|Broken { error, begun }| {
            self.open.remove(folder);
            Unstored { error, begun }
        })
    }

    /// Carries a change of flags to messages, over what other programs made of theirs.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn change_flags(
        &mut self,
        folder: &Folder,
        uids: &[u32],
        change: &FlagChange,
    ) -> Result<()> {
        self.with(folder, |shelf| shelf.change_flags(uids, change))
    }

    /// Takes messages out for good; the sidecar keeps what is known of them, and why.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn remove(&mut self, folder: &Folder, uids: &[u32], why: &str) -> Result<()> {
        self.with(folder, |shelf| shelf.remove(uids, why))
    }

    /// What people should know of the folders that were opened, told once.
    pub fn warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    /// After an error a folder is opened anew, so that what was half done is put right before the next write.
    pub(super) fn with<T>(
        &mut self,
        folder: &Folder,
        work: impl FnOnce(&mut Shelf) -> Result<T>,
    ) -> Result<T> {
        let done = work(self.shelf(folder)?);
        if done.is_err() {
            self.open.remove(folder);
        }
        done
    }

    fn shelf(&mut self, folder: &Folder) -> Result<&mut Shelf> {
        self.views.remove(folder);
        self.touched.insert(folder.clone());
        let shelf = match self.is_current(folder)? {
            true => self.open.remove(folder),
            false => None,
        };
        let shelf = match shelf {
            Some(shelf) => shelf,
            None => self.open_shelf(folder)?,
        };
        Ok(self.open.entry(folder.clone()).or_insert(shelf))
    }

    fn open_shelf(&mut self, folder: &Folder) -> Result<Shelf> {
        let sidecar = folders::sidecar(&self.root, folder);
        if !sidecar.exists() && self.taken.is_none() {
            self.taken = Some(folders::places(&self.root)?);
        }
        let taken = self.taken.get_or_insert_default();
        let mut shelf = Shelf::open(&self.root, self.keeping, sidecar, folder, &|path| {
            taken.contains(path)
        })?;
        self.warnings.extend(shelf.warning.take());
        let mail = self.root.join("mail");
        if let Ok(place) = shelf.view.path.strip_prefix(mail) {
            taken.insert(place.to_string_lossy().to_lowercase().into());
        }
        Ok(shelf)
    }

    /// Is it open, and did nobody else write to it since?
    fn is_current(&self, folder: &Folder) -> Result<bool> {
        self.open
            .get(folder)
            .map_or(Ok(false), |shelf| shelf.view.is_current())
    }

    /// Remembers what need not be counted again. Nothing is lost without it.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn close(self) -> Result<()> {
        let views = self.open.values().map(|shelf| &shelf.view);
        let touched: Vec<&View> = views
            .filter(|view| self.touched.contains(&view.folder))
            .collect();
        match touched.is_empty() {
            true => Ok(()),
            false => folders::remember_counts(&self.root, touched.into_iter()),
        }
    }
}

/// The words for a folder that is not there.
#[must_use]
pub fn no_folder(root: &Path, folder: &Folder) -> Error {
    let what = format!("{} holds no folder {folder}", root.display());
    Error::new(Kind::Folder, Code::Refused, what)
}

#[cfg(test)]
#[path = "shelves_tests.rs"]
mod tests;
