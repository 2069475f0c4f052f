//! `--set KEY=VALUE`: values of the command line put into the tree before it is checked.

use super::error::{Faults, Place};
use super::tree::{Entry, Node, Table, Value, loose_value};

/// Puts each override where its key says: `budget`, `source.port`, `source[2].port` (the first is 1). Tables that are
/// not there are made. What stands there already is replaced.
pub(super) fn apply(root: &mut Table, overrides: &[(String, String)], faults: &mut Faults) {
    for (key, value) in overrides {
        let place = Place::Set(key.clone());
        let node = loose_value(value, &place, faults);
        if let Err(message) = put(root, key, node, &place) {
            faults.add_try(&place, key, message, "--set source.port=1100");
        }
    }
}

fn put(table: &mut Table, key: &str, node: Node, place: &Place) -> Result<(), &'static str> {
    let Some((first, rest)) = key.split_once('.') else {
        return put_here(table, key, node, place);
    };
    let (name, number) = numbered(first)?;
    if table.get(name).is_none() {
        let empty = Node {
            value: Value::Table(Table::default()),
            place: place.clone(),
            loose: None,
        };
        put_here(table, name, empty, place)?;
    }
    let inner = table.get_mut(name).ok_or("there is no such key")?;
    put(table_of(inner, number)?, rest, node, place)
}

fn put_here(table: &mut Table, key: &str, node: Node, place: &Place) -> Result<(), &'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if key.is_empty() || !key.chars().all(plain) {
        return Err("expected a key such as source.port, and behind it = and a value");
    }
    match table.get_mut(key) {
        Some(there) => *there = node,
        None => table.0.push(Entry {
            key: key.to_owned(),
            key_place: place.clone(),
            node,
        }),
    }
    Ok(())
}

/// `source[2]` in its parts.
fn numbered(part: &str) -> Result<(&str, Option<usize>), &'static str> {
    let Some((name, rest)) = part.split_once('[') else {
        return Ok((part, None));
    };
    let number = rest.strip_suffix(']').and_then(|n| n.parse().ok());
    match number {
        Some(number) if number > 0 => Ok((name, Some(number))),
        _ => Err("expected a number from 1 between [ and ]"),
    }
}

/// The table that a key means, one of several where it is a list.
fn table_of(node: &mut Node, number: Option<usize>) -> Result<&mut Table, &'static str> {
    match (&mut node.value, number) {
        (Value::Table(table), None | Some(1)) => Ok(table),
        (Value::List(items), number) => {
            if number.is_none() && items.len() > 1 {
                return Err("there are several: say which, as in source[2].port");
            }
            let item = items.get_mut(number.unwrap_or(1) - 1);
            match item.map(|item| &mut item.value) {
                Some(Value::Table(table)) => Ok(table),
                _ => Err("the job has not so many"),
            }
        }
        (Value::Table(_), _) => Err("the job has not so many"),
        (other, None) => {
            // `--set source.password.env=X` over `password = "…"`: the table takes its place.
            *other = Value::Table(Table::default());
            match other {
                Value::Table(table) => Ok(table),
                _ => Err("not a table"),
            }
        }
        _ => Err("not a list of tables"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::parse;
    use super::*;
    use std::path::Path;

    fn set(text: &str, key: &str, value: &str) -> Result<Table, String> {
        let mut faults = Faults::new(Path::new("j"));
        let mut table = parse(text, &mut faults).unwrap();
        apply(&mut table, &[(key.into(), value.into())], &mut faults);
        match faults.into_errors().first() {
            Some(error) => Err(error.to_string()),
            None => Ok(table),
        }
    }

    fn found(table: &Table, path: &[&str]) -> String {
        let mut node = table.get(path[0]).unwrap();
        for key in &path[1..] {
            let inner = match &node.value {
                Value::List(items) => &items[items.len() - 1].value,
                other => other,
            };
            let Value::Table(table) = inner else {
                panic!("{key} is in no table");
            };
            node = table.get(key).unwrap();
        }
        node.found()
    }

    #[test]
    fn a_value_is_replaced_or_added() {
        let job = "[source]\nport = 110\n";
        let table = set(job, "source.port", "1100").unwrap();
        assert_eq!(found(&table, &["source", "port"]), "1100");
        let table = set(job, "source.host", "127.0.0.1").unwrap();
        assert_eq!(found(&table, &["source", "host"]), "\"127.0.0.1\"");
        let table = set(job, "filter.max-size", "1MB").unwrap();
        assert_eq!(found(&table, &["filter", "max-size"]), "\"1MB\"");
    }

    #[test]
    fn one_of_several_is_named_by_number() {
        let job = "[[source]]\nport = 1\n[[source]]\nport = 2\n";
        let table = set(job, "source[2].port", "9").unwrap();
        assert_eq!(found(&table, &["source", "port"]), "9");
        assert!(
            set(job, "source.port", "9")
                .unwrap_err()
                .contains("several")
        );
        assert!(
            set(job, "source[3].port", "9")
                .unwrap_err()
                .contains("not so many")
        );
        assert!(
            set(job, "source[0].port", "9")
                .unwrap_err()
                .contains("from 1")
        );
    }

    #[test]
    fn a_bad_key_is_told_with_set() {
        let error = set("", "source..port", "9").unwrap_err();
        assert!(
            error.starts_with("--set source..port: expected a key"),
            "{error}"
        );
    }
}
