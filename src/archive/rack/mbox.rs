//! A folder's mbox: only ever appended to.

use super::super::sidecar::Line;
use super::{Keep, Mended, Put};
use crate::error::{Error, Result};
use crate::format::mbox::{Appender, Post, locate, set_aside};
use crate::fs;
use crate::message::Folder;
use std::path::{Path, PathBuf};

pub(in crate::archive) struct MboxRack {
    path: PathBuf,
    /// A batch that has not all its lines.
    growing: Option<Growing>,
}

#[derive(Debug, Clone, Copy)]
struct Growing {
    /// How long the mbox is as far as lines tell, in bytes.
    length: u64,
    /// Messages of which lines are to come.
    missing: usize,
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
            growing: None,
        })
    }

    pub(super) fn saw(&mut self, line: &Line) {
        match line {
            Line::Growing { length, messages } => {
                self.growing = Some(Growing {
                    length: *length,
                    missing: *messages,
                });
            }
            Line::Message(entry) => {
                self.growing = self.growing.zip(entry.part).and_then(|(growing, part)| {
                    let missing = growing.missing.checked_sub(1)?;
                    let length = part.offset + part.length;
                    (missing > 0).then_some(Growing { length, missing })
                });
            }
            Line::Torn { .. } => self.growing = None,
            _ => {}
        }
    }

    /// What a killed run appended has no lines: it goes aside, and comes again. What others appended after a batch that ended
    /// well stays.
    pub(super) fn mend(&mut self) -> Result<Mended> {
        let Some(growing) = self.growing.take() else {
            return Ok(Mended::default());
        };
        let Some(aside) = set_aside(&self.path, growing.length)? else {
            return Ok(Mended::default());
        };
        let aside = aside.file_name().unwrap_or_default();
        Ok(Mended {
            line: Some(Line::Torn {
                aside: aside.to_string_lossy().into_owned(),
            }),
            there: None,
        })
    }

    pub(super) fn announce(&self, messages: usize) -> Result<Line> {
        let meta = std::fs::symlink_metadata(&self.path);
        let meta = meta.map_err(|e| Error::disk("look at", &self.path, &e))?;
        Ok(Line::Growing {
            length: meta.len(),
            messages,
        })
    }

    pub(super) fn put(&mut self, items: &[Keep<'_>]) -> Result<Vec<Put>> {
        let posts: Vec<Post<'_>> = items
            .iter()
            .map(|item| Post {
                body: item.body,
                date: item.date,
            })
            .collect();
        let records = Appender::open(&self.path)?.append(&posts)?;
        let put = |part: crate::format::mbox::Record| Put {
            file: part.offset.to_string(),
            part: Some(part),
        };
        Ok(records.into_iter().map(put).collect())
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
