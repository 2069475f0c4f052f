//! Flags and keywords (RFC 9051 §2.3.2).

use std::collections::BTreeSet;

/// A message's system flags and keywords. `\Recent` is the session's, not the message's, and never kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    pub seen: bool,
    pub answered: bool,
    pub flagged: bool,
    pub deleted: bool,
    pub draft: bool,
    /// As the server wrote them (`$Forwarded`, `Work`); compared without regard to ASCII case.
    pub keywords: BTreeSet<String>,
}

/// What changed between two states of one message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FlagChange {
    pub add: Flags,
    pub remove: Flags,
}

impl Flags {
    /// Adds one flag in IMAP's writing (`\Seen`, `$Forwarded`); `\Recent`, `\*` and unknown backslashed flags are dropped.
    pub fn insert(&mut self, atom: &str) {
        let _ = atom;
        todo!()
    }

    /// In IMAP's writing, system flags first: `["\\Seen", "$Forwarded"]`.
    #[must_use]
    pub fn atoms(&self) -> Vec<String> {
        todo!()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        todo!()
    }

    /// One line of text for the journal and sidecars: atoms joined by one space; the inverse is [`Flags::from_text`].
    #[must_use]
    pub fn to_text(&self) -> String {
        todo!()
    }

    #[must_use]
    pub fn from_text(text: &str) -> Self {
        let _ = text;
        todo!()
    }

    /// What has to be added and removed to come from `self` to `new`.
    #[must_use]
    pub fn change_to(&self, new: &Flags) -> FlagChange {
        let _ = new;
        todo!()
    }

    /// All flags of both.
    pub fn unite(&mut self, other: &Flags) {
        let _ = other;
        todo!()
    }
}

impl FlagChange {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty()
    }
}
