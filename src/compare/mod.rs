//! Two ends set against each other, message by message: pure, no I/O. `verify` tells what comes out of it.
//!
//! A message at the destination stands for at most one message of each source folder, so that three copies are three on both sides.
//! Equal bytes pair first, then (at the level *headers*, and to name what was altered) equal identity headers.

mod finish;
mod kin;
mod pairing;
mod report;
mod sample;
#[cfg(test)]
mod tests;

pub use finish::Delivered;
pub use kin::head_key;
pub use pairing::{Found, Pair, Pairing, Rules, Step};
pub use report::{AccountCheck, Difference, FolderCheck, Kind, Level, Name, Tally, key_words};
pub use sample::Share;

use crate::identity::HeaderIdentity;
use crate::message::{Digest, Digests, Flags, InternalDate, SourceKey};

/// The longest header field that is remembered, in bytes.
const LONGEST: usize = 256;

/// What is remembered of one message while its folder is compared: its bytes are not.
#[derive(Debug, Clone)]
pub struct Row {
    /// At the destination its UID.
    pub key: SourceKey,
    pub flags: Flags,
    pub date: Option<InternalDate>,
    /// In bytes: of the canonical form where the message was read, else as the server announces it.
    pub size: Option<u64>,
    /// `None`: it was not read.
    pub digests: Option<Digests>,
    pub header: HeaderIdentity,
}

impl Row {
    /// The header's fields, cut so that a row stays small.
    #[must_use]
    pub fn identity(head: &[u8]) -> HeaderIdentity {
        let mut header = HeaderIdentity::of(head);
        for field in [&mut header.from, &mut header.subject] {
            field.truncate(LONGEST);
        }
        if let Some(id) = &mut header.message_id {
            id.truncate(LONGEST);
        }
        header
    }

    /// The digest that counts: the loose one where an end cannot tell how many line ends a message ends with.
    fn digest(&self, loose: bool) -> Option<Digest> {
        let digests = self.digests?;
        Some(if loose { digests.loose } else { digests.exact })
    }

    fn uid(&self) -> Option<u32> {
        match self.key {
            SourceKey::Uid(uid) => Some(uid),
            SourceKey::Name { .. } => None,
        }
    }
}
