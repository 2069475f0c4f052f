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
    let _ = message;
    std::iter::empty()
}

/// The first field of that name (ASCII case ignored), its value unfolded and its white space collapsed and trimmed.
#[must_use]
pub fn first(message: &[u8], name: &str) -> Option<Vec<u8>> {
    let _ = (message, name);
    todo!()
}

/// The first Message-ID field: what stands between `<` and `>` (brackets kept), else the trimmed value; `None` where
/// there is none or it is empty.
#[must_use]
pub fn message_id(message: &[u8]) -> Option<Vec<u8>> {
    let _ = message;
    todo!()
}

/// Length in bytes of the header, the empty line that ends it included; the whole length where there is none.
#[must_use]
pub fn head_len(message: &[u8]) -> usize {
    let _ = message;
    todo!()
}
