//! Local files: persisted durably, locked, private, no symbolic link followed.
//!
//! The only place that creates, replaces or renames files; every error names the path.

use crate::error::{Code, Error, Kind, Result};
use crate::failpoint;
use std::ffi::OsString;
use std::fs::{DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

const PRIVATE_FILE: u32 = 0o600;
const PRIVATE_DIR: u32 = 0o700;

/// Replaces the file at `path` by what `write` writes, whole or not at all, durable when it returns.
///
/// # Errors
/// `Code::Disk`, naming the path; the file that stood there before is then untouched.
pub fn persist(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> Result<()> {
    let dir = parent(path);
    let mut temporary = tempfile::Builder::new()
        .prefix(&temporary_prefix(path))
        .tempfile_in(dir)
        .map_err(|e| Error::disk("create a file beside", path, &e))?;
    write(temporary.as_file_mut())
        .and_then(|()| temporary.as_file().sync_all())
        .map_err(|e| Error::disk("write", path, &e))?;
    failpoint::pass("file written, not in place");
    temporary
        .persist(path)
        .map_err(|e| Error::disk("put in place", path, &e.error))?;
    failpoint::pass("file in place, directory not durable");
    sync_dir(dir)
}

/// Creates a new file, 0600, for reading and writing.
///
/// # Errors
/// `Code::Disk`, also where anything, be it a dangling symbolic link, has that name.
pub fn create_new(path: &Path) -> Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(PRIVATE_FILE)
        .open(path)
        .map_err(|e| Error::disk("create", path, &e))
}

/// Gives a file that root has just made in somebody's directory to that somebody: whoever reads the directory must be able to
/// read the file. Does nothing for anybody but root.
///
/// # Errors
/// The system's.
pub fn inherit(file: &File, dir: &Path) -> io::Result<()> {
    let (made, around) = (file.metadata()?, std::fs::metadata(dir)?);
    if made.uid() == 0 && around.uid() != 0 {
        fchown(file, Some(around.uid()), Some(around.gid()))?;
    }
    Ok(())
}

/// Opens a regular file for reading.
///
/// # Errors
/// `Code::Disk`, also for a symbolic link or anything else that is no regular file.
pub fn open(path: &Path) -> Result<File> {
    open_with(path, OpenOptions::new().read(true)).map_err(|e| Error::disk("open", path, &e))
}

/// Opens a regular file for reading and writing, and creates it, 0600, where there is none.
///
/// # Errors
/// As [`open`].
pub fn open_or_create(path: &Path) -> Result<File> {
    match open_with(path, OpenOptions::new().read(true).write(true)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => create_new(path),
        other => other.map_err(|e| Error::disk("open", path, &e)),
    }
}

/// Makes a file empty, 0600, for writing: a new one, or one of ours, which is empty or begins with `mark`.
///
/// # Errors
/// `Code::Disk`, naming the path; a file that begins otherwise, and anything that is no regular file, is left as it is.
pub fn replace_own(path: &Path, mark: &[u8]) -> Result<File> {
    let broken = |e: io::Error| Error::disk("write over", path, &e);
    let mut file = open_or_create(path)?;
    let mut head = Vec::new();
    (&mut file)
        .take(mark.len() as u64)
        .read_to_end(&mut head)
        .map_err(broken)?;
    if !head.is_empty() && head != mark {
        let what = io::Error::other("it is there already, and was written by something else");
        return Err(broken(what).hint("name another file"));
    }
    file.set_permissions(PermissionsExt::from_mode(PRIVATE_FILE))
        .and_then(|()| file.set_len(0))
        .and_then(|()| file.rewind())
        .map_err(broken)?;
    Ok(file)
}

/// A link put in place between the look and the opening shows as another inode.
fn open_with(path: &Path, options: &OpenOptions) -> io::Result<File> {
    let before = std::fs::symlink_metadata(path)?;
    if !before.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let file = options.open(path)?;
    if same_file(&before, &file.metadata()?) {
        Ok(file)
    } else {
        Err(io::Error::other("it was replaced while it was opened"))
    }
}

fn same_file(a: &Metadata, b: &Metadata) -> bool {
    a.dev() == b.dev() && a.ino() == b.ino()
}

/// Makes sure that `path` is a directory, not a symbolic link; creates it, and what is missing above it,
/// 0700 and durably. The mode of a directory that stood there is left alone.
///
/// # Errors
/// `Code::Disk`, naming the path.
pub fn private_dir(path: &Path) -> Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(Error::disk(
            "use",
            path,
            &io::Error::other("it is not a directory"),
        )),
        Err(e) if e.kind() == io::ErrorKind::NotFound => create_dir(path),
        Err(e) => Err(Error::disk("look at", path, &e)),
    }
}

fn create_dir(path: &Path) -> Result<()> {
    let above = parent(path);
    // A symbolic link above is the user's own layout; only the last name must be real.
    if !above.is_dir() {
        private_dir(above)?;
    }
    match DirBuilder::new().mode(PRIVATE_DIR).create(path) {
        Ok(()) => {
            failpoint::pass("directory made");
            sync_dir(above)
        }
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => private_dir(path),
        Err(e) => Err(Error::disk("create the directory", path, &e)),
    }
}

/// As [`private_dir`]; one that root makes in somebody's directory belongs to that somebody from the moment it is there.
///
/// # Errors
/// `Code::Disk`, naming the path.
pub fn inherited_dir(path: &Path) -> Result<()> {
    let above = parent(path);
    if std::fs::symlink_metadata(path).is_ok() {
        return private_dir(path);
    }
    if !above.is_dir() {
        inherited_dir(above)?;
    }
    let owner = |path: &Path| std::fs::metadata(path).map(|meta| meta.uid());
    // A process belongs to whom it runs as; where /proc does not tell, nothing is given away.
    let given = owner(above).is_ok_and(|uid| uid != 0)
        && owner(Path::new("/proc/self")).is_ok_and(|uid| uid == 0);
    if !given {
        return private_dir(path);
    }
    let broken = |e: io::Error| Error::disk("create the directory", path, &e);
    let made = tempfile::Builder::new()
        .prefix(".mailhaul-")
        .permissions(PermissionsExt::from_mode(PRIVATE_DIR))
        .tempdir_in(above)
        .map_err(broken)?;
    let own = File::open(made.path()).map_err(broken)?;
    inherit(&own, above).map_err(broken)?;
    rename(made.path(), path)?;
    // It has another name now: there is nothing left to remove.
    drop(made.keep());
    sync_dir(above)
}

/// Takes from everybody else the right to look into a directory of ours.
///
/// # Errors
/// `Code::Disk`, naming the path.
pub fn make_private(path: &Path) -> Result<()> {
    let mode = std::fs::symlink_metadata(path)
        .map_err(|e| Error::disk("look at", path, &e))?
        .permissions()
        .mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    std::fs::set_permissions(path, PermissionsExt::from_mode(PRIVATE_DIR))
        .map_err(|e| Error::disk("make private", path, &e))
}

/// Makes the names in a directory durable.
///
/// # Errors
/// `Code::Disk`, naming the path.
pub fn sync_dir(path: &Path) -> Result<()> {
    failpoint::pass("directory to be made durable");
    File::open(path)
        .and_then(|dir| dir.sync_all())
        .map_err(|e| Error::disk("make durable", path, &e))?;
    failpoint::pass("directory durable");
    Ok(())
}

/// Gives a file of ours another name, over whatever has it. Durable only after [`sync_dir`].
///
/// # Errors
/// `Code::Disk`, naming the new path.
#[allow(
    clippy::disallowed_methods,
    reason = "callers fsync the file before and the directory after, once for a batch"
)]
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    failpoint::pass("file to be renamed");
    std::fs::rename(from, to).map_err(|e| Error::disk("rename to", to, &e))?;
    failpoint::pass("file renamed");
    Ok(())
}

/// Gives a file a second name (or a copy), `NAME.EXTENSION-1` or the next number that is free, so that what replaces it destroys nothing;
/// tells the name. Durable only after [`sync_dir`].
///
/// # Errors
/// `Code::Disk`, naming the path.
pub fn keep_aside(path: &Path, extension: &str) -> Result<PathBuf> {
    for number in 1u32.. {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{extension}-{number}"));
        let aside = PathBuf::from(name);
        match std::fs::hard_link(path, &aside) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Ok(()) => return Ok(aside),
            // Not every file system has hard links.
            Err(_) => return copy(path, &aside).map(|()| aside),
        }
    }
    let taken = io::Error::from(io::ErrorKind::AlreadyExists);
    Err(Error::disk("keep aside", path, &taken))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let (mut source, mut target) = (open(from)?, create_new(to)?);
    io::copy(&mut source, &mut target)
        .and_then(|_| target.sync_all())
        .map_err(|e| Error::disk("write", to, &e))
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if dir != Path::new("") => dir,
        _ => Path::new("."),
    }
}

fn temporary_prefix(path: &Path) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(path.file_name().unwrap_or_default());
    prefix.push(".");
    prefix
}

/// An exclusive hold on an account, given back when dropped, by the system too when the process dies.
#[derive(Debug)]
pub struct Lock {
    _file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock at once or not at all, and writes this process's id into the file.
    ///
    /// # Errors
    /// `Code::Locked` where another run holds it; `Code::Disk`.
    pub fn acquire(path: &Path) -> Result<Self> {
        let mut file = open_or_create(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(path, &mut file)),
            Err(TryLockError::Error(e)) => return Err(Error::disk("lock", path, &e)),
        }
        write_holder(&mut file).map_err(|e| Error::disk("write", path, &e))?;
        Ok(Lock {
            _file: file,
            path: path.to_owned(),
        })
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn write_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn held(path: &Path, file: &mut File) -> Error {
    let mut holder = String::new();
    // The id is only for the message; the lock itself is the system's.
    let read = file.take(16).read_to_string(&mut holder);
    let by = match (read, holder.trim().parse::<u32>()) {
        (Ok(_), Ok(pid)) => format!("process {pid}"),
        _ => "another process".to_owned(),
    };
    Error::new(
        Kind::Account,
        Code::Locked,
        format!("{} is in use by {by}", parent(path).display()),
    )
    .hint("wait until that run has ended, or stop it, then run again")
}

/// A directory below `dir` with a path as long as the system allows. What is made in it can be listed but not looked into, whoever asks.
#[cfg(test)]
pub(crate) fn at_the_limit(dir: &Path, inside: &[&str]) -> PathBuf {
    const LONGEST: usize = 4094;
    let short = dir.join("s");
    let mut deep = PathBuf::new();
    while short.join(&deep).as_os_str().len() < LONGEST - 200 {
        deep.push("d".repeat(99));
    }
    for name in inside {
        std::fs::create_dir_all(short.join(&deep).join(name)).unwrap();
    }
    let missing = LONGEST - short.join(&deep).as_os_str().len();
    let long = dir.join("s".repeat(1 + missing));
    rename(&short, &long).unwrap();
    long.join(deep)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn persist_replaces_whole_and_leaves_nothing_beside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        persist(&path, |f| f.write_all(b"one")).unwrap();
        persist(&path, |f| f.write_all(b"two")).unwrap();
        let failed = persist(&path, |f| {
            f.write_all(b"half")?;
            Err(io::Error::other("no room"))
        });
        assert!(failed.unwrap_err().what.contains(path.to_str().unwrap()));
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_is_kept_aside_survives_its_replacement() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        for (n, text) in [(1, b"one"), (2, b"two")] {
            persist(&path, |f| f.write_all(text)).unwrap();
            let aside = keep_aside(&path, "old").unwrap();
            assert_eq!(aside, dir.path().join(format!("a.db.old-{n}")));
        }
        persist(&path, |f| f.write_all(b"new")).unwrap();
        assert_eq!(
            std::fs::read(dir.path().join("a.db.old-1")).unwrap(),
            b"one"
        );
        assert_eq!(
            std::fs::read(dir.path().join("a.db.old-2")).unwrap(),
            b"two"
        );
        assert!(keep_aside(&dir.path().join("none"), "old").is_err());
        copy(&path, &dir.path().join("copy")).unwrap();
        assert_eq!(std::fs::read(dir.path().join("copy")).unwrap(), b"new");
        assert!(copy(&path, &dir.path().join("copy")).is_err());
    }

    #[test]
    fn links_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().join("real");
        persist(&real, |f| f.write_all(b"x")).unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&real, &link).unwrap();
        assert!(open(&link).is_err());
        assert!(open_or_create(&link).is_err());
        assert!(create_new(&link).is_err());
        persist(&link, |f| f.write_all(b"y")).unwrap();
        assert_eq!(std::fs::read(&real).unwrap(), b"x");
        let directory = dir.path().join("to-dir");
        std::os::unix::fs::symlink(dir.path(), &directory).unwrap();
        assert!(private_dir(&directory).is_err());
    }

    #[test]
    fn directories_are_private() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b/c");
        private_dir(&deep).unwrap();
        private_dir(&deep).unwrap();
        for d in [&deep, &dir.path().join("a")] {
            let mode = std::fs::metadata(d).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700);
        }
        std::fs::set_permissions(&deep, PermissionsExt::from_mode(0o755)).unwrap();
        make_private(&deep).unwrap();
        let mode = std::fs::metadata(&deep).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn a_second_holder_is_told_who_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let first = Lock::acquire(&path).unwrap();
        let second = Lock::acquire(&path).unwrap_err();
        assert_eq!(second.code, Code::Locked);
        assert!(second.what.contains(&std::process::id().to_string()));
        drop(first);
        assert_eq!(Lock::acquire(&path).unwrap().path(), path);
    }
}
