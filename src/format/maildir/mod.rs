//! Maildir on disk: messages staged in `tmp/`, made durable, then published in `cur/`, a batch at a time.
//!
//! A file is visible whole or not at all; between [`MaildirFolder::stage`] and [`MaildirFolder::publish`] the caller can
//! write down what is about to appear.

mod bytes;
mod decode;
mod dotlock;
mod keywords;
mod listing;
mod live;
mod name;
mod numbering;
mod promise;
mod refile;
mod root;
mod scan;
pub mod subscriptions;
mod tree;
mod uidlist;

pub use dotlock::{DotLock, Seen};
pub use listing::{Mail, Places, list};
pub use live::Live;
pub use refile::Letters;
pub use root::{Maildir, complete};
pub(crate) use scan::free_name;
pub use scan::{Found, Scan, scan};
pub use tree::Layout;
pub(crate) use tree::{flat_name, short_name};
pub use uidlist::UidList;

use crate::error::{Error, Kind, Result};
use crate::failpoint;
use crate::fs;
use crate::message::{Flags, InternalDate};
use crate::spool::{Body, Budget};
use keywords::Keywords;
use rayon::prelude::*;
use std::collections::HashSet;
use std::fs::FileTimes;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// One message to be written.
#[derive(Clone, Copy)]
pub struct Letter<'a> {
    pub body: &'a Body,
    pub flags: &'a Flags,
    pub date: Option<InternalDate>,
}

/// One Maildir. Written to by one owner at a time; other programs may read it and change flags meanwhile.
#[derive(Debug)]
pub struct MaildirFolder {
    dir: PathBuf,
    keywords: Keywords,
    /// Do other programs write `dovecot-keywords` too?
    shared: bool,
    /// `dovecot-uidlist` as this process has written it last.
    numbering: Option<numbering::Numbering>,
}

impl MaildirFolder {
    fn at(dir: PathBuf) -> Result<Self> {
        Ok(MaildirFolder {
            keywords: Keywords::load(&dir)?,
            dir,
            shared: false,
            numbering: None,
        })
    }

    /// What is written behind the names of messages with these flags.
    fn infos(&mut self, all: &[&Flags]) -> Result<Vec<String>> {
        let any = all.iter().any(|flags| !flags.keywords.is_empty());
        let lock = match self.shared && any {
            true => Some(live::lock(&self.dir)?),
            false => None,
        };
        if lock.is_some() {
            self.keywords = Keywords::load(&self.dir)?;
        }
        let infos = all
            .iter()
            .map(|flags| name::info(flags, &self.keywords.letters(flags)));
        let infos = infos.collect();
        self.keywords.save(&self.dir)?;
        Ok(infos)
    }

    /// Writes the messages into `tmp/`, durably, and gives the names they are to have in `cur/`, in the same order.
    ///
    /// # Errors
    /// `Code::Disk`; files written so far stay in `tmp/`, where [`MaildirFolder::leftovers`] finds them.
    pub fn stage(&mut self, letters: &[Letter<'_>]) -> Result<Vec<String>> {
        let infos = self.infos(
            &letters
                .iter()
                .map(|letter| letter.flags)
                .collect::<Vec<_>>(),
        )?;
        let tmp = self.dir.join("tmp");
        // File systems commit together what is made durable at the same time.
        let staged: Result<Vec<String>> = letters
            .par_iter()
            .zip(&infos)
            .map(|(letter, info)| Ok(write_one(&tmp, letter)? + info))
            .collect();
        let staged = staged?;
        fs::sync_dir(&tmp)?;
        Ok(staged)
    }

    /// Moves staged messages into `cur/`, durably. One that is there already (an earlier try ended between) is
    /// passed over.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn publish(&self, names: &[String]) -> Result<()> {
        for staged in names {
            if staged.contains('/') {
                let bad = std::io::Error::from(std::io::ErrorKind::InvalidFilename);
                return Err(Error::disk("publish", &self.dir.join(staged), &bad));
            }
            let from = self.dir.join("tmp").join(name::unique_part(staged));
            let to = self.dir.join("cur").join(staged);
            if std::fs::symlink_metadata(&from).is_ok() || std::fs::symlink_metadata(&to).is_err() {
                fs::rename(&from, &to)?;
            }
        }
        fs::sync_dir(&self.dir.join("cur"))
    }

    /// What earlier runs staged and did not publish; files that other programs put into `tmp/` are left out.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn leftovers(&self) -> Result<Leftovers> {
        let mut names = file_names(&self.dir.join("tmp"))?;
        names.retain(|name| name::is_ours(name));
        Ok(Leftovers(names.into_iter().collect()))
    }

    /// Removes them from `tmp/`.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn discard(&self, leftovers: &Leftovers) -> Result<()> {
        for left in &leftovers.0 {
            let path = self.dir.join("tmp").join(left);
            let removed = match path.is_dir() {
                true => std::fs::remove_dir_all(&path),
                false => std::fs::remove_file(&path),
            };
            removed.map_err(|e| Error::disk("remove", &path, &e))?;
        }
        Ok(())
    }

    /// The names of the messages in `cur/` and `new/`, without their flags (they change), sorted.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn bases(&self) -> Result<Vec<String>> {
        let mut bases = Vec::new();
        for part in ["cur", "new"] {
            let names = file_names(&self.dir.join(part))?;
            bases.extend(names.iter().map(|n| name::base(n).to_owned()));
        }
        bases.sort_unstable();
        Ok(bases)
    }

    /// Where the message is that once got this name; its flags may have changed since. `None`: it is gone.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn find(&self, name: &str) -> Result<Option<PathBuf>> {
        find(&self.dir, name)
    }

    /// Gives a message other flags, by its name; returns the new name. Durable only after the next batch
    /// or [`fs::sync_dir`]: the sidecar keeps flags too.
    ///
    /// # Errors
    /// `Code::Disk`, also where the message is gone.
    pub fn set_flags(&mut self, name: &str, flags: &Flags) -> Result<String> {
        let letters = self.keywords.letters(flags);
        self.keywords.save(&self.dir)?;
        let from = self.find(name)?.ok_or_else(|| {
            let gone = std::io::Error::from(std::io::ErrorKind::NotFound);
            Error::disk("set the flags of", &self.dir.join("cur").join(name), &gone)
        })?;
        let renamed = name::base(name).to_owned() + &name::info(flags, &letters);
        fs::rename(&from, &self.dir.join("cur").join(&renamed))?;
        Ok(renamed)
    }
}

/// Names of files in `tmp/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftovers(HashSet<String>);

impl Leftovers {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes the file out that was to be published under this name.
    pub fn take(&mut self, staged: &str) -> bool {
        self.0.remove(name::unique_part(staged))
    }
}

/// The name without what changes with the flags.
#[must_use]
pub fn base_name(name: &str) -> &str {
    name::base(name)
}

/// Is this the base of a name that mailhaul gave?
#[must_use]
pub fn is_own(base: &[u8]) -> bool {
    !listing::is_double(base) && std::str::from_utf8(base).is_ok_and(name::is_ours)
}

/// As [`MaildirFolder::find`], in the Maildir at `dir`.
///
/// # Errors
/// `Code::Disk`.
pub fn find(dir: &Path, name: &str) -> Result<Option<PathBuf>> {
    let direct = dir.join("cur").join(name);
    if std::fs::symlink_metadata(&direct).is_ok() {
        return Ok(Some(direct));
    }
    let wanted = name::base(name);
    for part in ["cur", "new"] {
        let dir = dir.join(part);
        let names = file_names(&dir)?;
        if let Some(found) = names.iter().find(|n| name::base(n) == wanted) {
            return Ok(Some(dir.join(found)));
        }
    }
    Ok(None)
}

/// Reads a message file back into canonical form.
///
/// # Errors
/// `Code::Disk`; what [`Budget::body`] says.
pub fn read(path: &Path, budget: &Budget) -> Result<Body> {
    bytes::read(path, budget, Kind::Internal)
}

/// As [`read`], a file of somebody else's: that it cannot be read is its own fault, `Kind::Message`.
///
/// # Errors
/// `Code::Disk`; what [`Budget::body`] says.
pub fn read_message(path: &Path, budget: &Budget) -> Result<Body> {
    bytes::read(path, budget, Kind::Message)
}

/// A message's header alone, canonical form, at most a MiB.
///
/// # Errors
/// `Code::Disk`.
pub fn read_head(path: &Path) -> Result<Vec<u8>> {
    bytes::head(path)
}

fn write_one(tmp: &Path, letter: &Letter<'_>) -> Result<String> {
    let unique = name::unique(letter.date.map(|d| d.epoch));
    let path = tmp.join(&unique);
    let mut file = fs::create_new(&path)?;
    failpoint::pass("message file made");
    let broken = |e: std::io::Error| Error::disk("write", &path, &e);
    fs::inherit(&file, tmp).map_err(broken)?;
    let on_disk = bytes::write(&mut file, letter.body).map_err(broken)?;
    if let Some(time) = letter.date.and_then(|d| instant(d.epoch)) {
        file.set_times(FileTimes::new().set_modified(time))
            .map_err(broken)?;
    }
    failpoint::pass("message file written");
    file.sync_all().map_err(broken)?;
    failpoint::pass("message file durable");
    Ok(name::sized(&unique, on_disk, letter.body.size()))
}

fn instant(epoch: i64) -> Option<SystemTime> {
    let distance = Duration::from_secs(epoch.unsigned_abs());
    if epoch < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(distance)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(distance)
    }
}

fn file_names(dir: &Path) -> Result<Vec<String>> {
    let broken = |e: std::io::Error| Error::disk("list", dir, &e);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(broken)? {
        // A name that is not UTF-8 is none of ours.
        if let Ok(name) = entry.map_err(broken)?.file_name().into_string() {
            names.push(name);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests;
