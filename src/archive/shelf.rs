//! One folder of the archive: its Maildir, its sidecar, and an index of what is stored.
//!
//! The order of a batch: files durable in `tmp/`, sidecar lines durable, files moved to `cur/`, directory durable. A file in
//! `cur/` so always has its line, and after a kill between, the line says which files to move on.

use super::sidecar::{Entry, Line, Sidecar, write_line};
use super::{Keep, Place};
use crate::error::{Code, Error, Kind, Result};
use crate::format::maildir::{Letter, Maildir, MaildirFolder, base_name, flat_name, short_name};
use crate::message::{Digest, Flags, Folder};
use std::collections::HashMap;
use std::path::Path;

const VERSION: u32 = 1;
/// Leaves room for the extension in what a file system takes as one name.
const LONGEST: usize = 240;

pub(super) struct Shelf {
    maildir: MaildirFolder,
    sidecar: Sidecar,
    /// The Maildir relative to the archive, `mail/.A.B`.
    dir: String,
    /// Where in the sidecar a message is: by source and digest, 24 bytes each.
    index: HashMap<Mark, u64>,
    /// Lines of the sidecar that cannot be read.
    damaged: u64,
}

type Mark = [u8; 16];

impl Shelf {
    pub(super) fn open(tree: &Maildir, sidecars: &Path, folder: &Folder) -> Result<Self> {
        let location = tree.location(folder).to_string_lossy().into_owned();
        let mut shelf = Shelf {
            maildir: tree.folder(folder)?,
            sidecar: sidecar(sidecars, folder),
            dir: mail_dir(&location),
            index: HashMap::new(),
            damaged: 0,
        };
        if shelf.sidecar.exists() {
            shelf.recover()?;
        }
        shelf.head(folder, location)?;
        Ok(shelf)
    }

    /// Learns what is stored, and finishes or undoes what a killed run left.
    fn recover(&mut self) -> Result<()> {
        let mut leftovers = self.maildir.leftovers()?;
        let mut unpublished = Vec::new();
        let index = &mut self.index;
        self.damaged = self.sidecar.recover(|offset, line| {
            if let Line::Message(entry) = line {
                if leftovers.take(&entry.file) {
                    unpublished.push(entry.file.clone());
                }
                if let Some(digest) = entry.exact() {
                    index.insert(mark(&entry.source, digest), offset);
                }
            }
        })?;
        if !unpublished.is_empty() {
            self.maildir.publish(&unpublished)?;
        }
        self.maildir.discard(&leftovers)
    }

    /// The sidecar must be this folder's, in this layout.
    fn head(&self, folder: &Folder, dir: String) -> Result<()> {
        let wanted = Line::Folder {
            version: VERSION,
            name: folder.to_string(),
            dir,
        };
        if !self.sidecar.exists() || self.sidecar.length()? == 0 {
            return self.sidecar.append(&[wanted]);
        }
        if self.sidecar.line_at(0)? == Some(wanted) {
            return Ok(());
        }
        let what = format!(
            "{} is about another folder or another layout",
            self.sidecar.path().display()
        );
        Err(Error::new(Kind::Account, Code::Foreign, what).hint(
            "keep the layout that the archive was made with, or give the job another archive path",
        ))
    }

    pub(super) fn damaged(&self) -> u64 {
        self.damaged
    }

    /// What is here already, by the same source key and digest, is not written again.
    pub(super) fn store(&mut self, items: &[Keep<'_>]) -> Result<Vec<Place>> {
        let mut places = Vec::with_capacity(items.len());
        for item in items {
            places.push(self.stored(item)?);
        }
        let missing = || items.iter().zip(&places).filter(|(_, p)| p.is_none());
        let written = self.write(&missing().map(|(item, _)| *item).collect::<Vec<_>>())?;
        let mut written = written.into_iter();
        let filled = places.into_iter().map(|p| p.or_else(|| written.next()));
        Ok(filled.flatten().collect())
    }

    fn stored(&self, item: &Keep<'_>) -> Result<Option<Place>> {
        let digest = item.body.digests().exact;
        let Some(&offset) = self.index.get(&mark(item.source, digest)) else {
            return Ok(None);
        };
        match self.sidecar.line_at(offset)? {
            Some(Line::Message(entry))
                if entry.source == item.source
                    && entry.exact() == Some(digest)
                    && self.maildir.find(&entry.file)?.is_some() =>
            {
                Ok(Some(self.place(&entry.file, digest)))
            }
            _ => Ok(None),
        }
    }

    fn write(&mut self, items: &[Keep<'_>]) -> Result<Vec<Place>> {
        if items.is_empty() {
            return Ok(Vec::new());
        }
        let letters: Vec<Letter<'_>> = items
            .iter()
            .map(|item| Letter {
                body: item.body,
                flags: item.flags,
                date: item.date,
            })
            .collect();
        let names = self.maildir.stage(&letters)?;
        let entries: Vec<Line> = items
            .iter()
            .zip(&names)
            .map(|(k, name)| {
                Line::Message(Entry::new(
                    k.source,
                    name,
                    k.body.digests(),
                    k.date,
                    k.flags,
                ))
            })
            .collect();
        let mut offset = self.sidecar.length()?;
        self.sidecar.append(&entries)?;
        self.maildir.publish(&names)?;

        let mut places = Vec::with_capacity(items.len());
        for ((item, name), line) in items.iter().zip(&names).zip(&entries) {
            let digest = item.body.digests().exact;
            self.index.insert(mark(item.source, digest), offset);
            offset += line_length(line);
            places.push(self.place(name, digest));
        }
        Ok(places)
    }

    /// The file's new name is found by its base; its place stays.
    pub(super) fn set_flags(&mut self, place: &Place, flags: &Flags) -> Result<()> {
        let file = place.path.rsplit('/').next().unwrap_or_default();
        self.sidecar.append(&[Line::Flags {
            file: base_name(file).to_owned(),
            flags: flags.to_text(),
        }])?;
        self.maildir.set_flags(file, flags)?;
        Ok(())
    }

    /// Every message of the sidecar whose file is there: source and place.
    pub(super) fn messages(&self) -> Result<Vec<(String, Place)>> {
        let bases = self.maildir.bases()?;
        let mut found = Vec::new();
        self.sidecar.read(|line| {
            if let Line::Message(entry) = line
                && let Some(digest) = entry.exact()
                && bases
                    .binary_search_by(|b| b.as_str().cmp(base_name(&entry.file)))
                    .is_ok()
            {
                found.push((entry.source, self.place(&entry.file, digest)));
            }
        })?;
        Ok(found)
    }

    fn place(&self, file: &str, digest: Digest) -> Place {
        Place {
            path: format!("{}/cur/{file}", self.dir),
            digest,
        }
    }
}

fn sidecar(dir: &Path, folder: &Folder) -> Sidecar {
    let mut name = flat_name(folder);
    if name.len() > LONGEST {
        name = short_name(&folder.to_string());
    }
    Sidecar::new(dir.join(name + ".jsonl"))
}

fn mail_dir(location: &str) -> String {
    if location.is_empty() {
        "mail".to_owned()
    } else {
        format!("mail/{location}")
    }
}

fn mark(source: &str, digest: Digest) -> Mark {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&digest.0);
    hasher.update(source.as_bytes());
    let mut mark = Mark::default();
    hasher.finalize_xof().fill(&mut mark);
    mark
}

fn line_length(line: &Line) -> u64 {
    let mut bytes = Vec::new();
    // A line that could not be written was refused by `append` before.
    match write_line(line, &mut bytes) {
        Ok(()) => bytes.len() as u64,
        Err(_) => 0,
    }
}
