//! Flags of files that are there, read from their names and changed by renaming.

use super::keywords::Keywords;
use super::{MaildirFolder, listing, name};
use crate::error::{Error, Result};
use crate::fs;
use crate::message::Flags;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

impl MaildirFolder {
    /// Gives files other flags by other names. Durable when it returns; a file that is gone by then is passed over.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn refile(&mut self, files: &[(&Path, &str, &Flags)]) -> Result<()> {
        let infos: Vec<String> = files
            .iter()
            .map(|(.., flags)| name::info(flags, &self.keywords.letters(flags)))
            .collect();
        self.keywords.save(&self.dir)?;
        let cur = self.dir.join("cur");
        for ((from, base, _), info) in files.iter().zip(infos) {
            let to = cur.join((*base).to_owned() + &info);
            if *from != to && std::fs::symlink_metadata(from).is_ok() {
                fs::rename(from, &to)?;
            }
        }
        fs::sync_dir(&cur)
    }

    /// Takes files away, durably.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn remove(&self, files: &[PathBuf]) -> Result<()> {
        for file in files {
            match std::fs::remove_file(file) {
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                done => done.map_err(|e| Error::disk("remove", file, &e))?,
            }
        }
        for part in ["cur", "new"] {
            fs::sync_dir(&self.dir.join(part))?;
        }
        Ok(())
    }
}

/// What the letters in a Maildir's file names mean.
#[derive(Debug)]
pub struct Letters(Keywords);

impl Letters {
    /// Of the Maildir at `dir`.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn load(dir: &Path) -> Result<Self> {
        Ok(Letters(Keywords::load(dir)?))
    }

    /// The flags of a message now: what its file's name tells, and of `kept` the labels, and the keywords for which there is no
    /// letter, which no program could change.
    #[must_use]
    pub fn flags(&self, path: &Path, kept: &Flags) -> Flags {
        let file = path.file_name().unwrap_or_default().as_bytes();
        let mut flags = listing::flags(name::parts(file).1, &self.0);
        for keyword in kept.keywords.iter().filter(|k| !self.0.has(k)) {
            flags.insert(keyword);
        }
        flags.labels.clone_from(&kept.labels);
        flags
    }
}
