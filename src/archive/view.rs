//! A folder of the archive, read: nothing is written, and nobody needs to hold the archive.

use super::index::{Index, Spot};
use super::sidecar::{Entry, Line, Sidecar};
use crate::error::{Code, Error, Kind, Result};
use crate::format::maildir::{self, Letters, Places};
use crate::fs;
use crate::message::{Digest, Flags, Folder, InternalDate, header};
use crate::net::Flow;
use crate::spool::{Body, Budget};
use std::cell::RefCell;
use std::io::Read;
use std::path::{Path, PathBuf};

/// As much of a file is read for its header; one that is longer counts up to there.
const LONGEST_HEAD: u64 = 1 << 20;
const PIECE: u64 = 16 << 10;

/// A message with a line in the sidecar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The number of its line.
    pub uid: u32,
    /// What named it at its source.
    pub source: String,
    /// The name that its file had, flags and all.
    pub file: String,
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
}

/// A folder's sidecar and where its mail is.
#[derive(Debug)]
pub struct View {
    pub folder: Folder,
    pub uid_validity: u32,
    /// The folder's Maildir.
    pub(super) dir: PathBuf,
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
    /// The Maildir, relative to `mail/`.
    pub(super) dir: String,
    pub(super) uid_validity: u32,
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
                ..
            }) => Folder::parse(&name).map(|folder| Head {
                folder,
                dir,
                uid_validity,
            }),
            _ => None,
        };
        if head.is_none() && sidecar.read(drop)?.lines > 0 {
            return Err(unreadable(sidecar));
        }
        Ok(head)
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
            dir: root.join(relative),
            sidecar,
            index: Index::default(),
            next: (0, 0),
            damaged: 0,
            places: RefCell::new(None),
        })
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

    /// Where the message's file is now; `None`: another program has taken it away.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn find(&self, kept: &Kept) -> Result<Option<PathBuf>> {
        let as_stored = self.dir.join("cur").join(&kept.file);
        if std::fs::symlink_metadata(&as_stored).is_ok() {
            return Ok(Some(as_stored));
        }
        let mut places = self.places.borrow_mut();
        let places = match &mut *places {
            Some(places) => places,
            None => places.insert(Places::open(&self.dir)?),
        };
        places.find(kept.base().as_bytes())
    }

    /// What tells flags as they are now, other programs' changes in.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn letters(&self) -> Result<Letters> {
        Letters::load(&self.dir)
    }

    /// Reads a message whose file was found, and checks it.
    ///
    /// # Errors
    /// `Kind::Message`, naming the file: its bytes are not those that were stored. `Code::Disk`; what [`Budget::body`] says.
    pub fn read(&self, kept: &Kept, path: &Path, budget: &Budget) -> Result<Body> {
        let body = maildir::read(path, budget)?;
        match kept.digest {
            Some(digest) if body.digests().exact != digest => Err(super::spoilt(
                path,
                "is not what was stored: its digest differs",
            )),
            _ => Ok(body),
        }
    }
}

/// The header of a message file, as its bytes are on disk.
pub(crate) fn head(path: &Path) -> Result<Vec<u8>> {
    let mut file = fs::open(path)?;
    let mut head = Vec::new();
    while (head.len() as u64) < LONGEST_HEAD {
        let before = head.len();
        (&mut file)
            .take(PIECE)
            .read_to_end(&mut head)
            .map_err(|e| Error::disk("read", path, &e))?;
        let end = header::head_len(&head);
        if end < head.len() || head.len() == before {
            head.truncate(end);
            break;
        }
    }
    Ok(head)
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
