//! The messages of one Maildir, whoever wrote them, and where each is now.
//!
//! A message is known by the base of its file's name: the flags behind it, and the directory, change while other programs work.

use super::keywords::Keywords;
use super::name;
use super::uidlist::UidList;
use crate::error::{Error, Result};
use crate::message::{Flags, InternalDate};
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A directory that keeps changing is read at most so often.
const READINGS: usize = 8;

/// A message as its file's name and inode tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// What it is called for good: the file's name without its flags, and without what mbsync and OfflineIMAP add to it. Any bytes but
    /// `/` and NUL. A file beside another one with the same base is called by its whole name and its directory: `1.a:2,S/cur`.
    pub base: Vec<u8>,
    pub flags: Flags,
    /// From a name of ours, else the file's time.
    pub date: InternalDate,
    /// Bytes, as announced by the name (`W=`), else on disk.
    pub size: u64,
    /// As `dovecot-uidlist` has it.
    pub uid: Option<u32>,
}

/// All messages of the Maildir at `dir`: in the order of their UIDs, those without one behind, in the order of the time in their
/// names. What is no regular file is a message too, which cannot be read; directories are none.
///
/// # Errors
/// `Code::Disk` where `cur/` or `new/`, `dovecot-keywords` or `dovecot-uidlist` cannot be read.
pub fn list(dir: &Path) -> Result<Vec<Mail>> {
    let keywords = Keywords::load(dir)?;
    let uidlist = UidList::load(dir)?.unwrap_or_default();
    let uids = uidlist.uids();
    let mut places = Places::open(dir)?;
    let mut mails = Vec::with_capacity(places.at.len());
    for base in places.bases() {
        // Gone since: it is no message any more.
        if let Some((path, meta)) = places.look(&base)? {
            let file = path.file_name().unwrap_or_default().as_bytes();
            let uid = uids.of(&base, file).filter(|_| !is_double(&base));
            mails.push(mail(base, &path, &meta, &keywords, uid));
        }
    }
    mails.sort_by_cached_key(|mail| {
        let order = mail.uid.map_or(u64::MAX, u64::from);
        (order, name::time(&mail.base), mail.base.clone())
    });
    Ok(mails)
}

fn mail(
    base: Vec<u8>,
    path: &Path,
    meta: &std::fs::Metadata,
    keywords: &Keywords,
    uid: Option<u32>,
) -> Mail {
    let file = path.file_name().unwrap_or_default().as_bytes();
    Mail {
        flags: flags(name::parts(file).1, keywords),
        date: InternalDate {
            epoch: name::date(&base).unwrap_or_else(|| meta.mtime()),
            offset_minutes: 0,
        },
        size: name::told(&base, b",W=").unwrap_or(meta.len()),
        uid,
        base,
    }
}

/// `P`, "passed", is what IMAP calls `$Forwarded`. A letter that no keyword belongs to says nothing.
pub(super) fn flags(letters: &[u8], keywords: &Keywords) -> Flags {
    let mut flags = Flags::default();
    for &letter in letters {
        let atom = match letter {
            b'D' => "\\Draft",
            b'F' => "\\Flagged",
            b'P' => "$Forwarded",
            b'R' => "\\Answered",
            b'S' => "\\Seen",
            b'T' => "\\Deleted",
            other => keywords.keyword(other).unwrap_or_default(),
        };
        flags.insert(atom);
    }
    flags
}

/// Where the messages of a Maildir are now.
#[derive(Debug)]
pub struct Places {
    dir: PathBuf,
    at: HashMap<Vec<u8>, PathBuf>,
    /// Seen in a reading with the base of another: that one under an earlier name, or a message of its own.
    doubles: BTreeSet<PathBuf>,
    times: [(i64, i64); 2],
}

impl Places {
    /// # Errors
    /// `Code::Disk` where `cur/` or `new/` cannot be read; one that is missing holds nothing.
    pub fn open(dir: &Path) -> Result<Self> {
        let mut places = Places {
            dir: dir.to_owned(),
            at: HashMap::new(),
            doubles: BTreeSet::new(),
            times: Default::default(),
        };
        places.read()?;
        Ok(places)
    }

    /// The names of all messages, in no order.
    #[must_use]
    pub fn bases(&self) -> Vec<Vec<u8>> {
        self.at.keys().cloned().collect()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.at.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.at.is_empty()
    }

    /// What the messages are called, and the names of their files. Without those that share a base: a UID belongs to a base.
    pub(super) fn files(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let all = self.at.iter().filter(|(base, _)| !is_double(base));
        all.map(|(base, path)| {
            let file = path.file_name().unwrap_or_default();
            (base.as_slice(), file.as_bytes())
        })
    }

    /// The file of a message now, though its flags were changed since; `None`: it is gone.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn find(&mut self, base: &[u8]) -> Result<Option<PathBuf>> {
        Ok(self.look(base)?.map(|(path, _)| path))
    }

    fn look(&mut self, base: &[u8]) -> Result<Option<(PathBuf, std::fs::Metadata)>> {
        for _ in 0..READINGS {
            if let Some(path) = self.at.get(base) {
                match std::fs::symlink_metadata(path) {
                    Ok(meta) => return Ok(Some((path.clone(), meta))),
                    Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                    Err(e) => return Err(Error::disk("look at", path, &e)),
                }
            }
            if !self.read_again()? {
                return Ok(None);
            }
        }
        Ok(None)
    }

    /// Reads the directories if they have changed since they were read last.
    fn read_again(&mut self) -> Result<bool> {
        if self.times == times(&self.dir)? {
            return Ok(false);
        }
        self.read()?;
        Ok(true)
    }

    /// A message is called by the lasting part of its base. Where two share it (somebody has copied a file), the first by name has it, and the
    /// other is called by its whole base.
    fn place(&mut self, path: PathBuf) {
        let base = base_of(&path).to_vec();
        let lasting = name::lasting(&base);
        let Some(there) = self.at.get(&lasting) else {
            self.at.insert(lasting, path);
            return;
        };
        let other = base_of(there).to_vec();
        if other == base || std::fs::symlink_metadata(there).is_err() {
            self.put(lasting, path);
        } else if base < other {
            let before = self.at.insert(lasting, path);
            self.at.extend(before.map(|path| (other, path)));
        } else {
            self.put(base, path);
        }
    }

    fn put(&mut self, called: Vec<u8>, path: PathBuf) {
        match self.at.entry(called) {
            Entry::Occupied(at) if *at.get() == path => {}
            Entry::Occupied(mut at) => {
                self.doubles.insert(at.insert(path));
            }
            Entry::Vacant(at) => {
                at.insert(path);
            }
        }
    }

    /// Of files that were seen with one base each one that is still there, under whatever names, is a message of its own. The first by
    /// name has the base.
    fn settle(&mut self) {
        let mut seen = std::mem::take(&mut self.doubles);
        if seen.is_empty() {
            return;
        }
        let names = self.at.iter();
        let names = names.map(|(name, path)| (base_of(path).to_vec(), name.clone()));
        let names: HashMap<Vec<u8>, Vec<u8>> = names.collect();
        let at = |path: &PathBuf| self.at.get(names.get(base_of(path))?).cloned();
        let holders: Vec<PathBuf> = seen.iter().filter_map(at).collect();
        seen.extend(holders);
        let (mut inodes, mut bases) = (HashSet::new(), HashSet::new());
        for path in seen {
            let Ok(meta) = std::fs::symlink_metadata(&path) else {
                continue;
            };
            let base = base_of(&path).to_vec();
            if inodes.insert((base.clone(), meta.dev(), meta.ino())) {
                let name = names.get(&base).filter(|_| bases.insert(base.clone()));
                let name = name.cloned().unwrap_or_else(|| double(&path));
                self.at.insert(name, path);
            }
        }
    }

    /// A file renamed while its directory is read may be passed over: it is read until it stays as it is, and what any
    /// reading saw counts.
    fn read(&mut self) -> Result<()> {
        self.at.clear();
        for _ in 0..READINGS {
            self.times = times(&self.dir)?;
            // In this order, since messages move from `new` to `cur`.
            for part in ["new", "cur"] {
                let part = self.dir.join(part);
                for file in files(&part)? {
                    self.place(part.join(OsStr::from_bytes(&file)));
                }
            }
            if self.times == times(&self.dir)? {
                break;
            }
        }
        self.settle();
        Ok(())
    }
}

fn base_of(path: &Path) -> &[u8] {
    name::parts(path.file_name().unwrap_or_default().as_bytes()).0
}

/// What a file is called that shares its base: no base has a `/` in it.
fn double(path: &Path) -> Vec<u8> {
    let mut called = path.file_name().unwrap_or_default().as_bytes().to_vec();
    called.push(b'/');
    let part = path.parent().and_then(Path::file_name);
    called.extend(part.unwrap_or_default().as_bytes());
    called
}

/// Is a message called so because another one has its base?
pub(super) fn is_double(called: &[u8]) -> bool {
    called.contains(&b'/')
}

/// When the two directories last changed; zero for one that is not there.
fn times(dir: &Path) -> Result<[(i64, i64); 2]> {
    let mut times = [(0, 0); 2];
    for (time, part) in times.iter_mut().zip(["new", "cur"]) {
        let part = dir.join(part);
        match std::fs::symlink_metadata(&part) {
            Ok(meta) if meta.is_dir() => *time = (meta.mtime(), meta.mtime_nsec()),
            Ok(_) => {
                let no = io::Error::other("it is not a directory; symbolic links are not followed");
                return Err(Error::disk("read", &part, &no));
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(Error::disk("look at", &part, &e)),
        }
    }
    Ok(times)
}

/// Names of all but directories and what is hidden.
fn files(dir: &Path) -> Result<Vec<Vec<u8>>> {
    let broken = |e: io::Error| Error::disk("list", dir, &e);
    let entries = match std::fs::read_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(broken)?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.map_err(broken)?;
        let name = entry.file_name().into_vec();
        let directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if !directory && !name.starts_with(b".") {
            files.push(name);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs;
    use std::io::Write;

    fn maildir(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for part in ["cur", "new", "tmp"] {
            std::fs::create_dir(dir.path().join(part)).unwrap();
        }
        for file in files {
            put(&dir.path().join(file));
        }
        dir
    }

    fn put(path: &Path) {
        fs::persist(path, |f| f.write_all(b"A: b\n\nc\n")).unwrap();
    }

    fn bases(mails: &[Mail]) -> Vec<String> {
        let text = |m: &Mail| String::from_utf8(m.base.clone()).unwrap();
        mails.iter().map(text).collect()
    }

    #[test]
    fn flags_dates_sizes_and_order() {
        let own = name::sized(&name::unique(Some(77)), 8, 10);
        let dir = maildir(&[
            "new/30.c.host",
            "cur/4.b.host:2,RS",
            "cur/5.a.host!2,FPab",
            "cur/.hidden",
            "tmp/1.x",
        ]);
        put(&dir.path().join("cur").join(format!("{own}:2,T")));
        std::fs::create_dir(dir.path().join("cur/directory")).unwrap();
        fs::persist(&dir.path().join("dovecot-keywords"), |f| {
            f.write_all(b"0 Work\n")
        })
        .unwrap();
        let list_text = b"3 V9 N8 G00\n7 :30.c.host\n";
        fs::persist(&dir.path().join("dovecot-uidlist"), |f| {
            f.write_all(list_text)
        })
        .unwrap();
        let mails = list(dir.path()).unwrap();
        assert_eq!(
            bases(&mails),
            ["30.c.host", "4.b.host", "5.a.host", own.as_str()]
        );
        let uids: Vec<_> = mails.iter().map(|m| m.uid).collect();
        assert_eq!(uids, [Some(7), None, None, None]);
        assert!(mails[0].flags.is_empty());
        assert_eq!(mails[1].flags.to_text(), "\\Seen \\Answered");
        assert_eq!(mails[2].flags.to_text(), "\\Flagged $Forwarded Work");
        assert_eq!((mails[3].date.epoch, mails[3].size), (77, 10));
        assert_eq!(mails[2].size, 8);
        let time = std::fs::metadata(dir.path().join("new/30.c.host"))
            .unwrap()
            .mtime();
        assert_eq!(mails[0].date.epoch, time);
    }

    #[test]
    fn a_renamed_file_is_found_and_a_removed_one_is_gone() {
        let dir = maildir(&["new/1.a", "cur/2.b:2,"]);
        let mut places = Places::open(dir.path()).unwrap();
        fs::rename(&dir.path().join("new/1.a"), &dir.path().join("cur/1.a:2,S")).unwrap();
        std::fs::remove_file(dir.path().join("cur/2.b:2,")).unwrap();
        let found = places.find(b"1.a").unwrap().unwrap();
        assert!(found.ends_with("cur/1.a:2,S"));
        assert_eq!(places.find(b"2.b").unwrap(), None);
        assert_eq!(places.find(b"3.c").unwrap(), None);
    }

    #[test]
    fn what_mbsync_adds_to_a_name_is_no_other_message() {
        let dir = maildir(&["cur/1.a:2,", "cur/2.b,U=4:2,S"]);
        assert_eq!(bases(&list(dir.path()).unwrap()), ["1.a", "2.b"]);
        let mut places = Places::open(dir.path()).unwrap();
        let cur = dir.path().join("cur");
        fs::rename(&cur.join("1.a:2,"), &cur.join("1.a,U=9:2,F")).unwrap();
        assert!(
            places
                .find(b"1.a")
                .unwrap()
                .unwrap()
                .ends_with("1.a,U=9:2,F")
        );
        // Copies are told apart, in whatever order the directory gives them.
        for name in ["1.a,U=10:2,", "1.a,U=3:2,", "2.b:2,"] {
            put(&cur.join(name));
        }
        let all = ["1.a", "1.a,U=3", "1.a,U=9", "2.b", "2.b,U=4"];
        assert_eq!(bases(&list(dir.path()).unwrap()), all);
        let mut places = Places::open(dir.path()).unwrap();
        assert!(
            places
                .find(b"1.a")
                .unwrap()
                .unwrap()
                .ends_with("1.a,U=10:2,")
        );
    }

    #[test]
    fn files_that_share_a_base_are_messages_of_their_own() {
        let two = ["1.a:2,", "1.a:2,S", "2.b,U=1:2,", "2.b,U=1:2,S", "3.c;2,S"]
            .map(|f| format!("cur/{f}"));
        let mut files: Vec<&str> = two.iter().map(String::as_str).collect();
        files.extend(["new/1.a", "new/4.d", "cur/4.d"]);
        let dir = maildir(&files);
        // Another name of one file.
        let cur = dir.path().join("cur");
        std::fs::hard_link(cur.join("3.c;2,S"), cur.join("3.c:2,RS")).unwrap();
        std::fs::hard_link(cur.join("1.a:2,S"), cur.join("1.a:2,T")).unwrap();
        let all = [
            "1.a",
            "1.a/new",
            "1.a:2,S/cur",
            "2.b",
            "2.b,U=1:2,S/cur",
            "3.c",
            "4.d",
            "4.d/new",
        ];
        let mut found = bases(&list(dir.path()).unwrap());
        found.sort();
        assert_eq!(found, all);
        let mut places = Places::open(dir.path()).unwrap();
        let mut paths = BTreeSet::new();
        for base in places.bases() {
            paths.extend(places.find(&base).unwrap());
        }
        assert_eq!(paths.len(), all.len());
        assert_eq!(places.files().count(), 4);
    }

    #[test]
    fn a_file_seen_under_two_names_is_one_message() {
        let dir = maildir(&["new/1.a", "cur/2.b:2,"]);
        let mut places = Places::open(dir.path()).unwrap();
        let (new, cur) = (dir.path().join("new"), dir.path().join("cur"));
        // As readings see it while flags change: the earlier name, then the later one; there and back again.
        fs::rename(&new.join("1.a"), &cur.join("1.a:2,S")).unwrap();
        places.place(cur.join("1.a:2,S"));
        places.place(cur.join("2.b:2,F"));
        places.settle();
        assert_eq!(places.len(), 2);
        let one = places.find(b"1.a").unwrap().unwrap();
        assert!(one.ends_with("cur/1.a:2,S"));
        assert!(places.find(b"2.b").unwrap().unwrap().ends_with("2.b:2,"));
    }

    #[test]
    fn links_for_parts_are_refused_and_links_for_files_are_messages() {
        let dir = maildir(&[]);
        std::os::unix::fs::symlink("/etc/hostname", dir.path().join("cur/1.a")).unwrap();
        assert_eq!(bases(&list(dir.path()).unwrap()), ["1.a"]);
        std::fs::remove_dir(dir.path().join("new")).unwrap();
        assert_eq!(list(dir.path()).unwrap().len(), 1);
        std::os::unix::fs::symlink("/etc", dir.path().join("new")).unwrap();
        let error = list(dir.path()).unwrap_err();
        assert!(error.what.contains("new"));
    }
}
