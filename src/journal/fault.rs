//! What SQLite says, turned into errors that a person can act on.

use crate::error::{Code, Error, Kind};
use rusqlite::{Error as Sql, ErrorCode};
use std::path::Path;

const REBUILD: &str = "mailhaul archive rebuild makes a new one from the mail of an archive (this file is kept aside); without an \
                       archive restore it from a backup; nothing was changed";

/// SQLite refused; `path` is the journal's.
pub(super) fn refused(path: &Path, e: &Sql) -> Error {
    let shown = path.display();
    let (kind, code, what) = match e.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            return damaged(path, &e.to_string());
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            Kind::Account,
            Code::Locked,
            format!("the journal {shown} is in use by another process"),
        ),
        Some(
            ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::ReadOnly
            | ErrorCode::CannotOpen
            | ErrorCode::PermissionDenied,
        ) => (
            Kind::Internal,
            Code::Disk,
            format!("cannot read or write the journal {shown}"),
        ),
        _ => (
            Kind::Internal,
            Code::Journal,
            format!("the journal {shown} refused"),
        ),
    };
    Error::new(kind, code, what).words(e.to_string())
}

/// The file is no whole database.
pub(super) fn damaged(path: &Path, words: &str) -> Error {
    Error::new(
        Kind::Account,
        Code::Journal,
        format!("the journal {} is damaged", path.display()),
    )
    .words(words)
    .hint(REBUILD)
}

/// The file is somebody else's.
pub(super) fn foreign(what: String) -> Error {
    Error::new(Kind::Account, Code::Foreign, what)
}
