//! Runs jobs: threads, channels, byte budget, retry, stop. The only place that starts threads.
//!
//! An account is worked through in lanes. In each, one thread reads from the source (`collect`), one keeps what passes in the
//! archive (`keep`, if the job keeps mail), one delivers (`deliver`, `batch`); the channels between them are bounded, and
//! the bytes in them are permits of one budget. The journal has a thread of its own (`ledger`) that everybody asks.

mod account;
mod after;
mod agenda;
mod arrival;
mod batch;
mod cargo;
mod collect;
mod conclude;
mod context;
mod crew;
mod decide;
mod deliver;
mod doubt;
mod fetching;
mod finish;
mod flight;
pub mod front;
mod headcount;
mod keep;
mod known;
mod labels;
mod lane;
mod ledger;
mod link;
mod listing;
mod look;
mod pace;
mod parts;
mod patience;
mod planning;
mod readback;
mod reading;
mod refusal;
mod reused;
mod same;
mod settle;
mod sorting;
mod target;
mod timed;
mod times;
pub mod undo;
mod vanish;
pub mod verify;

use crate::compare::AccountCheck;
use crate::error::{Code, Error, Kind, Result};
use crate::job::Job;
use crate::outcome::{AccountReport, Event};
use crate::plan::Plan;
use crate::spool::Budget;
use account::{Frame, Logins};
use context::lock;
use crossbeam_channel::Sender;
use pace::Pacing;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// Asked to stop? Shared by everything that works; set by the first Ctrl-C. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    own: Arc<AtomicBool>,
    /// Whose request counts too.
    above: Option<Arc<AtomicBool>>,
}

impl Stop {
    pub fn ask(&self) {
        self.own.store(true, Ordering::SeqCst);
    }

    #[must_use]
    pub fn asked(&self) -> bool {
        let set = |flag: &Arc<AtomicBool>| flag.load(Ordering::SeqCst);
        set(&self.own) || self.above.as_ref().is_some_and(set)
    }

    /// One that stops when this one does, and can be stopped alone.
    #[must_use]
    pub fn child(&self) -> Self {
        Stop {
            own: Arc::default(),
            above: Some(Arc::clone(&self.own)),
        }
    }
}

/// Runs every account of a job (several at once), telling `events` as it goes. One report an account, in the job's order.
#[must_use]
pub fn run(job: &Job, events: &Sender<Event>, stop: &Stop) -> Vec<AccountReport> {
    each_account(job, events, stop, account::run)
}

/// Works on the accounts of a job, as many at once as it says; results in its order.
fn each_account<T: Send>(
    job: &Job,
    events: &Sender<Event>,
    stop: &Stop,
    work_on: impl Fn(&Frame<'_>, Result<Logins>) -> T + Sync,
) -> Vec<T> {
    let workers = job.parallel_accounts.clamp(1, job.accounts.len().max(1));
    let pacing = Pacing::new(job);
    // Secrets first, one after another: some are asked for at the terminal.
    let work: VecDeque<_> = job
        .accounts
        .iter()
        .enumerate()
        .map(|(at, account)| (at, account, Logins::of(account)))
        .collect();
    let work = Mutex::new(work);
    let reports = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let Some((at, account, logins)) = lock(&work).pop_front() else {
                        break;
                    };
                    // One that waits for its server holds what it has read: the others need room of their own.
                    let budget = Budget::new(job.budget / workers as u64);
                    let events = events.clone();
                    let _places = pacing.enter(account, stop);
                    let frame = Frame {
                        account,
                        budget,
                        events,
                        stop: stop.clone(),
                        pacing: Arc::clone(&pacing),
                    };
                    let report = work_on(&frame, logins);
                    lock(&reports).push((at, report));
                }
            });
        }
    });
    let mut reports = std::mem::take(&mut *lock(&reports));
    reports.sort_by_key(|(at, _)| *at);
    reports.into_iter().map(|(_, report)| report).collect()
}

/// Reads both ends of every account afresh and compares them; changes nothing at either, nor on disk. One report an account and
/// destination.
#[must_use]
pub fn verify(
    job: &Job,
    order: verify::Order,
    events: &Sender<Event>,
    stop: &Stop,
) -> Vec<AccountCheck> {
    let checks = each_account(job, events, stop, |frame, logins| {
        verify::check(frame, logins, order)
    });
    checks.into_iter().flatten().collect()
}

/// What `run` would do now: connects, lists, compares; changes nothing at either end or on disk. One an account, with a plan for
/// each destination.
#[must_use]
pub fn plan(job: &Job, events: &Sender<Event>, stop: &Stop) -> Vec<(String, Result<Vec<Plan>>)> {
    let budget = Budget::new(job.budget);
    let pacing = Pacing::new(job);
    let one = |account| {
        if stop.asked() {
            return Err(Error::new(
                Kind::Interrupted,
                Code::Interrupted,
                "interrupted; nothing was changed",
            ));
        }
        let frame = Frame {
            account,
            budget: budget.clone(),
            events: events.clone(),
            stop: stop.clone(),
            pacing: Arc::clone(&pacing),
        };
        planning::plan_only(&frame, &Logins::of(account)?)
    };
    job.accounts
        .iter()
        .map(|account| (account.name.clone(), one(account)))
        .collect()
}
