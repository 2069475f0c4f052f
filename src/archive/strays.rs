//! Mail below `mail/` that no sidecar tells of: other programs' folders, and folders whose sidecar is lost or cannot be read.

use super::folders::{sidecar, sidecars};
use super::sidecar::{Format, Sidecar};
use super::view::{Head, View};
use crate::error::{Code, Error, Kind, Result};
use crate::format::maildir::{self, Layout, free_name};
use crate::format::mbox;
use crate::message::Folder;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// A folder without a sidecar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    /// As its place names it; no name that another folder has.
    pub folder: Folder,
    /// Relative to `mail/`.
    place: PathBuf,
    format: Format,
    /// Is it a symbolic link, which is not followed?
    link: bool,
}

/// All of them, in the order of their places.
///
/// # Errors
/// `Code::Disk`, naming the directory that cannot be read.
pub fn strays(root: &Path) -> Result<Vec<Stray>> {
    let (mut names, mut dirs, mut format) = (HashSet::new(), HashSet::new(), None);
    for path in sidecars(root)? {
        if let Some(head) = Head::readable(&Sidecar::new(path))? {
            names.insert(head.folder);
            dirs.insert(PathBuf::from(head.dir));
            format = Some(head.format);
        }
    }
    let mut strays = found(&root.join("mail"), format)?;
    strays.retain(|stray| !dirs.contains(&stray.place));
    strays.sort_by(|a, b| a.place.cmp(&b.place));
    strays.dedup_by(|a, b| a.place == b.place);
    for stray in &mut strays {
        stray.folder = free_name(stray.folder.clone(), &names);
        names.insert(stray.folder.clone());
    }
    Ok(strays)
}

/// An archive has one format: in a tree of mbox files no directory is a Maildir, whatever its name. Without any sidecar the tree tells.
fn found(mail: &Path, format: Option<Format>) -> Result<Vec<Stray>> {
    if !mail.is_dir() {
        return Ok(Vec::new());
    }
    let mut strays = Vec::new();
    if format != Some(Format::Mbox) {
        // Other programs may have made folders in the other layout.
        for layout in [Layout::PlusPlus, Layout::Fs] {
            let scan = maildir::scan(mail, Some(layout))?;
            strays.extend(scan.folders.into_iter().map(|found| Stray {
                folder: found.folder,
                place: found.path,
                format: Format::Maildir,
                link: found.link,
            }));
        }
    }
    if format == Some(Format::Mbox) || format.is_none() && strays.is_empty() {
        let tree = mbox::tree(mail)?;
        let stray = |link| {
            move |found: mbox::Place| Stray {
                place: found.path.strip_prefix(mail).unwrap_or(&found.path).into(),
                folder: found.folder,
                format: Format::Mbox,
                link,
            }
        };
        strays.extend(tree.places.into_iter().map(stray(false)));
        strays.extend(tree.links.into_iter().map(stray(true)));
    }
    Ok(strays)
}

impl Stray {
    /// The folder, to be read.
    ///
    /// # Errors
    /// `Kind::Folder` for a symbolic link; `Code::Disk`.
    pub fn view(&self, root: &Path) -> Result<View> {
        if self.link {
            let what = format!(
                "{} is a symbolic link, which is not followed",
                root.join("mail").join(&self.place).display()
            );
            return Err(Error::new(Kind::Folder, Code::Refused, what)
                .hint("put what it leads to in its place, or take it away"));
        }
        let head = Head {
            folder: self.folder.clone(),
            dir: self.place.to_string_lossy().into_owned(),
            uid_validity: 1,
            format: self.format,
        };
        View::of(root, head, sidecar(root, &self.folder))
    }

    /// How many messages are in it.
    ///
    /// # Errors
    /// As [`Stray::view`].
    pub fn messages(&self, root: &Path) -> Result<usize> {
        let view = self.view(root)?;
        let appended = view.appended()?.map_or(0, |(_, mails)| mails.len());
        Ok(view.strangers()?.len() + appended)
    }
}
