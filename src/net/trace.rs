//! The wire written down (`--trace`), for finding out why two programs do not understand each other.
//!
//! A line is `SECONDS END NUMBER DIRECTION TEXT`: the time since the trace began, `source` or `destination`, the connection's number,
//! `>` (said to the server), `<` (heard from it) or `*` (what became of the connection). What is mail or secret is elided where it is
//! read or written, by whoever knows what it is: see [`super::Transcript`].

use crate::error::{End, Result};
use crate::fs;
use std::fmt;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// How a file begins that a trace may replace.
const FIRST_LINE: &str = "# mailhaul trace:";

/// Where everything that is said on connections is written down; the default is nowhere. Clones write to the same file.
#[derive(Clone, Default)]
pub struct Trace(Option<Arc<Log>>);

struct Log {
    started: Instant,
    file: Mutex<File>,
    connections: AtomicU32,
    failed: AtomicBool,
    failure: Mutex<Option<String>>,
}

/// An endpoint is the same whether it is watched or not.
impl PartialEq for Trace {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Trace {}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.0.is_some() { "on" } else { "off" };
        write!(f, "Trace({state})")
    }
}

impl Trace {
    /// Begins a trace in a new file, 0600, or in place of an older trace. Errors: `Code::Disk`, naming the path, where something else
    /// than a trace has that name, be it a symbolic link.
    pub fn to(path: &Path) -> Result<Self> {
        let mut file = fs::replace_own(path, FIRST_LINE.as_bytes())?;
        let version = env!("CARGO_PKG_VERSION");
        writeln!(
            file,
            "{FIRST_LINE} version {version}, process {}",
            std::process::id()
        )
        .map_err(|e| crate::error::Error::disk("write", path, &e))?;
        Ok(Trace(Some(Arc::new(Log {
            started: Instant::now(),
            file: Mutex::new(file),
            connections: AtomicU32::new(0),
            failed: AtomicBool::new(false),
            failure: Mutex::new(None),
        }))))
    }

    /// Something that concerns no single connection, such as a wait. `text` may hold words of a server.
    pub fn note(&self, text: &str) {
        if let Some(log) = &self.0 {
            log.line("-", 0, '*', &escaped(text.as_bytes()));
        }
    }

    /// Why the trace ended early, told once; the work goes on without it.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        let log = self.0.as_ref()?;
        let mut failure = log.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.take()
    }

    /// For a new connection.
    pub(super) fn tap(&self, end: End) -> Tap {
        Tap(self.0.as_ref().map(|log| {
            let number = log.connections.fetch_add(1, Ordering::Relaxed) + 1;
            (Arc::clone(log), end, number)
        }))
    }
}

impl Log {
    /// Whole lines in one write each, so that those of threads do not mix.
    fn line(&self, end: &str, number: u32, direction: char, text: &str) {
        if self.failed.load(Ordering::Relaxed) {
            return;
        }
        let number = match number {
            0 => "-".to_owned(),
            number => number.to_string(),
        };
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds = self.started.elapsed().as_secs_f64();
        let line = format!("{seconds:12.6} {end:<11} {number:>3} {direction} {text}\n");
        if let Err(e) = file.write_all(line.as_bytes()) {
            self.failed.store(true, Ordering::Relaxed);
            let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
            *failure = Some(e.to_string());
        }
    }
}

/// One connection's way to the trace; clones are the same connection.
#[derive(Clone, Default)]
pub struct Tap(Option<(Arc<Log>, End, u32)>);

impl Tap {
    pub(super) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// What became of the connection.
    pub(super) fn event(&self, text: fmt::Arguments<'_>) {
        if self.is_on() {
            self.line('*', &escaped(text.to_string().as_bytes()));
        }
    }

    /// `text` is escaped already.
    pub(super) fn line(&self, direction: char, text: &str) {
        if let Some((log, end, number)) = &self.0 {
            log.line(&end.to_string(), *number, direction, text);
        }
    }
}

/// Printable ASCII as it is, a backslash doubled, every other byte as `\xHH`: the bytes can be had back.
pub(super) fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'\\' => text.push_str("\\\\"),
            0x20..0x7f => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn an_older_trace_is_replaced_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trace");
        let read = || std::fs::read_to_string(&path).unwrap();
        Trace::to(&path).unwrap().note("one\r\n\x1b\\");
        assert!(
            read().ends_with(" -             - * one\\x0d\\x0a\\x1b\\\\\n"),
            "{}",
            read()
        );
        Trace::to(&path).unwrap().note("two");
        assert!(!read().contains("one"), "{}", read());
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let link = dir.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(Trace::to(&link).is_err());
        let job = dir.path().join("job.toml");
        File::create(&job)
            .unwrap()
            .write_all(b"version = 1\n")
            .unwrap();
        assert!(Trace::to(&job).is_err());
        assert_eq!(std::fs::read(&job).unwrap(), b"version = 1\n");
    }

    #[test]
    fn a_disk_without_room_is_told_once() {
        let full = Log {
            started: Instant::now(),
            file: Mutex::new(File::options().write(true).open("/dev/full").unwrap()),
            connections: AtomicU32::new(0),
            failed: AtomicBool::new(false),
            failure: Mutex::new(None),
        };
        let trace = Trace(Some(Arc::new(full)));
        assert_eq!(trace.failure(), None);
        trace.note("one");
        trace.note("two");
        assert!(trace.failure().is_some_and(|why| why.contains("space")));
        assert_eq!(trace.failure(), None);
    }
}
