//! One error type, its kinds chosen by what the caller does next.
//!
//! | kind          | the caller …                                                        |
//! |---------------|---------------------------------------------------------------------|
//! | `Transient`   | reconnects with backoff and goes on at the message                  |
//! | `Throttled`   | waits as long as the server asked, with fewer connections, goes on  |
//! | `Message`     | gives this message an outcome (rejected, failed), goes on           |
//! | `Folder`      | fails this folder by name, goes on with the others                  |
//! | `Account`     | stops this account; other accounts go on                            |
//! | `Job`         | stops before anything connects: the job or the command line is bad  |
//! | `Interrupted` | stops, everything committed: the run can be resumed                 |
//! | `Internal`    | stops: a defect of mailhaul, or the local disk                      |

mod codes;

use std::fmt;
use std::time::Duration;

/// What the caller does next; see the table at the head of this file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Transient,
    Throttled(Duration),
    Message,
    Folder,
    Account,
    Job,
    Interrupted,
    Internal,
}

/// Which end of the job an error came from; decides between exit codes 10 and 11.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    Source,
    Destination,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            End::Source => "source",
            End::Destination => "destination",
        })
    }
}

/// A stable name of an error, part of the contract with tools that read `--json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// The command line is wrong.
    Usage,
    /// The job file is wrong.
    Job,
    /// A secret could not be had.
    Secret,
    /// Host not found, connection refused or lost.
    Connect,
    /// A deadline passed without progress.
    Timeout,
    /// TLS could not be set up, or the certificate is not to be trusted.
    Tls,
    /// The server refused the login.
    Auth,
    /// The server spoke something that is not the protocol.
    Protocol,
    /// The server said NO, BAD or -ERR.
    Refused,
    /// The server asks to slow down.
    Throttled,
    /// What the server allows a day is used up.
    DailyLimit,
    /// No room at the destination.
    Full,
    /// More messages would be taken out of the archive than is plausible.
    Deletions,
    /// Both ends are the same mailbox.
    SameMailbox,
    /// Another run holds the account.
    Locked,
    /// The archive or journal belongs to another account or a newer mailhaul.
    Foreign,
    /// The journal cannot be read.
    Journal,
    /// The local disk refused.
    Disk,
    /// Ctrl-C or SIGTERM.
    Interrupted,
    /// A defect of mailhaul.
    Internal,
}

impl Code {
    /// The code as it is printed: lower case, kebab-case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Code::Usage => "usage",
            Code::Job => "job",
            Code::Secret => "secret",
            Code::Connect => "connect",
            Code::Timeout => "timeout",
            Code::Tls => "tls",
            Code::Auth => "auth",
            Code::Protocol => "protocol",
            Code::Refused => "refused",
            Code::Throttled => "throttled",
            Code::DailyLimit => "daily-limit",
            Code::Full => "full",
            Code::Deletions => "deletions",
            Code::SameMailbox => "same-mailbox",
            Code::Locked => "locked",
            Code::Foreign => "foreign",
            Code::Journal => "journal",
            Code::Disk => "disk",
            Code::Interrupted => "interrupted",
            Code::Internal => "internal",
        }
    }
}

/// An error a person can act on: what happened, to what, and what to do now.
///
/// `what` is one line in mailhaul's own words and names host, folder, path or UID (attached once, at
/// the lowest frame that knows it). `words` are the server's or the system's, raw: whoever prints
/// them escapes them. Neither ever holds a secret.
#[derive(Debug, Clone)]
pub struct Error {
    pub kind: Kind,
    pub code: Code,
    pub end: Option<End>,
    pub what: String,
    pub words: Option<String>,
    pub hint: Option<String>,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    #[must_use]
    pub fn new(kind: Kind, code: Code, what: impl Into<String>) -> Self {
        Error {
            kind,
            code,
            end: None,
            what: what.into(),
            words: None,
            hint: None,
        }
    }

    /// The server's or the system's own words.
    #[must_use]
    pub fn words(mut self, words: impl Into<String>) -> Self {
        self.words = Some(words.into());
        self
    }

    /// What to do now; printed behind `try:`.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Which end of the job it happened at.
    #[must_use]
    pub fn at(mut self, end: End) -> Self {
        self.end = Some(end);
        self
    }

    /// The local disk refused `doing` on `path`.
    #[must_use]
    pub fn disk(doing: &str, path: &std::path::Path, e: &std::io::Error) -> Self {
        Error::new(
            Kind::Internal,
            Code::Disk,
            format!("cannot {doing} {}", path.display()),
        )
        .words(e.to_string())
    }

    /// Is it worth connecting again?
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self.kind, Kind::Transient | Kind::Throttled(_))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if let Some(words) = &self.words {
            write!(f, ": {words}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
