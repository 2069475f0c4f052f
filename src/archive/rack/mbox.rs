//! A folder's mbox: only ever appended to.

use super::super::sidecar::{Entry, Line};
use super::{Keep, Mended, Put};
use crate::error::Result;
use crate::format::mbox::{Appender, Post, Record, locate};
use crate::fs;
use crate::message::Folder;
use std::path::{Path, PathBuf};

pub(in crate::archive) struct MboxRack {
    path: PathBuf,
    /// Announced, and without lines of their own as yet.
    coming: Vec<Coming>,
    /// Held from the announcement to the end of the batch: nothing comes between.
    appender: Option<Appender>,
}

struct Coming {
    from: String,
    entry: Entry,
    part: Record,
}

impl MboxRack {
    /// `taken`: the places of other folders, in lower case.
    pub(super) fn place(folder: &Folder, taken: &dyn Fn(&Path) -> bool) -> String {
        let location = locate(folder, taken);
        location.path.to_string_lossy().into_owned()
    }

    pub(super) fn open(mail: &Path, place: &str) -> Result<Self> {
        let path = mail.join(place);
        if let Some(dir) = path.parent() {
            private_dirs(mail, dir)?;
        }
        if std::fs::symlink_metadata(&path).is_err() {
            fs::persist(&path, |_| Ok(()))?;
        }
        Ok(MboxRack {
            path,
            coming: Vec::new(),
            appender: None,
        })
    }

    pub(super) fn saw(&mut self, line: &Line) {
        match line {
            // What was to stand there was never written.
            Line::Growing { length, .. } => self.coming.retain(|c| c.part.offset < *length),
            Line::Coming { from, entry } => self.coming.extend(entry.part.map(|part| Coming {
                from: from.clone(),
                entry: entry.clone(),
                part,
            })),
            Line::Message(entry) => self.coming.retain(|c| Some(c.part) != entry.part),
            Line::Torn { .. } => self.coming.clear(),
            _ => {}
        }
    }

    /// Of what a killed run announced, whole messages get their lines; half a message at the very end goes aside, and comes again. What
    /// others appended stays.
    pub(super) fn mend(&mut self) -> Result<Mended> {
        let coming = std::mem::take(&mut self.coming);
        let mut mended = Mended::default();
        if coming.is_empty() {
            return Ok(mended);
        }
        let mut appender = Appender::open(&self.path)?;
        for Coming { from, entry, part } in coming {
            let whole = match entry.exact() {
                Some(digest) => appender.holds(&part, digest)?,
                None => false,
            };
            if whole {
                mended.lines.push(Line::Message(entry));
            } else if appender.ends_with_half(&part, from.as_bytes())?
                && let Some(aside) = appender.set_aside(part.offset)?
            {
                mended.warning = Some(format!(
                    "{}: half a message at its end, left by a run that was killed, is now in {}",
                    self.path.display(),
                    aside.display()
                ));
                let aside = aside.file_name().unwrap_or_default();
                mended.lines.push(Line::Torn {
                    aside: aside.to_string_lossy().into_owned(),
                });
            }
        }
        Ok(mended)
    }

    pub(super) fn announce(&mut self, items: &[Keep<'_>]) -> Result<Vec<Line>> {
        let appender = self.appender.insert(Appender::open(&self.path)?);
        let posts = posts(items);
        let planned = appender.plan(&posts)?;
        let mut lines = vec![Line::Growing {
            length: appender.length(),
            messages: items.len(),
        }];
        for ((item, post), part) in items.iter().zip(&posts).zip(planned) {
            lines.push(Line::Coming {
                from: String::from_utf8_lossy(&post.from_line()).into_owned(),
                entry: Entry::new(item, &put(part)),
            });
        }
        Ok(lines)
    }

    pub(super) fn put(&mut self, items: &[Keep<'_>]) -> Result<Vec<Put>> {
        let mut appender = match self.appender.take() {
            Some(appender) => appender,
            None => Appender::open(&self.path)?,
        };
        let records = appender.append(&posts(items))?;
        Ok(records.into_iter().map(put).collect())
    }
}

fn posts<'a>(items: &[Keep<'a>]) -> Vec<Post<'a>> {
    let post = |item: &Keep<'a>| Post {
        body: item.body,
        date: item.date,
    };
    items.iter().map(post).collect()
}

fn put(part: Record) -> Put {
    Put {
        file: part.offset.to_string(),
        part: Some(part),
    }
}

/// No directory between may be a symbolic link.
fn private_dirs(mail: &Path, dir: &Path) -> Result<()> {
    fs::private_dir(mail)?;
    let mut at = mail.to_owned();
    for level in dir.strip_prefix(mail).unwrap_or(Path::new("")).components() {
        at.push(level);
        fs::private_dir(&at)?;
    }
    Ok(())
}
