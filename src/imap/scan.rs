//! A byte scanner over one response: values of RFC 9051 §9, read leniently and without recursion.

use std::borrow::Cow;

/// A literal taken out of a response: its bytes, and where its announcement `{n}` stands in the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Literal {
    pub(super) at: usize,
    pub(super) bytes: Vec<u8>,
}

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Open,
    Close,
    /// Anything unquoted, `NIL` included.
    Atom(&'a [u8]),
    Quoted(Cow<'a, [u8]>),
    Literal(&'a [u8]),
}

impl<'a> Value<'a> {
    pub(super) fn is_nil(&self) -> bool {
        matches!(self, Value::Atom(atom) if atom.eq_ignore_ascii_case(b"NIL"))
    }

    /// A string in any of its three forms; `None` for NIL and parentheses.
    pub(super) fn string(self) -> Option<Cow<'a, [u8]>> {
        match self {
            value if value.is_nil() => None,
            Value::Atom(bytes) | Value::Literal(bytes) => Some(Cow::Borrowed(bytes)),
            Value::Quoted(bytes) => Some(bytes),
            Value::Open | Value::Close => None,
        }
    }

    pub(super) fn number<T: std::str::FromStr>(&self) -> Option<T> {
        match self {
            Value::Atom(bytes) => number(bytes),
            Value::Quoted(bytes) => number(bytes),
            _ => None,
        }
    }
}

/// Decimal digits and nothing else.
pub(super) fn number<T: std::str::FromStr>(bytes: &[u8]) -> Option<T> {
    if bytes.is_empty() || !bytes.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

/// Walks over a response line (without its CRLF).
#[derive(Debug, Clone)]
pub(super) struct Scanner<'a> {
    line: &'a [u8],
    at: usize,
    literals: &'a [Literal],
}

impl<'a> Scanner<'a> {
    pub(super) fn new(line: &'a [u8], literals: &'a [Literal]) -> Self {
        Scanner {
            line,
            at: 0,
            literals,
        }
    }

    pub(super) fn skip_spaces(&mut self) {
        while self.line.get(self.at) == Some(&b' ') {
            self.at += 1;
        }
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        &self.line[self.at.min(self.line.len())..]
    }

    /// The bytes up to the next space, which is passed over too.
    pub(super) fn word(&mut self) -> &'a [u8] {
        let rest = self.rest();
        let len = memchr::memchr(b' ', rest).unwrap_or(rest.len());
        self.at += len;
        self.skip_spaces();
        &rest[..len]
    }

    /// The next value; `None` at the end of the line and at anything that is no value.
    pub(super) fn value(&mut self) -> Option<Value<'a>> {
        self.skip_spaces();
        match *self.line.get(self.at)? {
            b'(' => {
                self.at += 1;
                Some(Value::Open)
            }
            b')' => {
                self.at += 1;
                Some(Value::Close)
            }
            b'"' => self.quoted().map(Value::Quoted),
            b'{' => self.literal().map(Value::Literal),
            b'~' if self.line.get(self.at + 1) == Some(&b'{') => {
                self.at += 1;
                self.literal().map(Value::Literal)
            }
            _ => Some(Value::Atom(self.atom())),
        }
    }

    fn atom(&mut self) -> &'a [u8] {
        let rest = self.rest();
        let len = rest
            .iter()
            .position(|b| matches!(b, b' ' | b'(' | b')'))
            .unwrap_or(rest.len());
        self.at += len;
        &rest[..len]
    }

    fn quoted(&mut self) -> Option<Cow<'a, [u8]>> {
        let start = self.at + 1;
        let mut out: Option<Vec<u8>> = None;
        let mut from = start;
        loop {
            let found = memchr::memchr2(b'"', b'\\', self.line.get(from..)?)? + from;
            if self.line[found] == b'"' {
                self.at = found + 1;
                return Some(match out {
                    None => Cow::Borrowed(&self.line[start..found]),
                    Some(mut out) => {
                        out.extend_from_slice(&self.line[from..found]);
                        Cow::Owned(out)
                    }
                });
            }
            let escaped = *self.line.get(found + 1)?;
            let out = out.get_or_insert_with(Vec::new);
            out.extend_from_slice(&self.line[from..found]);
            out.push(escaped);
            from = found + 2;
        }
    }

    fn literal(&mut self) -> Option<&'a [u8]> {
        let found = self.literals.iter().find(|l| l.at == self.at)?;
        let close = memchr::memchr(b'}', self.rest())?;
        self.at += close + 1;
        Some(&found.bytes)
    }

    /// The name of a FETCH item: a section and what stands in it belong to the name (`BODY[HEADER.FIELDS (DATE)]<0>`).
    pub(super) fn item(&mut self) -> Option<&'a [u8]> {
        self.skip_spaces();
        let start = self.at;
        let rest = self.rest();
        let len = rest
            .iter()
            .position(|b| matches!(b, b' ' | b'(' | b')' | b'['))?;
        self.at += len;
        if rest[len] == b'[' {
            self.at += section_len(&rest[len..])?;
            self.atom();
        }
        (self.at > start).then(|| &self.line[start..self.at])
    }

    /// Passes over one value, a list with all that is in it.
    pub(super) fn skip(&mut self) -> Option<()> {
        let mut depth = 0u32;
        loop {
            match self.value()? {
                Value::Open => depth += 1,
                Value::Close => depth = depth.checked_sub(1)?,
                _ => {}
            }
            if depth == 0 {
                return Some(());
            }
        }
    }

    /// A list of atoms such as flags: `(\Seen $Work a]b)`.
    pub(super) fn atoms(&mut self) -> Option<Vec<&'a [u8]>> {
        if self.value()? != Value::Open {
            return None;
        }
        let mut atoms = Vec::new();
        loop {
            match self.value()? {
                Value::Close => return Some(atoms),
                Value::Atom(atom) => atoms.push(atom),
                Value::Quoted(Cow::Borrowed(atom)) | Value::Literal(atom) => atoms.push(atom),
                Value::Quoted(Cow::Owned(_)) => {}
                Value::Open => return None,
            }
        }
    }
}

/// Length of `[…]`, brackets included; brackets within quotes do not count.
fn section_len(bytes: &[u8]) -> Option<usize> {
    let mut in_quotes = false;
    let mut skip = false;
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            _ if skip => skip = false,
            b'\\' if in_quotes => skip = true,
            b'"' => in_quotes = !in_quotes,
            b']' if !in_quotes => return Some(at + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(line: &[u8]) -> Vec<Value<'_>> {
        let mut scanner = Scanner::new(line, &[]);
        std::iter::from_fn(|| scanner.value()).collect()
    }

    #[test]
    fn values_of_all_forms() {
        assert_eq!(
            values(br#"(\Seen a]b) NIL "q\"\\" 12"#),
            [
                Value::Open,
                Value::Atom(b"\\Seen"),
                Value::Atom(b"a]b"),
                Value::Close,
                Value::Atom(b"NIL"),
                Value::Quoted(Cow::Owned(b"q\"\\".to_vec())),
                Value::Atom(b"12"),
            ]
        );
    }

    #[test]
    fn a_literal_counts_only_where_one_was_read() {
        let literals = [Literal {
            at: 2,
            bytes: b"x)y".to_vec(),
        }];
        let mut scanner = Scanner::new(b"A {3} B", &literals);
        assert_eq!(scanner.value(), Some(Value::Atom(b"A")));
        assert_eq!(scanner.value(), Some(Value::Literal(b"x)y")));
        assert_eq!(scanner.value(), Some(Value::Atom(b"B")));
        assert_eq!(Scanner::new(b"{3}", &[]).value(), None);
    }

    #[test]
    fn sections_belong_to_the_item() {
        let mut scanner = Scanner::new(b"BODY[HEADER.FIELDS (DATE \"a]b\")]<0> NIL", &[]);
        assert_eq!(
            scanner.item(),
            Some(&b"BODY[HEADER.FIELDS (DATE \"a]b\")]<0>"[..])
        );
        assert!(scanner.value().unwrap().is_nil());
    }

    #[test]
    fn a_million_parentheses_are_walked_without_recursion() {
        let mut line = vec![b'('; 1_000_000];
        assert_eq!(Scanner::new(&line, &[]).skip(), None);
        line.extend(vec![b')'; 1_000_000]);
        assert_eq!(Scanner::new(&line, &[]).skip(), Some(()));
    }

    proptest::proptest! {
        #[test]
        fn no_line_panics(line: Vec<u8>) {
            let mut scanner = Scanner::new(&line, &[]);
            while scanner.value().is_some() {}
            scanner = Scanner::new(&line, &[]);
            while scanner.item().is_some() && scanner.skip().is_some() {}
            proptest::prop_assert!(scanner.rest().len() <= line.len());
        }
    }
}
