//! Where messages go: one trait, one module a protocol.
//!
//! A sink stores what it is given and says exactly how sure it is. It never decides, never retries, and knows no journal:
//! the engine wraps it. To add one, implement [`Sink`] and let it pass the flows under `tests/flows`.

mod archive;
mod disk;
mod imap;
mod maildir;
mod mbox;

use crate::auth::Credentials;
use crate::error::{Code, End, Error, Kind, Result};
use crate::job::{DestinationSpec, Local, LocalFormat, Store};
use crate::message::{FlagChange, Flags, InternalDate, SourceKey, UidRanges};
use crate::net::Flow;
use crate::plan::{Naming, SinkFolder, Target};
use crate::source::{Traces, no_login, not_yet};
use crate::spool::{Body, Budget};

/// A folder opened for delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    pub uid_validity: u32,
    /// No message delivered from now on has a lower UID.
    pub floor: u32,
    pub messages: u32,
}

/// A message to store.
#[derive(Debug, Clone)]
pub struct Delivery<'a> {
    pub flags: &'a Flags,
    pub date: Option<InternalDate>,
    pub body: &'a Body,
    /// Its key at the source, and `true` where that is a POP3 unique-id, which readers of a Maildir may be shown again.
    pub key: &'a SourceKey,
    pub from_pop3: bool,
    /// Names it among all messages of the account, for ever: [`source_text`](crate::journal::source_text).
    pub source: &'a str,
}

/// How sure it is that one message of a batch was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// It is; where, if the server told (UIDVALIDITY, UID).
    Yes(Option<(u32, u32)>),
    /// It is not, in the server's words.
    No {
        words: String,
        why: Refusal,
        /// The answer was for a whole batch: nobody promises that none of it was stored.
        batch: bool,
    },
    /// Its last byte never left: it is not.
    NotSent,
    /// Its last byte left and no answer came: it may be, now or a little later.
    Unknown,
}

impl Stored {
    /// UIDVALIDITY and UID, where the server told them.
    #[must_use]
    pub fn uid(&self) -> Option<(u32, u32)> {
        match self {
            Stored::Yes(uid) => *uid,
            _ => None,
        }
    }
}

/// What a refusal means for what to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// This message, for good.
    Message,
    /// One of the batch, nobody knows which.
    Batch,
    /// There is no such folder (any more).
    NoFolder,
    /// No room.
    Full,
    /// Try again later.
    Later,
    /// The server takes no more today.
    Tomorrow,
}

/// What became of a batch: one entry a message, in order, and what ended the connection if anything did.
#[derive(Debug)]
pub struct Report {
    pub stored: Vec<Stored>,
    pub lost: Option<Error>,
    /// The server mishandled a non-synchronising literal: the next connection must do without.
    pub cautious: bool,
}

impl Report {
    /// Nobody told what became of these messages.
    #[must_use]
    pub fn untold(messages: usize) -> Self {
        let what = "the destination told nothing of a batch";
        Report {
            stored: vec![Stored::Unknown; messages],
            lost: Some(Error::new(Kind::Transient, Code::Protocol, what).at(End::Destination)),
            cautious: false,
        }
    }
}

/// A message that stands at the destination, by its headers.
#[derive(Debug)]
pub struct StandingHead {
    pub uid: u32,
    pub size: Option<u64>,
    /// The fields Message-ID, Date, From and Subject, as they stand.
    pub head: Vec<u8>,
}

/// A message that stands in a folder.
#[derive(Debug, Clone)]
pub struct Content {
    pub uid: u32,
    pub flags: Flags,
    pub date: Option<InternalDate>,
    /// In bytes, as the destination announces it; a hint, servers lie.
    pub size: Option<u64>,
}

/// What became of messages that were to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    Gone,
    /// Marked as deleted; the server cannot remove single messages (no UIDPLUS).
    Marked,
    /// The folder has another UIDVALIDITY: nothing was done.
    OtherFolder,
}

/// How many messages and bytes one batch may hold at best.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimit {
    pub messages: usize,
    pub bytes: u64,
    /// The largest message the server takes, where it says (APPENDLIMIT, RFC 7889).
    pub message_bytes: Option<u64>,
}

/// An open connection to a destination. One owner; all errors name the end they came from.
pub trait Sink: Send {
    /// How names are written here, and all folders with their state.
    fn folders(&mut self) -> Result<(Naming, Vec<SinkFolder>)>;

    /// Creates and subscribes what the targets ask for; one result a target, in order.
    fn prepare(&mut self, targets: &[&Target]) -> Result<Vec<Result<()>>>;

    /// Looks afresh at a folder, for its UIDVALIDITY and a floor.
    fn door(&mut self, name: &[u8]) -> Result<Door>;

    /// The same for many folders in one round trip, in order; `None` where a folder has to be looked at by [`Sink::door`].
    fn doors(&mut self, names: &[&[u8]]) -> Result<Vec<Option<Door>>>;

    /// The identity headers of what stands in the folder, of UIDs `first..=last` (`u32::MAX` is the last).
    fn heads(
        &mut self,
        name: &[u8],
        uids: (u32, u32),
        on: &mut dyn FnMut(StandingHead) -> Result<()>,
    ) -> Result<()>;

    /// The bytes of what stands in the folder: these UID ranges (`u32::MAX` is the last), in the server's order. Always after a
    /// look at the folder's newest state. `Ok(false)`: the server refused a part of them, so what did not come may stand there.
    fn bodies(
        &mut self,
        name: &[u8],
        uids: &[(u32, u32)],
        budget: &Budget,
        on: &mut dyn FnMut(u32, Result<Body>) -> Result<Flow>,
    ) -> Result<bool>;

    /// The same of several folders, in as few round trips as possible; the callback gets the folder's place in the list. One result a
    /// folder, in order: what [`Sink::bodies`] gives, or why this folder could not be read (`Kind::Folder`).
    fn bodies_of(
        &mut self,
        folders: &[(&[u8], UidRanges)],
        budget: &Budget,
        on: &mut dyn FnMut(usize, u32, Result<Body>) -> Result<Flow>,
    ) -> Result<Vec<Result<bool>>> {
        let mut results = Vec::with_capacity(folders.len());
        for (at, (name, uids)) in folders.iter().enumerate() {
            let read = self.bodies(name, uids, budget, &mut |uid, body| on(at, uid, body));
            results.push(match read {
                Err(error) if error.kind != Kind::Folder => return Err(error),
                read => read,
            });
        }
        Ok(results)
    }

    /// Stores a batch, in order, with no other under way.
    fn deliver(&mut self, name: &[u8], batch: &[Delivery<'_>]) -> Report;

    /// Stores a batch, in order, behind those that are under way. `None`: now this one is under way too, and [`Sink::collect`] tells what
    /// becomes of it. While any is, nothing may be asked of the sink but these two and what takes `&self`.
    fn submit(&mut self, name: &[u8], batch: &[Delivery<'_>]) -> Option<Report> {
        Some(self.deliver(name, batch))
    }

    /// The report of the oldest batch under way; without `wait` only if it is there already. Once a connection is lost the reports of
    /// all are there.
    fn collect(&mut self, _wait: bool) -> Option<Report> {
        None
    }

    fn batch_limit(&self) -> BatchLimit;

    /// Applies a change of flags, never absolute flags. UIDs must be of `uid_validity`: with another nothing is done and `Ok(false)` returned.
    fn change_flags(
        &mut self,
        name: &[u8],
        uid_validity: u32,
        uids: &[u32],
        change: &FlagChange,
    ) -> Result<bool>;

    /// Is the folder open for reading only? Courier then refuses to store anything in it, though RFC 9051 §6.3.12 has nothing against it:
    /// [`Sink::leave_reading`] first.
    fn only_reads(&self, _name: &[u8]) -> bool {
        false
    }

    /// Opens for writing what [`Sink::only_reads`] says is not.
    fn leave_reading(&mut self, _name: &[u8]) -> Result<()> {
        Ok(())
    }

    /// Does [`Sink::unfit_keywords`] answer for this folder without asking anybody?
    fn knows_keywords(&self, _name: &[u8]) -> bool {
        true
    }

    /// The flags of `flags` that the folder cannot hold (keywords, mostly): they are not sent.
    fn unfit_keywords(&mut self, name: &[u8], flags: &Flags) -> Result<Vec<String>>;

    /// Everything that stands in a folder, in the order of the UIDs, after a fresh look at it.
    fn contents(&mut self, name: &[u8], on: &mut dyn FnMut(Content) -> Result<()>) -> Result<Door>;

    /// Removes these messages and no others; UIDs of `uid_validity`. For mail that a run delivered and is to be taken back.
    fn remove(&mut self, name: &[u8], uid_validity: u32, uids: &[u32]) -> Result<Removed>;

    /// Keeps the connection alive.
    fn idle(&mut self) -> Result<()> {
        Ok(())
    }

    fn peer(&self) -> Option<std::net::SocketAddr> {
        None
    }

    fn traces(&mut self) -> Result<Traces> {
        Ok(Traces::default())
    }

    /// What was taken for granted of the server because of what it said of itself, a sentence each.
    fn assumed(&self) -> Vec<String> {
        Vec::new()
    }

    /// What people should know of the folders that were opened, told once.
    fn warnings(&mut self) -> Vec<String> {
        Vec::new()
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

/// Connects and logs in, or opens the files. A server needs a `login`. `cautious`: the server was seen to mishandle
/// non-synchronising literals.
pub fn open(
    spec: &DestinationSpec,
    login: Option<&Credentials>,
    cautious: bool,
) -> Result<Box<dyn Sink>> {
    match (&spec.store, login) {
        (Store::Server(server), Some(login)) => {
            Ok(Box::new(imap::ImapSink::open(server, login, cautious)?))
        }
        (Store::Server(_), None) => Err(no_login(End::Destination)),
        (Store::Local(local), _) => open_local(local),
    }
}

/// Nothing is made on disk before the first folder is prepared or delivered to.
fn open_local(local: &Local) -> Result<Box<dyn Sink>> {
    match local.format {
        LocalFormat::Archive => Ok(Box::new(archive::ArchiveSink::open(local))),
        LocalFormat::Maildir => Ok(Box::new(maildir::MaildirSink::open(local)?)),
        LocalFormat::Mbox => Ok(Box::new(mbox::MboxSink::open(local)?)),
        LocalFormat::Eml => Err(not_yet(local, End::Destination)),
    }
}
