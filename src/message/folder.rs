//! Folder names, free of any server's separator and encoding.

use std::fmt;

/// A folder as a path of names, each decoded text, none empty; `INBOX` (any case) alone is normalised to upper case.
///
/// Shown and matched as the names joined with `/`; a `/` or `\` inside a name is written `\/` or `\\`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Folder(Vec<String>);

impl Folder {
    /// `None` if there is no name or one of them is empty.
    #[must_use]
    pub fn new(names: Vec<String>) -> Option<Self> {
        let _ = names;
        todo!()
    }

    #[must_use]
    pub fn inbox() -> Self {
        Folder(vec!["INBOX".to_owned()])
    }

    /// Parses what `Display` writes. `None` as in [`Folder::new`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let _ = text;
        todo!()
    }

    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.0
    }

    #[must_use]
    pub fn is_inbox(&self) -> bool {
        self.0.len() == 1 && self.0[0] == "INBOX"
    }

    /// From a server's wire name: split at `separator` (where there is one), each name decoded from modified UTF-7
    /// (kept as it stands, 8-bit bytes as U+FFFD, where it cannot be), `prefix` (the personal namespace, wire form, separator
    /// included) taken off first unless that leaves nothing. `None` for a name with empty parts.
    #[must_use]
    pub fn from_wire(wire: &[u8], separator: Option<u8>, prefix: &[u8]) -> Option<Self> {
        let _ = (wire, separator, prefix);
        todo!()
    }

    /// The wire name at a server. A separator inside a name becomes `_` (the caller tells about it through [`Folder::fits`]).
    /// INBOX gets no prefix. A server without a separator (`None`) gets the names joined by `_`.
    #[must_use]
    pub fn to_wire(&self, separator: Option<u8>, prefix: &[u8]) -> Vec<u8> {
        let _ = (separator, prefix);
        todo!()
    }

    /// Can this server hold the name unchanged?
    #[must_use]
    pub fn fits(&self, separator: Option<u8>) -> bool {
        let _ = separator;
        todo!()
    }
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let _ = f;
        todo!()
    }
}

/// What a folder is for (RFC 6154, and RFC 8457 for `\Important`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SpecialUse {
    All,
    Archive,
    Drafts,
    Flagged,
    Important,
    Junk,
    Sent,
    Trash,
}

impl SpecialUse {
    /// From a LIST attribute such as `\Sent` (ASCII case ignored).
    #[must_use]
    pub fn from_attribute(attribute: &str) -> Option<Self> {
        let _ = attribute;
        todo!()
    }

    /// The LIST attribute, with its backslash.
    #[must_use]
    pub fn attribute(self) -> &'static str {
        todo!()
    }

    /// Guesses from a folder's own (last) name in the languages providers use: `Sent`, `Gesendet`, `Terkirim`, `Éléments envoyés` …
    /// Used only where the server names no special use.
    #[must_use]
    pub fn guess(folder: &Folder) -> Option<Self> {
        let _ = folder;
        todo!()
    }
}
