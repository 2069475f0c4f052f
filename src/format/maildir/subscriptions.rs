//! `subscriptions`: which folders a mail program shows, as Dovecot writes it.
//!
//! One name a line, its levels joined by the layout's separator (`.` or `/`); or, below a line `V<tab>2` and an empty one, its
//! levels apart by tabs. Each level is written as in a directory's name.

use super::decode;
use super::dotlock::DotLock;
use super::tree::{Layout, escaped};
use crate::error::{Error, Result};
use crate::fs;
use crate::message::Folder;
use std::collections::HashSet;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

const FILE: &str = "subscriptions";
const SECOND: &[u8] = b"V\t2\n\n";
/// More than any account subscribes.
const LARGEST: u64 = 16 << 20;

/// The subscribed folders of the tree at `root`; `None` where nobody ever subscribed any.
///
/// # Errors
/// `Code::Disk`.
pub fn read(root: &Path, layout: Layout) -> Result<Option<HashSet<Folder>>> {
    Ok(text(root)?.map(|text| {
        let (second, lines) = lines(&text);
        lines
            .filter_map(|line| folder(line, second, layout))
            .collect()
    }))
}

/// Subscribes folders beside those that are; gives how many were not.
///
/// # Errors
/// `Code::Disk`; what [`DotLock::acquire`] says.
pub fn add(root: &Path, layout: Layout, folders: &[&Folder]) -> Result<usize> {
    let path = root.join(FILE);
    let _lock = DotLock::acquire(&path)?;
    let mut text = text(root)?.unwrap_or_default();
    let (second, there) = lines(&text);
    let there: HashSet<Folder> = there
        .filter_map(|line| folder(line, second, layout))
        .collect();
    let missing: Vec<&&Folder> = folders
        .iter()
        .filter(|folder| !there.contains(folder))
        .collect();
    if missing.is_empty() {
        return Ok(0);
    }
    if !text.is_empty() && !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    for folder in &missing {
        text.extend(line(folder, second, layout).as_bytes());
        text.push(b'\n');
    }
    fs::persist(&path, |file| {
        fs::inherit(file, root)?;
        file.write_all(&text)
    })?;
    Ok(missing.len())
}

fn text(root: &Path) -> Result<Option<Vec<u8>>> {
    let path = root.join(FILE);
    match std::fs::symlink_metadata(&path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        _ => {}
    }
    let mut text = Vec::new();
    fs::open(&path)?
        .take(LARGEST)
        .read_to_end(&mut text)
        .map_err(|e| Error::disk("read", &path, &e))?;
    Ok(Some(text))
}

/// Is it the second form, and its lines.
fn lines(text: &[u8]) -> (bool, impl Iterator<Item = &[u8]>) {
    let rest = text.strip_prefix(SECOND);
    let lines = rest.unwrap_or(text).split(|&b| b == b'\n');
    (rest.is_some(), lines.filter(|line| !line.is_empty()))
}

fn separator(second: bool, layout: Layout) -> u8 {
    match (second, layout) {
        (true, _) => b'\t',
        (false, Layout::PlusPlus) => b'.',
        (false, Layout::Fs) => b'/',
    }
}

fn folder(line: &[u8], second: bool, layout: Layout) -> Option<Folder> {
    let levels = line.split(|&b| b == separator(second, layout));
    let name = |level: &[u8]| match second {
        true => decode::name(&without_tab_escapes(level)),
        false => decode::name(level),
    };
    Folder::new(levels.map(name).collect())
}

fn line(folder: &Folder, second: bool, layout: Layout) -> String {
    let separator = char::from(separator(second, layout));
    let names: Vec<String> = folder
        .names()
        .iter()
        .map(|name| escaped(name, layout))
        .collect();
    names.join(&separator.to_string())
}

/// The second form writes 0x01 and a digit for what would break a line. Names as they stand in directories hold none of it.
fn without_tab_escapes(level: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(level.len());
    let mut bytes = level.iter();
    while let Some(&byte) = bytes.next() {
        match (byte, bytes.as_slice().first()) {
            (1, Some(b'0')) => out.push(0),
            (1, Some(b'1')) => out.push(1),
            (1, Some(b't')) => out.push(b'\t'),
            (1, Some(b'r')) => out.push(b'\r'),
            (1, Some(b'n')) => out.push(b'\n'),
            _ => {
                out.push(byte);
                continue;
            }
        }
        bytes.next();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn with(text: &[u8]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::persist(&root.path().join(FILE), |f| f.write_all(text)).unwrap();
        root
    }

    fn names(root: &Path, layout: Layout) -> Vec<String> {
        let found = read(root, layout).unwrap().unwrap();
        let mut names: Vec<_> = found.iter().map(ToString::to_string).collect();
        names.sort();
        names
    }

    #[test]
    fn both_forms_are_read() {
        let root = with(b"INBOX\nWork.Entw&APw-rfe\nv1\\2e2\n");
        assert_eq!(
            names(root.path(), Layout::PlusPlus),
            ["INBOX", "Work/Entwürfe", "v1.2"]
        );
        let root = with(b"V\t2\n\nINBOX\nWork\tEntw&APw-rfe\nv1.2\nodd\x01tname\n");
        assert_eq!(
            names(root.path(), Layout::Fs),
            ["INBOX", "Work/Entwürfe", "odd\tname", "v1.2"]
        );
        let nothing = tempfile::tempdir().unwrap();
        assert_eq!(read(nothing.path(), Layout::Fs).unwrap(), None);
    }

    #[test]
    fn what_stands_there_stays_and_nothing_comes_twice() {
        for text in [&b"V\t2\n\nKept\tA\n"[..], b"Kept/A"] {
            let root = with(text);
            let new = Folder::new(vec!["New".into(), "a/b".into()]).unwrap();
            let kept = Folder::parse("Kept/A").unwrap();
            assert_eq!(add(root.path(), Layout::Fs, &[&new, &kept]).unwrap(), 1);
            assert_eq!(add(root.path(), Layout::Fs, &[&new]).unwrap(), 0);
            assert_eq!(names(root.path(), Layout::Fs), ["Kept/A", "New/a\\/b"]);
            assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 1);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_folder_comes_back(names in prop::collection::vec("\\PC{1,12}", 1..4), fs: bool) {
            let layout = if fs { Layout::Fs } else { Layout::PlusPlus };
            let root = tempfile::tempdir().unwrap();
            let folder = Folder::new(names).unwrap();
            add(root.path(), layout, &[&folder]).unwrap();
            prop_assert_eq!(read(root.path(), layout).unwrap().unwrap(), HashSet::from([folder]));
        }
    }
}
