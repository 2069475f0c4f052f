//! Flags and keywords (RFC 9051 §2.3.2), and the labels of servers that have them.

use super::labels;
use std::collections::BTreeSet;

/// A message's system flags and keywords. `\Recent` is the session's, not the message's, and never kept.
///
/// Two are equal if they hold the same flags, keywords compared without regard to ASCII case.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    pub seen: bool,
    pub answered: bool,
    pub flagged: bool,
    pub deleted: bool,
    pub draft: bool,
    /// As the server wrote them (`$Forwarded`, `Work`); compared without regard to ASCII case.
    pub keywords: BTreeSet<String>,
    /// Of a server that has labels: see [`labels`]. Compared without regard to ASCII case; never among the atoms.
    pub labels: BTreeSet<String>,
}

/// What stands before a label in a line of text. No server's flag: unknown ones with a backslash are dropped.
const LABEL: &str = "\\Label=";

/// What changed between two states of one message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FlagChange {
    pub add: Flags,
    pub remove: Flags,
}

const SYSTEM: [&str; 5] = ["\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft"];

impl Flags {
    /// Adds one flag in IMAP's writing (`\Seen`, `$Forwarded`); `\Recent`, `\*` and unknown backslashed flags are dropped, as is
    /// what could break out of a flag list: white space, controls, parentheses, quotes, backslashes.
    pub fn insert(&mut self, atom: &str) {
        let system = SYSTEM.iter().position(|s| s.eq_ignore_ascii_case(atom));
        if let Some(at) = system {
            *self.system_mut()[at] = true;
        } else if is_keyword(atom) && !self.has_keyword(atom) {
            self.keywords.insert(atom.to_owned());
        }
    }

    fn system(&self) -> [bool; 5] {
        [
            self.seen,
            self.answered,
            self.flagged,
            self.deleted,
            self.draft,
        ]
    }

    fn system_mut(&mut self) -> [&mut bool; 5] {
        [
            &mut self.seen,
            &mut self.answered,
            &mut self.flagged,
            &mut self.deleted,
            &mut self.draft,
        ]
    }

    /// Is this keyword set, in whatever case?
    #[must_use]
    pub fn has_keyword(&self, keyword: &str) -> bool {
        self.keywords.contains(keyword)
            || self
                .keywords
                .iter()
                .any(|have| have.eq_ignore_ascii_case(keyword))
    }

    /// In IMAP's writing, system flags first: `["\\Seen", "$Forwarded"]`.
    #[must_use]
    pub fn atoms(&self) -> Vec<String> {
        let system = SYSTEM.iter().zip(self.system());
        system
            .filter(|(_, set)| *set)
            .map(|(name, _)| (*name).to_owned())
            .chain(self.keywords.iter().cloned())
            .collect()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.system() == [false; 5] && self.keywords.is_empty() && self.labels.is_empty()
    }

    /// Does it have this label, in whatever case?
    #[must_use]
    pub fn has_label(&self, label: &str) -> bool {
        self.labels.contains(label) || self.labels.iter().any(|have| labels::same(have, label))
    }

    /// Without its labels.
    #[must_use]
    pub fn unlabelled(&self) -> Flags {
        Flags {
            labels: BTreeSet::new(),
            ..self.clone()
        }
    }

    /// One line of text for the journal and sidecars: atoms joined by one space, then labels as `\Label=…`, each one word; the
    /// inverse is [`Flags::from_text`].
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut words = self.atoms();
        let labels = self.labels.iter().map(|label| labels::to_word(label));
        words.extend(labels.map(|word| format!("{LABEL}{word}")));
        words.join(" ")
    }

    #[must_use]
    pub fn from_text(text: &str) -> Self {
        let mut flags = Flags::default();
        for word in text.split_ascii_whitespace() {
            match word.strip_prefix(LABEL) {
                Some(label) => drop(flags.labels.insert(labels::from_word(label))),
                None => flags.insert(word),
            }
        }
        flags
    }

    /// What has to be added and removed to come from `self` to `new`.
    #[must_use]
    pub fn change_to(&self, new: &Flags) -> FlagChange {
        FlagChange {
            add: new.without(self),
            remove: self.without(new),
        }
    }

    /// What they are once a change is made to them.
    #[must_use]
    pub fn changed(&self, change: &FlagChange) -> Flags {
        let mut flags = self.without(&change.remove);
        flags.unite(&change.add);
        flags
    }

    fn without(&self, other: &Flags) -> Flags {
        let mut rest = Flags {
            keywords: self
                .keywords
                .iter()
                .filter(|k| !other.has_keyword(k))
                .cloned()
                .collect(),
            labels: self
                .labels
                .iter()
                .filter(|label| !other.has_label(label))
                .cloned()
                .collect(),
            ..Flags::default()
        };
        let (mine, theirs) = (self.system(), other.system());
        for (at, set) in rest.system_mut().into_iter().enumerate() {
            *set = mine[at] && !theirs[at];
        }
        rest
    }

    /// All flags of both.
    pub fn unite(&mut self, other: &Flags) {
        other.atoms().iter().for_each(|atom| self.insert(atom));
        for label in &other.labels {
            if !self.has_label(label) {
                self.labels.insert(label.clone());
            }
        }
    }
}

fn is_keyword(atom: &str) -> bool {
    let breaks = |c: char| c.is_whitespace() || c.is_control() || "()\"\\".contains(c);
    !atom.is_empty() && !atom.contains(breaks)
}

impl PartialEq for Flags {
    fn eq(&self, other: &Self) -> bool {
        self.system() == other.system()
            && self.keywords.iter().all(|k| other.has_keyword(k))
            && other.keywords.iter().all(|k| self.has_keyword(k))
            && self.labels.iter().all(|label| other.has_label(label))
            && other.labels.iter().all(|label| self.has_label(label))
    }
}

impl Eq for Flags {}

impl FlagChange {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trip_in_imap_writing() {
        let flags = Flags::from_text("$Forwarded \\seen \\Recent \\* \\Foo Work \\DRAFT work");
        assert_eq!(flags.atoms(), ["\\Seen", "\\Draft", "$Forwarded", "Work"]);
        assert_eq!(Flags::from_text(&flags.to_text()), flags);
        assert!(Flags::from_text("").is_empty());
    }

    #[test]
    fn nothing_that_breaks_out_of_a_flag_list_is_kept() {
        let mut flags = Flags::default();
        for atom in ["", "a b", "a)", "(a", "a\r\nb", "a\0", "\"a", "a\\b", "\\"] {
            flags.insert(atom);
        }
        assert!(flags.is_empty(), "{flags:?}");
        flags.insert("weird]%*");
        assert_eq!(flags.to_text(), "weird]%*");
    }

    #[test]
    fn labels_travel_beside_the_atoms() {
        let labels = ["\\Inbox", "Größe/a b", "50% (x)"];
        let flags = Flags {
            seen: true,
            labels: labels.map(ToOwned::to_owned).into(),
            ..Flags::default()
        };
        assert_eq!(flags.atoms(), ["\\Seen"]);
        assert_eq!(Flags::from_text(&flags.to_text()), flags);
        let change = flags.unlabelled().change_to(&flags);
        assert_eq!(change.add.labels, flags.labels);
        assert!(change.remove.is_empty());
        let mut from_the_wire = Flags::default();
        from_the_wire.insert("\\Label=x");
        assert!(from_the_wire.is_empty());
    }

    #[test]
    fn changes_and_unions_ignore_case() {
        let old = Flags::from_text("\\Seen Work Old");
        let new = Flags::from_text("\\Flagged work New");
        let change = old.change_to(&new);
        assert_eq!(change.add.to_text(), "\\Flagged New");
        assert_eq!(change.remove.to_text(), "\\Seen Old");
        let same = old.change_to(&Flags::from_text("\\Seen WORK old"));
        assert!(same.is_empty());
        let mut both = old.clone();
        both.unite(&new);
        assert_eq!(both.to_text(), "\\Seen \\Flagged New Old Work");
        assert_ne!(old, new);
    }
}
