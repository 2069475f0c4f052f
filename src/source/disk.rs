//! What all sources that are files have in common.

use super::Opened;
use crate::error::{Code, End, Error, Kind};
use crate::plan::SourceFolder;
use std::path::Path;

/// Files have no UIDVALIDITY; their messages are named by what stays.
pub(super) const VALIDITY: u32 = 1;

pub(super) fn opened(messages: usize) -> Opened {
    Opened {
        uid_validity: VALIDITY,
        messages: count(messages),
        uid_next: None,
        highest_modseq: None,
    }
}

/// A number of messages as servers tell it.
pub(super) fn count(messages: usize) -> u32 {
    u32::try_from(messages).unwrap_or(u32::MAX)
}

/// The job refuses `after` for files: that it is asked for all the same is a defect of the caller.
pub(super) fn only_read(folder: &SourceFolder) -> Error {
    let what = format!(
        "mailhaul removes nothing from files that it reads ({})",
        folder.folder
    );
    Error::new(Kind::Account, Code::Job, what).at(End::Source)
}

/// Mail that is not there may be a wrong path, or a disk that is not mounted: an empty listing would say that all is done, or gone.
pub(super) fn no_mail(path: &Path, what: &str, hint: &str) -> Error {
    let what = format!("{} {what}", path.display());
    Error::new(Kind::Account, Code::Refused, what)
        .hint(hint)
        .at(End::Source)
}
