//! The little of IMAP's grammar that a test's reader needs: atoms, strings, literals, lists.

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Atoms, numbers, flags, NIL: as they stand.
    Atom(Vec<u8>),
    /// Quoted strings, unescaped, and literals.
    Text(Vec<u8>),
    List(Vec<Value>),
}

impl Value {
    /// The bytes of an atom or a string; nothing for a list.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Value::Atom(b) | Value::Text(b) => b,
            Value::List(_) => b"",
        }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }

    pub fn list(&self) -> &[Value] {
        match self {
            Value::List(l) => l,
            _ => &[],
        }
    }

    pub fn number(&self) -> u32 {
        self.text()
            .parse()
            .unwrap_or_else(|_| panic!("no number: {self:?}"))
    }
}

/// Parses a whole response, whose literals stand in it as `{n}` CRLF and n bytes.
pub fn parse(bytes: &[u8]) -> Vec<Value> {
    let mut at = 0;
    items(bytes, &mut at)
}

fn items(bytes: &[u8], at: &mut usize) -> Vec<Value> {
    let mut out = Vec::new();
    while *at < bytes.len() {
        match bytes[*at] {
            b' ' | b'\r' | b'\n' => *at += 1,
            b')' => {
                *at += 1;
                return out;
            }
            b'(' => {
                *at += 1;
                out.push(Value::List(items(bytes, at)));
            }
            b'"' => out.push(quoted(bytes, at)),
            b'{' => out.push(literal(bytes, at)),
            _ => out.push(atom(bytes, at)),
        }
    }
    out
}

fn quoted(bytes: &[u8], at: &mut usize) -> Value {
    let mut out = Vec::new();
    *at += 1;
    while *at < bytes.len() && bytes[*at] != b'"' {
        if bytes[*at] == b'\\' {
            *at += 1;
        }
        out.extend(bytes.get(*at));
        *at += 1;
    }
    *at += 1;
    Value::Text(out)
}

fn literal(bytes: &[u8], at: &mut usize) -> Value {
    let size = literal_size(&bytes[..bytes.len().min(*at + 24)][*at..]).expect("a literal");
    let line = bytes[*at..].iter().position(|&b| b == b'\n').expect("CRLF");
    let start = *at + line + 1;
    *at = start + size;
    Value::Text(bytes[start..*at].to_vec())
}

/// `{n}` at the start of `bytes`.
fn literal_size(bytes: &[u8]) -> Option<usize> {
    let end = bytes.iter().position(|&b| b == b'}')?;
    std::str::from_utf8(&bytes[1..end]).ok()?.parse().ok()
}

/// The size of the literal that a line announces at its end.
pub fn announced(line: &[u8]) -> Option<usize> {
    let line = line.strip_suffix(b"\r\n")?;
    let open = line.iter().rposition(|&b| b == b'{')?;
    line.ends_with(b"}").then(|| literal_size(&line[open..]))?
}

fn atom(bytes: &[u8], at: &mut usize) -> Value {
    let start = *at;
    let mut depth = 0;
    while *at < bytes.len() {
        match bytes[*at] {
            b'[' => depth += 1,
            b']' => depth -= 1,
            b' ' | b'(' | b')' | b'\r' if depth <= 0 => break,
            _ => {}
        }
        *at += 1;
    }
    Value::Atom(bytes[start..*at].to_vec())
}

#[test]
fn a_fetch_with_a_literal() {
    let v = parse(b"* 3 FETCH (UID 7 FLAGS (\\Seen a) BODY[] {4}\r\na)\r\n X \"q\\\"\")\r\n");
    assert_eq!(v[1].number(), 3);
    let list = v[3].list();
    assert_eq!(list[3].list()[1].text(), "a");
    assert_eq!(list[5].bytes(), b"a)\r\n");
    assert_eq!(list[7].text(), "q\"");
    assert_eq!(announced(b"* OK {12}\r\n"), Some(12));
    assert_eq!(announced(b"* OK {x}\r\n"), None);
}
