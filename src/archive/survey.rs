//! An archive looked at as a whole, by somebody who takes nothing for granted.

use super::At;
use super::folders::sidecars;
use super::locate::mbox_path;
use super::sidecar::{Format, Sidecar};
use super::view::{Kept, View};
use crate::error::{Code, Error, Kind, Result};
use crate::journal::Journal;
use crate::message::Folder;
use crate::net::Flow;
use crate::spool::{Body, Budget};
use rayon::prelude::*;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Bytes of messages in memory at once; larger ones are read through temporary files.
const READING: u64 = 64 << 20;
/// Messages that are read in parallel between two looks at the results.
const CHUNK: usize = 1024;

/// Every folder of an archive, and what of it could not even be opened.
pub(super) struct Survey {
    pub(super) root: PathBuf,
    pub(super) views: Vec<View>,
    pub(super) broken: Vec<(PathBuf, Error)>,
}

/// How far a long work is: told after every message, from any thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Messages in all.
    pub of: u64,
    /// Bytes of the message that is done.
    pub bytes: u64,
}

/// Hears of every step.
pub type Watch<'a> = &'a (dyn Fn(Step) + Sync);

/// Refuses a directory in which there is no mail of an archive.
///
/// # Errors
/// `Code::Disk`, with what is there instead.
pub fn expect_mail(root: &Path) -> Result<()> {
    if root.join("sidecar").is_dir() || root.join("mail").is_dir() {
        return Ok(());
    }
    let (what, hint) = if !root.is_dir() {
        (
            "is no directory",
            "name the directory of an archive, or a job file",
        )
    } else if Journal::exists(root) {
        (
            "keeps no mail, only a journal",
            "name the archive of a job that has one: [archive] with keep-mail = true",
        )
    } else {
        (
            "is no archive of mailhaul",
            "name the directory that holds mail/ and sidecar/",
        )
    };
    Err(Error::new(
        Kind::Account,
        Code::Disk,
        format!("{} {what}", root.display()),
    )
    .hint(hint))
}

impl Survey {
    /// Opens every folder. Nothing is written.
    ///
    /// # Errors
    /// As [`expect_mail`]; `Code::Disk` where not even the directory of the sidecars can be read.
    pub(super) fn new(root: &Path) -> Result<Self> {
        expect_mail(root)?;
        let (mut views, mut broken) = (Vec::new(), Vec::new());
        for path in sidecars(root)? {
            match View::open(root, Sidecar::new(path.clone())) {
                Ok(view) => views.extend(view),
                Err(error) => broken.push((path, error)),
            }
        }
        views.sort_by(|a, b| a.folder.cmp(&b.folder));
        Ok(Survey {
            root: root.to_owned(),
            views,
            broken,
        })
    }

    pub(super) fn messages(&self) -> u64 {
        self.views.iter().map(|view| view.messages() as u64).sum()
    }

    /// The path as it is told: relative to the archive.
    pub(super) fn relative(&self, path: &Path) -> String {
        let inside = path.strip_prefix(&self.root).unwrap_or(path);
        inside.to_string_lossy().into_owned()
    }

    /// Where a message is, relative to the archive.
    fn place(&self, view: &View, kept: &Kept, at: Option<&At>) -> String {
        match at {
            Some(At::File(path)) => self.relative(path),
            Some(At::Part(path, part)) => mbox_path(&self.relative(path), *part),
            None => format!("{}/cur/{}", self.relative(view.path()), kept.file),
        }
    }

    /// In an archive of mboxes, the files below `mail/` that no sidecar is about; lock files are left out.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub(super) fn strange_files(&self) -> Result<Vec<PathBuf>> {
        let is_mbox = |view: &&View| view.format == Format::Mbox;
        let known: HashSet<&Path> = self.views.iter().filter(is_mbox).map(View::path).collect();
        let mail = self.root.join("mail");
        let mut files = Vec::new();
        if !known.is_empty() || sidecars(&self.root)?.is_empty() {
            walk(&mail, &mut files)?;
        }
        files.retain(|path| !known.contains(path.as_path()) && !is_lock(path));
        Ok(files)
    }

    pub(super) fn in_mbox(&self, folder: &Folder) -> bool {
        let same = |view: &&View| view.folder == *folder;
        self.views
            .iter()
            .find(same)
            .is_some_and(|view| view.format == Format::Mbox)
    }

    pub(super) fn holds(&self, folder: &Folder) -> bool {
        self.views.iter().any(|view| view.folder == *folder)
    }
}

/// Was the message fetched once more, after its file had gone? Then its line is history.
pub(super) fn is_replaced(view: &View, kept: &Kept) -> bool {
    let newest = kept
        .digest
        .and_then(|digest| view.index.of_source(&kept.source, digest));
    newest.is_some_and(|spot| spot.uid > kept.uid)
}

/// Files below a directory, without those of Maildirs, in the order of their names. Links are not followed, and count as files.
fn walk(dir: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let mut entries = entries(dir)?;
    // What belongs to the Maildir itself is another matter.
    if entries.iter().any(|path| path.ends_with("cur")) {
        entries.retain(|path| {
            path.is_dir() && !["cur", "new", "tmp"].iter().any(|p| path.ends_with(p))
        });
    }
    for path in entries {
        match std::fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_dir()) {
            true => walk(&path, files)?,
            false => files.push(path),
        }
    }
    Ok(())
}

/// What a directory holds, in the order of the names; nothing where there is none.
pub(super) fn entries(dir: &Path) -> Result<Vec<PathBuf>> {
    let broken = |e: std::io::Error| Error::disk("list", dir, &e);
    let mut paths = Vec::new();
    match std::fs::read_dir(dir) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        found => {
            for entry in found.map_err(broken)? {
                paths.push(entry.map_err(broken)?.path());
            }
        }
    }
    paths.sort();
    Ok(paths)
}

/// A dot-lock, or a file by which a folder's subscription or name is told.
fn is_lock(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".lock") || ["subscriptions", ".subscriptions"].contains(&name.as_ref())
}

/// A message and what was found where it should be.
pub(super) struct Found<T> {
    pub(super) kept: Kept,
    /// Where it is now, relative to the archive, as [`Place::path`](super::Place) has it; as it was stored where it is missing.
    pub(super) place: String,
    pub(super) state: State<T>,
}

pub(super) enum State<T> {
    /// Its bytes are those that were stored.
    Whole(T),
    Missing,
    /// The line of the sidecar does not tell a digest.
    NoDigest,
    Changed,
    /// What the system says.
    Unreadable(String),
}

/// A message that is to be read.
struct Task {
    kept: Kept,
    place: String,
    at: Option<At>,
}

/// Reads every message of a folder, in parallel, and gives what `look` sees in it to `take`, in order.
pub(super) fn read_all<T: Send>(
    survey: &Survey,
    view: &View,
    watch: Watch<'_>,
    look: impl Fn(&Body) -> T + Sync,
    mut take: impl FnMut(Found<T>) -> Result<()>,
) -> Result<()> {
    let of = survey.messages();
    let budget = Budget::new(READING);
    let read = |task: Task| {
        // A body is let go before its thread reads the next: none waits for another's part of the budget.
        let (state, bytes) = match read_one(&task, &budget) {
            Ok(body) => (State::Whole(look(&body)), body.size()),
            Err(state) => (state, 0),
        };
        watch(Step { of, bytes });
        Found {
            kept: task.kept,
            place: task.place,
            state,
        }
    };
    let mut work = |tasks: &mut Vec<Task>| -> Result<()> {
        let found: Vec<Found<T>> = tasks.par_drain(..).map(read).collect();
        found.into_iter().try_for_each(&mut take)
    };
    let mut tasks = Vec::with_capacity(CHUNK);
    view.each((0, u32::MAX), |kept| {
        let at = view.find(&kept)?;
        if at.is_none() && is_replaced(view, &kept) {
            return Ok(Flow::Continue);
        }
        let place = survey.place(view, &kept, at.as_ref());
        tasks.push(Task { kept, place, at });
        if tasks.len() == CHUNK {
            work(&mut tasks)?;
        }
        Ok(Flow::Continue)
    })?;
    work(&mut tasks)
}

fn read_one<T>(task: &Task, budget: &Budget) -> Result<Body, State<T>> {
    let at = task.at.as_ref().ok_or(State::Missing)?;
    let digest = task.kept.digest.ok_or(State::NoDigest)?;
    match at.body(budget) {
        Ok(body) if body.digests().exact == digest => Ok(body),
        Ok(_) => Err(State::Changed),
        Err(_) if std::fs::symlink_metadata(at.path()).is_err() => Err(State::Missing),
        // Without the system's words there is no message at that place of an mbox any more.
        Err(error) => Err(error.words.map_or(State::Changed, State::Unreadable)),
    }
}
