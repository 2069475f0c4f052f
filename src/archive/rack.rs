//! What a folder's messages are written to: a Maildir or an mbox, behind the same steps.
//!
//! | step                  | Maildir                       | mbox                                     |
//! |-----------------------|-------------------------------|------------------------------------------|
//! | [`Rack::announce`]    |                               | lines tell what is to come, and where    |
//! | [`Rack::put`]         | files durable in `tmp/`       | appended, durable                        |
//! | lines in the sidecar  |                               |                                          |
//! | [`Rack::publish`]     | files moved to `cur/`         |                                          |
//!
//! After a kill [`Rack::saw`] hears every line, and [`Rack::mend`] brings what is on disk in line with them.

mod maildir;
mod mbox;

use super::Keep;
use super::at::At;
use super::sidecar::{Format, Line};
use crate::error::Result;
use crate::format::maildir::Layout;
use crate::format::mbox::Record;
use crate::message::{Flags, Folder};
use std::collections::HashSet;
use std::path::Path;

pub(super) use maildir::MaildirRack;
pub(super) use mbox::MboxRack;

/// How an archive keeps its mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Keeping {
    pub(super) format: Format,
    pub(super) layout: Layout,
}

pub(super) enum Rack {
    Maildir(Box<MaildirRack>),
    Mbox(MboxRack),
}

/// Where a message was put.
#[derive(Debug, Clone)]
pub(super) struct Put {
    /// Its name among the folder's messages.
    pub(super) file: String,
    pub(super) part: Option<Record>,
}

/// What was found when a folder was opened.
#[derive(Default)]
pub(super) struct Mended {
    /// Are to be written down.
    pub(super) lines: Vec<Line>,
    /// For people: a file that holds what was cut off.
    pub(super) warning: Option<String>,
    /// The files that are there, where some may be missing.
    pub(super) there: Option<HashSet<u64>>,
}

/// A change of a message's flags.
pub(super) struct Refiled {
    pub(super) at: At,
    pub(super) base: String,
    pub(super) flags: Flags,
}

impl Rack {
    /// Where below `mail/` a folder goes that is new.
    /// `taken`: the places of the others, in lower case.
    pub(super) fn place(
        keeping: Keeping,
        folder: &Folder,
        taken: &dyn Fn(&Path) -> bool,
    ) -> String {
        match keeping.format {
            Format::Maildir => MaildirRack::place(keeping.layout, folder),
            Format::Mbox => MboxRack::place(folder, taken),
        }
    }

    /// Opens what is at a folder's place, made where there is nothing.
    pub(super) fn open(
        mail: &Path,
        keeping: Keeping,
        folder: &Folder,
        place: &str,
    ) -> Result<Self> {
        Ok(match keeping.format {
            Format::Maildir => {
                Rack::Maildir(Box::new(MaildirRack::open(mail, keeping.layout, folder)?))
            }
            Format::Mbox => Rack::Mbox(MboxRack::open(mail, place)?),
        })
    }

    pub(super) fn saw(&mut self, line: &Line) {
        match self {
            Rack::Maildir(rack) => rack.saw(line),
            Rack::Mbox(rack) => rack.saw(line),
        }
    }

    pub(super) fn mend(&mut self) -> Result<Mended> {
        match self {
            Rack::Maildir(rack) => rack.mend(),
            Rack::Mbox(rack) => rack.mend(),
        }
    }

    /// Lines that are to be durable before [`Rack::put`].
    pub(super) fn announce(&mut self, items: &[Keep<'_>]) -> Result<Vec<Line>> {
        match self {
            Rack::Maildir(_) => Ok(Vec::new()),
            Rack::Mbox(rack) => rack.announce(items),
        }
    }

    pub(super) fn put(&mut self, items: &[Keep<'_>]) -> Result<Vec<Put>> {
        match self {
            Rack::Maildir(rack) => rack.put(items),
            Rack::Mbox(rack) => rack.put(items),
        }
    }

    pub(super) fn publish(&self, puts: &[Put]) -> Result<()> {
        match self {
            Rack::Maildir(rack) => rack.publish(puts),
            Rack::Mbox(_) => Ok(()),
        }
    }

    /// Changes names; in an mbox flags are lines alone.
    pub(super) fn refile(&mut self, files: &[Refiled]) -> Result<()> {
        match self {
            Rack::Maildir(rack) => rack.refile(files),
            Rack::Mbox(_) => Ok(()),
        }
    }

    /// Takes files away. What is in an mbox stays in it: to cut it out, every message behind would have to move, and nothing could
    /// move them and their lines at once.
    pub(super) fn take_away(&self, gone: &[At]) -> Result<()> {
        match self {
            Rack::Maildir(rack) => rack.take_away(gone),
            Rack::Mbox(_) => Ok(()),
        }
    }

    /// Where a message is for readers of the archive: relative to it.
    pub(super) fn path(&self, place: &str, put: &Put) -> String {
        let mut path = String::from("mail");
        if !place.is_empty() {
            path.push('/');
            path.push_str(place);
        }
        match (self, put.part) {
            (Rack::Mbox(_), Some(part)) => super::locate::mbox_path(&path, part),
            _ => format!("{path}/cur/{}", put.file),
        }
    }
}
