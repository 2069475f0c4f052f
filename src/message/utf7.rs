//! Modified UTF-7 of IMAP mailbox names (RFC 3501 §5.1.3).

/// Text to the bytes that go on the wire (all printable ASCII).
#[must_use]
pub fn encode(text: &str) -> String {
    let _ = text;
    todo!()
}

/// Wire bytes to text. `None` where it is not well-formed modified UTF-7 (the caller then keeps the raw bytes).
#[must_use]
pub fn decode(wire: &[u8]) -> Option<String> {
    let _ = wire;
    todo!()
}
