//! A folder that is open: its files, and where each of its messages is.

use super::shelves::{HEAD, Part, Shelf};
use crate::error::{Code, End, Error, Kind, Result};
use crate::format::mbox::{
    Dialect, Extent, Index, LineEnds, Marks, MboxFile, Reading, has_state, marks, sidecar_of,
};
use crate::message::{Digest, Flags, Folder, InternalDate, SourceKey};
use crate::source::{Arrival, Listed, foreign_key};
use crate::spool::{Body, Budget};
use rayon::prelude::*;
use std::collections::HashMap;
use std::path::Path;

/// Messages looked at at once.
const TOGETHER: usize = 256;

pub(super) struct OpenFolder {
    pub(super) folder: Folder,
    files: Vec<OpenFile>,
    /// In the order of the files.
    items: Vec<Item>,
    /// Numbers of the items, in the order of their keys.
    by_key: Vec<u32>,
}

/// A file, and what our own sidecar beside it says.
struct OpenFile {
    mbox: MboxFile,
    index: Option<Index>,
    modified: Option<InternalDate>,
}

/// Where a message is.
#[derive(Debug, Clone, Copy)]
struct Item {
    /// A digest that stays when the message's state changes.
    name: Digest,
    /// Among those of the same name.
    ordinal: u32,
    /// Which of the files.
    file: u32,
    at: Extent,
    /// The first bytes of its digest, to see that it is still the same.
    check: u64,
    /// Does the sidecar know it?
    known: bool,
}

impl Item {
    fn key(&self) -> (Digest, u32) {
        (self.name, self.ordinal)
    }
}

impl OpenFolder {
    /// Reads all of a folder for its digests; gives each message, with its header as it stands, to `on`.
    pub(super) fn read(
        root: &Path,
        shelf: &Shelf,
        dialect: Option<Dialect>,
        on: &mut dyn FnMut(Listed, &[u8]) -> Result<()>,
    ) -> Result<Self> {
        let mut open = OpenFolder {
            folder: shelf.folder.clone(),
            files: Vec::new(),
            items: Vec::new(),
            by_key: Vec::new(),
        };
        let mut ordinals = HashMap::new();
        for part in &shelf.parts {
            let reading = Reading::begin(&part.path)?;
            let file = OpenFile::open(root, part, dialect)?;
            for extents in chosen_of(&file.mbox, part.chosen.as_deref()).chunks(TOGETHER) {
                let looked: Result<Vec<_>> =
                    extents.par_iter().map(|at| file.look_at(at)).collect();
                for seen in looked?.into_iter().flatten() {
                    let (listed, head) = open.add(seen, &mut ordinals);
                    on(listed, &head)?;
                }
            }
            reading.end()?;
            open.files.push(file);
        }
        open.by_key = (0..open.items.len())
            .filter_map(|n| u32::try_from(n).ok())
            .collect();
        let items = &open.items;
        open.by_key
            .sort_unstable_by_key(|&n| items[n as usize].key());
        Ok(open)
    }

    fn add(&mut self, seen: Seen, ordinals: &mut HashMap<Digest, u32>) -> (Listed, Vec<u8>) {
        let ordinal = ordinals.entry(seen.name).or_default();
        let item = Item {
            name: seen.name,
            ordinal: *ordinal,
            file: u32::try_from(self.files.len()).unwrap_or(u32::MAX),
            at: seen.at,
            check: check(seen.digest),
            known: seen.known,
        };
        *ordinal += 1;
        self.items.push(item);
        let listed = Listed {
            key: key_of(&item),
            flags: seen.flags,
            date: seen.date,
            size: Some(item.at.length),
        };
        (listed, seen.head)
    }

    /// How many messages there are.
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// A listed message with its bytes; `None` for a key that is not of this folder (any more).
    pub(super) fn arrival(&self, listed: Listed, budget: &Budget) -> Result<Option<Arrival>> {
        let wanted = named(&listed.key)?;
        let found = self
            .by_key
            .binary_search_by_key(&wanted, |&n| self.items[n as usize].key());
        let Ok(found) = found else {
            return Ok(None);
        };
        let item = &self.items[self.by_key[found] as usize];
        Ok(Some(Arrival {
            key: listed.key,
            flags: listed.flags,
            date: listed.date,
            body: self.files[item.file as usize].read(item, budget)?,
        }))
    }

    /// Message number `n` of the folder, from 0, with its bytes; `None` behind the last.
    pub(super) fn nth(&self, n: usize, budget: &Budget) -> Result<Option<Arrival>> {
        let Some(item) = self.items.get(n) else {
            return Ok(None);
        };
        let file = &self.files[item.file as usize];
        let (flags, date) = file.state(item)?;
        Ok(Some(Arrival {
            key: key_of(item),
            flags,
            date,
            body: file.read(item, budget)?,
        }))
    }
}

/// A message as it was looked at for a listing.
struct Seen {
    at: Extent,
    name: Digest,
    digest: Digest,
    known: bool,
    flags: Flags,
    date: Option<InternalDate>,
    head: Vec<u8>,
}

impl OpenFile {
    fn open(root: &Path, part: &Part, dialect: Option<Dialect>) -> Result<Self> {
        let mbox = MboxFile::open(&part.path, dialect)?;
        let index = match sidecar_of(root, &part.path) {
            Some(sidecar) => Index::peek(&part.path, &sidecar)?,
            None => None,
        };
        Ok(OpenFile {
            modified: mbox.modified().and_then(epoch),
            mbox,
            index,
        })
    }

    /// `None` for what is no mail, though it stands among mail.
    fn look_at(&self, at: &Extent) -> Result<Option<Seen>> {
        let head = self.mbox.head(at, HEAD)?;
        let known = self.index.as_ref().and_then(|index| index.at(at.offset));
        if let Some(known) = known {
            let line_ends = known.record.line_ends;
            if self.mbox.digest(at, line_ends)? == known.digest {
                return Ok(Some(Seen {
                    at: *at,
                    name: self.name(at, &head, line_ends, known.digest)?,
                    digest: known.digest,
                    known: true,
                    flags: known.flags.clone(),
                    date: known.date,
                    head,
                }));
            }
        }
        let marks = marks(&head);
        if marks.internal {
            return Ok(None);
        }
        let line_ends = LineEnds::default();
        let digest = self.mbox.digest(at, line_ends)?;
        Ok(Some(Seen {
            at: *at,
            name: self.name(at, &head, line_ends, digest)?,
            digest,
            known: false,
            date: self.date(at, &head)?,
            flags: marks.flags,
            head,
        }))
    }

    fn name(&self, at: &Extent, head: &[u8], ends: LineEnds, digest: Digest) -> Result<Digest> {
        match has_state(head) {
            true => self.mbox.stable_digest(at, head, ends),
            false => Ok(digest),
        }
    }

    fn date(&self, at: &Extent, head: &[u8]) -> Result<Option<InternalDate>> {
        Ok(InternalDate::from_received(head)
            .or(self.mbox.from_line(at)?.date)
            .or_else(|| InternalDate::from_headers(head))
            .or(self.modified))
    }

    fn state(&self, item: &Item) -> Result<(Flags, Option<InternalDate>)> {
        let known = self
            .index
            .as_ref()
            .and_then(|index| index.at(item.at.offset));
        if let Some(known) = known.filter(|_| item.known) {
            return Ok((known.flags.clone(), known.date));
        }
        let head = self.mbox.head(&item.at, HEAD)?;
        let Marks { flags, .. } = marks(&head);
        Ok((flags, self.date(&item.at, &head)?))
    }

    /// The message's bytes; the inner error is this message's alone.
    fn read(&self, item: &Item, budget: &Budget) -> Result<Result<Body>> {
        let known = self
            .index
            .as_ref()
            .and_then(|index| index.at(item.at.offset));
        let known = known.filter(|_| item.known);
        let line_ends = known.map_or(LineEnds::default(), |known| known.record.line_ends);
        match self.mbox.read(&item.at, line_ends, budget) {
            Err(error) if error.kind != Kind::Message => Err(error),
            Ok(body) if check(body.digests().exact) != item.check => {
                Ok(Err(changed(self.mbox.path())))
            }
            body => Ok(body),
        }
    }
}

fn chosen_of(file: &MboxFile, chosen: Option<&[u32]>) -> Vec<Extent> {
    let all = file.messages();
    match chosen {
        None => all.to_vec(),
        Some(chosen) => chosen
            .iter()
            .filter_map(|&at| all.get(at as usize).copied())
            .collect(),
    }
}

fn check(digest: Digest) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = digest.0;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

fn key_of(item: &Item) -> SourceKey {
    SourceKey::Name {
        name: item.name.to_string().into_bytes().into_boxed_slice(),
        ordinal: item.ordinal,
    }
}

fn named(key: &SourceKey) -> Result<(Digest, u32)> {
    match key {
        SourceKey::Name { name, ordinal } => std::str::from_utf8(name)
            .ok()
            .and_then(Digest::parse)
            .map(|digest| (digest, *ordinal))
            .ok_or_else(|| foreign_key(key)),
        SourceKey::Uid(_) => Err(foreign_key(key)),
    }
}

fn epoch(time: std::time::SystemTime) -> Option<InternalDate> {
    let since = time.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(InternalDate {
        epoch: i64::try_from(since.as_secs()).ok()?,
        offset_minutes: 0,
    })
}

fn changed(path: &Path) -> Error {
    let what = format!("{} was changed while it was read", path.display());
    Error::new(Kind::Message, Code::Disk, what)
        .hint("let no other program write to it while mailhaul reads it, then run again")
        .at(End::Source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs;
    use std::io::Write;

    #[test]
    fn a_file_that_is_written_to_is_no_whole_listing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("INBOX");
        let text = "From a@b Tue Jan  5 12:34:56 1999\nA: 1\n\nx\n\n";
        fs::persist(&path, |f| f.write_all(text.as_bytes())).unwrap();
        let part = Part {
            path: path.clone(),
            chosen: None,
        };
        let shelf = Shelf {
            folder: Folder::parse("INBOX").unwrap(),
            parts: vec![part],
            messages: 1,
            link: false,
        };
        let read = |on: &mut dyn FnMut() -> Result<()>| {
            OpenFolder::read(dir.path(), &shelf, None, &mut |_, _| on())
        };
        assert_eq!(read(&mut || Ok(())).unwrap().len(), 1);
        let grown = read(&mut || fs::persist(&path, |f| f.write_all(text.repeat(2).as_bytes())));
        let Err(error) = grown else {
            panic!("half a listing passed for a whole one");
        };
        assert_eq!(error.kind, Kind::Folder);
        assert!(error.what.contains("INBOX was changed"), "{error}");
        assert_eq!(read(&mut || Ok(())).unwrap().len(), 2);
    }
}
