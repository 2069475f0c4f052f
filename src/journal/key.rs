//! Source keys, flags, dates, digests and places as columns, and keys as text.

use super::values::Place;
use crate::message::{Digest, Digests, Flags, InternalDate, SourceKey};
use rusqlite::types::{FromSqlError, FromSqlResult, Value, ValueRef};
use rusqlite::{Result, Row};

/// The columns `key` and `ordinal`; SQLite sorts them as [`SourceKey`] does.
pub(super) fn to_columns(key: &SourceKey) -> (Value, u32) {
    match key {
        SourceKey::Uid(uid) => (Value::Integer(i64::from(*uid)), 0),
        SourceKey::Name { name, ordinal } => (Value::Blob(name.to_vec()), *ordinal),
    }
}

pub(super) fn key(row: &Row<'_>) -> Result<SourceKey> {
    let ordinal: u32 = row.get("ordinal")?;
    let key = from_value(row.get_ref("key")?, ordinal);
    key.map_err(|e| column(row, "key", e))
}

fn from_value(value: ValueRef<'_>, ordinal: u32) -> FromSqlResult<SourceKey> {
    match value {
        ValueRef::Integer(uid) => u32::try_from(uid)
            .map(SourceKey::Uid)
            .map_err(|_| FromSqlError::OutOfRange(uid)),
        ValueRef::Blob(name) => Ok(SourceKey::Name {
            name: name.into(),
            ordinal,
        }),
        _ => Err(FromSqlError::InvalidType),
    }
}

fn column(row: &Row<'_>, name: &str, e: FromSqlError) -> rusqlite::Error {
    let index = row.as_ref().column_index(name).unwrap_or_default();
    rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Blob, Box::new(e))
}

pub(super) fn flags(row: &Row<'_>, name: &str) -> Result<Option<Flags>> {
    let text = row.get_ref(name)?.as_str_or_null();
    Ok(text
        .map_err(|e| column(row, name, e))?
        .map(Flags::from_text))
}

pub(super) fn date(row: &Row<'_>) -> Result<Option<InternalDate>> {
    let (epoch, zone): (Option<i64>, Option<i16>) = (row.get("date")?, row.get("zone")?);
    Ok(epoch.map(|epoch| InternalDate {
        epoch,
        offset_minutes: zone.unwrap_or(0),
    }))
}

pub(super) fn digests(row: &Row<'_>) -> Result<Option<Digests>> {
    let (exact, loose): (Option<[u8; 32]>, Option<[u8; 32]>) =
        (row.get("digest")?, row.get("loose")?);
    Ok(exact.zip(loose).map(|(exact, loose)| Digests {
        exact: Digest(exact),
        loose: Digest(loose),
    }))
}

/// A place without a digest to check it by is none.
pub(super) fn place(row: &Row<'_>) -> Result<Option<Place>> {
    let path: Option<String> = row.get("place")?;
    let digests = digests(row)?;
    Ok(path.zip(digests).map(|(path, digests)| Place {
        path,
        digest: digests.exact,
    }))
}

/// A key as one line of printable ASCII, for sidecars and `status`: `uid:17`, `name:0:6162`.
#[must_use]
pub fn key_text(key: &SourceKey) -> String {
    match key {
        SourceKey::Uid(uid) => format!("uid:{uid}"),
        SourceKey::Name { name, ordinal } => {
            let hex: String = name.iter().map(|b| format!("{b:02x}")).collect();
            format!("name:{ordinal}:{hex}")
        }
    }
}

/// What names a message among all of an account, for a sidecar: source (`imap://user@host`), folder (wire bytes), UIDVALIDITY
/// and key.
#[must_use]
pub fn source_text(source: &str, folder: &[u8], uid_validity: u32, key: &SourceKey) -> String {
    let folder = folder.escape_ascii();
    format!("{source} {uid_validity} {} {folder}", key_text(key))
}

/// What [`source_text`] says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// `imap://user@host`.
    pub source: String,
    /// The folder's wire name.
    pub folder: Vec<u8>,
    pub uid_validity: u32,
    pub key: SourceKey,
}

/// The inverse of [`source_text`]. A source whose own name looks like the rest of such a text ends too early.
#[must_use]
pub fn parse_source_text(text: &str) -> Option<Origin> {
    let spaces = text.match_indices(' ').map(|(at, _)| at);
    spaces
        .filter_map(|at| origin(&text[..at], &text[at + 1..]))
        .next()
}

fn origin(source: &str, rest: &str) -> Option<Origin> {
    let mut parts = rest.splitn(3, ' ');
    let uid_validity = parts.next()?.parse().ok()?;
    let key = parse_key(parts.next()?)?;
    let folder = unescape(parts.next()?)?;
    Some(Origin {
        source: source.to_owned(),
        folder,
        uid_validity,
        key,
    })
}

fn parse_key(text: &str) -> Option<SourceKey> {
    if let Some(uid) = text.strip_prefix("uid:") {
        return uid.parse().ok().map(SourceKey::Uid);
    }
    let (ordinal, hex) = text.strip_prefix("name:")?.split_once(':')?;
    let bytes = hex.as_bytes().chunks(2).map(byte);
    Some(SourceKey::Name {
        name: bytes.collect::<Option<Vec<u8>>>()?.into(),
        ordinal: ordinal.parse().ok()?,
    })
}

/// Two hex digits.
fn byte(pair: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*pair.get(at)?).to_digit(16);
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

/// The inverse of `escape_ascii`.
fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'\\' {
            out.push(first);
            continue;
        }
        let (&escape, after) = rest.split_first()?;
        rest = after;
        out.push(match escape {
            b't' => b'\t',
            b'r' => b'\r',
            b'n' => b'\n',
            b'x' => {
                let (pair, after) = rest.split_at_checked(2)?;
                rest = after;
                byte(pair)?
            }
            other => other,
        });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn source_texts_come_apart_again(
            source in "(imap|pop3)://[a-z@. ]{1,20}",
            folder: Vec<u8>,
            uid_validity: u32,
            uid: Option<u32>,
            name: Vec<u8>,
            ordinal: u32,
        ) {
            let key = uid.map_or(SourceKey::Name { name: name.into(), ordinal }, SourceKey::Uid);
            let text = source_text(&source, &folder, uid_validity, &key);
            prop_assert_eq!(parse_source_text(&text), Some(Origin { source, folder, uid_validity, key }));
        }

        #[test]
        fn any_text_can_be_read(text in "[ -~]{0,40}") {
            let same = parse_source_text(&text).is_none_or(|o| text.starts_with(&o.source));
            prop_assert!(same);
        }
    }

    #[test]
    fn texts_tell_keys_apart() {
        let named = |name: &[u8], ordinal| SourceKey::Name {
            name: name.into(),
            ordinal,
        };
        assert_eq!(key_text(&SourceKey::Uid(17)), "uid:17");
        assert_eq!(key_text(&named(b"a\0", 2)), "name:2:6100");
        assert_eq!(
            source_text("imap://a@h", b"IN \xff", 7, &SourceKey::Uid(1)),
            "imap://a@h 7 uid:1 IN \\xff"
        );
    }
}
