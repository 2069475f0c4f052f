//! A job file as a tree of values that remember where they were written.

use super::error::{Faults, Place, quoted};
use toml::de::{DeTable, DeValue};
use toml::value::Datetime;

/// A value and its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) place: Place,
    /// The value as text where it came without TOML's types: from `--set`, or from a CSV. It may then stand for a number or for
    /// a text, whichever the key wants.
    pub(super) loose: Option<String>,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Float,
    Flag(bool),
    Date(Datetime),
    List(Vec<Node>),
    Table(Table),
}

/// The entries of a table in the order they were written.
#[derive(Debug, Clone, Default)]
pub(super) struct Table(pub(super) Vec<Entry>);

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    /// Where the key stands; the node's place is where its value stands.
    pub(super) key_place: Place,
    pub(super) node: Node,
}

impl Table {
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.0.iter().find(|e| e.key == key).map(|e| &e.node)
    }

    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.0
            .iter_mut()
            .find(|e| e.key == key)
            .map(|e| &mut e.node)
    }
}

impl Node {
    /// What an error says was found: a text quoted, a composed value by its kind alone.
    pub(super) fn found(&self) -> String {
        match &self.value {
            Value::Text(text) => quoted(text),
            Value::Integer(number) => number.to_string(),
            Value::Float => "a number with a fraction".to_owned(),
            Value::Flag(flag) => flag.to_string(),
            Value::Date(date) => date.to_string(),
            Value::List(_) => "a list".to_owned(),
            Value::Table(_) => "a table".to_owned(),
        }
    }
}

/// Parses TOML. `None` after the faults have been told; their text never quotes a line of the file, which may hold
/// a password.
pub(super) fn parse(text: &str, faults: &mut Faults) -> Option<Table> {
    let lines = Lines::new(text);
    let (root, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Some(table(root.get_ref(), &lines, faults));
    }
    for error in errors.iter().take(10) {
        let place = lines.place(error.span().map_or(text.len(), |span| span.start));
        faults.add(&place, "", format!("not TOML: {}", error.message()));
    }
    None
}

/// A value as `--set` gives it: TOML where it is TOML, else a text.
pub(super) fn loose_value(text: &str, place: &Place, faults: &mut Faults) -> Node {
    let value = match DeValue::parse(text) {
        Ok(parsed) => node(&parsed, &Lines::new(text), faults).value,
        Err(_) => Value::Text(text.to_owned()),
    };
    let mut node = Node {
        value,
        place: place.clone(),
        loose: Some(text.to_owned()),
    };
    put_all(&mut node, place);
    node
}

/// Gives a value and all in it one place.
fn put_all(node: &mut Node, place: &Place) {
    node.place = place.clone();
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| put_all(item, place)),
        Value::Table(table) => table.0.iter_mut().for_each(|entry| {
            entry.key_place = place.clone();
            put_all(&mut entry.node, place);
        }),
        _ => {}
    }
}

fn table(from: &DeTable<'_>, lines: &Lines<'_>, faults: &mut Faults) -> Table {
    let mut entries: Vec<_> = from.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    let entries = entries.into_iter().map(|(key, value)| Entry {
        key: key.get_ref().to_string(),
        key_place: lines.place(key.span().start),
        node: node(value, lines, faults),
    });
    Table(entries.collect())
}

fn node(from: &toml::Spanned<DeValue<'_>>, lines: &Lines<'_>, faults: &mut Faults) -> Node {
    let place = lines.place(from.span().start);
    let value = match from.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => {
            let parsed = i64::from_str_radix(number.as_str(), number.radix());
            if parsed.is_err() {
                faults.add(&place, "", "a number too large for any key");
            }
            Value::Integer(parsed.unwrap_or_default())
        }
        DeValue::Float(_) => Value::Float,
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Datetime(date) => Value::Date(*date),
        DeValue::Array(list) => {
            Value::List(list.iter().map(|item| node(item, lines, faults)).collect())
        }
        DeValue::Table(inner) => Value::Table(table(inner, lines, faults)),
    };
    Node {
        value,
        place,
        loose: None,
    }
}

/// Turns byte offsets into lines and columns.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        let mut starts = vec![0];
        starts.extend(memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1));
        Lines { text, starts }
    }

    fn place(&self, offset: usize) -> Place {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts[line.saturating_sub(1)];
        let before = self.text.get(start..offset).unwrap_or_default();
        Place::At {
            line,
            column: before.chars().count() + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn parsed(text: &str) -> Result<Table, Vec<String>> {
        let mut faults = Faults::new(Path::new("j.toml"));
        let table = parse(text, &mut faults);
        table.ok_or_else(|| {
            faults
                .into_errors()
                .iter()
                .map(ToString::to_string)
                .collect()
        })
    }

    #[test]
    fn values_know_their_place() {
        let table = parsed("a = 1\n[b]\n\"ü\" = \"é\"\n").unwrap();
        let Value::Table(inner) = &table.get("b").unwrap().value else {
            panic!("b is a table");
        };
        let entry = &inner.0[0];
        assert_eq!(entry.key_place, Place::At { line: 3, column: 1 });
        assert_eq!(entry.node.place, Place::At { line: 3, column: 7 });
    }

    #[test]
    fn a_syntax_error_does_not_quote_the_line() {
        let errors = parsed("version = 1\npassword = hunter2 \"hunter2\"\n").unwrap_err();
        assert!(errors[0].starts_with("j.toml:2:"), "{errors:?}");
        assert!(errors.iter().all(|e| !e.contains("hunter2")), "{errors:?}");
    }

    #[test]
    fn several_syntax_errors_are_told_at_once() {
        let errors = parsed("a = \nb = 1\nb = 2\n").unwrap_err();
        assert_eq!(errors.len(), 2, "{errors:?}");
        assert!(errors[1].starts_with("j.toml:3:1: not TOML: duplicate key"));
    }

    #[test]
    fn a_huge_number_is_told() {
        let mut faults = Faults::new(Path::new("j.toml"));
        parse("a = 99999999999999999999", &mut faults).unwrap();
        assert_eq!(
            faults.into_errors()[0].to_string(),
            "j.toml:1:5: a number too large for any key"
        );
    }
}
