//! What a message is: opaque bytes and what comes with them. Values only, no I/O.

pub mod canonical;
pub mod date;
pub mod decoded;
pub mod digest;
pub mod flags;
pub mod folder;
pub mod header;
mod header_date;
pub mod labels;
mod readable;
mod search;
mod special_use;
pub mod text;
pub mod twins;
pub mod utf7;

pub use date::InternalDate;
pub use digest::{Digest, Digester, Digests};
pub use flags::{FlagChange, Flags};
pub use folder::{Folder, SpecialUse};
pub use readable::{Attachment, Readable};
pub use search::Search;

/// UIDs as ranges, both ends in them; `u32::MAX` is the last one there is.
pub type UidRanges = Vec<(u32, u32)>;

/// What names a message at its source, within one folder (and, for IMAP, one UIDVALIDITY).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SourceKey {
    /// IMAP UID (RFC 9051 §2.3.1.1).
    Uid(u32),
    /// What the source itself calls the message, raw bytes, and its ordinal (from 0) among messages of the folder that share
    /// it: a POP3 unique-id (RFC 1939 §7), the base name of a Maildir file, a digest in an mbox, a path below a directory.
    Name { name: Box<[u8]>, ordinal: u32 },
}

/// Everything that travels with a message's bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Envelope {
    pub flags: Flags,
    /// `None`: the source has none (POP3): it is then taken from the headers.
    pub date: Option<InternalDate>,
}
