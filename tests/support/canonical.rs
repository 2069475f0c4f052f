//! Digests of messages, written a second time so that a mistake in the product's own is seen.

/// Canonical form: an LF without a CR before it becomes CRLF; all else stays.
pub fn canonical(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 32);
    for (i, &b) in bytes.iter().enumerate() {
        if b == b'\n' && (i == 0 || bytes[i - 1] != b'\r') {
            out.push(b'\r');
        }
        out.push(b);
    }
    out
}

/// BLAKE3 of the canonical form, in hexadecimal.
pub fn digest(bytes: &[u8]) -> String {
    blake3::hash(&canonical(bytes)).to_hex().to_string()
}

/// The value of the first Message-ID field, trimmed; bytes that are no UTF-8 are replaced.
pub fn message_id(bytes: &[u8]) -> Option<String> {
    let mut lines = bytes.split(|&b| b == b'\n');
    while let Some(line) = lines.next() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return None;
        }
        let Some(colon) = line.iter().position(|&b| b == b':') else {
            continue;
        };
        if line[..colon]
            .trim_ascii()
            .eq_ignore_ascii_case(b"message-id")
        {
            let mut value = line[colon + 1..].to_vec();
            if value.trim_ascii().is_empty() {
                value = lines.next().unwrap_or_default().to_vec();
            }
            return Some(String::from_utf8_lossy(value.trim_ascii()).into_owned());
        }
    }
    None
}

#[test]
fn only_a_lone_line_feed_changes() {
    assert_eq!(
        canonical(b"\na\r\nb\nc\rd\r\r\ne"),
        b"\r\na\r\nb\r\nc\rd\r\r\ne"
    );
    assert_eq!(digest(b"a\nb"), digest(b"a\r\nb"));
    assert_ne!(digest(b"a\r\n"), digest(b"a"));
}

#[test]
fn message_id_of_the_header_only() {
    let folded = b"Subject: x\r\nMESSAGE-ID:\r\n <a@b>\r\n\r\nMessage-ID: <no@no>\r\n";
    assert_eq!(message_id(folded).as_deref(), Some("<a@b>"));
    assert_eq!(message_id(b"Subject: x\n\nMessage-ID: <no@no>\n"), None);
}
