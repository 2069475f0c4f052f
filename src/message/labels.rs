//! Labels of a message, as servers with X-GM-EXT-1 have them: as many as it likes, where others have one folder.
//!
//! A label is text. One of the server's own begins with a backslash (`\Inbox`, `\Important`), a user's is a name whose levels are
//! divided by `/`. On the wire and in files it has forms that no label can break out of.

use super::{SpecialUse, utf7};
use std::fmt::Write;

pub const INBOX: &str = "\\Inbox";
pub const SENT: &str = "\\Sent";
pub const DRAFT: &str = "\\Draft";
pub const SPAM: &str = "\\Spam";
pub const TRASH: &str = "\\Trash";
pub const IMPORTANT: &str = "\\Important";
pub const STARRED: &str = "\\Starred";

/// The server's own, in one writing, and what else they are called.
const OWN: [(&str, &[&str]); 7] = [
    (INBOX, &[]),
    (SENT, &[]),
    (DRAFT, &["\\Drafts"]),
    (SPAM, &["\\Junk"]),
    (TRASH, &[]),
    (IMPORTANT, &[]),
    (STARRED, &["\\Flagged"]),
];

/// Is it one of the server's own?
#[must_use]
pub fn is_own(label: &str) -> bool {
    label.starts_with('\\')
}

/// The same label to a server, which takes no notice of ASCII case?
#[must_use]
pub fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// A label from the wire: modified UTF-7, or UTF-8 where it is none. `None` for an empty one.
#[must_use]
pub fn from_wire(wire: &[u8]) -> Option<String> {
    if wire.is_empty() {
        return None;
    }
    let text = utf7::decode(wire).unwrap_or_else(|| String::from_utf8_lossy(wire).into_owned());
    let known = OWN
        .iter()
        .find(|(name, others)| same(name, &text) || others.iter().any(|other| same(other, &text)));
    Some(known.map_or(text, |(name, _)| (*name).to_owned()))
}

/// A user's label as the name of its mailbox, modified UTF-7.
#[must_use]
pub fn to_wire(label: &str) -> Vec<u8> {
    utf7::encode(label).into_bytes()
}

/// The label that a folder is the view of; `None` for the one that holds everything. `name`: wire bytes, `/` between levels.
#[must_use]
pub fn of_folder(name: &[u8], special_use: Option<SpecialUse>) -> Option<String> {
    let own = match special_use {
        Some(SpecialUse::All) => return None,
        Some(SpecialUse::Sent) => SENT,
        Some(SpecialUse::Drafts) => DRAFT,
        Some(SpecialUse::Junk) => SPAM,
        Some(SpecialUse::Trash) => TRASH,
        Some(SpecialUse::Important) => IMPORTANT,
        Some(SpecialUse::Flagged) => STARRED,
        _ if name.eq_ignore_ascii_case(b"INBOX") => INBOX,
        _ => return from_wire(name),
    };
    Some(own.to_owned())
}

/// One word without white space, for the journal and sidecars; [`from_word`] turns it back.
#[must_use]
pub fn to_word(label: &str) -> String {
    let mut word = String::with_capacity(label.len());
    for c in label.chars() {
        if c.is_ascii() && (c.is_ascii_whitespace() || c.is_ascii_control() || "%()\"".contains(c))
        {
            escape(&mut word, '%', c as u8);
        } else {
            word.push(c);
        }
    }
    word
}

fn escape(to: &mut String, mark: char, byte: u8) {
    // Writing to a string does not fail.
    write!(to, "{mark}{byte:02X}").ok();
}

/// The label that [`to_word`] wrote.
#[must_use]
pub fn from_word(word: &str) -> String {
    unescape(word, b'%')
}

fn unescape(word: &str, mark: u8) -> String {
    let bytes = word.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let code = (bytes[at] == mark)
            .then(|| word.get(at + 1..at + 3))
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        out.push(code.unwrap_or(bytes[at]));
        at += if code.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Keywords that mean something to mail programs and may not come to be by a label's name.
const MEANING: [&str; 8] = [
    "Junk",
    "NonJunk",
    "NotJunk",
    "Forwarded",
    "MDNSent",
    "SubmitPending",
    "Submitted",
    "Redirected",
];

/// A label as an IMAP keyword that every server takes, and no two labels as one: letters, digits and `-` stay, every other byte of
/// its UTF-8 becomes `_` and two hex digits. `\Important` is `$Important`; the server's other own ones are no keywords.
#[must_use]
pub fn to_keyword(label: &str) -> Option<String> {
    if label == IMPORTANT {
        return Some("$Important".to_owned());
    }
    if is_own(label) {
        return None;
    }
    let mut keyword = String::with_capacity(label.len());
    let meaning = MEANING.iter().any(|known| same(known, label));
    for (at, byte) in label.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric() || byte == b'-';
        match plain && !(at == 0 && meaning) {
            true => keyword.push(char::from(byte)),
            false => escape(&mut keyword, '_', byte),
        }
    }
    Some(keyword)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_wire_both_ways() {
        for (wire, label) in [
            (&b"\\Inbox"[..], INBOX),
            (b"\\DRAFTS", DRAFT),
            (b"\\Junk", SPAM),
            (b"\\Muted", "\\Muted"),
            (b"Gr&APYA3w-e/a b", "Größe/a b"),
            ("Größe".as_bytes(), "Größe"),
            (b"Foo & Bar", "Foo & Bar"),
        ] {
            assert_eq!(from_wire(wire).as_deref(), Some(label));
        }
        assert_eq!(from_wire(b""), None);
        assert_eq!(to_wire("Größe/a b"), b"Gr&APYA3w-e/a b");
    }

    #[test]
    fn folders_are_views_of_labels() {
        let of = |name: &str, special_use| of_folder(name.as_bytes(), special_use);
        assert_eq!(of("inbox", None).as_deref(), Some(INBOX));
        assert_eq!(of("[Gmail]/Alle", Some(SpecialUse::All)), None);
        assert_eq!(
            of("[Gmail]/Bin", Some(SpecialUse::Trash)).as_deref(),
            Some(TRASH)
        );
        assert_eq!(of("a/b", None).as_deref(), Some("a/b"));
    }

    #[test]
    fn keywords_keep_clear_of_those_that_mean_something() {
        assert_eq!(to_keyword("a/b c_").as_deref(), Some("a_2Fb_20c_5F"));
        assert_eq!(to_keyword("junk").as_deref(), Some("_6Aunk"));
        assert_eq!(to_keyword("$Forwarded").as_deref(), Some("_24Forwarded"));
        assert_eq!(to_keyword(IMPORTANT).as_deref(), Some("$Important"));
        assert_eq!(to_keyword(INBOX), None);
    }

    proptest! {
        #[test]
        fn a_word_comes_back(label: String) {
            let word = to_word(&label);
            prop_assert!(!word.contains(|c: char| c.is_ascii_whitespace()));
            prop_assert_eq!(from_word(&word), label);
        }

        #[test]
        fn a_keyword_comes_back(label in "[^\\\\].*") {
            let keyword = to_keyword(&label).unwrap_or_default();
            prop_assert!(keyword.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
            prop_assert_eq!(unescape(&keyword, b'_'), label);
        }
    }
}
