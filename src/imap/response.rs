//! One response of the server: read from the wire with its literals, and taken apart.

use super::scan::{Literal, Scanner, number};

/// The longest response without its literals, in bytes.
pub(super) const LINE_CAP: usize = 1 << 20;

/// A response as it was read: its line without CRLF, each literal's bytes cut out (its `{n}` stays).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Raw {
    pub(super) line: Vec<u8>,
    pub(super) literals: Vec<Literal>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    No,
    Bad,
    Bye,
    Preauth,
}

impl Status {
    fn parse(word: &[u8]) -> Option<Self> {
        let known: [(&[u8], Status); 5] = [
            (b"OK", Status::Ok),
            (b"NO", Status::No),
            (b"BAD", Status::Bad),
            (b"BYE", Status::Bye),
            (b"PREAUTH", Status::Preauth),
        ];
        let found = known
            .iter()
            .find(|(name, _)| word.eq_ignore_ascii_case(name))?;
        Some(found.1)
    }
}

/// A status response (RFC 9051 §7.1): status, response code without brackets, text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Condition<'a> {
    pub(super) status: Status,
    pub(super) code: Option<&'a [u8]>,
    pub(super) text: &'a [u8],
}

impl<'a> Condition<'a> {
    fn parse(status: Status, rest: &'a [u8]) -> Self {
        let (code, text) = match code_len(rest) {
            Some(len) => (Some(&rest[1..len - 1]), rest[len..].trim_ascii_start()),
            None => (None, rest),
        };
        Condition { status, code, text }
    }

    /// The response code's name as it came, and a scanner over its arguments.
    pub(super) fn code(&self) -> Option<(&'a [u8], Scanner<'a>)> {
        let mut scanner = Scanner::new(self.code?, &[]);
        let name = scanner.word();
        Some((name, scanner))
    }

    pub(super) fn to_completion(self) -> Completion {
        Completion {
            status: self.status,
            code: self.code.map(<[u8]>::to_vec),
            text: self.text.to_vec(),
        }
    }
}

/// Length of `[…]` at the start. A `]` within parentheses does not end it: Fastmail put one into PERMANENTFLAGS.
fn code_len(text: &[u8]) -> Option<usize> {
    if text.first() != Some(&b'[') {
        return None;
    }
    let mut depth = 0i32;
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            b']' if depth <= 0 => return Some(at + 1),
            _ => {}
        }
    }
    memchr::memchr(b']', text).map(|at| at + 1)
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Completion {
    pub(super) status: Status,
    code: Option<Vec<u8>>,
    text: Vec<u8>,
}

impl Completion {
    pub(super) fn is_ok(&self) -> bool {
        self.status == Status::Ok
    }

    /// The response code's name in upper case.
    pub(super) fn code(&self) -> Option<String> {
        let name = Scanner::new(self.code.as_deref()?, &[]).word();
        Some(String::from_utf8_lossy(name).to_ascii_uppercase())
    }

    /// The arguments of the response code called `name`.
    pub(super) fn code_arguments(&self, name: &str) -> Option<Scanner<'_>> {
        let mut scanner = Scanner::new(self.code.as_deref()?, &[]);
        let is_it = scanner.word().eq_ignore_ascii_case(name.as_bytes());
        is_it.then_some(scanner)
    }

    /// Code and text as the server wrote them, bytes that are no UTF-8 as U+FFFD.
    pub(super) fn words(&self) -> String {
        let text = String::from_utf8_lossy(&self.text);
        match &self.code {
            Some(code) => format!("[{}] {text}", String::from_utf8_lossy(code)),
            None => text.into_owned(),
        }
    }
}

/// A response taken apart as far as everybody needs it.
#[derive(Debug, Clone)]
pub(super) enum Line<'a> {
    /// `+ …`: the server waits for the rest of a command.
    Continue(&'a [u8]),
    Tagged(&'a [u8], Condition<'a>),
    Untagged(Condition<'a>),
    /// `* 12 FETCH …`
    Numbered(u32, &'a [u8], Scanner<'a>),
    /// `* LIST …`
    Data(&'a [u8], Scanner<'a>),
}

impl<'a> Line<'a> {
    /// `None`: this is no IMAP.
    pub(super) fn parse(raw: &'a Raw) -> Option<Self> {
        if raw.line.first() == Some(&b'+') {
            return Some(Line::Continue(raw.line[1..].trim_ascii_start()));
        }
        let mut scanner = Scanner::new(&raw.line, &raw.literals);
        let tag = scanner.word();
        if tag.is_empty() {
            return None;
        }
        let first = scanner.word();
        let status = Status::parse(first).map(|status| Condition::parse(status, scanner.rest()));
        match status {
            Some(condition) if tag == b"*" => Some(Line::Untagged(condition)),
            Some(condition) => Some(Line::Tagged(tag, condition)),
            None if tag != b"*" => None,
            None => Some(Self::data(first, scanner)),
        }
    }

    fn data(first: &'a [u8], mut scanner: Scanner<'a>) -> Self {
        match number(first) {
            Some(n) => Line::Numbered(n, scanner.word(), scanner),
            None => Line::Data(first, scanner),
        }
    }
}

/// Is this a line whose end is free text, in which `{12}` announces nothing?
pub(super) fn ends_in_text(line: &[u8]) -> bool {
    let mut scanner = Scanner::new(line, &[]);
    line.first() == Some(&b'+') || {
        scanner.word();
        Status::parse(scanner.word()).is_some()
    }
}

/// The literal that a line announces at its end: where `{` (or `~{`) stands and how many bytes follow.
/// A size that does not fit comes as `u64::MAX`.
pub(super) fn announced(line: &[u8]) -> Option<(usize, u64)> {
    let inner = line.strip_suffix(b"}")?;
    let at = memchr::memrchr(b'{', inner)?;
    let digits = inner[at + 1..]
        .strip_suffix(b"+")
        .unwrap_or(&inner[at + 1..]);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some((at, number(digits).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(line: &str) -> Raw {
        Raw {
            line: line.as_bytes().to_vec(),
            literals: Vec::new(),
        }
    }

    #[test]
    fn a_bracket_within_permanentflags_does_not_end_the_code() {
        let raw = raw("* OK [PERMANENTFLAGS (\\Seen a]b \\*)] Flags permitted.");
        let Some(Line::Untagged(condition)) = Line::parse(&raw) else {
            panic!()
        };
        let (name, mut arguments) = condition.code().unwrap();
        assert_eq!(name, b"PERMANENTFLAGS");
        assert_eq!(arguments.atoms().unwrap(), [&b"\\Seen"[..], b"a]b", b"\\*"]);
        assert_eq!(condition.text, b"Flags permitted.");
    }

    #[test]
    fn missing_text_is_tolerated() {
        for line in [
            "m1 OK",
            "m1 OK ",
            "m1 ok [READ-ONLY]",
            "m1 OK [HIGHESTMODSEQ",
        ] {
            let raw = raw(line);
            assert!(
                matches!(Line::parse(&raw), Some(Line::Tagged(b"m1", c)) if c.status == Status::Ok),
                "{line}"
            );
        }
        let plus = raw("+");
        assert!(matches!(Line::parse(&plus), Some(Line::Continue(b""))));
    }

    #[test]
    fn what_is_no_response_is_told() {
        for line in ["", " ", "m1 HELLO", "m1"] {
            assert!(Line::parse(&raw(line)).is_none(), "{line:?}");
        }
    }

    #[test]
    fn literals_are_announced_at_the_end_only() {
        assert_eq!(announced(b"* 1 FETCH (BODY[] {12}"), Some((18, 12)));
        assert_eq!(announced(b"{4294967295}"), Some((0, 4_294_967_295)));
        assert_eq!(announced(b"{99999999999999999999999}"), Some((0, u64::MAX)));
        for none in [&b"{-1}"[..], b"{}", b"{1} ", b"12}", b"{1x}"] {
            assert_eq!(announced(none), None);
        }
        assert!(
            ends_in_text(b"m1 NO see {12}") && ends_in_text(b"* BYE {1}") && ends_in_text(b"+ {1}")
        );
        assert!(!ends_in_text(b"* 1 FETCH (BODY[] {12}"));
    }

    proptest::proptest! {
        #[test]
        fn no_response_panics(line: Vec<u8>) {
            let raw = Raw { line, literals: Vec::new() };
            if let Some(Line::Tagged(tag, _)) = Line::parse(&raw) {
                proptest::prop_assert!(!tag.is_empty());
            }
        }
    }
}
