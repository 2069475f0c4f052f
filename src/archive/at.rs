//! Where a message's bytes are, and what its flags are now.

use super::view::Kept;
use crate::error::Result;
use crate::format::maildir::{self, Letters};
use crate::format::mbox::Record;
use crate::message::Flags;
use crate::spool::{Body, Budget};
use std::path::{Path, PathBuf};

/// A header that is longer counts up to there.
const LONGEST_HEAD: usize = 1 << 20;

/// Where a message's bytes are now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// In a Maildir.
    File(PathBuf),
    /// In an mbox.
    Part(PathBuf, Record),
}

/// What tells the flags of messages as they are now: in a Maildir other programs change them.
#[derive(Debug)]
pub enum Now {
    Maildir(Box<Letters>),
    Mbox,
}

impl Now {
    #[must_use]
    pub fn flags(&self, kept: &Kept, at: &At) -> Flags {
        match (self, at) {
            (Now::Maildir(letters), At::File(path)) => letters.flags(path, &kept.flags),
            _ => kept.flags.clone(),
        }
    }

    /// Those of them that a file's name shows; `None` where no name shows any.
    pub(super) fn shown(&self, at: &At) -> Option<Flags> {
        match (self, at) {
            (Now::Maildir(letters), At::File(path)) => Some(letters.flags(path, &Flags::default())),
            _ => None,
        }
    }
}

impl At {
    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            At::File(path) | At::Part(path, _) => path,
        }
    }

    /// The bytes as they are by now, canonical form.
    ///
    /// # Errors
    /// `Kind::Message` where there is no message (any more); what [`Budget::body`] says.
    pub fn body(&self, budget: &Budget) -> Result<Body> {
        match self {
            At::File(path) => maildir::read_message(path, budget),
            At::Part(path, part) => part.read(path, budget),
        }
    }

    /// The header alone.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn head(&self) -> Result<Vec<u8>> {
        match self {
            At::File(path) => maildir::read_head(path),
            At::Part(path, part) => part.head(path, LONGEST_HEAD),
        }
    }
}
