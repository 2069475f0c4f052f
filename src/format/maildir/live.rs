//! A Maildir as a mailbox with UIDs, while Dovecot and others use it too.
//!
//! UIDs are those of `dovecot-uidlist`. Files are published and numbered under its dot lock, so that nobody numbers them otherwise
//! in between. A file that a killed run published without numbering it gets the next UID when the folder is looked at next, by
//! mailhaul or by Dovecot: never one below the `next` that was seen before it was published.

use super::dotlock::{self, DotLock};
use super::listing::Places;
use super::numbering::Numbering;
use super::promise;
use super::uidlist::{self, UidList};
use super::{MaildirFolder, name};
use crate::error::{Code, Error, Kind, Result};
use crate::failpoint;
use crate::fs;
use crate::message::{FlagChange, Flags};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::hash::{BuildHasher, Hasher};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// What programs leave in `tmp/` for longer is abandoned, by Maildir's own rule.
const ABANDONED: Duration = Duration::from_secs(36 * 3600);

/// The lock under which `dovecot-uidlist` and `dovecot-keywords` of the Maildir at `dir` are changed.
pub(super) fn lock(dir: &Path) -> Result<DotLock> {
    DotLock::acquire(&uidlist::path(dir))
}

/// A folder as it was when it was looked at.
#[derive(Debug)]
pub struct Live {
    uidlist: UidList,
    places: Places,
    /// By UID.
    messages: Vec<(u32, Vec<u8>)>,
}

impl Live {
    /// Looks afresh at the Maildir at `dir`. Files that have no UID get one, in the order of their names' times.
    ///
    /// # Errors
    /// `Code::Disk`; what [`DotLock::acquire`] says.
    pub fn look(dir: &Path) -> Result<Self> {
        if let Some(live) = Self::peek(dir)?
            && live.is_whole()
            && !promise::stands(dir)
        {
            return Ok(live);
        }
        let _lock = lock(dir)?;
        let mut numbering = Numbering::open(dir, None, fresh_validity())?;
        let places = Places::open(dir)?;
        let mut missing = unnumbered(&numbering.uidlist, &places);
        missing.sort_by_cached_key(|file| (name::time(file), file.clone()));
        for file in &missing {
            numbering.add(file, None).ok_or_else(|| no_uids(dir))?;
        }
        if numbering.is_changed() || !missing.is_empty() {
            numbering.save(dir)?;
        } else {
            promise::keep(dir)?;
        }
        Ok(Self::of(numbering.uidlist, places))
    }

    /// The same without writing anything: files without a UID are left out. `None`: nobody has numbered anything yet.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn peek(dir: &Path) -> Result<Option<Self>> {
        // The files first: what is numbered meanwhile is in the list, what is published meanwhile is not looked for.
        let places = Places::open(dir)?;
        Ok(UidList::load(dir)?.map(|uidlist| Self::of(uidlist, places)))
    }

    fn of(uidlist: UidList, places: Places) -> Self {
        let uids = uidlist.uids();
        let numbered = places
            .files()
            .filter_map(|(called, file)| Some((uids.of(called, file)?, called.to_vec())));
        let mut messages: Vec<(u32, Vec<u8>)> = numbered.collect();
        messages.sort_unstable();
        drop(uids);
        Live {
            messages,
            uidlist,
            places,
        }
    }

    #[must_use]
    pub fn validity(&self) -> u32 {
        self.uidlist.validity()
    }

    /// No file that appears from now on gets a lower UID.
    #[must_use]
    pub fn next(&self) -> u32 {
        self.uidlist.next()
    }

    /// How many files there are, numbered or not; of those that share a base, one.
    #[must_use]
    pub fn files(&self) -> usize {
        self.places.files().count()
    }

    /// Has every file a UID?
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.messages.len() == self.files()
    }

    /// UIDs and file bases of those in `first..=last`, ascending.
    #[must_use]
    pub fn range(&self, first: u32, last: u32) -> &[(u32, Vec<u8>)] {
        let from = self.messages.partition_point(|(uid, _)| *uid < first);
        let to = self.messages.partition_point(|(uid, _)| *uid <= last);
        self.messages.get(from..to).unwrap_or_default()
    }

    /// Where the files are.
    pub fn places(&mut self) -> &mut Places {
        &mut self.places
    }
}

fn unnumbered(uidlist: &UidList, places: &Places) -> Vec<Vec<u8>> {
    let uids = uidlist.uids();
    let missing = places
        .files()
        .filter(|(called, file)| uids.of(called, file).is_none());
    missing.map(|(_, file)| file.to_vec()).collect()
}

/// The clock, less up to 18 hours by chance. Servers take the clock itself: a copy made in the second in which its original was made would
/// be taken for the original, by mailhaul too.
fn fresh_validity() -> u32 {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    let back = std::hash::RandomState::new().build_hasher().finish() & 0xffff;
    let validity = now.as_secs().saturating_sub(back).max(1);
    u32::try_from(validity).unwrap_or(u32::MAX)
}

fn no_uids(dir: &Path) -> Error {
    let what = format!("{} has no UIDs left to give", dir.display());
    Error::new(Kind::Folder, Code::Disk, what)
        .hint("remove its dovecot-uidlist, so that its messages are numbered anew")
}

impl MaildirFolder {
    /// The Maildir at `dir`, which other programs write too. Nothing is made.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn shared(dir: &Path) -> Result<Self> {
        Ok(MaildirFolder {
            shared: true,
            ..MaildirFolder::at(dir.to_owned())?
        })
    }

    /// As [`MaildirFolder::publish`], and numbers the messages; gives UIDVALIDITY and the UIDs in the same order. A unique-id is
    /// what Dovecot's POP3 is to show for the message.
    ///
    /// # Errors
    /// `Code::Disk`; what [`DotLock::acquire`] says. What was published by then stays.
    pub fn publish_numbered(
        &mut self,
        staged: &[(String, Option<Vec<u8>>)],
    ) -> Result<(u32, Vec<u32>)> {
        let _lock = lock(&self.dir)?;
        let before = self.numbering.take();
        let mut numbering = Numbering::open(&self.dir, before, fresh_validity())?;
        if numbering.is_changed() {
            // What an earlier run promised is kept before anything else is.
            numbering.save(&self.dir)?;
        }
        promise::make(&self.dir, staged)?;
        let names: Vec<String> = staged.iter().map(|(name, _)| name.clone()).collect();
        self.publish(&names)?;
        failpoint::pass("messages published, not numbered");
        let mut uids = Vec::with_capacity(staged.len());
        for (name, uidl) in staged {
            let uid = numbering.add(name.as_bytes(), uidl.as_deref());
            uids.push(uid.ok_or_else(|| no_uids(&self.dir))?);
        }
        numbering.save(&self.dir)?;
        failpoint::pass("messages numbered");
        let validity = numbering.uidlist.validity();
        self.numbering = Some(numbering);
        Ok((validity, uids))
    }

    /// Removes from `tmp/` what a killed run of ours left there: its process is gone from this host, or it is older than 36 hours.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn sweep(&self) -> Result<()> {
        let mut left = self.leftovers()?;
        left.0
            .retain(|name| is_abandoned(&self.dir.join("tmp").join(name), name));
        self.discard(&left)
    }

    /// Keywords for which no letter is left.
    pub fn unfit(&mut self, flags: &Flags) -> Vec<String> {
        self.keywords.unfit(flags)
    }

    /// Changes the flags of a message, by its base; letters of other programs stay. `false`: it is gone. Durable after
    /// [`fs::sync_dir`] of `cur/`.
    ///
    /// # Errors
    /// `Code::Disk`; what [`DotLock::acquire`] says.
    pub fn change_flags(
        &mut self,
        places: &mut Places,
        base: &[u8],
        change: &FlagChange,
    ) -> Result<bool> {
        let (add, remove) = (self.letters(&change.add)?, self.letters(&change.remove)?);
        while let Some(from) = places.find(base)? {
            let file = from.file_name().unwrap_or_default().as_bytes();
            let to = renamed(file, &add, &remove);
            let to = self.dir.join("cur").join(OsStr::from_bytes(&to));
            match if from == to {
                Ok(())
            } else {
                fs::rename(&from, &to)
            } {
                // Somebody else renamed it just then.
                Err(_) if std::fs::symlink_metadata(&from).is_err() => {}
                other => return other.map(|()| true),
            }
        }
        Ok(false)
    }

    /// The letters of flags, `:2,` taken off.
    fn letters(&mut self, flags: &Flags) -> Result<BTreeSet<u8>> {
        let infos = self.infos(&[flags])?;
        let letters = infos.iter().flat_map(|info| info.bytes().skip(3));
        let mut letters: BTreeSet<u8> = letters.collect();
        if flags.has_keyword("$Forwarded") {
            letters.insert(b'P');
        }
        Ok(letters)
    }

    /// Makes what was renamed durable.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn sync(&self) -> Result<()> {
        fs::sync_dir(&self.dir.join("cur"))
    }
}

/// A file's name with other letters. `P` is how other programs write `$Forwarded`: it is taken away, and never added.
fn renamed(file: &[u8], add: &BTreeSet<u8>, remove: &BTreeSet<u8>) -> Vec<u8> {
    let (base, letters) = name::parts(file);
    let mut letters: BTreeSet<u8> = letters.iter().copied().collect();
    letters.extend(add.iter().filter(|&&letter| letter != b'P'));
    letters.retain(|letter| !remove.contains(letter));
    // Programs that write `;2,` go on finding it so.
    let mark = file
        .get(base.len()..base.len() + 3)
        .filter(|mark| mark.ends_with(b"2,"));
    [
        base,
        mark.unwrap_or(b":2,"),
        &letters.into_iter().collect::<Vec<u8>>(),
    ]
    .concat()
}

/// Was the file left by a run that is over?
fn is_abandoned(path: &Path, name: &str) -> bool {
    let Ok(meta) = std::fs::symlink_metadata(path) else {
        return false;
    };
    let age = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    let changed = u64::try_from(meta.ctime()).unwrap_or(u64::MAX);
    age.as_secs() > changed.saturating_add(ABANDONED.as_secs())
        || name::maker(name).is_some_and(dotlock::is_gone)
}

#[cfg(test)]
mod tests;
