//! `{column}` in the texts of a job, filled from one line of the CSV of accounts.
//!
//! What a column holds comes from somebody else's spreadsheet, so it is only ever a value: it cannot become part of a
//! regular expression, of a shell command or of a path.

use super::accounts::Row;
use super::error::{Faults, Place, nearest, quoted};
use super::tree::{Node, Table, Value};

/// What a text of the job is, which decides what a column may do to it.
#[derive(Clone, Copy, PartialEq)]
enum Use {
    Plain,
    Command,
    Path,
    Regex,
    Replacement,
    Glob,
    /// `{year}` is the message's, not a column's.
    RouteFolder,
}

/// Fills every text of the job; `accounts` itself has no columns.
pub(super) fn fill(root: &mut Table, row: &Row, faults: &mut Faults) {
    for entry in root.0.iter_mut().filter(|e| e.key != "accounts") {
        fill_node(&mut entry.node, &entry.key, Use::Plain, row, faults);
    }
}

fn fill_node(node: &mut Node, key: &str, meant: Use, row: &Row, faults: &mut Faults) {
    match &mut node.value {
        Value::Table(table) => {
            for entry in &mut table.0 {
                let meant = use_of(key, &entry.key);
                let name = format!("{key}.{}", entry.key);
                fill_node(&mut entry.node, &name, meant, row, faults);
            }
        }
        Value::List(items) => {
            let pair = meant == Use::Replacement;
            for (at, item) in items.iter_mut().enumerate() {
                let meant = if pair && at == 0 && !matches!(item.value, Value::List(_)) {
                    Use::Regex
                } else {
                    meant
                };
                fill_node(item, key, meant, row, faults);
            }
        }
        Value::Text(text) if text.contains('{') => match filled(text, meant, row) {
            Ok(new) => {
                node.loose = Some(new.clone());
                *text = new;
                node.place = row.place(&node.place);
            }
            Err(Fault::Column(message, hint)) => faults.add_try(&node.place, key, message, hint),
            Err(Fault::Value(message, hint)) => {
                faults.add_try(&row.place(&node.place), key, message, hint);
            }
        },
        _ => {}
    }
}

fn use_of(table: &str, key: &str) -> Use {
    match key {
        "command" => Use::Command,
        "path" | "file" | "ca-file" | "key-file" => Use::Path,
        "map" => Use::Replacement,
        "include" | "exclude" | "from" | "to" | "list-id" => Use::Glob,
        "folder" if table.starts_with("route") => Use::RouteFolder,
        _ => Use::Plain,
    }
}

/// What is wrong, and what to do.
#[derive(Debug)]
enum Fault {
    /// With the job: it is the same for every line of the CSV.
    Column(String, String),
    /// With what this line holds.
    Value(String, String),
}

/// A text with its `{column}`s replaced and `{{` made `{`. Braces around anything that cannot be a column's name stay.
fn filled(text: &str, meant: Use, row: &Row) -> Result<String, Fault> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('{') {
            out.push('{');
            rest = after;
            continue;
        }
        let name = rest.split_once('}').map(|(name, _)| name);
        match name.filter(|n| is_column(n)) {
            Some("year") if meant == Use::RouteFolder => out.push('{'),
            Some(name) => {
                out.push_str(&value(name, meant, row)?);
                rest = &rest[name.len() + 1..];
            }
            None => out.push('{'),
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// Can this be a column's name? (Regular expressions have braces too, but with digits in them.)
pub(super) fn is_column(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

/// The first `{column}` of a text.
pub(super) fn first_column(text: &str) -> Option<&str> {
    text.split('{')
        .skip(1)
        .filter_map(|part| part.split_once('}'))
        .map(|(name, _)| name)
        .find(|name| is_column(name))
}

fn value(name: &str, meant: Use, row: &Row) -> Result<String, Fault> {
    let Some(value) = row.get(name) else {
        return Err(no_such_column(name, row));
    };
    match meant {
        Use::Plain | Use::RouteFolder => Ok(value.to_owned()),
        Use::Regex => Ok(regex::escape(value)),
        Use::Replacement => Ok(value.replace('$', "$$")),
        Use::Glob => Ok(globset::escape(value)),
        Use::Command if is_shell_safe(value) => Ok(value.to_owned()),
        Use::Command => Err(Fault::Value(
            format!(
                "column {} holds a character that is not safe in a command",
                quoted(name)
            ),
            "only letters, digits and @ . _ + - (not first) are; or use env or file".to_owned(),
        )),
        Use::Path if is_path_safe(value) => Ok(value.to_owned()),
        Use::Path => Err(Fault::Value(
            format!("column {} holds what is not safe in a path", quoted(name)),
            "a value without / and \\ that does not begin with a dot".to_owned(),
        )),
    }
}

fn no_such_column(name: &str, row: &Row) -> Fault {
    let columns = row.columns();
    let hint = match nearest(name, columns.iter().copied()) {
        Some(near) => format!("did you mean {{{near}}}? A brace itself is written {{{{"),
        None => format!(
            "the columns are {}; a brace itself is written {{{{",
            columns.join(", ")
        ),
    };
    Fault::Column(format!("no column {} in the CSV", quoted(name)), hint)
}

fn is_shell_safe(value: &str) -> bool {
    let safe = |c: char| c.is_ascii_alphanumeric() || "@._+-".contains(c);
    !value.is_empty() && !value.starts_with('-') && value.chars().all(safe)
}

fn is_path_safe(value: &str) -> bool {
    !value.is_empty() && !value.starts_with('.') && !value.contains(['/', '\\', '\0'])
}

impl Row {
    /// The place of a text that this row has filled.
    pub(super) fn place(&self, place: &Place) -> Place {
        match place {
            Place::At { line, column } => Place::Row {
                line: *line,
                column: *column,
                csv: self.csv.clone(),
                row: self.number,
            },
            other => other.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(value: &str) -> Row {
        Row::new("users.csv".into(), 2, vec![("user".into(), value.into())])
    }

    #[test]
    fn columns_are_filled_and_other_braces_stay() {
        let row = row("budi");
        assert_eq!(
            filled("{user}.archive", Use::Plain, &row).unwrap(),
            "budi.archive"
        );
        assert_eq!(filled("{{user}", Use::Plain, &row).unwrap(), "{user}");
        assert_eq!(filled("a{2,3}{", Use::Regex, &row).unwrap(), "a{2,3}{");
        assert_eq!(filled("{year}", Use::RouteFolder, &row).unwrap(), "{year}");
    }

    #[test]
    fn an_unknown_column_is_told_with_the_nearest() {
        let unknown = |text| match filled(text, Use::Plain, &row("budi")) {
            Err(Fault::Column(message, hint)) => (message, hint),
            other => panic!("{other:?}"),
        };
        let (message, hint) = unknown("{usr}");
        assert_eq!(message, "no column \"usr\" in the CSV");
        assert!(hint.starts_with("did you mean {user}?"), "{hint}");
        let (_, hint) = unknown("{port}");
        assert!(hint.starts_with("the columns are user"), "{hint}");
    }

    #[test]
    fn a_value_cannot_become_a_command_or_a_path() {
        for bad in ["a;rm", "a b", "$(x)", "-x", "", "ü"] {
            assert!(
                filled("pass {user}", Use::Command, &row(bad)).is_err(),
                "{bad}"
            );
        }
        assert!(filled("pass {user}", Use::Command, &row("a.b+c@d-e_f")).is_ok());
        for bad in ["../x", "a/b", "a\\b", "."] {
            assert!(filled("{user}", Use::Path, &row(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_value_cannot_become_a_pattern() {
        assert_eq!(filled("{user}", Use::Regex, &row("a.b")).unwrap(), "a\\.b");
        assert_eq!(
            filled("{user}", Use::Replacement, &row("a$1")).unwrap(),
            "a$$1"
        );
        assert_eq!(filled("{user}", Use::Glob, &row("a*")).unwrap(), "a[*]");
    }

    #[test]
    fn the_first_column_is_found() {
        assert_eq!(first_column("x{1,2}{user}"), Some("user"));
        assert_eq!(first_column("x{1}"), None);
    }
}
