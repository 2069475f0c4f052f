//! What an archive holds, to be listed and shown.

use super::At;
use super::survey::{Survey, is_replaced};
use super::view::{Kept, View};
use super::{Selection, no_folder, view};
use crate::error::{Code, Error, Kind, Result};
use crate::message::{Flags, Folder, InternalDate, decoded, header};
use crate::net::Flow;
use crate::spool::{Body, Budget};
use std::path::Path;

/// A folder's messages, counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Total {
    pub folder: Folder,
    pub messages: u64,
    /// Canonical bytes, where the sidecar tells, else those on disk.
    pub bytes: u64,
}

/// A message as a list shows it. Texts are decoded and of unknown origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub folder: Folder,
    /// That of its line in the sidecar: its UID.
    pub number: u32,
    pub date: Option<InternalDate>,
    pub from: String,
    pub subject: String,
    /// As it stands in the header.
    pub message_id: Option<String>,
    pub flags: Flags,
    pub bytes: u64,
    /// It is gone or cannot be read: its header is not known.
    pub missing: bool,
}

/// Which message of a folder is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    Number(u32),
    /// With or without its brackets.
    MessageId(String),
}

impl Wanted {
    /// Digits are a number, everything else is a Message-ID.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        text.parse()
            .map_or_else(|_| Wanted::MessageId(text.to_owned()), Wanted::Number)
    }
}

/// The folders that are meant of the archive at `root`, by name.
///
/// # Errors
/// As [`expect_mail`](super::expect_mail); `Code::Disk`.
pub fn totals(root: &Path, selection: &Selection) -> Result<Vec<Total>> {
    let mut totals = Vec::new();
    for view in views(root, selection)? {
        let mut total = Total {
            folder: view.folder.clone(),
            messages: 0,
            bytes: 0,
        };
        view.each((0, u32::MAX), |kept| {
            let at = view.find(&kept)?;
            if selection.takes(&kept) && (at.is_some() || !is_replaced(&view, &kept)) {
                total.messages += 1;
                total.bytes += size(&kept, at.as_ref());
            }
            Ok(Flow::Continue)
        })?;
        totals.push(total);
    }
    Ok(totals)
}

/// Gives every message that is meant of the archive at `root` to `take`, folder by folder.
///
/// # Errors
/// As [`totals`].
pub fn list(root: &Path, selection: &Selection, take: &mut dyn FnMut(Listed)) -> Result<()> {
    for view in views(root, selection)? {
        let now = view.now()?;
        view.each((0, u32::MAX), |kept| {
            if !selection.takes(&kept) {
                return Ok(Flow::Continue);
            }
            let at = view.find(&kept)?;
            if at.is_none() && is_replaced(&view, &kept) {
                return Ok(Flow::Continue);
            }
            // What is wrong with a message is for `check` to say.
            let head = at.as_ref().and_then(|at| at.head().ok());
            if selection.takes_head(head.as_deref().unwrap_or_default()) {
                let flags = match &at {
                    Some(at) => now.flags(&kept, at),
                    None => kept.flags.clone(),
                };
                take(listed(&view, kept, at.as_ref(), head.as_deref(), flags));
            }
            Ok(Flow::Continue)
        })?;
    }
    Ok(())
}

/// A broken folder is an error only if it may be meant.
fn views(root: &Path, selection: &Selection) -> Result<Vec<View>> {
    let survey = Survey::new(root)?;
    if let Some((_, error)) = survey.broken.into_iter().next() {
        return Err(error);
    }
    let mut views = survey.views;
    views.retain(|view| selection.takes_folder(&view.folder));
    Ok(views)
}

fn listed(view: &View, kept: Kept, at: Option<&At>, head: Option<&[u8]>, flags: Flags) -> Listed {
    let missing = head.is_none();
    let head = head.unwrap_or_default();
    let id = header::message_id(head);
    Listed {
        folder: view.folder.clone(),
        number: kept.uid,
        date: kept.date,
        from: decoded::first(head, "From"),
        subject: decoded::first(head, "Subject"),
        message_id: id.map(|id| String::from_utf8_lossy(&id).into_owned()),
        flags,
        bytes: size(&kept, at),
        missing,
    }
}

fn size(kept: &Kept, at: Option<&At>) -> u64 {
    let on_disk = || match at? {
        At::File(path) => std::fs::symlink_metadata(path).ok().map(|meta| meta.len()),
        At::Part(_, part) => Some(part.length),
    };
    kept.size.or_else(on_disk).unwrap_or_default()
}

/// Reads one message, checked against its digest; of several with one Message-ID the first.
///
/// # Errors
/// `Code::Refused`: there is no such folder or message. `Kind::Message`: it is missing or changed. `Code::Disk`.
pub fn message(root: &Path, folder: &Folder, wanted: &Wanted, budget: &Budget) -> Result<Body> {
    super::expect_mail(root)?;
    let view = view(root, folder)?.ok_or_else(|| {
        no_folder(root, folder).hint("mailhaul archive list PATH names the folders")
    })?;
    match find(&view, wanted)? {
        Some((kept, at)) => view.read(&kept, &at, budget),
        None => Err(no_message(folder, wanted)),
    }
}

fn find(view: &View, wanted: &Wanted) -> Result<Option<(Kept, At)>> {
    let uids = match wanted {
        Wanted::Number(number) => (*number, *number),
        Wanted::MessageId(_) => (0, u32::MAX),
    };
    let mut found = None;
    view.each(uids, |kept| {
        if let Some(at) = view.find(&kept)?
            && is(&at, wanted)?
        {
            found = Some((kept, at));
            return Ok(Flow::Stop);
        }
        Ok(Flow::Continue)
    })?;
    Ok(found)
}

fn is(at: &At, wanted: &Wanted) -> Result<bool> {
    let Wanted::MessageId(wanted) = wanted else {
        return Ok(true);
    };
    let bare = |id: &[u8]| {
        let id = id.strip_prefix(b"<").unwrap_or(id);
        id.strip_suffix(b">").unwrap_or(id).to_vec()
    };
    let id = header::message_id(&at.head()?);
    Ok(id.is_some_and(|id| bare(&id) == bare(wanted.as_bytes())))
}

fn no_message(folder: &Folder, wanted: &Wanted) -> Error {
    let what = match wanted {
        Wanted::Number(number) => format!("{folder} holds no message number {number}"),
        Wanted::MessageId(id) => format!("{folder} holds no message with the Message-ID {id}"),
    };
    Error::new(Kind::Message, Code::Refused, what)
        .hint("mailhaul archive list PATH --folder FOLDER numbers the messages")
}

#[cfg(test)]
#[path = "listing_tests.rs"]
mod tests;
