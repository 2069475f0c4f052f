//! mailhaul's own archive as a source: what is restored. Read without holding it, also while a backup runs.
//!
//! A message is known by its file's name, in an mbox by its digest. Flags are as they are now, other programs' changes in; the
//! date with its zone and all keywords are the sidecar's.

mod appended;
mod labelled;

use super::{Arrival, Heading, Listed, Opened, Source, Wanted, foreign_key};
use crate::archive::{self, At, FolderState, Kept, Now, View, no_folder};
use crate::error::{Code, End, Error, Kind, Result};
use crate::format::maildir::{self, Mail};
use crate::format::mbox::Extent;
use crate::job::Local;
use crate::message::{Folder, SourceKey};
use crate::net::Flow;
use crate::plan::SourceFolder;
use crate::spool::Budget;
use appended::Appended;
use std::collections::HashMap;
use std::path::PathBuf;

pub(super) struct ArchiveSource {
    root: PathBuf,
    index: u32,
}

/// A folder that is being read.
struct Reading {
    view: View,
    now: Now,
    items: Vec<Item>,
    strangers: Vec<Mail>,
    appended: Option<Appended>,
}

/// A message's key and where it is told.
struct Item {
    key: SourceKey,
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    /// Its UID.
    Kept(u32),
    /// One of the strangers.
    Stranger(usize),
    /// One of what was appended.
    Appended(usize),
}

/// A message that was looked at.
struct Looked {
    listed: Listed,
    bytes: Bytes,
}

/// Where its bytes are.
enum Bytes {
    Kept(Box<Kept>, At),
    Stranger(At),
    Appended(Extent),
}

impl ArchiveSource {
    pub(super) fn open(local: &Local, index: u32) -> Result<Self> {
        let root = local.path.clone();
        if root.join("sidecar").is_dir() {
            return Ok(ArchiveSource { root, index });
        }
        let what = format!("{} is no archive with mail in it", root.display());
        Err(Error::new(Kind::Account, Code::Refused, what)
            .hint("the directory of an archive has mail/ and sidecar/ in it")
            .at(End::Source))
    }

    fn shown(&self, mut state: FolderState) -> SourceFolder {
        // A folder that cannot be read is told by name when it comes to it.
        let view = archive::view(&self.root, &state.folder).ok().flatten();
        let all = |view| labelled::holds_all(&state.folder, &view).unwrap_or(false);
        if view.is_some_and(all) {
            state.special_use = labelled::ALL;
        }
        SourceFolder {
            source: self.index,
            name: state.folder.to_string().into_bytes(),
            folder: state.folder,
            special_use: state.special_use,
            subscribed: state.subscribed,
            uid_validity: state.uid_validity,
            uid_next: None,
            messages: state.messages,
            highest_modseq: None,
            labelled: state.special_use == labelled::ALL,
        }
    }

    fn read(&self, folder: &Folder) -> Result<Reading> {
        let view = self.view(folder).map_err(of_folder)?;
        Reading::of(view).map_err(of_folder)
    }

    fn view(&self, folder: &Folder) -> Result<View> {
        if let Some(view) = archive::view(&self.root, folder)? {
            return Ok(view);
        }
        let mut strays = archive::strays(&self.root)?.into_iter();
        match strays.find(|stray| stray.folder == *folder) {
            Some(stray) => stray.view(&self.root),
            None => Err(no_folder(&self.root, folder)),
        }
    }
}

impl Reading {
    fn of(view: View) -> Result<Self> {
        let mut items = Vec::with_capacity(view.messages());
        let mut copies: HashMap<Box<[u8]>, u32> = HashMap::new();
        view.each((0, u32::MAX), |kept| {
            // What another program has taken out is no part of the archive any more.
            if let Some(at) = view.find(&kept)? {
                let name = name(&kept, &at);
                let copy = copies.entry(name.clone()).or_default();
                items.push(Item {
                    key: SourceKey::Name {
                        name,
                        ordinal: *copy,
                    },
                    what: What::Kept(kept.uid),
                });
                *copy += 1;
            }
            Ok(Flow::Continue)
        })?;
        let appended = Appended::of(&view)?;
        for (at, mail) in appended.iter().flat_map(|a| a.mails.iter().enumerate()) {
            let copy = copies.entry(mail.name.clone()).or_default();
            items.push(Item {
                key: SourceKey::Name {
                    name: mail.name.clone(),
                    ordinal: *copy,
                },
                what: What::Appended(at),
            });
            *copy += 1;
        }
        let strangers = view.strangers()?;
        items.extend(strangers.iter().enumerate().map(|(at, mail)| Item {
            key: SourceKey::Name {
                name: mail.base.clone().into(),
                ordinal: 0,
            },
            what: What::Stranger(at),
        }));
        Ok(Reading {
            now: view.now()?,
            view,
            items,
            strangers,
            appended,
        })
    }

    fn opened(&self) -> Opened {
        Opened {
            uid_validity: self.view.uid_validity,
            messages: u32::try_from(self.items.len()).unwrap_or(u32::MAX),
            ..Opened::default()
        }
    }

    /// What is known of a message without its bytes, and where they are; `None`: it is gone by now.
    fn look(&self, item: &Item) -> Result<Option<Looked>> {
        match item.what {
            What::Kept(uid) => {
                let Some(kept) = self.view.message(uid)? else {
                    return Ok(None);
                };
                let Some(at) = self.view.find(&kept)? else {
                    return Ok(None);
                };
                let listed = Listed {
                    key: item.key.clone(),
                    flags: self.now.flags(&kept, &at),
                    date: kept.date,
                    size: kept.size,
                };
                let bytes = Bytes::Kept(Box::new(kept), at);
                Ok(Some(Looked { listed, bytes }))
            }
            What::Stranger(at) => self.look_at_stranger(item, &self.strangers[at]),
            What::Appended(at) => Ok(self.appended.as_ref().and_then(|appended| {
                let bytes = Bytes::Appended(appended.mails.get(at)?.at);
                let listed = appended.listed(at, item.key.clone())?;
                Some(Looked { listed, bytes })
            })),
        }
    }

    fn look_at_stranger(&self, item: &Item, mail: &Mail) -> Result<Option<Looked>> {
        let base = String::from_utf8_lossy(&mail.base);
        let Some(path) = maildir::find(self.view.path(), &base)? else {
            return Ok(None);
        };
        let listed = Listed {
            key: item.key.clone(),
            flags: mail.flags.clone(),
            date: Some(mail.date),
            size: Some(mail.size),
        };
        let bytes = Bytes::Stranger(At::File(path));
        Ok(Some(Looked { listed, bytes }))
    }

    /// In the order of `wanted`, where it is said.
    fn pick(&mut self, wanted: Wanted<'_>) -> Result<()> {
        let Wanted::Keys(listed) = wanted else {
            return Ok(());
        };
        let mut order: HashMap<&SourceKey, usize> = HashMap::with_capacity(listed.len());
        for (at, one) in listed.iter().enumerate() {
            if let SourceKey::Uid(_) = one.key {
                return Err(foreign_key(&one.key));
            }
            order.insert(&one.key, at);
        }
        self.items.retain(|item| order.contains_key(&item.key));
        self.items.sort_by_key(|item| order.get(&item.key).copied());
        Ok(())
    }

    fn head(&self, bytes: &Bytes) -> Result<Vec<u8>> {
        match (bytes, &self.appended) {
            (Bytes::Kept(_, at) | Bytes::Stranger(at), _) => at.head(),
            (Bytes::Appended(at), Some(appended)) => appended.head(at),
            (Bytes::Appended(_), None) => Ok(Vec::new()),
        }
    }

    fn arrival(&self, item: &Item, budget: &Budget) -> Result<Option<Arrival>> {
        let Some(Looked { listed, bytes }) = self.look(item)? else {
            return Ok(None);
        };
        let body = match (&bytes, &self.appended) {
            (Bytes::Kept(kept, at), _) => self.view.read(kept, at, budget),
            (Bytes::Stranger(at), _) => at.body(budget),
            (Bytes::Appended(at), Some(appended)) => appended.body(at, budget),
            (Bytes::Appended(_), None) => return Ok(None),
        };
        match body {
            Err(error) if error.kind != Kind::Message => Err(error),
            body => Ok(Some(Arrival {
                key: listed.key,
                flags: listed.flags,
                date: listed.date,
                body,
            })),
        }
    }
}

impl Source for ArchiveSource {
    fn folders(&mut self) -> Result<Vec<SourceFolder>> {
        let mut states = archive::folders(&self.root).map_err(|e| e.at(End::Source))?;
        for stray in archive::strays(&self.root).map_err(|e| e.at(End::Source))? {
            let messages = match stray.messages(&self.root) {
                // An empty directory of another program is no folder of the archive.
                Ok(0) => continue,
                Ok(messages) => messages,
                // Told by name when it is read.
                Err(_) => 0,
            };
            states.push(FolderState {
                folder: stray.folder,
                uid_validity: 1,
                special_use: None,
                subscribed: true,
                messages: u32::try_from(messages).unwrap_or(u32::MAX),
            });
        }
        Ok(states.into_iter().map(|state| self.shown(state)).collect())
    }

    fn list(
        &mut self,
        folder: &SourceFolder,
        on: &mut dyn FnMut(Listed) -> Result<()>,
    ) -> Result<Opened> {
        let reading = self.read(&folder.folder)?;
        let mut opened = reading.opened();
        for item in &reading.items {
            match reading.look(item).map_err(of_folder)? {
                Some(looked) => on(looked.listed)?,
                None => opened.messages -= 1,
            }
        }
        Ok(opened)
    }

    fn fetch(
        &mut self,
        folder: &SourceFolder,
        wanted: Wanted<'_>,
        budget: &Budget,
        on_open: &mut dyn FnMut(&Opened) -> Result<Flow>,
        on: &mut dyn FnMut(Arrival) -> Result<Flow>,
    ) -> Result<()> {
        let mut reading = self.read(&folder.folder)?;
        let opened = reading.opened();
        reading.pick(wanted)?;
        if on_open(&opened)? == Flow::Stop {
            return Ok(());
        }
        for item in &reading.items {
            let Some(arrival) = reading.arrival(item, budget).map_err(of_folder)? else {
                continue;
            };
            if on(arrival)? == Flow::Stop {
                break;
            }
        }
        Ok(())
    }

    fn headings(
        &mut self,
        folder: &SourceFolder,
        on: &mut dyn FnMut(Heading) -> Result<()>,
    ) -> Result<Option<Opened>> {
        let reading = self.read(&folder.folder)?;
        for item in &reading.items {
            if let Some(looked) = reading.look(item).map_err(of_folder)? {
                // What cannot be read has no header to be known by; read for good, it is named.
                let head = reading.head(&looked.bytes).unwrap_or_default();
                on(Heading {
                    listed: looked.listed,
                    head,
                })?;
            }
        }
        Ok(Some(reading.opened()))
    }
}

/// What names a message at this source: its file, in an mbox its digest.
fn name(kept: &Kept, at: &At) -> Box<[u8]> {
    match (at, kept.digest) {
        (At::Part(..), Some(digest)) => digest.to_string().into_bytes().into(),
        _ => kept.base().as_bytes().into(),
    }
}

/// What is wrong with the files of one folder is that folder's trouble.
fn of_folder(error: Error) -> Error {
    let kind = match error.kind {
        Kind::Internal if error.code == Code::Disk => Kind::Folder,
        kind => kind,
    };
    Error { kind, ..error }.at(End::Source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::{Making, Shelves};
    use crate::job::{Layout, MailFormat};
    use std::path::Path;

    const MAIL: &str = "From a Thu Jan  1 00:00:00 1970\nSubject: own\n\nown\n\n";

    fn archive(dir: &Path, format: MailFormat) -> ArchiveSource {
        for name in ["INBOX", "Work"] {
            let making = Making {
                folder: &Folder::parse(name).unwrap(),
                special_use: None,
                subscribe: false,
            };
            let mut shelves = Shelves::new(dir, format, Layout::MaildirPlusPlus);
            shelves.prepare(&[making]).unwrap().remove(0).unwrap();
        }
        ArchiveSource {
            root: dir.to_owned(),
            index: 0,
        }
    }

    fn put(path: &Path, text: &str) {
        crate::fs::private_dir(path.parent().unwrap()).unwrap();
        crate::fs::persist(path, |to| std::io::Write::write_all(to, text.as_bytes())).unwrap();
    }

    /// Every folder with how many messages it lists, or why it fails.
    fn listed(source: &mut ArchiveSource) -> Vec<(String, Result<usize, Kind>)> {
        let folders = source.folders().unwrap();
        let mut all = Vec::new();
        for folder in folders {
            let mut messages = 0;
            let done = source.list(&folder, &mut |_| {
                messages += 1;
                Ok(())
            });
            let told = done.map(|_| messages).map_err(|e| e.kind);
            all.push((folder.folder.to_string(), told));
        }
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }

    fn lines(of: &[(&str, Result<usize, Kind>)]) -> Vec<(String, Result<usize, Kind>)> {
        of.iter()
            .map(|(n, told)| ((*n).to_owned(), *told))
            .collect()
    }

    #[test]
    fn mail_without_a_sidecar_is_a_folder_or_fails_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let mut source = archive(dir.path(), MailFormat::Mbox);
        put(&dir.path().join("mail/Work.mbox"), MAIL);
        let sidecar = dir.path().join("sidecar/Work.jsonl");
        put(&sidecar, "");
        let want = [("INBOX", Ok(0)), ("Work", Ok(1))];
        assert_eq!(listed(&mut source), lines(&want), "an empty sidecar");
        std::fs::remove_file(&sidecar).unwrap();
        assert_eq!(listed(&mut source), lines(&want), "none");
        let whole = std::fs::read_to_string(dir.path().join("sidecar/INBOX.jsonl")).unwrap();
        put(&sidecar, &format!("damaged\n{whole}"));
        let want = [("INBOX", Ok(0)), ("Work", Err(Kind::Folder))];
        assert_eq!(listed(&mut source), lines(&want), "a damaged first line");
    }

    #[test]
    fn folders_of_either_layout_come_along_and_links_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let mut source = archive(dir.path(), MailFormat::Maildir);
        let mail = dir.path().join("mail");
        for place in ["Foo", ".Bar", ".Foo"] {
            put(
                &mail.join(place).join("cur/1.a.b:2,"),
                "Subject: own\n\nown\n",
            );
        }
        std::os::unix::fs::symlink(mail.join("Foo"), mail.join(".Link")).unwrap();
        let want = [
            ("Bar", Ok(1)),
            ("Foo", Ok(1)),
            ("Foo (2)", Ok(1)),
            ("INBOX", Ok(0)),
            ("Link", Err(Kind::Folder)),
            ("Work", Ok(0)),
        ];
        assert_eq!(listed(&mut source), lines(&want));
    }
}
