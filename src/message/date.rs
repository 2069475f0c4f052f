//! INTERNALDATE (RFC 9051 §2.3.3), and how mail without one gets its date.

use super::header;
use super::header_date;
use chrono::{DateTime, Datelike, NaiveDate, Timelike};

/// An instant in whole seconds, with the zone it was written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct InternalDate {
    /// Seconds since 1970-01-01 00:00 UTC; may be negative.
    pub epoch: i64,
    /// Minutes east of UTC, −1439 to 1439.
    pub offset_minutes: i16,
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Local 0001-01-01 00:00:00 and 9999-12-31 23:59:59, the ends of what IMAP can write.
const FIRST: i64 = -62_135_596_800;
const LAST: i64 = 253_402_300_799;

/// A date and time as somebody wrote it, not yet checked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Local {
    pub(super) year: i32,
    /// 1 to 12.
    pub(super) month: u32,
    pub(super) day: u32,
    pub(super) hour: u32,
    pub(super) minute: u32,
    pub(super) second: u32,
}

impl Local {
    /// `None` for a day or time that does not exist; a leap second is the first second of the next minute.
    pub(super) fn at(self, offset_minutes: i16) -> Option<InternalDate> {
        if !(1..=9999).contains(&self.year) || self.second > 60 || offset_minutes.abs() > 1439 {
            return None;
        }
        let day = NaiveDate::from_ymd_opt(self.year, self.month, self.day)?;
        let minute = day.and_hms_opt(self.hour, self.minute, 0)?;
        let local = minute.and_utc().timestamp() + i64::from(self.second);
        Some(InternalDate {
            epoch: local - i64::from(offset_minutes) * 60,
            offset_minutes,
        })
    }
}

/// A month by its first three letters, 1 to 12.
pub(super) fn month(name: &str) -> Option<u32> {
    let at = MONTHS.iter().position(|m| m.eq_ignore_ascii_case(name))?;
    Some(at as u32 + 1)
}

/// Decimal digits and nothing else, at most nine.
pub(super) fn number(text: &str) -> Option<u32> {
    let digits = (1..=9).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

impl InternalDate {
    /// Parses IMAP's `date-time` without its quotes: `17-Jul-1996 02:44:25 -0700` (day may be space-padded).
    #[must_use]
    pub fn parse_imap(text: &[u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(text).ok()?.split_ascii_whitespace();
        let mut date = words.next()?.splitn(3, '-');
        let mut time = words.next()?.splitn(3, ':');
        let zone = words.next()?;
        let (day, name, year) = (date.next()?, date.next()?, date.next()?);
        let local = Local {
            year: i32::try_from(number(year)?).ok()?,
            month: month(name)?,
            day: number(day)?,
            hour: number(time.next()?)?,
            minute: number(time.next()?)?,
            second: number(time.next()?)?,
        };
        let offset = numeric_zone(zone)?;
        words.next().is_none().then(|| local.at(offset)).flatten()
    }

    /// IMAP's `date-time` without quotes, day padded with a space, always 26 bytes. What falls outside the years 1 to 9999, or a
    /// zone beyond a day, is written as the nearest that IMAP can say.
    #[must_use]
    pub fn to_imap(self) -> String {
        let offset = self.offset_minutes.clamp(-1439, 1439);
        let local = self.epoch.saturating_add(i64::from(offset) * 60);
        let at = DateTime::from_timestamp(local.clamp(FIRST, LAST), 0).unwrap_or_default();
        let sign = if offset < 0 { '-' } else { '+' };
        format!(
            "{:2}-{}-{:04} {:02}:{:02}:{:02} {sign}{:02}{:02}",
            at.day(),
            MONTHS[at.month0() as usize],
            at.year(),
            at.hour(),
            at.minute(),
            at.second(),
            offset.abs() / 60,
            offset.abs() % 60,
        )
    }

    /// Parses an RFC 5322 date-time (§3.3, §4.3), obsolete zones, two-digit years, comments and common malformations included.
    #[must_use]
    pub fn parse_header(value: &[u8]) -> Option<Self> {
        header_date::parse(&header_date::without_comments(value))
    }

    /// When the last server that had it took the message: the topmost Received that can be read.
    #[must_use]
    pub fn from_received(head: &[u8]) -> Option<Self> {
        header::fields(head)
            .filter(|field| field.name.eq_ignore_ascii_case(b"Received"))
            .find_map(|field| header_date::of_received(field.value))
    }

    /// The date of mail that came without an INTERNALDATE: topmost Received that can be read, else Date, else `None`.
    #[must_use]
    pub fn from_headers(head: &[u8]) -> Option<Self> {
        Self::from_received(head).or_else(|| Self::parse_header(&header::first(head, "Date")?))
    }
}

/// `+hhmm` to minutes east of UTC.
fn numeric_zone(zone: &str) -> Option<i16> {
    let digits = zone.strip_prefix(['+', '-'])?;
    let value = number(digits).filter(|_| digits.len() == 4)?;
    let (hours, minutes) = (value / 100, value % 100);
    let offset = i16::try_from(hours * 60 + minutes).ok()?;
    let exists = hours < 24 && minutes < 60;
    exists.then_some(if zone.starts_with('-') {
        -offset
    } else {
        offset
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn imap_dates_known_answers() {
        let date = InternalDate::parse_imap(b"17-Jul-1996 02:44:25 -0700").unwrap();
        assert_eq!((date.epoch, date.offset_minutes), (837_596_665, -420));
        assert_eq!(date.to_imap(), "17-Jul-1996 02:44:25 -0700");
        let padded = InternalDate::parse_imap(b" 1-jan-1970 00:00:00 +0000").unwrap();
        assert_eq!(padded.epoch, 0);
        assert_eq!(padded.to_imap(), " 1-Jan-1970 00:00:00 +0000");
        let half = InternalDate::parse_imap(b"29-Feb-2024 23:59:59 -0030").unwrap();
        assert_eq!(half.to_imap(), "29-Feb-2024 23:59:59 -0030");
    }

    #[test]
    fn imap_dates_that_are_none() {
        let bad: [&[u8]; 12] = [
            b"",
            b"30-Feb-2024 00:00:00 +0000",
            b"1-Jan-0000 00:00:00 +0000",
            b"1-Jan-10000 00:00:00 +0000",
            b"1-Jan-2024 24:00:00 +0000",
            b"1-Jan-2024 00:00:61 +0000",
            b"1-Jan-2024 00:00:00 0000",
            b"1-Jan-2024 00:00:00 +2400",
            b"1-Jan-2024 00:00:00 +0060",
            b"1-Jan-2024 00:00:00 +0000 x",
            b"1-\xff-2024 00:00:00 +0000",
            b"999999999999-Jan-2024 00:00:00 +0000",
        ];
        for text in bad {
            assert_eq!(
                InternalDate::parse_imap(text),
                None,
                "{}",
                text.escape_ascii()
            );
        }
    }

    #[test]
    fn the_topmost_readable_received_wins() {
        let head = b"Received: from a; nonsense\r\nReceived: from b (x; y) by c;\r\n\tFri, 2 Feb 2001 03:04:05 +0100 (CET)\r\n\
            Received: from d; Thu, 1 Feb 2001 00:00:00 +0000\r\nDate: Wed, 31 Jan 2001 00:00:00 +0000\r\n\r\n";
        let date = InternalDate::from_headers(head).unwrap();
        assert_eq!(date.to_imap(), " 2-Feb-2001 03:04:05 +0100");
        let only_date = b"Received: by c\nDate: Wed, 31 Jan 2001 00:00:00 +0000\n\n";
        let date = InternalDate::from_headers(only_date).unwrap();
        assert_eq!(date.to_imap(), "31-Jan-2001 00:00:00 +0000");
        assert_eq!(InternalDate::from_headers(b"Date: soon\r\n\r\n"), None);
    }

    proptest! {
        #[test]
        fn imap_round_trip(epoch in -62_000_000_000i64..253_000_000_000, offset_minutes in -1439i16..=1439) {
            let date = InternalDate { epoch, offset_minutes };
            prop_assert_eq!(InternalDate::parse_imap(date.to_imap().as_bytes()), Some(date));
        }

        #[test]
        fn any_value_can_be_written(epoch: i64, offset_minutes: i16) {
            let text = InternalDate { epoch, offset_minutes }.to_imap();
            prop_assert_eq!(text.len(), 26);
            prop_assert!(InternalDate::parse_imap(text.as_bytes()).is_some());
        }

        #[test]
        fn nothing_panics(text in "[-+0-9A-Za-z:;,() /\\\\.é]{0,40}") {
            let bytes = text.as_bytes();
            if let Some(date) = InternalDate::parse_header(bytes) {
                prop_assert_eq!(date.to_imap().len(), 26);
            }
            prop_assert!(InternalDate::parse_imap(bytes).is_none_or(|d| d.to_imap().len() == 26));
        }
    }
}
