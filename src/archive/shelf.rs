//! One folder of the archive, written: its mail and its sidecar.
//!
//! The order of a batch: bytes durable, lines durable, and only then visible, where the format knows the difference. What can be seen so
//! always has its line, and after a kill between, the lines say what to finish. Flags and the end of a message are lines first.

use super::at::At;
use super::rack::{Keeping, Put, Rack, Refiled};
use super::sidecar::{Entry, Format, Line, Numbered, Sidecar};
use super::view::{Head, Kept, View};
use super::{Keep, Place};
use crate::error::{Code, Error, Kind, Result};
use crate::failpoint;
use crate::format::maildir::base_name;
use crate::message::{Digest, FlagChange, Flags, Folder};
use crate::net::Flow;
use crate::spool::Budget;
use std::hash::{BuildHasher, Hasher};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

const VERSION: u32 = 1;

pub(super) struct Shelf {
    pub(super) view: View,
    rack: Rack,
    /// Below `mail/`.
    place: String,
    /// What people should know of its opening.
    pub(super) warning: Option<String>,
}

/// A batch that could not be stored.
pub(super) struct Broken {
    pub(super) error: Error,
    /// Its lines may be written: some of it, or all, may stand all the same.
    pub(super) begun: bool,
}

impl Shelf {
    /// Opens a folder, made where there is none, and finishes or undoes what a killed run left. `taken`: the places of the others.
    pub(super) fn open(
        root: &Path,
        keeping: Keeping,
        sidecar: Sidecar,
        folder: &Folder,
        taken: &dyn Fn(&Path) -> bool,
    ) -> Result<Self> {
        let found = Head::read(&sidecar)?;
        let place = match &found {
            Some(head) if head.format == keeping.format => head.dir.clone(),
            _ => Rack::place(keeping, folder, taken),
        };
        if let Some(head) = &found {
            check(&sidecar, head, keeping, folder)?;
        }
        // The sidecar last: what has one is whole.
        let rack = Rack::open(&root.join("mail"), keeping, folder, &place)?;
        let head = match found {
            Some(head) => head,
            None => begin(&sidecar, keeping, folder, &place)?,
        };
        let mut shelf = Shelf {
            view: View::of(root, head, sidecar)?,
            rack,
            place,
            warning: None,
        };
        shelf.recover()?;
        Ok(shelf)
    }

    fn recover(&mut self) -> Result<()> {
        let (view, rack) = (&mut self.view, &mut self.rack);
        let index = &mut view.index;
        let scan = view.sidecar.recover(|found| {
            rack.saw(&found.line);
            index.take(&found);
        })?;
        view.next = (scan.lines, scan.end);
        view.damaged = scan.bad_between;
        let mended = rack.mend()?;
        self.append(mended.lines)?;
        self.view.index.settle(mended.there.as_ref());
        self.warning = mended.warning;
        Ok(())
    }

    /// Adds a batch, durable when it returns: UID and place of each.
    pub(super) fn add(&mut self, items: &[Keep<'_>]) -> Result<Vec<(u32, Place)>, Broken> {
        let failed = |begun| move |error| Broken { error, begun };
        if items.is_empty() {
            return Ok(Vec::new());
        }
        let puts = self.put(items).map_err(failed(false))?;
        let entries = items.iter().zip(&puts);
        let entries = entries.map(|(item, put)| Line::Message(Entry::new(item, put)));
        let uids = self.append(entries.collect()).map_err(failed(true))?;
        self.rack.publish(&puts).map_err(failed(true))?;
        let places = items
            .iter()
            .zip(&puts)
            .map(|(item, put)| self.place(put, item.body.digests().exact));
        Ok(uids.into_iter().zip(places).collect())
    }

    fn put(&mut self, items: &[Keep<'_>]) -> Result<Vec<Put>> {
        let lines = self.rack.announce(items)?;
        self.append(lines)?;
        self.rack.put(items)
    }

    /// Appends lines, durably, and takes them into the index; their numbers.
    pub(super) fn append(&mut self, lines: Vec<Line>) -> Result<Vec<u32>> {
        if lines.is_empty() {
            return Ok(Vec::new());
        }
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
        let Some(at) = self.view.find(&kept)? else {
            return Ok(None);
        };
        let sound = self.view.read(&kept, &at, budget).is_ok();
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

    fn stored(&self, item: &Keep<'_>) -> Result<Option<Place>> {
        let digest = item.body.digests().exact;
        let Some(spot) = self.view.index.of_source(item.source, digest) else {
            return Ok(None);
        };
        match self.view.at(spot)? {
            Some(kept)
                if kept.source == item.source
                    && kept.digest == Some(digest)
                    && self.view.find(&kept)?.is_some() =>
            {
                Ok(Some(self.place(&kept.put(), digest)))
            }
            _ => Ok(None),
        }
    }

    /// The file's new name is found by its base; its place stays.
    pub(super) fn set_flags(&mut self, place: &Place, flags: &Flags) -> Result<()> {
        let mut found = None;
        self.view.each((0, u32::MAX), |kept| {
            let is_it = kept.digest == Some(place.digest)
                && base_name(&self.place(&kept.put(), place.digest).path) == base_name(&place.path);
            if !is_it {
                return Ok(Flow::Continue);
            }
            found = Some(kept);
            Ok(Flow::Stop)
        })?;
        let at = match &found {
            Some(kept) => self.view.find(kept)?,
            None => None,
        };
        let (Some(kept), Some(at)) = (found, at) else {
            return Err(super::spoilt(Path::new(&place.path), "is gone"));
        };
        self.refile(vec![Refiled {
            base: kept.base().to_owned(),
            at,
            flags: flags.clone(),
        }])
    }

    /// Carries a change of flags to messages, over what other programs made of theirs. One fsync each for the lines and the names.
    pub(super) fn change_flags(&mut self, uids: &[u32], change: &FlagChange) -> Result<()> {
        let now = self.view.now()?;
        let mut files = Vec::new();
        for (kept, at) in self.standing(uids)? {
            let before = now.flags(&kept, &at);
            let flags = changed(&before, change);
            // A kill may have left the line without the name; the keyword in it must get its letter before another message has it.
            if flags != now.shown(&at).unwrap_or(before) || flags != kept.flags {
                files.push(Refiled {
                    base: kept.base().to_owned(),
                    at,
                    flags,
                });
            }
        }
        self.refile(files)
    }

    fn refile(&mut self, files: Vec<Refiled>) -> Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        let lines = files.iter().map(|file| Line::Flags {
            file: file.base.clone(),
            flags: file.flags.to_text(),
        });
        self.append(lines.collect())?;
        self.rack.refile(&files)
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
        let gone: Vec<At> = standing.into_iter().map(|(_, at)| at).collect();
        self.rack.take_away(&gone)?;
        self.append(vec![Line::Removed {}]).map(drop)
    }

    /// Those of these messages that are there, and where.
    fn standing(&self, uids: &[u32]) -> Result<Vec<(Kept, At)>> {
        let mut found = Vec::with_capacity(uids.len());
        for &uid in uids {
            let Some(&spot) = self.view.index.within((uid, uid)).first() else {
                continue;
            };
            if let Some(kept) = self.view.at(spot)?
                && let Some(at) = self.view.find(&kept)?
            {
                found.push((kept, at));
            }
        }
        Ok(found)
    }

    /// Every message of the sidecar that is there: source and place.
    pub(super) fn messages(&self) -> Result<Vec<(String, Place)>> {
        let mut found = Vec::new();
        self.view.each((0, u32::MAX), |kept| {
            if let Some(digest) = kept.digest
                && self.view.find(&kept)?.is_some()
            {
                let place = self.place(&kept.put(), digest);
                found.push((kept.source, place));
            }
            Ok(Flow::Continue)
        })?;
        Ok(found)
    }

    fn place(&self, put: &Put, digest: Digest) -> Place {
        Place {
            path: self.rack.path(&self.place, put),
            digest,
        }
    }
}

/// Without what is taken off, with what is added.
fn changed(flags: &Flags, change: &FlagChange) -> Flags {
    let mut changed = change.remove.change_to(flags).add;
    changed.unite(&change.add);
    changed
}

/// The sidecar must be about this folder, kept in this way.
fn check(sidecar: &Sidecar, head: &Head, keeping: Keeping, folder: &Folder) -> Result<()> {
    let nowhere = |_: &Path| false;
    let same_place = match keeping.format {
        Format::Maildir => head.dir == Rack::place(keeping, folder, &nowhere),
        // Twins are where they were first put.
        Format::Mbox => true,
    };
    if head.folder == *folder && head.format == keeping.format && same_place {
        return Ok(());
    }
    let what = format!(
        "{} is about another folder, another format or another layout",
        sidecar.path().display()
    );
    Err(Error::new(Kind::Account, Code::Foreign, what).hint(
        "keep the format and layout that the archive was made with, or give the job another archive path",
    ))
}

fn begin(sidecar: &Sidecar, keeping: Keeping, folder: &Folder, place: &str) -> Result<Head> {
    let uid_validity = new_validity();
    if sidecar.exists() {
        sidecar.recover(drop)?;
    }
    sidecar.append(&[Line::Folder {
        version: VERSION,
        name: folder.to_string(),
        dir: place.to_owned(),
        uid_validity,
        format: keeping.format,
    }])?;
    Ok(Head {
        folder: folder.clone(),
        dir: place.to_owned(),
        uid_validity,
        format: keeping.format,
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
