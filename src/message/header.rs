//! Finding header fields in raw bytes (RFC 5322 §2.2), tolerant of everything real mail holds.

/// One header field as it stands: `name` without the colon, `value` raw and still folded, without its final line end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    pub name: &'a [u8],
    pub value: &'a [u8],
}

/// The fields of a message (or of a header alone), in order. Line ends may be CRLF or LF. A line that is no field
/// and no continuation is passed over; the empty line ends it.
pub fn fields(message: &[u8]) -> impl Iterator<Item = Field<'_>> {
    let mut rest = message;
    std::iter::from_fn(move || {
        loop {
            let end = line_len(rest);
            if end == 0 || is_empty_line(&rest[..end]) {
                return None;
            }
            let mut end = end;
            while matches!(rest.get(end), Some(b' ' | b'\t')) {
                end += line_len(&rest[end..]);
            }
            let (unit, after) = rest.split_at(end);
            rest = after;
            if let Some(field) = field(unit) {
                return Some(field);
            }
        }
    })
}

/// Length of the first line, its LF included; 0 at the end only.
fn line_len(bytes: &[u8]) -> usize {
    memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1)
}

fn is_empty_line(line: &[u8]) -> bool {
    matches!(line, b"\r\n" | b"\n")
}

/// A line with its continuations, if it is a field. Old software leaves white space before the colon.
fn field(unit: &[u8]) -> Option<Field<'_>> {
    let colon = memchr::memchr(b':', unit)?;
    let name = unit[..colon].trim_ascii_end();
    if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
        return None;
    }
    let value = &unit[colon + 1..];
    let value = value.strip_suffix(b"\n").unwrap_or(value);
    let value = value.strip_suffix(b"\r").unwrap_or(value);
    Some(Field { name, value })
}

/// The first field of that name (ASCII case ignored), its value unfolded and its white space collapsed and trimmed.
#[must_use]
pub fn first(message: &[u8], name: &str) -> Option<Vec<u8>> {
    fields(message)
        .find(|field| field.name.eq_ignore_ascii_case(name.as_bytes()))
        .map(|field| collapse(field.value))
}

/// Unfolds: each run of spaces, tabs and line ends becomes one space; none at the edges.
#[must_use]
pub fn collapse(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    for word in value.split(u8::is_ascii_whitespace) {
        if !word.is_empty() {
            if !out.is_empty() {
                out.push(b' ');
            }
            out.extend_from_slice(word);
        }
    }
    out
}

/// The first Message-ID field: what stands between `<` and `>` (brackets kept), else the trimmed value; `None` where
/// there is none or it is empty.
#[must_use]
pub fn message_id(message: &[u8]) -> Option<Vec<u8>> {
    let value = first(message, "Message-ID")?;
    let id = bracketed(&value).unwrap_or(&value);
    let empty = id
        .iter()
        .all(|b| b.is_ascii_whitespace() || matches!(b, b'<' | b'>'));
    (!empty).then(|| id.to_vec())
}

/// The first `<…>` of a value, brackets included.
fn bracketed(value: &[u8]) -> Option<&[u8]> {
    let open = memchr::memchr(b'<', value)?;
    let close = open + memchr::memchr(b'>', &value[open..])?;
    Some(&value[open..=close])
}

/// Length in bytes of the header, the empty line that ends it included; the whole length where there is none.
#[must_use]
pub fn head_len(message: &[u8]) -> usize {
    let mut at = 0;
    while at < message.len() {
        let end = at + line_len(&message[at..]);
        if is_empty_line(&message[at..end]) {
            return end;
        }
        at = end;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAIL: &[u8] = b"From someone Mon Jan  1 00:00:00 2001\n folded junk\nReceived: a\r\n\tb;\r\n  c\r\n\
        no field here\r\nSubject :  two\r\n  words \r\nsubject: later\r\nEmpty:\r\nMessage-Id: x <a@b> y\r\n\
        \r\nTo: body\r\n";

    #[test]
    fn fields_in_order_and_junk_passed_over() {
        let names: Vec<_> = fields(MAIL).map(|f| f.name).collect();
        let want: [&[u8]; 5] = [b"Received", b"Subject", b"subject", b"Empty", b"Message-Id"];
        assert_eq!(names, want);
        let received = fields(MAIL).next().map(|f| f.value);
        assert_eq!(received, Some(&b" a\r\n\tb;\r\n  c"[..]));
    }

    #[test]
    fn the_first_of_a_name_counts_unfolded() {
        assert_eq!(first(MAIL, "SUBJECT"), Some(b"two words".to_vec()));
        assert_eq!(first(MAIL, "Empty"), Some(Vec::new()));
        assert_eq!(first(MAIL, "To"), None);
        assert_eq!(message_id(MAIL), Some(b"<a@b>".to_vec()));
    }

    #[test]
    fn message_ids_of_odd_shape() {
        let id = |value: &[u8]| message_id(&[b"Message-ID:", value].concat());
        assert_eq!(id(b"\n <a@b>\n"), Some(b"<a@b>".to_vec()));
        assert_eq!(id(b" bare@id \r\n"), Some(b"bare@id".to_vec()));
        assert_eq!(id(b"<open"), Some(b"<open".to_vec()));
        assert_eq!(id(b">x<"), Some(b">x<".to_vec()));
        assert_eq!(id(b" <> "), None);
        assert_eq!(id(b"< >"), None);
        assert_eq!(id(b""), None);
        assert_eq!(message_id(b"Message-ID:\r\nMessage-ID: <b@c>\r\n"), None);
    }

    #[test]
    fn the_head_ends_at_the_empty_line() {
        assert_eq!(head_len(MAIL), MAIL.len() - b"To: body\r\n".len());
        assert_eq!(head_len(b"a: b\n\nc"), 6);
        assert_eq!(head_len(b"\r\nx"), 2);
        assert_eq!(head_len(b"a: b\r\n \r\nc"), 10);
        assert_eq!(head_len(b""), 0);
    }

    proptest! {
        #[test]
        fn anything_can_be_read(bytes in prop::collection::vec(prop::sample::select(b"a:<> \t\r\n\xff".to_vec()), 0..60)) {
            let head = head_len(&bytes);
            prop_assert!(head <= bytes.len());
            prop_assert_eq!(fields(&bytes).count(), fields(&bytes[..head]).count());
            prop_assert_eq!(message_id(&bytes), message_id(&bytes[..head]));
        }
    }
}
