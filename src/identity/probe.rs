//! A source message, hashed once, and how it judges candidates.

use super::index::{Entry, HAS_ID, LOOSE};
use super::{HeaderIdentity, Known, Verdict, compare, replaceable, says_enough, two_differ};
use crate::job::Dedup;
use crate::message::Digests;

/// How a candidate looks by its hashes, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Judgement {
    SameDigest,
    Uncontradicted,
    /// Other hashes, but the source holds bytes that a server may have replaced.
    Doubtful,
    /// As long, and with too poor a header to tell: its content has to be read.
    Unread,
    Contradicted,
    Different,
}

/// A source message, hashed once.
pub(super) struct Probe<'a> {
    dedup: Dedup,
    source: Known<'a>,
    pub(super) key: Option<u64>,
    has_id: bool,
    from: u64,
    subject: u64,
    loose: Option<[u8; 16]>,
}

impl<'a> Probe<'a> {
    pub(super) fn new(dedup: Dedup, source: Known<'a>) -> Self {
        let header = source.header;
        let has_id = header.message_id.is_some();
        let by_key = match dedup {
            Dedup::MessageId => true,
            Dedup::StrictMessageId => has_id,
            Dedup::Content | Dedup::Off => false,
        };
        Probe {
            dedup,
            source,
            key: key(header, source.size).filter(|_| by_key),
            has_id,
            from: hash(b'f', &header.from),
            subject: hash(b's', &header.subject),
            loose: source.digests.map(|d| half(&d)),
        }
    }

    /// The digest to look for, where a digest alone can make two messages the same.
    pub(super) fn by_digest(&self) -> Option<[u8; 16]> {
        let alone = match self.dedup {
            Dedup::Content => true,
            Dedup::MessageId => !self.has_id,
            Dedup::StrictMessageId | Dedup::Off => false,
        };
        self.loose.filter(|_| alone)
    }

    /// No candidate can be better than this.
    pub(super) fn best(&self) -> Judgement {
        match self.loose {
            Some(_) => Judgement::SameDigest,
            None => Judgement::Uncontradicted,
        }
    }

    pub(super) fn judge(&self, entry: &Entry) -> Judgement {
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
        let date = (entry.date != i64::MIN).then_some(entry.date);
        let header = entry.flags & HAS_ID == 0 && self.source.header.date == date;
        if !header || size == 0 || size != entry.size {
            return Judgement::Different;
        }
        if !says_enough(self.source.header) {
            return self
                .loose
                .map_or(Judgement::Different, |_| Judgement::Unread);
        }
        match self.differ(entry) {
            (false, false) => Judgement::Uncontradicted,
            (from, subject) if self.doubtful(from, subject) => Judgement::Doubtful,
            _ => Judgement::Different,
        }
    }

    /// Do From and Subject differ by their hashes?
    fn differ(&self, entry: &Entry) -> (bool, bool) {
        (self.from != entry.from, self.subject != entry.subject)
    }

    fn doubtful(&self, from: bool, subject: bool) -> bool {
        let masked = |value: &[u8]| value.iter().any(|&b| replaceable(b));
        let header = self.source.header;
        from && masked(&header.from) || subject && masked(&header.subject)
    }

    /// The comparison that hashes could not make.
    pub(super) fn exactly(&self, header: &HeaderIdentity, entry: &Entry) -> Verdict {
        let standing = Known {
            header,
            digests: None,
            size: (entry.size != 0 && packed_size(self.source.size) == entry.size)
                .then_some(self.source.size)
                .flatten(),
        };
        compare(self.source, standing, self.dedup)
    }

    /// The comparison of contents; `loose` is the candidate's.
    pub(super) fn by_content(&self, loose: [u8; 16]) -> Verdict {
        if self.loose == Some(loose) {
            Verdict::Same
        } else {
            self.when_different()
        }
    }

    pub(super) fn when_different(&self) -> Verdict {
        if self.has_id {
            Verdict::Contradicted
        } else {
            Verdict::Different
        }
    }
}

/// Under what a message is looked up: its id, else its Date, else its size. From and Subject are no part of it, a server may have altered them.
pub(super) fn key(header: &HeaderIdentity, size: Option<u64>) -> Option<u64> {
    match (&header.message_id, header.date) {
        (Some(id), _) => Some(hash(b'i', id) | 1),
        (None, Some(date)) => Some(hash(b'd', &date.to_be_bytes()) & !1),
        (None, None) => size.map(|size| hash(b'z', &size.to_be_bytes()) & !1),
    }
}

pub(super) fn is_id(key: u64) -> bool {
    key & 1 == 1
}

/// BLAKE3, so that nobody can send two mails whose hashes meet by design and cheaply.
pub(super) fn hash(what: u8, bytes: &[u8]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[what]).update(bytes);
    let mut out = [0; 8];
    out.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_be_bytes(out)
}

pub(super) fn half(digests: &Digests) -> [u8; 16] {
    let mut out = [0; 16];
    out.copy_from_slice(&digests.loose.0[..16]);
    out
}

pub(super) fn prefix(loose: &[u8; 16]) -> u64 {
    loose[..8].iter().fold(0, |n, &b| n << 8 | u64::from(b))
}

/// 0: not known. Sizes beyond 4 GiB are one size: no server takes such mail.
pub(super) fn packed_size(size: Option<u64>) -> u32 {
    size.map_or(0, |s| u32::try_from(s).unwrap_or(u32::MAX))
}
