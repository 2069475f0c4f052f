//! Arguments of commands: strings that cannot break out of their place, and sets of UIDs in lines of bounded length.

use super::fault::local;
use crate::error::Result;
use crate::message::InternalDate;

/// The longest set written into one command, in bytes: servers bound their lines at 8 KiB and more.
const SET_BYTES: usize = 8000;

/// One piece of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// Bytes that go as they are.
    Text(Vec<u8>),
    /// The same, but they are not shown in a trace.
    Elided(Vec<u8>),
    /// Bytes that have to go as a literal (RFC 9051 §4.3).
    Literal(Vec<u8>),
}

/// A command in the making, without its tag.
#[derive(Debug, Clone, Default)]
pub(super) struct Command {
    pub(super) parts: Vec<Part>,
}

impl Command {
    pub(super) fn new(text: &str) -> Self {
        Command::default().text(text)
    }

    /// Adds text, which must not come from outside.
    pub(super) fn text(mut self, text: &str) -> Self {
        self.push_text(text.as_bytes());
        self
    }

    fn push_text(&mut self, bytes: &[u8]) {
        if let Some(Part::Text(last)) = self.parts.last_mut() {
            last.extend_from_slice(bytes);
        } else {
            self.parts.push(Part::Text(bytes.to_vec()));
        }
    }

    /// As [`Command::string`], for what is not shown in a trace; the contents of a literal never are.
    pub(super) fn elided(mut self, bytes: &[u8]) -> Self {
        self.parts.push(match quoted(bytes) {
            Some(quoted) => Part::Elided(quoted),
            None => Part::Literal(bytes.to_vec()),
        });
        self
    }

    /// Adds a string of any bytes: quoted where a quoted string can hold it, else as a literal.
    pub(super) fn string(mut self, bytes: &[u8]) -> Self {
        match quoted(bytes) {
            Some(quoted) => self.push_text(&quoted),
            None => self.parts.push(Part::Literal(bytes.to_vec())),
        }
        self
    }
}

/// A quoted string (RFC 9051 §4.3), `None` where one cannot hold these bytes.
pub(super) fn quoted(bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.len() > 1000 || !bytes.iter().all(|b| (0x20..0x7f).contains(b)) {
        return None;
    }
    let mut out = Vec::with_capacity(bytes.len() + 2);
    out.push(b'"');
    for &byte in bytes {
        if byte == b'"' || byte == b'\\' {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
    Some(out)
}

/// The flags with a backslash that a client may set (RFC 9051 §2.3.2).
const SYSTEM: [&str; 5] = ["\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft"];

/// Can this be sent as a flag? A system flag or an atom (RFC 9051 §9): anything else could end the list, or the command. Dovecot
/// answers an unknown backslashed flag of an APPEND with BAD and takes the LITERAL+ message behind it for commands.
pub(super) fn is_flag(atom: &str) -> bool {
    let is_atom_byte = |b: u8| (0x21..0x7f).contains(&b) && !b"(){%*\"\\".contains(&b);
    SYSTEM.iter().any(|flag| flag.eq_ignore_ascii_case(atom))
        || !atom.is_empty() && atom.bytes().all(is_atom_byte)
}

/// The part of an APPEND between mailbox and literal (RFC 9051 §6.3.12): ` (flags) "date"`, each only where there is one.
pub(super) fn append_attributes(flags: &[String], date: Option<InternalDate>) -> String {
    let mut out = String::new();
    if !flags.is_empty() {
        out.push_str(" (");
        out.push_str(&flags.join(" "));
        out.push(')');
    }
    if let Some(date) = date {
        out.push_str(" \"");
        out.push_str(&date.to_imap());
        out.push('"');
    }
    out
}

/// UID ranges as sequence sets (RFC 9051 §9), in the order given, each short enough for one command.
/// `u32::MAX` is `*`. Errors: a range that is empty or starts at 0.
pub(super) fn sets(ranges: &[(u32, u32)]) -> Result<Vec<String>> {
    let mut sets = Vec::new();
    let mut set = String::new();
    for &(first, last) in ranges {
        if first == 0 || last < first {
            return Err(local(format!("{first}:{last} is no range of UIDs")));
        }
        if set.len() + 22 > SET_BYTES {
            sets.push(std::mem::take(&mut set));
        }
        if !set.is_empty() {
            set.push(',');
        }
        push_range(&mut set, first, last);
    }
    if !set.is_empty() {
        sets.push(set);
    }
    Ok(sets)
}

fn push_range(set: &mut String, first: u32, last: u32) {
    push_number(set, first);
    if last != first {
        set.push(':');
        push_number(set, last);
    }
}

fn push_number(set: &mut String, number: u32) {
    if number == u32::MAX {
        set.push('*');
    } else {
        set.push_str(&number.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_cannot_break_out() {
        assert_eq!(quoted(br#"a "b" \c"#).unwrap(), br#""a \"b\" \\c""#);
        for hostile in [&b"a\r\nA1 DELETE INBOX"[..], b"\0", b"\x80", b"a\n"] {
            assert_eq!(quoted(hostile), None);
            let command = Command::new("SELECT ").string(hostile);
            assert_eq!(command.parts[1], Part::Literal(hostile.to_vec()));
        }
    }

    #[test]
    fn flags_are_atoms() {
        for good in ["\\Seen", "$Forwarded", "a:b", "x]y"] {
            assert!(is_flag(good), "{good}");
        }
        for bad in [
            "", "\\", "a b", "a)", "(", "\"", "é", "a\r\n", "\\*", "\\Foo", "\\Recent", "{3}",
        ] {
            assert!(!is_flag(bad), "{bad}");
        }
    }

    #[test]
    fn sets_are_cut_into_lines() {
        assert_eq!(sets(&[(1, u32::MAX)]).unwrap(), ["1:*"]);
        assert_eq!(sets(&[(3, 3), (7, 9)]).unwrap(), ["3,7:9"]);
        assert!(sets(&[]).unwrap().is_empty());
        assert!(sets(&[(0, 3)]).is_err() && sets(&[(4, 3)]).is_err());
        let many: Vec<(u32, u32)> = (1..=5000).map(|n| (n * 2, n * 2)).collect();
        let cut = sets(&many).unwrap();
        assert!(cut.len() > 2 && cut.iter().all(|set| set.len() <= SET_BYTES));
        assert_eq!(cut.join(",").split(',').count(), 5000);
    }
}
