//! What programs write into headers because an mbox has no other place: flags, keywords, Gmail's labels.
//!
//! The fields stay in the message's bytes; here they are only read.

use super::labels::{self, Labels};
use crate::message::Flags;
use crate::message::header::{self, Field};

/// What the header of a message in an mbox tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks {
    /// `\Deleted` too where Thunderbird has expunged the message and not yet compacted the file.
    pub flags: Flags,
    /// `X-Gmail-Labels`, where it is there.
    pub labels: Option<Labels>,
    /// Is it no mail, but what IMAP servers and Pine keep at the start of a file?
    pub internal: bool,
}

/// Reads a header, with CRLF or LF.
#[must_use]
pub fn marks(head: &[u8]) -> Marks {
    let mut marks = Marks::default();
    let mut uw = false;
    for field in header::fields(head) {
        uw |= is(&field, "X-IMAP") || is(&field, "X-IMAPbase");
        marks.take(&field);
    }
    if let Some(labels) = &marks.labels {
        marks.flags.seen |= !labels.unread;
        marks.flags.flagged |= labels.starred;
        marks.flags.draft |= labels.draft;
    }
    let subject = header::first(head, "Subject").unwrap_or_default();
    marks.internal = uw && memchr::memmem::find(&subject, b"FOLDER INTERNAL DATA").is_some();
    marks
}

/// Fields that change while the message stays the same.
const STATE: [&str; 13] = [
    "Status",
    "X-Status",
    "X-Keywords",
    "X-UID",
    "X-IMAP",
    "X-IMAPbase",
    "X-Mozilla-Status",
    "X-Mozilla-Status2",
    "X-Mozilla-Keys",
    "X-Evolution",
    "X-Gmail-Labels",
    "Content-Length",
    "Lines",
];

/// Are there any in this header?
#[must_use]
pub fn has_state(head: &[u8]) -> bool {
    header::fields(head).any(|field| STATE.iter().any(|name| is(&field, name)))
}

/// The header without them.
#[must_use]
pub fn without_state(head: &[u8]) -> Vec<u8> {
    let (mut rest, mut start) = (Vec::with_capacity(head.len()), 0);
    for (from, to) in state_fields(head) {
        rest.extend(&head[start..from]);
        start = to;
    }
    rest.extend(&head[start..]);
    rest
}

/// Where they stand in a header: the first byte of each and the first behind its line end.
pub(super) fn state_fields(head: &[u8]) -> Vec<(usize, usize)> {
    let start = head.as_ptr() as usize;
    let place = |field: Field<'_>| {
        let from = field.name.as_ptr() as usize - start;
        let end = field.value.as_ptr() as usize - start + field.value.len();
        let line_end = memchr::memchr(b'\n', &head[end..]).map_or(head.len(), |at| end + at + 1);
        (from, line_end)
    };
    header::fields(head)
        .filter(|field| STATE.iter().any(|name| is(field, name)))
        .map(place)
        .collect()
}

fn is(field: &Field<'_>, name: &str) -> bool {
    field.name.eq_ignore_ascii_case(name.as_bytes())
}

impl Marks {
    fn take(&mut self, field: &Field<'_>) {
        let value = String::from_utf8_lossy(field.value);
        let value = value.trim();
        if is(field, "Status") || is(field, "X-Status") {
            value.chars().for_each(|letter| self.letter(letter));
        } else if is(field, "X-Mozilla-Status") {
            self.mozilla(hex(value));
        } else if is(field, "X-Mozilla-Status2") {
            self.mozilla_more(hex(value));
        } else if is(field, "X-Keywords") || is(field, "X-Mozilla-Keys") {
            let words = value.split(|c: char| c.is_whitespace() || c == ',');
            words.for_each(|keyword| self.flags.insert(keyword));
        } else if is(field, "X-Gmail-Labels") {
            self.labels = Some(labels::parse(field.value));
        }
    }

    /// Of `Status` and `X-Status`: mutt, Pine, Dovecot and the UW server agree on these.
    fn letter(&mut self, letter: char) {
        match letter {
            'R' => self.flags.seen = true,
            'A' => self.flags.answered = true,
            'F' => self.flags.flagged = true,
            'T' => self.flags.draft = true,
            'D' => self.flags.deleted = true,
            _ => {}
        }
    }

    fn mozilla(&mut self, bits: u32) {
        self.flags.seen |= bits & 0x0001 != 0;
        self.flags.answered |= bits & 0x0002 != 0;
        self.flags.flagged |= bits & 0x0004 != 0;
        self.flags.deleted |= bits & 0x0008 != 0;
        if bits & 0x1000 != 0 {
            self.flags.insert("$Forwarded");
        }
    }

    /// The upper half: a label of old versions as a number, and whether a receipt was sent.
    fn mozilla_more(&mut self, bits: u32) {
        self.flags.deleted |= bits & 0x0020_0000 != 0;
        let label = bits >> 25 & 7;
        if (1..=5).contains(&label) {
            self.flags.insert(&format!("$label{label}"));
        }
        if bits & 0x0080_0000 != 0 {
            self.flags.insert("$MDNSent");
        }
    }
}

/// 0 for what is no number.
fn hex(value: &str) -> u32 {
    u32::from_str_radix(value, 16).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(head: &str) -> String {
        marks(head.as_bytes()).flags.to_text()
    }

    #[test]
    fn letters_of_unix_programs() {
        assert_eq!(
            flags("Status: RO\nX-Status: AFT\n\n"),
            "\\Seen \\Answered \\Flagged \\Draft"
        );
        assert_eq!(
            flags("Status: O\nX-Status: D\nX-Keywords: work $Forwarded   \n\n"),
            "\\Deleted $Forwarded work"
        );
        assert_eq!(flags("A: 1\n\nStatus: R\n"), "");
    }

    #[test]
    fn numbers_of_thunderbird() {
        assert_eq!(
            flags("X-Mozilla-Status: 1007\nX-Mozilla-Keys: $label1 NonJunk   \n\n"),
            "\\Seen \\Answered \\Flagged $Forwarded $label1 NonJunk"
        );
        assert_eq!(
            flags("X-Mozilla-Status: 0009\nX-Mozilla-Status2: 00000000\n\n"),
            "\\Seen \\Deleted"
        );
        assert_eq!(
            flags("X-Mozilla-Status: 0000\nX-Mozilla-Status2: 06800000\n\n"),
            "$MDNSent $label3"
        );
        assert_eq!(flags("X-Mozilla-Status: none\n\n"), "");
    }

    #[test]
    fn the_message_that_is_no_mail() {
        let data = b"From: Mail System Internal Data <x@y>\nSubject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\nX-IMAP: 1 2\nStatus: RO\n\n";
        assert!(marks(data).internal);
        assert!(!marks(b"Subject: hello\nX-IMAPbase: 1 2\n\n").internal);
        assert!(!marks(b"Subject: about FOLDER INTERNAL DATA\n\n").internal);
    }

    #[test]
    fn state_is_told_from_what_stays() {
        let head = b"A: 1\r\nStatus: RO\r\nB: 2\r\n C\r\nX-Mozilla-Keys:  \r\n  x\r\n\r\n";
        let without: Vec<&[u8]> = state_fields(head)
            .iter()
            .map(|&(a, b)| &head[a..b])
            .collect();
        assert_eq!(
            without,
            [&b"Status: RO\r\n"[..], b"X-Mozilla-Keys:  \r\n  x\r\n"]
        );
        assert_eq!(state_fields(b"Status: RO"), [(0, 10)]);
    }

    #[test]
    fn labels_of_gmail_are_flags_too() {
        let read = marks(b"X-Gmail-Labels: Inbox,Starred\n\n");
        assert_eq!(read.flags.to_text(), "\\Seen \\Flagged");
        assert_eq!(flags("X-Gmail-Labels: Drafts,Unread\n\n"), "\\Draft");
    }
}
