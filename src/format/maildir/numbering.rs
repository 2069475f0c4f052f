//! Numbering new files: `dovecot-uidlist` read, added to and written, under its dot lock.
//!
//! A short list is replaced whole. A long one is appended to, as Dovecot does, so that the cost of a batch does not grow with the folder; what a
//! kill leaves of a line counts for nothing, and makes that the list is written anew.

use super::dotlock::Seen;
use super::promise;
use super::uidlist::{self, UidList};
use crate::error::Result;
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// So many lines are written in the time of an fsync.
const LONG: usize = 1_000;

/// A list as it is on disk, kept from one batch to the next.
#[derive(Debug)]
pub(super) struct Numbering {
    pub(super) uidlist: UidList,
    /// The unique-ids that POP3 shows.
    shown: HashSet<Vec<u8>>,
    seen: Option<Seen>,
    /// Unique-ids of files that a killed run published.
    promised: HashMap<Vec<u8>, Vec<u8>>,
    /// Lines on disk; `None`: the file has to be written anew.
    written: Option<usize>,
}

impl Numbering {
    /// `before`: the list as it was kept, good as long as nobody else has written the file. `validity` is for a list that is not there yet.
    pub(super) fn open(dir: &Path, before: Option<Self>, validity: u32) -> Result<Self> {
        let seen = Seen::of(&uidlist::path(dir));
        if let Some(before) = before.filter(|before| seen.is_some() && before.seen == seen) {
            return Ok(before);
        }
        let (uidlist, whole) =
            UidList::load_told(dir)?.unwrap_or_else(|| (UidList::new(validity), false));
        let mut numbering = Numbering {
            shown: uidlist.uidls(),
            written: whole.then(|| uidlist.len()),
            promised: promise::read(dir)?,
            uidlist,
            seen,
        };
        numbering.keep_promises();
        Ok(numbering)
    }

    /// To files that Dovecot has numbered meanwhile.
    fn keep_promises(&mut self) {
        for (base, uidl) in &self.promised {
            if !self.shown.contains(uidl) && self.uidlist.set_uidl(base, uidl) {
                self.shown.insert(uidl.clone());
                self.written = None;
            }
        }
    }

    /// Has the file to be written though nothing is added?
    pub(super) fn is_changed(&self) -> bool {
        self.written.is_none()
    }

    /// The UID of one more file; `None`: none is left. Two messages under one unique-id would be one to a POP3 client: the second
    /// gets none.
    pub(super) fn add(&mut self, file: &[u8], uidl: Option<&[u8]>) -> Option<u32> {
        let promised = self.promised.get(uidlist::dovecots_base(file));
        let uidl = uidl.or(promised.map(Vec::as_slice));
        let uidl = uidl.filter(|&uidl| self.shown.insert(uidl.to_vec()));
        self.uidlist.add(file, uidl)
    }

    pub(super) fn save(&mut self, dir: &Path) -> Result<()> {
        match self.written.filter(|&written| written >= LONG) {
            Some(written) => self.uidlist.append(dir, written)?,
            None => self.uidlist.save(dir)?,
        }
        self.written = Some(self.uidlist.len());
        self.seen = Seen::of(&uidlist::path(dir));
        self.promised.clear();
        promise::keep(dir)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(dir: &Path, before: Option<Numbering>, file: &str) -> (Numbering, u32) {
        let mut numbering = Numbering::open(dir, before, 7).unwrap();
        let uid = numbering.add(file.as_bytes(), Some(b"same")).unwrap();
        numbering.save(dir).unwrap();
        (numbering, uid)
    }

    #[test]
    fn long_lists_grow_and_torn_ones_are_written_anew() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path();
        let mut list = UidList::new(7);
        for n in 0..LONG {
            list.add(format!("{n}.a").as_bytes(), None);
        }
        list.save(dir).unwrap();
        let inode = || Seen::of(&uidlist::path(dir)).unwrap().inode;
        let before = inode();
        let (kept, uid) = added(dir, None, "x.a");
        let (kept, next) = added(dir, Some(kept), "y.a");
        assert_eq!((uid as usize, next as usize), (LONG + 1, LONG + 2));
        assert_eq!(inode(), before);
        // Somebody else was there and was killed: what was kept is of no use, nor is the end of the file.
        let path = uidlist::path(dir);
        let text = std::fs::read_to_string(&path).unwrap() + "1003 :z.a\n1004 :to";
        crate::fs::persist(&path, |f| std::io::Write::write_all(f, text.as_bytes())).unwrap();
        let torn = inode();
        let (_, uid) = added(dir, Some(kept), "v.a");
        assert_eq!(uid as usize, LONG + 5);
        assert_ne!(inode(), torn);
        let list = UidList::load(dir).unwrap().unwrap();
        assert_eq!((list.len(), list.uidls().len()), (LONG + 5, 1));
    }
}
