//! `folders.json`: what the sidecars do not tell of folders, and how many messages each holds.
//!
//! It can be lost: special uses and subscriptions are gone then, messages are counted again.

use super::sidecar::Sidecar;
use super::view::{Head, View};
use crate::error::{Code, Error, Kind, Result};
use crate::format::maildir::{flat_name, short_name};
use crate::fs;
use crate::message::{Folder, SpecialUse};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

const FILE: &str = "folders.json";
/// More than any account's.
const LARGEST: u64 = 64 << 20;
/// Leaves room for the extension in what a file system takes as one name.
const LONGEST: usize = 240;
const EXTENSION: &str = "jsonl";

/// A folder of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderState {
    pub folder: Folder,
    pub uid_validity: u32,
    pub special_use: Option<SpecialUse>,
    pub subscribed: bool,
    /// Kept and not taken out again.
    pub messages: u32,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct Record {
    pub(super) name: String,
    /// `\Sent` and so on (RFC 6154).
    pub(super) special_use: Option<String>,
    /// `None`: nobody said; then it counts as subscribed.
    pub(super) subscribed: Option<bool>,
    /// Holds as long as the sidecar is so long.
    counted: Option<Counted>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Counted {
    bytes: u64,
    messages: u32,
}

/// The folder's sidecar, whether it exists or not.
pub(super) fn sidecar(root: &Path, folder: &Folder) -> Sidecar {
    let mut name = flat_name(folder);
    if name.len() > LONGEST {
        name = short_name(&folder.to_string());
    }
    Sidecar::new(root.join("sidecar").join(format!("{name}.{EXTENSION}")))
}

/// Every folder of the archive at `root`, by name; none where there is no archive. One whose sidecar does not tell which folder it is about is
/// not among them: it is one of the [`strays`](super::strays).
///
/// # Errors
/// `Code::Disk`.
pub fn folders(root: &Path) -> Result<Vec<FolderState>> {
    let records = load(root)?;
    let records: HashMap<&str, &Record> = records.iter().map(|r| (r.name.as_str(), r)).collect();
    let mut folders = Vec::new();
    for path in sidecars(root)? {
        let sidecar = Sidecar::new(path);
        let Some(head) = Head::readable(&sidecar)? else {
            continue;
        };
        let record = records.get(head.folder.to_string().as_str()).copied();
        let counted = record.and_then(|record| record.counted);
        folders.push(FolderState {
            messages: count(root, sidecar, counted)?,
            uid_validity: head.uid_validity,
            special_use: record
                .and_then(|record| record.special_use.as_deref())
                .and_then(SpecialUse::from_attribute),
            subscribed: record.and_then(|record| record.subscribed).unwrap_or(true),
            folder: head.folder,
        });
    }
    folders.sort_by(|a, b| a.folder.cmp(&b.folder));
    Ok(folders)
}

/// A folder of the archive at `root` to be read; `None` where there is none.
///
/// # Errors
/// `Code::Disk`.
pub fn view(root: &Path, folder: &Folder) -> Result<Option<View>> {
    View::open(root, sidecar(root, folder))
}

/// Where below `mail/` all folders are, in lower case.
pub(super) fn places(root: &Path) -> Result<HashSet<PathBuf>> {
    let mut places = HashSet::new();
    for path in sidecars(root)? {
        if let Some(head) = Head::read(&Sidecar::new(path))? {
            places.insert(head.dir.to_lowercase().into());
        }
    }
    Ok(places)
}

/// The sidecars' files, in the order of their names.
pub(super) fn sidecars(root: &Path) -> Result<Vec<PathBuf>> {
    let dir = root.join("sidecar");
    let broken = |e: std::io::Error| Error::disk("list", &dir, &e);
    let entries = match std::fs::read_dir(&dir) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(broken)?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(broken)?.path();
        if path.extension().is_some_and(|e| e == EXTENSION) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn count(root: &Path, sidecar: Sidecar, counted: Option<Counted>) -> Result<u32> {
    let bytes = sidecar.length()?;
    if let Some(counted) = counted.filter(|counted| counted.bytes == bytes) {
        return Ok(counted.messages);
    }
    let view = View::open(root, sidecar)?;
    Ok(view.map_or(0, |view| messages(&view)))
}

fn messages(view: &View) -> u32 {
    u32::try_from(view.messages()).unwrap_or(u32::MAX)
}

pub(super) fn load(root: &Path) -> Result<Vec<Record>> {
    let path = root.join(FILE);
    match std::fs::symlink_metadata(&path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        _ => {}
    }
    let mut text = Vec::new();
    fs::open(&path)?
        .take(LARGEST)
        .read_to_end(&mut text)
        .map_err(|e| Error::disk("read", &path, &e))?;
    serde_json::from_slice(&text).map_err(|e| {
        let what = format!("{} is not what mailhaul writes there", path.display());
        Error::new(Kind::Account, Code::Disk, what)
            .words(e.to_string())
            .hint("move it away: special uses and subscriptions are forgotten then, no mail is")
    })
}

/// Remembers what folders are for, before they are made.
pub(super) fn describe(root: &Path, about: &[(&Folder, Option<SpecialUse>, bool)]) -> Result<()> {
    update(root, |records| {
        for (folder, special_use, subscribed) in about {
            let record = record_of(records, folder);
            if let Some(special_use) = special_use {
                record.special_use = Some(special_use.attribute().to_owned());
            }
            record.subscribed = Some(record.subscribed == Some(true) || *subscribed);
        }
    })
}

/// Remembers how many messages these folders hold, so that nobody needs to count them again.
pub(super) fn remember_counts<'v>(
    root: &Path,
    views: impl Iterator<Item = &'v View>,
) -> Result<()> {
    update(root, |records| {
        for view in views {
            record_of(records, &view.folder).counted = Some(Counted {
                bytes: view.next.1,
                messages: messages(view),
            });
        }
    })
}

fn record_of<'r>(records: &'r mut Vec<Record>, folder: &Folder) -> &'r mut Record {
    let name = folder.to_string();
    let at = records.iter().position(|record| record.name == name);
    let at = at.unwrap_or(records.len());
    if at == records.len() {
        records.push(Record {
            name,
            ..Record::default()
        });
    }
    &mut records[at]
}

/// Lanes of one run write it one after the other; the run holds the archive's lock.
fn update(root: &Path, change: impl FnOnce(&mut Vec<Record>)) -> Result<()> {
    static WRITING: Mutex<()> = Mutex::new(());
    let _held = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let before = load(root)?;
    let mut records = before.clone();
    change(&mut records);
    if records == before {
        return Ok(());
    }
    records.sort_by(|a, b| a.name.cmp(&b.name));
    let text = serde_json::to_vec_pretty(&records).map_err(|e| {
        let what = format!("cannot write {}", root.join(FILE).display());
        Error::new(Kind::Internal, Code::Internal, what).words(e.to_string())
    })?;
    fs::persist(&root.join(FILE), |file| file.write_all(&text))
}
