//! A Maildir tree as a source, whoever wrote it. Nothing in it is changed.

use super::disk::{VALIDITY, count, no_mail, opened};
use super::{Arrival, Heading, Listed, Opened, Source, Traces, Wanted};
use crate::error::{Code, End, Error, Kind, Result};
use crate::format::maildir::{self, Found, Live, Mail, Places, Scan};
use crate::job::{Layout, Local};
use crate::message::{Folder, SourceKey};
use crate::net::Flow;
use crate::plan::SourceFolder;
use crate::spool::Budget;
use rayon::prelude::*;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Headers read at once.
const HEADS: usize = 256;

pub(super) struct MaildirSource {
    root: PathBuf,
    layout: Option<maildir::Layout>,
    index: u32,
    scan: Option<Scan>,
}

impl MaildirSource {
    pub(super) fn open(local: &Local, index: u32) -> Result<Self> {
        let mut source = MaildirSource {
            root: local.path.clone(),
            layout: local.layout.map(layout),
            index,
            scan: None,
        };
        source.scan()?;
        Ok(source)
    }

    fn scan(&mut self) -> Result<&Scan> {
        let scan = maildir::scan(&self.root, self.layout).map_err(|error| Error {
            kind: Kind::Account,
            ..error.at(End::Source)
        })?;
        if scan.folders.is_empty() {
            return Err(no_mail(
                &self.root,
                "holds no Maildir: neither cur/ and new/ nor folders with them",
                "name the directory that has them directly inside; layout says where its folders are",
            ));
        }
        Ok(self.scan.insert(scan))
    }

    fn shown(&self, found: &Found, subscribed: Option<&HashSet<Folder>>) -> SourceFolder {
        // What cannot be read is no empty folder: opened, it tells why.
        let messages = self.places(found).map_or(1, |places| places.len());
        SourceFolder {
            source: self.index,
            name: found.folder.to_string().into_bytes(),
            special_use: None,
            // Where nobody ever subscribed a folder, programs show all.
            subscribed: subscribed.is_none_or(|subscribed| subscribed.contains(&found.folder)),
            uid_validity: VALIDITY,
            uid_next: None,
            messages: count(messages),
            highest_modseq: None,
            labelled: false,
            folder: found.folder.clone(),
        }
    }

    fn places(&self, found: &Found) -> Result<Places> {
        let dir = self.root.join(&found.path);
        match found.link {
            false => Places::open(&dir),
            true => Err(link(&dir)),
        }
    }

    /// The Maildir of a folder.
    fn dir(&self, folder: &SourceFolder) -> Result<PathBuf> {
        let known = self.scan.iter().flat_map(|scan| &scan.folders);
        let found = known
            .into_iter()
            .find(|found| found.folder == folder.folder);
        match found {
            Some(found) if !found.link => Ok(self.root.join(&found.path)),
            Some(found) => Err(link(&self.root.join(&found.path))),
            None => {
                let what = format!(
                    "the folder {} is gone from {}",
                    folder.folder,
                    self.root.display()
                );
                Err(Error::new(Kind::Folder, Code::Refused, what).at(End::Source))
            }
        }
    }

    fn mails(&self, folder: &SourceFolder) -> Result<(Vec<Mail>, Places)> {
        let dir = self.dir(folder)?;
        let mails = maildir::list(&dir).map_err(of_folder)?;
        Ok((mails, Places::open(&dir).map_err(of_folder)?))
    }
}

impl Source for MaildirSource {
    fn folders(&mut self) -> Result<Vec<SourceFolder>> {
        let scan = self.scan()?.clone();
        let subscribed =
            maildir::subscriptions::read(&self.root, scan.layout).map_err(|error| Error {
                kind: Kind::Account,
                ..error.at(End::Source)
            })?;
        let shown = scan.folders.iter();
        Ok(shown
            .map(|found| self.shown(found, subscribed.as_ref()))
            .collect())
    }

    fn list(
        &mut self,
        folder: &SourceFolder,
        on: &mut dyn FnMut(Listed) -> Result<()>,
    ) -> Result<Opened> {
        let (mails, _) = self.mails(folder)?;
        let opened = opened(mails.len());
        mails.into_iter().try_for_each(|mail| on(listed(mail)))?;
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
        let (listing, mut places) = match wanted {
            Wanted::Whole => {
                let (mails, places) = self.mails(folder)?;
                (mails.into_iter().map(listed).collect(), places)
            }
            Wanted::Keys(listed) => {
                let places = Places::open(&self.dir(folder)?).map_err(of_folder)?;
                (listed.to_vec(), places)
            }
        };
        if matches!(on_open(&opened(places.len()))?, Flow::Stop) {
            return Ok(());
        }
        for Listed {
            key, flags, date, ..
        } in listing
        {
            let Some(path) = places.find(base(&key)?).map_err(of_folder)? else {
                continue;
            };
            let body = match maildir::read_message(&path, budget) {
                // Renamed or removed between the look and the reading: a further look tells.
                Err(_) if !path.exists() => match places.find(base(&key)?).map_err(of_folder)? {
                    Some(path) => maildir::read_message(&path, budget),
                    None => continue,
                },
                body => body,
            };
            if let Err(error) = &body
                && error.kind != Kind::Message
            {
                return Err(error.clone());
            }
            let arrival = Arrival {
                key,
                flags,
                date,
                body,
            };
            if matches!(on(arrival)?, Flow::Stop) {
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
        let (mails, mut places) = self.mails(folder)?;
        let opened = opened(mails.len());
        for part in mails.chunks(HEADS) {
            let mut there = Vec::with_capacity(part.len());
            for mail in part {
                let path = places.find(&mail.base).map_err(of_folder)?;
                there.extend(path.map(|path| (mail, path)));
            }
            let heads: Vec<_> = there
                .par_iter()
                .map(|(_, path)| maildir::read_head(path))
                .collect();
            for ((mail, _), head) in there.into_iter().zip(heads) {
                // What cannot be read has no header to be known by; the listing names it.
                on(Heading {
                    listed: listed(mail.clone()),
                    head: head.unwrap_or_default(),
                })?;
            }
        }
        Ok(Some(opened))
    }

    fn traces(&mut self) -> Result<Traces> {
        let known = self.scan.iter().flat_map(|scan| &scan.folders);
        let inbox = known
            .into_iter()
            .find(|found| found.folder.is_inbox() && !found.link);
        match inbox {
            Some(found) => traces(&self.root.join(&found.path)),
            None => Ok(Traces::default()),
        }
    }
}

/// What a Maildir that Dovecot serves as an INBOX shows there; nothing before it has held mail, since new ones are all alike.
pub(crate) fn traces(inbox: &Path) -> Result<Traces> {
    let live = Live::peek(inbox)?.filter(|live| live.next() > 1);
    Ok(Traces {
        inbox: live.map(|live| (live.validity(), Some(live.next()))),
        uidls: Vec::new(),
    })
}

pub(crate) fn layout(layout: Layout) -> maildir::Layout {
    match layout {
        Layout::MaildirPlusPlus => maildir::Layout::PlusPlus,
        Layout::Fs => maildir::Layout::Fs,
    }
}

fn listed(mail: Mail) -> Listed {
    Listed {
        key: SourceKey::Name {
            name: mail.base.into_boxed_slice(),
            ordinal: 0,
        },
        flags: mail.flags,
        date: Some(mail.date),
        size: Some(mail.size),
    }
}

fn base(key: &SourceKey) -> Result<&[u8]> {
    match key {
        SourceKey::Name { name, .. } => Ok(name),
        SourceKey::Uid(_) => Err(super::foreign_key(key)),
    }
}

/// A directory that cannot be read fails its folder, and the others go on.
fn of_folder(error: Error) -> Error {
    Error {
        kind: Kind::Folder,
        ..error.at(End::Source)
    }
}

fn link(dir: &Path) -> Error {
    let what = format!(
        "{} is a symbolic link, which is not followed",
        dir.display()
    );
    Error::new(Kind::Folder, Code::Refused, what)
        .hint("put the directory itself there, or give what it leads to a [[source]] of its own")
        .at(End::Source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_without_a_maildir_is_no_empty_mailbox() {
        let dir = tempfile::tempdir().unwrap();
        let mut source = MaildirSource {
            root: dir.path().to_owned(),
            layout: None,
            index: 0,
            scan: None,
        };
        std::fs::create_dir_all(dir.path().join("level/INBOX.old")).unwrap();
        let error = source.folders().unwrap_err();
        assert_eq!((error.kind, error.end), (Kind::Account, Some(End::Source)));
        assert!(error.what.contains(&*dir.path().to_string_lossy()));
        std::fs::create_dir(dir.path().join("new")).unwrap();
        assert_eq!(source.folders().unwrap()[0].messages, 0);
    }
}
