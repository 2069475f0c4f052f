//! A folder that is open: its files, and where each of its messages is.

use super::shelves::{HEAD, Shelf};
use crate::error::{Code, End, Error, Kind, Result};
use crate::format::mbox::{Dialect, Extent, Index, Indexed, LineEnds, MboxFile, marks, sidecar_of};
use crate::message::{Digest, Flags, Folder, InternalDate, SourceKey};
use crate::source::{Listed, foreign_key};
use crate::spool::{Body, Budget};
use rayon::prelude::*;
use std::collections::HashMap;
use std::path::Path;

/// Messages looked at at once.
const PART: usize = 256;

pub(super) struct OpenFolder {
    pub(super) folder: Folder,
    files: Vec<MboxFile>,
    items: HashMap<(Digest, u32), Item>,
}

/// Where a message is.
#[derive(Debug, Clone, Copy)]
struct Item {
    /// Which of the files.
    file: u32,
    at: Extent,
    line_ends: LineEnds,
    digest: Digest,
}

impl OpenFolder {
    /// Reads all of a folder for its digests; tells each message, its file and its place there.
    pub(super) fn read(
        root: &Path,
        shelf: &Shelf,
        dialect: Option<Dialect>,
        on: &mut dyn FnMut(Listed, &MboxFile, &Extent) -> Result<()>,
    ) -> Result<Self> {
        let mut open = OpenFolder {
            folder: shelf.folder.clone(),
            files: Vec::new(),
            items: HashMap::new(),
        };
        let mut ordinals = HashMap::new();
        for part in &shelf.parts {
            let file = MboxFile::open(&part.path, dialect)?;
            let known = known(root, &file)?;
            let modified = file.modified().and_then(epoch);
            for extents in chosen_of(&file, part.chosen.as_deref()).chunks(PART) {
                let looked: Result<Vec<_>> = extents
                    .par_iter()
                    .map(|at| look_at(&file, at, known.get(&at.offset), modified))
                    .collect();
                for (at, seen) in extents.iter().zip(looked?) {
                    if let Some(seen) = seen {
                        let listed = open.add(at, seen, &mut ordinals);
                        on(listed, &file, at)?;
                    }
                }
            }
            open.files.push(file);
        }
        Ok(open)
    }

    fn add(&mut self, at: &Extent, seen: Seen, ordinals: &mut HashMap<Digest, u32>) -> Listed {
        let ordinal = ordinals.entry(seen.name).or_default();
        let key = (seen.name, *ordinal);
        *ordinal += 1;
        let item = Item {
            file: u32::try_from(self.files.len()).unwrap_or(u32::MAX),
            at: *at,
            line_ends: seen.line_ends,
            digest: seen.digest,
        };
        self.items.insert(key, item);
        Listed {
            key: SourceKey::Name {
                name: key.0.to_string().into_bytes().into_boxed_slice(),
                ordinal: key.1,
            },
            flags: seen.flags,
            date: seen.date,
            size: Some(at.length),
        }
    }

    /// How many messages there are.
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// A message's bytes; `None` for a key that is not of this folder (any more).
    pub(super) fn body(&self, key: &SourceKey, budget: &Budget) -> Result<Option<Result<Body>>> {
        let Some(item) = self.items.get(&named(key)?) else {
            return Ok(None);
        };
        let Some(file) = self.files.get(item.file as usize) else {
            return Ok(None);
        };
        match file.read(&item.at, item.line_ends, budget) {
            Err(error) if error.kind != Kind::Message => Err(error),
            Ok(body) if body.digests().exact != item.digest => Ok(Some(Err(changed(file.path())))),
            body => Ok(Some(body)),
        }
    }
}

/// What our own sidecar beside the file says, by offset.
fn known(root: &Path, file: &MboxFile) -> Result<HashMap<u64, Indexed>> {
    let Some(sidecar) = sidecar_of(root, file.path()) else {
        return Ok(HashMap::new());
    };
    let index = Index::peek(file.path(), &sidecar)?;
    let known = index.iter().flat_map(Index::messages);
    Ok(known.map(|m| (m.record.offset, m.clone())).collect())
}

/// A message as it was looked at for a listing.
struct Seen {
    /// What it is called: a digest that stays when its state changes.
    name: Digest,
    digest: Digest,
    line_ends: LineEnds,
    flags: Flags,
    date: Option<InternalDate>,
}

/// `None` for what is no mail, though it stands among mail.
fn look_at(
    file: &MboxFile,
    at: &Extent,
    known: Option<&Indexed>,
    modified: Option<InternalDate>,
) -> Result<Option<Seen>> {
    let head = file.head(at, HEAD)?;
    let seen = |line_ends, digest, flags, date| {
        Ok(Some(Seen {
            name: file.stable_digest(at, &head, line_ends)?,
            digest,
            line_ends,
            flags,
            date,
        }))
    };
    if let Some(known) = known {
        let line_ends = known.record.line_ends;
        if file.digest(at, line_ends)? == known.digest {
            return seen(line_ends, known.digest, known.flags.clone(), known.date);
        }
    }
    let marks = marks(&head);
    if marks.internal {
        return Ok(None);
    }
    let date = InternalDate::from_received(&head)
        .or(file.from_line(at)?.date)
        .or_else(|| InternalDate::from_headers(&head))
        .or(modified);
    let line_ends = LineEnds::default();
    seen(line_ends, file.digest(at, line_ends)?, marks.flags, date)
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
