//! The journal's own thread: one thread alone writes it, everybody else asks.

use super::times::{self, Times};
use crate::error::{Code, Error, Kind, Result};
use crate::journal::Journal;
use crate::outcome::Wait;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::sync::Arc;

type Task = Box<dyn FnOnce(&mut Journal) + Send>;

/// A handle to the journal's thread. Cheap to clone; the thread ends when the last handle is gone.
#[derive(Clone)]
pub(super) struct Ledger {
    tasks: Sender<Task>,
    times: Option<Arc<Times>>,
}

/// What the journal's thread runs: [`Desk::serve`].
pub(super) struct Desk {
    tasks: Receiver<Task>,
}

/// Requests that may wait; more hold their senders back.
const WAITING: usize = 64;

pub(super) fn ledger() -> (Ledger, Desk) {
    let (sender, receiver) = bounded(WAITING);
    let ledger = Ledger {
        tasks: sender,
        times: None,
    };
    (ledger, Desk { tasks: receiver })
}

impl Desk {
    /// Does what is asked, in order, until nobody can ask any more.
    pub(super) fn serve(self, mut journal: Journal) -> Journal {
        for task in self.tasks {
            task(&mut journal);
        }
        journal
    }
}

impl Ledger {
    /// With clocks around its waits.
    pub(super) fn timed(self, times: Option<Arc<Times>>) -> Self {
        Ledger { times, ..self }
    }

    /// Runs `work` on the journal and waits for its result: when this returns `Ok`, what was written is durable.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Journal) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = bounded(1);
        let task: Task = Box::new(move |journal| {
            // The asker may have been stopped meanwhile; what was written stands all the same.
            drop(reply.send(work(journal)));
        });
        times::during(self.times.as_deref(), Wait::Journal, || {
            self.tasks.send(task).map_err(|_| gone())?;
            answer.recv().map_err(|_| gone())?
        })
    }
}

pub(super) fn gone() -> Error {
    Error::new(
        Kind::Internal,
        Code::Internal,
        "the journal's thread ended before its work did",
    )
}
