//! Reading an mbox of other programs while they may be writing to it.

use super::append::lock;
use crate::error::{Code, Error, Kind, Result};
use crate::format::maildir::{DotLock, Seen};
use crate::fs;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

/// An mbox to be read, locked against programs that write, until it is dropped. No lock file is made: what is read may be of others.
#[derive(Debug)]
pub struct Reading {
    path: PathBuf,
    _locked: File,
    /// The file, and a lock file that somebody left for good.
    seen: Option<Seen>,
    stale: Option<Seen>,
}

impl Reading {
    /// Waits until no program that locks the file is writing to it.
    ///
    /// # Errors
    /// `Code::Locked`, of `Kind::Folder`, where another program keeps it for minutes; `Code::Disk`.
    pub fn begin(path: &Path) -> Result<Self> {
        let stale = DotLock::wait(path)?;
        let file = fs::open(path)?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => lock(&file, path, File::try_lock_shared)?,
            // Some file systems have no locks.
            Err(TryLockError::Error(_)) | Ok(()) => {}
        }
        Ok(Reading {
            path: path.to_owned(),
            _locked: file,
            seen: Seen::of(path),
            stale,
        })
    }

    /// To be called when all has been read.
    ///
    /// # Errors
    /// `Kind::Folder` where a program has written to the file since, or is about to: half a message may have been read.
    pub fn end(self) -> Result<()> {
        if Seen::of(&self.path) == self.seen && DotLock::seen(&self.path) == self.stale {
            return Ok(());
        }
        let what = format!("{} was changed while it was read", self.path.display());
        Err(Error::new(Kind::Folder, Code::Disk, what)
            .hint("run again, when no other program writes to it"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::mpsc;
    use std::time::Duration;

    fn mbox() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        fs::persist(&path, |f| f.write_all(b"old")).unwrap();
        (dir, path)
    }

    /// Reads only once `release` has been called.
    fn waits(path: &Path, release: impl FnOnce()) {
        let (told, heard) = mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(move || told.send(Reading::begin(path).and_then(Reading::end)));
            let early = heard.recv_timeout(Duration::from_millis(300));
            release();
            assert!(early.is_err(), "read while it was locked");
            heard.recv().unwrap().unwrap();
        });
    }

    #[test]
    fn writers_that_lock_are_waited_for() {
        let (_dir, path) = mbox();
        let held = DotLock::acquire(&path).unwrap();
        waits(&path, || drop(held));
        let mut held = fs::open_or_create(&path).unwrap();
        held.lock().unwrap();
        waits(&path, || {
            held.write_all(b"newer").unwrap();
            held.unlock().unwrap();
        });
    }

    #[test]
    fn a_change_meanwhile_is_told() {
        let (_dir, path) = mbox();
        Reading::begin(&path).unwrap().end().unwrap();
        let reading = Reading::begin(&path).unwrap();
        fs::open_or_create(&path)
            .unwrap()
            .write_all(b"newer")
            .unwrap();
        let told = reading.end().unwrap_err();
        assert_eq!((told.kind, told.code), (Kind::Folder, Code::Disk));
        let reading = Reading::begin(&path).unwrap();
        fs::persist(&path, |f| f.write_all(b"old")).unwrap();
        assert!(reading.end().is_err(), "replaced");
        let reading = Reading::begin(&path).unwrap();
        let held = DotLock::acquire(&path).unwrap();
        assert!(reading.end().is_err(), "about to be written to");
        drop(held);
    }

    #[test]
    fn the_lock_file_of_a_dead_program_is_passed_by() {
        let (dir, path) = mbox();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let held = DotLock::acquire(&path).unwrap();
        let lock = dir.path().join("x.lock");
        let text = std::fs::read_to_string(&lock).unwrap();
        let host = text.split_once(':').unwrap().1;
        let left = format!("{}:{host}", child.id());
        fs::persist(&lock, |f| f.write_all(left.as_bytes())).unwrap();
        Reading::begin(&path).unwrap().end().unwrap();
        assert_eq!(std::fs::read_to_string(&lock).unwrap(), left);
        drop(held);
    }
}
