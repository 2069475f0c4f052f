//! A message as a person reads it: headers and text decoded, attachments named. For showing only; nothing here is ever copied.

use super::{decoded, header};
use mail_parser::{Message, MessageParser, MessagePart, MimeHeaders, PartType};

/// What is worth reading of a message. All of it is text of unknown origin: whoever prints it makes it safe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readable {
    /// All header fields in their order: name, and value decoded and unfolded.
    pub headers: Vec<(String, String)>,
    /// The text parts, LF line ends; HTML where there is nothing else, as text.
    pub text: String,
    /// Was the text taken out of HTML?
    pub from_html: bool,
    pub attachments: Vec<Attachment>,
}

/// A part that is no text to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Empty where it has none.
    pub name: String,
    /// `application/pdf`.
    pub media_type: String,
    /// Decoded, in bytes.
    pub size: u64,
}

impl Readable {
    /// Reads a whole message, CRLF or LF. Whatever is wrong with it, there is something to show: what cannot be parsed is all text.
    #[must_use]
    pub fn new(message: &[u8]) -> Self {
        let headers = header::fields(message)
            .map(|field| {
                let name = String::from_utf8_lossy(field.name).into_owned();
                (name, decoded::decoded(field.value))
            })
            .collect();
        match MessageParser::default().parse(message) {
            Some(parsed) => Readable {
                headers,
                text: text(&parsed),
                from_html: is_html(&parsed),
                attachments: parsed.attachments().map(attachment).collect(),
            },
            None => Readable {
                headers,
                text: lines(&String::from_utf8_lossy(
                    &message[header::head_len(message)..],
                )),
                from_html: false,
                attachments: Vec::new(),
            },
        }
    }

    /// The first field of that name, decoded.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

fn text(parsed: &Message<'_>) -> String {
    let parts = (0..parsed.text_body_count()).filter_map(|at| parsed.body_text(at));
    parts
        .map(|part| lines(&part))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Is there no text but HTML?
fn is_html(parsed: &Message<'_>) -> bool {
    let mut bodies = parsed.text_bodies().peekable();
    bodies.peek().is_some() && bodies.all(|part| matches!(part.body, PartType::Html(_)))
}

fn lines(text: &str) -> String {
    text.replace("\r\n", "\n")
}

fn attachment(part: &MessagePart<'_>) -> Attachment {
    let (name, media_type) = (part.attachment_name(), part.content_type());
    let media_type = match (media_type, &part.body) {
        (Some(found), _) => match found.subtype() {
            Some(subtype) => format!("{}/{subtype}", found.ctype()),
            None => found.ctype().to_owned(),
        },
        (None, PartType::Message(_)) => "message/rfc822".to_owned(),
        (None, _) => "text/plain".to_owned(),
    };
    Attachment {
        name: name.unwrap_or_default().to_owned(),
        media_type: media_type.to_ascii_lowercase(),
        size: match &part.body {
            PartType::Message(inner) => inner.raw_message.len() as u64,
            _ => part.contents().len() as u64,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MIXED: &[u8] = b"From: =?utf-8?q?J=C3=B6rg?= <j@example.org>\r\n\
        Subject: photos\r\nMIME-Version: 1.0\r\n\
        Content-Type: multipart/mixed; boundary=b\r\n\r\n\
        --b\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\
        Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=DFe\r\n\
        --b\r\nContent-Type: image/PNG; name=\"=?utf-8?q?f=C3=BCr.png?=\"\r\n\
        Content-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\nAAEC\r\n--b--\r\n";

    #[test]
    fn text_is_decoded_and_attachments_are_named() {
        let read = Readable::new(MIXED);
        assert_eq!(read.header("FROM"), Some("Jörg <j@example.org>"));
        assert_eq!(read.headers.len(), 4);
        assert_eq!(read.text.trim_end(), "Grüße");
        assert!(!read.from_html);
        let png = Attachment {
            name: "für.png".into(),
            media_type: "image/png".into(),
            size: 3,
        };
        assert_eq!(read.attachments, [png]);
    }

    #[test]
    fn html_alone_is_shown_as_text() {
        let read =
            Readable::new(b"Content-Type: text/html\n\n<p>one &amp; two</p><script>x</script>\n");
        assert!(read.from_html);
        assert!(read.text.contains("one & two"), "{:?}", read.text);
        assert!(!read.text.contains('<'));
        let plain = Readable::new(
            b"Content-Type: multipart/alternative; boundary=b\n\n--b\n\nplain\n--b\nContent-Type: text/html\n\n<b>rich</b>\n--b--\n",
        );
        assert_eq!((plain.text.trim(), plain.from_html), ("plain", false));
    }

    #[test]
    fn what_is_no_message_is_shown_all_the_same() {
        assert_eq!(Readable::new(b"").text, "");
        let read = Readable::new(b"\r\njust text\r\n");
        assert!(read.headers.is_empty());
        assert_eq!(read.text, "just text\n");
    }

    proptest! {
        #[test]
        fn anything_can_be_read(bytes in prop::collection::vec(
            prop::sample::select(b"--b:;=/\"?<> \r\n\xffContent-Type: multipart/mixed; boundary=b\r\n".to_vec()), 0..200)) {
            let read = Readable::new(&bytes);
            prop_assert_eq!(read.headers.len(), header::fields(&bytes).count());
        }
    }
}
