//! Places: where in an archive the bytes of a message are, as the journal writes it.
//!
//! `mail/.A/cur/NAME` in a Maildir, `mail/A.mbox@OFFSET+LENGTH` in an mbox (`-` behind it where the final line end is not the message's own).

use super::{At, Place};
use crate::error::{Code, Error, Kind, Result};
use crate::format::maildir;
use crate::format::mbox::{LineEnds, Record};
use std::path::{Component, Path, PathBuf};

pub(super) fn locate(root: &Path, place: &Place) -> Result<At> {
    if let Some((path, part)) = mbox_part(&place.path) {
        confined(root, Path::new(path))?;
        return Ok(At::Part(root.join(path), part));
    }
    maildir_file(root, place).map(At::File)
}

/// The path of a message in an mbox at `path`.
pub(super) fn mbox_path(path: &str, part: Record) -> String {
    let mark = match part.line_ends.final_added {
        true => "-",
        false => "",
    };
    format!("{path}@{}+{}{mark}", part.offset, part.length)
}

fn mbox_part(text: &str) -> Option<(&str, Record)> {
    let (path, rest) = text.rsplit_once('@')?;
    let path = path
        .strip_suffix(".mbox")
        .filter(|path| path.starts_with("mail/"))
        .and(Some(path))?;
    let bare = rest.strip_suffix('-');
    let (offset, length) = bare.unwrap_or(rest).split_once('+')?;
    let line_ends = LineEnds {
        final_added: bare.is_some(),
    };
    let part = Record::new(offset.parse().ok()?, length.parse().ok()?, line_ends);
    Some((path, part))
}

fn maildir_file(root: &Path, place: &Place) -> Result<PathBuf> {
    let relative = Path::new(&place.path);
    let whole = root.join(relative);
    confined(root, relative)?;
    let (Some(name), Some(dir)) = (
        whole.file_name().and_then(|n| n.to_str()),
        maildir_of(relative),
    ) else {
        return Err(spoilt(&whole, "is no place in an archive"));
    };
    let dir = root.join(dir);
    if !dir.join("cur").is_dir() {
        return Err(spoilt(&whole, "is gone"));
    }
    maildir::find(&dir, name)?.ok_or_else(|| spoilt(&whole, "is gone"))
}

/// `mail/.A` of `mail/.A/cur/NAME`.
fn maildir_of(place: &Path) -> Option<&Path> {
    let cur = place.parent()?;
    let dir = cur.parent()?;
    (cur.ends_with("cur") && dir.starts_with("mail")).then_some(dir)
}

/// No step of the way may lead outside: neither `..` nor a link planted in the archive.
pub(super) fn confined(root: &Path, relative: &Path) -> Result<()> {
    let mut at = root.to_owned();
    for step in relative.components() {
        at.push(step);
        let is_link = std::fs::symlink_metadata(&at).is_ok_and(|m| m.is_symlink());
        if is_link || !matches!(step, Component::Normal(_)) {
            return Err(spoilt(&at, "leads outside the archive"));
        }
    }
    Ok(())
}

pub(super) fn spoilt(path: &Path, how: &str) -> Error {
    let what = format!("the kept message {} {how}", path.display());
    Error::new(Kind::Message, Code::Disk, what)
}
