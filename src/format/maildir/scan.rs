//! Which folders a Maildir tree holds, whoever wrote it.
//!
//! Symbolic links are never followed. One that leads to a Maildir is told all the same, so that its mail is missed by name.

use super::decode;
use super::tree::Layout;
use crate::error::{Code, Error, Kind, Result};
use crate::message::Folder;
use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind::NotADirectory, ErrorKind::NotFound};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Parts of a Maildir, never folders.
const PARTS: [&str; 3] = ["cur", "new", "tmp"];

/// A folder of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub folder: Folder,
    /// Its directory relative to the root; empty for the root itself.
    pub path: PathBuf,
    /// Its directory is a symbolic link, which is not followed.
    pub link: bool,
}

/// A tree of Maildirs as it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    pub layout: Layout,
    /// INBOX first, the others by name; no name twice.
    pub folders: Vec<Found>,
}

/// All folders below `root`. Without a layout it is told from what lies there; a single Maildir, or an empty directory, counts as Maildir++.
///
/// # Errors
/// `Code::Disk` for a root that cannot be read, and for a folder whose mail can be read while its subfolders cannot, naming it; a directory
/// below that cannot be looked into is a folder: opened, it tells why. `Code::Job` where folders lie there in both layouts.
pub fn scan(root: &Path, layout: Option<Layout>) -> Result<Scan> {
    let top = entries(root)?;
    let flat: Vec<Place> = top
        .iter()
        .filter(|entry| is_hidden(&entry.name))
        .filter_map(|entry| entry.as_folder(root, Path::new("")))
        .collect();
    let mut levels = Vec::new();
    if layout != Some(Layout::PlusPlus) {
        walk(root, Path::new(""), top, &mut levels)?;
    }
    let layout = match layout {
        Some(layout) => layout,
        None => told(root, &flat, &levels)?,
    };
    let mut places = match layout {
        Layout::PlusPlus => flat,
        Layout::Fs => levels,
    };
    if mail_in(root) != Mail::None {
        places.push(Place {
            path: PathBuf::new(),
            link: false,
            mail: Mail::Some,
        });
    }
    let folders = named(root, layout, places);
    Ok(Scan { layout, folders })
}

/// A directory that holds mail, or may.
struct Place {
    /// Relative to the root.
    path: PathBuf,
    link: bool,
    mail: Mail,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mail {
    None,
    Some,
    /// It cannot be looked into.
    Unknown,
}

/// Directories that cannot be looked into tell a layout only where there are no others: `lost+found` is one.
fn told(root: &Path, flat: &[Place], levels: &[Place]) -> Result<Layout> {
    fn sure(places: &[Place]) -> Option<&Place> {
        places.iter().find(|place| place.mail == Mail::Some)
    }
    match (sure(flat), sure(levels)) {
        (Some(flat), Some(level)) => {
            let what = format!(
                "{} holds folders in two layouts: {} and {}",
                root.display(),
                flat.path.display(),
                level.path.display()
            );
            Err(Error::new(Kind::Account, Code::Job, what)
                .hint(r#"say which one is meant: layout = "maildir++" or layout = "fs""#))
        }
        (None, Some(_)) => Ok(Layout::Fs),
        (None, None) if flat.is_empty() && !levels.is_empty() => Ok(Layout::Fs),
        _ => Ok(Layout::PlusPlus),
    }
}

fn walk(root: &Path, at: &Path, entries_there: Vec<Entry>, out: &mut Vec<Place>) -> Result<()> {
    for entry in entries_there {
        // Hidden directories at the top are Maildir++'s; further down they are mbsync's subfolders, or nothing of ours.
        if entry
            .name
            .to_str()
            .is_some_and(|name| PARTS.contains(&name))
            || at.as_os_str().is_empty() && is_hidden(&entry.name)
        {
            continue;
        }
        let folder = entry.as_folder(root, at);
        let descend = entry.is_dir && (folder.is_some() || !is_hidden(&entry.name));
        let unknown = folder.as_ref().is_some_and(|f| f.mail == Mail::Unknown);
        out.extend(folder);
        if descend {
            let path = at.join(&entry.name);
            match entries(&root.join(&path)) {
                Ok(below) => walk(root, &path, below, out)?,
                // It is told as a folder already.
                Err(_) if unknown => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

struct Entry {
    name: OsString,
    is_dir: bool,
    is_link: bool,
}

impl Entry {
    /// Its place, if there is or may be mail inside, or would be if the link were followed.
    fn as_folder(&self, root: &Path, at: &Path) -> Option<Place> {
        if !self.is_dir && !self.is_link {
            return None;
        }
        let path = at.join(&self.name);
        let (mail, link) = (mail_in(&root.join(&path)), self.is_link);
        (mail != Mail::None).then_some(Place { path, link, mail })
    }
}

/// What a directory holds, in the order of the names.
fn entries(dir: &Path) -> Result<Vec<Entry>> {
    let broken = |e: io::Error| Error::disk("list", dir, &e);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(broken)? {
        let entry = entry.map_err(broken)?;
        let kind = entry.file_type().map_err(broken)?;
        found.push(Entry {
            name: entry.file_name(),
            is_dir: kind.is_dir(),
            is_link: kind.is_symlink(),
        });
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

fn mail_in(dir: &Path) -> Mail {
    let mut mail = Mail::None;
    for part in ["cur", "new"] {
        match std::fs::symlink_metadata(dir.join(part)) {
            Ok(meta) if !meta.is_file() => return Mail::Some,
            Ok(_) => {}
            Err(e) if matches!(e.kind(), NotFound | NotADirectory) => {}
            Err(_) => mail = Mail::Unknown,
        }
    }
    mail
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_bytes().starts_with(b".")
}

/// Names for all of them. Where two directories come to the same name (plain UTF-8 beside modified UTF-7), the one that
/// mailhaul itself would write keeps it, and the other gets a number.
fn named(root: &Path, layout: Layout, places: Vec<Place>) -> Vec<Found> {
    let decoded = places.into_iter().map(|Place { path, link, .. }| {
        let folder = decode::folder(layout, root, &path);
        let own = layout.locate(&folder).path == path;
        (!own, path, link, folder)
    });
    let mut decoded: Vec<_> = decoded.collect();
    decoded.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    let mut taken = HashSet::new();
    let mut folders: Vec<Found> = Vec::with_capacity(decoded.len());
    for (_, path, link, folder) in decoded {
        let folder = free_name(folder, &taken);
        taken.insert(folder.clone());
        folders.push(Found { folder, path, link });
    }
    folders
        .sort_by(|a, b| (!a.folder.is_inbox(), &a.folder).cmp(&(!b.folder.is_inbox(), &b.folder)));
    folders
}

/// The name itself, or with a number where another folder has it.
pub(crate) fn free_name(folder: Folder, taken: &HashSet<Folder>) -> Folder {
    let numbered = |n: u32| {
        let mut names = folder.names().to_vec();
        if let Some(last) = names.last_mut() {
            last.push_str(&format!(" ({n})"));
        }
        Folder::new(names)
    };
    if !taken.contains(&folder) {
        return folder;
    }
    (2..)
        .filter_map(numbered)
        .find(|folder| !taken.contains(folder))
        .unwrap_or_else(|| folder.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn tree(dirs: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for dir in dirs {
            std::fs::create_dir_all(root.path().join(dir)).unwrap();
        }
        root
    }

    fn names(scan: &Scan) -> Vec<String> {
        let name = |f: &Found| format!("{}={}", f.folder, f.path.display());
        scan.folders.iter().map(name).collect()
    }

    #[test]
    fn both_layouts_are_told_apart() {
        let root = tree(&[
            "cur", "new", ".A.B/cur", ".A/new", ".no/mail", "tmp", "other/x",
        ]);
        let found = scan(root.path(), None).unwrap();
        assert_eq!(found.layout, Layout::PlusPlus);
        assert_eq!(names(&found), ["INBOX=", "A=.A", "A/B=.A.B"]);
        let root = tree(&["cur", "A/B/cur", "A/tmp", "C/new", "C/.sub/cur", ".x"]);
        let found = scan(root.path(), None).unwrap();
        assert_eq!(found.layout, Layout::Fs);
        assert_eq!(names(&found), ["INBOX=", "A/B=A/B", "C=C", "C/sub=C/.sub"]);
        assert_eq!(names(&scan(tree(&[]).path(), None).unwrap()), [""; 0]);
    }

    #[test]
    fn an_inbox_beside_the_others() {
        let root = tree(&["Inbox/cur", "Work/cur"]);
        let found = scan(root.path(), None).unwrap();
        assert_eq!(names(&found), ["INBOX=Inbox", "Work=Work"]);
    }

    #[test]
    fn mixed_layouts_are_asked_about() {
        let root = tree(&[".A/cur", "B/cur"]);
        let error = scan(root.path(), None).unwrap_err();
        assert!(error.hint.unwrap().contains("layout = \"fs\""));
        let only = |layout| names(&scan(root.path(), Some(layout)).unwrap());
        assert_eq!(only(Layout::PlusPlus), ["A=.A"]);
        assert_eq!(only(Layout::Fs), ["B=B"]);
    }

    #[test]
    fn one_name_in_two_writings_is_two_folders() {
        let root = tree(&[".Entwürfe/cur", ".Entw&APw-rfe/cur", ".INBOX/cur", "cur"]);
        let found = scan(root.path(), None).unwrap();
        assert_eq!(
            names(&found),
            [
                "INBOX=",
                "Entwürfe=.Entw&APw-rfe",
                "Entwürfe (2)=.Entwürfe",
                "INBOX (2)=.INBOX"
            ]
        );
    }

    #[test]
    fn links_are_told_and_not_followed() {
        let elsewhere = tree(&["cur", "Sub/cur"]);
        let root = tree(&["cur", "A/cur"]);
        symlink(elsewhere.path(), root.path().join("L")).unwrap();
        symlink("nowhere", root.path().join("dangling")).unwrap();
        let found = scan(root.path(), None).unwrap();
        assert_eq!(names(&found), ["INBOX=", "A=A", "L=L"]);
        assert!(found.folders[2].link);
    }

    #[test]
    fn what_cannot_be_looked_into_is_a_folder() {
        let flat = tempfile::tempdir().unwrap();
        let root = crate::fs::at_the_limit(flat.path(), &["cur", ".Moved/cur"]);
        let found = scan(&root, None).unwrap();
        assert_eq!(found.layout, Layout::PlusPlus);
        assert_eq!(names(&found), ["INBOX=", "Moved=.Moved"]);
        let levels = tempfile::tempdir().unwrap();
        let root = crate::fs::at_the_limit(levels.path(), &["Work/cur", "a"]);
        let found = scan(&root, None).unwrap();
        assert_eq!(found.layout, Layout::Fs);
        assert_eq!(names(&found), ["INBOX=", "Work=Work", "a=a"]);
        assert!(super::super::list(&root.join("a")).is_err());
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let root = tree(&["A/cur"]);
        let error = scan(&root.path().join("gone"), None).unwrap_err();
        assert!(error.what.contains("gone"));
    }
}
