//! An archive looked at as a whole, by somebody who takes nothing for granted.

use super::folders::sidecars;
use super::sidecar::Sidecar;
use super::view::{Kept, View};
use super::{Place, read};
use crate::error::{Code, Error, Kind, Result};
use crate::journal::Journal;
use crate::message::{Digest, Folder};
use crate::net::Flow;
use crate::spool::{Body, Budget};
use rayon::prelude::*;
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

    pub(super) fn holds(&self, folder: &Folder) -> bool {
        self.views.iter().any(|view| view.folder == *folder)
    }
}

/// A message and what was found where it should be.
pub(super) struct Found<T> {
    pub(super) kept: Kept,
    /// Where its file is now, relative to the archive; as it was stored where there is none.
    pub(super) place: String,
    pub(super) state: State<T>,
}

pub(super) enum State<T> {
    /// Its bytes are those that were stored.
    Whole(T),
    Missing,
    /// The line of the sidecar does not tell a digest.
    NoDigest,
    Bad(Error),
}

/// Reads every message of a folder, in parallel, and gives what `look` sees in it to `take`, in order.
pub(super) fn read_all<T: Send>(
    survey: &Survey,
    view: &View,
    watch: Watch<'_>,
    look: impl Fn(&Body) -> T + Sync,
    mut take: impl FnMut(Found<T>) -> Result<()>,
) -> Result<()> {
    let (of, root) = (survey.messages(), survey.root.as_path());
    let budget = Budget::new(READING);
    let read = |(kept, place, there): (Kept, String, bool)| {
        let read = match (kept.digest, there) {
            (_, false) => State::Missing,
            (None, true) => State::NoDigest,
            (Some(digest), true) => read_one(root, &place, digest, &budget),
        };
        let (state, bytes) = match read {
            State::Whole(body) => (State::Whole(look(&body)), body.size()),
            State::Missing => (State::Missing, 0),
            State::NoDigest => (State::NoDigest, 0),
            State::Bad(error) => (State::Bad(error), 0),
        };
        watch(Step { of, bytes });
        Found { kept, place, state }
    };
    let mut work = |chunk: &mut Vec<(Kept, String, bool)>| -> Result<()> {
        let found: Vec<Found<T>> = chunk.par_drain(..).map(read).collect();
        found.into_iter().try_for_each(&mut take)
    };
    let mut chunk = Vec::with_capacity(CHUNK);
    view.each((0, u32::MAX), |kept| {
        let path = view.find(&kept)?;
        let there = path.is_some();
        let file = path.unwrap_or_else(|| view.dir.join("cur").join(&kept.file));
        let place = survey.relative(&file);
        chunk.push((kept, place, there));
        if chunk.len() == CHUNK {
            work(&mut chunk)?;
        }
        Ok(Flow::Continue)
    })?;
    work(&mut chunk)
}

fn read_one(root: &Path, place: &str, digest: Digest, budget: &Budget) -> State<Body> {
    let path = place.to_owned();
    match read(root, &Place { path, digest }, budget) {
        Ok(body) => State::Whole(body),
        Err(error) => State::Bad(error),
    }
}
