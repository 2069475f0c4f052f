//! What stands in one destination folder, in 72 bytes a message and a place in a hash table (20 to 40 bytes with its spare room).

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
    /// Hash of the Message-ID (odd), else of the Date, else of the size (even).
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
            key: key(header, size),
            from_subject: (hash(b'f', &header.from), hash(b's', &header.subject)),
            loose: digests.map(|d| half(&d)),
            size,
        }
    }
}

/// Looks at a message of the destination that the index cannot judge. `None`: it is gone.
pub trait Look {
    /// The header of the message with that UID. Asked, rarely, where hashes differ but the source's header holds bytes that the
    /// server may have replaced.
    ///
    /// # Errors
    /// Those of the destination.
    fn header(&mut self, uid: u32) -> Result<Option<HeaderIdentity>>;

    /// The digests of the message with that UID. Asked, once each, of mail as long as a source message, where neither has an id
    /// nor a header that tells it from others.
    ///
    /// # Errors
    /// Those of the destination.
    fn digests(&mut self, uid: u32) -> Result<Option<Digests>>;
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
/// Copies that a folder may have claimed before a walk remembers how far they go: few keys have as many.
const LONG: usize = 16;

/// By what messages hang together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Chain {
    Key,
    Digest,
}

impl Entry {
    fn next(&self, chain: Chain) -> u32 {
        match chain {
            Chain::Key => self.next_by_key,
            Chain::Digest => self.next_by_digest,
        }
    }
}

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
    /// Chains that start with many copies claimed by a folder: where to go on.
    passed: HashMap<(Chain, u64, u32), u32>,
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
            passed: HashMap::new(),
        }
    }

    /// Adds what stands at the destination. `claimants`: the source folders of which it stands for a message already; none if it
    /// is the destination's own.
    pub fn insert(&mut self, standing: Standing, claimants: impl IntoIterator<Item = u32>) {
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
            claimed: NONE,
            flags: known(standing.key.is_some_and(is_id), HAS_ID)
                | known(standing.loose.is_some(), LOOSE),
        });
        let (by_key, by_digest) = self.findable(&standing);
        if let Some(key) = by_key {
            let (_, last) = self.by_key.entry(key).or_insert((at, at));
            self.entries[*last as usize].next_by_key = if *last == at { NONE } else { at };
            *last = at;
        }
        if let Some(loose) = by_digest {
            let (_, last) = self.by_digest.entry(prefix(&loose)).or_insert((at, at));
            self.entries[*last as usize].next_by_digest = if *last == at { NONE } else { at };
            *last = at;
        }
        for folder in claimants {
            if !self.is_claimed(at, folder) {
                self.take(folder, at);
            }
        }
    }

    /// By what a source may find it: what has an id is not asked for by digest, unless content alone counts.
    fn findable(&self, standing: &Standing) -> (Option<u64>, Option<[u8; 16]>) {
        let has_id = standing.key.is_some_and(is_id);
        match self.dedup {
            Dedup::MessageId => (standing.key, standing.loose.filter(|_| !has_id)),
            Dedup::StrictMessageId => (standing.key, None),
            Dedup::Content => (None, standing.loose),
            Dedup::Off => (None, None),
        }
    }

    /// Looks for a message that can stand for `source`, and lets source folder `folder` claim it.
    ///
    /// # Errors
    /// Those of `look`, with nothing claimed.
    pub fn claim(&mut self, folder: u32, source: Known, look: &mut dyn Look) -> Result<Claim> {
        let probe = Probe::new(self.dedup, source);
        let judged = self.candidates(folder, &probe);
        let best = judged
            .iter()
            .filter(|(_, judgement)| *judgement <= Judgement::Uncontradicted)
            .min_by_key(|(at, judgement)| (*judgement, *at));
        if let Some(&(at, _)) = best {
            return Ok(self.take(folder, at));
        }
        let mut contradicted = false;
        for (at, judgement) in judged {
            let verdict = match judgement {
                Judgement::Doubtful => self.look_at_header(at, &probe, look)?,
                Judgement::Unread => self.look_at_content(at, &probe, look)?,
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

    fn look_at_header(&self, at: u32, probe: &Probe, look: &mut dyn Look) -> Result<Verdict> {
        let entry = &self.entries[at as usize];
        if entry.uid == 0 {
            return Ok(probe.when_different());
        }
        Ok(match look.header(entry.uid)? {
            Some(header) => probe.exactly(&header, entry),
            None => Verdict::Different,
        })
    }

    /// What was read is remembered, so that each message is read once.
    fn look_at_content(&mut self, at: u32, probe: &Probe, look: &mut dyn Look) -> Result<Verdict> {
        let entry = &mut self.entries[at as usize];
        let digests = match entry.uid {
            0 => None,
            uid => look.digests(uid)?,
        };
        let Some(digests) = digests else {
            return Ok(Verdict::Different);
        };
        entry.loose = half(&digests);
        entry.flags |= LOOSE;
        Ok(probe.by_content(entry.loose))
    }

    /// Those that share digest or key with the source and are free for this folder.
    fn candidates(&mut self, folder: u32, probe: &Probe) -> Vec<(u32, Judgement)> {
        let mut found = Vec::new();
        if let Some(loose) = probe.by_digest() {
            self.walk(Chain::Digest, prefix(&loose), folder, probe, &mut found);
        }
        if let Some(key) = probe.key {
            self.walk(Chain::Key, key, folder, probe, &mut found);
        }
        found
    }

    /// Judges a chain's free messages, until one is as good as any can be.
    fn walk(
        &mut self,
        chain: Chain,
        key: u64,
        folder: u32,
        probe: &Probe,
        found: &mut Vec<(u32, Judgement)>,
    ) {
        let mut at = self.start(chain, key, folder);
        while let Some(entry) = self.entries.get(at as usize) {
            if !self.is_claimed(at, folder) {
                let judgement = probe.judge(entry);
                found.push((at, judgement));
                if judgement == probe.best() {
                    return;
                }
            }
            at = entry.next(chain);
        }
    }

    /// Where a walk starts: behind the copies that the folder claimed already, which would make thousands of copies quadratic.
    fn start(&mut self, chain: Chain, key: u64, folder: u32) -> u32 {
        let chains = match chain {
            Chain::Key => &self.by_key,
            Chain::Digest => &self.by_digest,
        };
        let first = chains.get(&key).map_or(NONE, |&(first, _)| first);
        let mut at = *self.passed.get(&(chain, key, folder)).unwrap_or(&first);
        let mut steps = 0;
        while let Some(entry) = self.entries.get(at as usize) {
            let next = entry.next(chain);
            // The last one stays the start: the chain may grow.
            if next == NONE || !self.is_claimed(at, folder) {
                break;
            }
            at = next;
            steps += 1;
        }
        if steps >= LONG || steps > 0 && self.passed.contains_key(&(chain, key, folder)) {
            self.passed.insert((chain, key, folder), at);
        }
        at
    }

    fn is_claimed(&self, at: u32, folder: u32) -> bool {
        self.entries[at as usize].claimed == folder || self.claims.contains(&(at, folder))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_takes_as_many_bytes_as_the_head_of_this_file_says() {
        assert_eq!(size_of::<Entry>(), 72);
    }

    struct Nowhere;

    impl Look for Nowhere {
        fn header(&mut self, _: u32) -> Result<Option<HeaderIdentity>> {
            Ok(None)
        }

        fn digests(&mut self, _: u32) -> Result<Option<Digests>> {
            Ok(None)
        }
    }

    #[test]
    fn copies_that_are_claimed_are_not_walked_again() {
        let header = HeaderIdentity {
            message_id: Some(b"<a@x>".to_vec()),
            ..HeaderIdentity::default()
        };
        let source = Known {
            header: &header,
            digests: None,
            size: None,
        };
        let mut index = Index::new(Dedup::MessageId);
        for uid in 1..=100 {
            index.insert(Standing::new(Some(uid), &header, None, None, None), []);
        }
        for _ in 0..100 {
            index.claim(7, source, &mut Nowhere).unwrap();
        }
        let passed: Vec<_> = index
            .passed
            .iter()
            .map(|(&(_, _, f), &at)| (f, at))
            .collect();
        assert!(matches!(passed[..], [(7, 98..)]), "{passed:?}");
    }
}
