//! `mailhaul archive …`.

use clap::{Args as ClapArgs, Subcommand, ValueEnum, ValueHint};
use std::path::PathBuf;

/// Look into an archive, check it, put it right, take mail out of it
///
/// PATH is the directory of an archive, or a job file: then its archive is meant. Nothing connects to a server.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Example:\n  mailhaul archive check budi.archive\n  mailhaul archive list budi.archive --folder 'Work*'"
)]
pub struct ArchiveArgs {
    #[command(subcommand)]
    pub command: ArchiveCommand,
}

#[derive(Debug, Subcommand)]
pub enum ArchiveCommand {
    List(ListArgs),
    Show(ShowArgs),
    Check(CheckArgs),
    Rebuild(RebuildArgs),
    Export(ExportArgs),
}

/// List folders, or the messages of some
///
/// Without --folder, --messages, --since, --before and --search: a line a folder, with its messages and bytes. With one of them: a line a
/// message, with the number by which `show` knows it.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Example:\n  mailhaul archive list budi.archive\n  mailhaul archive list budi.archive --search 'from:tono subject:\"the rent\"'"
)]
pub struct ListArgs {
    /// The archive's directory, or a job file
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub path: PathBuf,
    /// List messages, of all folders
    #[arg(long)]
    pub messages: bool,
    #[command(flatten)]
    pub choice: Choice,
}

/// Which messages are meant.
#[derive(Debug, ClapArgs)]
pub struct Choice {
    /// Only folders that match, such as INBOX or 'Work*' (repeatable)
    #[arg(long, value_name = "GLOB")]
    pub folder: Vec<String>,
    /// Only messages of this day (UTC) and later: 2015-01-31
    #[arg(long, value_name = "DAY")]
    pub since: Option<String>,
    /// Only messages before this day (UTC)
    #[arg(long, value_name = "DAY")]
    pub before: Option<String>,
    /// Only messages whose header has all of these: from:TEXT, any-header:TEXT, or TEXT in From, To, Cc, Subject
    #[arg(long, value_name = "TERMS")]
    pub search: Option<String>,
}

/// Show one message, decoded for reading or as it is
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Example:\n  mailhaul archive show budi.archive INBOX 12\n  mailhaul archive show budi.archive Work/2024 '<id@example.org>' --raw > message.eml"
)]
pub struct ShowArgs {
    /// The archive's directory, or a job file
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub path: PathBuf,
    /// The folder, as `list` shows it
    #[arg(value_name = "FOLDER")]
    pub folder: String,
    /// The message's number, or its Message-ID
    #[arg(value_name = "MESSAGE")]
    pub message: String,
    /// Write the message's own bytes, line ends CRLF, to a file or a pipe
    #[arg(long, conflicts_with = "headers")]
    pub raw: bool,
    /// Show all header fields, decoded, and nothing else
    #[arg(long)]
    pub headers: bool,
}

/// Read every byte and compare it with its digest
///
/// Names what was changed (bit rot), what is missing, files that nobody knows, damaged lines of sidecars, what a killed run left, and messages
/// that the journal thinks are kept. Changes nothing. Ends with 4 if anything is wrong.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example:\n  mailhaul archive check budi.archive")]
pub struct CheckArgs {
    /// The archive's directory, or a job file
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub path: PathBuf,
}

/// Make the journal anew from the mail and its sidecars
///
/// For a journal that is lost or damaged. The old one is kept under another name. The next run of the job adopts what stands at its destination.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example:\n  mailhaul archive rebuild budi.archive")]
pub struct RebuildArgs {
    /// The archive's directory, or a job file
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub path: PathBuf,
}

/// Write mail out for other programs
///
/// mbox (mboxrd; one file a folder, or all in one if --to ends in .mbox), a Maildir++ tree with flags and dates, or a file a message
/// (.eml, line ends CRLF). Nothing is overwritten: --to is a directory that is empty or not there yet.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Example:\n  mailhaul archive export budi.archive --format mbox --to budi.mbox\n  mailhaul archive export budi.archive --format eml --to rent --search rent"
)]
pub struct ExportArgs {
    /// The archive's directory, or a job file
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub path: PathBuf,
    /// Where to: a new or empty directory, or a new .mbox file
    #[arg(long, value_name = "DIR", value_hint = ValueHint::AnyPath)]
    pub to: PathBuf,
    /// What to write
    #[arg(long, value_enum)]
    pub format: Format,
    #[command(flatten)]
    pub choice: Choice,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Mbox,
    Maildir,
    Eml,
}
