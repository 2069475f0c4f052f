//! A folder of the archive, read: nothing is written, and nobody needs to hold the archive.

pub(super) use super::at::{At, Now};
use super::index::{Index, Spot, file_mark};
use super::rack::Put;
use super::sidecar::{Entry, Format, Line, Numbered, Sidecar};
use crate::error::{Code, Error, Kind, Result};
use crate::format::maildir::{self, Letters, Mail, Places};
use crate::format::mbox::{Extent, MboxFile, Record};
use crate::message::{Digest, Flags, Folder, InternalDate};
use crate::net::Flow;
use crate::spool::{Body, Budget};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A message with a line in the sidecar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The number of its line.
    pub uid: u32,
    /// What named it at its source.
    pub source: String,
    /// The name that its file had, flags and all; in an mbox, its offset.
    pub file: String,
    part: Option<Record>,
    /// Of the canonical form; `None` in a line that tells none.
    pub digest: Option<Digest>,
    pub date: Option<InternalDate>,
    /// As this program stored or changed them last.
    pub flags: Flags,
    /// Bytes in canonical form, if the line tells.
    pub size: Option<u64>,
}

impl Kept {
    /// The file's name without its flags, which change.
    #[must_use]
    pub fn base(&self) -> &str {
        maildir::base_name(&self.file)
    }

    pub(super) fn put(&self) -> Put {
        Put {
            file: self.file.clone(),
            part: self.part,
        }
    }
}

/// A folder's sidecar and where its mail is.
#[derive(Debug)]
pub struct View {
    pub folder: Folder,
    pub uid_validity: u32,
    /// The folder's Maildir or mbox.
    pub(super) path: PathBuf,
    pub(super) format: Format,
    pub(super) sidecar: Sidecar,
    pub(super) index: Index,
    /// The number of the next line, and where it will stand.
    pub(super) next: (u32, u64),
    /// Lines that cannot be read.
    pub(super) damaged: u64,
    /// Read when a file is not where it was stored.
    places: RefCell<Option<Places>>,
}

/// What the first line of a sidecar says.
pub(super) struct Head {
    pub(super) folder: Folder,
    /// The Maildir or mbox, relative to `mail/`.
    pub(super) dir: String,
    pub(super) uid_validity: u32,
    pub(super) format: Format,
}

impl Head {
    /// `None`: the sidecar was never begun, or its making was cut short.
    pub(super) fn read(sidecar: &Sidecar) -> Result<Option<Self>> {
        if !sidecar.exists() {
            return Ok(None);
        }
        let head = match sidecar.line_at(0)? {
            Some(Line::Folder {
                name,
                dir,
                uid_validity,
                format,
                ..
            }) => Folder::parse(&name).map(|folder| Head {
                folder,
                dir,
                uid_validity,
                format,
            }),
            _ => None,
        };
        if head.is_none() && sidecar.read(drop)?.lines > 0 {
            return Err(unreadable(sidecar));
        }
        Ok(head)
    }

    /// The same, and `None` where the first line is damaged.
    pub(super) fn readable(sidecar: &Sidecar) -> Result<Option<Self>> {
        match Head::read(sidecar) {
            Err(error) if error.kind == Kind::Folder => Ok(None),
            head => head,
        }
    }
}

impl View {
    /// The folder of the archive at `root` that this sidecar is about; `None` where it was never begun.
    pub(super) fn open(root: &Path, sidecar: Sidecar) -> Result<Option<Self>> {
        let Some(head) = Head::read(&sidecar)? else {
            return Ok(None);
        };
        let mut index = Index::default();
        let scan = sidecar.read(|found| index.take(&found))?;
        index.settle(None);
        let mut view = View::of(root, head, sidecar)?;
        view.index = index;
        view.next = (scan.lines, scan.end);
        view.damaged = scan.bad_between;
        Ok(Some(view))
    }

    /// Without a look at the lines.
    pub(super) fn of(root: &Path, head: Head, sidecar: Sidecar) -> Result<Self> {
        let relative = Path::new("mail").join(&head.dir);
        super::confined(root, &relative)?;
        Ok(View {
            folder: head.folder,
            uid_validity: head.uid_validity,
            path: root.join(relative),
            format: head.format,
            sidecar,
            index: Index::default(),
            next: (0, 0),
            damaged: 0,
            places: RefCell::new(None),
        })
    }

    /// Forgets messages whose files another program has taken away.
    pub(super) fn forget_missing(&mut self) -> Result<()> {
        if self.format == Format::Maildir {
            let places = Places::open(&self.path)?;
            let there = places.bases().iter().map(file_mark).collect();
            self.index.settle(Some(&there));
            self.places = RefCell::new(Some(places));
        }
        Ok(())
    }

    /// Did nobody write to the folder since it was opened?
    pub(super) fn is_current(&self) -> Result<bool> {
        Ok(self.sidecar.length()? == self.next.1)
    }

    /// No message that comes from now on has a lower UID.
    #[must_use]
    pub fn next_uid(&self) -> u32 {
        self.next.0
    }

    /// Messages that are not gone; their files may be, by another program's hand.
    #[must_use]
    pub fn messages(&self) -> usize {
        self.index.len()
    }

    /// Gives messages of these UIDs, in their order.
    ///
    /// # Errors
    /// `Code::Disk`; what `on` says.
    pub fn each(&self, uids: (u32, u32), mut on: impl FnMut(Kept) -> Result<Flow>) -> Result<()> {
        let mut spots = self.index.within(uids).iter().peekable();
        let Some(first) = spots.peek() else {
            return Ok(());
        };
        self.sidecar.read_from((first.uid, first.offset), |found| {
            let Some(spot) = spots.peek() else {
                return Ok(Flow::Stop);
            };
            match found.line {
                Line::Message(entry) if found.number == spot.uid => {
                    let kept = self.kept(found.number, entry)?;
                    spots.next();
                    on(kept)
                }
                _ => Ok(Flow::Continue),
            }
        })?;
        Ok(())
    }

    /// The message with this UID; `None` where it is gone.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn message(&self, uid: u32) -> Result<Option<Kept>> {
        match self.index.within((uid, uid)).first() {
            Some(&spot) => self.at(spot),
            None => Ok(None),
        }
    }

    /// Messages that another program put into the folder's Maildir: nothing is known of them but their files.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn strangers(&self) -> Result<Vec<Mail>> {
        if self.format != Format::Maildir {
            return Ok(Vec::new());
        }
        let mut mails = maildir::list(&self.path)?;
        mails.retain(|mail| !self.index.has_file(&mail.base));
        Ok(mails)
    }

    /// Messages that another program appended to the folder's mbox: what lies outside all that was ever written here. `None`: nothing does.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn appended(&self) -> Result<Option<(MboxFile, Vec<Extent>)>> {
        if self.format != Format::Mbox || !self.path.exists() {
            return Ok(None);
        }
        let mut parts = BTreeMap::new();
        let mut take = |found: Numbered| {
            if let Line::Message(Entry {
                part: Some(part), ..
            }) = found.line
            {
                parts.insert(part.offset, part.offset + part.length);
            }
        };
        if self.sidecar.exists() {
            self.sidecar.read(&mut take)?;
        }
        let meta = std::fs::symlink_metadata(&self.path);
        let length = meta
            .map_err(|e| Error::disk("look at", &self.path, &e))?
            .len();
        if parts.iter().map(|(from, to)| to - from).sum::<u64>() == length {
            return Ok(None);
        }
        let file = MboxFile::open(&self.path, None)?;
        let mut extents = file.messages().to_vec();
        // Whatever dialect the others write: what is ours is never taken for theirs.
        extents.retain(|at| {
            let before = parts.range(..=at.offset).next_back();
            before.is_none_or(|(_, end)| *end <= at.offset)
        });
        Ok(Some((file, extents)))
    }

    /// The folder's Maildir or mbox.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The message at a spot.
    pub(super) fn at(&self, spot: Spot) -> Result<Option<Kept>> {
        match self.sidecar.line_at(spot.offset)? {
            Some(Line::Message(entry)) => self.kept(spot.uid, entry).map(Some),
            _ => Ok(None),
        }
    }

    fn kept(&self, uid: u32, entry: Entry) -> Result<Kept> {
        Ok(Kept {
            uid,
            flags: self.last_flags(uid, &entry)?,
            digest: entry.exact(),
            date: entry.internal_date(),
            size: Some(entry.size).filter(|&size| size > 0),
            source: entry.source,
            file: entry.file,
            part: entry.part,
        })
    }

    fn last_flags(&self, uid: u32, entry: &Entry) -> Result<Flags> {
        if let Some(offset) = self.index.last_flags(uid)
            && let Some(Line::Flags { file, flags }) = self.sidecar.line_at(offset)?
            && file == entry.base()
        {
            return Ok(Flags::from_text(&flags));
        }
        Ok(Flags::from_text(&entry.flags))
    }

    /// Where the message is now; `None`: another program has taken it away.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn find(&self, kept: &Kept) -> Result<Option<At>> {
        match (self.format, kept.part) {
            (Format::Maildir, _) => Ok(self.file(kept)?.map(At::File)),
            (Format::Mbox, Some(part)) => Ok(Some(At::Part(self.path.clone(), part))),
            (Format::Mbox, None) => Ok(None),
        }
    }

    fn file(&self, kept: &Kept) -> Result<Option<PathBuf>> {
        let as_stored = self.path.join("cur").join(&kept.file);
        if std::fs::symlink_metadata(&as_stored).is_ok() {
            return Ok(Some(as_stored));
        }
        let mut places = self.places.borrow_mut();
        let places = match &mut *places {
            Some(places) => places,
            None => places.insert(Places::open(&self.path)?),
        };
        places.find(kept.base().as_bytes())
    }

    /// What tells flags as they are now.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn now(&self) -> Result<Now> {
        Ok(match self.format {
            Format::Maildir => Now::Maildir(Box::new(Letters::load(&self.path)?)),
            Format::Mbox => Now::Mbox,
        })
    }

    /// Reads a message that was found, and checks it.
    ///
    /// # Errors
    /// `Kind::Message`, naming the file: its bytes are not those that were stored. `Code::Disk`; what [`Budget::body`] says.
    pub fn read(&self, kept: &Kept, at: &At, budget: &Budget) -> Result<Body> {
        let body = at.body(budget)?;
        match kept.digest {
            Some(digest) if body.digests().exact != digest => Err(super::spoilt(
                at.path(),
                "is not what was stored: its digest differs",
            )),
            _ => Ok(body),
        }
    }
}

/// A sidecar's file that is none.
pub(super) fn unreadable(sidecar: &Sidecar) -> Error {
    let what = format!(
        "{} does not tell which folder it is about",
        sidecar.path().display()
    );
    Error::new(Kind::Folder, Code::Disk, what)
        .hint("its mail is in mail/ all the same; put this file back from a copy of the archive")
}
