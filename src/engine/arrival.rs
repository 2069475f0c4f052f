//! What arrives from a source, and what the job wants of it.

use super::cargo::{Cargo, Load, Verdict};
use super::context::Context;
use crate::error::{Code, Error, Kind, Result};
use crate::identity::HeaderIdentity;
use crate::message::{InternalDate, SourceKey};
use crate::outcome::Outcome;
use crate::plan::filter;
use crate::source::{Arrival, Listed};
use std::collections::HashSet;

pub(super) fn verdict(listed: &Listed, outcome: Outcome, words: &str) -> Verdict {
    Verdict {
        key: listed.key.clone(),
        flags: listed.flags.clone(),
        date: listed.date,
        size: listed.size.unwrap_or(0),
        outcome,
        words: words.to_owned(),
    }
}

/// What an arrival becomes on the lane. `None`: it came before, or it will be asked for once more.
pub(super) fn arrived(
    context: &Context,
    arrival: Arrival,
    seen: &mut HashSet<SourceKey>,
    last: bool,
    deleted_too: bool,
) -> Result<Option<Cargo>> {
    let Arrival {
        key,
        flags,
        date,
        body,
    } = arrival;
    if seen.contains(&key) {
        return Ok(None);
    }
    let body = match body {
        Ok(body) => body,
        // What came in place of an answer ended the session: there is nobody to ask again.
        Err(ref error) if !last && error.code != Code::Protocol => return Ok(None),
        Err(error) => {
            seen.insert(key.clone());
            let listed = Listed {
                key,
                flags,
                date,
                size: None,
            };
            let words = error.words.filter(|words| !words.is_empty());
            let words = words.unwrap_or(error.what);
            return Ok(Some(Cargo::Verdict(verdict(
                &listed,
                Outcome::Failed,
                &words,
            ))));
        }
    };
    seen.insert(key.clone());
    let date = date.or_else(|| InternalDate::from_headers(body.head()));
    let listed = Listed {
        key,
        flags,
        date,
        size: Some(body.size()),
    };
    if let Some(reason) = unwanted_read(context, &listed, body.head(), deleted_too) {
        return Ok(Some(Cargo::Verdict(verdict(
            &listed,
            Outcome::Skipped,
            &reason,
        ))));
    }
    let header = HeaderIdentity::of(body.head());
    Ok(Some(Cargo::Message(Load {
        key: listed.key,
        flags: listed.flags,
        date,
        body,
        header,
        place: None,
    })))
}

/// Why the job does not want this message, as far as is known of it.
pub(super) fn unwanted(
    context: &Context,
    listed: &Listed,
    deleted_too: bool,
) -> Option<&'static str> {
    if listed.flags.deleted && !deleted_too {
        return Some("flagged \\Deleted at the source");
    }
    filter::passes(&context.account.filter, listed.date, listed.size).err()
}

/// Why the job does not want this message, now that it was read.
pub(super) fn unwanted_read(
    context: &Context,
    listed: &Listed,
    head: &[u8],
    deleted_too: bool,
) -> Option<String> {
    unwanted(context, listed, deleted_too)
        .map(ToOwned::to_owned)
        .or_else(|| filter::not_found(&context.account.filter, head))
}

/// UIDs of another UIDVALIDITY are those of other messages: the folder is left to the next run.
pub(super) fn changed_validity(folder: &str) -> Error {
    let what = format!(
        "{folder} was made anew at the source while the run was going on (its UIDVALIDITY changed)"
    );
    Error::new(Kind::Folder, Code::Protocol, what).hint("run again: the next run reads it afresh")
}
