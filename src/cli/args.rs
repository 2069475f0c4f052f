//! The arguments as they are written; [`super::options`] makes sense of them.

mod archive;

pub(super) use archive::*;

use crate::compare::{Level, Share};
use crate::engine::undo::Which;
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use std::path::PathBuf;

/// Moves, backs up and restores mail, and proves that nothing was lost.
///
/// A job file says from where (POP3 or IMAP) and to where (IMAP). mailhaul keeps a journal of what it delivered: a run
/// can be stopped at any moment, and the same command goes on where it stopped, with no message lost and none doubled.
#[derive(Debug, Parser)]
#[command(name = "mailhaul", version, term_width = 90, max_term_width = 90, after_help = MAIN_EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    pub globals: Globals,
    #[command(subcommand)]
    pub command: Command,
}

const MAIN_EXAMPLES: &str = "Example:
  mailhaul plan budi.toml     shows what would be done
  mailhaul run budi.toml      does it";

#[derive(Debug, ClapArgs)]
pub struct Globals {
    /// Write JSON Lines to stdout
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,
    /// Say nothing unless something goes wrong
    #[arg(long, short, global = true, help_heading = "Global options")]
    pub quiet: bool,
    /// Use no colours (as does the environment variable NO_COLOR)
    #[arg(long, global = true, help_heading = "Global options")]
    pub no_color: bool,
    /// Set a key of the job file, for this time only: --set source.port=995 (repeatable)
    #[arg(
        long,
        global = true,
        value_name = "KEY=VALUE",
        help_heading = "Global options"
    )]
    pub set: Vec<String>,
    /// Only this account of a job that has several (repeatable)
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        help_heading = "Global options"
    )]
    pub account: Vec<String>,
    /// Write down what is said to and heard from mail servers, without mail and secrets
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        value_hint = ValueHint::FilePath,
        help_heading = "Global options"
    )]
    pub trace: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Run(RunArgs),
    Plan(PlanArgs),
    Status(StatusArgs),
    Archive(ArchiveArgs),
    Verify(VerifyArgs),
    Undo(UndoArgs),
    Explain(ExplainArgs),
    Init(InitArgs),
    Check(CheckArgs),
    Login(LoginArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

/// Copy what the job says
///
/// Goes on where an earlier run stopped. The first Ctrl-C finishes what is in flight and stops, a second one leaves at
/// once; after either the same command goes on. The summary at the end accounts for every message of the source.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example:\n  mailhaul run budi.toml --set destination.port=1993")]
pub struct RunArgs {
    /// The job file
    #[arg(value_name = "JOB", value_hint = ValueHint::FilePath)]
    pub job: PathBuf,
    /// End with exit code 5 if a server altered messages
    #[arg(long)]
    pub strict: bool,
    /// Try again what a server rejected in earlier runs (what failed otherwise is tried again anyway)
    #[arg(long)]
    pub retry_failed: bool,
    /// Let `on-vanish` take up to N messages out of the archive, however large a part of it they are
    #[arg(long, value_name = "N")]
    pub accept_deletions: Option<u64>,
    /// Measure where the time goes, and tell it at the end
    #[arg(long)]
    pub explain_time: bool,
}

/// Show what `run` would do now
///
/// Connects, lists and compares; changes nothing, neither at a server nor on disk.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Example:\n  mailhaul plan budi.toml --json | jq 'select(.type == \"plan\") | .messages'"
)]
pub struct PlanArgs {
    /// The job file
    #[arg(value_name = "JOB", value_hint = ValueHint::FilePath)]
    pub job: PathBuf,
    /// Count what a server rejected in earlier runs as still to be done, as `run --retry-failed` does
    #[arg(long)]
    pub retry_failed: bool,
}

/// Show what the journal knows: runs, folders, messages not copied
///
/// Connects to nothing.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example:\n  mailhaul status budi.toml --failed")]
pub struct StatusArgs {
    /// The job file
    #[arg(value_name = "JOB", value_hint = ValueHint::FilePath)]
    pub job: PathBuf,
    /// Name every message that was not copied, with the server's words
    #[arg(long)]
    pub failed: bool,
}

/// Ask, find the servers, try to sign in, and write a job file
///
/// From an e-mail address: a provider that is known, what the domain says of itself, then common names. What is not given
/// is asked. Nothing is copied, and no password is written down.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Example:\n  mailhaul init budi.toml --from budi@gmail.com --to budi@example.org"
)]
pub struct InitArgs {
    /// The job file to write
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// The address to move from
    #[arg(long, value_name = "ADDRESS", value_parser = super::init::address)]
    pub from: Option<String>,
    /// The address to move to
    #[arg(long, value_name = "ADDRESS", value_parser = super::init::address)]
    pub to: Option<String>,
    /// How mail is read
    #[arg(long, value_enum, default_value = "imap")]
    pub from_protocol: InitProtocol,
    /// The server to move from, instead of looking for it
    #[arg(long, value_name = "HOST[:PORT]")]
    pub from_server: Option<String>,
    /// The server to move to, instead of looking for it
    #[arg(long, value_name = "HOST[:PORT]")]
    pub to_server: Option<String>,
    /// How a named server is spoken to
    #[arg(long, value_enum, default_value = "tls")]
    pub from_security: InitSecurity,
    /// How a named server is spoken to
    #[arg(long, value_enum, default_value = "tls")]
    pub to_security: InitSecurity,
    /// Trust the certificates of this PEM file, and no others
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub ca_file: Option<PathBuf>,
    /// The password is in this environment variable, now and in the job; else it is asked
    #[arg(long, value_name = "VARIABLE")]
    pub from_password_env: Option<String>,
    /// The same for the address to move to
    #[arg(long, value_name = "VARIABLE")]
    pub to_password_env: Option<String>,
    /// Write the job without trying to sign in
    #[arg(long)]
    pub no_sign_in: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InitProtocol {
    Imap,
    Pop3,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InitSecurity {
    Tls,
    Starttls,
    Plain,
}

/// Look at both ends: can they be reached, what can they do, what should the job say
///
/// Signs in and lists folders; changes nothing, neither at a server nor on disk.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example:\n  mailhaul check budi.toml")]
pub struct CheckArgs {
    /// The job file
    #[arg(value_name = "JOB", value_hint = ValueHint::FilePath)]
    pub job: PathBuf,
}

/// Sign in by OAuth 2.0, once, and keep the tokens
///
/// For every end of the job whose password is { oauth2 = … }. Tokens are kept in JOB.tokens beside the job, readable by
/// nobody else, and made new while a run needs them.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example:\n  mailhaul login budi.toml")]
pub struct LoginArgs {
    /// The job file
    #[arg(value_name = "JOB", value_hint = ValueHint::FilePath)]
    pub job: PathBuf,
    /// By a code that is typed in on any device, where the provider has that
    #[arg(long)]
    pub device: bool,
    /// The port of this machine to which the browser comes back (0: any)
    #[arg(
        long,
        value_name = "PORT",
        default_value_t = 0,
        conflicts_with = "device"
    )]
    pub port: u16,
}

/// Prove that both ends hold the same mail
///
/// Reads both ends afresh and compares them message by message, whatever earlier runs were told; changes nothing. Ends with exit
/// code 4 where anything is missing, moved, altered, doubled, or has other flags or another date. Mail that only the
/// destination has is listed, and no difference.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example:\n  mailhaul verify budi.toml --sample 5%")]
pub struct VerifyArgs {
    /// The job file
    #[arg(value_name = "JOB", value_hint = ValueHint::FilePath)]
    pub job: PathBuf,
    /// How closely to compare; doubled mail is seen by content alone, without --sample
    #[arg(long, value_enum, default_value_t = LevelArg::Content)]
    pub level: LevelArg,
    /// Read only a share of the messages, always the same ones, at least one a folder; the rest is counted
    #[arg(long, value_name = "SHARE")]
    pub sample: Option<Share>,
    /// Mail that only the destination has is a difference too
    #[arg(long)]
    pub strict_extra: bool,
}

/// Take back what a run added to the destination
///
/// Removes exactly the messages that the run delivered and that still are as they were delivered, in flags and content; all
/// others are listed, with the reason. The next run copies them again: undone means as before the run.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example:\n  mailhaul undo budi.toml --run last --dry-run")]
pub struct UndoArgs {
    /// The job file
    #[arg(value_name = "JOB", value_hint = ValueHint::FilePath)]
    pub job: PathBuf,
    /// The run's number, as `status` shows it, or `last`: the last that added anything
    #[arg(long, value_name = "RUN", value_parser = which)]
    pub run: Which,
    /// Look and tell; change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
}

/// Explain why two messages count as the same or not, or what an error code means
///
/// Two files, each one message (`.eml`, a file of a Maildir, or `-` for standard input): the verdict under each `dedup` rule
/// and its reason, the first taken for the source's and the second for what stands at the destination. One word: an error code.
#[derive(Debug, ClapArgs)]
#[command(
    override_usage = "mailhaul explain [OPTIONS] <FILE> <FILE>\n       mailhaul explain [OPTIONS] <CODE>",
    after_help = "Example:\n  mailhaul explain old.eml new.eml\n  mailhaul explain auth"
)]
pub struct ExplainArgs {
    /// Two files, or the code of an error
    #[arg(value_name = "WHAT", required = true, num_args = 1..=2, value_hint = ValueHint::FilePath)]
    pub what: Vec<PathBuf>,
}

fn which(text: &str) -> Result<Which, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(Which::Run(number)),
        _ if text == "last" => Ok(Which::Last),
        _ => Err("expected the number of a run, or last".to_owned()),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LevelArg {
    /// The number of messages in each folder
    Count,
    /// Headers, sizes, flags and dates of each message: cheap
    Headers,
    /// Every byte of each message, flags and dates: proof
    Content,
}

impl From<LevelArg> for Level {
    fn from(level: LevelArg) -> Self {
        match level {
            LevelArg::Count => Level::Count,
            LevelArg::Headers => Level::Headers,
            LevelArg::Content => Level::Content,
        }
    }
}

/// Write completions for a shell to stdout
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Example:\n  mailhaul completions fish > ~/.config/fish/completions/mailhaul.fish"
)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: Shell,
}

/// A page for each command, and for each command of `archive`.
const PAGES: [&str; 17] = [
    "run",
    "plan",
    "status",
    "verify",
    "undo",
    "explain",
    "archive",
    "archive-list",
    "archive-show",
    "archive-check",
    "archive-rebuild",
    "archive-export",
    "init",
    "check",
    "login",
    "completions",
    "man",
];

/// Write the manual page to stdout
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example:\n  mailhaul man run | man -l -")]
pub struct ManArgs {
    /// The page of this command; without it the main page
    #[arg(value_name = "COMMAND", value_parser = PAGES)]
    pub page: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn every_command_but_help_has_a_page_and_an_example() {
        let main = Args::command();
        let named = |c: &clap::Command| (c.get_name().to_owned(), c.clone());
        let mut commands: Vec<_> = main.get_subcommands().map(named).collect();
        for (name, command) in commands.clone() {
            let below = command.get_subcommands();
            commands.extend(below.map(|c| (format!("{name}-{}", c.get_name()), c.clone())));
        }
        for (name, command) in commands {
            let page = Args::try_parse_from(["mailhaul", "man", &name]);
            assert!(page.is_ok(), "{name}");
            let example = command.get_after_help().map(ToString::to_string);
            assert!(example.is_some_and(|e| e.starts_with("Example:")), "{name}");
        }
    }

    #[test]
    fn global_options_stand_anywhere() {
        let before = Args::try_parse_from(["mailhaul", "--json", "run", "a.toml"]).unwrap();
        let after = Args::try_parse_from(["mailhaul", "run", "a.toml", "--json"]).unwrap();
        assert!(before.globals.json && after.globals.json);
    }
}
