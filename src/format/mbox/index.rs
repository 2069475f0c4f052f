//! What we know of an mbox that we write: a sidecar beside it with UIDs, flags, dates, and the line ends that the file cannot tell.
//!
//! The order of a batch: its lines durable in the sidecar, its messages durable in the mbox, then a line that seals both. So whatever a kill leaves
//! is told by looking: a message is there if the bytes at its place have its digest. What is not whole is set aside. A file that another
//! program has added to keeps its UIDs, and the new mail gets the next ones; one that was rewritten is indexed afresh, under another
//! UIDVALIDITY, and messages that are still in it keep what was known of them.

mod follow;
mod line;

use super::append::{Appender, Post};
use super::record::Record;
use crate::error::{Error, Result};
use crate::format::maildir::DotLock;
use crate::format::sidecar::Sidecar;
use crate::fs;
use crate::message::{Digest, Flags, InternalDate};
use line::{Line, Seal, indexed, line};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

const VERSION: u32 = 1;
/// The directory of the sidecars, beside the mail. Its dot hides it from programs that look for mail.
const HIDDEN: &str = ".mailhaul";
/// Headers are looked at this far.
const HEAD: usize = 1 << 20;

/// A message of the mbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Indexed {
    pub uid: u32,
    pub record: Record,
    pub digest: Digest,
    pub date: Option<InternalDate>,
    pub flags: Flags,
}

/// All that is known of one mbox.
#[derive(Debug)]
pub struct Index {
    mbox: PathBuf,
    sidecar: Sidecar<Line>,
    name: String,
    validity: u32,
    next: u32,
    messages: Vec<Indexed>,
    /// The last seal, and how many messages it covers.
    seal: Option<Seal>,
    sealed: usize,
    aside: Vec<PathBuf>,
}

/// A message to be delivered.
#[derive(Clone, Copy)]
pub struct Mailing<'a> {
    pub post: Post<'a>,
    pub flags: &'a Flags,
}

impl Index {
    /// What the sidecar says, unchecked and without changing anything; `None` where there is none or it is of no use.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn peek(mbox: &Path, sidecar: &Path) -> Result<Option<Self>> {
        let mut index = Index::empty(mbox, sidecar, String::new());
        if !index.sidecar.exists() {
            return Ok(None);
        }
        let mut lines = Vec::new();
        index.sidecar.read(|found| lines.push(found.line))?;
        lines.into_iter().for_each(|line| index.take(line));
        Ok((index.validity > 0).then_some(index))
    }

    /// Opens the index of an mbox that is there, puts right what a kill left, and follows what other programs did. `name` is the folder's, as it
    /// is shown to people.
    ///
    /// # Errors
    /// `Code::Disk`; `Code::Locked` where another program keeps the mbox for minutes.
    pub fn open(mbox: &Path, sidecar: &Path, name: &str) -> Result<Self> {
        if let Some(dir) = sidecar.parent() {
            fs::private_dir(dir)?;
        }
        let mut index = Index::empty(mbox, sidecar, name.to_owned());
        if index.sidecar.exists() {
            let mut lines = Vec::new();
            index.sidecar.recover(|found| lines.push(found.line))?;
            lines.into_iter().for_each(|line| index.take(line));
        }
        index.break_lock()?;
        index.follow()?;
        Ok(index)
    }

    /// A lock file that a killed run left would keep other programs waiting; one of theirs is waited for.
    fn break_lock(&self) -> Result<()> {
        let mut lock = self.mbox.as_os_str().to_owned();
        lock.push(".lock");
        if std::fs::symlink_metadata(&lock).is_ok() {
            drop(DotLock::acquire(&self.mbox)?);
        }
        Ok(())
    }

    fn empty(mbox: &Path, sidecar: &Path, name: String) -> Self {
        Index {
            mbox: mbox.to_owned(),
            sidecar: Sidecar::new(sidecar.to_owned()),
            name,
            validity: 0,
            next: 1,
            messages: Vec::new(),
            seal: None,
            sealed: 0,
            aside: Vec::new(),
        }
    }

    fn take(&mut self, line: Line) {
        match line {
            Line::Folder {
                name,
                uid_validity,
                next,
                ..
            } => {
                (self.validity, self.next) = (uid_validity, next);
                if self.name.is_empty() {
                    self.name = name;
                }
            }
            Line::Message(entry) => {
                self.next = self.next.max(entry.uid.saturating_add(1));
                self.messages.extend(indexed(entry));
            }
            Line::Flags { uid, flags } => {
                if let Some(message) = self.by_uid_mut(uid) {
                    message.flags = Flags::from_text(&flags);
                }
            }
            Line::Void { from } => self.messages.retain(|message| message.uid < from),
            Line::Sealed(seal) => {
                self.seal = Some(seal);
                self.sealed = self.messages.len();
            }
        }
    }

    /// The folder's, as it is shown to people.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    #[must_use]
    pub fn validity(&self) -> u32 {
        self.validity
    }

    /// The UID of the next message.
    #[must_use]
    pub fn next(&self) -> u32 {
        self.next
    }

    /// In the order of the file and of the UIDs.
    #[must_use]
    pub fn messages(&self) -> &[Indexed] {
        &self.messages
    }

    /// The message whose separator is at this byte.
    #[must_use]
    pub fn at(&self, offset: u64) -> Option<&Indexed> {
        let by_offset = |message: &Indexed| message.record.offset;
        let at = self
            .messages
            .binary_search_by_key(&offset, by_offset)
            .ok()?;
        self.messages.get(at)
    }

    /// Those with these UIDs.
    #[must_use]
    pub fn range(&self, first: u32, last: u32) -> &[Indexed] {
        let from = self.messages.partition_point(|m| m.uid < first);
        let to = self.messages.partition_point(|m| m.uid <= last);
        &self.messages[from..to.max(from)]
    }

    /// Ends of the mbox that killed runs left, and the files that they are in now.
    #[must_use]
    pub fn set_aside(&self) -> &[PathBuf] {
        &self.aside
    }

    /// Is the mbox as it was when all of it was known?
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn is_current(&self) -> Result<bool> {
        // A line behind the seal is of a message that may not be there, even if the mbox has not changed.
        Ok(self.sealed == self.messages.len() && self.seal == Some(self.look()?))
    }

    fn look(&self) -> Result<Seal> {
        let meta = std::fs::symlink_metadata(&self.mbox);
        let meta = meta.map_err(|e| Error::disk("look at", &self.mbox, &e))?;
        let nanoseconds = meta.mtime().saturating_mul(1_000_000_000);
        Ok(Seal {
            length: meta.len(),
            modified: nanoseconds.saturating_add(meta.mtime_nsec()),
        })
    }

    fn by_uid_mut(&mut self, uid: u32) -> Option<&mut Indexed> {
        let at = self.messages.binary_search_by_key(&uid, |m| m.uid).ok()?;
        self.messages.get_mut(at)
    }

    /// Appends messages, durable when it returns; tells the UID of the first, the others have the next ones.
    ///
    /// # Errors
    /// `Code::Disk`, `Code::Locked`. Which of the messages are there, [`Index::open`] finds out.
    pub fn deliver(&mut self, mailings: &[Mailing<'_>]) -> Result<u32> {
        let mut appender = self.locked()?;
        let posts: Vec<Post<'_>> = mailings.iter().map(|mailing| mailing.post).collect();
        let records = appender.plan(&posts)?;
        let first = self.next;
        let new: Vec<Indexed> = mailings
            .iter()
            .zip(records)
            .zip(self.next..)
            .map(|((mailing, record), uid)| Indexed {
                uid,
                record,
                digest: mailing.post.body.digests().exact,
                date: mailing.post.date,
                flags: mailing.flags.clone(),
            })
            .collect();
        self.sidecar
            .append(&new.iter().map(line).collect::<Vec<_>>())?;
        appender.append(&posts)?;
        self.next = self
            .next
            .saturating_add(u32::try_from(new.len()).unwrap_or(u32::MAX));
        self.messages.extend(new);
        self.seal()?;
        Ok(first)
    }

    /// The mbox locked, and nothing in it that is not known.
    fn locked(&mut self) -> Result<Appender> {
        loop {
            let appender = Appender::open(&self.mbox)?;
            let now = Seal {
                length: appender.length(),
                modified: appender.modified()?,
            };
            if self.seal == Some(now) {
                return Ok(appender);
            }
            // Looking afresh may lock too; whoever comes between is seen in the next round.
            drop(appender);
            let mut fresh = Index::open(&self.mbox, self.sidecar.path(), &self.name)?;
            fresh.aside.append(&mut self.aside);
            *self = fresh;
        }
    }

    /// Gives messages other flags, durably; those that are gone are passed over.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn set_flags(&mut self, changes: &[(u32, Flags)]) -> Result<()> {
        let mut lines = Vec::with_capacity(changes.len());
        for (uid, flags) in changes {
            if let Some(message) = self.by_uid_mut(*uid) {
                message.flags = flags.clone();
                lines.push(Line::Flags {
                    uid: *uid,
                    flags: flags.to_text(),
                });
            }
        }
        if lines.is_empty() {
            return Ok(());
        }
        self.sidecar.append(&lines).map(drop)
    }

    /// Takes messages out of the mbox: all else, also what no message is, is written to a new file, which replaces the old one whole.
    /// The others keep their UIDs. `false`: the mbox had to be indexed afresh, and nothing was taken out.
    ///
    /// # Errors
    /// `Code::Disk`, `Code::Locked`.
    pub fn remove(&mut self, uids: &[u32]) -> Result<bool> {
        let validity = self.validity();
        let held = self.locked()?;
        // Indexed afresh under the lock: these UIDs are other messages' now, and none of them is to be touched.
        if self.validity() != validity {
            return Ok(false);
        }
        let mut kept = Vec::with_capacity(self.messages.len());
        let (mut pieces, mut from, mut cut) = (Vec::new(), 0, 0);
        let mut after_empty_line = true;
        for message in &self.messages {
            let Record { offset, length, .. } = message.record;
            if !uids.contains(&message.uid) {
                let mut message = message.clone();
                message.record.offset = offset.saturating_sub(cut);
                kept.push(message);
                continue;
            }
            if offset > from {
                pieces.push((from, offset - from));
                after_empty_line = held.is_after_empty_line(offset)?;
            }
            // What stays before it may need its empty line, so that the next From_ line starts a message.
            let blank = u64::from(message.record.blank);
            let gone = length.saturating_sub(if after_empty_line { 0 } else { blank });
            from = offset.saturating_add(gone);
            cut += gone;
        }
        pieces.push((from, held.length().saturating_sub(from)));
        held.rewrite(&pieces)?;
        self.messages = kept;
        self.rewrite()?;
        Ok(true)
    }
}

/// Where the sidecar of an mbox below `root` is; `None` for one that is not below it.
#[must_use]
pub fn sidecar_of(root: &Path, mbox: &Path) -> Option<PathBuf> {
    let below = mbox.strip_prefix(root).ok()?;
    let mut name = below.file_name()?.to_owned();
    name.push(".jsonl");
    Some(root.join(HIDDEN).join(below).with_file_name(name))
}

#[cfg(test)]
mod tests;
