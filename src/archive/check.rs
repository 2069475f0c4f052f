//! Is the archive what it was when it was written? Every byte against its digest, every file against its line. Changes nothing.

use super::sidecar::{Entry, Format, Line};
use super::survey::{Found, State, Survey, Watch, entries, read_all};
use super::view::View;
use crate::error::{Code, Error, Result};
use crate::format::maildir::{self, Places, base_name};
use crate::fs;
use crate::journal::{Journal, JournalIdentity};
use crate::message::Folder;
use std::collections::HashSet;
use std::path::Path;

/// What another program puts before its From_ line, in bytes.
const LINE_ENDS: u64 = 2;

/// What is not as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Wrong {
    /// The file's bytes are not those that were stored.
    Changed,
    /// A line without its file.
    Missing,
    /// A file without a line: nobody knows what its bytes should be.
    Foreign,
    /// A line of a sidecar that cannot be read.
    DamagedLine,
    /// A file in `tmp/`: a run goes on, or was killed.
    Unfinished,
    /// The journal has a message kept of which the archive knows nothing.
    NotKept,
    /// A file, a sidecar or the journal cannot be read.
    Unreadable,
}

impl Wrong {
    pub const ALL: [Wrong; 7] = [
        Wrong::Changed,
        Wrong::Missing,
        Wrong::Foreign,
        Wrong::DamagedLine,
        Wrong::Unfinished,
        Wrong::NotKept,
        Wrong::Unreadable,
    ];

    /// The word of `--json`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Wrong::Changed => "changed",
            Wrong::Missing => "missing",
            Wrong::Foreign => "foreign",
            Wrong::DamagedLine => "damaged-line",
            Wrong::Unfinished => "unfinished",
            Wrong::NotKept => "not-kept",
            Wrong::Unreadable => "unreadable",
        }
    }
}

/// One thing that is wrong, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub wrong: Wrong,
    /// `None` where it belongs to none.
    pub folder: Option<Folder>,
    /// Relative to the archive; bytes that are no UTF-8 as U+FFFD.
    pub path: String,
    /// The number of its line in the sidecar.
    pub number: Option<u32>,
    /// What the system says, or what names the message.
    pub words: Option<String>,
}

/// What a check has seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// In the order of the folders, those of the journal last.
    pub findings: Vec<Finding>,
    pub folders: u64,
    /// With a line.
    pub messages: u64,
    /// Of messages that are whole.
    pub bytes: u64,
}

/// Reads the whole archive at `root`, in parallel.
///
/// # Errors
/// `Code::Locked`: a run holds it. `Code::Disk`: `root` is no archive, or a directory of it cannot be read. What is wrong inside is a finding.
pub fn check(root: &Path, watch: Watch<'_>) -> Result<Checked> {
    let _lock = hold(root)?;
    let survey = Survey::new(root)?;
    let mut checker = Checker {
        checked: Checked {
            folders: survey.views.len() as u64,
            ..Checked::default()
        },
        places: HashSet::new(),
        survey: &survey,
    };
    for (path, error) in &survey.broken {
        checker.add(
            Wrong::Unreadable,
            None,
            path,
            None,
            Some(error.what.clone()),
        );
    }
    for view in &survey.views {
        checker.folder(view, watch)?;
    }
    checker.without_sidecar()?;
    checker.journal();
    Ok(checker.checked)
}

/// Nobody writes meanwhile. What cannot be locked, on a disk that cannot be written to, is read all the same.
fn hold(root: &Path) -> Result<Option<fs::Lock>> {
    let path = root.join("lock");
    if std::fs::symlink_metadata(&path).is_err() {
        return Ok(None);
    }
    match fs::Lock::acquire(&path) {
        Err(error) if error.code == Code::Locked => Err(error),
        held => Ok(held.ok()),
    }
}

struct Checker<'s> {
    survey: &'s Survey,
    checked: Checked,
    /// The Maildir and the base of every message with a line, hashed: 8 bytes each.
    places: HashSet<u64>,
}

impl Checker<'_> {
    fn folder(&mut self, view: &View, watch: Watch<'_>) -> Result<()> {
        for number in view.sidecar.bad_lines()? {
            let path = view.sidecar.path();
            self.add(
                Wrong::DamagedLine,
                Some(&view.folder),
                path,
                Some(number),
                None,
            );
        }
        let folder = &view.folder;
        read_all(
            self.survey,
            view,
            watch,
            |body| body.size(),
            |found| {
                self.message(folder, &found);
                Ok(())
            },
        )?;
        match view.format {
            Format::Maildir => self.foreign(view.path(), Some(folder)),
            Format::Mbox => self.foreign_bytes(view),
        }
    }

    fn message(&mut self, folder: &Folder, found: &Found<u64>) {
        self.checked.messages += 1;
        self.places.insert(place_mark(&found.place));
        let (wrong, words) = match &found.state {
            State::Whole(bytes) => {
                self.checked.bytes += bytes;
                return;
            }
            State::Missing => (Wrong::Missing, Some(found.kept.source.clone())),
            State::NoDigest => (Wrong::DamagedLine, Some("it tells no digest".to_owned())),
            State::Changed => (Wrong::Changed, None),
            State::Unreadable(words) => (Wrong::Unreadable, Some(words.clone())),
        };
        self.checked.findings.push(Finding {
            wrong,
            folder: Some(folder.clone()),
            path: found.place.clone(),
            number: Some(found.kept.uid),
            words,
        });
    }

    /// Files of a Maildir that no line tells of, and what stands in `tmp/`.
    fn foreign(&mut self, dir: &Path, folder: Option<&Folder>) -> Result<()> {
        let mut places = Places::open(dir)?;
        let mut bases = places.bases();
        bases.sort();
        for base in bases {
            let mark = mark(&self.survey.relative(dir), &base);
            if !self.places.contains(&mark)
                && let Some(path) = places.find(&base)?
            {
                self.add(Wrong::Foreign, folder, &path, None, None);
            }
        }
        for path in entries(&dir.join("tmp"))? {
            self.add(Wrong::Unfinished, folder, &path, None, None);
        }
        Ok(())
    }

    /// Parts of an mbox that no line tells of. Line ends between messages are another program's, and no mail.
    fn foreign_bytes(&mut self, view: &View) -> Result<()> {
        let Ok(meta) = std::fs::symlink_metadata(view.path()) else {
            return Ok(());
        };
        let mut parts = Vec::new();
        view.sidecar.read(|found| {
            // What was taken out stays in an mbox.
            if let Line::Message(Entry {
                part: Some(part), ..
            }) = found.line
            {
                parts.push((part.offset, part.offset.saturating_add(part.length)));
            }
        })?;
        parts.sort_unstable();
        parts.push((meta.len(), meta.len()));
        let mut at = 0;
        for (from, to) in parts {
            if from > at + LINE_ENDS {
                let words = format!("bytes {at} to {from}");
                self.add(
                    Wrong::Foreign,
                    Some(&view.folder),
                    view.path(),
                    None,
                    Some(words),
                );
            }
            at = at.max(to);
        }
        Ok(())
    }

    /// Maildirs and mboxes that no sidecar is about.
    fn without_sidecar(&mut self) -> Result<()> {
        for path in self.survey.strange_files()? {
            let torn = path.to_string_lossy().contains(".torn-");
            let wrong = if torn {
                Wrong::Unfinished
            } else {
                Wrong::Foreign
            };
            self.add(wrong, None, &path, None, None);
        }
        let mail = self.survey.root.join("mail");
        if !mail.is_dir() {
            return Ok(());
        }
        let scan = match maildir::scan(&mail, None) {
            Ok(scan) => scan,
            Err(error) => {
                self.add(Wrong::Unreadable, None, &mail, None, Some(told(&error)));
                return Ok(());
            }
        };
        for found in scan.folders {
            let dir = mail.join(&found.path);
            if found.link {
                let words = Some("a symbolic link, which is not followed".to_owned());
                self.add(Wrong::Foreign, None, &dir, None, words);
            } else if !self.survey.views.iter().any(|view| view.path() == dir) {
                self.foreign(&dir, Some(&found.folder))?;
            }
        }
        Ok(())
    }

    /// What the journal says is kept must have a line, unless it is gone from the source too.
    fn journal(&mut self) {
        let root = &self.survey.root;
        let read = Journal::open_read_only(root, &JournalIdentity::default());
        let mut lost = Vec::new();
        let places = &self.places;
        let walked = match read {
            Ok(None) => return,
            Ok(Some(journal)) => journal.each_place(&mut |place| {
                if !places.contains(&place_mark(&place.path)) {
                    lost.push(place);
                }
            }),
            Err(error) => Err(error),
        };
        for place in lost {
            self.checked.findings.push(Finding {
                wrong: Wrong::NotKept,
                folder: None,
                path: place.path,
                number: None,
                words: place.message_id,
            });
        }
        if let Err(error) = walked {
            let path = root.join("journal.db");
            self.add(Wrong::Unreadable, None, &path, None, Some(told(&error)));
        }
    }

    fn add(
        &mut self,
        wrong: Wrong,
        folder: Option<&Folder>,
        path: &Path,
        number: Option<u32>,
        words: Option<String>,
    ) {
        self.checked.findings.push(Finding {
            wrong,
            folder: folder.cloned(),
            path: self.survey.relative(path),
            number,
            words,
        });
    }
}

fn told(error: &Error) -> String {
    match &error.words {
        Some(words) => format!("{}: {words}", error.what),
        None => error.what.clone(),
    }
}

/// `mail/.A/cur/NAME:2,S`, whatever its flags are and whether it stands in `cur` or in `new`. A part of an mbox as it stands.
fn place_mark(place: &str) -> u64 {
    let (dir, file) = place.rsplit_once('/').unwrap_or(("", place));
    let dir = dir.strip_suffix("/cur").or(dir.strip_suffix("/new"));
    mark(dir.unwrap_or_default(), base_name(file).as_bytes())
}

fn mark(dir: &str, base: &[u8]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(dir.as_bytes());
    hasher.update(b"\0");
    hasher.update(base);
    let mut mark = [0; 8];
    mark.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_le_bytes(mark)
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
