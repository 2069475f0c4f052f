//! The journal's own thread: one thread alone writes it, everybody else asks.
//!
//! What waits there is done together and made durable by one commit, before anybody is answered.

use super::context::lock;
use super::times::{self, Times};
use crate::error::{Code, Error, Kind, Result};
use crate::journal::Journal;
use crate::outcome::Wait;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::sync::{Arc, Mutex};

/// Works on the journal, and gives what is to be done once that is durable, or is not for this reason.
type Task = Box<dyn FnOnce(&mut Journal) -> Answer + Send>;
type Answer = Box<dyn FnOnce(Option<&Error>)>;
/// Why something failed that nobody waited for: nothing is done any more from then on.
type Failure = Arc<Mutex<Option<Error>>>;

/// A handle to the journal's thread. Cheap to clone; the thread ends when the last handle is gone.
#[derive(Clone)]
pub(super) struct Ledger {
    tasks: Sender<Task>,
    failure: Failure,
    times: Option<Arc<Times>>,
}

/// What the journal's thread runs: [`Desk::serve`].
pub(super) struct Desk {
    tasks: Receiver<Task>,
    failure: Failure,
}

/// Requests that may wait; more hold their senders back.
const WAITING: usize = 64;

pub(super) fn ledger() -> (Ledger, Desk) {
    let (sender, receiver) = bounded(WAITING);
    let failure = Failure::default();
    let ledger = Ledger {
        tasks: sender,
        failure: Arc::clone(&failure),
        times: None,
    };
    let desk = Desk {
        tasks: receiver,
        failure,
    };
    (ledger, desk)
}

impl Desk {
    /// Does what is asked, in order, until nobody can ask any more. Beside the journal: whether all was done that nobody waited for.
    pub(super) fn serve(self, mut journal: Journal) -> (Journal, Result<()>) {
        while let Ok(first) = self.tasks.recv() {
            journal.gather();
            let waiting = self.tasks.try_iter().take(WAITING);
            let answers: Vec<Answer> = std::iter::once(first)
                .chain(waiting)
                .map(|task| task(&mut journal))
                .collect();
            let failure = journal.commit().err();
            answers
                .into_iter()
                .for_each(|answer| answer(failure.as_ref()));
        }
        let failure = lock(&self.failure).take();
        (journal, failure.map_or(Ok(()), Err))
    }
}

impl Ledger {
    /// With clocks around its waits.
    pub(super) fn timed(self, times: Option<Arc<Times>>) -> Self {
        Ledger { times, ..self }
    }

    /// Runs `work` on the journal and waits for its result: when this returns `Ok`, what was written is durable, and so is
    /// everything noted before.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Journal) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = bounded(1);
        let failure = Arc::clone(&self.failure);
        let task: Task = Box::new(move |journal| {
            let done = unless(&failure, || work(journal));
            Box::new(move |failed| {
                let told = done.and_then(|done| failed.cloned().map_or(Ok(done), Err));
                // The asker may have been stopped meanwhile; what was written stands all the same.
                drop(reply.send(told));
            })
        });
        times::during(self.times.as_deref(), Wait::Journal, || {
            self.tasks.send(task).map_err(|_| gone())?;
            answer.recv().map_err(|_| gone())?
        })
    }

    /// Has `work` run on the journal without waiting for it. It is durable before whatever is asked later. Where it fails, everything
    /// after it does too.
    pub(super) fn note(
        &self,
        work: impl FnOnce(&mut Journal) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let failure = Arc::clone(&self.failure);
        let task: Task = Box::new(move |journal| {
            if let Err(error) = unless(&failure, || work(journal)) {
                lock(&failure).get_or_insert(error);
            }
            Box::new(move |failed| {
                if let Some(error) = failed {
                    lock(&failure).get_or_insert(error.clone());
                }
            })
        });
        self.tasks.send(task).map_err(|_| gone())
    }
}

fn unless<T>(failure: &Failure, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let failed = lock(failure).clone();
    failed.map_or_else(work, Err)
}

pub(super) fn gone() -> Error {
    Error::new(
        Kind::Internal,
        Code::Internal,
        "the journal's thread ended before its work did",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::JournalIdentity;

    fn with_ledger(work: impl FnOnce(&Ledger)) -> (Journal, Result<()>) {
        let dir = tempfile::tempdir().unwrap();
        let identity = JournalIdentity {
            sources: vec!["imap://a@old".into()],
            destinations: vec!["imap://a@new".into()],
        };
        let journal = Journal::open(dir.path(), &identity).unwrap();
        let (ledger, desk) = ledger();
        std::thread::scope(|scope| {
            let desk = scope.spawn(move || desk.serve(journal));
            work(&ledger);
            drop(ledger);
            desk.join().unwrap()
        })
    }

    #[test]
    fn what_nobody_waited_for_is_done_before_what_is_asked_next() {
        let (_, done) = with_ledger(|ledger| {
            let run = ledger.ask(|journal| journal.begin_run("job")).unwrap();
            ledger
                .note(move |journal| journal.folder(run, 0, b"INBOX", 7).map(drop))
                .unwrap();
            let folders = ledger.ask(|journal| journal.folders(0)).unwrap();
            assert_eq!(folders.len(), 1);
        });
        done.unwrap();
    }

    #[test]
    fn after_a_note_that_failed_nothing_is_done() {
        let (journal, done) = with_ledger(|ledger| {
            ledger.note(|_| Err(gone())).unwrap();
            assert!(ledger.ask(|journal| journal.begin_run("job")).is_err());
            ledger
                .note(|journal| journal.begin_run("job").map(drop))
                .unwrap();
        });
        assert!(done.is_err() && journal.runs().unwrap().is_empty());
    }
}
