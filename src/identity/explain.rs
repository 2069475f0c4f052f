//! Why two messages count as the same or not: pure, over their bytes.

use super::{HeaderIdentity, Known, Verdict, compare, matches};
use crate::job::Dedup;
use crate::message::digest::digests;
use crate::message::{Digests, header};
use std::collections::HashMap;

/// Header fields that differ and are told one by one.
const TOLD: usize = 50;

/// One of the two messages.
#[derive(Debug, Clone)]
pub struct Side {
    /// Of the canonical form, in bytes.
    pub size: u64,
    pub digests: Digests,
    pub header: HeaderIdentity,
}

/// What one rule says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// A value of `dedup`.
    pub rule: &'static str,
    /// Only headers are known of the one at the destination, as when a run adopts what stands there.
    pub by_headers: bool,
    pub verdict: Verdict,
    pub reason: String,
}

/// A header field that one has and the other has not, raw and folded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldLine {
    /// In the first message, else in the second.
    pub first: bool,
    pub name: Vec<u8>,
    pub value: Vec<u8>,
}

/// The first place where the canonical forms differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirstByte {
    /// From 0.
    pub offset: usize,
    /// Both from 1.
    pub line: usize,
    pub column: usize,
    /// `None`: that message ends there.
    pub bytes: (Option<u8>, Option<u8>),
}

/// Two messages, the first as a source has it, the second as it stands at a destination.
#[derive(Debug, Clone)]
pub struct Explanation {
    pub first: Side,
    pub second: Side,
    pub rulings: Vec<Ruling>,
    /// At most fifty.
    pub fields: Vec<FieldLine>,
    /// `None`: every byte is equal.
    pub first_byte: Option<FirstByte>,
}

/// Explains two messages in canonical form.
#[must_use]
pub fn explain(first: &[u8], second: &[u8]) -> Explanation {
    let (ours, theirs) = (side(first), side(second));
    Explanation {
        rulings: rulings(&ours, &theirs),
        fields: fields(first, second),
        first_byte: first_byte(first, second),
        first: ours,
        second: theirs,
    }
}

fn side(bytes: &[u8]) -> Side {
    Side {
        size: bytes.len() as u64,
        digests: digests(bytes),
        header: HeaderIdentity::of(&bytes[..header::head_len(bytes)]),
    }
}

fn rulings(first: &Side, second: &Side) -> Vec<Ruling> {
    let rules = [
        (Dedup::MessageId, false),
        (Dedup::MessageId, true),
        (Dedup::Content, false),
        (Dedup::StrictMessageId, false),
        (Dedup::Off, false),
    ];
    rules
        .map(|(dedup, by_headers)| ruling(first, second, dedup, by_headers))
        .to_vec()
}

fn ruling(first: &Side, second: &Side, dedup: Dedup, by_headers: bool) -> Ruling {
    fn known(side: &Side, by_headers: bool) -> Known<'_> {
        Known {
            header: &side.header,
            digests: (!by_headers).then_some(side.digests),
            size: Some(side.size),
        }
    }
    let verdict = compare(known(first, false), known(second, by_headers), dedup);
    let (rule, reason) = match dedup {
        Dedup::MessageId if by_headers => ("message-id", by_header(first, second, verdict)),
        Dedup::MessageId => (
            "message-id",
            format!("{}; {}", ids(first, second), loose(first, second)),
        ),
        Dedup::Content => ("content", loose(first, second).to_owned()),
        Dedup::StrictMessageId => ("strict-message-id", ids(first, second).to_owned()),
        Dedup::Off => ("off", "nothing counts as the same".to_owned()),
    };
    Ruling {
        rule,
        by_headers,
        verdict,
        reason,
    }
}

fn ids(first: &Side, second: &Side) -> &'static str {
    match (&first.header.message_id, &second.header.message_id) {
        (Some(a), Some(b)) if a == b => "equal Message-IDs",
        (Some(a), Some(b)) if matches(a, b) => {
            "Message-IDs equal but for bytes that a server may replace"
        }
        (Some(_), Some(_)) => "other Message-IDs",
        (Some(_), None) => "only the first has a Message-ID",
        (None, Some(_)) => "only the second has a Message-ID",
        (None, None) => "no Message-IDs",
    }
}

fn loose(first: &Side, second: &Side) -> &'static str {
    if first.digests.exact == second.digests.exact {
        "equal in every byte"
    } else if first.digests.loose == second.digests.loose {
        "equal but for line ends at the very end"
    } else {
        "other content"
    }
}

fn by_header(first: &Side, second: &Side, verdict: Verdict) -> String {
    let (ours, theirs) = (&first.header, &second.header);
    let named = [
        (
            "Date",
            ours.date.zip(theirs.date).is_some_and(|(a, b)| a != b),
        ),
        ("From", !matches(&ours.from, &theirs.from)),
        ("Subject", !matches(&ours.subject, &theirs.subject)),
    ];
    let differ: Vec<&str> = named
        .iter()
        .filter(|(_, differs)| *differs)
        .map(|(name, _)| *name)
        .collect();
    let what = match differ.as_slice() {
        [] => "Date, From and Subject agree".to_owned(),
        names => format!("{} differ", names.join(" and ")),
    };
    let size = match (ours.message_id.is_some(), first.size == second.size) {
        (true, _) => "",
        (false, true) => ", sizes are equal",
        (false, false) => ", sizes differ",
    };
    let so = match verdict {
        Verdict::Contradicted => ": too much for one message, both are kept",
        Verdict::Same if !differ.is_empty() => ": one alone may have been changed on the way",
        _ => "",
    };
    format!("{}, {what}{size}{so}", ids(first, second))
}

/// Fields of one that the other has not (or not as often), in their order.
fn fields(first: &[u8], second: &[u8]) -> Vec<FieldLine> {
    let mut out = Vec::new();
    for (these, others, is_first) in [(first, second, true), (second, first, false)] {
        let mut rest: HashMap<(&[u8], &[u8]), usize> = HashMap::new();
        for field in header::fields(others) {
            *rest.entry((field.name, field.value)).or_default() += 1;
        }
        for field in header::fields(these) {
            match rest.get_mut(&(field.name, field.value)) {
                Some(left) if *left > 0 => *left -= 1,
                _ => out.push(FieldLine {
                    first: is_first,
                    name: field.name.to_vec(),
                    value: field.value.to_vec(),
                }),
            }
        }
    }
    out.truncate(TOLD);
    out
}

fn first_byte(first: &[u8], second: &[u8]) -> Option<FirstByte> {
    let same = first.iter().zip(second).take_while(|(a, b)| a == b).count();
    if same == first.len() && same == second.len() {
        return None;
    }
    let before = &first[..same];
    let start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
    Some(FirstByte {
        offset: same,
        line: memchr::memchr_iter(b'\n', before).count() + 1,
        column: same - start + 1,
        bytes: (first.get(same).copied(), second.get(same).copied()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict_of(explanation: &Explanation, rule: &str, by_headers: bool) -> (Verdict, String) {
        let same = |r: &&Ruling| r.rule == rule && r.by_headers == by_headers;
        let found = explanation.rulings.iter().find(same).unwrap();
        (found.verdict, found.reason.clone())
    }

    fn mail(id: &str, from: &str, subject: &str, body: &str) -> Vec<u8> {
        format!("Message-ID: {id}\r\nFrom: {from}\r\nSubject: {subject}\r\nDate: Thu, 1 Jan 2015 00:00:00 +0000\r\n\r\n{body}").into_bytes()
    }

    #[test]
    fn equal_messages_are_the_same_under_every_rule_but_off() {
        let one = mail("<a@b>", "x", "s", "body\r\n");
        let told = explain(&one, &one);
        assert_eq!(told.first_byte, None);
        assert!(told.fields.is_empty());
        let same = told
            .rulings
            .iter()
            .filter(|r| r.verdict == Verdict::Same)
            .count();
        assert_eq!((same, told.rulings.len()), (4, 5));
    }

    #[test]
    fn the_first_byte_is_placed() {
        let (one, two) = (
            mail("<a@b>", "x", "s", "one\r\n"),
            mail("<a@b>", "x", "s", "ona\r\n"),
        );
        let told = explain(&one, &two);
        let first = told.first_byte.unwrap();
        assert_eq!((first.line, first.column), (6, 3));
        assert_eq!(first.bytes, (Some(b'e'), Some(b'a')));
        assert_eq!(one[first.offset], b'e');
        assert_eq!(
            verdict_of(&told, "message-id", false).0,
            Verdict::Contradicted
        );
        assert_eq!(verdict_of(&told, "message-id", true).0, Verdict::Same);
        assert_eq!(
            verdict_of(&told, "content", false),
            (Verdict::Different, "other content".into())
        );
        let shorter = explain(&one, &one[..one.len() - 2]);
        assert_eq!(shorter.first_byte.unwrap().bytes, (Some(b'\r'), None));
        assert_eq!(
            verdict_of(&shorter, "content", false).1,
            "equal but for line ends at the very end"
        );
    }

    #[test]
    fn headers_that_contradict_are_named() {
        let told = explain(&mail("<a@b>", "x", "s", ""), &mail("<a@b>", "y", "t", ""));
        let (verdict, reason) = verdict_of(&told, "message-id", true);
        assert_eq!(verdict, Verdict::Contradicted);
        assert!(reason.contains("From and Subject differ"), "{reason}");
        let names: Vec<&[u8]> = told.fields.iter().map(|f| f.name.as_slice()).collect();
        assert_eq!(names, [&b"From"[..], b"Subject", b"From", b"Subject"]);
        let told = explain(&mail("<a@b>", "x", "s", ""), &mail("<a@b>", "x", "t", ""));
        assert!(
            verdict_of(&told, "message-id", true)
                .1
                .contains("one alone")
        );
    }

    #[test]
    fn messages_without_an_id() {
        let told = explain(b"Subject: a\r\n\r\nx", b"Subject: a\r\n\r\nxy");
        assert_eq!(
            verdict_of(&told, "strict-message-id", false),
            (Verdict::Different, "no Message-IDs".into())
        );
        assert!(
            verdict_of(&told, "message-id", true)
                .1
                .contains("sizes differ")
        );
    }
}
