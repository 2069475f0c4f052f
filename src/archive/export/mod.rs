//! Messages of an archive written out for other programs. Only into what is new: nothing is ever overwritten or added to.

mod names;
mod writer;

use super::Selection;
use super::strays::strays;
use super::survey::{Step, Survey, Watch, is_replaced};
use super::view::{Kept, View};
use super::{At, Now};
use crate::error::{Kind, Result};
use crate::message::{Flags, Folder};
use crate::net::Flow;
use crate::spool::{Body, Budget};
use std::path::Path;
use writer::Writer;

/// Bytes of messages in memory at once; a message over a quarter of it goes through a temporary file.
const BUDGET: u64 = 64 << 20;
/// Messages and bytes that share their fsyncs.
const BATCH: usize = 256;
const BATCH_BYTES: u64 = 16 << 20;

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// mboxrd: one file a folder; all in one where the name given ends in `.mbox`.
    Mbox,
    /// A Maildir++ tree, with flags, keywords and dates.
    Maildir,
    /// A file a message, canonical bytes (CRLF), one directory a folder.
    Eml,
}

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exported {
    /// How many of each folder; none for a folder of which none is meant.
    pub folders: Vec<(Folder, u64)>,
    /// Canonical bytes.
    pub bytes: u64,
    /// Messages that are missing or changed: place and what is wrong. Then what is in `mail/` without a line in a sidecar, counted. They are
    /// not in the export.
    pub failed: Vec<(String, String)>,
}

impl Exported {
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.folders.iter().map(|(_, messages)| messages).sum()
    }
}

/// A message on its way out.
struct Item {
    body: Body,
    kept: Kept,
    /// As they are now, other programs' changes in.
    flags: Flags,
}

/// Writes what is meant of the archive at `root` to `to`, durably. Nothing of the archive is changed.
///
/// # Errors
/// `Code::Usage` where `to` is there and not an empty directory; `Code::Disk`. What was written until then stays.
pub fn export(
    root: &Path,
    selection: &Selection,
    to: &Path,
    shape: Shape,
    watch: Watch<'_>,
) -> Result<Exported> {
    let survey = Survey::new(root)?;
    if let Some((_, error)) = survey.broken.into_iter().next() {
        return Err(error);
    }
    let meant = |view: &&View| selection.takes_folder(&view.folder);
    let mut job = Export {
        root,
        selection,
        writer: Writer::new(to, shape)?,
        budget: Budget::new(BUDGET),
        batch: Vec::new(),
        exported: Exported::default(),
    };
    let of = survey
        .views
        .iter()
        .filter(meant)
        .map(|v| v.messages() as u64)
        .sum();
    for view in survey.views.iter().filter(meant) {
        job.folder(view, &|bytes| watch(Step { of, bytes }))?;
    }
    for view in survey.views.iter().filter(meant) {
        let appended = view.appended()?.map_or(0, |(_, mails)| mails.len());
        job.left_out(view.path(), view.strangers()?.len() + appended);
    }
    for stray in strays(root)? {
        if selection.takes_folder(&stray.folder) {
            let told = stray.view(root).and_then(|view| {
                job.left_out(view.path(), stray.messages(root)?);
                Ok(())
            });
            if let Err(error) = told {
                let name = stray.folder.to_string();
                job.exported.failed.push((name, error.what));
            }
        }
    }
    job.writer.finish()?;
    Ok(job.exported)
}

struct Export<'a> {
    root: &'a Path,
    selection: &'a Selection,
    writer: Writer,
    budget: Budget,
    batch: Vec<Item>,
    exported: Exported,
}

impl Export<'_> {
    fn folder(&mut self, view: &View, step: &dyn Fn(u64)) -> Result<()> {
        let now = view.now()?;
        self.exported.folders.push((view.folder.clone(), 0));
        view.each((0, u32::MAX), |kept| {
            let bytes = self.message(view, kept, &now)?;
            step(bytes);
            Ok(Flow::Continue)
        })?;
        self.flush(&view.folder)
    }

    /// Tells of messages without lines in a folder.
    fn left_out(&mut self, folder: &Path, messages: usize) {
        if messages > 0 {
            let place = folder.strip_prefix(self.root).unwrap_or(folder);
            let why =
                format!("messages of other programs, without a line in the sidecar: {messages}");
            self.exported
                .failed
                .push((place.to_string_lossy().into_owned(), why));
        }
    }

    /// The bytes that it has; 0 for one that is not meant, or not sound.
    fn message(&mut self, view: &View, kept: Kept, now: &Now) -> Result<u64> {
        if !self.selection.takes(&kept) {
            return Ok(0);
        }
        let there = |at: &At| std::fs::symlink_metadata(at.path()).is_ok();
        let Some(at) = view.find(&kept)?.filter(there) else {
            if !is_replaced(view, &kept) {
                self.exported.failed.push((kept.file, "missing".to_owned()));
            }
            return Ok(0);
        };
        if self.selection.wants_head() && !self.selection.takes_head(&at.head()?) {
            return Ok(0);
        }
        let body = match view.read(&kept, &at, &self.budget) {
            Ok(body) => body,
            Err(error) if error.kind == Kind::Message => {
                let place = at.path().strip_prefix(self.root).unwrap_or(at.path());
                let why = error.words.unwrap_or_else(|| "changed".to_owned());
                self.exported
                    .failed
                    .push((place.to_string_lossy().into_owned(), why));
                return Ok(0);
            }
            Err(error) => return Err(error),
        };
        let bytes = body.size();
        let flags = now.flags(&kept, &at);
        self.batch.push(Item { body, kept, flags });
        let waiting: u64 = self.batch.iter().map(|item| item.body.size()).sum();
        if self.batch.len() >= BATCH || waiting >= BATCH_BYTES {
            self.flush(&view.folder)?;
        }
        Ok(bytes)
    }

    fn flush(&mut self, folder: &Folder) -> Result<()> {
        let batch = std::mem::take(&mut self.batch);
        if batch.is_empty() {
            return Ok(());
        }
        self.writer.write(folder, &batch)?;
        self.exported.bytes += batch.iter().map(|item| item.body.size()).sum::<u64>();
        if let Some((_, messages)) = self.exported.folders.last_mut() {
            *messages += batch.len() as u64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
