//! Writing: messages appended as mboxrd without added headers, a batch at a time.
//!
//! While a file is open for appending we hold `FILE.lock` (the dot-lock of Dovecot, procmail, mutt and Thunderbird's spool code) and an
//! exclusive lock of the system (`flock`). Whoever dies leaves a torn tail at most: the owner of the record of lengths cuts it off with
//! [`set_aside`] before it appends again.

mod half;

use super::from_line;
use super::line_ends::LineEnds;
use super::quoting::{Quoting, Rule};
use super::record::Record;
use crate::error::{Code, Error, Kind, Result};
use crate::failpoint;
use crate::format::lf::LfWriter;
use crate::format::maildir::DotLock;
use crate::fs;
use crate::message::InternalDate;
use crate::spool::Body;
use std::fs::{File, TryLockError};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const PIECE: usize = 64 << 10;
/// A program that holds the system's lock longer than this is not appending.
const PATIENCE: Duration = Duration::from_secs(120);

/// One message to be written.
#[derive(Clone, Copy)]
pub struct Post<'a> {
    pub body: &'a Body,
    /// For the From_ line; without one it is that of the headers.
    pub date: Option<InternalDate>,
}

impl Post<'_> {
    /// The line that will stand before the message, LF at its end.
    #[must_use]
    pub fn from_line(&self) -> Vec<u8> {
        from_line::write(self.body.head(), self.date)
    }
}

/// An mbox open for appending, locked against other programs until it is dropped.
#[derive(Debug)]
pub struct Appender {
    path: PathBuf,
    file: File,
    length: u64,
    /// Was the file made just now, so that its name is not durable yet?
    new: bool,
    _dot_lock: DotLock,
}

impl Appender {
    /// Opens the file, made 0600 where there is none, and waits for its locks.
    ///
    /// # Errors
    /// `Code::Locked` where another program keeps it for minutes; `Code::Disk`, also for a symbolic link.
    pub fn open(path: &Path) -> Result<Self> {
        let dot_lock = DotLock::acquire(path)?;
        let new = std::fs::symlink_metadata(path).is_err();
        let file = fs::open_or_create(path)?;
        lock(&file, path, File::try_lock)?;
        let length = file
            .metadata()
            .map_err(|e| Error::disk("look at", path, &e))?
            .len();
        failpoint::pass("mbox: open and locked");
        Ok(Appender {
            path: path.to_owned(),
            file,
            length,
            new,
            _dot_lock: dot_lock,
        })
    }

    /// Of the file, in bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Appends the messages, durable when it returns, and tells where each one is. The last message of another program gets the line ends
    /// that it lacks before ours.
    ///
    /// # Errors
    /// `Code::Disk`; the file has then its former length, where the disk still allows that.
    pub fn append(&mut self, posts: &[Post<'_>]) -> Result<Vec<Record>> {
        let before = self.length;
        match self.write(posts) {
            Ok(records) => Ok(records),
            Err(e) => {
                // The first error is what has to be told; a tail that stays is found by its length.
                drop(
                    self.file
                        .set_len(before)
                        .and_then(|()| self.file.sync_all()),
                );
                self.length = before;
                Err(Error::disk("write", &self.path, &e))
            }
        }
    }

    /// Where [`Appender::append`] will put these messages, if nothing else comes before them. Writes nothing.
    ///
    /// # Errors
    /// `Code::Disk`, for a body that is in a file.
    pub fn plan(&self, posts: &[Post<'_>]) -> Result<Vec<Record>> {
        let broken = |e: io::Error| Error::disk("read", &self.path, &e);
        let mut out = Counted {
            to: io::sink(),
            written: self.length + self.gap().map_err(broken)?.len() as u64,
        };
        let planned = posts.iter().map(|post| write_one(&mut out, post));
        planned.collect::<io::Result<_>>().map_err(broken)
    }

    /// When the file was last changed, nanoseconds since 1970; to see whether another program has been there.
    pub(super) fn modified(&self) -> Result<i64> {
        let meta = self.file.metadata();
        let meta = meta.map_err(|e| Error::disk("look at", &self.path, &e))?;
        Ok(meta
            .mtime()
            .saturating_mul(1_000_000_000)
            .saturating_add(meta.mtime_nsec()))
    }

    fn write(&mut self, posts: &[Post<'_>]) -> io::Result<Vec<Record>> {
        let gap = self.gap()?;
        self.file.seek(SeekFrom::Start(self.length))?;
        let mut out = Counted {
            to: BufWriter::with_capacity(PIECE, &mut self.file),
            written: self.length,
        };
        out.write_all(gap)?;
        let mut records = Vec::with_capacity(posts.len());
        for post in posts {
            records.push(write_one(&mut out, post)?);
        }
        out.flush()?;
        let end = out.written;
        drop(out);
        self.tear(end)?;
        failpoint::pass("mbox: written, not durable");
        self.file.sync_data()?;
        if self.new {
            self.sync_name()?;
        }
        failpoint::pass("mbox: durable");
        self.length = end;
        Ok(records)
    }

    /// Replaces the file by one that holds these pieces of it alone, offset and length each, whole or not at all.
    pub(super) fn rewrite(&self, pieces: &[(u64, u64)]) -> Result<()> {
        fs::persist(&self.path, |to| {
            let mut from = &self.file;
            for &(offset, length) in pieces {
                from.seek(SeekFrom::Start(offset))?;
                io::copy(&mut from.take(length), to)?;
            }
            Ok(())
        })
    }

    /// [`set_aside`] of the mbox that is open and locked here.
    ///
    /// # Errors
    /// `Code::Disk`; the mbox is cut only once the tail is safe.
    pub fn set_aside(&mut self, length: u64) -> Result<Option<PathBuf>> {
        if self.length <= length {
            return Ok(None);
        }
        let (aside, mut to) = torn_file(&self.path)?;
        let broken = |e: io::Error| Error::disk("write", &aside, &e);
        let mut from = &self.file;
        from.seek(SeekFrom::Start(length))
            .and_then(|_| io::copy(&mut from, &mut to))
            .and_then(|_| to.sync_all())
            .map_err(broken)?;
        fs::sync_dir(aside.parent().unwrap_or(Path::new(".")))?;
        failpoint::pass("mbox: tail set aside, not cut");
        self.file
            .set_len(length)
            .and_then(|()| self.file.sync_all())
            .map_err(|e| Error::disk("cut", &self.path, &e))?;
        self.length = length;
        Ok(Some(aside))
    }

    /// Does an empty line, or nothing, stand before this byte?
    pub(super) fn is_after_empty_line(&self, at: u64) -> Result<bool> {
        let gap = self.gap_at(at);
        gap.map(<[u8]>::is_empty)
            .map_err(|e| Error::disk("read", &self.path, &e))
    }

    /// What the file lacks so that a From_ line may follow.
    fn gap(&self) -> io::Result<&'static [u8]> {
        self.gap_at(self.length)
    }

    fn gap_at(&self, at: u64) -> io::Result<&'static [u8]> {
        let mut tail = [0; 3];
        let from = at.saturating_sub(tail.len() as u64);
        let tail = &mut tail[..(at - from) as usize];
        self.file.read_exact_at(tail, from)?;
        Ok(
            if tail.is_empty() || tail.ends_with(b"\n\n") || tail.ends_with(b"\n\r\n") {
                b""
            } else if tail.ends_with(b"\n") {
                b"\n"
            } else {
                b"\n\n"
            },
        )
    }

    /// Where a test kills in the middle of a write.
    fn tear(&self, end: u64) -> io::Result<()> {
        if failpoint::strikes("mbox: half written") {
            self.file.set_len(self.length + (end - self.length) / 2)?;
            failpoint::die();
        }
        Ok(())
    }

    fn sync_name(&mut self) -> io::Result<()> {
        let dir = self.path.parent().filter(|dir| *dir != Path::new(""));
        fs::sync_dir(dir.unwrap_or(Path::new("."))).map_err(io::Error::other)?;
        self.new = false;
        Ok(())
    }
}

/// Waits for the system's lock, which `attempt` takes.
pub(super) fn lock(
    file: &File,
    path: &Path,
    attempt: fn(&File) -> std::result::Result<(), TryLockError>,
) -> Result<()> {
    let began = Instant::now();
    loop {
        match attempt(file) {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(e)) => return Err(Error::disk("lock", path, &e)),
            Err(TryLockError::WouldBlock) if began.elapsed() > PATIENCE => return Err(busy(path)),
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

fn busy(path: &Path) -> Error {
    let what = format!("{} is locked by another program", path.display());
    Error::new(Kind::Folder, Code::Locked, what)
        .hint("close the mail program that has it open, then run again")
}

fn write_one(out: &mut Counted<impl Write>, post: &Post<'_>) -> io::Result<Record> {
    let offset = out.written;
    out.write_all(&post.from_line())?;
    let has_end = write_message(out, post.body)?;
    let line_ends = LineEnds {
        final_added: !has_end,
    };
    out.write_all(if has_end { b"\n" } else { b"\n\n" })?;
    Ok(Record {
        offset,
        length: out.written - offset,
        line_ends,
        blank: 1,
    })
}

/// Does it end with a line end (or hold nothing at all)?
fn write_message(out: &mut Counted<impl Write>, body: &Body) -> io::Result<bool> {
    let mut quoted = QuotingWriter {
        to: out,
        quoting: Quoting::new(Rule::Add),
    };
    if has_lf_form(body)? {
        let mut lf = LfWriter::new(&mut quoted);
        body.write_to(&mut lf)?;
        lf.finish()?;
    } else {
        body.write_to(&mut quoted)?;
    }
    quoted.finish()?;
    Ok(body.size() == 0 || !body.traits().no_final_line_end)
}

/// Only a CR that no LF follows can stand before a CRLF; such messages are looked at twice.
fn has_lf_form(body: &Body) -> io::Result<bool> {
    if !body.traits().bare_cr {
        return Ok(true);
    }
    let mut trial = LfWriter::new(io::sink());
    match body.write_to(&mut trial) {
        Err(_) if !trial.fits => Ok(false),
        other => other.map(|()| true),
    }
}

/// Counts what goes to the file.
struct Counted<W> {
    to: W,
    written: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.to.write(bytes)?;
        self.written += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

struct QuotingWriter<'a, W> {
    to: &'a mut W,
    quoting: Quoting,
}

impl<W: Write> QuotingWriter<'_, W> {
    fn finish(self) -> io::Result<()> {
        let to = self.to;
        self.quoting.finish(&mut |part| to.write_all(part))
    }
}

impl<W: Write> Write for QuotingWriter<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let to = &mut *self.to;
        self.quoting.push(bytes, &mut |part| to.write_all(part))?;
        Ok(bytes.len())
    }

    /// What is held back is flushed by `finish` alone.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Moves what stands behind `length` bytes into a new file beside, `NAME.torn-1` or the next number that is free, and cuts the mbox there.
/// For a tail that a killed run left; tells the new file, `None` where there was nothing behind.
///
/// # Errors
/// `Code::Disk`, `Code::Locked`; the mbox is cut only once the tail is safe.
pub fn set_aside(path: &Path, length: u64) -> Result<Option<PathBuf>> {
    Appender::open(path)?.set_aside(length)
}

fn torn_file(path: &Path) -> Result<(PathBuf, File)> {
    for number in 1u32.. {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".torn-{number}"));
        let aside = PathBuf::from(name);
        if std::fs::symlink_metadata(&aside).is_err() {
            let file = fs::create_new(&aside)?;
            return Ok((aside, file));
        }
    }
    Err(Error::disk(
        "set aside the end of",
        path,
        &io::ErrorKind::AlreadyExists.into(),
    ))
}
