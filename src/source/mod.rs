//! Where messages come from: one trait, one module a protocol.
//!
//! A source hands out folders, complete listings, and bodies. It never decides what is copied, never retries and never
//! writes: the engine wraps it. To add one, implement [`Source`] and let it pass the flows under `tests/flows`.

mod archive;
mod disk;
mod eml;
mod imap;
mod maildir;
mod mbox;
mod pop3;

pub(crate) use maildir::{layout as layout_of, traces as maildir_traces};

use crate::auth::Credentials;
use crate::error::{Code, End, Error, Kind, Result};
use crate::job::{After, Local, LocalFormat, Protocol, SourceSpec, Store};
use crate::message::{Digest, Flags, InternalDate, SourceKey};
use crate::net::Flow;
use crate::plan::SourceFolder;
use crate::spool::{Body, Budget};

/// One message of a listing, its bytes not read yet.
#[derive(Debug, Clone)]
pub struct Listed {
    pub key: SourceKey,
    pub flags: Flags,
    pub date: Option<InternalDate>,
    /// As the server announces it, in bytes; a hint, servers lie.
    pub size: Option<u64>,
}

/// What a folder was when it was opened for a listing or a fetch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Opened {
    /// 0 for POP3.
    pub uid_validity: u32,
    pub messages: u32,
    pub uid_next: Option<u32>,
    pub highest_modseq: Option<u64>,
}

/// A message that arrived, or why it did not.
#[derive(Debug)]
pub struct Arrival {
    pub key: SourceKey,
    pub flags: Flags,
    pub date: Option<InternalDate>,
    /// `Err` is of `Kind::Message`, with the server's words.
    pub body: Result<Body>,
}

/// The header fields of a message that decide about its identity.
#[derive(Debug)]
pub struct Heading {
    pub listed: Listed,
    /// The fields Message-ID, Date, From and Subject, as they stand.
    pub head: Vec<u8>,
}

/// Which messages to fetch.
#[derive(Debug, Clone, Copy)]
pub enum Wanted<'a> {
    /// The whole folder, in one stream, without a listing.
    Whole,
    /// These, in this order.
    Keys(&'a [Listed]),
}

/// An open connection to a source. One owner; all errors name the end they came from.
pub trait Source: Send {
    /// All folders with what is known of them without opening each.
    fn folders(&mut self) -> Result<Vec<SourceFolder>>;

    /// The complete listing of a folder, in the server's order, each message once. [`Opened::messages`] is without those that
    /// were told as gone meanwhile, so that a listing that comes short shows. `Err` where it could not be completed: then what was told
    /// is not to be taken for the whole.
    fn list(
        &mut self,
        folder: &SourceFolder,
        on: &mut dyn FnMut(Listed) -> Result<()>,
    ) -> Result<Opened>;

    /// What has come to a folder, or has other flags, since its HIGHESTMODSEQ was `since` (RFC 7162 §3.1.4.1); nothing is told of
    /// what has gone. `Ok(None)`: this source cannot tell, only a listing can.
    fn changes(
        &mut self,
        _folder: &SourceFolder,
        _since: u64,
        _on: &mut dyn FnMut(Listed) -> Result<()>,
    ) -> Result<Option<Opened>> {
        Ok(None)
    }

    /// Bodies. `opened` is called once the folder is open and before the first arrival; either callback may stop the fetch.
    fn fetch(
        &mut self,
        folder: &SourceFolder,
        wanted: Wanted<'_>,
        budget: &Budget,
        opened: &mut dyn FnMut(&Opened) -> Result<Flow>,
        on: &mut dyn FnMut(Arrival) -> Result<Flow>,
    ) -> Result<()>;

    /// As [`Source::fetch`]; `next(n)` is the folder that will be fetched whole as the n-th after this, from 0, once that is known: a
    /// source may ask for it while this one still flows. Whatever else is asked of it instead, the answer is right all the same.
    fn fetch_on(
        &mut self,
        folder: &SourceFolder,
        wanted: Wanted<'_>,
        budget: &Budget,
        opened: &mut dyn FnMut(&Opened) -> Result<Flow>,
        on: &mut dyn FnMut(Arrival) -> Result<Flow>,
        _next: &mut dyn FnMut(usize) -> Option<SourceFolder>,
    ) -> Result<()> {
        self.fetch(folder, wanted, budget, opened, on)
    }

    /// Headers of the whole folder, so that what stands at the destination already need not be downloaded. `Ok(None)`
    /// where this protocol gains nothing by it.
    fn headings(
        &mut self,
        folder: &SourceFolder,
        on: &mut dyn FnMut(Heading) -> Result<()>,
    ) -> Result<Option<Opened>>;

    /// Does to these messages what the job's `after` says; they are safe elsewhere, verified and committed. Returns which
    /// were done; a message that is not what it was (`digest` of the caller) is left. Files are never touched.
    fn after(
        &mut self,
        folder: &SourceFolder,
        _after: &After,
        _messages: &[AfterMessage],
    ) -> Result<Vec<SourceKey>> {
        Err(disk::only_read(folder))
    }

    /// Does `after` leave messages where they are, only marked as deleted, since the server cannot remove single ones (no UIDPLUS)?
    fn only_marks(&self, _after: &After) -> bool {
        false
    }

    /// Is it worth opening another session and listing again, since one session may not show everything (Gmail's POP3)?
    fn may_hold_back(&self) -> bool {
        false
    }

    /// The server's address, for telling whether two ends are one mailbox.
    fn peer(&self) -> Option<std::net::SocketAddr> {
        None
    }

    /// What identifies this mailbox to its other doors: see `engine`'s same-mailbox check.
    fn traces(&mut self) -> Result<Traces> {
        Ok(Traces::default())
    }

    /// Ends the session in order. For POP3 this is what makes deletions happen.
    fn close(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

/// What a mailbox shows of itself at any protocol's door.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traces {
    /// INBOX's UIDVALIDITY and UIDNEXT.
    pub inbox: Option<(u32, Option<u32>)>,
    /// POP3 unique-ids of the first messages.
    pub uidls: Vec<Vec<u8>>,
}

/// A message that may be removed, moved or marked at the source.
#[derive(Debug, Clone)]
pub struct AfterMessage {
    pub key: SourceKey,
    /// Of the canonical form, as it was read from this source.
    pub digest: Digest,
    /// Of the header alone (the empty line that ends it included), canonical form.
    pub head_digest: Digest,
}

/// Connects and logs in, or opens the files. A server needs a `login`.
pub fn open(spec: &SourceSpec, index: u32, login: Option<&Credentials>) -> Result<Box<dyn Source>> {
    match (&spec.store, login) {
        (Store::Server(server), Some(login)) => Ok(match server.protocol {
            Protocol::Imap => Box::new(imap::ImapSource::open(spec, server, index, login)?),
            Protocol::Pop3 => Box::new(pop3::Pop3Source::open(spec, server, index, login)?),
        }),
        (Store::Server(_), None) => Err(no_login(End::Source)),
        (Store::Local(local), _) => open_local(local, index),
    }
}

fn open_local(local: &Local, index: u32) -> Result<Box<dyn Source>> {
    match local.format {
        LocalFormat::Maildir => Ok(Box::new(maildir::MaildirSource::open(local, index)?)),
        LocalFormat::Archive => Ok(Box::new(archive::ArchiveSource::open(local, index)?)),
        LocalFormat::Mbox => Ok(Box::new(mbox::MboxSource::open(local, index)?)),
        LocalFormat::Eml => Ok(Box::new(eml::EmlSource::open(local, index)?)),
    }
}

/// A server without somebody to log in: a defect of the caller.
pub(crate) fn no_login(end: End) -> Error {
    Error::new(Kind::Internal, Code::Internal, "a server without a login").at(end)
}

pub(crate) fn not_yet(local: &Local, end: End) -> Error {
    let what = format!("{local} cannot be an end of a job in this version");
    Error::new(Kind::Account, Code::Refused, what).at(end)
}

/// A key of another protocol came to this source: a defect of the caller.
fn foreign_key(key: &SourceKey) -> Error {
    Error::new(
        Kind::Internal,
        Code::Internal,
        format!("{key:?} is no key of this source"),
    )
}
