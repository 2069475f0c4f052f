//! Putting right what a kill left, and following what other programs did.

use super::line::{Line, line};
use super::{HEAD, Index, Indexed, VERSION};
use crate::error::Result;
use crate::format::mbox::append::Appender;
use crate::format::mbox::dialect::Dialect;
use crate::format::mbox::file::MboxFile;
use crate::format::mbox::line_ends::LineEnds;
use crate::format::mbox::marks::marks;
use crate::format::mbox::record::Record;
use crate::format::mbox::scan::Extent;
use crate::fs;
use crate::message::{Digest, InternalDate};
use std::collections::{HashMap, HashSet};
use std::time::{SystemTime, UNIX_EPOCH};

impl Index {
    /// Makes the index what the mbox is now.
    pub(super) fn follow(&mut self) -> Result<()> {
        if self.validity > 0 && self.is_current()? {
            return Ok(());
        }
        // Locking makes a file that is not there.
        self.look()?;
        // What another program is about to write is not read by half.
        let mut held = Appender::open(&self.mbox)?;
        if self.validity == 0 {
            return self.afresh();
        }
        let there = self.still_there()?;
        if there == self.messages.len() {
            return self.adopt_new();
        }
        if there >= self.sealed && !self.is_followed_by_others(there)? {
            return self.cut(there, &mut held);
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
    fn cut(&mut self, there: usize, held: &mut Appender) -> Result<()> {
        let Some(first) = self.messages.get(there) else {
            return Ok(());
        };
        let (from, offset) = (first.uid, first.record.offset);
        self.aside.extend(held.set_aside(offset)?);
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
        let next = new.first().map_or(file.size(), |at| at.offset);
        if known > 0 && !file.holds_only_line_ends(known, next)? {
            // A program that takes no lock had written but half of the last message when it was read.
            return self.afresh();
        }
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

    pub(super) fn rewrite(&mut self) -> Result<()> {
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

    pub(super) fn seal(&mut self) -> Result<()> {
        let seal = self.look()?;
        self.sealed = self.messages.len();
        if self.seal != Some(seal) {
            self.sidecar.note(&Line::Sealed(seal))?;
            self.seal = Some(seal);
        }
        Ok(())
    }
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
