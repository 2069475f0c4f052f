//! Why two messages count as the same or not, and what error codes mean, for people.

use super::table::{Column, table};
use super::units::{instant, number};
use super::{Paint, errors, own, text};
use crate::error::Code;
use crate::identity::{Explanation, FieldLine, FirstByte, Ruling, Side, Verdict};
use crate::message::text::safe;

/// The longest field that is shown, in characters.
const LONGEST: usize = 200;

/// The word for a verdict.
#[must_use]
pub fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Same => "same",
        Verdict::Contradicted => "contradicted",
        Verdict::Different => "different",
    }
}

/// Two messages, in lines.
#[must_use]
pub fn lines(explanation: &Explanation, paint: Paint) -> Vec<String> {
    let mut lines = sides(&explanation.first, &explanation.second);
    lines.push(String::new());
    lines.extend(rulings(&explanation.rulings, paint));
    if !explanation.fields.is_empty() {
        lines.push(String::new());
        lines.push("header fields that only one of them has:".to_owned());
        lines.extend(explanation.fields.iter().map(field));
    }
    lines.push(String::new());
    lines.push(match explanation.first_byte {
        Some(first) => first_byte(first),
        None => "every byte is equal".to_owned(),
    });
    lines
}

fn sides(first: &Side, second: &Side) -> Vec<String> {
    let columns = [
        Column::text(""),
        Column::whole("First"),
        Column::whole("Second"),
    ];
    let bytes = |bytes: &[u8]| safe(bytes, LONGEST);
    type Shown<'a> = (&'static str, &'a dyn Fn(&Side) -> String);
    let shown: [Shown<'_>; 7] = [
        ("Message-ID", &|side| {
            side.header
                .message_id
                .as_deref()
                .map_or_else(|| "none".to_owned(), bytes)
        }),
        ("Date", &|side| {
            side.header.date.map_or_else(|| "none".to_owned(), instant)
        }),
        ("From", &|side| bytes(&side.header.from)),
        ("Subject", &|side| bytes(&side.header.subject)),
        ("Bytes", &|side| number(side.size)),
        ("Digest", &|side| side.digests.exact.to_string()),
        ("Loose digest", &|side| side.digests.loose.to_string()),
    ];
    // One below the other where a line would be too long to be read.
    let mut rows = Vec::new();
    for (name, show) in shown {
        let (a, b) = (show(first), show(second));
        if a == b || a.chars().count() <= 30 {
            let b = if a == b { "the same".to_owned() } else { b };
            rows.push(vec![name.to_owned(), a, b]);
        } else {
            rows.push(vec![name.to_owned(), a]);
            rows.push(vec![String::new(), b, "(the second's)".to_owned()]);
        }
    }
    table(&columns, &rows)
}

fn rulings(rulings: &[Ruling], paint: Paint) -> Vec<String> {
    let line = |ruling: &Ruling| {
        let how = if ruling.by_headers {
            ", by headers alone"
        } else {
            ""
        };
        let verdict = match ruling.verdict {
            Verdict::Same => paint.strong(verdict(ruling.verdict)),
            _ => paint.dubious(verdict(ruling.verdict)),
        };
        format!(
            "dedup = \"{}\"{how}: {verdict}: {}",
            ruling.rule, ruling.reason
        )
    };
    rulings.iter().map(line).collect()
}

fn field(field: &FieldLine) -> String {
    let which = if field.first { "first" } else { "second" };
    let (name, value) = (
        safe(&field.name, 80),
        safe(field.value.trim_ascii(), LONGEST),
    );
    format!("  {which}: {name}: {value}")
}

fn first_byte(first: FirstByte) -> String {
    let shown = |byte: Option<u8>| match byte {
        None => "the end".to_owned(),
        Some(byte @ 0x21..=0x7e) => format!("0x{byte:02x} '{}'", char::from(byte)),
        Some(byte) => format!("0x{byte:02x}"),
    };
    format!(
        "the first difference: byte {} (line {}, column {}): {} in the first, {} in the second",
        number(first.offset as u64),
        number(first.line as u64),
        number(first.column as u64),
        shown(first.bytes.0),
        shown(first.bytes.1)
    )
}

/// An error code, in lines.
#[must_use]
pub fn code(code: Code, paint: Paint) -> Vec<String> {
    vec![
        format!("{}: {}", paint.strong(code.as_str()), own(code.meaning())),
        errors::attempt(code.remedy(), paint),
    ]
}

/// The codes there are, for who asks for another.
#[must_use]
pub fn known_codes() -> String {
    let words: Vec<String> = Code::ALL.iter().map(|code| text(code.as_str())).collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::explain;

    #[test]
    fn bytes_of_messages_reach_no_terminal_raw() {
        let one = b"Message-ID: <\x1b[2J@b>\r\nSubject: \xe2\x80\xaeevil\r\nX-\x1b: a\r\nX-Y: \x07\r\n\r\n\x1b".to_vec();
        let two = b"Message-ID: <a@b>\r\nX-Y: b\r\n\r\nx".to_vec();
        for (a, b) in [(&one, &two), (&two, &one), (&one, &one)] {
            let shown = lines(&explain(a, b), Paint::PLAIN).join("\n");
            let bad = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            assert!(!shown.contains(bad), "{shown:?}");
        }
    }

    #[test]
    fn the_first_difference_is_placed() {
        let shown = lines(
            &explain(b"A: b\r\n\r\nx\r\n", b"A: b\r\n\r\nx"),
            Paint::PLAIN,
        );
        let last = shown.last().unwrap();
        assert_eq!(
            last,
            "the first difference: byte 9 (line 3, column 2): 0x0d in the first, the end in the second"
        );
        let same = lines(&explain(b"A: b\r\n", b"A: b\r\n"), Paint::PLAIN);
        assert_eq!(same.last().unwrap(), "every byte is equal");
    }
}
