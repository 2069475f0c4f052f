//! `mailhaul archive COMMAND PATH`: what all of its commands share.

mod bar;
mod check;
mod export;
mod list;
mod rebuild;
mod show;

use super::args::{ArchiveArgs, ArchiveCommand, Choice};
use super::exit_codes::ExitCode;
use super::load;
use super::options::Options;
use super::terminal::Terminal;
use crate::archive::Selection;
use crate::error::{Code, Error, Kind, Result};
use std::path::{Path, PathBuf};

pub(super) fn run(args: &ArchiveArgs, options: &Options, terminal: &Terminal) -> ExitCode {
    let path = match &args.command {
        ArchiveCommand::List(list) => &list.path,
        ArchiveCommand::Show(show) => &show.path,
        ArchiveCommand::Check(check) => &check.path,
        ArchiveCommand::Rebuild(rebuild) => &rebuild.path,
        ArchiveCommand::Export(export) => &export.path,
    };
    let shelf = match find(path, options, terminal) {
        Ok(shelf) => shelf,
        Err(code) => return code,
    };
    match &args.command {
        ArchiveCommand::List(args) => list::run(args, &shelf, terminal),
        ArchiveCommand::Show(args) => show::run(args, &shelf, terminal),
        ArchiveCommand::Check(_) => check::run(&shelf, terminal),
        ArchiveCommand::Rebuild(_) => rebuild::run(&shelf, terminal),
        ArchiveCommand::Export(args) => export::run(args, &shelf, terminal),
    }
}

/// The archive that is meant.
struct Shelf {
    root: PathBuf,
    /// The job's sources, `imap://user@host`; none where the directory was named.
    sources: Vec<String>,
}

/// A directory is an archive, everything else a job file.
fn find(path: &Path, options: &Options, terminal: &Terminal) -> Result<Shelf, ExitCode> {
    if path.is_dir() {
        if options.accounts.is_empty() {
            return Ok(Shelf {
                root: path.to_owned(),
                sources: Vec::new(),
            });
        }
        let what = format!(
            "--account is for job files: {} is a directory",
            path.display()
        );
        return Err(terminal.fail(&Error::new(Kind::Job, Code::Usage, what)));
    }
    if !path.exists() {
        let what = format!(
            "{} is neither an archive nor a job file: nothing is there",
            path.display()
        );
        return Err(terminal.fail(&Error::new(Kind::Job, Code::Usage, what)));
    }
    let job = load::job(path, options, terminal)?;
    match &job.accounts[..] {
        [account] => Ok(Shelf {
            root: account.archive.path.clone(),
            sources: account
                .sources
                .iter()
                .map(|s| s.store.to_string())
                .collect(),
        }),
        accounts => {
            let what = format!(
                "the job has {} accounts, each with its archive",
                accounts.len()
            );
            let error = Error::new(Kind::Job, Code::Usage, what).hint("say which: --account NAME");
            Err(terminal.fail(&error))
        }
    }
}

fn selection(choice: &Choice) -> Result<Selection> {
    Selection::default()
        .folders(&choice.folder)?
        .days(choice.since.as_deref(), choice.before.as_deref())?
        .search(choice.search.as_deref())
}
