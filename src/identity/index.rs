//! What stands in one destination folder, in about 90 bytes a message.

use super::probe::{Judgement, Probe, half, hash, is_id, key, packed_size, prefix};
use super::{HeaderIdentity, Known, Verdict};
use crate::error::Result;
use crate::job::Dedup;
use crate::message::Digests;
use std::collections::{HashMap, HashSet};

/// The end of a chain, and "no folder".
const NONE: u32 = u32::MAX;

/// A message of the destination folder, reduced to hashes.
#[derive(Debug, Clone)]
pub struct Standing {
    /// `None` until the server or a look has told.
    pub uid: Option<u32>,
    /// The journal's row of the message that was delivered as this.
    pub source_row: Option<i64>,
    /// The instant of the Date field, epoch seconds.
    pub date: Option<i64>,
    /// Hash of the Message-ID (odd), or of the Date where there is no id (even).
    pub key: Option<u64>,
    /// Hashes of From and Subject.
    pub from_subject: (u64, u64),
    /// First half of the loose digest.
    pub loose: Option<[u8; 16]>,
    /// Bytes of the canonical form.
    pub size: Option<u64>,
}

impl Standing {
    /// A message whose header is known; `size` in bytes.
    #[must_use]
    pub fn new(
        uid: Option<u32>,
        header: &HeaderIdentity,
        digests: Option<Digests>,
        size: Option<u64>,
        source_row: Option<i64>,
    ) -> Self {
        Standing {
            uid,
            source_row,
            date: header.date,
            key: key(header),
            from_subject: (hash(b'f', &header.from), hash(b's', &header.subject)),
            loose: digests.map(|d| half(&d)),
            size,
        }
    }
}

/// What a source message finds at the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// Nothing: deliver it.
    Free,
    /// This message, which from now on stands for it.
    Same {
        uid: Option<u32>,
        source_row: Option<i64>,
    },
    /// Nothing but another message with its id: deliver it, and tell.
    Contradicted,
}

/// Names a message within an [`Index`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot(u32);

/// Options flattened, so that a million messages fit into memory.
#[derive(Debug)]
pub(super) struct Entry {
    uid: u32,
    pub(super) size: u32,
    row: i64,
    pub(super) date: i64,
    pub(super) from: u64,
    pub(super) subject: u64,
    pub(super) loose: [u8; 16],
    next_by_key: u32,
    next_by_digest: u32,
    /// The source folder that claimed it first; others are in `Index::claims`.
    claimed: u32,
    pub(super) flags: u8,
}

pub(super) const HAS_ID: u8 = 1;
pub(super) const LOOSE: u8 = 4;
const GONE: u8 = 8;

/// Where a chain starts and ends: it keeps the order of insertion, so that the first copy is claimed first.
type Chains = HashMap<u64, (u32, u32)>;

/// The messages of one destination folder, for claims by one or more source folders.
///
/// Matching is one to one within a source folder: a message here stands for at most one message of each source folder.
/// So three copies in one source folder remain three, while the same message in two source folders is delivered once.
#[derive(Debug)]
pub struct Index {
    dedup: Dedup,
    entries: Vec<Entry>,
    by_key: Chains,
    by_digest: Chains,
    claims: HashSet<(u32, u32)>,
}

impl Index {
    #[must_use]
    pub fn new(dedup: Dedup) -> Self {
        Index {
            dedup,
            entries: Vec::new(),
            by_key: HashMap::new(),
            by_digest: HashMap::new(),
            claims: HashSet::new(),
        }
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds what stands at the destination, claimed by nobody yet.
    pub fn insert(&mut self, standing: Standing) -> Slot {
        self.add(standing, NONE)
    }

    /// Adds what was (or is being) delivered from source folder `folder`: it stands for that message already.
    pub fn insert_delivered(&mut self, folder: u32, standing: Standing) -> Slot {
        self.add(standing, folder)
    }

    fn add(&mut self, standing: Standing, claimed: u32) -> Slot {
        let at = self.entries.len() as u32;
        let known = |set: bool, flag: u8| if set { flag } else { 0 };
        let (from, subject) = standing.from_subject;
        self.entries.push(Entry {
            uid: standing.uid.unwrap_or(0),
            size: packed_size(standing.size),
            row: standing.source_row.unwrap_or(i64::MIN),
            date: standing.date.unwrap_or(i64::MIN),
            from,
            subject,
            loose: standing.loose.unwrap_or_default(),
            next_by_key: NONE,
            next_by_digest: NONE,
            claimed,
            flags: known(standing.key.is_some_and(is_id), HAS_ID)
                | known(standing.loose.is_some(), LOOSE),
        });
        if let Some(key) = standing.key {
            let (_, last) = self.by_key.entry(key).or_insert((at, at));
            self.entries[*last as usize].next_by_key = if *last == at { NONE } else { at };
            *last = at;
        }
        if let Some(loose) = standing.loose {
            let (_, last) = self.by_digest.entry(prefix(&loose)).or_insert((at, at));
            self.entries[*last as usize].next_by_digest = if *last == at { NONE } else { at };
            *last = at;
        }
        Slot(at)
    }

    /// The UID of a message that was inserted before the server told it.
    pub fn set_uid(&mut self, slot: Slot, uid: u32) {
        self.entries[slot.0 as usize].uid = uid;
    }

    /// Takes a message out again, because its delivery failed.
    pub fn retract(&mut self, slot: Slot) {
        self.entries[slot.0 as usize].flags |= GONE;
    }

    /// Looks for a message that can stand for `source`, and lets source folder `folder` claim it.
    ///
    /// `exact` fetches the header of the message with that UID (`None`: it is gone). It is called, rarely, where hashes differ but the
    /// source's header holds bytes that the server may have replaced. Its errors are passed on, with nothing claimed.
    pub fn claim(
        &mut self,
        folder: u32,
        source: Known,
        exact: &mut dyn FnMut(u32) -> Result<Option<HeaderIdentity>>,
    ) -> Result<Claim> {
        let probe = Probe::new(self.dedup, source);
        let candidates = self.candidates(folder, &probe);
        let judged: Vec<_> = candidates
            .iter()
            .map(|&at| (at, probe.judge(&self.entries[at as usize])))
            .collect();
        let best = judged
            .iter()
            .filter(|(_, judgement)| *judgement <= Judgement::Uncontradicted)
            .min_by_key(|(at, judgement)| (*judgement, *at));
        if let Some(&(at, _)) = best {
            return Ok(self.take(folder, at));
        }
        let mut contradicted = false;
        for (at, judgement) in judged {
            let uid = self.entries[at as usize].uid;
            let verdict = match judgement {
                Judgement::Doubtful if uid != 0 => match exact(uid)? {
                    Some(header) => probe.exactly(&header, &self.entries[at as usize]),
                    None => Verdict::Different,
                },
                Judgement::Doubtful => probe.when_different(),
                Judgement::Contradicted => Verdict::Contradicted,
                _ => Verdict::Different,
            };
            match verdict {
                Verdict::Same => return Ok(self.take(folder, at)),
                Verdict::Contradicted => contradicted = true,
                Verdict::Different => {}
            }
        }
        Ok(if contradicted {
            Claim::Contradicted
        } else {
            Claim::Free
        })
    }

    /// Those that share digest or key with the source and are free for this folder.
    fn candidates(&self, folder: u32, probe: &Probe) -> Vec<u32> {
        let mut found = Vec::new();
        if let Some(loose) = probe.by_digest() {
            self.walk(&self.by_digest, prefix(&loose), folder, &mut found, |e| {
                e.next_by_digest
            });
        }
        if let Some(key) = probe.key {
            self.walk(&self.by_key, key, folder, &mut found, |e| e.next_by_key);
        }
        found
    }

    fn walk(
        &self,
        chains: &Chains,
        key: u64,
        folder: u32,
        found: &mut Vec<u32>,
        next: fn(&Entry) -> u32,
    ) {
        let mut at = chains.get(&key).map_or(NONE, |&(first, _)| first);
        while let Some(entry) = self.entries.get(at as usize) {
            let claimed = entry.claimed == folder || self.claims.contains(&(at, folder));
            if !claimed && entry.flags & GONE == 0 {
                found.push(at);
            }
            at = next(entry);
        }
    }

    fn take(&mut self, folder: u32, at: u32) -> Claim {
        let entry = &mut self.entries[at as usize];
        if entry.claimed == NONE {
            entry.claimed = folder;
        } else {
            self.claims.insert((at, folder));
        }
        Claim::Same {
            uid: (entry.uid != 0).then_some(entry.uid),
            source_row: (entry.row != i64::MIN).then_some(entry.row),
        }
    }
}
