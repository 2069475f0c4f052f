//! What all workers of one account share.

use super::Stop;
use super::ledger::Ledger;
use crate::archive::Archive;
use crate::auth::Credentials;
use crate::error::{Code, Error, Kind, Result};
use crate::job::{Account, DestinationSpec, SourceSpec};
use crate::journal::{FolderId, RunId};
use crate::outcome::{Counts, Event, FolderReport, Outcome, Trouble};
use crate::plan::Step;
use crate::spool::Budget;
use crossbeam_channel::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Trouble that is told one by one; beyond it only the counts grow.
const TROUBLE_TOLD: usize = 1000;

/// One account on its way to one destination.
pub(super) struct Context {
    pub(super) account: Account,
    pub(super) sources: Vec<(SourceSpec, Credentials)>,
    pub(super) destination: (DestinationSpec, Credentials),
    /// Which destination of the account, from 0: the journal keeps their deliveries apart.
    pub(super) sink: u32,
    pub(super) run: RunId,
    pub(super) ledger: Ledger,
    /// Where messages are kept, if the job keeps them.
    pub(super) archive: Option<Mutex<Archive>>,
    pub(super) budget: Budget,
    pub(super) events: Sender<Event>,
    pub(super) stop: Stop,
    pub(super) trouble: Mutex<Vec<Trouble>>,
}

/// A lock whose holder panicked holds plain data that is still whole.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Context {
    /// Tells the front; that nobody listens any more is no reason to stop moving mail.
    pub(super) fn tell(&self, event: Event) {
        drop(self.events.send(event));
    }

    pub(super) fn warn(&self, text: impl Into<String>) {
        self.tell(Event::Warning { account: self.account.name.clone(), text: text.into() });
    }

    pub(super) fn check_stop(&self) -> Result<()> {
        if self.stop.asked() { Err(interrupted()) } else { Ok(()) }
    }

    pub(super) fn trouble(&self, trouble: Trouble) {
        let mut told = lock(&self.trouble);
        if told.len() < TROUBLE_TOLD {
            told.push(trouble.clone());
        }
        drop(told);
        self.tell(Event::Trouble { account: self.account.name.clone(), trouble });
    }
}

pub(super) fn interrupted() -> Error {
    Error::new(Kind::Interrupted, Code::Interrupted, "interrupted; everything done so far is kept")
        .hint("run the same command again: it goes on where this run stopped")
}

/// A step while it is worked on, seen from both sides of a lane.
pub(super) struct StepRun {
    pub(super) step: Step,
    pub(super) folder: FolderId,
    report: Mutex<FolderReport>,
}

impl StepRun {
    pub(super) fn new(step: Step, folder: FolderId) -> Arc<Self> {
        let report = FolderReport {
            folder: step.source.folder.to_string(),
            to: step.target.folder.to_string(),
            source_count: 0,
            counts: Counts::default(),
            flags_changed: 0,
            bytes: 0,
            read: None,
            delivered: None,
            error: None,
        };
        Arc::new(StepRun { step, folder, report: Mutex::new(report) })
    }

    pub(super) fn report(&self) -> MutexGuard<'_, FolderReport> {
        lock(&self.report)
    }

    /// Counts messages that ended so, and tells of the progress.
    pub(super) fn count(&self, context: &Context, outcome: Outcome, messages: u64, bytes: u64) {
        let mut report = self.report();
        report.counts.add(outcome, messages);
        report.bytes += bytes;
        let folder = report.folder.clone();
        drop(report);
        context.tell(Event::Advanced { account: context.account.name.clone(), folder, messages, bytes });
    }
}
