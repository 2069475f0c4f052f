//! Mail addresses out of header fields (RFC 5322 §3.4), as real mail has them.

/// Every address of a field's value, lower case: what stands in angle brackets, else the bare address. Comments,
/// quoted display names, group names and source routes (`<@a,@b:c@d>`) are passed over.
pub(super) fn addresses(value: &[u8]) -> Vec<String> {
    let mut scan = Scan::default();
    let mut bytes = value.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => scan.quoted(&mut bytes),
            b'(' => skip_comment(&mut bytes),
            b'<' => scan.bracketed = Some(inside_brackets(&mut bytes)),
            b',' | b';' => scan.end(),
            // The name of a group stands before its colon.
            b':' => scan.bare.clear(),
            _ => scan.bare.push(byte),
        }
    }
    scan.end();
    scan.found
}

#[derive(Default)]
struct Scan {
    found: Vec<String>,
    bare: Vec<u8>,
    bracketed: Option<Vec<u8>>,
}

impl Scan {
    /// One address is over.
    fn end(&mut self) {
        let bare = std::mem::take(&mut self.bare);
        let address = self.bracketed.take().unwrap_or(bare);
        let text = String::from_utf8_lossy(&address);
        let plain: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        if plain.contains('@') {
            self.found.push(plain.to_lowercase());
        }
    }

    /// A quoted string: it belongs to a bare address (`"a b"@example.org`), and does no harm in a display name.
    fn quoted(&mut self, bytes: &mut impl Iterator<Item = u8>) {
        self.bare.push(b'"');
        while let Some(byte) = bytes.next() {
            match byte {
                b'"' => break,
                b'\\' => self.bare.extend(bytes.next()),
                _ => self.bare.push(byte),
            }
        }
        self.bare.push(b'"');
    }
}

/// Up to the `>` or the end, a source route taken off.
fn inside_brackets(bytes: &mut impl Iterator<Item = u8>) -> Vec<u8> {
    let mut inside = Vec::new();
    let mut in_quotes = false;
    for byte in bytes {
        match byte {
            b'"' => in_quotes = !in_quotes,
            b'>' if !in_quotes => break,
            b':' if !in_quotes => {
                inside.clear();
                continue;
            }
            _ => {}
        }
        inside.push(byte);
    }
    inside
}

/// Past the end of a comment; they nest.
fn skip_comment(bytes: &mut impl Iterator<Item = u8>) {
    let mut depth = 1;
    while let Some(byte) = bytes.next() {
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            b'\\' => {
                bytes.next();
            }
            _ => {}
        }
        if depth == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_an_address() {
        let cases: [(&str, &[&str]); 11] = [
            ("a@x.org", &["a@x.org"]),
            ("Budi <Budi@X.org>", &["budi@x.org"]),
            ("\"Budi, (S) <b@y>\" <a@x.org>", &["a@x.org"]),
            ("a@x (c, <b@y> (nested)), c@z", &["a@x", "c@z"]),
            ("Team: a@x, B <b@y>; c@z", &["a@x", "b@y", "c@z"]),
            ("undisclosed-recipients:;", &[]),
            ("<@r1,@r2:a@x>", &["a@x"]),
            ("\"a b\"@x.org", &["\"ab\"@x.org"]),
            ("<a@x", &["a@x"]),
            ("\"open (quote", &[]),
            ("", &[]),
        ];
        for (value, expected) in cases {
            assert_eq!(addresses(value.as_bytes()), expected, "{value}");
        }
    }

    #[test]
    fn other_bytes_do_no_harm() {
        assert_eq!(addresses(b"\xff\xfe <a@x>, \\"), ["a@x"]);
        assert!(addresses(b"(((\\").is_empty());
    }
}
