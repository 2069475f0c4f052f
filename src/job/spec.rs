//! A checked job: what the rest of the program works with.

use super::store::Store;
use crate::message::{Folder, Search};
use std::path::PathBuf;

/// A job file, checked whole. Nothing in it can be wrong any more but the world outside.
#[derive(Debug, Clone)]
pub struct Job {
    /// The job file.
    pub path: PathBuf,
    /// One for a plain job; one a line of the CSV for a job with `accounts`.
    pub accounts: Vec<Account>,
    /// How many accounts are worked on at once (`parallel-accounts`, default 4).
    pub parallel_accounts: usize,
    /// Bytes in flight over the whole run (`budget`, default 16 MiB).
    pub budget: u64,
    /// What is dubious but allowed: each a full sentence for stderr (plain text to a host that is not loopback …).
    pub warnings: Vec<String>,
}

/// One account: its ends and its rules. Accounts share nothing but the job file.
#[derive(Debug, Clone)]
pub struct Account {
    /// The CSV's `name` column (else `user`), or the job file's stem.
    pub name: String,
    pub sources: Vec<SourceSpec>,
    pub destinations: Vec<DestinationSpec>,
    pub archive: ArchiveSpec,
    pub folders: FolderRules,
    pub filter: Filter,
    pub routes: Vec<Route>,
    pub dedup: Dedup,
    /// Drop copies within one source folder that are equal in Message-ID and digest, uniting their flags (`collapse = true`).
    pub collapse: bool,
    pub verify: Verify,
    /// Are messages that earlier runs' servers rejected tried again? Asked for on the command line, for one run.
    pub retry_rejected: bool,
    /// Are the waits measured? Asked for on the command line, for one run.
    pub explain_time: bool,
}

/// What a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Pop3,
    Imap,
}

#[derive(Debug, Clone)]
pub struct SourceSpec {
    pub store: Store,
    pub after: After,
    /// POP3 only: is its mail delivered as read (`seen`, default false)?
    pub seen: bool,
    /// IMAP only: is mail flagged \Deleted copied (`deleted = "copy"`) or skipped (`"skip"`, the default)?
    pub copy_deleted: bool,
    /// IMAP only: other users' and shared namespaces too (`shared = true`, default false).
    pub shared: bool,
}

#[derive(Debug, Clone)]
pub struct DestinationSpec {
    pub store: Store,
    /// `order = "source" | "any"`: do UIDs at the destination keep the source's order?
    pub keep_order: bool,
}

/// What happens at the source once a message is safe at every destination.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum After {
    #[default]
    Keep,
    Delete,
    /// Days since the message was delivered.
    DeleteAfterDays(u32),
    MarkRead,
    MoveTo(Folder),
}

/// Where the archive is and what it keeps.
#[derive(Debug, Clone)]
pub struct ArchiveSpec {
    /// Absolute. The `[archive]` path, else that of a destination that is an archive, else `JOB.state` (`JOB.state/ACCOUNT` with a CSV).
    pub path: PathBuf,
    /// Are the messages themselves kept under `mail/`?
    pub keep_mail: bool,
    pub format: MailFormat,
    pub layout: Layout,
    /// What happens in an archive that is the destination to mail that has gone from the source (`on-vanish`).
    pub on_vanish: OnVanish,
    /// Days that it stays untouched after a run first missed it (`grace-days`).
    pub grace_days: u32,
    /// So many may be touched however large a part of the mail they are (`run --accept-deletions`).
    pub accept_deletions: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnVanish {
    #[default]
    Keep,
    /// Moved to a folder below `Vanished`.
    Trash,
    Delete,
}

/// How an archive keeps mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MailFormat {
    #[default]
    Maildir,
    Mbox,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    #[default]
    MaildirPlusPlus,
    Fs,
}

/// `[folders]`.
#[derive(Debug, Clone, Default)]
pub struct FolderRules {
    /// Whole-name regular expressions and replacements, first match wins.
    pub map: Vec<(regex::Regex, String)>,
    /// Globs over source names; empty: all.
    pub include: Vec<globset::GlobMatcher>,
    pub exclude: Vec<globset::GlobMatcher>,
    /// Everything into INBOX.
    pub flatten: bool,
    /// Everything below this folder, after all other rules.
    pub into: Option<Folder>,
    /// Special-use folders go to the destination's folder of the same use, whatever its name (`special-use`, default true).
    pub special_use: bool,
    /// Subscribe at the destination what is subscribed at the source (`subscribe`, default true).
    pub subscribe: bool,
    /// Two source folders may land in one destination folder without a complaint (`merge`, default false: the plan stops the
    /// later of them and says so).
    pub merge: bool,
    /// What becomes of a message with several labels where there are only folders.
    pub labels: LabelRule,
    /// Labels that come before all others when one folder is chosen, as folders are shown.
    pub label_priority: Vec<Folder>,
}

/// `labels`: a message of a source with labels, at a destination that has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LabelRule {
    /// A copy in each label's folder.
    Folders,
    /// In the folder of its first label.
    #[default]
    First,
    /// The same, its labels as keywords.
    Keywords,
}

/// `[filter]`: messages outside it are *skipped*.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// On or after this day, 00:00 UTC, epoch seconds.
    pub since: Option<i64>,
    /// Before this day, 00:00 UTC, epoch seconds.
    pub before: Option<i64>,
    /// Bytes.
    pub max_size: Option<u64>,
    /// What the header has to hold; known of a message only once it is read.
    pub search: Option<Search>,
}

/// One `[[route]]`: all the conditions given must hold; the first route that matches decides.
#[derive(Debug, Clone)]
pub struct Route {
    /// Address or glob, matched without regard to case against every address of From.
    pub from: Option<globset::GlobMatcher>,
    /// Against every address of To, Cc and Delivered-To.
    pub to: Option<globset::GlobMatcher>,
    /// Against what stands between `<` and `>` of List-Id.
    pub list_id: Option<globset::GlobMatcher>,
    /// The year of the message's date (UTC).
    pub year: Option<i32>,
    /// `{year}` is replaced by the year of the message's date.
    pub folder: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dedup {
    #[default]
    MessageId,
    Content,
    StrictMessageId,
    Off,
}

/// Which delivered messages are read back in the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verify {
    #[default]
    Risky,
    All,
    None,
}
