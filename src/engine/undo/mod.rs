//! Takes back what a run added to a destination: exactly that, and only what still is as it was delivered.
//!
//! A chunk is written down as about to be taken back, then removed (UID EXPUNGE), then written down as undone. A kill in between
//! leaves messages that the next `undo` finds gone and knows to have been its own doing. Undone means the state before the run: the
//! next run copies the messages again.

mod folder;

use super::account::{Frame, Logins};
use super::context::Context;
use super::front::journal_identity;
use super::link::SinkLink;
use super::pace::Pacing;
use super::{Stop, verify};
use crate::archive::Archive;
use crate::compare::Name;
use crate::error::{Code, Error, Kind, Result};
use crate::job::{Account, Job};
use crate::journal::{Added, Journal, RunId};
use crate::outcome::Event;
use crate::spool::Budget;
use crossbeam_channel::Sender;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Which run is undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    Run(i64),
    /// The newest that added anything.
    Last,
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    pub which: Which,
    /// Look, and change nothing.
    pub dry_run: bool,
}

/// A message that stays, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The destination's folder.
    pub folder: String,
    /// At the destination.
    pub name: Name,
    pub why: String,
}

/// What became of one destination.
#[derive(Debug, Clone, Default)]
pub struct UndoReport {
    pub account: String,
    pub destination: String,
    /// The run that was undone.
    pub run: i64,
    pub dry_run: bool,
    /// Messages that the run had added.
    pub added: u64,
    /// Of these, removed now (or to be removed, in a dry run).
    pub taken_back: u64,
    /// Of those, only marked as deleted: the server cannot remove single messages.
    pub marked: u64,
    pub left: Vec<Left>,
    /// Folders that the run was the first to use and that are empty now; they stay.
    pub empty: Vec<String>,
    pub elapsed: Duration,
    pub error: Option<Error>,
}

impl UndoReport {
    /// Messages that an early end left unseen.
    #[must_use]
    pub fn not_looked_at(&self) -> u64 {
        let seen = self.taken_back + self.left.len() as u64;
        self.added.saturating_sub(seen)
    }
}

/// The run that would be undone, and how many messages it added, by the journal alone.
///
/// # Errors
/// `Code::Usage` where there is no such run; those of the journal.
pub fn added(account: &Account, which: Which) -> Result<(i64, u64)> {
    let identity = journal_identity(account);
    let journal = Journal::open_read_only(&account.archive.path, &identity)?;
    let journal = journal.ok_or_else(|| never_ran(account))?;
    find(&journal, account, which)
}

fn find(journal: &Journal, account: &Account, which: Which) -> Result<(i64, u64)> {
    let runs = journal.runs()?;
    let count = |run: i64| -> Result<u64> {
        let mut added = 0;
        for sink in 0..account.destinations.len() as u32 {
            journal.added_by(run, sink, &mut |_| added += 1)?;
        }
        Ok(added)
    };
    let number = match which {
        Which::Run(number) => runs.iter().find(|run| run.id == number).map(|run| run.id),
        Which::Last => {
            let mut last = None;
            for run in runs.iter().rev() {
                if count(run.id)? > 0 {
                    last = Some(run.id);
                    break;
                }
            }
            last
        }
    };
    let number = number.ok_or_else(|| no_such_run(which))?;
    Ok((number, count(number)?))
}

fn never_ran(account: &Account) -> Error {
    let what = format!(
        "{} has not been run: there is nothing to undo",
        account.name
    );
    Error::new(Kind::Job, Code::Usage, what)
}

fn no_such_run(which: Which) -> Error {
    let what = match which {
        Which::Run(number) => format!("there is no run {number}"),
        Which::Last => "no run has added anything".to_owned(),
    };
    Error::new(Kind::Job, Code::Usage, what).hint("`mailhaul status JOB` shows the runs")
}

/// One destination on its way back.
struct Undo<'a> {
    context: &'a Context,
    journal: &'a mut Journal,
    /// The number under which it is written down; `None` in a dry run.
    run: Option<RunId>,
    of_run: i64,
    report: UndoReport,
}

/// Undoes a run at every destination of the job's only account.
#[must_use]
pub fn undo(job: &Job, order: Order, events: &Sender<Event>, stop: &Stop) -> Vec<UndoReport> {
    let mut reports = Vec::new();
    let pacing = Pacing::new(job);
    for account in &job.accounts {
        let frame = Frame {
            account,
            budget: Budget::new(job.budget),
            events: events.clone(),
            stop: stop.clone(),
            pacing: Arc::clone(&pacing),
        };
        if let Err(error) = one_account(&frame, order, &mut reports) {
            reports.push(UndoReport {
                account: account.name.clone(),
                dry_run: order.dry_run,
                error: Some(error),
                ..UndoReport::default()
            });
        }
    }
    reports
}

fn one_account(frame: &Frame<'_>, order: Order, reports: &mut Vec<UndoReport>) -> Result<()> {
    let (account, spec) = (frame.account, &frame.account.archive);
    let (of_run, _) = added(account, order.which)?;
    let logins = Logins::of(account)?;
    // Held until all is done: no run may work on the account meanwhile.
    let held = match order.dry_run {
        true => None,
        false => Some(Archive::open(spec)?),
    };
    let identity = journal_identity(account);
    let mut journal = match order.dry_run {
        true => {
            Journal::open_read_only(&spec.path, &identity)?.ok_or_else(|| never_ran(account))?
        }
        false => Journal::open(&spec.path, &identity)?,
    };
    let run = match order.dry_run {
        true => None,
        false => Some(journal.begin_run(&account.name)?),
    };
    let before = reports.len();
    for sink in 0..account.destinations.len() {
        let context = verify::reader(frame, &logins, sink);
        let report = one_destination(&context, &mut journal, run, of_run);
        let failed = report.error.is_some();
        reports.push(report);
        if failed {
            break;
        }
    }
    if let Some(run) = run {
        let taken: u64 = reports[before..]
            .iter()
            .map(|report| report.taken_back)
            .sum();
        let summary = serde_json::json!({ "undo": of_run, "taken_back": taken });
        journal.end_run(run, &summary.to_string())?;
    }
    drop(held);
    Ok(())
}

fn one_destination(
    context: &Context,
    journal: &mut Journal,
    run: Option<RunId>,
    of_run: i64,
) -> UndoReport {
    let started = Instant::now();
    let mut undo = Undo {
        context,
        journal,
        run,
        of_run,
        report: UndoReport {
            account: context.account.name.clone(),
            destination: context.destination.0.store.to_string(),
            run: of_run,
            dry_run: run.is_none(),
            ..UndoReport::default()
        },
    };
    let done = undo.all_folders();
    undo.report.error = done.err();
    undo.report.elapsed = started.elapsed();
    undo.report
}

impl Undo<'_> {
    fn all_folders(&mut self) -> Result<()> {
        let mut folders: BTreeMap<(Vec<u8>, u32), Vec<Added>> = BTreeMap::new();
        self.journal
            .added_by(self.of_run, self.context.sink, &mut |one| {
                let place = (one.place.clone(), one.delivered.uid_validity);
                folders.entry(place).or_default().push(one);
            })?;
        self.report.added = folders.values().map(|added| added.len() as u64).sum();
        self.context.tell(Event::Planned {
            account: self.context.account.name.clone(),
            folders: folders.len(),
            messages: self.report.added,
        });
        let mut link = SinkLink::new(self.context, None).first();
        let (naming, standing) = link.retry(|sink| sink.folders())?;
        let mut left_over = BTreeMap::new();
        for ((name, uid_validity), added) in folders {
            self.context.check_stop()?;
            let shown = standing
                .iter()
                .find(|folder| folder.name == name)
                .map(|folder| folder.folder.clone())
                .or_else(|| naming.folder(&name));
            let shown = shown.map_or_else(
                || String::from_utf8_lossy(&name).into_owned(),
                |folder| folder.to_string(),
            );
            let rest = self.one_folder(&mut link, &name, uid_validity, &shown, added)?;
            left_over.insert((name, uid_validity), (shown, rest));
        }
        for place in self.journal.first_used_by(self.of_run, self.context.sink)? {
            match left_over.get(&place) {
                Some((shown, Some(0))) if place.0 != b"INBOX" => {
                    self.report.empty.push(shown.clone());
                }
                _ => {}
            }
        }
        link.close()
    }
}
