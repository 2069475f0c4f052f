//! `mailhaul status JOB`: what the journals know. Connects to nothing and changes nothing.

use super::args::StatusArgs;
use super::exit_codes::ExitCode;
use super::load;
use super::options::Options;
use super::terminal::Terminal;
use crate::engine::front;
use crate::error::Result;
use crate::job::Account;
use crate::journal::{Failed, FolderId, Journal, Run};
use crate::message::{Folder, SourceKey};
use crate::outcome::{Outcome, Trouble};
use crate::render::status::{FolderStatus, RunStatus, Status};
use crate::render::{json, status};
use std::collections::BTreeMap;

pub(super) fn run(args: &StatusArgs, options: &Options, terminal: &Terminal) -> ExitCode {
    let job = match load::job(&args.job, options, terminal) {
        Ok(job) => job,
        Err(code) => return code,
    };
    job.accounts
        .iter()
        .map(|account| match read(account, args.failed) {
            Ok(known) => show(&known, args.failed, terminal),
            Err(error) => terminal.fail_for(Some(&account.name), &error),
        })
        .fold(ExitCode::Done, ExitCode::worst)
}

fn show(known: &Status, failed: bool, terminal: &Terminal) -> ExitCode {
    let lines = match (terminal.json, failed) {
        (true, _) => json::status(known, failed),
        (false, true) => status::failed(known, terminal.out),
        (false, false) => status::lines(known, terminal.out),
    };
    terminal.lines(&lines);
    ExitCode::Done
}

fn read(account: &Account, failed: bool) -> Result<Status> {
    let mut known = Status {
        account: account.name.clone(),
        ..Status::default()
    };
    let identity = front::journal_identity(account);
    let Some(journal) = Journal::open_read_only(&account.archive.path, &identity)? else {
        return Ok(known);
    };
    let sinks = 0..account.destinations.len() as u32;
    if failed {
        for sink in sinks {
            journal.failed(sink, |one| known.failed.push(trouble(&one)))?;
        }
        return Ok(known);
    }
    known.runs = journal.runs()?.iter().rev().map(run_status).collect();
    known.usage = front::used_today(account, &journal)?;
    let mut folders = folders(&journal, account.sources.len() as u32)?;
    for sink in sinks {
        count(&journal, sink, &mut folders)?;
    }
    known.folders = folders.into_values().collect();
    Ok(known)
}

fn run_status(run: &Run) -> RunStatus {
    let summary: Option<serde_json::Value> = run
        .summary
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok());
    let summary = summary.unwrap_or_default();
    let copied = summary["outcomes"]["copied"].as_u64();
    let undid = summary["undo"].as_i64().zip(summary["taken_back"].as_u64());
    RunStatus {
        run: run.id,
        started: run.started_unix,
        ended: run.ended_unix,
        copied,
        undid,
    }
}

fn folders(journal: &Journal, sources: u32) -> Result<BTreeMap<FolderId, FolderStatus>> {
    let mut folders = BTreeMap::new();
    for source in 0..sources {
        for folder in journal.folders(source)? {
            let status = FolderStatus {
                folder: shown(&folder.name),
                ..FolderStatus::default()
            };
            folders.insert(folder.id, status);
        }
    }
    Ok(folders)
}

/// Adds what one destination has. With several, the counts are of deliveries, not of messages.
fn count(
    journal: &Journal,
    sink: u32,
    folders: &mut BTreeMap<FolderId, FolderStatus>,
) -> Result<()> {
    for count in journal.counts(sink)? {
        let Some(folder) = folders.get_mut(&count.folder) else {
            continue;
        };
        folder.known += count.messages;
        let outcome = count.outcome.as_deref().and_then(Outcome::from_word);
        if outcome.is_some_and(Outcome::is_delivered) {
            folder.delivered += count.messages;
        } else if outcome.is_some_and(Outcome::is_trouble) {
            folder.failed += count.messages;
        }
    }
    for message in journal.open_intents(sink)?.iter().flat_map(|i| &i.messages) {
        if let Some(folder) = folders
            .get_mut(&message.folder)
            .filter(|_| !message.concluded)
        {
            folder.in_doubt += 1;
        }
    }
    Ok(())
}

fn trouble(failed: &Failed) -> Trouble {
    Trouble {
        folder: shown(&failed.folder),
        key: match &failed.key {
            SourceKey::Uid(uid) => uid.to_string(),
            SourceKey::Name { name, .. } => String::from_utf8_lossy(name).into_owned(),
        },
        message_id: lossy(failed.message_id.as_deref()),
        outcome: Outcome::from_word(&failed.outcome).unwrap_or(Outcome::Failed),
        words: failed.words.clone().unwrap_or_default(),
    }
}

fn lossy(bytes: Option<&[u8]>) -> String {
    String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned()
}

/// A wire name as text. The server's separator is not in the journal: `/` is taken for one, others stand as they are.
fn shown(name: &[u8]) -> String {
    Folder::from_wire(name, Some(b'/'), b"")
        .map_or_else(|| lossy(Some(name)), |folder| folder.to_string())
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
