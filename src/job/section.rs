//! Reading one table of a job: typed values out, faults told, no key passed over.

use super::error::{Faults, Place, nearest, quoted};
use super::keys;
use super::tree::{Entry, Node, Table, Value};

/// A table being read. `name` is what it is called in errors (`source`, `source[2]`), `kind` what it is (`source`).
pub(super) struct Section<'a> {
    table: &'a Table,
    known: &'static [&'static str],
    pub(super) name: String,
    /// Where faults about missing keys are told.
    pub(super) place: Place,
}

/// A word of a job and what it means; `None`: known, but not in this version yet.
pub(super) type Words<'w, T> = [(&'w str, Option<T>)];

impl<'a> Section<'a> {
    /// The file itself.
    pub(super) fn top(table: &'a Table, faults: &mut Faults) -> Self {
        let section = Section {
            table,
            known: keys::TOP,
            name: String::new(),
            place: Place::Whole,
        };
        section.check_keys("", faults);
        section
    }

    /// Opens a table, or tells that it is none. Unknown keys are told at once.
    pub(super) fn open(
        node: &'a Node,
        name: String,
        kind: &str,
        known: &'static [&'static str],
        faults: &mut Faults,
    ) -> Option<Self> {
        let Value::Table(table) = &node.value else {
            let message = format!("expected a table, found {}", node.found());
            faults.add(&node.place, &name, message);
            return None;
        };
        let section = Section {
            table,
            known,
            name,
            place: node.place.clone(),
        };
        section.check_keys(kind, faults);
        Some(section)
    }

    fn check_keys(&self, kind: &str, faults: &mut Faults) {
        for entry in &self.table.0 {
            if !self.known.contains(&entry.key.as_str()) {
                self.unknown(entry, kind, faults);
            }
        }
    }

    fn unknown(&self, entry: &Entry, kind: &str, faults: &mut Faults) {
        let (place, key) = (&entry.key_place, self.key(&bare(&entry.key)));
        if let Some(words) = keys::later(kind, &entry.key) {
            return faults.add(place, &key, words);
        }
        let hint = if let Some(word) = meant(&entry.key, self.known) {
            format!("did you mean `{word}`?")
        } else if let Some(home) = keys::home(&entry.key) {
            format!("it belongs {home}")
        } else {
            format!("known here: {}", self.known.join(", "))
        };
        faults.add_try(place, &key, "unknown key", hint);
    }

    /// The whole name of a key of this table.
    pub(super) fn key(&self, key: &str) -> String {
        if self.name.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.name)
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&'a Node> {
        self.table.get(key)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &'a str> {
        self.table.0.iter().map(|e| e.key.as_str())
    }

    /// Tells `expected X, found Y` at a value.
    pub(super) fn expected(&self, key: &str, node: &Node, what: &str, faults: &mut Faults) {
        let message = format!("expected {what}, found {}", node.found());
        faults.add(&node.place, &self.key(key), message);
    }

    /// Tells that a key is missing.
    ///
    /// Where an unknown key has been told to be a misspelling of it, once is enough.
    pub(super) fn missing(&self, key: &str, what: &str, hint: &str, faults: &mut Faults) {
        let unknown = self.keys().filter(|k| !self.known.contains(k));
        if unknown
            .into_iter()
            .any(|k| meant(k, self.known) == Some(key))
        {
            return;
        }
        let message = format!("expected {what}, found nothing");
        faults.add_try(&self.place, &self.key(key), message, hint);
    }

    /// A text without CR, LF and NUL, and not empty.
    pub(super) fn text(&self, key: &str, what: &str, faults: &mut Faults) -> Option<&'a str> {
        let node = self.get(key)?;
        let text = as_text(node);
        match text {
            None => self.expected(key, node, what, faults),
            Some("") => self.expected(key, node, what, faults),
            Some(t) if t.contains(['\r', '\n', '\0']) => {
                let message = format!(
                    "expected {what} without CR, LF and NUL, found {}",
                    quoted(t)
                );
                faults.add(&node.place, &self.key(key), message);
            }
            Some(t) => return Some(t),
        }
        None
    }

    pub(super) fn flag(&self, key: &str, default: bool, faults: &mut Faults) -> bool {
        let Some(node) = self.get(key) else {
            return default;
        };
        match (&node.value, node.loose.as_deref()) {
            (Value::Flag(flag), _) => return *flag,
            (_, Some("true")) => return true,
            (_, Some("false")) => return false,
            _ => self.expected(key, node, "true or false", faults),
        }
        default
    }

    /// A whole number of a range.
    pub(super) fn number(
        &self,
        key: &str,
        range: std::ops::RangeInclusive<i64>,
        faults: &mut Faults,
    ) -> Option<i64> {
        let node = self.get(key)?;
        let number = match (&node.value, &node.loose) {
            (Value::Integer(number), _) => Some(*number),
            (_, Some(loose)) => loose.trim().parse().ok(),
            _ => None,
        };
        let fits = number.filter(|n| range.contains(n));
        if fits.is_none() {
            let what = format!("a number from {} to {}", range.start(), range.end());
            self.expected(key, node, &what, faults);
        }
        fits
    }

    /// One of several words.
    pub(super) fn choice<T: Copy>(
        &self,
        key: &str,
        words: &Words<'_, T>,
        faults: &mut Faults,
    ) -> Option<T> {
        let node = self.get(key)?;
        let text = as_text(node).unwrap_or_default();
        match words.iter().find(|(word, _)| *word == text) {
            Some((_, Some(value))) => return Some(*value),
            Some((word, None)) => {
                let message = format!("{} is not in this version yet", quoted(word));
                faults.add_try(&node.place, &self.key(key), message, there_are(words));
            }
            None => self.no_such_word(key, node, words, faults),
        }
        None
    }

    fn no_such_word<T>(&self, key: &str, node: &Node, words: &Words<'_, T>, faults: &mut Faults) {
        let message = format!("expected {}, found {}", listed(words), node.found());
        let text = as_text(node).unwrap_or_default();
        let lower = text.to_ascii_lowercase();
        match nearest(&lower, words.iter().map(|(word, _)| *word)) {
            Some(word) => {
                let hint = format!("did you mean {}?", quoted(word));
                faults.add_try(&node.place, &self.key(key), message, hint);
            }
            None => faults.add(&node.place, &self.key(key), message),
        }
    }

    /// A list; each item comes with its name (`folders.include[2]`).
    pub(super) fn list(
        &self,
        key: &str,
        what: &str,
        faults: &mut Faults,
    ) -> Vec<(String, &'a Node)> {
        let Some(node) = self.get(key) else {
            return Vec::new();
        };
        let Value::List(items) = &node.value else {
            self.expected(key, node, what, faults);
            return Vec::new();
        };
        let name = self.key(key);
        let numbered = items.iter().enumerate();
        numbered
            .map(|(at, item)| (format!("{name}[{}]", at + 1), item))
            .collect()
    }
}

/// A text, or what `--set` or a CSV gave without saying that it is one.
pub(super) fn as_text(node: &Node) -> Option<&str> {
    match (&node.value, &node.loose) {
        (Value::Text(text), _) => Some(text),
        (Value::List(_) | Value::Table(_), _) => None,
        (_, loose) => loose.as_deref(),
    }
}

/// The key that an unknown one probably stands for.
fn meant(key: &str, known: &[&'static str]) -> Option<&'static str> {
    let alias = keys::alias(key).filter(|alias| known.contains(alias));
    alias.or_else(|| nearest(key, known.iter().copied()))
}

/// A key as TOML would write it.
fn bare(key: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !key.is_empty() && key.len() <= 60 && key.chars().all(plain) {
        key.to_owned()
    } else {
        quoted(key)
    }
}

fn present<T>(words: &Words<'_, T>) -> Vec<String> {
    let there = words.iter().filter(|(_, value)| value.is_some());
    there.map(|(word, _)| quoted(word)).collect()
}

fn listed<T>(words: &Words<'_, T>) -> String {
    let mut there = present(words);
    match there.pop() {
        Some(last) if !there.is_empty() => format!("{} or {last}", there.join(", ")),
        Some(last) => last,
        None => String::new(),
    }
}

fn there_are<T>(words: &Words<'_, T>) -> String {
    listed(words)
}
