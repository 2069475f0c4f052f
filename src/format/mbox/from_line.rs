//! The From_ line that stands before a message: `From SENDER DATE`, in the forms that fifty years have left.

use crate::message::{InternalDate, header};
use chrono::DateTime;

/// Longer lines are no From_ lines.
pub(super) const LONGEST: usize = 1024;
/// A sender with more words than a person's name has is a sentence.
const WORDS: usize = 24;
const LONGEST_SENDER: usize = 200;

/// What a From_ line tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FromLine {
    /// As it stands; pipermail writes `user at example.org`, Netscape `-`, Eudora `???@???`. May be empty.
    pub sender: Vec<u8>,
    /// `None` for a line without a date. One without a zone counts as UTC.
    pub date: Option<InternalDate>,
}

/// Parses a line without its line end. `None` where it does not start with `From `.
pub(super) fn parse(line: &[u8]) -> Option<FromLine> {
    let rest = line.strip_prefix(b"From ")?;
    // Sentences that start so are frequent, and few of them hold a time.
    let dated = has_time(rest).then(|| dated(rest)).flatten();
    Some(dated.unwrap_or_else(|| FromLine {
        sender: rest.trim_ascii().to_vec(),
        date: None,
    }))
}

fn has_time(text: &[u8]) -> bool {
    let digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
    memchr::memchr_iter(b':', text).any(|at| at > 0 && digit(at - 1) && digit(at + 1))
}

/// A sender, perhaps none, and a date behind it.
fn dated(rest: &[u8]) -> Option<FromLine> {
    let words: Vec<&[u8]> = rest
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
        .take(WORDS + 1)
        .collect();
    if words.len() > WORDS {
        return None;
    }
    let (at, date) = (0..words.len()).find_map(|at| Some((at, date(&words[at..])?)))?;
    Some(FromLine {
        sender: words[..at].join(&b' '),
        date: Some(date),
    })
}

/// Words that are a whole date and nothing else: day, month, time and year, perhaps a weekday, zones, and `remote from HOST`.
fn date(words: &[&[u8]]) -> Option<InternalDate> {
    let remote = words
        .windows(2)
        .position(|pair| pair == [&b"remote"[..], b"from"]);
    let words = &words[..remote.unwrap_or(words.len())];
    let mut seen = Seen::default();
    for (at, word) in words.iter().enumerate() {
        seen.word(at, word)?;
    }
    if !(seen.month && seen.day && seen.time && seen.year) {
        return None;
    }
    InternalDate::parse_header(&words.join(&b' '))
}

/// Which parts of a date have been met.
#[derive(Default)]
struct Seen {
    month: bool,
    day: bool,
    time: bool,
    year: bool,
}

impl Seen {
    /// `None` for a word that is no part of a date, or a part met twice.
    fn word(&mut self, at: usize, word: &[u8]) -> Option<()> {
        let word = word.strip_suffix(b",").unwrap_or(word);
        let digits = word.iter().all(u8::is_ascii_digit);
        let part = if digits && word.len() <= 2 && !self.day {
            &mut self.day
        } else if digits && (word.len() == 4 || word.len() == 2 && self.time) {
            &mut self.year
        } else if is_time(word) {
            &mut self.time
        } else if !self.month && is_one_of(word, &MONTHS) {
            &mut self.month
        } else {
            let fits = at == 0 && is_one_of(word, &DAYS) || self.time && is_zone(word);
            return fits.then_some(());
        };
        (!std::mem::replace(part, true)).then_some(())
    }
}

const DAYS: [&[u8]; 7] = [b"mon", b"tue", b"wed", b"thu", b"fri", b"sat", b"sun"];
const MONTHS: [&[u8]; 12] = [
    b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec",
];

/// By the first three letters; the whole name may be written out.
fn is_one_of(word: &[u8], names: &[&[u8]]) -> bool {
    let start = word.get(..3).map(<[u8]>::to_ascii_lowercase);
    let letters = word.len() <= 9 && word.iter().all(u8::is_ascii_alphabetic);
    letters && start.is_some_and(|s| names.contains(&&s[..]))
}

/// `h:m` or `h:m:s`.
fn is_time(word: &[u8]) -> bool {
    let parts: Vec<&[u8]> = word.split(|&b| b == b':').collect();
    let fits = |p: &&[u8]| (1..=2).contains(&p.len()) && p.iter().all(u8::is_ascii_digit);
    (2..=3).contains(&parts.len()) && parts.iter().all(fits)
}

/// `+0200`, `PST`, `MET`, `DST`, `GMT+2`, `(CEST)`.
fn is_zone(word: &[u8]) -> bool {
    let word = word.strip_prefix(b"(").unwrap_or(word);
    let word = word.strip_suffix(b")").unwrap_or(word);
    let letters = word.iter().take_while(|b| b.is_ascii_uppercase()).count();
    let offset = &word[letters..];
    let numeric = match offset.split_first() {
        None => letters > 0,
        Some((b'+' | b'-', digits)) => {
            (1..=5).contains(&digits.len())
                && digits.iter().all(|b| b.is_ascii_digit() || *b == b':')
        }
        Some(_) => false,
    };
    letters <= 5 && numeric
}

/// The line we write, LF at its end: the head's Return-Path, else its From, else `MAILER-DAEMON`; the date in UTC as asctime writes it. Without
/// a date it is that of the headers, else the first second of 1970.
pub(super) fn write(head: &[u8], date: Option<InternalDate>) -> Vec<u8> {
    let sender = ["Return-Path", "From"]
        .iter()
        .find_map(|name| address(&header::first(head, name)?))
        .unwrap_or_else(|| b"MAILER-DAEMON".to_vec());
    let epoch = date
        .or_else(|| InternalDate::from_headers(head))
        .map_or(0, |d| d.epoch.clamp(FIRST, LAST));
    let at = DateTime::from_timestamp(epoch, 0).unwrap_or_default();
    let date = at.format("%a %b %e %H:%M:%S %Y");
    [b"From ", &sender[..], format!(" {date}\n").as_bytes()].concat()
}

/// The years 1000 to 9999, which have four digits.
const FIRST: i64 = -30_610_224_000;
const LAST: i64 = 253_402_300_799;

/// What stands in the last angle brackets, or the one word with an `@`; `None` where it would not be one plain word.
fn address(value: &[u8]) -> Option<Vec<u8>> {
    let inner = memchr::memrchr(b'<', value).map(|at| &value[at + 1..]);
    let bracketed = inner.and_then(|v| Some(&v[..memchr::memchr(b'>', v)?]));
    let word = || value.split(|&b| b == b' ').find(|w| w.contains(&b'@'));
    let found = bracketed.or_else(word)?;
    let plain =
        (1..=LONGEST_SENDER).contains(&found.len()) && found.iter().all(u8::is_ascii_graphic);
    plain.then(|| found.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(line: &str) -> (String, Option<String>) {
        let from = parse(line.as_bytes()).unwrap();
        let sender = String::from_utf8(from.sender).unwrap();
        (sender, from.date.map(InternalDate::to_imap))
    }

    #[test]
    fn what_half_a_century_wrote() {
        let first = " 5-Jan-1999 12:34:56 +0000";
        for (line, sender, date) in [
            ("From a@b Tue Jan  5 12:34:56 1999", "a@b", first),
            (
                "From user at example.org  Tue Jan  5 12:34:56 1999",
                "user at example.org",
                first,
            ),
            ("From - Tue Jan 05 12:34:56 1999", "-", first),
            ("From ???@??? Tue Jan 05 12:34:56 1999", "???@???", first),
            ("From a@b Tue Jan  5 12:34:56 99", "a@b", first),
            (
                "From a@b Tue Jan  5 12:34 1999",
                "a@b",
                " 5-Jan-1999 12:34:00 +0000",
            ),
            (
                "From a@b Tue Jan  5 12:34:56 PST 1999",
                "a@b",
                " 5-Jan-1999 12:34:56 -0800",
            ),
            (
                "From a@b Tue Jan  5 12:34:56 1999 PST",
                "a@b",
                " 5-Jan-1999 12:34:56 -0800",
            ),
            (
                "From a@b Tue Jan  5 12:34:56 MET DST 1999",
                "a@b",
                " 5-Jan-1999 12:34:56 +0100",
            ),
            (
                "From a@b Tue Jan  5 12:34:56 1999 +0200",
                "a@b",
                " 5-Jan-1999 12:34:56 +0200",
            ),
            (
                "From 1521@xxx Tue Jan 05 12:34:56 +0000 1999",
                "1521@xxx",
                first,
            ),
            (
                "From a!b Tue Jan  5 12:34:56 1999 remote from uunet",
                "a!b",
                first,
            ),
            (
                "From a@b Tue, 5 Jan 1999 12:34:56 +0200",
                "a@b",
                " 5-Jan-1999 12:34:56 +0200",
            ),
            ("From a@b Jan  5 12:34:56 1999", "a@b", first),
            ("From Tue Jan  5 12:34:56 1999", "", first),
            ("From a@b Tue Jan  5 12:34:56 1999\r", "a@b", first),
        ] {
            assert_eq!(read(line), (sender.into(), Some(date.into())), "{line}");
        }
    }

    #[test]
    fn sentences_have_no_date() {
        for line in [
            "From ",
            "From - ",
            "From the Unix command line:",
            "From Jan 5 on we work from 12:00 to 13:00 again",
            "From Monday, Jan 5, 2015 at 12:30 we are away",
            "From a@b Tue Jan 32 12:34:56 1999",
            "From a@b Tue Jan  5 12:34:56 1999 I was away",
            "From 5 to 12:30 in May 2015",
        ] {
            assert_eq!(read(line).1, None, "{line}");
        }
        assert_eq!(parse(b"From: a@b"), None);
        assert_eq!(parse(b">From a@b Tue Jan  5 12:34:56 1999"), None);
    }

    #[test]
    fn what_we_write() {
        let date = InternalDate {
            epoch: 915_539_696,
            offset_minutes: 60,
        };
        let line = |head: &str, date| String::from_utf8(write(head.as_bytes(), date)).unwrap();
        assert_eq!(
            line("Return-Path: <a@b>\r\nFrom: c@d\r\n\r\n", Some(date)),
            "From a@b Tue Jan  5 12:34:56 1999\n"
        );
        assert_eq!(
            line("Return-Path: <>\r\nFrom: \"C, <x>\" <c@d>\r\n", Some(date)),
            "From c@d Tue Jan  5 12:34:56 1999\n"
        );
        assert_eq!(
            line("From: c@d (C)\r\nDate: 1 Feb 2001 00:00 +0100\r\n", None),
            "From c@d Wed Jan 31 23:00:00 2001\n"
        );
        assert_eq!(
            line("From: <a b\u{1}@c>\r\n", None),
            "From MAILER-DAEMON Thu Jan  1 00:00:00 1970\n"
        );
    }

    proptest! {
        #[test]
        fn what_we_write_is_read(head: Vec<u8>, epoch: i64) {
            let date = InternalDate { epoch, offset_minutes: 0 };
            let line = write(&head, Some(date));
            prop_assert!(line.len() < LONGEST);
            prop_assert_eq!(line.iter().filter(|&&b| b == b'\n').count(), 1);
            let read = parse(line.strip_suffix(b"\n").unwrap()).unwrap();
            prop_assert_eq!(read.date.unwrap().epoch, epoch.clamp(FIRST, LAST));
        }

        #[test]
        fn nothing_panics(line in "From [-+0-9A-Za-z:,() ]{0,60}") {
            parse(line.as_bytes());
        }
    }
}
