//! The threads the command line needs: one that works while the caller shows what happens, one that hears signals.

use super::Stop;
use super::undo::{self, UndoReport};
use super::verify::Order;
use crate::compare::AccountCheck;
use crate::error::{Code, Error, Kind, Result};
use crate::job::{Account, Job, Store};
use crate::journal::{Journal, JournalIdentity};
use crate::outcome::{AccountReport, Event, Usage};
use crate::plan::Plan;
use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};
use std::thread::JoinHandle;
use std::time::Duration;

/// Events that may wait for the one who shows them; a slow terminal holds the work back rather than filling memory.
const WAITING_EVENTS: usize = 1024;

/// How often the caller is called though nothing happened, so that clocks on the screen go on.
const TICK: Duration = Duration::from_millis(100);

/// Runs a job on another thread while `each` is called on this one: with every event, and with `None` about every 100 ms
/// in which there is none. Errors: `Code::Internal` where the engine panicked.
pub fn run_with(
    job: &Job,
    stop: &Stop,
    each: impl FnMut(Option<Event>),
) -> Result<Vec<AccountReport>> {
    attend(|events| super::run(job, events, stop), each)
}

/// Plans a job, otherwise as [`run_with`].
pub fn plan_with(
    job: &Job,
    stop: &Stop,
    each: impl FnMut(Option<Event>),
) -> Result<Vec<(String, Result<Vec<Plan>>)>> {
    attend(|events| super::plan(job, events, stop), each)
}

/// Compares both ends of a job, otherwise as [`run_with`].
pub fn verify_with(
    job: &Job,
    order: Order,
    stop: &Stop,
    each: impl FnMut(Option<Event>),
) -> Result<Vec<AccountCheck>> {
    attend(|events| super::verify(job, order, events, stop), each)
}

/// Undoes a run, otherwise as [`run_with`].
pub fn undo_with(
    job: &Job,
    order: undo::Order,
    stop: &Stop,
    each: impl FnMut(Option<Event>),
) -> Result<Vec<UndoReport>> {
    attend(|events| undo::undo(job, order, events, stop), each)
}

/// Whose mail an account's journal is about.
#[must_use]
pub fn journal_identity(account: &Account) -> JournalIdentity {
    let destination = |store: &Store| match store.is_archive() {
        // The journal stands in it: the two may move together and stay what they are.
        true => "archive:".to_owned(),
        false => store.to_string(),
    };
    JournalIdentity {
        sources: account
            .sources
            .iter()
            .map(|s| s.store.to_string())
            .collect(),
        destinations: account
            .destinations
            .iter()
            .map(|d| destination(&d.store))
            .collect(),
    }
}

/// What an account used today (UTC) of limits a day; nothing for ends without one. Errors: those of the journal.
pub fn used_today(account: &Account, journal: &Journal) -> Result<Vec<Usage>> {
    super::pace::used_today(account, journal)
}

fn attend<T: Send>(
    work: impl FnOnce(&Sender<Event>) -> T + Send,
    mut each: impl FnMut(Option<Event>),
) -> Result<T> {
    let (sender, events) = bounded(WAITING_EVENTS);
    std::thread::scope(|scope| {
        // The sender goes with the work and ends with it: that is how the loop below learns that all is told.
        let worker = scope.spawn(move || work(&sender));
        loop {
            match events.recv_timeout(TICK) {
                Ok(event) => each(Some(event)),
                Err(RecvTimeoutError::Timeout) => each(None),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        worker.join().map_err(|_| panicked())
    })
}

fn panicked() -> Error {
    Error::new(
        Kind::Internal,
        Code::Internal,
        "mailhaul met a defect of its own and stopped; what was committed is kept",
    )
    .hint("run the same command again: it goes on where it stopped")
}

/// Hears SIGINT and SIGTERM until it is dropped.
#[derive(Debug)]
pub struct SignalWatch {
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

/// The first SIGINT or SIGTERM asks `stop`; each further one calls `on_second`, on a thread of its own.
/// Errors: `Code::Internal` where the system refuses the handlers.
pub fn watch_signals(stop: &Stop, on_second: impl Fn() + Send + 'static) -> Result<SignalWatch> {
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(|e| no_signals(&e))?;
    let handle = signals.handle();
    let stop = stop.clone();
    let thread = std::thread::spawn(move || {
        for (heard, _) in signals.forever().enumerate() {
            stop.ask();
            if heard > 0 {
                on_second();
            }
        }
    });
    Ok(SignalWatch {
        handle,
        thread: Some(thread),
    })
}

fn no_signals(e: &std::io::Error) -> Error {
    Error::new(Kind::Internal, Code::Internal, "cannot listen for Ctrl-C").words(e.to_string())
}

impl Drop for SignalWatch {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            // A panic of that thread was told when it happened, and there is nothing left to stop.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warning(text: &str) -> Event {
        Event::Warning {
            account: "a".into(),
            text: text.into(),
        }
    }

    #[test]
    fn every_event_is_seen_before_the_result() {
        let mut seen = 0;
        let result = attend(
            |events| {
                for _ in 0..3000 {
                    events.send(warning("x")).unwrap();
                }
                7
            },
            |event| seen += usize::from(event.is_some()),
        );
        assert_eq!((result.unwrap(), seen), (7, 3000));
    }

    #[test]
    fn it_ticks_while_nothing_happens() {
        let mut ticks = 0;
        let result = attend(
            |_| std::thread::sleep(Duration::from_millis(350)),
            |event| ticks += usize::from(event.is_none()),
        );
        assert!(result.is_ok() && ticks >= 1, "{ticks}");
    }

    #[test]
    fn the_first_signal_asks_and_the_second_leaves() {
        let stop = Stop::default();
        let (told, second) = bounded(1);
        let watch = watch_signals(&stop, move || told.send(()).unwrap()).unwrap();
        signal_hook::low_level::raise(SIGTERM).unwrap();
        let start = std::time::Instant::now();
        while !stop.asked() && start.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(stop.asked() && second.is_empty());
        signal_hook::low_level::raise(SIGINT).unwrap();
        assert!(second.recv_timeout(Duration::from_secs(10)).is_ok());
        drop(watch);
    }

    #[test]
    fn a_panic_of_the_work_is_an_error() {
        let result: Result<()> = attend(|_| panic!("on purpose"), |_| ());
        assert_eq!(result.unwrap_err().code, Code::Internal);
    }
}
