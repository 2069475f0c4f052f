//! Dates in header fields (RFC 5322 §3.3 and §4.3), as liberal as real mail needs.
//!
//! Words are told apart by their looks and not by their order, which takes RFC 5322, RFC 850, asctime
//! and ISO 8601 alike. A zone that nobody knows counts as UTC: a date off by hours is better than none.

use super::InternalDate;
use super::date::{Local, month, number};

/// Without comments, which nest; as it stands where a parenthesis is never closed.
pub(super) fn without_comments(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let (mut depth, mut escaped) = (0u32, false);
    for &byte in value {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if depth > 0 => escaped = true,
            b'(' => {
                depth += 1;
                out.push(b' ');
            }
            b')' => depth = depth.saturating_sub(1),
            _ if depth == 0 => out.push(byte),
            _ => {}
        }
    }
    if depth > 0 { value.to_vec() } else { out }
}

/// The date behind the last semicolon of a Received field.
pub(super) fn of_received(value: &[u8]) -> Option<InternalDate> {
    let value = without_comments(value);
    let semicolon = memchr::memrchr(b';', &value)?;
    parse(&value[semicolon + 1..])
}

/// What has been found so far.
#[derive(Default)]
struct Found {
    year: Option<i32>,
    month: Option<u32>,
    day: Option<u32>,
    time: Option<(u32, u32, u32)>,
    afternoon: Option<bool>,
    zone: Option<i16>,
}

/// Parses a date whose comments are gone.
pub(super) fn parse(value: &[u8]) -> Option<InternalDate> {
    let text = String::from_utf8_lossy(value);
    let mut found = Found::default();
    for word in text.split(|c: char| c.is_whitespace() || c == ',' || c == ';') {
        if !word.is_empty() {
            found.word(word)?;
        }
    }
    found.date()
}

impl Found {
    /// Takes the next word; `None` for one that makes the whole no date.
    fn word(&mut self, word: &str) -> Option<()> {
        if self.time.is_some() && word.starts_with(['+', '-']) {
            self.zone(word);
        } else if let Some((date, time)) = iso(word) {
            let mut parts = date.split('-');
            self.year = Some(i32::try_from(number(parts.next()?)?).ok()?);
            self.month = Some(number(parts.next()?)?);
            self.day = Some(number(parts.next()?)?);
            return if time.is_empty() {
                Some(())
            } else {
                self.time(time)
            };
        } else if word.contains(':') && word.starts_with(|c: char| c.is_ascii_digit()) {
            return self.time(word);
        } else if word.contains('-') && word.starts_with(|c: char| c.is_ascii_digit()) {
            return word.split('-').try_for_each(|part| self.plain(part));
        } else {
            return self.plain(word);
        }
        Some(())
    }

    /// A number or a name.
    fn plain(&mut self, word: &str) -> Option<()> {
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            return self.number(word);
        }
        let name = word.trim_end_matches('.');
        let start = name.get(..3).unwrap_or(name);
        if let (None, Some(found)) = (self.month, month(start)) {
            self.month = Some(found);
        } else if self.time.is_some() {
            self.zone(word);
        }
        Some(())
    }

    /// A day first, then a year; digits behind both are not ours.
    fn number(&mut self, word: &str) -> Option<()> {
        let value = number(word)?;
        if self.day.is_none() && word.len() <= 2 {
            self.day = Some(value);
        } else if self.year.is_none() {
            self.year = Some(full_year(word.len(), i32::try_from(value).ok()?)?);
        }
        Some(())
    }

    /// `h:m`, `h:m:s` or `h:m:s.fraction`, with a zone or AM/PM perhaps sticking to it.
    fn time(&mut self, word: &str) -> Option<()> {
        let end = word
            .find(|c: char| !c.is_ascii_digit() && c != ':' && c != '.')
            .unwrap_or(word.len());
        let (clock, rest) = word.split_at(end);
        let clock = clock.split('.').next()?;
        let mut parts = clock.split(':');
        let hour = number(parts.next()?)?;
        let minute = number(parts.next()?)?;
        let second = parts.next().map_or(Some(0), number)?;
        self.time = Some((hour, minute, second));
        if !rest.is_empty() {
            self.zone(rest);
        }
        parts.next().is_none().then_some(())
    }

    /// The first zone counts: a second one explains it, as in `+0200 CEST`.
    fn zone(&mut self, word: &str) {
        match word.to_ascii_uppercase().as_str() {
            "AM" => self.afternoon = Some(false),
            "PM" => self.afternoon = Some(true),
            word if self.zone.is_none() => self.zone = zone(word),
            _ => {}
        }
    }

    fn date(self) -> Option<InternalDate> {
        let (hour, minute, second) = self.time.unwrap_or_default();
        let hour = match self.afternoon {
            None => hour,
            Some(pm) if (1..=12).contains(&hour) => hour % 12 + if pm { 12 } else { 0 },
            Some(_) => hour,
        };
        let local = Local {
            year: self.year?,
            month: self.month?,
            day: self.day?,
            hour,
            minute,
            second,
        };
        local.at(self.zone.unwrap_or(0))
    }
}

/// `1996-07-17`, alone or with `T` and a time behind it.
fn iso(word: &str) -> Option<(&str, &str)> {
    let date = word.get(..10)?;
    let shape = date.bytes().enumerate().all(|(at, b)| match at {
        4 | 7 => b == b'-',
        _ => b.is_ascii_digit(),
    });
    let rest = &word[10..];
    let time = rest.strip_prefix(['T', 't']).unwrap_or(rest);
    shape.then_some((date, time))
}

/// Two digits are 1950 to 2049, three count from 1900 (RFC 5322 §4.3).
fn full_year(digits: usize, value: i32) -> Option<i32> {
    match digits {
        2 if value < 50 => Some(2000 + value),
        2 | 3 => Some(1900 + value),
        4 => Some(value),
        _ => None,
    }
}

/// Minutes east of UTC of `+0200`, `+02:00`, `GMT+2` or a name; `None` for what is no zone.
fn zone(word: &str) -> Option<i16> {
    let Some(sign) = word.find(['+', '-']) else {
        return named_zone(word);
    };
    let digits: String = word[sign + 1..].chars().filter(|&c| c != ':').collect();
    let value = i16::try_from(number(&digits)?).ok()?;
    let (hours, minutes) = match digits.len() {
        1 | 2 => (value, 0),
        _ => (value / 100, value % 100),
    };
    if hours > 23 || minutes > 59 {
        return None;
    }
    let offset = hours * 60 + minutes;
    Some(if word[sign..].starts_with('-') {
        -offset
    } else {
        offset
    })
}

/// Zones by name, upper case. One letter is UTC: the military ones were defined wrongly (RFC 5322 §4.3).
fn named_zone(name: &str) -> Option<i16> {
    let hours = match name {
        "UT" | "UTC" | "GMT" | "WET" => 0,
        "CET" | "MET" | "BST" | "WEST" => 1,
        "CEST" | "MEST" | "EET" | "SAST" => 2,
        "EEST" | "MSK" => 3,
        "WIB" => 7,
        "WITA" | "HKT" | "SGT" | "AWST" => 8,
        "WIT" | "JST" | "KST" => 9,
        "AEST" => 10,
        "AEDT" => 11,
        "NZST" => 12,
        "NZDT" => 13,
        "ADT" => -3,
        "EDT" | "AST" => -4,
        "EST" | "CDT" => -5,
        "CST" | "MDT" => -6,
        "MST" | "PDT" => -7,
        "PST" | "AKDT" => -8,
        "AKST" => -9,
        "HST" => -10,
        _ if name.len() == 1 => 0,
        _ => return None,
    };
    Some(hours * 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        InternalDate::parse_header(text.as_bytes()).map(InternalDate::to_imap)
    }

    #[test]
    fn what_real_mail_writes() {
        let known = [
            (
                "Fri, 21 Nov 1997 09:55:06 -0600",
                "21-Nov-1997 09:55:06 -0600",
            ),
            ("21 Nov 97 09:55 CST", "21-Nov-1997 09:55:00 -0600"),
            (
                "Tue,1 Jul 2003  10:52:37 +0200 (CEST)",
                " 1-Jul-2003 10:52:37 +0200",
            ),
            (
                "Tue, 1 Jul 2003 10:52:37 +0200 CEST",
                " 1-Jul-2003 10:52:37 +0200",
            ),
            (
                "Thu,\r\n 13\r\n Feb (a (b) \\) c)\r\n 1969 23:32 -0330",
                "13-Feb-1969 23:32:00 -0330",
            ),
            ("Tue Jul  1 10:52:37 2003", " 1-Jul-2003 10:52:37 +0000"),
            ("Tue Jul  1 10:52:37 PDT 2003", " 1-Jul-2003 10:52:37 -0700"),
            (
                "Tuesday, 01-Jul-03 10:52:37 GMT",
                " 1-Jul-2003 10:52:37 +0000",
            ),
            (
                "1 July 2003 10:52:37 GMT+02:00",
                " 1-Jul-2003 10:52:37 +0200",
            ),
            ("Jul 1, 2003 10:52:37 PM", " 1-Jul-2003 22:52:37 +0000"),
            ("2003-07-01T10:52:37.123Z", " 1-Jul-2003 10:52:37 +0000"),
            ("2003-07-01 10:52:37+0700", " 1-Jul-2003 10:52:37 +0700"),
            ("1 Jul 103 10:52:37 WIB", " 1-Jul-2003 10:52:37 +0700"),
            ("1 Jul 2003 10:52:37 Nowhere", " 1-Jul-2003 10:52:37 +0000"),
            ("1 Jul 2003 10:52:37 +9999", " 1-Jul-2003 10:52:37 +0000"),
            ("1 Jul 2003", " 1-Jul-2003 00:00:00 +0000"),
            ("31 Dec 1998 23:59:60 +0000", " 1-Jan-1999 00:00:00 +0000"),
            ("1 Mar 2050 00:00:00 Z", " 1-Mar-2050 00:00:00 +0000"),
        ];
        for (text, want) in known {
            assert_eq!(read(text).as_deref(), Some(want), "{text}");
        }
    }

    #[test]
    fn what_is_no_date() {
        for text in [
            "",
            "soon",
            "32 Jan 2003 00:00:00",
            "30 Feb 2003 00:00:00",
            "1 Jan 2003 24:00:00",
            "1 Jan 2003 10:60:00",
            "1 Jan 2003 1:2:3:4",
            "1 Jan 12345 00:00:00",
            "1 Jan 0000 00:00:00",
            "10:00:00 +0000",
            "(1 Jan 2003 10:00:00)",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_comment_never_closed_hides_nothing() {
        assert_eq!(
            read("1 Jan 2003 10:00:00 +0100 (CET").as_deref(),
            Some(" 1-Jan-2003 10:00:00 +0100")
        );
    }
}
