//! Lines for kept messages that have none: their sidecar was lost, or damaged.
//!
//! A line made anew has what Maildir holds (digest, flags, keywords, date). What the message was called at its source only the journal
//! can still tell; where it cannot, the source is empty.

use super::Keep;
use super::folders;
use super::rack::{Keeping, Put};
use super::shelf::Shelf;
use super::sidecar::{Entry, Format, Line};
use super::survey::Survey;
use crate::error::{Error, Result};
use crate::format::maildir::{self, Mail, Maildir, Places};
use crate::journal::{Journal, JournalIdentity};
use crate::message::Folder;
use crate::net::Flow;
use crate::spool::Budget;
use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// One message at a time is in memory, or in a temporary file.
const READING: u64 = 16 << 20;

/// A folder whose sidecar got lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refilled {
    pub folder: Folder,
    /// How many lines were added.
    pub messages: u64,
    /// Was there no sidecar at all?
    pub new: bool,
}

/// A folder with files that have no line.
struct Gap {
    shelf: Shelf,
    mails: Vec<Mail>,
    new: bool,
}

/// Gives every file that mailhaul named, in every folder of `mail/`, a line. The caller holds the archive's lock.
pub(super) fn refill(root: &Path) -> Result<Vec<Refilled>> {
    let gaps = gaps(root)?;
    let wanted = gaps.iter().flat_map(|gap| &gap.mails);
    let sources = sources(root, wanted.map(|mail| mail.base.as_slice()).collect());
    let mut refilled = Vec::with_capacity(gaps.len());
    for mut gap in gaps {
        let lines = lines(&gap, &sources)?;
        refilled.push(Refilled {
            folder: gap.shelf.view.folder.clone(),
            messages: lines.len() as u64,
            new: gap.new,
        });
        gap.shelf.append(lines)?;
    }
    Ok(refilled)
}

fn gaps(root: &Path) -> Result<Vec<Gap>> {
    let mail = root.join("mail");
    if !mail.is_dir() {
        return Ok(Vec::new());
    }
    crate::fs::private_dir(&root.join("sidecar"))?;
    let known = Survey::new(root)?;
    let scan = maildir::scan(&mail, None)?;
    let tree = Maildir::at(&mail, scan.layout);
    let keeping = Keeping {
        format: Format::Maildir,
        layout: scan.layout,
    };
    let mut gaps = Vec::new();
    for found in scan.folders.into_iter().filter(|found| !found.link) {
        let new = !known.holds(&found.folder);
        let mut mails = maildir::list(&mail.join(&found.path))?;
        mails.retain(|mail| maildir::is_own(&mail.base));
        // A directory that the folder would not get from us is another program's.
        let in_mbox = known.in_mbox(&found.folder);
        if mails.is_empty() || in_mbox || tree.location(&found.folder) != found.path {
            continue;
        }
        let sidecar = folders::sidecar(root, &found.folder);
        let shelf = Shelf::open(root, keeping, sidecar, &found.folder, &|_| false)?;
        let bases = bases(&shelf)?;
        mails.retain(|mail| !bases.contains(mail.base.as_slice()));
        if !mails.is_empty() {
            gaps.push(Gap { shelf, mails, new });
        }
    }
    Ok(gaps)
}

fn bases(shelf: &Shelf) -> Result<HashSet<Vec<u8>>> {
    let mut bases = HashSet::new();
    shelf.view.each((0, u32::MAX), |kept| {
        bases.insert(kept.base().as_bytes().to_vec());
        Ok(Flow::Continue)
    })?;
    Ok(bases)
}

/// What the journal, if it can be read, calls these messages at their source; by the base of the file's name.
fn sources(root: &Path, wanted: HashSet<&[u8]>) -> HashMap<Vec<u8>, String> {
    let mut sources = HashMap::new();
    // A journal that cannot be read may be why it is made anew: then nobody knows.
    let Ok(Some(journal)) = Journal::open_read_only(root, &JournalIdentity::default()) else {
        return sources;
    };
    let walked = journal.each_place(&mut |row| {
        let file = row.path.rsplit('/').next().unwrap_or_default();
        let base = maildir::base_name(file).as_bytes();
        if wanted.contains(base) {
            sources.insert(base.to_vec(), row.source);
        }
    });
    if walked.is_err() {
        sources.clear();
    }
    sources
}

fn lines(gap: &Gap, sources: &HashMap<Vec<u8>, String>) -> Result<Vec<Line>> {
    let dir = gap.shelf.view.path();
    let mut places = Places::open(dir)?;
    let budget = Budget::new(READING);
    let mut lines = Vec::with_capacity(gap.mails.len());
    for mail in &gap.mails {
        let Some(path) = places.find(&mail.base)? else {
            continue;
        };
        let file = path.file_name().unwrap_or(OsStr::from_bytes(&mail.base));
        let source = sources.get(&mail.base).map_or("", String::as_str);
        let body = maildir::read(&path, &budget)?;
        let file = file.to_str().ok_or_else(|| not_text(&path))?;
        let item = Keep {
            body: &body,
            flags: &mail.flags,
            date: Some(mail.date),
            source,
        };
        let put = Put {
            file: file.to_owned(),
            part: None,
        };
        lines.push(Line::Message(Entry::new(&item, &put)));
    }
    Ok(lines)
}

fn not_text(path: &Path) -> Error {
    let no = std::io::Error::from(std::io::ErrorKind::InvalidFilename);
    Error::disk("name", path, &no)
}
