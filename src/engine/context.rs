//! What all workers of one account share.

use super::Stop;
use super::account::Login;
use super::ledger::Ledger;
use super::pace::{Paces, Pacing, Places};
use super::parts::Board;
use super::times::Times;
use crate::archive::Archive;
use crate::error::{Code, Error, Kind, Result};
use crate::job::{Account, DestinationSpec, SourceSpec};
use crate::journal::{FolderId, RunId, source_text};
use crate::message::{Folder, SourceKey};
use crate::outcome::{Counts, Event, FolderReport, Outcome, Trouble};
use crate::plan::labels::Labels;
use crate::plan::{Landscape, Plan, SourceFolder, Step, Target};
use crate::sink::Door;
use crate::source::Source;
use crate::spool::Budget;
use crossbeam_channel::Sender;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Trouble that is told one by one; beyond it only the counts grow.
const TROUBLE_TOLD: usize = 1000;
/// What a message costs beside its bytes, in bytes that take about as long.
const MESSAGE: u64 = 4096;

/// One account on its way to one destination.
pub(super) struct Context {
    pub(super) account: Account,
    pub(super) sources: Vec<(SourceSpec, Login)>,
    pub(super) destination: (DestinationSpec, Login),
    /// All of the account, that one too.
    pub(super) destinations: Vec<(DestinationSpec, Login)>,
    /// Which destination of the account, from 0: the journal keeps their deliveries apart.
    pub(super) sink: u32,
    pub(super) run: RunId,
    pub(super) ledger: Ledger,
    /// Where messages are kept, if the job keeps them.
    pub(super) archive: Option<Mutex<Archive>>,
    pub(super) budget: Budget,
    pub(super) events: Sender<Event>,
    pub(super) stop: Stop,
    pub(super) paces: Paces,
    /// Clocks, where the run is to explain its time.
    pub(super) times: Option<Arc<Times>>,
    /// Connections to the sources that nobody uses at the moment, one place a source.
    pub(super) idle_sources: Vec<Mutex<Option<Box<dyn Source>>>>,
    /// When messages were first found to be in doubt, if any are.
    pub(super) doubt_since: Mutex<Option<Instant>>,
    /// What has to be sent once more at the end of the run: nothing else is, then.
    pub(super) resend: Mutex<HashMap<FolderId, HashSet<SourceKey>>>,
    /// Destination folders as they were just before the lanes began, by wire name; each is taken by the first who opens it.
    pub(super) doors: Mutex<HashMap<Vec<u8>, Door>>,
    /// Large folders that several connections read.
    pub(super) board: Board,
    /// How much has been done: see [`Context::moved`].
    moved: AtomicU64,
    /// The words of a server that asked for patience since they were last looked at.
    throttled: Mutex<Option<String>>,
    landscape: Mutex<Landscape>,
    labels: Mutex<Arc<Labels>>,
    trouble: Mutex<Vec<Trouble>>,
    steps: Mutex<Vec<Arc<StepRun>>>,
}

/// What a context is made of.
pub(super) struct Parts {
    pub(super) account: Account,
    pub(super) sources: Vec<(SourceSpec, Login)>,
    pub(super) destinations: Vec<(DestinationSpec, Login)>,
    pub(super) sink: u32,
    pub(super) run: RunId,
    pub(super) ledger: Ledger,
    pub(super) archive: Option<Archive>,
    pub(super) budget: Budget,
    pub(super) events: Sender<Event>,
    pub(super) stop: Stop,
    pub(super) pacing: Arc<Pacing>,
    pub(super) times: Option<Arc<Times>>,
}

/// A lock whose holder panicked holds plain data that is still whole.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Context {
    pub(super) fn new(mut parts: Parts) -> Self {
        let paces = Paces::over(&mut parts);
        let idle_sources = parts.sources.iter().map(|_| Mutex::new(None)).collect();
        Context {
            account: parts.account,
            sources: parts.sources,
            destination: parts.destinations[parts.sink as usize].clone(),
            destinations: parts.destinations,
            sink: parts.sink,
            run: parts.run,
            ledger: parts.ledger,
            archive: parts.archive.map(Mutex::new),
            budget: parts.budget,
            events: parts.events,
            stop: parts.stop,
            paces,
            times: parts.times,
            idle_sources,
            doubt_since: Mutex::new(None),
            resend: Mutex::default(),
            doors: Mutex::default(),
            board: Board::default(),
            moved: AtomicU64::new(0),
            throttled: Mutex::default(),
            landscape: Mutex::new(Landscape::default()),
            labels: Mutex::default(),
            trouble: Mutex::new(Vec::new()),
            steps: Mutex::new(Vec::new()),
        }
    }

    /// What has been done so far, for comparing rates: bytes, and as much for a message as it costs besides its bytes.
    pub(super) fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }

    /// A server asks for patience, in these words.
    pub(super) fn note_throttle(&self, words: String) {
        *lock(&self.throttled) = Some(words);
    }

    /// The words of a server that has asked for patience meanwhile.
    pub(super) fn throttled(&self) -> Option<String> {
        lock(&self.throttled).take()
    }

    pub(super) fn set_landscape(&self, landscape: Landscape) {
        *lock(&self.landscape) = landscape;
    }

    /// The destination as it was when the run began.
    pub(super) fn landscape(&self) -> Landscape {
        lock(&self.landscape).clone()
    }

    /// Both ends are looked at: what labels mean between them is settled now.
    pub(super) fn set_labels(&self, folders: &[SourceFolder]) {
        let labels = Labels::new(&self.account.folders, &self.landscape(), folders);
        *lock(&self.labels) = Arc::new(labels);
    }

    pub(super) fn labels(&self) -> Arc<Labels> {
        Arc::clone(&lock(&self.labels))
    }

    /// Room for the connections of one more lane, if their hosts may have more of this run.
    pub(super) fn room(&self) -> Option<Places> {
        let sources = self.sources.iter().map(|(spec, _)| &spec.store);
        let stores: Vec<_> = sources.chain([&self.destination.0.store]).collect();
        self.paces.further(&stores)
    }

    pub(super) fn target(&self, folder: &Folder) -> Target {
        lock(&self.landscape).target(folder)
    }

    /// A step is worked on: its report becomes part of the account's.
    pub(super) fn enter(&self, run: &Arc<StepRun>) {
        lock(&self.steps).push(Arc::clone(run));
    }

    /// The journal's folder of the plan's step `order`, if it was worked on.
    pub(super) fn folder_of(&self, order: usize) -> Option<FolderId> {
        lock(&self.steps)
            .iter()
            .find(|run| run.order == order)
            .map(|run| run.folder)
    }

    /// Was the plan's step `order` worked on now, without an error and without a message that failed?
    pub(super) fn ended_well(&self, order: usize) -> bool {
        let steps = lock(&self.steps);
        let mut runs = steps.iter().filter(|run| run.order == order).peekable();
        runs.peek().is_some()
            && runs.all(|run| {
                let report = run.report();
                report.error.is_none() && report.counts.of(Outcome::Failed) == 0
            })
    }

    /// The account ended early: what has no outcome by then has failed, but for an interruption, which leaves it to the next run.
    pub(super) fn close_books(&self, plan: &Plan, error: &Error) {
        for (order, step) in plan.steps.iter().enumerate() {
            if self.folder_of(order).is_none() {
                let run = StepRun::new(order, false, step.clone(), 0);
                run.report().source_count = u64::from(step.source.messages);
                self.enter(&run);
            }
        }
        if error.kind != Kind::Interrupted {
            lock(&self.steps)
                .iter()
                .for_each(|run| run.report().fail_the_rest());
        }
    }

    /// Messages of a folder that was worked on turned out to be delivered.
    pub(super) fn count_late(&self, folder: FolderId, outcome: Outcome, messages: u64) {
        let run = lock(&self.steps)
            .iter()
            .find(|run| run.folder == folder)
            .cloned();
        if let Some(run) = run {
            run.forget_failed(messages);
            run.count(self, outcome, messages, 0);
        }
    }

    /// The name of a source folder that was worked on.
    pub(super) fn name_of(&self, folder: FolderId) -> String {
        lock(&self.steps)
            .iter()
            .find(|run| run.folder == folder)
            .map_or_else(String::new, |run| run.report().folder.clone())
    }

    /// What names a message among all of the account, for ever.
    pub(super) fn source_text(&self, folder: &SourceFolder, key: &SourceKey) -> String {
        let source = &self.sources[folder.source as usize].0.store;
        source_text(&source.to_string(), &folder.name, folder.uid_validity, key)
    }

    /// What the account's report is made of, and the archive, which outlives the leg.
    pub(super) fn into_results(self) -> (Vec<FolderReport>, Vec<Trouble>, Option<Archive>) {
        let steps = self
            .steps
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let trouble = self
            .trouble
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let archive = self
            .archive
            .map(|archive| archive.into_inner().unwrap_or_else(PoisonError::into_inner));
        (merge(&steps), trouble, archive)
    }

    /// Tells the front; that nobody listens any more is no reason to stop moving mail.
    pub(super) fn tell(&self, event: Event) {
        drop(self.events.send(event));
    }

    pub(super) fn warn(&self, text: impl Into<String>) {
        self.tell(Event::Warning {
            account: self.account.name.clone(),
            text: text.into(),
        });
    }

    pub(super) fn check_stop(&self) -> Result<()> {
        if self.stop.asked() {
            Err(interrupted())
        } else {
            Ok(())
        }
    }

    pub(super) fn trouble(&self, trouble: Trouble) {
        let mut told = lock(&self.trouble);
        if told.len() < TROUBLE_TOLD {
            told.push(trouble.clone());
        }
        drop(told);
        self.tell(Event::Trouble {
            account: self.account.name.clone(),
            trouble,
        });
    }
}

pub(super) fn interrupted() -> Error {
    Error::new(
        Kind::Interrupted,
        Code::Interrupted,
        "interrupted; everything done so far is kept",
    )
    .hint("run the same command again: it goes on where this run stopped")
}

/// A step while it is worked on, seen from both sides of a lane.
pub(super) struct StepRun {
    /// Its place in the plan.
    pub(super) order: usize,
    /// It was worked on before in this run: what was done then is not counted again.
    pub(super) again: bool,
    pub(super) step: Step,
    pub(super) folder: FolderId,
    report: Mutex<FolderReport>,
    /// Why the folder cannot be delivered; the rest of it is not tried.
    failure: Mutex<Option<Error>>,
}

impl StepRun {
    pub(super) fn new(order: usize, again: bool, step: Step, folder: FolderId) -> Arc<Self> {
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
        Arc::new(StepRun {
            order,
            again,
            step,
            folder,
            report: Mutex::new(report),
            failure: Mutex::new(None),
        })
    }

    pub(super) fn report(&self) -> MutexGuard<'_, FolderReport> {
        lock(&self.report)
    }

    /// The folder cannot be delivered; the first reason counts.
    pub(super) fn fail(&self, error: Error) {
        lock(&self.failure).get_or_insert(error);
    }

    pub(super) fn failure(&self) -> Option<Error> {
        lock(&self.failure).clone()
    }

    pub(super) fn has_failed(&self) -> bool {
        lock(&self.failure).is_some()
    }

    /// Keeps what fails for this folder only for its report; `Err`: what ends the account.
    pub(super) fn spare<T: Default>(&self, result: Result<T>) -> Result<T> {
        match result {
            Err(error) if matches!(error.kind, Kind::Folder | Kind::Message) => {
                self.fail(error);
                Ok(T::default())
            }
            other => other,
        }
    }

    /// Of the messages that counted as failed when the folder ended early, so many turned out otherwise.
    fn forget_failed(&self, messages: u64) {
        let mut report = self.report();
        let room = report.source_count.saturating_sub(report.counts.total());
        report
            .counts
            .remove(Outcome::Failed, messages.saturating_sub(room));
    }

    /// Counts messages that ended so, and tells of the progress.
    pub(super) fn count(&self, context: &Context, outcome: Outcome, messages: u64, bytes: u64) {
        let mut report = self.report();
        report.counts.add(outcome, messages);
        report.bytes += bytes;
        let folder = report.folder.clone();
        drop(report);
        let moved = bytes + messages * MESSAGE;
        context.moved.fetch_add(moved, Ordering::Relaxed);
        context.tell(Event::Advanced {
            account: context.account.name.clone(),
            folder,
            messages,
            bytes,
        });
    }
}

/// The reports of a plan's steps, in its order; those of a step that was worked on twice become one.
fn merge(steps: &[Arc<StepRun>]) -> Vec<FolderReport> {
    let mut merged: Vec<(usize, FolderReport)> = Vec::new();
    for run in steps {
        let report = run.report().clone();
        match merged.iter_mut().find(|(order, _)| *order == run.order) {
            None => merged.push((run.order, report)),
            Some((_, first)) => first.merge(report),
        }
    }
    merged.sort_by_key(|(order, _)| *order);
    merged.into_iter().map(|(_, report)| report).collect()
}
