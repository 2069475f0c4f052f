//! The archive of one account: a directory with its lock, kept mail and sidecars (the journal stands in it too).
//!
//! `mail/` can be read by any mail program; `sidecar/` has per folder what a Maildir cannot hold, and what each message's source was.

mod check;
mod export;
mod folders;
mod index;
mod listing;
mod rebuild;
mod refill;
#[cfg(test)]
mod sample;
mod select;
mod shelf;
mod shelves;
mod sidecar;
mod survey;
mod view;

pub use crate::journal::Place;
pub use check::{Checked, Finding, Wrong, check};
pub use export::{Exported, Shape, export};
pub use folders::{FolderState, folders, view};
pub use listing::{Listed, Total, Wanted, list, message, totals};
pub use rebuild::{Rebuilt, rebuild};
pub use refill::Refilled;
pub use select::Selection;
pub use shelves::{Making, Shelves, Unstored, no_folder};
pub use survey::{Step, Watch, expect_mail};
pub(crate) use view::head;
pub use view::{Kept, View};

use crate::error::{Code, Error, Kind, Result};
use crate::format::maildir;
use crate::fs;
use crate::job::Layout;
use crate::message::{Digest, Flags, Folder, InternalDate};
use crate::spool::{Body, Budget};
use shelf::Shelf;
use std::path::{Component, Path, PathBuf};

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
    /// `Code::Locked`: another run holds it. `Code::Disk`.
    pub fn open(root: &Path, keep_mail: bool, layout: Layout) -> Result<Self> {
        fs::private_dir(root)?;
        fs::make_private(root)?;
        let lock = fs::Lock::acquire(&root.join("lock"))?;
        if keep_mail {
            fs::private_dir(&root.join("sidecar"))?;
            fs::private_dir(&root.join("mail"))?;
        }
        Ok(Archive {
            root: root.to_owned(),
            shelves: keep_mail.then(|| Shelves::new(root, layout)),
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
        let path = locate(&self.root, place)?;
        Ok(maildir::read(&path, budget)?.digests().exact)
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
    let path = locate(root, place)?;
    let body = maildir::read(&path, budget)?;
    if body.digests().exact == place.digest {
        return Ok(body);
    }
    Err(spoilt(&path, "is not what was stored: its digest differs"))
}

fn locate(root: &Path, place: &Place) -> Result<PathBuf> {
    let relative = Path::new(&place.path);
    let whole = root.join(relative);
    confined(root, relative)?;
    let (Some(name), Some(dir)) = (
        whole.file_name().and_then(|n| n.to_str()),
        maildir_of(relative),
    ) else {
        return Err(spoilt(&whole, "is no place in an archive"));
    };
    let dir = root.join(dir);
    if !dir.join("cur").is_dir() {
        return Err(spoilt(&whole, "is gone"));
    }
    maildir::find(&dir, name)?.ok_or_else(|| spoilt(&whole, "is gone"))
}

/// `mail/.A` of `mail/.A/cur/NAME`.
fn maildir_of(place: &Path) -> Option<&Path> {
    let cur = place.parent()?;
    let dir = cur.parent()?;
    (cur.ends_with("cur") && dir.starts_with("mail")).then_some(dir)
}

/// No step of the way may lead outside: neither `..` nor a link planted in the archive.
fn confined(root: &Path, relative: &Path) -> Result<()> {
    let mut at = root.to_owned();
    for step in relative.components() {
        at.push(step);
        let is_link = std::fs::symlink_metadata(&at).is_ok_and(|m| m.is_symlink());
        if is_link || !matches!(step, Component::Normal(_)) {
            return Err(spoilt(&at, "leads outside the archive"));
        }
    }
    Ok(())
}

fn spoilt(path: &Path, how: &str) -> Error {
    let what = format!("the kept message {} {how}", path.display());
    Error::new(Kind::Message, Code::Disk, what)
}

fn on_disk(layout: Layout) -> maildir::Layout {
    match layout {
        Layout::MaildirPlusPlus => maildir::Layout::PlusPlus,
        Layout::Fs => maildir::Layout::Fs,
    }
}

#[cfg(test)]
mod tests;
