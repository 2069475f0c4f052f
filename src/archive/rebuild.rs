//! The journal made anew from `mail/` and `sidecar/`.
//!
//! It is made beside the old one and takes its place whole; the old one keeps a name of its own. What stood in it alone (runs, what other
//! destinations have, what failed) is not in the new one: destinations are adopted again by the next run.

use super::TRASH;
use super::refill::{self, Refilled};
use super::survey::{Found, State, Survey, Watch, entries, read_all};
use super::view::{Kept, View};
use crate::error::{Error, Result};
use crate::failpoint;
use crate::fs;
use crate::journal::{
    Conclusion, Delivered, FolderId, Journal, JournalIdentity, Origin, Place, RunId, Seen,
    SinkFolderId, parse_source_text,
};
use crate::message::{Digests, Flags, header};
use crate::spool::Body;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// How a journal names an archive as a destination of its job.
const SINK: &str = "archive:";
const FILE: &str = "journal.db";
const UNFINISHED: &str = ".rebuild-";
/// Rows that share a commit.
const BATCH: usize = 1000;

/// What was made.
#[derive(Debug, Clone, Default)]
pub struct Rebuilt {
    pub folders: u64,
    /// In the new journal.
    pub messages: u64,
    /// Lines whose message is missing or changed, by place and what is wrong: the next run fetches them again.
    pub left_out: Vec<(String, String)>,
    /// Messages of which no sidecar tells the source: in the archive, not in the journal.
    pub without_source: u64,
    /// Sidecars that were made anew, or got lines that they lacked.
    pub refilled: Vec<Refilled>,
    /// The old journal, where there was one.
    pub old: Option<PathBuf>,
}

/// Makes the journal of the archive at `root` anew. Sources that `sources` names come first (`imap://user@host`); those that the sidecars tell are
/// added.
///
/// # Errors
/// `Code::Locked`: a run holds the archive. `Code::Disk`. The old journal is then still in its place.
pub fn rebuild(root: &Path, sources: &[String], watch: Watch<'_>) -> Result<Rebuilt> {
    super::expect_mail(root)?;
    let _lock = fs::Lock::acquire(&root.join("lock"))?;
    clear(root)?;
    let mut rebuilt = Rebuilt {
        refilled: refill::refill(root)?,
        ..Rebuilt::default()
    };
    let mut survey = Survey::new(root)?;
    if let Some((_, error)) = survey.broken.pop() {
        return Err(error);
    }
    for path in survey.strange_files()? {
        if path.extension().is_some_and(|e| e == "mbox") {
            let why = "it has no sidecar; a job with protocol = \"mbox\" can read it".to_owned();
            rebuilt.left_out.push((survey.relative(&path), why));
        }
    }
    let identity = identity(&survey, sources)?;
    let temporary = tempfile::Builder::new()
        .prefix(UNFINISHED)
        .tempdir_in(root)
        .map_err(|e| Error::disk("make a directory in", root, &e))?;
    let mut journal = Journal::open(temporary.path(), &identity)?;
    let run = journal.begin_run("archive rebuild")?;
    let mut writer = Writer {
        journal: &mut journal,
        run,
        identity: &identity,
        folders: HashMap::new(),
        rebuilt: &mut rebuilt,
    };
    // What has come again after it had gone is written over what lies in the trash.
    let (trash, live): (Vec<&View>, Vec<&View>) = survey.views.iter().partition(|v| is_trash(v));
    for view in trash.into_iter().chain(live) {
        writer.folder(&survey, view, watch)?;
    }
    journal.end_run(run, &format!(r#"{{"rebuilt":{}}}"#, rebuilt.messages))?;
    journal.close()?;
    rebuilt.old = put_in_place(&temporary.path().join(FILE), root)?;
    Ok(rebuilt)
}

fn is_trash(view: &View) -> bool {
    matches!(view.folder.names(), [first, _, ..] if first == TRASH)
}

/// What rebuilds that were killed have left.
fn clear(root: &Path) -> Result<()> {
    for path in entries(root)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(UNFINISHED) && path.is_dir() {
            std::fs::remove_dir_all(&path).map_err(|e| Error::disk("remove", &path, &e))?;
        }
    }
    Ok(())
}

/// The sources that the lines tell of, behind those that are known.
fn identity(survey: &Survey, sources: &[String]) -> Result<JournalIdentity> {
    let mut sources = sources.to_vec();
    for view in &survey.views {
        view.each((0, u32::MAX), |kept| {
            if let Some(origin) = parse_source_text(&kept.source)
                && !sources.contains(&origin.source)
            {
                sources.push(origin.source);
            }
            Ok(crate::net::Flow::Continue)
        })?;
    }
    Ok(JournalIdentity {
        sources,
        destinations: vec![SINK.to_owned()],
    })
}

struct Writer<'a> {
    journal: &'a mut Journal,
    run: RunId,
    identity: &'a JournalIdentity,
    /// Source folders by source, UIDVALIDITY and wire name.
    folders: HashMap<(u32, u32, Vec<u8>), FolderId>,
    rebuilt: &'a mut Rebuilt,
}

/// What the journal wants to know of a message's bytes.
struct Facts {
    digests: Digests,
    size: u64,
    message_id: Option<Vec<u8>>,
}

/// A message with its place in the journal and in the archive.
struct Entry {
    folder: FolderId,
    seen: Seen,
    uid: u32,
    flags: Flags,
    /// It lies in the trash: it has gone from its source.
    gone: bool,
}

impl Writer<'_> {
    fn folder(&mut self, survey: &Survey, view: &View, watch: Watch<'_>) -> Result<()> {
        self.rebuilt.folders += 1;
        let name = view.folder.to_string();
        let (run, validity) = (self.run, view.uid_validity);
        let sink = self
            .journal
            .sink_folder(run, 0, name.as_bytes(), validity)?;
        let mut entries = Vec::with_capacity(BATCH);
        read_all(survey, view, watch, facts, |found| {
            entries.extend(self.entry(found, is_trash(view))?);
            if entries.len() == BATCH {
                self.write(&mut entries, sink, validity)?;
            }
            Ok(())
        })?;
        self.write(&mut entries, sink, validity)
    }

    fn entry(&mut self, found: Found<Facts>, in_trash: bool) -> Result<Option<Entry>> {
        let Found { kept, place, state } = found;
        let facts = match state {
            State::Whole(facts) => facts,
            other => {
                self.rebuilt.left_out.push((place, why(other)));
                return Ok(None);
            }
        };
        let Some(origin) = parse_source_text(&kept.source) else {
            self.rebuilt.without_source += 1;
            return Ok(None);
        };
        let folder = self.source_folder(&origin)?;
        // A folder of that name at the source is no trash.
        let own = memchr::memmem::find(&origin.folder, TRASH.as_bytes()).is_some();
        let path = as_stored(&place, &kept);
        let seen = Seen {
            key: origin.key,
            digests: Some(facts.digests),
            message_id: facts.message_id,
            size: facts.size,
            flags: kept.flags.clone(),
            date: kept.date,
            place: Some(Place {
                path,
                digest: facts.digests.exact,
            }),
        };
        Ok(Some(Entry {
            folder,
            seen,
            uid: kept.uid,
            flags: kept.flags,
            gone: in_trash && !own,
        }))
    }

    fn source_folder(&mut self, origin: &Origin) -> Result<FolderId> {
        let at = self
            .identity
            .sources
            .iter()
            .position(|s| *s == origin.source);
        let source = at.and_then(|at| u32::try_from(at).ok()).unwrap_or_default();
        let key = (source, origin.uid_validity, origin.folder.clone());
        if let Some(id) = self.folders.get(&key) {
            return Ok(*id);
        }
        let id = self
            .journal
            .folder(self.run, source, &origin.folder, origin.uid_validity)?;
        self.folders.insert(key, id);
        Ok(id)
    }

    fn write(&mut self, entries: &mut Vec<Entry>, sink: SinkFolderId, validity: u32) -> Result<()> {
        let mut by_folder: HashMap<(FolderId, bool), Vec<Entry>> = HashMap::new();
        for entry in entries.drain(..) {
            by_folder
                .entry((entry.folder, entry.gone))
                .or_default()
                .push(entry);
        }
        for ((folder, gone), entries) in by_folder {
            self.rebuilt.messages += entries.len() as u64;
            let seen: Vec<Seen> = entries.iter().map(|entry| entry.seen.clone()).collect();
            let rows = self.journal.record(self.run, folder, &seen)?;
            match gone {
                true => self.journal.removed_at_source(self.run, &rows)?,
                false => self.journal.returned_to_source(self.run, &rows)?,
            }
            let conclusions: Vec<Conclusion> = rows
                .into_iter()
                .zip(entries)
                .map(|(row, entry)| Conclusion {
                    row,
                    sink: 0,
                    outcome: if gone { "vanished" } else { "copied" },
                    words: None,
                    delivered: (!gone).then_some(Delivered {
                        folder: sink,
                        uid_validity: validity,
                        uid: Some(entry.uid),
                    }),
                    flags: entry.flags,
                    of: None,
                })
                .collect();
            self.journal.conclude(self.run, None, &conclusions, false)?;
        }
        Ok(())
    }
}

fn facts(body: &Body) -> Facts {
    Facts {
        digests: body.digests(),
        size: body.size(),
        message_id: header::message_id(body.head()),
    }
}

fn why(state: State<Facts>) -> String {
    match state {
        State::Missing => "missing".to_owned(),
        State::NoDigest => "its line tells no digest".to_owned(),
        State::Changed => "changed".to_owned(),
        State::Unreadable(words) => words,
        State::Whole(_) => "whole".to_owned(),
    }
}

/// The place as the journal had it: a file under the name that it was given first.
fn as_stored(place: &str, kept: &Kept) -> String {
    if kept.put().part.is_some() {
        return place.to_owned();
    }
    let cur = place.rsplit_once('/').map_or("", |(dir, _)| dir);
    let dir = cur.strip_suffix("/new").map(|dir| format!("{dir}/cur"));
    format!("{}/{}", dir.as_deref().unwrap_or(cur), kept.file)
}

/// The old journal, with what of it is not in its one file yet, gets other names; then the new one takes its place.
fn put_in_place(new: &Path, root: &Path) -> Result<Option<PathBuf>> {
    let path = root.join(FILE);
    let exists = |path: &Path| std::fs::symlink_metadata(path).is_ok();
    let aside = match exists(&path) {
        true => Some(fs::keep_aside(&path, "before-rebuild")?),
        false => None,
    };
    for suffix in ["-wal", "-shm", "-journal"] {
        let beside = root.join(format!("{FILE}{suffix}"));
        if exists(&beside) {
            // SQLite would take what stands beside a file for a part of the new one.
            let to = match &aside {
                Some(aside) => PathBuf::from(format!("{}{suffix}", aside.display())),
                None => fs::keep_aside(&beside, "before-rebuild")?,
            };
            fs::rename(&beside, &to)?;
        }
    }
    fs::sync_dir(root)?;
    failpoint::pass("rebuild: old journal kept aside");
    fs::rename(new, &path)?;
    fs::sync_dir(root)?;
    Ok(aside)
}

#[cfg(test)]
#[path = "rebuild_tests.rs"]
mod tests;
