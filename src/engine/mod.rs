//! Runs jobs: threads, channels, byte budget, retry, stop. The only place that starts threads.

pub mod front;

use crate::error::Result;
use crate::job::Job;
use crate::outcome::{AccountReport, Event};
use crate::plan::Plan;
use crossbeam_channel::Sender;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Asked to stop? Shared by everything that works; set by the first Ctrl-C.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    pub fn ask(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    #[must_use]
    pub fn asked(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Runs every account of a job (several at once), telling `events` as it goes. One report an account, in the job's order.
#[must_use]
pub fn run(job: &Job, events: &Sender<Event>, stop: &Stop) -> Vec<AccountReport> {
    let _ = (job, events, stop);
    todo!()
}

/// What `run` would do now: connects, lists, compares; changes nothing at either end or on disk. One an account and destination.
pub fn plan(job: &Job, events: &Sender<Event>, stop: &Stop) -> Vec<(String, Result<Vec<Plan>>)> {
    let _ = (job, events, stop);
    todo!()
}
