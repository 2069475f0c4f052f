//! The items of a FETCH response (RFC 9051 §7.5.2), in any order, unknown ones passed over.

use super::response::Line;
use super::scan::{Scanner, Value};
use super::state;
use crate::message::{Flags, InternalDate};
use std::borrow::Cow;

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
    pub(super) date: Option<InternalDate>,
    pub(super) size: Option<u64>,
    /// `BODY[]`
    pub(super) body: Option<Content<'a>>,
    /// `BODY[HEADER.FIELDS …]`
    pub(super) head: Option<Content<'a>>,
}

impl<'a> Items<'a> {
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

    fn items(
        line: &str,
    ) -> Result<Option<(Option<u32>, Option<Flags>, Option<u64>, bool)>, Unreadable> {
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
