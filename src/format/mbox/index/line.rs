//! The lines of an index's sidecar.

use super::Indexed;
use crate::format::mbox::record::Record;
use crate::message::{Digest, Flags, InternalDate};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Line {
    Folder {
        version: u32,
        /// As shown to people.
        name: String,
        uid_validity: u32,
        /// No UID below was ever another message's.
        next: u32,
    },
    Message(Entry),
    Flags {
        uid: u32,
        flags: String,
    },
    /// Messages from this UID on never became whole.
    Void {
        from: u32,
    },
    Sealed(Seal),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) uid: u32,
    #[serde(flatten)]
    record: Record,
    digest: String,
    /// INTERNALDATE, unix seconds, and its zone in minutes east.
    date: Option<(i64, i16)>,
    flags: String,
}

/// The mbox as it was when all of it was known: length in bytes, nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seal {
    pub(super) length: u64,
    pub(super) modified: i64,
}

pub(super) fn line(message: &Indexed) -> Line {
    Line::Message(Entry {
        uid: message.uid,
        record: message.record,
        digest: message.digest.to_string(),
        date: message.date.map(|d| (d.epoch, d.offset_minutes)),
        flags: message.flags.to_text(),
    })
}

pub(super) fn indexed(entry: Entry) -> Option<Indexed> {
    Some(Indexed {
        uid: entry.uid,
        record: entry.record,
        digest: Digest::parse(&entry.digest)?,
        date: entry.date.map(|(epoch, offset_minutes)| InternalDate {
            epoch,
            offset_minutes,
        }),
        flags: Flags::from_text(&entry.flags),
    })
}
