//! The files of an export, by shape.

use super::names::{Names, stem};
use super::{Item, Shape};
use crate::error::{Code, Error, Kind, Result};
use crate::format::maildir::{self, Letter, Maildir};
use crate::format::mbox::{Appender, Post};
use crate::fs;
use crate::message::Folder;
use std::collections::BTreeSet;
use std::fs::{File, FileTimes};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

pub(super) struct Writer {
    to: PathBuf,
    kind: Kinds,
    /// The folder that is being written.
    current: Option<(Folder, Target)>,
    names: Names,
    /// Directories whose names are not durable yet.
    touched: BTreeSet<PathBuf>,
}

enum Kinds {
    OneMbox,
    Mboxes,
    Maildir(Maildir),
    Eml,
}

enum Target {
    Mbox(Appender),
    Maildir(Box<maildir::MaildirFolder>),
    Eml(PathBuf),
}

impl Writer {
    pub(super) fn new(to: &Path, shape: Shape) -> Result<Self> {
        // A bare name has no directory above it, in which a lock could stand.
        let to = &std::path::absolute(to).map_err(|e| Error::disk("find", to, &e))?;
        let one = to
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("mbox"));
        let one = shape == Shape::Mbox && one && !to.is_dir();
        if one {
            if std::fs::symlink_metadata(to).is_ok() {
                return Err(taken(
                    to,
                    "is there already",
                    "a file that is not there yet",
                ));
            }
        } else {
            empty_dir(to)?;
        }
        let kind = match shape {
            Shape::Mbox if one => Kinds::OneMbox,
            Shape::Mbox => Kinds::Mboxes,
            Shape::Maildir => Kinds::Maildir(Maildir::open(to, maildir::Layout::PlusPlus)?),
            Shape::Eml => Kinds::Eml,
        };
        Ok(Writer {
            to: to.to_owned(),
            kind,
            current: None,
            names: Names::default(),
            touched: BTreeSet::new(),
        })
    }

    /// Writes messages of one folder; all of a folder come one after the other.
    pub(super) fn write(&mut self, folder: &Folder, items: &[Item]) -> Result<()> {
        let target = match self.current.take() {
            Some((open, target)) if open == *folder => target,
            Some((_, Target::Mbox(all))) if matches!(self.kind, Kinds::OneMbox) => {
                Target::Mbox(all)
            }
            _ => self.begin(folder)?,
        };
        let (_, target) = self.current.insert((folder.clone(), target));
        match target {
            Target::Mbox(appender) => mbox(appender, items),
            Target::Maildir(folder) => deliver(folder, items),
            Target::Eml(dir) => {
                self.touched.insert(dir.clone());
                eml(dir, &mut self.names, items)
            }
        }
    }

    fn begin(&mut self, folder: &Folder) -> Result<Target> {
        Ok(match &self.kind {
            Kinds::OneMbox => Target::Mbox(new_mbox(&self.to)?),
            Kinds::Mboxes => {
                let mut path = self.to.join(self.names.folder(folder));
                path.set_extension("mbox");
                if let Some(dir) = path.parent() {
                    fs::private_dir(dir)?;
                }
                Target::Mbox(new_mbox(&path)?)
            }
            Kinds::Maildir(tree) => Target::Maildir(Box::new(tree.folder(folder)?)),
            Kinds::Eml => {
                let dir = self.to.join(self.names.folder(folder));
                fs::private_dir(&dir)?;
                Target::Eml(dir)
            }
        })
    }

    /// Makes the names durable that are not yet.
    pub(super) fn finish(self) -> Result<()> {
        self.touched.iter().try_for_each(|dir| fs::sync_dir(dir))
    }
}

fn empty_dir(to: &Path) -> Result<()> {
    fs::private_dir(to)?;
    let mut entries = std::fs::read_dir(to).map_err(|e| Error::disk("list", to, &e))?;
    match entries.next() {
        None => Ok(()),
        Some(_) => Err(taken(
            to,
            "is not empty",
            "a directory that is empty or not there yet",
        )),
    }
}

fn taken(to: &Path, what: &str, hint: &str) -> Error {
    let what = format!("{} {what}, and nothing is overwritten", to.display());
    Error::new(Kind::Job, Code::Usage, what).hint(format!("--to with {hint}"))
}

fn new_mbox(path: &Path) -> Result<Appender> {
    // Refuses what came there since, be it a link.
    drop(fs::create_new(path)?);
    Appender::open(path)
}

fn mbox(appender: &mut Appender, items: &[Item]) -> Result<()> {
    let posts: Vec<Post<'_>> = items
        .iter()
        .map(|item| Post {
            body: &item.body,
            date: item.kept.date,
        })
        .collect();
    appender.append(&posts).map(drop)
}

fn deliver(folder: &mut maildir::MaildirFolder, items: &[Item]) -> Result<()> {
    let letters: Vec<Letter<'_>> = items
        .iter()
        .map(|item| Letter {
            body: &item.body,
            flags: &item.flags,
            date: item.kept.date,
        })
        .collect();
    let names = folder.stage(&letters)?;
    folder.publish(&names)
}

fn eml(dir: &Path, names: &mut Names, items: &[Item]) -> Result<()> {
    for item in items {
        let stem = stem(item.body.head(), item.kept.date);
        let name = names.unique(&dir.to_string_lossy(), &stem);
        let path = dir.join(format!("{name}.eml"));
        let mut file = fs::create_new(&path)?;
        write_eml(&mut file, item).map_err(|e| Error::disk("write", &path, &e))?;
    }
    Ok(())
}

fn write_eml(file: &mut File, item: &Item) -> io::Result<()> {
    let mut out = BufWriter::new(&mut *file);
    item.body.write_to(&mut out)?;
    out.flush()?;
    drop(out);
    let epoch = item
        .kept
        .date
        .and_then(|date| u64::try_from(date.epoch).ok());
    let time = epoch.and_then(|e| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(e)));
    if let Some(time) = time {
        file.set_times(FileTimes::new().set_modified(time))?;
    }
    file.sync_all()
}
