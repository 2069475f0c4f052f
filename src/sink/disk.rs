//! What sinks that are files have in common: how they name folders, and what the local disk's errors mean.

use super::{Refusal, Report, Stored};
use crate::error::{Code, End, Error, Kind};
use crate::message::Folder;
use crate::plan::Naming;

pub(super) fn name(folder: &Folder) -> Vec<u8> {
    Naming::of_files().name(folder)
}

pub(super) fn count(messages: usize) -> u32 {
    u32::try_from(messages).unwrap_or(u32::MAX)
}

pub(super) fn no_folder(name: &[u8]) -> Error {
    let what = format!("there is no folder {} yet", String::from_utf8_lossy(name));
    Error::new(Kind::Folder, Code::Refused, what).at(End::Destination)
}

/// An error is the disk's: no message is to be blamed for it, and no further try helps.
pub(super) fn report(stored: Vec<Stored>, lost: Option<Error>) -> Report {
    let lost = lost.map(|error| Error {
        kind: Kind::Internal,
        ..error.at(End::Destination)
    });
    Report {
        stored,
        lost,
        cautious: false,
    }
}

pub(super) fn no(error: &Error, why: Refusal) -> Stored {
    Stored::No {
        words: error.to_string(),
        why,
        batch: false,
    }
}

/// ENOSPC and EDQUOT, by which the system tells that there is no room.
pub(super) fn is_full(error: &Error) -> bool {
    let words = error.words.as_deref().unwrap_or_default();
    error.code == Code::Disk
        && ["(os error 28)", "(os error 122)"]
            .iter()
            .any(|number| words.ends_with(number))
}

pub(super) fn of_folder(error: Error) -> Error {
    Error {
        kind: Kind::Folder,
        ..error.at(End::Destination)
    }
}

pub(super) fn of_account(error: Error) -> Error {
    Error {
        kind: Kind::Account,
        ..error.at(End::Destination)
    }
}
