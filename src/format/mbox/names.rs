//! Folder names to file names and back: `Work/2024` is `Work/2024.mbox`.
//!
//! Names are UTF-8 as they are. What would be taken for structure is a backslash and two hex digits, as in our Maildirs, so that every name
//! stays inside the root and can be read back.

use crate::format::maildir::short_name;
use crate::message::{Folder, utf7};
use std::path::{Path, PathBuf};

const EXTENSION: &str = ".mbox";
/// What a file system takes as one name, in bytes, but for our own endings and those of lock and torn files.
const LONGEST: usize = 200;
/// Endings that mean something in a tree of mbox files.
pub(super) const ENDINGS: [&str; 8] = [
    ".mbox", ".mbx", ".sbd", ".fol", ".gz", ".zst", ".msf", ".toc",
];
/// `~` and so many hex digits tell twins apart.
const TWIN: usize = 8;

/// Where a folder's mbox is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// Relative to the root; plain names alone.
    pub path: PathBuf,
    /// Was a name too long, so that the path does not tell it?
    pub shortened: bool,
}

/// The file for a folder. `taken` says whether another folder has a path, which it gets in lower case: names that differ in nothing but case
/// would be one file on many systems.
pub fn locate(folder: &Folder, taken: impl Fn(&Path) -> bool) -> Location {
    let location = place(folder, "");
    let lower = location.path.to_string_lossy().to_lowercase();
    if taken(Path::new(&lower)) {
        place(folder, &twin(folder))
    } else {
        location
    }
}

fn place(folder: &Folder, suffix: &str) -> Location {
    let mut path = PathBuf::new();
    let mut shortened = false;
    let last = folder.names().len().saturating_sub(1);
    for (at, name) in folder.names().iter().enumerate() {
        let mut escaped = escape(name);
        if escaped.len() > LONGEST {
            shortened = true;
            escaped = short_name(name);
        }
        if at == last {
            escaped.push_str(suffix);
            escaped.push_str(EXTENSION);
        }
        path.push(escaped);
    }
    Location { path, shortened }
}

/// Is some level of this path, ours, a name that was too long?
#[must_use]
pub fn is_shortened(path: &Path) -> bool {
    let short = |level: &str| {
        let bare = level.strip_suffix(EXTENSION).unwrap_or(level);
        let hash = bare.rsplit_once('-').map_or("", |(_, hash)| hash);
        hash.len() == 32 && hash.bytes().all(|b| b.is_ascii_hexdigit())
    };
    path.iter().any(|level| level.to_str().is_some_and(short))
}

fn twin(folder: &Folder) -> String {
    let hash = blake3::hash(folder.to_string().as_bytes()).to_hex();
    format!("~{}", &hash[..TWIN])
}

fn escape(name: &str) -> String {
    let lower = name.to_lowercase();
    let structural = ENDINGS.iter().any(|ending| lower.ends_with(ending));
    let dot = name.rfind('.').filter(|_| structural);
    let mut out = String::with_capacity(name.len());
    for (at, c) in name.char_indices() {
        let special = c.is_ascii_control() || matches!(c, '/' | '\\' | '~' | '&');
        if special || c == '.' && (at == 0 || Some(at) == dot) {
            out.push_str(&format!("\\{:02x}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}

/// The folder of a file whose directories and name, endings taken off, are these: ours, with their twins, and others'.
pub(super) fn folder(levels: &[String]) -> Option<Folder> {
    let whole = Folder::new(levels.iter().map(|level| decode(level)).collect());
    let bare = levels.split_last().and_then(|(last, above)| {
        let (name, _) = last.rsplit_once('~')?;
        let names = above.iter().map(String::as_str).chain([name]);
        let folder = Folder::new(names.map(decode).collect())?;
        last.ends_with(&twin(&folder)).then_some(folder)
    });
    bare.or(whole)
}

/// Modified UTF-7, in which Thunderbird names the folders of IMAP accounts, where it is that; then our escapes.
fn decode(level: &str) -> String {
    let decoded = level
        .contains('&')
        .then(|| utf7::decode(level.as_bytes()))
        .flatten();
    unescape(decoded.as_deref().unwrap_or(level))
}

/// Undoes [`escape`]; a backslash before anything else stands for itself.
fn unescape(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part
            .get(..2)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match code.filter(u8::is_ascii) {
            Some(code) => {
                out.push(char::from(code));
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::Component;

    fn at(text: &str) -> String {
        let location = locate(&Folder::parse(text).unwrap(), |_| false);
        location.path.to_string_lossy().into_owned()
    }

    fn back(path: &str) -> Option<Folder> {
        let bare = path.strip_suffix(EXTENSION)?;
        let levels: Vec<String> = bare.split('/').map(str::to_owned).collect();
        folder(&levels)
    }

    #[test]
    fn names_are_readable_and_escape_what_is_structure() {
        assert_eq!(at("inbox"), "INBOX.mbox");
        assert_eq!(at("Work/2024"), "Work/2024.mbox");
        assert_eq!(at("Entwürfe/v1.2"), "Entwürfe/v1.2.mbox");
        assert_eq!(at("a\\/b/../.hidden"), "a\\2fb/\\2e./\\2ehidden.mbox");
        assert_eq!(at("A.mbox/x.SBD"), "A\\2embox/x\\2eSBD.mbox");
        assert_eq!(at("R&D~1"), "R\\26D\\7e1.mbox");
    }

    #[test]
    fn twins_by_case_are_told_apart_and_read_back() {
        let (one, two) = (
            Folder::parse("Work").unwrap(),
            Folder::parse("WORK").unwrap(),
        );
        let first = locate(&one, |_| false);
        let second = locate(&two, |path| path == Path::new("work.mbox"));
        assert_eq!(first.path, Path::new("Work.mbox"));
        let second = second.path.to_string_lossy().into_owned();
        assert!(second.starts_with("WORK~"));
        assert_eq!(back(&second), Some(two));
        assert_eq!(back("old~12345678.mbox"), Folder::parse("old~12345678"));
    }

    #[test]
    fn names_of_imap_accounts_in_thunderbird() {
        assert_eq!(back("Entw&APw-rfe.mbox"), Folder::parse("Entwürfe"));
        assert_eq!(back("R&D.mbox"), Folder::parse("R&D"));
    }

    #[test]
    fn long_names_are_shortened_apart() {
        let (a, b) = (at(&"ü".repeat(200)), at(&"ü".repeat(201)));
        assert!(a != b && a.len() < 255 && b.len() < 255);
        let long = Folder::parse(&"x".repeat(300)).unwrap();
        let location = locate(&long, |_| false);
        assert!(location.shortened && is_shortened(&location.path));
        assert!(!is_shortened(&locate(&Folder::inbox(), |_| false).path));
    }

    proptest! {
        #[test]
        fn any_name_stays_inside_and_comes_back(
            names in prop::collection::vec(prop_oneof!["\\PC{1,12}", "[./\\\\~&:\\x00-\\x1f\u{80}-\u{9f}]{1,6}", "(mbox|cur|\\.\\.|A\\.mbox)"], 1..4),
            twin: bool,
        ) {
            let folder = Folder::new(names).unwrap();
            let location = locate(&folder, |_| twin);
            prop_assert!(location.path.components().all(|c| matches!(c, Component::Normal(_))));
            prop_assert_eq!(location.path.components().count(), folder.names().len());
            prop_assert!(!location.shortened);
            prop_assert_eq!(back(&location.path.to_string_lossy()), Some(folder));
        }
    }
}
