//! A directory of `.eml` files as a source: each directory a folder, the one given INBOX. Nothing in it is changed.

use super::disk::{VALIDITY, count, no_mail, opened};
use super::{Arrival, Heading, Listed, Opened, Source, Wanted};
use crate::error::{Code, End, Error, Kind, Result};
use crate::format::{maildir, mbox};
use crate::fs;
use crate::job::Local;
use crate::message::canonical::Canonicalizer;
use crate::message::{Digest, Folder, InternalDate, SourceKey};
use crate::net::Flow;
use crate::plan::SourceFolder;
use crate::spool::{Body, Budget};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Bytes read at once.
const PIECE: usize = 64 * 1024;

pub(super) struct EmlSource {
    root: PathBuf,
    /// The one file of the root that is looked at, where the job names a file.
    file: Option<PathBuf>,
    index: u32,
    /// The files of each folder, below the root, in the order of their names; or why its directory cannot be read.
    folders: BTreeMap<Folder, Result<Vec<PathBuf>>>,
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
            let files = Ok(vec![file.clone()]);
            self.folders.insert(Folder::inbox(), files);
            return Ok(());
        }
        let meta = std::fs::metadata(&self.root);
        let meta = meta.map_err(|e| of_account(Error::disk("look at", &self.root, &e)))?;
        if meta.is_dir() {
            self.walk(Path::new("")).map_err(of_account)?;
            return match self.folders.is_empty() {
                true => Err(no_mail(
                    &self.root,
                    "holds no .eml file, nor does any directory in it",
                    "name the directory that has them; where they end otherwise, rename them",
                )),
                false => Ok(()),
            };
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
                if let Err(error) = self.walk(&path) {
                    let unread = of_folder(error);
                    let folder = folder(&path).ok_or_else(|| unread.clone())?;
                    self.folders.insert(folder, Err(unread));
                }
            } else if is_eml(&path) {
                files.push(path);
            }
        }
        files.sort();
        if let Some(folder) = folder(below).filter(|_| !files.is_empty()) {
            let there = self.folders.entry(folder).or_insert(Ok(Vec::new()));
            if let Ok(there) = there {
                there.extend(files);
            }
        }
        Ok(())
    }

    fn files(&self, folder: &Folder) -> Result<&[PathBuf]> {
        match self.folders.get(folder) {
            Some(Ok(files)) => Ok(files),
            Some(Err(error)) => Err(error.clone()),
            None => {
                let what = format!("the folder {folder} is gone from {}", self.root.display());
                Err(Error::new(Kind::Folder, Code::Refused, what).at(End::Source))
            }
        }
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
            key: key(file, digest(&path, &head).ok()),
            flags: mbox::marks(&head).flags,
            date: InternalDate::from_headers(&head).or(modified),
            size: meta.map(|meta| meta.len()),
        };
        (listed, head)
    }

    /// A file of a listing; `None`: it is gone. Listed without its digest it would be another message, and the one it holds have gone.
    fn check(&self, file: &Path) -> Result<Option<Listed>> {
        let (listed, _) = self.look_at(file);
        let path = self.root.join(file);
        if digest_in(&listed.key).is_some_and(|digest| !digest.is_empty()) {
            return Ok(Some(listed));
        }
        match std::fs::symlink_metadata(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Ok(meta) if meta.is_file() => {
                let what = digest(&path, b"").err().unwrap_or_else(|| changed(&path));
                let kind = Kind::Folder;
                Err(Error { kind, ..what }.at(End::Source))
            }
            _ => Ok(Some(listed)),
        }
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
                // What cannot be read is no empty folder: opened, it tells why.
                messages: count(files.as_ref().map_or(1, Vec::len)),
                highest_modseq: files.as_ref().ok().and_then(|files| self.state(files)),
                labelled: false,
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
        let mut listed = 0;
        for file in self.files(&folder.folder)? {
            let Some(readable) = self.check(file)? else {
                continue;
            };
            on(readable)?;
            listed += 1;
        }
        Ok(opened(listed))
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
            let body = maildir::read_message(&path, budget);
            let body = match body.and_then(|body| same(body, &listed.key, &path)) {
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

/// `PATH@DIGEST`: a path may be given to another message, which is to be copied too, while one that was only touched is the same. What
/// cannot be read has no digest.
fn key(file: &Path, digest: Option<Digest>) -> SourceKey {
    let mut name = file.as_os_str().as_bytes().to_vec();
    name.push(b'@');
    name.extend(
        digest
            .map(|digest| digest.to_string())
            .unwrap_or_default()
            .bytes(),
    );
    SourceKey::Name {
        name: name.into(),
        ordinal: 0,
    }
}

/// BLAKE3 of a message's canonical form without the fields that hold its state; `head` is its header, in canonical form.
fn digest(path: &Path, head: &[u8]) -> Result<Digest> {
    let mut file = fs::open(path)?;
    let (mut canonicalizer, mut hasher) = (Canonicalizer::default(), blake3::Hasher::new());
    hasher.update(&mbox::without_state(head));
    let (mut piece, mut part, mut left_out) = (vec![0; PIECE], Vec::new(), head.len());
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok(Digest(*hasher.finalize().as_bytes())),
            Ok(read) => {
                part.clear();
                canonicalizer.push(&piece[..read], &mut part);
                let header = left_out.min(part.len());
                left_out -= header;
                hasher.update(&part[header..]);
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(Error::disk("read", path, &e)),
        }
    }
}

/// Fails where the file holds another message than the one that was listed.
fn same(body: Body, key: &SourceKey, path: &Path) -> Result<Body> {
    let exact = body.digests().exact.to_string();
    match mbox::has_state(body.head()) || digest_in(key) == Some(exact.as_bytes()) {
        true => Ok(body),
        false => Err(changed(path)),
    }
}

fn changed(path: &Path) -> Error {
    let what = format!("{} was changed while it was read", path.display());
    Error::new(Kind::Message, Code::Disk, what).hint("run again")
}

fn digest_in(key: &SourceKey) -> Option<&[u8]> {
    match key {
        SourceKey::Name { name, .. } => name.rsplit(|&b| b == b'@').next(),
        SourceKey::Uid(_) => None,
    }
}

fn file_of(key: &SourceKey) -> Result<&Path> {
    let at = match key {
        SourceKey::Name { name, .. } => memchr::memrchr(b'@', name).map(|at| &name[..at]),
        SourceKey::Uid(_) => None,
    };
    let path = at.map(|path| Path::new(OsStr::from_bytes(path)));
    path.ok_or_else(|| super::foreign_key(key))
}

/// A directory that cannot be read fails its folder, and the others go on.
fn of_folder(error: Error) -> Error {
    Error {
        kind: Kind::Folder,
        ..error.at(End::Source)
    }
}

fn of_account(error: Error) -> Error {
    Error {
        kind: Kind::Account,
        ..error.at(End::Source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs;
    use std::io::Write;

    fn source(root: PathBuf) -> EmlSource {
        EmlSource {
            root,
            file: None,
            index: 0,
            folders: BTreeMap::new(),
        }
    }

    #[test]
    fn a_directory_without_eml_files_is_no_empty_mailbox() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("A")).unwrap();
        fs::persist(&dir.path().join("A/notes.txt"), |f| f.write_all(b"a")).unwrap();
        let mut source = source(dir.path().to_owned());
        let error = source.folders().unwrap_err();
        assert_eq!((error.kind, error.end), (Kind::Account, Some(End::Source)));
        fs::persist(&dir.path().join("A/1.eml"), |f| f.write_all(b"A: 1\n\n")).unwrap();
        assert_eq!(source.folders().unwrap()[0].folder.to_string(), "A");
    }

    #[test]
    fn a_directory_that_cannot_be_read_fails_its_folder_alone() {
        let dir = tempfile::tempdir().unwrap();
        let mut source = source(fs::at_the_limit(dir.path(), &["A"]));
        let folders = source.folders().unwrap();
        assert_eq!((folders.len(), folders[0].messages), (1, 1));
        let error = source.list(&folders[0], &mut |_| Ok(())).unwrap_err();
        assert_eq!((error.kind, error.code), (Kind::Folder, Code::Disk));
    }
}
