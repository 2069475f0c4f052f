//! What a killed run left of messages that it had announced.

use super::Appender;
use crate::error::{Error, Result};
use crate::format::mbox::from_line;
use crate::format::mbox::record::Record;
use crate::message::Digest;
use std::os::unix::fs::FileExt;

impl Appender {
    /// Does the file hold this message at its place, whole?
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn holds(&self, record: &Record, digest: Digest) -> Result<bool> {
        Ok(record.digest(&self.file, &self.path)? == Some(digest))
    }

    /// Is what stands from `record` to the end of the file the beginning of that message and nothing else? `from_line` is the line that
    /// was to stand before it.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn ends_with_half(&self, record: &Record, from_line: &[u8]) -> Result<bool> {
        let half = self.length.saturating_sub(record.offset);
        if half == 0 || half >= record.length {
            return Ok(false);
        }
        let mut tail = vec![0; usize::try_from(half).unwrap_or(usize::MAX)];
        self.file
            .read_exact_at(&mut tail, record.offset)
            .map_err(|e| Error::disk("read", &self.path, &e))?;
        let start = from_line.len().min(tail.len());
        Ok(tail[..start] == from_line[..start] && !holds_from_line(&tail[start..]))
    }
}

/// A From_ line with a date, wherever on its line it begins: another program may have appended right behind half a line.
fn holds_from_line(bytes: &[u8]) -> bool {
    memchr::memmem::find_iter(bytes, b"From ").any(|at| {
        let line = bytes[at..].split(|&b| b == b'\n').next();
        let line = line.and_then(from_line::parse);
        line.is_some_and(|line| line.date.is_some())
    })
}
