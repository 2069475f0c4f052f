//! The directories of a Maildir tree, made where they are missing.

use super::tree::{Layout, Location};
use super::{MaildirFolder, decode, name};
use crate::error::{Error, Result};
use crate::fs;
use crate::message::Folder;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// A tree of Maildirs, INBOX its root.
#[derive(Debug)]
pub struct Maildir {
    root: PathBuf,
    layout: Layout,
}

impl Maildir {
    /// Opens the tree at `root`, and makes its directory, 0700, where there is none.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn open(root: &Path, layout: Layout) -> Result<Self> {
        fs::inherited_dir(root)?;
        Ok(Maildir {
            root: root.to_owned(),
            layout,
        })
    }

    /// The tree at `root`; nothing is made before a folder is.
    #[must_use]
    pub fn at(root: &Path, layout: Layout) -> Self {
        Maildir {
            root: root.to_owned(),
            layout,
        }
    }

    /// Where a folder's Maildir is, relative to the root, whether it exists or not.
    #[must_use]
    pub fn location(&self, folder: &Folder) -> PathBuf {
        self.layout.locate(folder).path
    }

    /// A folder to write to and read from, made where there is none.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn folder(&self, folder: &Folder) -> Result<MaildirFolder> {
        let location = self.layout.locate(folder);
        let mut dir = self.root.clone();
        for level in location.path.components() {
            dir.push(level);
            fs::inherited_dir(&dir)?;
        }
        self.fill(&dir, folder, &location)?;
        MaildirFolder::at(dir)
    }

    /// Makes a folder where there is none, whole at once: a Dovecot that sees one in the making remembers for long that it cannot be
    /// opened.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn make(&self, folder: &Folder) -> Result<()> {
        let location = self.layout.locate(folder);
        let dir = self.root.join(&location.path);
        if std::fs::symlink_metadata(&dir).is_ok() {
            return self.folder(folder).map(drop);
        }
        let above = dir.parent().unwrap_or(&self.root);
        fs::inherited_dir(above)?;
        let tmp = self.root.join("tmp");
        fs::inherited_dir(&tmp)?;
        let aside = tmp.join(name::unique(None));
        // Not in its place yet, so it may be root's for a moment.
        fs::private_dir(&aside)?;
        File::open(&aside)
            .and_then(|made| fs::inherit(&made, &tmp))
            .map_err(|e| Error::disk("give to its owner", &aside, &e))?;
        self.fill(&aside, folder, &location)?;
        fs::rename(&aside, &dir)?;
        fs::sync_dir(above)
    }

    /// What belongs into a folder's directory.
    fn fill(&self, dir: &Path, folder: &Folder, location: &Location) -> Result<()> {
        complete(dir)?;
        if !location.path.as_os_str().is_empty() && self.layout == Layout::PlusPlus {
            ensure(dir, "maildirfolder", b"")?;
        }
        if location.shortened {
            ensure(dir, decode::NAME_FILE, folder.to_string().as_bytes())?;
        }
        Ok(())
    }
}

/// Makes what is missing of `cur/`, `new/` and `tmp/`.
///
/// # Errors
/// `Code::Disk`.
pub fn complete(dir: &Path) -> Result<()> {
    for part in ["tmp", "new", "cur"] {
        fs::inherited_dir(&dir.join(part))?;
    }
    Ok(())
}

fn ensure(dir: &Path, name: &str, content: &[u8]) -> Result<()> {
    let path = dir.join(name);
    if std::fs::symlink_metadata(&path).is_ok_and(|m| m.is_file()) {
        return Ok(());
    }
    fs::persist(&path, |file| {
        fs::inherit(file, dir)?;
        file.write_all(content)
    })
}
