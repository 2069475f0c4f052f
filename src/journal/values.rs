//! What goes into the journal and comes out of it. Names are wire bytes, times unix seconds, sizes bytes.

use crate::message::{Digest, Digests, Flags, InternalDate, SourceKey};

/// Which run writes. Not to be had but from [`Journal::begin_run`](super::Journal::begin_run).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunId(pub(super) i64);

impl RunId {
    /// That of somebody who only reads: the journal refuses every write of it.
    pub const READER: RunId = RunId(0);

    /// The number that `status` shows.
    #[must_use]
    pub fn number(self) -> i64 {
        self.0
    }
}

pub type FolderId = i64;
pub type MessageRow = i64;
pub type SinkFolderId = i64;
pub type IntentId = i64;

/// Whose mail a journal is about: `imap://user@host` for each end, in the job's order. Sources and sinks are
/// called by their index in these lists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JournalIdentity {
    pub sources: Vec<String>,
    pub destinations: Vec<String>,
}

/// A run as `status` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub id: i64,
    pub job: String,
    pub started_unix: i64,
    /// `None`: it goes on, or was killed.
    pub ended_unix: Option<i64>,
    /// JSON.
    pub summary: Option<String>,
}

/// A folder of a source, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFolder {
    pub id: FolderId,
    pub source: u32,
    pub name: Vec<u8>,
    pub uid_validity: u32,
    pub uid_next: Option<u32>,
    pub messages: Option<u32>,
    pub highest_modseq: Option<u64>,
    /// Has a run done the whole folder since a message was last added?
    pub complete: bool,
}

/// Where a kept message is: a path relative to the archive, and what its bytes must give.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// With `/`, never absolute, never with `..`.
    pub path: String,
    pub digest: Digest,
}

/// A message that the journal says is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptRow {
    /// As [`Place::path`].
    pub path: String,
    /// As [`source_text`](super::source_text).
    pub source: String,
    /// Bytes that are no UTF-8 as U+FFFD.
    pub message_id: Option<String>,
}

/// A message that a source has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub key: SourceKey,
    /// `None`: not downloaded (skipped, or failed).
    pub digests: Option<Digests>,
    pub message_id: Option<Vec<u8>>,
    pub size: u64,
    pub flags: Flags,
    pub date: Option<InternalDate>,
    pub place: Option<Place>,
}

/// A message as one sink sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub row: MessageRow,
    pub key: SourceKey,
    pub size: u64,
    /// At the source, as last seen.
    pub flags: Flags,
    /// As the sink got them last; `None` where it is not delivered.
    pub flags_delivered: Option<Flags>,
    pub date: Option<InternalDate>,
    pub place: Option<Place>,
    pub digests: Option<Digests>,
    pub message_id: Option<Vec<u8>>,
    /// The newest; `None`: nothing was decided yet.
    pub outcome: Option<String>,
    /// The server's, to the outcome.
    pub words: Option<String>,
    pub delivered: Option<Delivered>,
    /// Was it sent without an outcome being known?
    pub open_intent: bool,
    pub removed_at_source: bool,
}

/// Where a message stands at a sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Delivered {
    pub folder: SinkFolderId,
    pub uid_validity: u32,
    /// `None`: the server did not tell.
    pub uid: Option<u32>,
}

/// A batch about to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    pub sink: u32,
    pub folder: SinkFolderId,
    pub uid_validity: u32,
    /// No message of the batch can get a lower UID.
    pub floor: u32,
    /// In the order in which they are sent.
    pub messages: Vec<MessageRow>,
}

/// What became of a message at a sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conclusion {
    pub row: MessageRow,
    pub sink: u32,
    /// `copied`, `present`, `duplicate`, `altered`, `rejected`, `vanished`, `failed`, `skipped` or `undone`.
    pub outcome: &'static str,
    /// The server's words.
    pub words: Option<String>,
    pub delivered: Option<Delivered>,
    /// As delivered.
    pub flags: Flags,
    /// The message that it is a duplicate of.
    pub of: Option<MessageRow>,
}

/// A batch of which it is not known what arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenIntent {
    pub id: IntentId,
    pub created_unix: i64,
    pub folder: SinkFolderId,
    pub name: Vec<u8>,
    pub uid_validity: u32,
    pub floor: u32,
    pub messages: Vec<IntentMessage>,
}

/// A member of such a batch, in the order sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntentMessage {
    pub row: MessageRow,
    pub folder: FolderId,
    pub key: SourceKey,
    pub digests: Digests,
    pub message_id: Option<Vec<u8>>,
    pub size: u64,
    pub flags: Flags,
    pub date: Option<InternalDate>,
    pub place: Option<Place>,
    /// Was its outcome found already? Then `uid` is taken and stands for no other member.
    pub concluded: bool,
    pub uid: Option<u32>,
}

/// A message that stands in a destination folder, by hashes of what identity looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StandingRow {
    pub uid: u32,
    /// Hash of what it is looked up by; 0: nothing.
    pub key: u64,
    pub date: Option<i64>,
    pub from: u64,
    pub subject: u64,
    pub loose: Option<[u8; 16]>,
    pub size: u32,
    /// The message of a source that it stands for.
    pub row: Option<MessageRow>,
    /// That message's folder; read, not written.
    pub folder: Option<FolderId>,
}

/// A message that every sink has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletable {
    pub row: MessageRow,
    pub key: SourceKey,
    pub digests: Digests,
    pub size: u64,
    /// At the source, as last seen.
    pub flags: Flags,
    /// A run was about to mark it at the source, and did not write down that it had.
    pub marked: bool,
    pub place: Option<Place>,
    /// When the last sink had it.
    pub delivered_at_unix: i64,
    /// By index of the sink.
    pub at: Vec<DeletableAt>,
}

/// What a sink made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletableAt {
    pub outcome: String,
    pub delivered: Delivered,
}

/// Messages of one source folder with one outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    pub folder: FolderId,
    /// `None`: seen, nothing decided yet.
    pub outcome: Option<String>,
    pub messages: u64,
    pub bytes: u64,
}

/// A message that was not copied, for `status --failed`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    pub row: MessageRow,
    /// The source folder's name.
    pub folder: Vec<u8>,
    pub key: SourceKey,
    pub message_id: Option<Vec<u8>>,
    pub size: u64,
    pub outcome: String,
    pub words: Option<String>,
    pub run: i64,
}

/// An earlier copy of a message in its own folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    pub row: MessageRow,
    pub flags: Flags,
    pub delivered: Option<Delivered>,
}

/// A message that is gone from the source and still stands at a sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vanished {
    pub row: MessageRow,
    pub key: SourceKey,
    pub date: Option<InternalDate>,
    /// As it was read from the source; `None`: it was adopted by its header.
    pub digest: Option<Digest>,
    /// As they were when it was last seen.
    pub flags: Flags,
    /// When the run began that first missed it.
    pub since_unix: i64,
    pub delivered: Delivered,
    /// Wire name of the destination folder.
    pub place: Vec<u8>,
}

/// What became of one message at a sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub outcome: String,
    pub words: Option<String>,
    /// The run that this outcome came from.
    pub run: i64,
    /// Wire name of the destination folder; `None`: it is not there.
    pub folder: Option<Vec<u8>>,
    pub uid_validity: Option<u32>,
    pub uid: Option<u32>,
}

/// A message that a run delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    pub row: MessageRow,
    /// Wire name of its folder at the source.
    pub folder: Vec<u8>,
    pub key: SourceKey,
    pub message_id: Option<Vec<u8>>,
    pub date: Option<InternalDate>,
    /// As it was read from the source.
    pub digests: Option<Digests>,
    /// The newest outcome of the message, its words, and its run.
    pub outcome: String,
    pub words: Option<String>,
    pub run: i64,
    /// As delivered, and as later runs changed them.
    pub flags: Flags,
    /// Is the newest outcome still about this delivery?
    pub stands: bool,
    /// It is gone from its source, or mailhaul was about to take it away there: this delivery may be the only copy.
    pub only_copy: bool,
    /// Wire name of the destination folder.
    pub place: Vec<u8>,
    pub delivered: Delivered,
}
