//! How a server introduces itself: its greeting, and its answer to ID (RFC 2971).

use super::scan::{Scanner, Value};

/// What a server says of itself. Nothing but hints: anybody can say anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Introduction {
    /// The greeting with its response code, made text; empty where it came before STARTTLS and counts for nothing.
    pub greeting: String,
    /// What its answer to ID gives as `name` (RFC 2971 §3.3), made text.
    pub name: Option<String>,
}

/// The `name` in what stands behind `* ID`.
pub(super) fn name(scanner: &mut Scanner<'_>) -> Option<String> {
    if scanner.value()? != Value::Open {
        return None;
    }
    loop {
        let key = scanner.value()?.string()?;
        let value = scanner.value()?.string();
        if key.eq_ignore_ascii_case(b"name") {
            return value.map(|value| String::from_utf8_lossy(&value).into_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_stands_anywhere_or_nowhere() {
        let of = |line: &str| name(&mut Scanner::new(line.as_bytes(), &[]));
        assert_eq!(
            of(r#" ("vendor" "V" "Name" "Cyrus \"x\"")"#).as_deref(),
            Some("Cyrus \"x\"")
        );
        assert_eq!(of(r#" ("vendor" NIL "name" "D")"#).as_deref(), Some("D"));
        for line in [
            " NIL",
            " (\"name\" NIL)",
            " (\"vendor\" \"V\")",
            " (",
            "",
            " (\"name\"",
            " ((\"name\" \"x\"))",
        ] {
            assert_eq!(of(line), None, "{line}");
        }
    }
}
