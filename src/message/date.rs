//! INTERNALDATE (RFC 9051 §2.3.3), and how mail without one gets its date.

/// An instant in whole seconds, with the zone it was written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct InternalDate {
    /// Seconds since 1970-01-01 00:00 UTC; may be negative.
    pub epoch: i64,
    /// Minutes east of UTC, −1439 to 1439.
    pub offset_minutes: i16,
}

impl InternalDate {
    /// Parses IMAP's `date-time` without its quotes: `17-Jul-1996 02:44:25 -0700` (day may be space-padded).
    #[must_use]
    pub fn parse_imap(text: &[u8]) -> Option<Self> {
        let _ = text;
        todo!()
    }

    /// IMAP's `date-time` without quotes, day padded with a space, always 26 bytes. A year outside 1–9999 cannot be built.
    #[must_use]
    pub fn to_imap(self) -> String {
        todo!()
    }

    /// Parses an RFC 5322 date-time, obsolete zones, two-digit years, comments and common malformations included.
    #[must_use]
    pub fn parse_header(value: &[u8]) -> Option<Self> {
        let _ = value;
        todo!()
    }

    /// The date of mail that came without an INTERNALDATE: topmost Received that can be read, else Date, else `None`.
    #[must_use]
    pub fn from_headers(head: &[u8]) -> Option<Self> {
        let _ = head;
        todo!()
    }
}
