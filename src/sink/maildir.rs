//! A Maildir tree as a sink, as it lies for Dovecot, mutt and mbsync, and while they use it.
//!
//! UIDs and UIDVALIDITY are those of `dovecot-uidlist`. A batch is made durable in `tmp/`, published and numbered: see
//! [`maildir::Live`] for what a kill between these leaves, and why the next look finds it above the floor.

mod terms;

use super::disk::{count, is_full, name, no, no_folder, of_account, of_folder, report};
use super::{
    BatchLimit, Content, Delivery, Door, Refusal, Removed, Report, Sink, StandingHead, Stored,
};
use crate::error::{Code, Error, Kind, Result};
use crate::format::maildir::{self, Layout, Letter, Live, Maildir, MaildirFolder, subscriptions};
use crate::job::Local;
use crate::message::{FlagChange, Flags, Folder};
use crate::net::Flow;
use crate::plan::{Naming, SinkFolder, Target};
use crate::source::{Traces, layout_of, maildir_traces};
use crate::spool::{Body, Budget};
use rayon::prelude::*;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::PathBuf;
use terms::{door, letter, uidl};

/// What is made durable together: large enough that its fsyncs do not count.
const BATCH_MESSAGES: usize = 500;
const BATCH_BYTES: u64 = 8 << 20;
/// Headers read at once.
const HEADS: usize = 256;

pub(super) struct MaildirSink {
    root: PathBuf,
    layout: Layout,
    /// Where the folders that stood there are, by name.
    standing: HashMap<Vec<u8>, PathBuf>,
    /// Those that were written to.
    open: HashMap<Vec<u8>, MaildirFolder>,
}

impl MaildirSink {
    pub(super) fn open(local: &Local) -> Result<Self> {
        let mut sink = MaildirSink {
            root: local.path.clone(),
            layout: local.layout.map(layout_of).unwrap_or_default(),
            standing: HashMap::new(),
            open: HashMap::new(),
        };
        let asked = local.layout.map(layout_of);
        if sink.root.exists() {
            let scan = maildir::scan(&sink.root, asked).map_err(of_account)?;
            sink.layout = asked.unwrap_or(scan.layout);
            let real = scan.folders.into_iter().filter(|found| !found.link);
            sink.standing = real
                .map(|found| (name(&found.folder), found.path))
                .collect();
        }
        Ok(sink)
    }

    /// The Maildir of a folder, whether it is there or not.
    fn dir(&self, name: &[u8]) -> Result<PathBuf> {
        if let Some(path) = self.standing.get(name) {
            return Ok(self.root.join(path));
        }
        let folder = Naming::of_files()
            .folder(name)
            .ok_or_else(|| no_folder(name))?;
        Ok(self.root.join(self.layout.location(&folder)))
    }

    /// The Maildir of a folder that is there.
    fn real(&self, name: &[u8]) -> Result<PathBuf> {
        let dir = self.dir(name)?;
        match std::fs::symlink_metadata(dir.join("cur")) {
            Ok(_) => Ok(dir),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(no_folder(name)),
            Err(e) => Err(of_folder(Error::disk("look at", &dir, &e))),
        }
    }

    fn look(&self, name: &[u8]) -> Result<(PathBuf, Live)> {
        let dir = self.real(name)?;
        let live = Live::look(&dir).map_err(of_folder)?;
        Ok((dir, live))
    }

    fn make(&mut self, target: &Target) -> Result<()> {
        let tree = Maildir::open(&self.root, self.layout).map_err(of_folder)?;
        let made = match self.standing.get(&target.name) {
            // A run killed while it made the folder may have left it without some of its parts.
            Some(path) => maildir::complete(&self.root.join(path)),
            None => tree.make(&target.folder),
        };
        made.map_err(of_folder)
    }

    /// The folder to write to; when it is opened, what a killed run left in its `tmp/` goes.
    fn folder(&mut self, name: &[u8]) -> Result<&mut MaildirFolder> {
        let dir = self.real(name)?;
        // One folder is written to at a time, and what is kept of it grows with it.
        self.open.retain(|open, _| open == name);
        match self.open.entry(name.to_vec()) {
            Entry::Occupied(open) => Ok(open.into_mut()),
            Entry::Vacant(place) => {
                let folder = MaildirFolder::shared(&dir)?;
                folder.sweep()?;
                Ok(place.insert(folder))
            }
        }
    }

    /// Makes a batch durable in `tmp/`; gives the names to publish, and unique-ids.
    fn stage(
        &mut self,
        name: &[u8],
        batch: &[Delivery<'_>],
    ) -> Result<Vec<(String, Option<Vec<u8>>)>> {
        let letters: Vec<Letter<'_>> = batch.iter().map(letter).collect();
        let names = self.folder(name)?.stage(&letters)?;
        Ok(names.into_iter().zip(batch.iter().map(uidl)).collect())
    }
}

impl Sink for MaildirSink {
    fn folders(&mut self) -> Result<(Naming, Vec<SinkFolder>)> {
        let subscribed = match self.root.exists() {
            true => subscriptions::read(&self.root, self.layout).map_err(of_account)?,
            false => None,
        }
        .unwrap_or_default();
        let mut folders = Vec::with_capacity(self.standing.len());
        for (name, path) in &self.standing {
            let Some(folder) = Naming::of_files().folder(name) else {
                continue;
            };
            // What cannot be looked into is asked for only where mail goes there, and tells why then.
            if self.real(name).is_err_and(|e| e.code == Code::Disk) {
                continue;
            }
            let dir = self.root.join(path);
            let live = Live::peek(&dir).map_err(of_account)?;
            let files = match &live {
                Some(live) => live.files(),
                None => maildir::Places::open(&dir).map_err(of_account)?.len(),
            };
            folders.push(SinkFolder {
                subscribed: subscribed.contains(&folder),
                folder,
                name: name.clone(),
                special_use: None,
                uid_validity: live.as_ref().map_or(0, Live::validity),
                uid_next: live.as_ref().filter(|live| live.is_whole()).map(Live::next),
                messages: count(files),
            });
        }
        Ok((Naming::of_files(), folders))
    }

    fn prepare(&mut self, targets: &[&Target]) -> Result<Vec<Result<()>>> {
        let made: Vec<Result<()>> = targets.iter().map(|target| self.make(target)).collect();
        let wanted = targets.iter().filter(|target| target.subscribe);
        let wanted: Vec<&Folder> = wanted.map(|target| &target.folder).collect();
        if !wanted.is_empty() {
            subscriptions::add(&self.root, self.layout, &wanted).map_err(of_account)?;
        }
        Ok(made)
    }

    fn door(&mut self, name: &[u8]) -> Result<Door> {
        let (_, live) = self.look(name)?;
        Ok(door(&live))
    }

    fn doors(&mut self, names: &[&[u8]]) -> Result<Vec<Option<Door>>> {
        // What fails here fails again, and is told, when the folder is opened.
        Ok(names.iter().map(|name| self.door(name).ok()).collect())
    }

    fn heads(
        &mut self,
        name: &[u8],
        (first, last): (u32, u32),
        on: &mut dyn FnMut(StandingHead) -> Result<()>,
    ) -> Result<()> {
        let (_, mut live) = self.look(name)?;
        for part in live.range(first, last).to_vec().chunks(HEADS) {
            let mut there = Vec::with_capacity(part.len());
            for (uid, base) in part {
                let path = live.places().find(base).map_err(of_folder)?;
                there.extend(path.map(|path| (*uid, path)));
            }
            let read = |(uid, path): (u32, PathBuf)| {
                // A file that nobody can read stands for nothing.
                let head = maildir::read_head(&path).ok()?;
                let size = std::fs::symlink_metadata(&path).ok().map(|meta| meta.len());
                Some(StandingHead { uid, size, head })
            };
            let heads: Vec<_> = there.into_par_iter().map(read).collect();
            heads.into_iter().flatten().try_for_each(&mut *on)?;
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
        let (_, mut live) = self.look(name)?;
        let mut wanted: Vec<(u32, Vec<u8>)> = Vec::new();
        for &(first, last) in uids {
            wanted.extend_from_slice(live.range(first, last));
        }
        wanted.sort_unstable();
        wanted.dedup();
        for (uid, base) in wanted {
            let Some(path) = live.places().find(&base).map_err(of_folder)? else {
                continue;
            };
            let body = maildir::read_message(&path, budget);
            if let Err(error) = &body
                && error.kind != Kind::Message
            {
                return Err(error.clone());
            }
            if matches!(on(uid, body)?, Flow::Stop) {
                break;
            }
        }
        Ok(true)
    }

    fn deliver(&mut self, name: &[u8], batch: &[Delivery<'_>]) -> Report {
        let all = |stored: Stored| vec![stored; batch.len()];
        let staged = match self.stage(name, batch) {
            Ok(staged) => staged,
            Err(error) if error.kind == Kind::Folder && error.code == Code::Refused => {
                return report(all(no(&error, Refusal::NoFolder)), None);
            }
            Err(error) if is_full(&error) => return report(all(no(&error, Refusal::Full)), None),
            Err(error) => return report(all(Stored::NotSent), Some(error)),
        };
        let numbered = self
            .folder(name)
            .and_then(|folder| folder.publish_numbered(&staged));
        match numbered {
            Ok((validity, uids)) => {
                let stored = |uid| Stored::Yes(Some((validity, uid)));
                report(uids.into_iter().map(stored).collect(), None)
            }
            Err(error) => report(all(Stored::Unknown), Some(error)),
        }
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
        let (_, mut live) = self.look(name)?;
        if live.validity() != uid_validity {
            return Ok(false);
        }
        let folder = self.folder(name).map_err(of_folder)?;
        for &uid in uids {
            if let Some((_, base)) = live.range(uid, uid).first().cloned() {
                // One that is gone keeps no flags.
                folder
                    .change_flags(live.places(), &base, change)
                    .map_err(of_folder)?;
            }
        }
        folder.sync().map_err(of_folder)?;
        Ok(true)
    }

    fn unfit_keywords(&mut self, name: &[u8], flags: &Flags) -> Result<Vec<String>> {
        if flags.keywords.is_empty() {
            return Ok(Vec::new());
        }
        match self.folder(name) {
            Ok(folder) => Ok(folder.unfit(flags)),
            // Not made yet: 26 fit.
            Err(error) if error.code == Code::Refused => Ok(Vec::new()),
            Err(error) => Err(of_folder(error)),
        }
    }

    fn contents(&mut self, name: &[u8], on: &mut dyn FnMut(Content) -> Result<()>) -> Result<Door> {
        let (dir, live) = self.look(name)?;
        let mails = maildir::list(&dir).map_err(of_folder)?;
        for mail in mails {
            // What came after the look is for the next.
            if let Some(uid) = mail.uid.filter(|&uid| uid < live.next()) {
                on(Content {
                    uid,
                    flags: mail.flags,
                    date: Some(mail.date),
                    size: Some(mail.size),
                })?;
            }
        }
        Ok(door(&live))
    }

    fn remove(&mut self, name: &[u8], uid_validity: u32, uids: &[u32]) -> Result<Removed> {
        let (_, mut live) = self.look(name)?;
        if live.validity() != uid_validity {
            return Ok(Removed::OtherFolder);
        }
        for &uid in uids {
            let base = live.range(uid, uid).first().map(|(_, base)| base.clone());
            let Some(base) = base else { continue };
            while let Some(path) = live.places().find(&base).map_err(of_folder)? {
                match std::fs::remove_file(&path) {
                    Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                    done => {
                        done.map_err(|e| of_folder(Error::disk("remove", &path, &e)))?;
                        break;
                    }
                }
            }
        }
        self.folder(name)
            .and_then(|folder| folder.sync())
            .map_err(of_folder)?;
        Ok(Removed::Gone)
    }

    fn traces(&mut self) -> Result<Traces> {
        maildir_traces(&self.dir(b"INBOX")?)
    }
}
