//! IMAP4 (RFC 3501, RFC 9051): session, bulk fetch, bulk append.
