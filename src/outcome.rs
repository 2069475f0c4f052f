//! What became of messages, and what a run tells while it works: data only.

mod spent;

pub use spent::{Spent, Wait};

use crate::error::Error;
use serde::Serialize;
use std::time::Duration;

/// What became of one source message. Each message of the source ends in exactly one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Delivered by this run.
    Copied,
    /// At the destination before: delivered by an earlier run, or mail of the destination's own that is the same.
    Present,
    /// The same as another message of this job that stands for it.
    Duplicate,
    /// Delivered, but the server changed bytes.
    Altered,
    /// The destination refused it for good, with words.
    Rejected,
    /// Gone at the source during the run.
    Vanished,
    /// Not copied; can be tried again.
    Failed,
    /// Left out by the job's own filter.
    Skipped,
}

impl Outcome {
    pub const ALL: [Outcome; 8] = [
        Outcome::Copied,
        Outcome::Present,
        Outcome::Duplicate,
        Outcome::Altered,
        Outcome::Rejected,
        Outcome::Vanished,
        Outcome::Failed,
        Outcome::Skipped,
    ];

    /// The word in the journal and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Copied => "copied",
            Outcome::Present => "present",
            Outcome::Duplicate => "duplicate",
            Outcome::Altered => "altered",
            Outcome::Rejected => "rejected",
            Outcome::Vanished => "vanished",
            Outcome::Failed => "failed",
            Outcome::Skipped => "skipped",
        }
    }

    /// The words in a sentence for people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Outcome::Present => "already there",
            other => other.as_str(),
        }
    }

    /// The inverse of [`Outcome::as_str`].
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Outcome::ALL
            .into_iter()
            .find(|outcome| outcome.as_str() == word)
    }

    /// Does the message stand at the destination?
    #[must_use]
    pub fn is_delivered(self) -> bool {
        matches!(self, Outcome::Copied | Outcome::Present | Outcome::Altered)
    }

    /// Is it mail that should have been copied and was not?
    #[must_use]
    pub fn is_trouble(self) -> bool {
        matches!(self, Outcome::Rejected | Outcome::Failed)
    }
}

/// How many messages ended in each outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts([u64; 8]);

impl Counts {
    pub fn add(&mut self, outcome: Outcome, messages: u64) {
        self.0[outcome as usize] += messages;
    }

    /// A message counted in one outcome turned out to be of another.
    pub fn move_one(&mut self, from: Outcome, to: Outcome) {
        self.0[from as usize] = self.0[from as usize].saturating_sub(1);
        self.0[to as usize] += 1;
    }

    /// Takes back so many of an outcome, or as many as there are.
    pub fn remove(&mut self, outcome: Outcome, messages: u64) {
        self.0[outcome as usize] = self.0[outcome as usize].saturating_sub(messages);
    }

    #[must_use]
    pub fn of(&self, outcome: Outcome) -> u64 {
        self.0[outcome as usize]
    }

    pub fn merge(&mut self, other: &Counts) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }

    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// One folder of the source, after a run.
#[derive(Debug, Clone)]
pub struct FolderReport {
    /// Name at the source, as shown (see `message::Folder`).
    pub folder: String,
    /// Name at the destination, as shown; several with routes, joined by `, `.
    pub to: String,
    /// Messages the source holds, by its own complete listing.
    pub source_count: u64,
    pub counts: Counts,
    /// Messages whose flags were changed at the destination to follow the source.
    pub flags_changed: u64,
    /// Bytes delivered, canonical form.
    pub bytes: u64,
    /// BLAKE3 over the sorted digests of what was read from the source (this run and before), 64 hex digits.
    pub read: Option<String>,
    /// The same over what is known to be delivered.
    pub delivered: Option<String>,
    /// Why the folder could not be finished.
    pub error: Option<Error>,
}

impl FolderReport {
    /// The folder ended early: what has no outcome yet has failed.
    pub fn fail_the_rest(&mut self) {
        let rest = self.source_count.saturating_sub(self.counts.total());
        self.counts.add(Outcome::Failed, rest);
    }

    /// The report of the same folder, worked on once more in the same run.
    pub fn merge(&mut self, later: FolderReport) {
        self.counts.merge(&later.counts);
        self.source_count += later.source_count;
        self.bytes += later.bytes;
        self.flags_changed += later.flags_changed;
        self.read = later.read.or(self.read.take());
        self.delivered = later.delivered.or(self.delivered.take());
        self.error = later.error.or(self.error.take());
    }
}

/// A message that did not go as it should.
#[derive(Debug, Clone)]
pub struct Trouble {
    pub folder: String,
    /// UID, or POP3 unique-id; bytes of the server, to be shown escaped.
    pub key: String,
    /// Raw bytes as text, to be shown escaped; empty where there is none.
    pub message_id: String,
    pub outcome: Outcome,
    /// The server's words, to be shown escaped.
    pub words: String,
}

/// One account, after a run.
#[derive(Debug, Clone)]
pub struct AccountReport {
    pub account: String,
    pub folders: Vec<FolderReport>,
    /// At most the first 1,000; the counts are complete.
    pub trouble: Vec<Trouble>,
    pub elapsed: Duration,
    /// Messages removed, moved or marked at the source after delivery (`after`).
    pub after: u64,
    /// Messages gone from the source that were moved or removed in the archive (`on-vanish`).
    pub vanished: u64,
    /// What ended the account early, if anything did.
    pub error: Option<Error>,
    /// The byte budget's high-water mark, in bytes.
    pub high_water: u64,
    /// Where the seconds went, if that was asked for.
    pub spent: Option<Spent>,
}

impl AccountReport {
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut all = Counts::default();
        self.folders
            .iter()
            .for_each(|folder| all.merge(&folder.counts));
        all
    }

    #[must_use]
    pub fn source_count(&self) -> u64 {
        self.folders.iter().map(|folder| folder.source_count).sum()
    }

    /// Messages of the source without an outcome: 0 unless the run was cut short.
    #[must_use]
    pub fn unaccounted(&self) -> i128 {
        i128::from(self.source_count()) - i128::from(self.counts().total())
    }
}

/// What a run tells while it works. Texts from servers are raw in it; `render` escapes them.
#[derive(Debug, Clone)]
pub enum Event {
    AccountStarted {
        account: String,
    },
    /// The plan is made: so many folders with work to do, so many messages believed to be waiting.
    Planned {
        account: String,
        folders: usize,
        messages: u64,
    },
    FolderStarted {
        account: String,
        folder: String,
        to: String,
        messages: u64,
    },
    /// So many more messages have their outcome, so many more bytes were delivered.
    Advanced {
        account: String,
        folder: String,
        messages: u64,
        bytes: u64,
    },
    FolderDone {
        account: String,
        report: FolderReport,
    },
    /// `verify` has compared it.
    FolderChecked {
        account: String,
        folder: String,
    },
    Trouble {
        account: String,
        trouble: Trouble,
    },
    /// The run waits: a server asked for it, a connection is made anew, a doubtful delivery is looked for again.
    Waiting {
        account: String,
        why: String,
        seconds: u64,
    },
    Warning {
        account: String,
        text: String,
    },
    AccountDone {
        account: String,
        report: AccountReport,
    },
}
