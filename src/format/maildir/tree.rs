//! Folder names to directories: Maildir++ or one directory a level, never outside the root.
//!
//! Names are modified UTF-7, and what would be taken for structure is escaped as Dovecot's `listescape`
//! does, a backslash and two hex digits, so that Dovecot shows the true name.

use crate::message::{Folder, utf7};
use std::path::PathBuf;

/// How folders lie on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    /// INBOX is the root, every other folder one directory of it: `.Work.2024`.
    #[default]
    PlusPlus,
    /// INBOX is the root, every level a directory: `Work/2024` (Dovecot's `LAYOUT=fs`).
    Fs,
}

/// What a file system takes as one name, in bytes.
const LONGEST: usize = 255;

/// Names that mean something inside a Maildir.
const TAKEN: [&str; 4] = ["cur", "new", "tmp", "maildirfolder"];

/// Where a folder's Maildir is, relative to the root; empty for INBOX.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) path: PathBuf,
    /// Was a name too long, so that the directory does not tell it?
    pub(super) shortened: bool,
}

impl Layout {
    /// Where a folder's Maildir is, relative to the root; empty for INBOX.
    #[must_use]
    pub fn location(self, folder: &Folder) -> PathBuf {
        self.locate(folder).path
    }

    pub(super) fn locate(self, folder: &Folder) -> Location {
        if folder.is_inbox() {
            return Location {
                path: PathBuf::new(),
                shortened: false,
            };
        }
        match self {
            Layout::PlusPlus => plus_plus(folder),
            Layout::Fs => levels(folder),
        }
    }
}

fn plus_plus(folder: &Folder) -> Location {
    let name = format!(".{}", flat_name(folder));
    let shortened = name.len() > LONGEST;
    let path = if shortened {
        format!(".{}", short_name(&folder.to_string())).into()
    } else {
        name.into()
    };
    Location { path, shortened }
}

fn levels(folder: &Folder) -> Location {
    let mut path = PathBuf::new();
    let mut shortened = false;
    for name in folder.names() {
        let whole = escaped(name, Layout::Fs);
        shortened |= whole.len() > LONGEST;
        path.push(if whole.len() > LONGEST {
            short_name(name)
        } else {
            whole
        });
    }
    Location { path, shortened }
}

/// The names escaped and joined by dots: unique for a folder, without `/`, of any length.
pub(crate) fn flat_name(folder: &Folder) -> String {
    let names: Vec<String> = folder
        .names()
        .iter()
        .map(|name| escaped(name, Layout::PlusPlus))
        .collect();
    names.join(".")
}

/// A name of at most 120 bytes for one that is too long: what can be read of it, and a hash.
pub(crate) fn short_name(name: &str) -> String {
    let readable: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(80)
        .collect();
    let hash = blake3::hash(name.as_bytes()).to_hex();
    format!("{readable}-{}", &hash[..32])
}

/// One name as a directory of this layout has it, be it as long as it may.
pub(super) fn escaped(name: &str, layout: Layout) -> String {
    match layout {
        Layout::PlusPlus => escape(name, &['/', '.']),
        Layout::Fs => escape(name, &['/']),
    }
}

fn escape(name: &str, structure: &[char]) -> String {
    let encoded = utf7::encode(name);
    // In Maildir++ the leading dot already keeps folders apart from what belongs to the Maildir.
    let taken = !structure.contains(&'.') && is_taken(&encoded);
    let mut out = String::with_capacity(encoded.len());
    for (at, c) in encoded.chars().enumerate() {
        let first = at == 0 && (taken || c == '~' || c == '.');
        // Controls never come out of the encoder; a defect there must still not reach a path.
        if first || c == '\\' || c.is_control() || structure.contains(&c) {
            out.push_str(&format!("\\{:02x}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}

fn is_taken(name: &str) -> bool {
    TAKEN.contains(&name) || name.starts_with("dovecot") || name.starts_with("mailhaul")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::{Component, Path};

    fn at(layout: Layout, names: &[&str]) -> PathBuf {
        let names = names.iter().map(|&n| n.to_owned()).collect();
        layout.locate(&Folder::new(names).unwrap()).path
    }

    #[test]
    fn dots_slashes_and_backslashes_are_escaped() {
        assert_eq!(at(Layout::PlusPlus, &["INBOX"]), Path::new(""));
        assert_eq!(at(Layout::PlusPlus, &["A", "B"]), Path::new(".A.B"));
        assert_eq!(
            at(Layout::PlusPlus, &["v1.2", "a/b", "c\\d", "~x"]),
            Path::new(".v1\\2e2.a\\2fb.c\\5cd.\\7ex")
        );
        assert_eq!(
            at(Layout::PlusPlus, &["Entwürfe"]),
            Path::new(".Entw&APw-rfe")
        );
        assert_eq!(at(Layout::Fs, &["v1.2", "b"]), Path::new("v1.2/b"));
    }

    #[test]
    fn no_name_leads_outside_or_into_a_maildir() {
        for bad in [
            "..",
            ".",
            "cur",
            "tmp",
            "/etc",
            "a/../..",
            "\0",
            "~",
            "dovecot-uidlist",
        ] {
            for layout in [Layout::PlusPlus, Layout::Fs] {
                let path = at(layout, &["x", bad]);
                assert!(path.components().all(|c| matches!(c, Component::Normal(_))));
                let last = path.file_name().unwrap().to_str().unwrap();
                assert!(!TAKEN.contains(&last) && !last.contains('\0'), "{last:?}");
            }
        }
        assert_eq!(at(Layout::Fs, &["x", ".."]).components().count(), 2);
    }

    #[test]
    fn long_names_are_shortened_apart() {
        let (a, b) = ("ü".repeat(200), "ü".repeat(201));
        for layout in [Layout::PlusPlus, Layout::Fs] {
            let (pa, pb) = (at(layout, &[&a]), at(layout, &[&b]));
            assert_ne!(pa, pb);
            assert!(pa.as_os_str().len() <= LONGEST);
        }
    }
}
