//! Modified UTF-7 of IMAP mailbox names (RFC 3501 §5.1.3).

/// RFC 3501's base64: a comma for the slash.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/// Text to the bytes that go on the wire (all printable ASCII).
#[must_use]
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut shifted = Vec::new();
    for c in text.chars() {
        if !(' '..='~').contains(&c) {
            shifted.extend(c.encode_utf16(&mut [0; 2]).iter().copied());
            continue;
        }
        flush(&mut shifted, &mut out);
        out.push(c);
        if c == '&' {
            out.push('-');
        }
    }
    flush(&mut shifted, &mut out);
    out
}

/// Writes a run of UTF-16 as `&…-`.
fn flush(units: &mut Vec<u16>, out: &mut String) {
    if units.is_empty() {
        return;
    }
    let bytes: Vec<u8> = units.drain(..).flat_map(u16::to_be_bytes).collect();
    out.push('&');
    for group in bytes.chunks(3) {
        let bits = group
            .iter()
            .enumerate()
            .fold(0, |bits, (at, &b)| bits | u32::from(b) << (16 - 8 * at));
        for at in 0..=group.len() {
            out.push(char::from(ALPHABET[(bits >> (18 - 6 * at)) as usize & 63]));
        }
    }
    out.push('-');
}

/// Wire bytes to text. `None` where it is not well-formed modified UTF-7 (the caller then keeps the raw bytes).
///
/// Strict: it takes exactly what [`encode`] writes, so that no two wire names become one text.
#[must_use]
pub fn decode(wire: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(wire).ok().and_then(decode_any)?;
    (encode(&text).as_bytes() == wire).then_some(text)
}

/// Decodes also what [`encode`] would have written otherwise.
fn decode_any(wire: &str) -> Option<String> {
    let mut parts = wire.split('&');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (run, rest) = part.split_once('-')?;
        if run.is_empty() {
            out.push('&');
        } else {
            out.push_str(&String::from_utf16(&units(run)?).ok()?);
        }
        out.push_str(rest);
    }
    Some(out)
}

/// The UTF-16 in a run of base64. Bits left over are no unit; [`decode`] finds out whether they were zero.
fn units(run: &str) -> Option<Vec<u16>> {
    let (mut bits, mut held) = (0u32, 0);
    let mut units = Vec::with_capacity(run.len() / 2);
    for byte in run.bytes() {
        let value = ALPHABET.iter().position(|&b| b == byte)?;
        bits = bits << 6 | value as u32;
        held += 6;
        if held >= 16 {
            held -= 16;
            units.push((bits >> held & 0xFFFF) as u16);
        }
    }
    Some(units)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KNOWN: [(&str, &str); 7] = [
        ("Entwürfe", "Entw&APw-rfe"),
        ("Éléments envoyés", "&AMk-l&AOk-ments envoy&AOk-s"),
        ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
        ("Tom & Jerry", "Tom &- Jerry"),
        ("&", "&-"),
        ("😀", "&2D3eAA-"),
        ("a\nb", "a&AAo-b"),
    ];

    #[test]
    fn known_answers_both_ways() {
        for (text, wire) in KNOWN {
            assert_eq!(encode(text), wire);
            assert_eq!(decode(wire.as_bytes()).as_deref(), Some(text));
        }
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        let bad: [&[u8]; 12] = [
            b"&",
            b"a&b",
            b"Foo & Bar",
            b"&AGE-",
            b"&ACY-",
            b"&APw=-",
            b"&APx-",
            b"&2D0-",
            b"&APw-&APw-",
            b"&A-",
            b"caf\xc3\xa9",
            b"\xff",
        ];
        for wire in bad {
            assert_eq!(decode(wire), None, "{}", wire.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn text_survives(text: String) {
            let wire = encode(&text);
            prop_assert!(wire.bytes().all(|b| (0x20..0x7f).contains(&b)));
            prop_assert_eq!(decode(wire.as_bytes()), Some(text));
        }

        #[test]
        fn wire_never_panics_and_what_is_taken_survives(wire in "[&A-Ca-c,+=é -]{0,12}") {
            if let Some(text) = decode(wire.as_bytes()) {
                prop_assert_eq!(encode(&text), wire);
            }
        }
    }
}
