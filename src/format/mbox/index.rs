//! What we know of an mbox that we write: a sidecar beside it with UIDs, flags, dates, and the line ends that the file cannot tell.
//!
//! The order of a batch: its lines durable in the sidecar, its messages durable in the mbox, then a line that seals both. So whatever a kill leaves
//! is told by looking: a message is there if the bytes at its place have its digest. What is not whole is set aside. A file that another
//! program has added to keeps its UIDs, and the new mail gets the next ones; one that was rewritten is indexed afresh, under another
//! UIDVALIDITY, and messages that are still in it keep what was known of them.

use super::append::{Appender, Post, set_aside};
use super::dialect::Dialect;
use super::file::MboxFile;
use super::line_ends::LineEnds;
use super::marks::marks;
use super::record::Record;
use super::scan::Extent;
use crate::error::{Error, Result};
use crate::format::sidecar::Sidecar;
use crate::fs;
use crate::message::{Digest, Flags, InternalDate};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

const VERSION: u32 = 1;
/// The directory of the sidecars, beside the mail. Its dot hides it from programs that look for mail.
const HIDDEN: &str = ".mailhaul";
/// Headers are looked at this far.
const HEAD: usize = 1 << 20;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    Folder {
        version: u32,
        /// As shown to people.
        name: String,
        uid_validity: u32,
        /// No UID below was ever another message's.
        next: u32,
    },
    Message(Entry),
    Flags {
        uid: u32,
        flags: String,
    },
    /// Messages from this UID on never became whole.
    Void {
        from: u32,
    },
    Sealed(Seal),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    uid: u32,
    #[serde(flatten)]
    record: Record,
    digest: String,
    /// INTERNALDATE, unix seconds, and its zone in minutes east.
    date: Option<(i64, i16)>,
    flags: String,
}

/// The mbox as it was when all of it was known: length in bytes, nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Seal {
    length: u64,
    modified: i64,
}

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
        index.sidecar.read(|line| lines.push(line))?;
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
            index.sidecar.recover(|line| lines.push(line))?;
            lines.into_iter().for_each(|line| index.take(line));
        }
        index.follow()?;
        Ok(index)
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
        Ok(self.seal == Some(self.look()?))
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

    /// Makes the index what the mbox is now.
    fn follow(&mut self) -> Result<()> {
        if self.validity == 0 {
            return self.afresh();
        }
        if self.is_current()? {
            return Ok(());
        }
        let there = self.still_there()?;
        if there == self.messages.len() {
            return self.adopt_new();
        }
        if there >= self.sealed && !self.is_followed_by_others(there)? {
            return self.cut(there);
        }
        self.afresh()
    }

    /// How many of the messages, from the first on, are where they were.
    fn still_there(&self) -> Result<usize> {
        let file = fs::open(&self.mbox)?;
        for (at, message) in self.messages.iter().enumerate() {
            if message.record.digest(&file, &self.mbox)? != Some(message.digest) {
                return Ok(at);
            }
        }
        Ok(self.messages.len())
    }

    /// Is there mail behind the batch that was being written which is none of it?
    fn is_followed_by_others(&self, there: usize) -> Result<bool> {
        let begun: HashSet<u64> = self.messages[there..]
            .iter()
            .map(|message| message.record.offset)
            .collect();
        let Some(first) = begun.iter().min() else {
            return Ok(false);
        };
        let file = MboxFile::open(&self.mbox, Some(Dialect::Mboxrd))?;
        let mut behind = file.messages().iter().filter(|at| at.offset >= *first);
        Ok(behind.any(|at| !begun.contains(&at.offset)))
    }

    /// Sets aside what stands behind the first `there` messages: it never became whole.
    fn cut(&mut self, there: usize) -> Result<()> {
        let Some(first) = self.messages.get(there) else {
            return Ok(());
        };
        let (from, offset) = (first.uid, first.record.offset);
        self.aside.extend(set_aside(&self.mbox, offset)?);
        self.sidecar.append(&[Line::Void { from }])?;
        self.messages.truncate(there);
        self.seal()
    }

    /// Other programs have added mail, or nothing has changed but the time.
    fn adopt_new(&mut self) -> Result<()> {
        let known = self.messages.last().map_or(0, |m| m.record.end());
        let file = MboxFile::open(&self.mbox, Some(Dialect::Mboxrd))?;
        let new: Vec<Extent> = file
            .messages()
            .iter()
            .filter(|at| at.offset >= known)
            .copied()
            .collect();
        let mut lines = Vec::with_capacity(new.len());
        for at in &new {
            let message = self.found(&file, at, LineEnds::default())?;
            lines.push(line(&message));
            self.messages.push(message);
        }
        if !lines.is_empty() {
            self.sidecar.append(&lines)?;
        }
        self.seal()
    }

    /// A message that others wrote, under the next UID.
    fn found(&mut self, file: &MboxFile, at: &Extent, line_ends: LineEnds) -> Result<Indexed> {
        let head = file.head(at, HEAD)?;
        let uid = self.next;
        self.next = self.next.saturating_add(1);
        let date = InternalDate::from_received(&head)
            .or(file.from_line(at)?.date)
            .or_else(|| InternalDate::from_headers(&head));
        Ok(Indexed {
            uid,
            record: Record {
                offset: at.offset,
                length: at.length,
                line_ends,
                blank: at.blank,
            },
            digest: file.digest(at, line_ends)?,
            date,
            flags: marks(&head).flags,
        })
    }

    /// Indexes the whole file under a UIDVALIDITY that it never had. What is known of a message stays with it.
    fn afresh(&mut self) -> Result<()> {
        let mut known: HashMap<Digest, Vec<Indexed>> = HashMap::new();
        for message in self.messages.drain(..).rev() {
            known.entry(message.digest).or_default().push(message);
        }
        self.validity = new_validity(self.validity);
        let file = MboxFile::open(&self.mbox, Some(Dialect::Mboxrd))?;
        for at in file.messages() {
            let mut message = self.found(&file, at, LineEnds::default())?;
            let cut = LineEnds { final_added: true };
            let mut old = known.get_mut(&message.digest).and_then(Vec::pop);
            if old.is_none() && at.blank == 1 && !known.is_empty() {
                let digest = file.digest(at, cut)?;
                old = known.get_mut(&digest).and_then(Vec::pop);
            }
            if let Some(old) = old {
                message.digest = old.digest;
                message.record.line_ends = old.record.line_ends;
                message.date = old.date;
                message.flags = old.flags;
            }
            self.messages.push(message);
        }
        self.rewrite()
    }

    fn rewrite(&mut self) -> Result<()> {
        let seal = self.look()?;
        let mut lines = vec![Line::Folder {
            version: VERSION,
            name: self.name.clone(),
            uid_validity: self.validity,
            next: self.next,
        }];
        lines.extend(self.messages.iter().map(line));
        lines.push(Line::Sealed(seal));
        self.sidecar.replace(&lines)?;
        self.seal = Some(seal);
        self.sealed = self.messages.len();
        Ok(())
    }

    fn seal(&mut self) -> Result<()> {
        let seal = self.look()?;
        self.sealed = self.messages.len();
        if self.seal != Some(seal) {
            self.sidecar.note(&Line::Sealed(seal))?;
            self.seal = Some(seal);
        }
        Ok(())
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
        self.sidecar.append(&lines)
    }

    /// Takes messages out of the mbox: the others are written to a new file, which replaces the old one whole. All keep their UIDs.
    ///
    /// # Errors
    /// `Code::Disk`, `Code::Locked`.
    pub fn remove(&mut self, uids: &[u32]) -> Result<()> {
        let held = self.locked()?;
        let mut kept = Vec::with_capacity(self.messages.len());
        let mut offset = 0;
        let mut spans = Vec::new();
        for message in self.messages.iter().filter(|m| !uids.contains(&m.uid)) {
            let mut message = message.clone();
            spans.push((message.record.offset, message.record.length));
            message.record.offset = offset;
            offset += message.record.length;
            kept.push(message);
        }
        held.rewrite(&spans)?;
        self.messages = kept;
        self.rewrite()
    }
}

fn line(message: &Indexed) -> Line {
    Line::Message(Entry {
        uid: message.uid,
        record: message.record,
        digest: message.digest.to_string(),
        date: message.date.map(|d| (d.epoch, d.offset_minutes)),
        flags: message.flags.to_text(),
    })
}

fn indexed(entry: Entry) -> Option<Indexed> {
    Some(Indexed {
        uid: entry.uid,
        record: entry.record,
        digest: Digest::parse(&entry.digest)?,
        date: entry.date.map(|(epoch, offset_minutes)| InternalDate {
            epoch,
            offset_minutes,
        }),
        flags: Flags::from_text(&entry.flags),
    })
}

/// Where the sidecar of an mbox below `root` is; `None` for one that is not below it.
#[must_use]
pub fn sidecar_of(root: &Path, mbox: &Path) -> Option<PathBuf> {
    let below = mbox.strip_prefix(root).ok()?;
    let mut name = below.file_name()?.to_owned();
    name.push(".jsonl");
    Some(root.join(HIDDEN).join(below).with_file_name(name))
}

/// Never one that this file, or one of the same name before it, has had.
fn new_validity(old: u32) -> u32 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(1, |since| since.as_secs());
    u32::try_from(now)
        .unwrap_or(u32::MAX)
        .max(old.saturating_add(1))
}

#[cfg(test)]
mod tests;
