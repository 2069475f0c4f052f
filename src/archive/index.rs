//! Where in a folder's sidecar its messages are: found by UID, by file, and by what they were at their source.

use super::sidecar::{Line, Numbered};
use crate::message::Digest;
use std::collections::{HashMap, HashSet};

/// A message's line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) uid: u32,
    pub(super) offset: u64,
}

/// About 80 bytes a message, of the folders that are open.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Of messages that are not gone, by UID.
    spots: Vec<Spot>,
    /// UIDs by the base of the file's name.
    files: HashMap<u64, u32>,
    /// By source and digest, gone ones too.
    marks: HashMap<Mark, Spot>,
    /// UIDs of messages whose flags have changed, with the offset of the last line that says so.
    changed: HashMap<u32, u64>,
}

type Mark = [u8; 16];

impl Index {
    /// Takes in one line after the other.
    pub(super) fn take(&mut self, found: &Numbered) {
        match &found.line {
            Line::Folder { .. }
            | Line::Growing { .. }
            | Line::Coming { .. }
            | Line::Torn { .. }
            | Line::Removed {} => {}
            Line::Message(entry) => {
                let spot = Spot {
                    uid: found.number,
                    offset: found.offset,
                };
                self.spots.push(spot);
                self.files.insert(file_mark(entry.base()), found.number);
                if let Some(digest) = entry.exact() {
                    self.marks.insert(source_mark(&entry.source, digest), spot);
                }
            }
            Line::Flags { file, .. } => {
                if let Some(&uid) = self.files.get(&file_mark(file)) {
                    self.changed.insert(uid, found.offset);
                }
            }
            Line::Gone { file, .. } => {
                self.files.remove(&file_mark(file));
            }
        }
    }

    /// Forgets messages that are gone, once all lines are taken in; with `there`, also those of which no file is there.
    pub(super) fn settle(&mut self, there: Option<&HashSet<u64>>) {
        if let Some(there) = there {
            self.files.retain(|file, _| there.contains(file));
        }
        let left: HashSet<u32> = self.files.values().copied().collect();
        self.spots.retain(|spot| left.contains(&spot.uid));
        self.changed.retain(|uid, _| left.contains(uid));
    }

    /// Messages of these UIDs, in their order.
    pub(super) fn within(&self, (first, last): (u32, u32)) -> &[Spot] {
        let start = self.spots.partition_point(|spot| spot.uid < first);
        let end = self.spots.partition_point(|spot| spot.uid <= last);
        self.spots.get(start..end).unwrap_or_default()
    }

    pub(super) fn len(&self) -> usize {
        self.spots.len()
    }

    /// Is a message of this folder kept in this file?
    pub(super) fn has_file(&self, base: &[u8]) -> bool {
        self.files.contains_key(&file_mark(base))
    }

    /// The offset of the message's last change of flags.
    pub(super) fn last_flags(&self, uid: u32) -> Option<u64> {
        self.changed.get(&uid).copied()
    }

    /// The last message with this source and digest, as far as 128 bits tell, unless it is gone.
    pub(super) fn of_source(&self, source: &str, digest: Digest) -> Option<Spot> {
        let spot = self.marks.get(&source_mark(source, digest)).copied()?;
        self.within((spot.uid, spot.uid)).first().copied()
    }
}

fn source_mark(source: &str, digest: Digest) -> Mark {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&digest.0);
    hasher.update(source.as_bytes());
    let mut mark = Mark::default();
    hasher.finalize_xof().fill(&mut mark);
    mark
}

/// Stands for the base of a file's name.
pub(super) fn file_mark(base: impl AsRef<[u8]>) -> u64 {
    let mut mark = [0; 8];
    let hash = blake3::hash(base.as_ref());
    mark.copy_from_slice(&hash.as_bytes()[..8]);
    u64::from_le_bytes(mark)
}
