//! Header values as people read them: encoded words (RFC 2047) decoded, folding undone. For showing and searching only.

use super::header;
use mail_parser::HeaderValue;
use mail_parser::parsers::MessageStream;

/// The text of a raw header value: unfolded, white space collapsed, encoded words of all common charsets decoded, wherever they
/// stand (many programs put them inside quotes too). Bytes that are no UTF-8 become U+FFFD. Not safe to print: see
/// [`text::safe`](super::text::safe).
#[must_use]
pub fn decoded(value: &[u8]) -> String {
    let mut line = header::collapse(value);
    line.push(b'\n');
    let text = match MessageStream::new(&line).parse_unstructured() {
        HeaderValue::Text(text) => text.into_owned(),
        _ => String::new(),
    };
    // What was encoded may hold line ends and runs of spaces again.
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The first field of that name, decoded; empty where there is none.
#[must_use]
pub fn first(head: &[u8], name: &str) -> String {
    header::fields(head)
        .find(|field| field.name.eq_ignore_ascii_case(name.as_bytes()))
        .map(|field| decoded(field.value))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn encoded_words_known_answers() {
        let cases: [(&[u8], &str); 9] = [
            (b" plain text ", "plain text"),
            (b" folded\r\n\tonce\n twice", "folded once twice"),
            (b" =?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
            (b"=?ISO-8859-1?B?R3L832U=?= aus Wien", "Grüße aus Wien"),
            (b"=?utf-8?q?a?=\r\n =?utf-8?q?b?=", "ab"),
            (b"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?= <a@b>", "日本 <a@b>"),
            (b"=?koi8-r?B?8NLJ18XU?=", "Привет"),
            (b"=?utf-8?q?broken", "=?utf-8?q?broken"),
            (b"raw \xc3\xa9 and \xe9", "raw é and \u{fffd}"),
        ];
        for (raw, text) in cases {
            assert_eq!(decoded(raw), text);
        }
        assert_eq!(
            first(b"To: x\nSubject: =?utf-8?q?=C3=A9?=\n", "subject"),
            "é"
        );
        assert_eq!(first(b"To: x\n", "subject"), "");
    }

    proptest! {
        #[test]
        fn anything_can_be_decoded(value in prop::collection::vec(prop::sample::select(b"=?utf-8bq \r\n\tQ=\xff\"".to_vec()), 0..60)) {
            let text = decoded(&value);
            prop_assert_eq!(text.trim(), &text);
        }
    }
}
