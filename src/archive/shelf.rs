//! One folder of the archive, written: its Maildir and its sidecar.
//!
//! The order of a batch: files durable in `tmp/`, sidecar lines durable, files moved to `cur/`, directory durable. A file in
//! `cur/` so always has its line, and after a kill between, the line says which files to move on. Flags and the end of a message are
//! lines first and names second.

use super::index::file_mark;
use super::sidecar::{Entry, Line, Numbered, Sidecar};
use super::view::{Head, Kept, View};
use super::{Keep, Place};
use crate::error::{Code, Error, Kind, Result};
use crate::failpoint;
use crate::format::maildir::{Letter, Maildir, MaildirFolder, Places, base_name};
use crate::message::{Digest, FlagChange, Flags, Folder};
use crate::spool::Budget;
use std::hash::{BuildHasher, Hasher};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

const VERSION: u32 = 1;

pub(super) struct Shelf {
    pub(super) view: View,
    maildir: MaildirFolder,
    /// The Maildir relative to the archive, `mail/.A.B`.
    dir: String,
}

/// A batch that could not be stored.
pub(super) struct Broken {
    pub(super) error: Error,
    /// Its lines may be written: some of it, or all, may stand all the same.
    pub(super) begun: bool,
}

impl Shelf {
    /// Opens a folder, made where there is none, and finishes or undoes what a killed run left.
    pub(super) fn open(
        root: &Path,
        tree: &Maildir,
        sidecar: Sidecar,
        folder: &Folder,
    ) -> Result<Self> {
        let location = tree.location(folder).to_string_lossy().into_owned();
        let found = Head::read(&sidecar)?;
        if let Some(head) = &found {
            check(&sidecar, head, folder, &location)?;
        }
        // The sidecar last: what has one is whole.
        let maildir = tree.folder(folder)?;
        let head = match found {
            Some(head) => head,
            None => begin(&sidecar, folder, &location)?,
        };
        let mut shelf = Shelf {
            view: View::of(root, head, sidecar)?,
            maildir,
            dir: mail_dir(&location),
        };
        shelf.recover()?;
        Ok(shelf)
    }

    fn recover(&mut self) -> Result<()> {
        let mut leftovers = self.maildir.leftovers()?;
        let (mut unpublished, mut gone) = (Vec::new(), Vec::new());
        let view = &mut self.view;
        let index = &mut view.index;
        let scan = view.sidecar.recover(|found| {
            match &found.line {
                Line::Message(entry) if leftovers.take(&entry.file) => {
                    unpublished.push(entry.file.clone());
                }
                Line::Gone { file, .. } => gone.push(file.clone()),
                _ => {}
            }
            index.take(&found);
        })?;
        view.next = (scan.lines, scan.end);
        view.damaged = scan.bad_between;
        if !unpublished.is_empty() {
            self.maildir.publish(&unpublished)?;
        }
        self.maildir.discard(&leftovers)?;
        let mut places = Places::open(&self.view.dir)?;
        self.take_away(&mut places, &gone)?;
        let there = places.bases().iter().map(file_mark).collect();
        self.view.index.settle(Some(&there));
        Ok(())
    }

    /// Takes the files away that a killed run has written off.
    fn take_away(&self, places: &mut Places, gone: &[String]) -> Result<()> {
        let mut left = Vec::new();
        for base in gone {
            left.extend(places.find(base.as_bytes())?);
        }
        match left.is_empty() {
            true => Ok(()),
            false => self.maildir.remove(&left),
        }
    }

    /// Adds a batch, durable when it returns: UID and place of each.
    pub(super) fn add(&mut self, items: &[Keep<'_>]) -> Result<Vec<(u32, Place)>, Broken> {
        let failed = |begun| move |error| Broken { error, begun };
        if items.is_empty() {
            return Ok(Vec::new());
        }
        let letters: Vec<Letter<'_>> = items
            .iter()
            .map(|item| Letter {
                body: item.body,
                flags: item.flags,
                date: item.date,
            })
            .collect();
        let names = self.maildir.stage(&letters).map_err(failed(false))?;
        let entries = items.iter().zip(&names).map(|(item, name)| {
            let entry = Entry::new(item.source, name, item.body, item.date, item.flags);
            Line::Message(entry)
        });
        let uids = self.append(entries.collect()).map_err(failed(true))?;
        self.maildir.publish(&names).map_err(failed(true))?;
        let places = items.iter().zip(&names).map(|(item, name)| Place {
            path: format!("{}/cur/{name}", self.dir),
            digest: item.body.digests().exact,
        });
        Ok(uids.into_iter().zip(places).collect())
    }

    /// Appends lines, durably, and takes them into the index; their numbers.
    pub(super) fn append(&mut self, lines: Vec<Line>) -> Result<Vec<u32>> {
        let view = &mut self.view;
        let last = u32::try_from(lines.len())
            .ok()
            .and_then(|n| view.next.0.checked_add(n));
        if last.is_none_or(|last| last == u32::MAX) {
            return Err(full(&view.sidecar));
        }
        let lengths = view.sidecar.append(&lines)?;
        let mut numbers = Vec::with_capacity(lines.len());
        for (line, length) in lines.into_iter().zip(lengths) {
            let (number, offset) = view.next;
            numbers.push(number);
            view.index.take(&Numbered {
                number,
                offset,
                line,
            });
            view.next = (number + 1, offset + length);
        }
        Ok(numbers)
    }

    /// As [`Shelf::add`], but what is here already is not written twice: the same source and digest, and its bytes still have it.
    pub(super) fn add_once(
        &mut self,
        items: &[Keep<'_>],
        budget: &Budget,
    ) -> Result<Vec<u32>, Broken> {
        let failed = |error| Broken {
            error,
            begun: false,
        };
        let mut uids = Vec::with_capacity(items.len());
        for item in items {
            uids.push(self.here(item, budget).map_err(failed)?);
        }
        let missing = items.iter().zip(&uids).filter(|(_, uid)| uid.is_none());
        let missing: Vec<_> = missing.map(|(item, _)| *item).collect();
        let mut added = self.add(&missing)?.into_iter();
        let filled = uids
            .into_iter()
            .map(|uid| uid.or_else(|| added.next().map(|(uid, _)| uid)));
        Ok(filled.flatten().collect())
    }

    fn here(&self, item: &Keep<'_>, budget: &Budget) -> Result<Option<u32>> {
        let digest = item.body.digests().exact;
        let Some(spot) = self.view.index.of_source(item.source, digest) else {
            return Ok(None);
        };
        let Some(kept) = self
            .view
            .at(spot)?
            .filter(|kept| kept.source == item.source)
        else {
            return Ok(None);
        };
        let Some(path) = self.view.find(&kept)? else {
            return Ok(None);
        };
        let sound = self.view.read(&kept, &path, budget).is_ok();
        Ok(sound.then_some(kept.uid))
    }

    /// A batch of which some may be kept already, by the same source and digest: that is not written again.
    pub(super) fn store(&mut self, items: &[Keep<'_>]) -> Result<Vec<Place>> {
        let mut places = Vec::with_capacity(items.len());
        for item in items {
            places.push(self.stored(item)?);
        }
        let missing = items.iter().zip(&places).filter(|(_, p)| p.is_none());
        let missing: Vec<_> = missing.map(|(item, _)| *item).collect();
        let mut added = self
            .add(&missing)
            .map_err(|broken| broken.error)?
            .into_iter();
        let filled = places
            .into_iter()
            .map(|place| place.or_else(|| added.next().map(|(_, place)| place)));
        Ok(filled.flatten().collect())
    }

    fn stored(&mut self, item: &Keep<'_>) -> Result<Option<Place>> {
        let digest = item.body.digests().exact;
        let Some(spot) = self.view.index.of_source(item.source, digest) else {
            return Ok(None);
        };
        match self.view.sidecar.line_at(spot.offset)? {
            Some(Line::Message(entry))
                if entry.source == item.source
                    && entry.exact() == Some(digest)
                    && self.maildir.find(&entry.file)?.is_some() =>
            {
                Ok(Some(self.place(&entry.file, digest)))
            }
            _ => Ok(None),
        }
    }

    /// The file's new name is found by its base; its place stays.
    pub(super) fn set_flags(&mut self, place: &Place, flags: &Flags) -> Result<()> {
        let file = place.path.rsplit('/').next().unwrap_or_default();
        self.append(vec![Line::Flags {
            file: base_name(file).to_owned(),
            flags: flags.to_text(),
        }])?;
        self.maildir.set_flags(file, flags)?;
        Ok(())
    }

    /// Carries a change of flags to messages, over what other programs made of theirs. One fsync each for the lines and the names.
    pub(super) fn change_flags(&mut self, uids: &[u32], change: &FlagChange) -> Result<()> {
        let letters = self.view.letters()?;
        let mut files: Vec<(PathBuf, String, Flags)> = Vec::new();
        for (kept, path) in self.standing(uids)? {
            let now = letters.flags(&path, &kept.flags);
            let flags = changed(&now, change);
            if flags != now || flags != kept.flags {
                files.push((path, kept.base().to_owned(), flags));
            }
        }
        if files.is_empty() {
            return Ok(());
        }
        let lines = files.iter().map(|(_, base, flags)| Line::Flags {
            file: base.clone(),
            flags: flags.to_text(),
        });
        self.append(lines.collect())?;
        let named: Vec<(&Path, &str, &Flags)> = files
            .iter()
            .map(|(path, base, flags)| (path.as_path(), base.as_str(), flags))
            .collect();
        self.maildir.refile(&named)
    }

    /// Takes messages out for good: what is known of them stays in the sidecar, with the reason.
    pub(super) fn remove(&mut self, uids: &[u32], why: &str) -> Result<()> {
        let standing = self.standing(uids)?;
        if standing.is_empty() {
            return Ok(());
        }
        let at = SystemTime::now().duration_since(UNIX_EPOCH);
        let at = at.map_or(0, |since| since.as_secs().cast_signed());
        let lines = standing.iter().map(|(kept, _)| Line::Gone {
            file: kept.base().to_owned(),
            at,
            why: why.to_owned(),
        });
        self.append(lines.collect())?;
        failpoint::pass("messages written off, not removed");
        self.view.index.settle(None);
        let files: Vec<PathBuf> = standing.into_iter().map(|(_, path)| path).collect();
        self.maildir.remove(&files)
    }

    /// Those of these messages that are there, with their files.
    fn standing(&mut self, uids: &[u32]) -> Result<Vec<(Kept, PathBuf)>> {
        let mut found = Vec::with_capacity(uids.len());
        for &uid in uids {
            let Some(&spot) = self.view.index.within((uid, uid)).first() else {
                continue;
            };
            if let Some(kept) = self.view.at(spot)?
                && let Some(path) = self.view.find(&kept)?
            {
                found.push((kept, path));
            }
        }
        Ok(found)
    }

    /// Every message of the sidecar whose file is there: source and place.
    pub(super) fn messages(&mut self) -> Result<Vec<(String, Place)>> {
        let mut bases = self.maildir.bases()?;
        bases.sort_unstable();
        let mut found = Vec::new();
        self.view.each((0, u32::MAX), |kept| {
            if let Some(digest) = kept.digest
                && bases
                    .binary_search_by(|b| b.as_str().cmp(kept.base()))
                    .is_ok()
            {
                found.push((kept.source, self.place(&kept.file, digest)));
            }
            Ok(crate::net::Flow::Continue)
        })?;
        Ok(found)
    }

    fn place(&self, file: &str, digest: Digest) -> Place {
        Place {
            path: format!("{}/cur/{file}", self.dir),
            digest,
        }
    }
}

fn changed(flags: &Flags, change: &FlagChange) -> Flags {
    let mut changed = change.remove.change_to(flags).add;
    changed.unite(&change.add);
    changed
}

/// The sidecar must be about this folder, in this layout.
fn check(sidecar: &Sidecar, head: &Head, folder: &Folder, dir: &str) -> Result<()> {
    if head.folder == *folder && head.dir == dir {
        return Ok(());
    }
    let what = format!(
        "{} is about another folder or another layout",
        sidecar.path().display()
    );
    Err(Error::new(Kind::Account, Code::Foreign, what).hint(
        "keep the layout that the archive was made with, or give the job another archive path",
    ))
}

fn begin(sidecar: &Sidecar, folder: &Folder, dir: &str) -> Result<Head> {
    let uid_validity = new_validity();
    if sidecar.exists() {
        sidecar.recover(drop)?;
    }
    sidecar.append(&[Line::Folder {
        version: VERSION,
        name: folder.to_string(),
        dir: dir.to_owned(),
        uid_validity,
    }])?;
    Ok(Head {
        folder: folder.clone(),
        dir: dir.to_owned(),
        uid_validity,
    })
}

/// By chance, from 2 on: 1 is that of sidecars from before there was one. A clock would give two in one second the same.
fn new_validity() -> u32 {
    let random = std::hash::RandomState::new().build_hasher().finish();
    (random as u32 >> 1).max(2)
}

fn full(sidecar: &Sidecar) -> Error {
    let what = format!("{} cannot hold more lines", sidecar.path().display());
    Error::new(Kind::Folder, Code::Full, what).hint("give the job another archive path")
}

fn mail_dir(location: &str) -> String {
    if location.is_empty() {
        "mail".to_owned()
    } else {
        format!("mail/{location}")
    }
}
