//! The lock files by which programs that write one Maildir keep out of each other's way, as Dovecot takes them.
//!
//! `FILE.lock`, made only where there is none, holds `PID:HOST`. Whoever dies leaves it behind: it is broken when that process is
//! gone from this host, or when neither lock nor file has changed for [`STALE`].

use super::name;
use crate::error::{Code, Error, Kind, Result};
use crate::failpoint;
use crate::fs;
use std::ffi::OsString;
use std::fs::{Metadata, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::NamedTempFile;

/// Dovecot's two minutes, and a little more.
const STALE: Duration = Duration::from_secs(125);
/// A lock that changes hands all the time is waited for so long.
const PATIENCE: Duration = Duration::from_secs(300);

/// A lock file held; it goes when dropped.
#[derive(Debug)]
pub struct DotLock {
    path: PathBuf,
    own: (u64, u64),
}

impl DotLock {
    /// Locks `target`, waiting for whoever has it.
    ///
    /// # Errors
    /// `Code::Locked`, of `Kind::Folder`, where it is not to be had within minutes; `Code::Disk`.
    pub fn acquire(target: &Path) -> Result<Self> {
        let path = path_of(target);
        let began = Instant::now();
        let mut watch = Watch::new();
        let mut pause = Duration::from_millis(5);
        loop {
            if let Some(lock) = Self::attempt(&path)? {
                return Ok(lock);
            }
            if watch.is_stale(target, &path)? {
                take_away(&path, watch.seen)?;
                continue;
            }
            if began.elapsed() > PATIENCE {
                return Err(busy(&path));
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(250));
        }
    }

    /// Waits for whoever has locked `target`, without locking it. Tells the lock file that is there all the same: whoever made it has gone.
    ///
    /// # Errors
    /// As [`DotLock::acquire`].
    pub fn wait(target: &Path) -> Result<Option<Seen>> {
        let path = path_of(target);
        let began = Instant::now();
        let mut watch = Watch::new();
        let mut pause = Duration::from_millis(5);
        while inode(&path).is_some() {
            if watch.is_stale(target, &path)? {
                return Ok(watch.seen);
            }
            if began.elapsed() > PATIENCE {
                return Err(busy(&path));
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(250));
        }
        Ok(None)
    }

    /// The lock file of `target`, whoever made it.
    #[must_use]
    pub fn seen(target: &Path) -> Option<Seen> {
        Seen::of(&path_of(target))
    }

    fn attempt(path: &Path) -> Result<Option<Self>> {
        if inode(path).is_some() {
            return Ok(None);
        }
        let broken = |e: io::Error| Error::disk("lock with", path, &e);
        let written = write_aside(path).map_err(broken)?;
        let own = inode_of(&written.as_file().metadata().map_err(broken)?);
        failpoint::pass("lock file to be put in place");
        let taken = written.persist_noclobber(path).map_err(|e| e.error);
        failpoint::pass("lock file in place");
        match taken {
            Ok(_) => {
                let path = path.to_owned();
                Ok(Some(DotLock { path, own }))
            }
            Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(None),
            Err(e) => Err(broken(e)),
        }
    }
}

fn path_of(target: &Path) -> PathBuf {
    let mut name = OsString::from(target);
    name.push(".lock");
    PathBuf::from(name)
}

/// A lock that is there has its holder's name in it: one without would be waited for when its holder has died. So it is written
/// in `tmp/`, where what is left behind is swept away, or beside.
fn write_aside(path: &Path) -> io::Result<NamedTempFile> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let tmp = dir.join("tmp");
    let at = if tmp.is_dir() { &tmp } else { dir };
    let mut written = tempfile::Builder::new()
        .prefix(&name::unique(None))
        .rand_bytes(0)
        .permissions(Permissions::from_mode(0o644))
        .tempfile_in(at)?;
    fs::inherit(written.as_file(), dir)?;
    write!(written, "{}:{}", std::process::id(), name::this_host())?;
    Ok(written)
}

impl Drop for DotLock {
    fn drop(&mut self) {
        // A lock that another has broken and taken is not ours to remove; one that cannot be removed goes stale.
        if inode(&self.path) == Some(self.own) {
            drop(std::fs::remove_file(&self.path));
        }
    }
}

fn inode(path: &Path) -> Option<(u64, u64)> {
    Some(inode_of(&std::fs::symlink_metadata(path).ok()?))
}

fn inode_of(meta: &Metadata) -> (u64, u64) {
    (meta.dev(), meta.ino())
}

/// Removes the lock file, if it is still the one that was found stale.
fn take_away(path: &Path, seen: Option<Seen>) -> Result<()> {
    if seen.is_none() || seen != Seen::of(path) {
        return Ok(());
    }
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(Error::disk("remove", path, &e)),
        _ => Ok(()),
    }
}

/// What shows that a file was changed or replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    pub(super) inode: (u64, u64),
    size: u64,
    modified: (i64, i64),
}

impl Seen {
    /// `None` where nothing is.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let meta = std::fs::symlink_metadata(path).ok()?;
        Some(Seen {
            inode: inode_of(&meta),
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
        })
    }
}

/// Since when a lock, and what it guards, has stayed as it is.
struct Watch {
    seen: Option<Seen>,
    target: Option<Seen>,
    since: Instant,
}

impl Watch {
    fn new() -> Self {
        Watch {
            seen: None,
            target: None,
            since: Instant::now(),
        }
    }

    fn is_stale(&mut self, target: &Path, lock: &Path) -> Result<bool> {
        let now = (Seen::of(lock), Seen::of(target));
        if now != (self.seen, self.target) {
            (self.seen, self.target) = now;
            self.since = Instant::now();
        }
        Ok(self.seen.is_some() && (self.since.elapsed() > STALE || holder_is_dead(lock)))
    }
}

/// Does the lock name a process of this host that is not there?
fn holder_is_dead(lock: &Path) -> bool {
    let Some(pid) = local_holder(lock) else {
        return false;
    };
    // Where /proc shows only one's own processes, nothing is known of those of others.
    let Ok(own) = std::fs::metadata("/proc/self") else {
        return false;
    };
    let known =
        own.uid() == 0 || std::fs::symlink_metadata(lock).is_ok_and(|lock| lock.uid() == own.uid());
    known && is_gone(pid)
}

/// Is a process of the same user gone from this host?
pub(super) fn is_gone(pid: u32) -> bool {
    Path::new("/proc/self").exists() && !Path::new(&format!("/proc/{pid}")).exists()
}

fn local_holder(lock: &Path) -> Option<u32> {
    let mut text = String::new();
    fs::open(lock)
        .ok()?
        .take(512)
        .read_to_string(&mut text)
        .ok()?;
    let (pid, host) = text.trim_end().split_once(':')?;
    let here = host == name::this_host();
    here.then(|| pid.parse().ok()).flatten()
}

fn busy(path: &Path) -> Error {
    let by =
        local_holder(path).map_or("another program".to_owned(), |pid| format!("process {pid}"));
    let what = format!("{} is held by {by}", path.display());
    Error::new(Kind::Folder, Code::Locked, what).hint(
        "wait until that program has ended, then run again; if none runs any more, remove the file",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    fn planted(text: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("dovecot-uidlist");
        fs::persist(&dir.path().join("dovecot-uidlist.lock"), |f| {
            f.write_all(text.as_bytes())
        })
        .unwrap();
        (dir, target)
    }

    #[test]
    fn one_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("x");
        let inside = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..5 {
                        let lock = DotLock::acquire(&target).unwrap();
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        std::thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                        drop(lock);
                    }
                });
            }
        });
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_dead_holder_is_no_obstacle() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        child.wait().unwrap();
        let (_dir, target) = planted(&format!("{pid}:{}", name::this_host()));
        drop(DotLock::acquire(&target).unwrap());
    }

    #[test]
    fn others_are_given_their_time() {
        let own = format!("{}:{}", std::process::id(), name::this_host());
        for text in [&own, "1:elsewhere", "", "x:y"] {
            let (dir, target) = planted(text);
            let lock = dir.path().join("dovecot-uidlist.lock");
            let mut watch = Watch::new();
            assert!(!watch.is_stale(&target, &lock).unwrap(), "{text}");
            // As if it had been seen so two minutes ago.
            watch.since = Instant::now().checked_sub(STALE * 2).unwrap();
            assert!(watch.is_stale(&target, &lock).unwrap());
            // A change of what it guards shows that somebody is at work.
            fs::persist(&target, |f| f.write_all(b"new")).unwrap();
            assert!(!watch.is_stale(&target, &lock).unwrap());
        }
    }

    #[test]
    fn a_lock_taken_over_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("x");
        let first = DotLock::acquire(&target).unwrap();
        let path = dir.path().join("x.lock");
        // Kept open, so that the other cannot get the same inode.
        let _held = fs::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let second = DotLock::acquire(&target).unwrap();
        drop(first);
        assert!(path.exists());
        drop(second);
        assert!(!path.exists());
    }
}
