//! Which folders there are, and in which files: one a file, or, where Google wrote it, one a label.

use crate::error::{Code, End, Error, Kind, Result};
use crate::format::mbox::{Dialect, MboxFile, Place, is_blank, marks, sidecar_of, tree};
use crate::message::Folder;
use crate::source::disk::no_mail;
use rayon::prelude::*;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Headers are looked at this far.
pub(super) const HEAD: usize = 128 << 10;

/// A folder, and where its messages are.
#[derive(Debug, Clone)]
pub(super) struct Shelf {
    pub(super) folder: Folder,
    pub(super) parts: Vec<Part>,
    pub(super) messages: usize,
    /// It is a symbolic link, which is not followed.
    pub(super) link: bool,
}

/// A file, or some of its messages.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) path: PathBuf,
    /// Their numbers, where labels chose them; all without.
    pub(super) chosen: Option<Vec<u32>>,
}

/// All folders of a file or a directory, INBOX first, and how many messages each holds.
///
/// # Errors
/// `Code::Disk`; `Code::Refused` for a directory without any mbox, and for a file that has bytes and no message.
pub(super) fn shelves(root: &Path, dialect: Option<Dialect>) -> Result<Vec<Shelf>> {
    let found = tree(root)?;
    let links = found.links.iter().map(|place| Shelf {
        folder: place.folder.clone(),
        parts: vec![whole(&place.path)],
        messages: 1,
        link: true,
    });
    let files: Vec<Vec<Shelf>> = found
        .places
        .par_iter()
        .map(|place| shelves_of(place, dialect))
        .collect();
    let mut shelves: Vec<Shelf> = Vec::new();
    for shelf in files.into_iter().flatten().chain(links) {
        match shelves.iter_mut().find(|s| s.folder == shelf.folder) {
            Some(same) => {
                same.parts.extend(shelf.parts);
                same.messages += shelf.messages;
                same.link |= shelf.link;
            }
            None => shelves.push(shelf),
        }
    }
    if shelves.is_empty() {
        return Err(no_mail(
            root,
            "holds no mbox, nor does any directory in it",
            "name the file, or the directory that has the files; each begins with a line \"From \"",
        ));
    }
    let messages: usize = shelves.iter().map(|s| s.messages).sum();
    if messages == 0 && root.is_file() && !is_blank(root)? {
        return Err(no_mail(
            root,
            "is no mbox: no line in it begins a message with \"From \"",
            "name the file that holds the mail; a single message in a file is protocol = \"eml\"",
        ));
    }
    shelves.sort_by_key(|s| (!s.folder.is_inbox(), s.folder.clone()));
    Ok(shelves)
}

/// One folder a file; of a file with labels, one a label.
fn shelves_of(place: &Place, dialect: Option<Dialect>) -> Vec<Shelf> {
    let all = |messages| Shelf {
        folder: place.folder.clone(),
        parts: vec![whole(&place.path)],
        messages,
        link: false,
    };
    let found = MboxFile::open(&place.path, dialect).and_then(|file| match has_labels(&file)? {
        true => labels(&file),
        false => Ok(vec![all(file.messages().len())]),
    });
    // What cannot be read is no empty folder: opened, it tells why.
    found.unwrap_or_else(|_| vec![all(1)])
}

fn has_labels(file: &MboxFile) -> Result<bool> {
    let Some(first) = file.messages().first() else {
        return Ok(false);
    };
    Ok(marks(&file.head(first, HEAD)?).labels.is_some())
}

impl Shelf {
    /// Changes with the folder's files: length and time of each, and of our sidecar.
    pub(super) fn state(&self, root: &Path) -> Option<u64> {
        let mut hasher = blake3::Hasher::new();
        for part in &self.parts {
            let sidecar = sidecar_of(root, &part.path);
            for path in [Some(&part.path), sidecar.as_ref()].into_iter().flatten() {
                let Ok(meta) = std::fs::symlink_metadata(path) else {
                    continue;
                };
                let modified = meta.modified().ok()?;
                let since = modified.duration_since(std::time::UNIX_EPOCH).ok()?;
                hasher.update(&meta.len().to_le_bytes());
                hasher.update(&since.as_nanos().to_le_bytes());
            }
        }
        let mut state = [0; 8];
        hasher.finalize_xof().fill(&mut state);
        Some(u64::from_le_bytes(state))
    }

    /// Its symbolic link, as an error.
    pub(super) fn refused(&self) -> Error {
        let path = self
            .parts
            .first()
            .map(|part| part.path.display().to_string());
        let what = format!(
            "{} is a symbolic link, which is not followed",
            path.unwrap_or_default()
        );
        Error::new(Kind::Folder, Code::Refused, what)
            .hint("put the file itself there, or give what it leads to a [[source]] of its own")
            .at(End::Source)
    }
}

fn whole(path: &Path) -> Part {
    Part {
        path: path.to_owned(),
        chosen: None,
    }
}

/// The folders that a file's labels make, in the order in which they are met.
fn labels(file: &MboxFile) -> Result<Vec<Shelf>> {
    let mut places: HashMap<Folder, usize> = HashMap::new();
    let mut shelves: Vec<(Folder, Vec<u32>)> = Vec::new();
    for (number, at) in (0u32..).zip(file.messages()) {
        // A message without the field is in the archive, as one without labels is.
        let labels = marks(&file.head(at, HEAD)?).labels.unwrap_or_default();
        for folder in labels.folders() {
            let shelf = *places.entry(folder.clone()).or_insert_with(|| {
                shelves.push((folder, Vec::new()));
                shelves.len() - 1
            });
            shelves[shelf].1.push(number);
        }
    }
    let shelf = |(folder, chosen): (Folder, Vec<u32>)| Shelf {
        folder,
        messages: chosen.len(),
        parts: vec![Part {
            path: file.path().to_owned(),
            chosen: Some(chosen),
        }],
        link: false,
    };
    Ok(shelves.into_iter().map(shelf).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs;
    use std::io::Write;

    #[test]
    fn what_is_no_mbox_is_no_empty_mailbox() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file.txt");
        let write = |text: &str| fs::persist(&file, |f| f.write_all(text.as_bytes())).unwrap();
        write("Dear Siti,\nFrom here on it rains.\n");
        for path in [file.as_path(), dir.path()] {
            let error = shelves(path, None).unwrap_err();
            assert_eq!(error.kind, Kind::Account, "{}", path.display());
        }
        for blank in ["", "\n\n"] {
            write(blank);
            assert_eq!(shelves(&file, None).unwrap()[0].messages, 0);
        }
        write("From a@b.c Tue Jan 05 12:34:56 1999\nA: 1\n\n");
        assert_eq!(shelves(&file, None).unwrap()[0].messages, 1);
    }
}
