//! The items of a FETCH response (RFC 9051 §7.5.2), in any order, unknown ones passed over.

use super::response::Line;
use super::scan::{Scanner, Value};
use super::state;
use crate::message::{Flags, InternalDate, labels};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// What stands in the place of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content<'a> {
    Nil,
    Bytes(Cow<'a, [u8]>),
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Items<'a> {
    pub(super) uid: Option<u32>,
    pub(super) flags: Option<Flags>,
    /// X-GM-LABELS.
    pub(super) labels: Option<BTreeSet<String>>,
    pub(super) date: Option<InternalDate>,
    pub(super) size: Option<u64>,
    /// `BODY[]`
    pub(super) body: Option<Content<'a>>,
    /// `BODY[HEADER.FIELDS …]`
    pub(super) head: Option<Content<'a>>,
}

impl<'a> Items<'a> {
    /// The flags, with the labels where those were told too. A star is a flag, not a label.
    pub(super) fn take_flags(&mut self) -> Option<Flags> {
        let mut flags = self.flags.take()?;
        if let Some(mut labels) = self.labels.take() {
            flags.flagged |= labels.remove(labels::STARRED);
            flags.labels = labels;
        }
        Some(flags)
    }

    /// `Ok(None)`: no FETCH response. `Err(())`: one that cannot be read.
    pub(super) fn of(line: &Line<'a>) -> Result<Option<Self>, Unreadable> {
        match line {
            Line::Numbered(_, name, scanner) if name.eq_ignore_ascii_case(b"FETCH") => {
                parse(&mut scanner.clone()).map(Some).ok_or(Unreadable)
            }
            _ => Ok(None),
        }
    }
}

/// A FETCH response that is malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable;

fn parse<'a>(scanner: &mut Scanner<'a>) -> Option<Items<'a>> {
    if scanner.value()? != Value::Open {
        return None;
    }
    let mut items = Items::default();
    loop {
        if scanner.rest().trim_ascii_start().first() == Some(&b')') {
            return Some(items);
        }
        let name = scanner.item()?;
        item(&mut items, name, scanner)?;
    }
}

fn item<'a>(items: &mut Items<'a>, name: &[u8], scanner: &mut Scanner<'a>) -> Option<()> {
    match name.to_ascii_uppercase().as_slice() {
        b"UID" => items.uid = scanner.value()?.number(),
        b"RFC822.SIZE" => items.size = scanner.value()?.number(),
        b"FLAGS" => items.flags = Some(state::flags(&scanner.atoms()?)),
        b"X-GM-LABELS" => items.labels = Some(labelled(scanner)?),
        b"INTERNALDATE" => {
            let text = scanner.value()?.string();
            items.date = text.and_then(|text| InternalDate::parse_imap(&text));
        }
        b"BODY[]" | b"BODY[]<0>" => items.body = Some(content(scanner)?),
        other if other.starts_with(b"BODY[HEADER.FIELDS") => items.head = Some(content(scanner)?),
        _ => scanner.skip()?,
    }
    Some(())
}

/// A list of strings in any form; a value that is no list has none, and what is no string within it is passed over.
fn labelled(scanner: &mut Scanner<'_>) -> Option<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    if scanner.value()? != Value::Open {
        return Some(found);
    }
    let mut depth = 1;
    while depth > 0 {
        match scanner.value()? {
            Value::Open => depth += 1,
            Value::Close => depth -= 1,
            // A label may be called NIL.
            Value::Atom(bytes) | Value::Literal(bytes) => found.extend(labels::from_wire(bytes)),
            Value::Quoted(bytes) => found.extend(labels::from_wire(&bytes)),
        }
    }
    Some(found)
}

fn content<'a>(scanner: &mut Scanner<'a>) -> Option<Content<'a>> {
    let value = scanner.value()?;
    if value.is_nil() {
        return Some(Content::Nil);
    }
    value.string().map(Content::Bytes)
}

/// Does a line end where the literal of a whole body begins?
pub(super) fn at_body(line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    let ends = |name: &[u8]| {
        line.len() > name.len() && line[line.len() - name.len()..].eq_ignore_ascii_case(name)
    };
    let boundary = |name: &[u8]| matches!(line[line.len() - name.len() - 1], b' ' | b'(');
    [&b"BODY[]"[..], b"BODY[]<0>"]
        .iter()
        .any(|name| ends(name) && boundary(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::response::Raw;

    type Found = (Option<u32>, Option<Flags>, Option<u64>, bool);

    fn items(line: &str) -> Result<Option<Found>, Unreadable> {
        let raw = Raw {
            line: line.as_bytes().to_vec(),
            literals: Vec::new(),
        };
        let line = Line::parse(&raw).unwrap();
        let found = Items::of(&line)?;
        Ok(found.map(|i| (i.uid, i.flags, i.size, i.body == Some(Content::Nil))))
    }

    #[test]
    fn any_order_and_unknown_items() {
        let found = items(
            "* 3 FETCH (BODY[] NIL X-GM-LABELS (\"a\" \\Sent (b)) MODSEQ (12) FLAGS (\\Seen a]b \\Recent) \
             INTERNALDATE NIL ENVELOPE (NIL (NIL)) BODY[1.MIME] \"x\" RFC822.SIZE 12 UID 9 )",
        );
        let (uid, flags, size, nil) = found.unwrap().unwrap();
        assert_eq!((uid, size, nil), (Some(9), Some(12), true));
        let flags = flags.unwrap();
        assert!(flags.seen && flags.keywords.contains("a]b"));
        assert_eq!(flags.keywords.len(), 1);
    }

    fn labels_of(line: &str, literal: &[u8]) -> Flags {
        let raw = Raw {
            line: line.as_bytes().to_vec(),
            literals: line
                .find('{')
                .map(|at| crate::imap::scan::Literal {
                    at,
                    bytes: literal.to_vec(),
                })
                .into_iter()
                .collect(),
        };
        let line = Line::parse(&raw).unwrap();
        Items::of(&line).unwrap().unwrap().take_flags().unwrap()
    }

    #[test]
    fn labels_in_every_form() {
        let flags = labels_of(
            r#"* 1 FETCH (FLAGS () X-GM-LABELS (\Inbox "\\Sent" "Muy Importante" {3} NIL "\\Starred" (x)) UID 3)"#,
            b"a/b",
        );
        let labels: Vec<&str> = flags.labels.iter().map(String::as_str).collect();
        assert_eq!(
            labels,
            ["Muy Importante", "NIL", "\\Inbox", "\\Sent", "a/b", "x"]
        );
        assert!(flags.flagged);
        for none in ["NIL", "()"] {
            let line = format!("* 1 FETCH (X-GM-LABELS {none} FLAGS (\\Seen))");
            let flags = labels_of(&line, b"");
            assert!(flags.labels.is_empty() && flags.seen, "{none}");
        }
    }

    #[test]
    fn malformed_responses_are_told() {
        for line in [
            "* 1 FETCH",
            "* 1 FETCH (",
            "* 1 FETCH (UID",
            "* 1 FETCH (UID 3",
            "* 1 FETCH (BODY[ NIL)",
            "* 1 FETCH (FLAGS ((\\Seen)))",
            "* 1 FETCH (BODY[] {-1}",
            "* 1 FETCH UID 3",
        ] {
            assert_eq!(items(line), Err(Unreadable), "{line}");
        }
        assert_eq!(items("* 1 EXISTS"), Ok(None));
        assert_eq!(items("* 1 FETCH ()"), Ok(Some((None, None, None, false))));
    }

    #[test]
    fn only_whole_bodies_are_streamed() {
        assert!(at_body(b"* 1 FETCH (UID 3 BODY[] ") && at_body(b"* 1 FETCH (body[] "));
        assert!(!at_body(b"* 1 FETCH (BODY[HEADER] ") && !at_body(b"* 1 FETCH (XBODY[] "));
        assert!(!at_body(b"BODY[]"));
    }
}
