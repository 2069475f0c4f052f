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

#[cfg(test)]
mod tests {
    use super::*;

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
