//! What stands in one destination folder, in about 90 bytes a message.

use super::{HeaderIdentity, Known, Verdict, compare, replaceable, says_enough, two_differ};
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
    date: Option<i64>,
    /// Hash of the Message-ID, or of the Date where there is no id.
    key: Option<u64>,
    has_id: bool,
    /// Hashes; `None` where nobody has looked at the header.
    from_subject: Option<(u64, u64)>,
    /// First half of the loose digest.
    loose: Option<[u8; 16]>,
    size: Option<u64>,
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
            has_id: header.message_id.is_some(),
            from_subject: Some((hash(b'f', &header.from), hash(b's', &header.subject))),
            loose: digests.map(|d| half(&d)),
            size,
        }
    }

    /// A message of which the journal knows id and digest but nobody has looked at the header.
    #[must_use]
    pub fn journalled(
        uid: Option<u32>,
        message_id: Option<&[u8]>,
        digests: Option<Digests>,
        size: Option<u64>,
        source_row: Option<i64>,
    ) -> Self {
        let header = HeaderIdentity {
            message_id: message_id.map(<[u8]>::to_vec),
            ..HeaderIdentity::default()
        };
        Standing {
            from_subject: None,
            ..Standing::new(uid, &header, digests, size, source_row)
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
struct Entry {
    uid: u32,
    size: u32,
    row: i64,
    date: i64,
    from: u64,
    subject: u64,
    loose: [u8; 16],
    next_by_key: u32,
    next_by_digest: u32,
    /// The source folder that claimed it first; others are in `Index::claims`.
    claimed: u32,
    flags: u8,
}

const HAS_ID: u8 = 1;
const HEADER: u8 = 2;
const LOOSE: u8 = 4;
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
        let (from, subject) = standing.from_subject.unwrap_or_default();
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
            flags: known(standing.has_id, HAS_ID)
                | known(standing.from_subject.is_some(), HEADER)
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

/// How a candidate looks by its hashes, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Judgement {
    SameDigest,
    Uncontradicted,
    /// Other hashes, but the source holds bytes that a server may have replaced.
    Doubtful,
    Contradicted,
    Different,
}

/// A source message, hashed once.
struct Probe<'a> {
    dedup: Dedup,
    source: Known<'a>,
    key: Option<u64>,
    has_id: bool,
    from: u64,
    subject: u64,
    loose: Option<[u8; 16]>,
}

impl<'a> Probe<'a> {
    fn new(dedup: Dedup, source: Known<'a>) -> Self {
        let header = source.header;
        let has_id = header.message_id.is_some();
        let by_key = match dedup {
            Dedup::MessageId => has_id || says_enough(header),
            Dedup::StrictMessageId => has_id,
            Dedup::Content | Dedup::Off => false,
        };
        Probe {
            dedup,
            source,
            key: key(header).filter(|_| by_key),
            has_id,
            from: hash(b'f', &header.from),
            subject: hash(b's', &header.subject),
            loose: source.digests.map(|d| half(&d)),
        }
    }

    /// The digest to look for, where a digest alone can make two messages the same.
    fn by_digest(&self) -> Option<[u8; 16]> {
        let alone = match self.dedup {
            Dedup::Content => true,
            Dedup::MessageId => !self.has_id,
            Dedup::StrictMessageId | Dedup::Off => false,
        };
        self.loose.filter(|_| alone)
    }

    fn judge(&self, entry: &Entry) -> Judgement {
        let known = entry.flags & LOOSE != 0;
        let same_content = self.loose.filter(|_| known).map(|l| l == entry.loose);
        match (self.dedup, same_content) {
            (_, Some(true)) => Judgement::SameDigest,
            (Dedup::StrictMessageId, _) => Judgement::Uncontradicted,
            (Dedup::MessageId, Some(false)) if self.has_id => Judgement::Contradicted,
            (Dedup::MessageId, None) if self.has_id => self.judge_header(entry),
            (Dedup::MessageId, None) => self.judge_poor(entry),
            _ => Judgement::Different,
        }
    }

    /// The ids agree and digests say nothing.
    fn judge_header(&self, entry: &Entry) -> Judgement {
        let (from, subject) = self.differ(entry);
        let date = (entry.date != i64::MIN).then_some(entry.date);
        if !two_differ(self.source.header.date, date, from, subject) {
            Judgement::Uncontradicted
        } else if self.doubtful(from, subject) {
            Judgement::Doubtful
        } else {
            Judgement::Contradicted
        }
    }

    /// Neither id nor digests.
    fn judge_poor(&self, entry: &Entry) -> Judgement {
        let size = packed_size(self.source.size);
        let header = entry.flags & (HAS_ID | HEADER) == HEADER;
        let same_date = self.source.header.date == Some(entry.date);
        if !header || !same_date || size == 0 || size != entry.size {
            return Judgement::Different;
        }
        match self.differ(entry) {
            (false, false) => Judgement::Uncontradicted,
            (from, subject) if self.doubtful(from, subject) => Judgement::Doubtful,
            _ => Judgement::Different,
        }
    }

    /// Do From and Subject differ by their hashes? What was never looked at does not.
    fn differ(&self, entry: &Entry) -> (bool, bool) {
        let known = entry.flags & HEADER != 0;
        (
            known && self.from != entry.from,
            known && self.subject != entry.subject,
        )
    }

    fn doubtful(&self, from: bool, subject: bool) -> bool {
        let masked = |value: &[u8]| value.iter().any(|&b| replaceable(b));
        let header = self.source.header;
        from && masked(&header.from) || subject && masked(&header.subject)
    }

    /// The comparison that hashes could not make.
    fn exactly(&self, header: &HeaderIdentity, entry: &Entry) -> Verdict {
        let standing = Known {
            header,
            digests: None,
            size: (entry.size != 0 && packed_size(self.source.size) == entry.size)
                .then_some(self.source.size)
                .flatten(),
        };
        compare(self.source, standing, self.dedup)
    }

    fn when_different(&self) -> Verdict {
        if self.has_id {
            Verdict::Contradicted
        } else {
            Verdict::Different
        }
    }
}

/// Under what a message is looked up: its id, else its Date. From and Subject are no part of it, a server may have altered them.
fn key(header: &HeaderIdentity) -> Option<u64> {
    match (&header.message_id, header.date) {
        (Some(id), _) => Some(hash(b'i', id)),
        (None, Some(date)) => Some(hash(b'd', &date.to_be_bytes())),
        (None, None) => None,
    }
}

/// BLAKE3, so that nobody can send two mails whose hashes meet by design and cheaply.
fn hash(what: u8, bytes: &[u8]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[what]).update(bytes);
    let mut out = [0; 8];
    out.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_be_bytes(out)
}

fn half(digests: &Digests) -> [u8; 16] {
    let mut out = [0; 16];
    out.copy_from_slice(&digests.loose.0[..16]);
    out
}

fn prefix(loose: &[u8; 16]) -> u64 {
    loose[..8].iter().fold(0, |n, &b| n << 8 | u64::from(b))
}

/// 0: not known. Sizes beyond 4 GiB are one size: no server takes such mail.
fn packed_size(size: Option<u64>) -> u32 {
    size.map_or(0, |s| u32::try_from(s).unwrap_or(u32::MAX))
}
