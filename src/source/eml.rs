//! A directory of `.eml` files as a source: each directory a folder, the one given INBOX. Nothing in it is changed.

use super::disk::{VALIDITY, count, opened};
use super::{Arrival, Heading, Listed, Opened, Source, Wanted};
use crate::error::{Code, End, Error, Kind, Result};
use crate::format::{maildir, mbox};
use crate::job::Local;
use crate::message::{Folder, InternalDate, SourceKey};
use crate::net::Flow;
use crate::plan::SourceFolder;
use crate::spool::Budget;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

pub(super) struct EmlSource {
    root: PathBuf,
    /// The one file of the root that is looked at, where the job names a file.
    file: Option<PathBuf>,
    index: u32,
    /// The files of each folder, below the root, in the order of their names.
    folders: BTreeMap<Folder, Vec<PathBuf>>,
}

impl EmlSource {
    pub(super) fn open(local: &Local, index: u32) -> Result<Self> {
        let mut source = EmlSource {
            root: local.path.clone(),
            file: None,
            index,
            folders: BTreeMap::new(),
        };
        source.look()?;
        Ok(source)
    }

    fn look(&mut self) -> Result<()> {
        self.folders.clear();
        if let Some(file) = &self.file {
            self.folders.insert(Folder::inbox(), vec![file.clone()]);
            return Ok(());
        }
        let meta = std::fs::metadata(&self.root);
        let meta = meta.map_err(|e| of_account(Error::disk("look at", &self.root, &e)))?;
        if meta.is_dir() {
            return self.walk(Path::new("")).map_err(of_account);
        }
        let name = self.root.file_name().map(PathBuf::from).unwrap_or_default();
        self.root.pop();
        self.file = Some(name);
        self.look()
    }

    fn walk(&mut self, below: &Path) -> Result<()> {
        let dir = self.root.join(below);
        let broken = |e: std::io::Error| Error::disk("list", &dir, &e);
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&dir).map_err(broken)? {
            let entry = entry.map_err(broken)?;
            let (kind, path) = (
                entry.file_type().map_err(broken)?,
                below.join(entry.file_name()),
            );
            if kind.is_dir() {
                self.walk(&path)?;
            } else if is_eml(&path) {
                files.push(path);
            }
        }
        files.sort();
        if let Some(folder) = folder(below).filter(|_| !files.is_empty()) {
            self.folders.entry(folder).or_default().extend(files);
        }
        Ok(())
    }

    fn files(&self, folder: &Folder) -> Result<&[PathBuf]> {
        self.folders.get(folder).map(Vec::as_slice).ok_or_else(|| {
            let what = format!("the folder {folder} is gone from {}", self.root.display());
            Error::new(Kind::Folder, Code::Refused, what).at(End::Source)
        })
    }

    /// A file as it is listed, and its header. One that cannot be read is listed without date and flags: read, it tells why.
    fn look_at(&self, file: &Path) -> (Listed, Vec<u8>) {
        let path = self.root.join(file);
        let head = maildir::read_head(&path).unwrap_or_default();
        let meta = std::fs::symlink_metadata(&path).ok();
        let modified = meta.as_ref().map(|meta| InternalDate {
            epoch: meta.mtime(),
            offset_minutes: 0,
        });
        let listed = Listed {
            key: SourceKey::Name {
                name: file.as_os_str().as_bytes().into(),
                ordinal: 0,
            },
            flags: mbox::marks(&head).flags,
            date: InternalDate::from_headers(&head).or(modified),
            size: meta.map(|meta| meta.len()),
        };
        (listed, head)
    }

    /// Changes with every file of a folder.
    fn state(&self, files: &[PathBuf]) -> Option<u64> {
        let mut hasher = blake3::Hasher::new();
        for file in files {
            let meta = std::fs::symlink_metadata(self.root.join(file)).ok()?;
            hasher.update(file.as_os_str().as_bytes());
            for number in [meta.size() as i64, meta.mtime(), meta.mtime_nsec()] {
                hasher.update(&number.to_le_bytes());
            }
        }
        let mut state = [0; 8];
        hasher.finalize_xof().fill(&mut state);
        Some(u64::from_le_bytes(state))
    }
}

impl Source for EmlSource {
    fn folders(&mut self) -> Result<Vec<SourceFolder>> {
        self.look()?;
        let mut shown: Vec<SourceFolder> = self
            .folders
            .iter()
            .map(|(folder, files)| SourceFolder {
                source: self.index,
                folder: folder.clone(),
                name: folder.to_string().into_bytes(),
                special_use: None,
                subscribed: true,
                uid_validity: VALIDITY,
                uid_next: None,
                messages: count(files.len()),
                highest_modseq: self.state(files),
            })
            .collect();
        shown.sort_by_key(|folder| !folder.folder.is_inbox());
        Ok(shown)
    }

    fn list(
        &mut self,
        folder: &SourceFolder,
        on: &mut dyn FnMut(Listed) -> Result<()>,
    ) -> Result<Opened> {
        let files = self.files(&folder.folder)?;
        files.iter().try_for_each(|file| on(self.look_at(file).0))?;
        Ok(opened(files.len()))
    }

    fn fetch(
        &mut self,
        folder: &SourceFolder,
        wanted: Wanted<'_>,
        budget: &Budget,
        on_open: &mut dyn FnMut(&Opened) -> Result<Flow>,
        on: &mut dyn FnMut(Arrival) -> Result<Flow>,
    ) -> Result<()> {
        let files = self.files(&folder.folder)?;
        if matches!(on_open(&opened(files.len()))?, Flow::Stop) {
            return Ok(());
        }
        let mut give = |listed: Listed| {
            let path = self.root.join(file_of(&listed.key)?);
            let body = match maildir::read_message(&path, budget) {
                Err(error) if error.kind != Kind::Message => return Err(error),
                body => body,
            };
            on(Arrival {
                key: listed.key,
                flags: listed.flags,
                date: listed.date,
                body,
            })
        };
        match wanted {
            Wanted::Whole => {
                for file in files {
                    if matches!(give(self.look_at(file).0)?, Flow::Stop) {
                        break;
                    }
                }
            }
            Wanted::Keys(keys) => {
                for listed in keys {
                    if matches!(give(listed.clone())?, Flow::Stop) {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    fn headings(
        &mut self,
        folder: &SourceFolder,
        on: &mut dyn FnMut(Heading) -> Result<()>,
    ) -> Result<Option<Opened>> {
        let files = self.files(&folder.folder)?;
        for file in files {
            let (listed, head) = self.look_at(file);
            on(Heading { listed, head })?;
        }
        Ok(Some(opened(files.len())))
    }
}

fn is_eml(path: &Path) -> bool {
    let hidden = path
        .file_name()
        .is_some_and(|name| name.as_bytes().starts_with(b"."));
    !hidden
        && path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("eml"))
}

/// INBOX for the root; a directory's name is its folder's.
fn folder(below: &Path) -> Option<Folder> {
    if below.as_os_str().is_empty() {
        return Some(Folder::inbox());
    }
    let levels = below
        .iter()
        .map(|level| level.to_string_lossy().into_owned());
    Folder::new(levels.collect())
}

fn file_of(key: &SourceKey) -> Result<&Path> {
    match key {
        SourceKey::Name { name, .. } => Ok(Path::new(OsStr::from_bytes(name))),
        SourceKey::Uid(_) => Err(super::foreign_key(key)),
    }
}

fn of_account(error: Error) -> Error {
    Error {
        kind: Kind::Account,
        ..error.at(End::Source)
    }
}
