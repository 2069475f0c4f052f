//! What a comparison found: data only.

use super::Row;
use crate::error::Error;
use crate::message::{Digest, SourceKey};
use serde::Serialize;
use std::time::Duration;

/// How closely both ends are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// How many messages.
    Count,
    /// Message by message, by identity headers and size; flags and dates.
    Headers,
    /// Message by message, by the digest of all bytes; flags and dates.
    Content,
}

impl Level {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Count => "count",
            Level::Headers => "headers",
            Level::Content => "content",
        }
    }
}

/// How a message differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Nothing at the destination stands for it.
    Missing,
    /// It stands in another folder of the destination.
    Moved,
    /// What stands for it has other bytes.
    Altered,
    Flags,
    /// INTERNALDATE.
    Date,
    /// An end did not give it.
    Unread,
    /// A second copy at the destination of what the source has once.
    Doubled,
    /// At the destination alone: no difference unless it is asked for.
    Extra,
}

impl Kind {
    pub const ALL: [Kind; 8] = [
        Kind::Missing,
        Kind::Moved,
        Kind::Altered,
        Kind::Flags,
        Kind::Date,
        Kind::Unread,
        Kind::Doubled,
        Kind::Extra,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Missing => "missing",
            Kind::Moved => "moved",
            Kind::Altered => "altered",
            Kind::Flags => "flags",
            Kind::Date => "date",
            Kind::Unread => "unread",
            Kind::Doubled => "doubled",
            Kind::Extra => "extra",
        }
    }
}

/// How a person finds a message. Texts are raw, to be shown escaped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Name {
    /// `UID 17`, or what the source calls it.
    pub key: String,
    /// Empty where there is none.
    pub message_id: String,
    /// The Date field, epoch seconds; else INTERNALDATE.
    pub date: Option<i64>,
    pub subject: String,
}

impl Name {
    #[must_use]
    pub fn of(row: &Row) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Name {
            key: key_words(&row.key),
            message_id: text(row.header.message_id.as_deref().unwrap_or_default()),
            date: row.header.date.or(row.date.map(|date| date.epoch)),
            subject: text(&row.header.subject),
        }
    }
}

/// `UID 17`, or what the source calls it (raw).
#[must_use]
pub fn key_words(key: &SourceKey) -> String {
    match key {
        SourceKey::Uid(uid) => format!("UID {uid}"),
        SourceKey::Name { name, .. } => String::from_utf8_lossy(name).into_owned(),
    }
}

/// One difference, with the message named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub kind: Kind,
    /// The source's folder; empty for what only the destination has.
    pub folder: String,
    /// The destination's.
    pub to: String,
    pub source: Option<Name>,
    pub standing: Option<Name>,
    pub words: String,
}

/// How many messages of the source ended in what; each in exactly one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages that the source holds.
    pub source: u64,
    /// Equal in all that was compared.
    pub equal: u64,
    /// Another message stands for them, by the job's own rules.
    pub duplicate: u64,
    /// Left out by the job's own rules.
    pub skipped: u64,
    /// Not in the sample.
    pub counted: u64,
    pub missing: u64,
    pub moved: u64,
    pub altered: u64,
    /// Equal bytes, other flags or another date.
    pub changed: u64,
    pub unread: u64,
    /// Messages that the destination holds in these folders.
    pub there: u64,
    pub doubled: u64,
    pub extra: u64,
}

impl Tally {
    pub fn merge(&mut self, other: &Tally) {
        let pairs = [
            (&mut self.source, other.source),
            (&mut self.equal, other.equal),
            (&mut self.duplicate, other.duplicate),
            (&mut self.skipped, other.skipped),
            (&mut self.counted, other.counted),
            (&mut self.missing, other.missing),
            (&mut self.moved, other.moved),
            (&mut self.altered, other.altered),
            (&mut self.changed, other.changed),
            (&mut self.unread, other.unread),
            (&mut self.there, other.there),
            (&mut self.doubled, other.doubled),
            (&mut self.extra, other.extra),
        ];
        for (mine, theirs) in pairs {
            *mine += theirs;
        }
    }

    /// Messages that differ, those that only the destination has left aside.
    #[must_use]
    pub fn differing(&self) -> u64 {
        self.missing + self.moved + self.altered + self.changed + self.unread + self.doubled
    }

    /// Messages of the source that are in no class: 0 unless mailhaul is wrong.
    #[must_use]
    pub fn unaccounted(&self) -> i128 {
        let told = self.equal
            + self.duplicate
            + self.skipped
            + self.counted
            + self.missing
            + self.moved
            + self.altered
            + self.changed
            + self.unread;
        i128::from(self.source) - i128::from(told)
    }
}

/// One destination folder and the source folders that go there.
#[derive(Debug, Clone, Default)]
pub struct FolderCheck {
    /// Names at the source, joined by `, `.
    pub folder: String,
    pub to: String,
    pub tally: Tally,
    /// The destination has no such folder.
    pub absent: bool,
    /// BLAKE3 over the sorted digests of what was read from the source, and of what stands for it.
    pub fingerprints: Option<(Digest, Digest)>,
    /// Why it could not be compared.
    pub error: Option<Error>,
}

/// One account and one of its destinations, compared.
#[derive(Debug, Clone)]
pub struct AccountCheck {
    pub account: String,
    /// As addresses, as in a plan.
    pub sources: Vec<String>,
    pub destination: String,
    pub level: Level,
    /// In percent.
    pub sample: Option<f64>,
    pub folders: Vec<FolderCheck>,
    /// At most so many as are told one by one; the tallies are complete.
    pub differences: Vec<Difference>,
    /// More differences than are told one by one.
    pub untold: u64,
    pub elapsed: Duration,
    /// What ended it early.
    pub error: Option<Error>,
}

impl AccountCheck {
    #[must_use]
    pub fn tally(&self) -> Tally {
        let mut all = Tally::default();
        self.folders
            .iter()
            .for_each(|folder| all.merge(&folder.tally));
        all
    }

    /// Is anything not as it should be? `strict`: what only the destination has, too.
    #[must_use]
    pub fn differs(&self, strict: bool) -> bool {
        let tally = self.tally();
        tally.differing() > 0
            || tally.unaccounted() != 0
            || strict && tally.extra > 0
            || self.folders.iter().any(|folder| folder.absent)
    }
}
