//! The archive of one account: a directory with its lock, kept mail and sidecars (the journal stands in it too).
//!
//! `mail/` can be read by any mail program; `sidecar/` has per folder what a Maildir cannot hold, and what each message's source was.

mod at;
mod check;
mod export;
mod folders;
mod index;
mod listing;
mod locate;
mod rack;
mod rebuild;
mod refill;
#[cfg(test)]
mod sample;
mod select;
mod shelf;
mod shelves;
mod sidecar;
mod strays;
mod survey;
mod view;

pub use crate::journal::Place;
pub use at::{At, Now};
pub use check::{Checked, Finding, Wrong, check};
pub use export::{Exported, Shape, export};
pub use folders::{FolderState, folders, view};
pub use listing::{Listed, Total, Wanted, list, message, totals};
pub use rebuild::{Rebuilt, rebuild};
pub use refill::Refilled;
pub use select::Selection;
pub use shelves::{Making, Shelves, Unstored, no_folder};
pub use strays::{Stray, strays};
pub use survey::{Step, Watch, expect_mail};
pub use view::{Kept, View};

use locate::{confined, locate, spoilt};

use crate::error::{Code, Error, Kind, Result};
use crate::format::maildir;
use crate::fs;
use crate::job::{ArchiveSpec, Layout};
use crate::message::{Digest, Flags, Folder, InternalDate};
use crate::spool::{Body, Budget};
use shelf::Shelf;
use std::io;
use std::path::{Path, PathBuf};

/// The folder below which an archive puts mail that has gone from its source (`on-vanish = "trash"`).
pub const TRASH: &str = "Vanished";

/// One message to be kept.
#[derive(Clone, Copy)]
pub struct Keep<'a> {
    pub body: &'a Body,
    pub flags: &'a Flags,
    pub date: Option<InternalDate>,
    /// Names it among all messages of the account, for ever: [`source_text`](crate::journal::source_text).
    pub source: &'a str,
}

/// An account's directory, held by this process as long as this value lives.
pub struct Archive {
    root: PathBuf,
    /// `None`: no mail is kept.
    shelves: Option<Shelves>,
    _lock: fs::Lock,
}

impl Archive {
    /// Takes the directory, 0700, made where there is none. With `keep_mail = false` there is no mail in it: a place for the lock
    /// and the journal.
    ///
    /// # Errors
    /// `Code::Locked`: another run holds it. `Code::Foreign`: it holds something, and is no archive; nothing in it is changed, and its mode
    /// neither. `Code::Disk`.
    pub fn open(spec: &ArchiveSpec) -> Result<Self> {
        let (root, keep_mail) = (spec.path.as_path(), spec.keep_mail);
        fs::private_dir(root)?;
        expect_ours(root)?;
        fs::make_private(root)?;
        let lock = fs::Lock::acquire(&root.join("lock"))?;
        if keep_mail {
            fs::private_dir(&root.join("sidecar"))?;
            fs::private_dir(&root.join("mail"))?;
        }
        Ok(Archive {
            root: root.to_owned(),
            shelves: keep_mail.then(|| Shelves::new(root, spec.format, spec.layout)),
            _lock: lock,
        })
    }

    #[must_use]
    pub fn keeps_mail(&self) -> bool {
        self.shelves.is_some()
    }

    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Keeps messages of one folder; durable when it returns. Places come in the order of the items, or none at all where the archive
    /// keeps no mail. A message that is kept already (same source, same digest; a run was killed before it reached the journal)
    /// is not written again.
    ///
    /// # Errors
    /// `Code::Disk`; `Code::Foreign` where the folder was kept in another layout.
    pub fn store(&mut self, folder: &Folder, items: &[Keep<'_>]) -> Result<Vec<Place>> {
        self.with_shelf(folder, |shelf| shelf.store(items))
            .map(Option::unwrap_or_default)
    }

    /// Carries a change of flags to the kept message: a Maildir name and a line of the sidecar. Its place stays.
    ///
    /// # Errors
    /// `Code::Disk`, also where the file is gone.
    pub fn set_flags(&mut self, folder: &Folder, place: &Place, flags: &Flags) -> Result<()> {
        self.with_shelf(folder, |shelf| shelf.set_flags(place, flags))
            .map(Option::unwrap_or_default)
    }

    /// Messages of a folder that are kept and that `known` says the journal has not: source text and place. Those that
    /// come again are adopted by [`Archive::store`]; the rest is to be told, and stays.
    ///
    /// # Errors
    /// As [`Archive::store`].
    pub fn unjournaled(
        &mut self,
        folder: &Folder,
        known: &dyn Fn(&Place) -> bool,
    ) -> Result<Vec<(String, Place)>> {
        let mut found = self
            .with_shelf(folder, |shelf| shelf.messages())?
            .unwrap_or_default();
        found.retain(|(_, place)| !known(place));
        Ok(found)
    }

    /// How many lines of the folder's sidecar are damaged (their messages are in `mail/` all the same).
    ///
    /// # Errors
    /// As [`Archive::store`].
    pub fn damaged_lines(&mut self, folder: &Folder) -> Result<u64> {
        self.with_shelf(folder, |shelf| Ok(shelf.view.damaged))
            .map(Option::unwrap_or_default)
    }

    /// What people should know of the folders that were opened, told once.
    pub fn warnings(&mut self) -> Vec<String> {
        self.shelves
            .as_mut()
            .map(Shelves::warnings)
            .unwrap_or_default()
    }

    /// Reads a kept message, and checks its digest.
    ///
    /// # Errors
    /// `Kind::Message`, naming the file: it is gone, or not what was stored. `Code::Disk`; what [`Budget::body`] says.
    pub fn read(&self, place: &Place, budget: &Budget) -> Result<Body> {
        read(&self.root, place, budget)
    }

    /// The digest of what the disk has of a kept message.
    ///
    /// # Errors
    /// As [`Archive::read`], but for a digest that differs.
    pub fn read_back(&self, place: &Place, budget: &Budget) -> Result<Digest> {
        Ok(locate(&self.root, place)?.body(budget)?.digests().exact)
    }

    fn with_shelf<T>(
        &mut self,
        folder: &Folder,
        work: impl FnOnce(&mut Shelf) -> Result<T>,
    ) -> Result<Option<T>> {
        let Some(shelves) = &mut self.shelves else {
            return Ok(None);
        };
        shelves.with(folder, work).map(Some)
    }
}

/// Reads a kept message of the archive at `root`, without holding it: as [`Archive::read`].
///
/// # Errors
/// As [`Archive::read`].
pub fn read(root: &Path, place: &Place, budget: &Budget) -> Result<Body> {
    let at = locate(root, place)?;
    let body = at.body(budget)?;
    if body.digests().exact == place.digest {
        return Ok(body);
    }
    Err(spoilt(
        at.path(),
        "is not what was stored: its digest differs",
    ))
}

/// Refuses a directory that is somebody else's: it is neither empty nor an archive. Mail alone, put back from a copy, is one.
fn expect_ours(root: &Path) -> Result<()> {
    let broken = |e: io::Error| Error::disk("list", root, &e);
    let mut foreign = None;
    for entry in std::fs::read_dir(root).map_err(broken)? {
        let name = entry.map_err(broken)?.file_name();
        match name.to_str() {
            Some("lock" | "journal.db" | "sidecar") => return Ok(()),
            // A disk of its own has one from the beginning.
            Some("mail" | "lost+found") => {}
            _ => foreign = Some(name),
        }
    }
    let Some(name) = foreign else {
        return Ok(());
    };
    let what = format!(
        "{} is not empty and no archive: {} is in it",
        root.display(),
        name.display()
    );
    Err(Error::new(Kind::Account, Code::Foreign, what)
        .hint("give the job a directory of its own: [archive] path"))
}

fn on_disk(layout: Layout) -> maildir::Layout {
    match layout {
        Layout::MaildirPlusPlus => maildir::Layout::PlusPlus,
        Layout::Fs => maildir::Layout::Fs,
    }
}

#[cfg(test)]
mod names_tests;
#[cfg(test)]
mod tests;
