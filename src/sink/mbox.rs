//! A directory of mbox files as a sink: one a folder, readable by any program; what an mbox cannot hold is in `.mailhaul` beside them.
//!
//! UIDs and UIDVALIDITY are those of the sidecars: see [`Index`] for what a kill leaves, and what happens when other programs write.

use super::disk::{count, is_full, name, no, no_folder, of_account, of_folder, report};
use super::{
    BatchLimit, Content, Delivery, Door, Refusal, Removed, Report, Sink, StandingHead, Stored,
};
use crate::error::{Code, End, Error, Kind, Result};
use crate::format::mbox::{
    Index, Indexed, Mailing, MboxFile, Post, is_shortened, locate, sidecar_of, tree,
};
use crate::fs;
use crate::job::Local;
use crate::message::{FlagChange, Flags, Folder};
use crate::net::Flow;
use crate::plan::{Naming, SinkFolder, Target};
use crate::spool::{Body, Budget};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// What is made durable together: large enough that its fsyncs do not count.
const BATCH_MESSAGES: usize = 500;
const BATCH_BYTES: u64 = 8 << 20;
/// Headers are looked at this far.
const HEAD: usize = 1 << 20;

pub(super) struct MboxSink {
    root: PathBuf,
    /// The files of the folders, by wire name.
    files: HashMap<Vec<u8>, PathBuf>,
    /// The folder that was written to last: programs that deliver turn to one after the other.
    open: Option<(Vec<u8>, Index)>,
}

impl MboxSink {
    pub(super) fn open(local: &Local) -> Result<Self> {
        let mut sink = MboxSink {
            root: local.path.clone(),
            files: HashMap::new(),
            open: None,
        };
        sink.look()?;
        Ok(sink)
    }

    fn look(&mut self) -> Result<()> {
        if !self.root.exists() {
            return Ok(());
        }
        if !self.root.is_dir() {
            let what = format!("{} is a file, not a directory", self.root.display());
            return Err(Error::new(Kind::Account, Code::Refused, what)
                .hint("give the destination the path of a directory: there is one mbox a folder")
                .at(End::Destination));
        }
        for place in tree(&self.root).map_err(of_account)?.places {
            let told = is_shortened(&place.path).then(|| self.told_name(&place.path));
            let named = told.flatten().unwrap_or(place.folder);
            self.files.insert(name(&named), place.path);
        }
        Ok(())
    }

    /// The folder's name where the path is too short to tell it.
    fn told_name(&self, path: &Path) -> Option<Folder> {
        let index = Index::peek(path, &sidecar_of(&self.root, path)?).ok()??;
        Folder::parse(index.name())
    }

    /// A folder's file. Another connection may have made it since we looked.
    fn file(&mut self, name: &[u8]) -> Result<PathBuf> {
        if !self.files.contains_key(name) {
            self.look()?;
        }
        let file = self.files.get(name).cloned();
        file.ok_or_else(|| no_folder(name))
    }

    fn make(&mut self, target: &Target) -> Result<()> {
        match self.file(&target.name) {
            Err(error) if error.code == Code::Refused => {}
            found => return found.map(drop),
        }
        let lower = |path: &Path| path.to_string_lossy().to_lowercase();
        let taken: Vec<String> = self
            .files
            .values()
            .filter_map(|path| path.strip_prefix(&self.root).ok())
            .map(lower)
            .collect();
        let location = locate(&target.folder, |path| {
            taken.iter().any(|t| Path::new(t) == path)
        });
        let path = self.root.join(location.path);
        if let Some(dir) = path.parent() {
            fs::private_dir(dir).map_err(of_folder)?;
        }
        fs::open_or_create(&path).map_err(of_folder)?;
        self.files.insert(target.name.clone(), path);
        // It tells the name and the UIDVALIDITY from the beginning.
        self.index(&target.name).map(drop)
    }

    /// The index of a folder, looked at afresh.
    fn index(&mut self, name: &[u8]) -> Result<&mut Index> {
        let path = self.file(name)?;
        let kept = match self.open.take() {
            Some((open, index)) if open == name && index.is_current().unwrap_or(false) => {
                Some(index)
            }
            _ => None,
        };
        let index = match kept {
            Some(index) => index,
            None => {
                let sidecar = sidecar_of(&self.root, &path).ok_or_else(|| no_folder(name))?;
                Index::open(&path, &sidecar, &String::from_utf8_lossy(name)).map_err(of_folder)?
            }
        };
        Ok(&mut self.open.insert((name.to_vec(), index)).1)
    }

    fn shown(&self, name: &[u8], path: &Path) -> Result<Option<SinkFolder>> {
        let Some(folder) = Naming::of_files().folder(name) else {
            return Ok(None);
        };
        let sidecar = sidecar_of(&self.root, path);
        let index = sidecar
            .map(|sidecar| Index::peek(path, &sidecar))
            .transpose()?;
        let index = index.flatten();
        let current = match &index {
            Some(index) => index.is_current()?,
            None => false,
        };
        let messages = match index.as_ref().filter(|_| current) {
            Some(index) => index.messages().len(),
            None => MboxFile::open(path, None)?.messages().len(),
        };
        Ok(Some(SinkFolder {
            folder,
            name: name.to_vec(),
            special_use: None,
            subscribed: true,
            uid_validity: index.as_ref().map_or(0, Index::validity),
            uid_next: index.filter(|_| current).map(|index| index.next()),
            messages: count(messages),
        }))
    }

    fn read(&mut self, name: &[u8], uids: &[(u32, u32)]) -> Result<Vec<Indexed>> {
        let index = self.index(name)?;
        let mut wanted: Vec<Indexed> = Vec::new();
        for &(first, last) in uids {
            wanted.extend_from_slice(index.range(first, last));
        }
        wanted.sort_by_key(|message| message.uid);
        wanted.dedup_by_key(|message| message.uid);
        Ok(wanted)
    }
}

impl Sink for MboxSink {
    fn folders(&mut self) -> Result<(Naming, Vec<SinkFolder>)> {
        let mut folders = Vec::with_capacity(self.files.len());
        for (name, path) in &self.files {
            folders.extend(self.shown(name, path).map_err(of_account)?);
        }
        folders.sort_by(|a, b| a.folder.cmp(&b.folder));
        Ok((Naming::of_files(), folders))
    }

    fn prepare(&mut self, targets: &[&Target]) -> Result<Vec<Result<()>>> {
        Ok(targets.iter().map(|target| self.make(target)).collect())
    }

    fn door(&mut self, name: &[u8]) -> Result<Door> {
        self.index(name).map(|index| door(index))
    }

    fn doors(&mut self, names: &[&[u8]]) -> Result<Vec<Option<Door>>> {
        // What fails here fails again, and is told, when the folder is opened.
        Ok(names.iter().map(|name| self.door(name).ok()).collect())
    }

    fn heads(
        &mut self,
        name: &[u8],
        uids: (u32, u32),
        on: &mut dyn FnMut(StandingHead) -> Result<()>,
    ) -> Result<()> {
        let path = self.file(name)?;
        for message in self.read(name, &[uids])? {
            // A message that nobody can read stands for nothing.
            let Ok(head) = message.record.head(&path, HEAD) else {
                continue;
            };
            on(StandingHead {
                uid: message.uid,
                size: Some(message.record.length),
                head,
            })?;
        }
        Ok(())
    }

    fn bodies(
        &mut self,
        name: &[u8],
        uids: &[(u32, u32)],
        budget: &Budget,
        on: &mut dyn FnMut(u32, Result<Body>) -> Result<Flow>,
    ) -> Result<bool> {
        let path = self.file(name)?;
        for message in self.read(name, uids)? {
            let body = message.record.read(&path, budget);
            if let Err(error) = &body
                && error.kind != Kind::Message
            {
                return Err(error.clone());
            }
            if matches!(on(message.uid, body)?, Flow::Stop) {
                break;
            }
        }
        Ok(true)
    }

    fn deliver(&mut self, name: &[u8], batch: &[Delivery<'_>]) -> Report {
        let all = |stored: Stored| vec![stored; batch.len()];
        let mailings: Vec<Mailing<'_>> = batch.iter().map(mailing).collect();
        let index = match self.index(name) {
            Ok(index) => index,
            Err(error) if error.code == Code::Refused => {
                return report(all(no(&error, Refusal::NoFolder)), None);
            }
            Err(error) => return report(all(Stored::NotSent), Some(error)),
        };
        let first = match index.deliver(&mailings) {
            Ok(first) => first,
            Err(error) if is_full(&error) => {
                self.open = None;
                return report(all(no(&error, Refusal::Full)), None);
            }
            Err(error) => {
                self.open = None;
                return report(all(Stored::Unknown), Some(error));
            }
        };
        let validity = index.validity();
        let stored = (first..).take(batch.len());
        report(
            stored
                .map(|uid| Stored::Yes(Some((validity, uid))))
                .collect(),
            None,
        )
    }

    fn batch_limit(&self) -> BatchLimit {
        BatchLimit {
            messages: BATCH_MESSAGES,
            bytes: BATCH_BYTES,
            message_bytes: None,
        }
    }

    fn change_flags(
        &mut self,
        name: &[u8],
        uid_validity: u32,
        uids: &[u32],
        change: &FlagChange,
    ) -> Result<bool> {
        let index = self.index(name)?;
        if index.validity() != uid_validity {
            return Ok(false);
        }
        let changed = |uid: &u32| {
            let message = index.range(*uid, *uid).first()?;
            Some((*uid, message.flags.changed(change)))
        };
        let changes: Vec<(u32, Flags)> = uids.iter().filter_map(changed).collect();
        index.set_flags(&changes).map_err(of_folder)?;
        Ok(true)
    }

    fn unfit_keywords(&mut self, _: &[u8], _: &Flags) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn contents(&mut self, name: &[u8], on: &mut dyn FnMut(Content) -> Result<()>) -> Result<Door> {
        let index = self.index(name)?;
        for message in index.messages() {
            on(Content {
                uid: message.uid,
                flags: message.flags.clone(),
                date: message.date,
                size: Some(message.record.length),
            })?;
        }
        Ok(door(index))
    }

    fn remove(&mut self, name: &[u8], uid_validity: u32, uids: &[u32]) -> Result<Removed> {
        let index = self.index(name)?;
        if index.validity() != uid_validity {
            return Ok(Removed::OtherFolder);
        }
        Ok(match index.remove(uids).map_err(of_folder)? {
            true => Removed::Gone,
            false => Removed::OtherFolder,
        })
    }
}

fn door(index: &Index) -> Door {
    Door {
        uid_validity: index.validity(),
        floor: index.next(),
        messages: count(index.messages().len()),
    }
}

fn mailing<'a>(delivery: &Delivery<'a>) -> Mailing<'a> {
    Mailing {
        post: Post {
            body: delivery.body,
            date: delivery.date,
        },
        flags: delivery.flags,
    }
}
