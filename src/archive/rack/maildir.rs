//! A folder's Maildir.

use super::super::at::At;
use super::super::index::file_mark;
use super::super::sidecar::Line;
use super::{Keep, Mended, Put, Refiled};
use crate::error::Result;
use crate::format::maildir::{Layout, Leftovers, Letter, Maildir, MaildirFolder, Places};
use crate::message::{Flags, Folder};
use std::path::{Path, PathBuf};

pub(in crate::archive) struct MaildirRack {
    dir: PathBuf,
    maildir: MaildirFolder,
    /// What a killed run staged.
    leftovers: Leftovers,
    /// Of that, what has lines.
    unpublished: Vec<String>,
    /// Written off by a removal that was not finished: their files are to go.
    gone: Vec<String>,
}

impl MaildirRack {
    pub(super) fn place(layout: Layout, folder: &Folder) -> String {
        let location = Maildir::at(Path::new(""), layout).location(folder);
        location.to_string_lossy().into_owned()
    }

    pub(super) fn open(mail: &Path, layout: Layout, folder: &Folder) -> Result<Self> {
        let tree = Maildir::at(mail, layout);
        let maildir = tree.folder(folder)?;
        Ok(MaildirRack {
            dir: mail.join(tree.location(folder)),
            leftovers: maildir.leftovers()?,
            maildir,
            unpublished: Vec::new(),
            gone: Vec::new(),
        })
    }

    pub(super) fn saw(&mut self, line: &Line) {
        if let Line::Message(entry) = line
            && self.leftovers.take(&entry.file)
        {
            self.unpublished.push(entry.file.clone());
        }
        match line {
            Line::Gone { file, .. } => self.gone.push(file.clone()),
            // Whatever has their names from here on, somebody put there.
            _ => self.gone.clear(),
        }
    }

    pub(super) fn mend(&mut self) -> Result<Mended> {
        if !self.unpublished.is_empty() {
            self.maildir.publish(&self.unpublished)?;
        }
        self.maildir.discard(&self.leftovers)?;
        let mut places = Places::open(&self.dir)?;
        let finished = (!self.gone.is_empty()).then_some(Line::Removed {});
        let mut left = Vec::new();
        for base in std::mem::take(&mut self.gone) {
            left.extend(places.find(base.as_bytes())?);
        }
        if !left.is_empty() {
            self.maildir.remove(&left)?;
            places = Places::open(&self.dir)?;
        }
        Ok(Mended {
            lines: finished.into_iter().collect(),
            warning: None,
            there: Some(places.bases().iter().map(file_mark).collect()),
        })
    }

    pub(super) fn put(&mut self, items: &[Keep<'_>]) -> Result<Vec<Put>> {
        let letters: Vec<Letter<'_>> = items
            .iter()
            .map(|item| Letter {
                body: item.body,
                flags: item.flags,
                date: item.date,
            })
            .collect();
        let names = self.maildir.stage(&letters)?;
        let put = |file| Put { file, part: None };
        Ok(names.into_iter().map(put).collect())
    }

    pub(super) fn publish(&self, puts: &[Put]) -> Result<()> {
        let names: Vec<String> = puts.iter().map(|put| put.file.clone()).collect();
        self.maildir.publish(&names)
    }

    pub(super) fn refile(&mut self, files: &[Refiled]) -> Result<()> {
        let named: Vec<(&Path, &str, &Flags)> = files
            .iter()
            .map(|file| (file.at.path(), file.base.as_str(), &file.flags))
            .collect();
        self.maildir.refile(&named)
    }

    pub(super) fn take_away(&self, gone: &[At]) -> Result<()> {
        let paths: Vec<PathBuf> = gone.iter().map(|at| at.path().to_owned()).collect();
        self.maildir.remove(&paths)
    }
}
