//! A folder's sidecar ([`format::sidecar`](crate::format::sidecar)): the first line names the folder; every other one a message, a change
//! of its flags, or its end. The number of a message's line is its UID.

use super::Keep;
use super::rack::Put;
use crate::format::maildir::base_name;
use crate::format::mbox::Record;
use crate::message::{Digest, InternalDate};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Line {
    /// `dir` is where its Maildir or mbox is under `mail/`. Another sidecar of the same folder has another `uid_validity`; those of before there
    /// was one all have 1.
    Folder {
        version: u32,
        name: String,
        dir: String,
        #[serde(default = "first_validity")]
        uid_validity: u32,
        #[serde(default)]
        format: Format,
    },
    Message(Entry),
    /// `file` is the name without its flags.
    Flags {
        file: String,
        flags: String,
    },
    /// The mbox was so long, in bytes, when a batch of so many messages began. What becomes of it is told by the lines behind.
    Growing {
        length: u64,
        messages: usize,
    },
    /// A message of the batch, and where it is to be; `from` is its From_ line. It counts once it has a line of its own.
    Coming {
        from: String,
        entry: Entry,
    },
    /// The torn tail that was there went into this file beside the mbox.
    Torn {
        aside: String,
    },
    /// The message is none any more: taken out on purpose. `at` in unix seconds.
    Gone {
        file: String,
        at: i64,
        why: String,
    },
    /// The files of what is gone by now are taken away.
    Removed {},
}

/// How a folder's mail is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Format {
    #[default]
    Maildir,
    Mbox,
}

fn first_validity() -> u32 {
    1
}

pub(super) type Sidecar = crate::format::sidecar::Sidecar<Line>;
pub(super) type Numbered = crate::format::sidecar::Numbered<Line>;

/// A message that is in `mail/`, or about to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// What names it at its source.
    pub(super) source: String,
    /// Its name in `cur/` when it was stored; in an mbox, its offset.
    pub(super) file: String,
    /// Its place in an mbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) part: Option<Record>,
    /// 64 hex digits each.
    pub(super) digest: String,
    pub(super) loose: String,
    /// INTERNALDATE, unix seconds, and its zone in minutes east.
    pub(super) date: Option<(i64, i16)>,
    pub(super) flags: String,
    /// Bytes in canonical form; 0 in lines of before it stood there.
    #[serde(default)]
    pub(super) size: u64,
}

impl Entry {
    pub(super) fn new(item: &Keep<'_>, put: &Put) -> Self {
        let digests = item.body.digests();
        Entry {
            source: item.source.to_owned(),
            file: put.file.clone(),
            part: put.part,
            digest: digests.exact.to_string(),
            loose: digests.loose.to_string(),
            date: item.date.map(|d| (d.epoch, d.offset_minutes)),
            flags: item.flags.to_text(),
            size: item.body.size(),
        }
    }

    /// The file's name without its flags, which change.
    pub(super) fn base(&self) -> &str {
        base_name(&self.file)
    }

    pub(super) fn exact(&self) -> Option<Digest> {
        blake3::Hash::from_hex(&self.digest)
            .ok()
            .map(|hash| Digest(*hash.as_bytes()))
    }

    pub(super) fn internal_date(&self) -> Option<InternalDate> {
        self.date.map(|(epoch, offset_minutes)| InternalDate {
            epoch,
            offset_minutes,
        })
    }
}
