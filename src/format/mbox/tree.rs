//! Which folders a file or a directory of mbox files holds, whoever wrote it.
//!
//! A file is mail by its first bytes, not by its name: indexes, tables of contents and preferences lie beside mail everywhere. Symbolic links are
//! not followed.

use super::names::{self, ENDINGS};
use super::scan::begins;
use crate::error::{Error, Result};
use crate::format::maildir::free_name;
use crate::fs;
use crate::message::Folder;
use std::collections::HashSet;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

/// An mbox and the folder that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub folder: Folder,
    pub path: PathBuf,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// INBOX first, the others by name; no name twice.
    pub places: Vec<Place>,
    /// Symbolic links that lead to mail: they are not followed, and what they lead to should not be missed without a word.
    pub links: Vec<Place>,
    /// Files that are no mail.
    pub others: Vec<PathBuf>,
}

/// All folders of a file, or of all files below a directory.
///
/// # Errors
/// `Code::Disk` for a root that cannot be read, naming it; a directory below is a folder then: opened, it tells why.
pub fn tree(root: &Path) -> Result<Tree> {
    let meta = std::fs::metadata(root).map_err(|e| Error::disk("look at", root, &e))?;
    let mut tree = Tree::default();
    if meta.is_dir() {
        walk(root, &mut Vec::new(), &mut tree)?;
    } else if let Some(folder) = file_folder(&[], root) {
        let path = root.to_owned();
        tree.places.push(Place { folder, path });
    }
    tree.name_apart();
    Ok(tree)
}

fn walk(dir: &Path, levels: &mut Vec<String>, tree: &mut Tree) -> Result<()> {
    let broken = |e: io::Error| Error::disk("list", dir, &e);
    for entry in std::fs::read_dir(dir).map_err(broken)? {
        let entry = entry.map_err(broken)?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(broken)?);
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        if kind.is_symlink() {
            if let Some(folder) = file_folder(levels, &path).filter(|_| leads_to_mail(&path)) {
                tree.links.push(Place { folder, path });
            }
        } else if kind.is_dir() {
            levels.push(without_ending(&name, &[".sbd", ".fol", ".mbox"]).to_owned());
            match walk(&path, levels, tree) {
                Ok(()) => {}
                Err(error) => {
                    let folder = names::folder(levels).ok_or(error)?;
                    tree.places.push(Place { folder, path });
                }
            }
            levels.pop();
        } else if kind.is_file() {
            match file_folder(levels, &path).filter(|_| !is_torn(&name)) {
                Some(folder) if holds_mail(&path) => tree.places.push(Place { folder, path }),
                _ => tree.others.push(path),
            }
        }
    }
    Ok(())
}

impl Tree {
    /// Where two files come to the same name (`A` and `A.mbox`), the later one gets a number.
    fn name_apart(&mut self) {
        self.places.sort_by(|a, b| a.path.cmp(&b.path));
        let mut taken = HashSet::new();
        for place in &mut self.places {
            place.folder = free_name(place.folder.clone(), &taken);
            taken.insert(place.folder.clone());
        }
        self.places
            .sort_by_key(|place| (!place.folder.is_inbox(), place.folder.clone()));
        self.links.sort_by(|a, b| a.path.cmp(&b.path));
        self.others.sort();
    }
}

/// The folder of a file by its directories and its name.
fn file_folder(levels: &[String], path: &Path) -> Option<Folder> {
    let name = path.file_name()?.to_string_lossy();
    let packed = without_ending(&name, &[".gz", ".zst"]);
    let bare = without_ending(packed, &[".mbox", ".mbx"]);
    let mut levels = levels.to_vec();
    match bare {
        // Mail.app: the directory `X.mbox` is the folder.
        "mbox" if !levels.is_empty() && is_mail_app(path) => {}
        "mbox" if levels.is_empty() && bare == packed => return Some(Folder::inbox()),
        // Eudora's own names.
        "In" if packed.ends_with(".mbx") => levels.push("INBOX".to_owned()),
        "Out" if packed.ends_with(".mbx") => levels.push("Sent".to_owned()),
        _ => levels.push(bare.to_owned()),
    }
    names::folder(&levels)
}

fn is_mail_app(path: &Path) -> bool {
    let dir = path.parent().and_then(Path::file_name);
    dir.is_some_and(|dir| dir.to_string_lossy().to_lowercase().ends_with(".mbox"))
}

/// Without one of these endings, whatever its case, unless nothing is left.
fn without_ending<'a>(name: &'a str, endings: &[&str]) -> &'a str {
    let bare = endings.iter().find_map(|ending| {
        let (bare, end) = name.split_at_checked(name.len().checked_sub(ending.len())?)?;
        end.eq_ignore_ascii_case(ending).then_some(bare)
    });
    bare.filter(|bare| !bare.is_empty()).unwrap_or(name)
}

/// `X.torn-1`: what a killed run left, set aside by [`set_aside`](super::set_aside).
fn is_torn(name: &str) -> bool {
    let number = name.rsplit_once(".torn-").map(|(_, number)| number);
    number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

fn leads_to_mail(link: &Path) -> bool {
    let target = std::fs::canonicalize(link);
    target.is_ok_and(|target| target.is_file() && holds_mail(&target))
}

/// Does it begin as an mbox does? An empty file is one if its name or its neighbours say so.
fn holds_mail(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = first_bytes(path, &mut start);
    if read.is_err() {
        // It may be mail: opened as a folder, it tells why it cannot be read.
        return true;
    }
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&start);
    let text = text.trim_ascii_start();
    if text.is_empty() {
        return start.len() < 1024 && is_empty_folder(path);
    }
    begins(text)
}

/// Is nothing in the file, unpacked, but empty lines at most?
///
/// # Errors
/// `Code::Disk`, naming it.
pub fn is_blank(path: &Path) -> Result<bool> {
    let mut start = Vec::new();
    first_bytes(path, &mut start).map_err(|e| Error::disk("read", path, &e))?;
    Ok(start.len() < 1024 && start.trim_ascii().is_empty())
}

fn first_bytes(path: &Path, into: &mut Vec<u8>) -> io::Result<()> {
    let file = fs::open(path).map_err(io::Error::other)?;
    let name = path.to_string_lossy().to_lowercase();
    let reader: Box<dyn Read> = if name.ends_with(".gz") {
        Box::new(flate2::read::MultiGzDecoder::new(BufReader::new(file)))
    } else if name.ends_with(".zst") {
        Box::new(zstd::Decoder::new(file)?)
    } else {
        Box::new(file)
    };
    reader.take(1024).read_to_end(into).map(|_| ())
}

fn is_empty_folder(path: &Path) -> bool {
    let name = path.to_string_lossy();
    let ending = ENDINGS[..2]
        .iter()
        .any(|e| name.to_lowercase().ends_with(e));
    let neighbour = [".msf", ".sbd"]
        .iter()
        .any(|e| Path::new(&format!("{name}{e}")).exists());
    ending || neighbour
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const MAIL: &str = "From - Tue Jan 05 12:34:56 1999\nA: 1\n\n";

    fn found(files: &[(&str, &str)]) -> (Vec<String>, usize) {
        let dir = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = dir.path().join(path);
            fs::private_dir(path.parent().unwrap()).unwrap();
            fs::persist(&path, |f| f.write_all(content.as_bytes())).unwrap();
        }
        let tree = tree(dir.path()).unwrap();
        let folders = tree.places.iter().map(|p| p.folder.to_string()).collect();
        (folders, tree.others.len())
    }

    #[test]
    fn thunderbird() {
        let files = [
            ("Inbox", MAIL),
            ("Inbox.msf", "// <!-- <mdb:mork:z v=\"1.4\"/> -->"),
            ("Trash", ""),
            ("Trash.msf", "x"),
            ("msgFilterRules.dat", "version=\"9\""),
            ("Inbox.sbd/Work", MAIL),
            ("Projects.sbd/2024.sbd/Q1", MAIL),
            ("Projects", ""),
            (".hidden", MAIL),
        ];
        let folders = [
            "INBOX",
            "Inbox/Work",
            "Projects",
            "Projects/2024/Q1",
            "Trash",
        ];
        assert_eq!(found(&files), (folders.map(String::from).into(), 3));
    }

    #[test]
    fn eudora_mail_app_and_plain_trees() {
        let files = [
            ("In.mbx", MAIL),
            ("In.toc", "x"),
            ("Out.mbx", MAIL),
            ("Club.fol/News.mbx", MAIL),
        ];
        assert_eq!(found(&files).0, ["INBOX", "Club/News", "Sent"]);
        let files = [("Old.mbox/mbox", MAIL), ("Old.mbox/table_of_contents", "x")];
        assert_eq!(found(&files).0, ["Old"]);
        let files = [
            ("mbox", MAIL),
            ("a/b/2001.mbox", MAIL),
            ("a/b/2001", MAIL),
            ("a/notes.txt", "From me\nto you"),
            ("a/b.mbox", "\n\n"),
            ("x.mbox.torn-1", MAIL),
            ("empty", ""),
        ];
        let (folders, others) = found(&files);
        assert_eq!(folders, ["INBOX", "a/b", "a/b/2001", "a/b/2001 (2)"]);
        assert_eq!(others, 3);
    }

    #[test]
    fn a_single_file_is_a_folder_whatever_it_holds() {
        let dir = tempfile::tempdir().unwrap();
        for (name, folder) in [
            ("mbox", "INBOX"),
            ("inbox.mbox", "INBOX"),
            ("a.b.mbox.gz", "a.b"),
            ("x", "x"),
        ] {
            let path = dir.path().join(name);
            fs::persist(&path, |f| f.write_all(b"")).unwrap();
            assert_eq!(tree(&path).unwrap().places[0].folder.to_string(), folder);
        }
        assert!(tree(&dir.path().join("none")).is_err());
    }

    #[test]
    fn a_directory_that_cannot_be_looked_into_is_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::at_the_limit(dir.path(), &["A.sbd"]);
        let tree = tree(&root).unwrap();
        assert_eq!(tree.places[0].folder.to_string(), "A");
        assert!(super::super::MboxFile::open(&tree.places[0].path, None).is_err());
    }

    #[test]
    fn links_are_told_and_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        fs::persist(&dir.path().join("a"), |f| f.write_all(MAIL.as_bytes())).unwrap();
        std::os::unix::fs::symlink(dir.path().join("a"), dir.path().join("b")).unwrap();
        std::os::unix::fs::symlink(dir.path(), dir.path().join("c")).unwrap();
        let tree = tree(dir.path()).unwrap();
        assert_eq!((tree.places.len(), tree.links.len()), (1, 1));
    }
}
