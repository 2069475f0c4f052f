//! Directories to folder names: the inverse of [`tree`](super::tree), and what other programs write.

use super::tree::Layout;
use crate::fs;
use crate::message::{Folder, utf7};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

/// The name of a folder too long for its directory is in this file inside it.
pub(super) const NAME_FILE: &str = "mailhaul-folder";
/// More than any folder name.
const LONGEST_NAME: u64 = 64 * 1024;

/// The folder that a directory, relative to the root, holds. INBOX for the root itself (an empty path).
///
/// Whatever its bytes, a directory gets a name: what cannot be decoded is kept as it stands, bytes that are no UTF-8 as U+FFFD.
pub(super) fn folder(layout: Layout, root: &Path, path: &Path) -> Folder {
    if path.as_os_str().is_empty() {
        return Folder::inbox();
    }
    if let Some(folder) = told_inside(layout, root, path) {
        return folder;
    }
    let names = match layout {
        Layout::PlusPlus => flat(path.as_os_str().as_bytes()),
        Layout::Fs => levels(path),
    };
    Folder::new(names).unwrap_or_else(|| {
        let whole = path.to_string_lossy().into_owned();
        Folder::new(vec![whole]).unwrap_or_else(Folder::inbox)
    })
}

/// `mailhaul-folder` is believed only where the folder that it names belongs into this very directory.
fn told_inside(layout: Layout, root: &Path, path: &Path) -> Option<Folder> {
    let mut text = String::new();
    fs::open(&root.join(path).join(NAME_FILE))
        .ok()?
        .take(LONGEST_NAME)
        .read_to_string(&mut text)
        .ok()?;
    let folder = Folder::parse(&text)?;
    let location = layout.locate(&folder);
    (location.shortened && location.path == path).then_some(folder)
}

fn flat(directory: &[u8]) -> Vec<String> {
    let inner = directory.strip_prefix(b".").unwrap_or(directory);
    inner.split(|&b| b == b'.').map(name).collect()
}

fn levels(path: &Path) -> Vec<String> {
    path.components()
        .filter_map(|level| match level {
            // A leading dot is mbsync's way of telling subfolders from what lies in a Maildir (its style "Legacy").
            Component::Normal(part) => {
                let part = part.as_bytes();
                Some(name(part.strip_prefix(b".").unwrap_or(part)))
            }
            _ => None,
        })
        .collect()
}

/// One name: escapes undone, then modified UTF-7 where it is that, else as it stands.
pub(super) fn name(bytes: &[u8]) -> String {
    let text = unescape(&String::from_utf8_lossy(bytes));
    utf7::decode(text.as_bytes()).unwrap_or(text)
}

/// Undoes `\2e`, as Dovecot's `listescape` writes it; a backslash before anything else stands for itself.
fn unescape(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.get(..2).and_then(hex) {
            Some(c) => {
                out.push(c);
                out.push_str(&part[2..]);
            }
            None => {
                out.push('\\');
                out.push_str(part);
            }
        }
    }
    out
}

/// Printable ASCII alone: nothing else is ever escaped.
fn hex(digits: &str) -> Option<char> {
    let value = u8::from_str_radix(digits, 16).ok()?;
    let plain = digits.bytes().all(|b| b.is_ascii_hexdigit());
    (plain && (b' '..=b'~').contains(&value)).then_some(char::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;
    use std::ffi::OsStr;

    fn read(layout: Layout, path: &[u8]) -> Vec<String> {
        let path = Path::new(OsStr::from_bytes(path));
        folder(layout, Path::new("/nowhere"), path).names().to_vec()
    }

    #[test]
    fn names_that_other_programs_write() {
        let flat = |path: &[u8]| read(Layout::PlusPlus, path);
        assert_eq!(flat(b".A.B"), ["A", "B"]);
        assert_eq!(flat(b".Entw&APw-rfe"), ["Entwürfe"]);
        assert_eq!(flat(".Entwürfe.Übrig".as_bytes()), ["Entwürfe", "Übrig"]);
        assert_eq!(flat(b".v1\\2e2.R\\26D & x"), ["v1.2", "R&D & x"]);
        assert_eq!(flat(b".odd\\zz\\2"), ["odd\\zz\\2"]);
        assert_eq!(flat(b".caf\xe9"), ["caf\u{fffd}"]);
        assert_eq!(flat(b".a..b"), [".a..b"]);
        let fs = |path: &[u8]| read(Layout::Fs, path);
        assert_eq!(fs(b"v1.2/b"), ["v1.2", "b"]);
        assert_eq!(fs(b"Work/.sub/.deep"), ["Work", "sub", "deep"]);
        assert_eq!(fs(b"Inbox"), ["INBOX"]);
        assert_eq!(fs(b""), ["INBOX"]);
    }

    fn any_folder() -> impl Strategy<Value = Folder> {
        let name = prop_oneof![
            "[a-z./\\\\~&-]{1,4}",
            "[ -~]{1,12}",
            "\\PC{1,120}",
            ".{1,4}",
            Just("cur".to_owned()),
            Just("inbox".to_owned()),
        ];
        prop::collection::vec(name, 1..5).prop_filter_map("empty", Folder::new)
    }

    /// Makes the directory as the tree does, and reads it back.
    fn there_and_back(layout: Layout, folder: &Folder) -> (std::path::PathBuf, Folder) {
        let root = tempfile::tempdir().unwrap();
        let tree = super::super::Maildir::open(root.path(), layout).unwrap();
        tree.folder(folder).unwrap();
        let path = tree.location(folder);
        let back = super::folder(layout, root.path(), &path);
        (path, back)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]
        #[test]
        fn any_folder_comes_back_from_its_directory(folder in any_folder(), fs: bool) {
            let layout = if fs { Layout::Fs } else { Layout::PlusPlus };
            let (_, back) = there_and_back(layout, &folder);
            prop_assert_eq!(back, folder);
        }

        #[test]
        fn no_two_folders_share_a_directory(folders in prop::collection::vec(any_folder(), 2..40)) {
            for layout in [Layout::PlusPlus, Layout::Fs] {
                let mut places = HashMap::new();
                for folder in &folders {
                    let before = places.insert(layout.locate(folder).path, folder);
                    prop_assert!(before.is_none_or(|before| before == folder));
                }
            }
        }

        #[test]
        fn any_directory_has_a_name(bytes in prop::collection::vec(1u8.., 1..30), fs: bool) {
            let layout = if fs { Layout::Fs } else { Layout::PlusPlus };
            prop_assert!(!read(layout, &bytes).is_empty());
        }
    }
}
