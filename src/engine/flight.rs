//! What is under way to the destination: batches, and behind them the ends of their folders, concluded in the order in which they left.
//!
//! As long as all goes well nothing is waited for. Once an answer leaves something to find out or to send again, everything under way
//! is brought to its end first, looked at together, and what has to go again goes one batch at a time.

use super::batch::{self, Pending};
use super::conclude::conclude;
use super::context::StepRun;
use super::deliver::Deliverer;
use super::sorting::{self, Sorting};
use super::{doubt, readback};
use crate::error::{Error, Kind, Result};
use crate::failpoint;
use crate::journal::IntentId;
use crate::plan::Target;
use crate::plan::labels::Take;
use crate::sink::Report;
use crate::source::Opened;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Batches under way at once at most, each with an intent in the journal.
const BATCHES: usize = 16;
/// Their bytes at most: what a line of 80 MB/s holds at 100 ms.
const BYTES: u64 = 8 << 20;
/// Connections in a row that may be lost without one message being delivered, before the destination counts as unreachable:
/// more than one bad message costs, fewer than would have a broken server reject a whole mailbox.
const BARREN: u32 = 12;

/// A batch that was sent.
pub(super) struct Sent {
    pub(super) run: Arc<StepRun>,
    pub(super) target: Target,
    pub(super) intent: IntentId,
    /// Of the folder when the intent was written: UIDs of the batch are of this validity, and not below this floor.
    pub(super) uid_validity: u32,
    pub(super) floor: u32,
    pub(super) items: Vec<Pending>,
}

impl Sent {
    fn bytes(&self) -> u64 {
        self.items.iter().map(|item| item.load.body.size()).sum()
    }
}

/// A source folder of which everything is sent.
pub(super) struct Ended {
    pub(super) run: Arc<StepRun>,
    pub(super) complete: Option<Opened>,
    pub(super) error: Option<Error>,
}

enum Flight {
    Batch(Sent),
    End(Ended),
}

/// What is under way, the oldest first.
pub(super) struct Flights {
    queue: VecDeque<Flight>,
    /// When the oldest became the oldest: so long nothing was answered.
    since: Instant,
}

impl Flights {
    pub(super) fn new() -> Self {
        Flights {
            queue: VecDeque::new(),
            since: Instant::now(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn sent(&mut self, batch: Sent) {
        if self.queue.is_empty() {
            self.since = Instant::now();
        }
        self.queue.push_back(Flight::Batch(batch));
    }

    pub(super) fn ended(&mut self, ended: Ended) {
        self.queue.push_back(Flight::End(ended));
    }

    pub(super) fn clear(&mut self) {
        self.queue.clear();
    }

    fn next(&mut self) -> Option<Flight> {
        self.since = Instant::now();
        self.queue.pop_front()
    }

    /// How long nothing was answered.
    pub(super) fn silence(&self) -> Duration {
        self.since.elapsed()
    }

    /// Does anything under way still need what is known of this folder of the destination? With routes, or labels that send messages
    /// anywhere, it may be any.
    pub(super) fn need(&self, name: &[u8], routed: bool) -> bool {
        self.queue.iter().any(|flight| match flight {
            Flight::Batch(batch) => batch.target.name == name,
            Flight::End(Ended { run, .. }) => {
                routed || run.step.take == Take::Routed || run.step.target.name == name
            }
        })
    }

    fn batches(&self) -> impl Iterator<Item = &Sent> {
        self.queue.iter().filter_map(|flight| match flight {
            Flight::Batch(batch) => Some(batch),
            Flight::End(_) => None,
        })
    }

    /// Is a batch under way to this folder of the destination?
    pub(super) fn go_to(&self, name: &[u8]) -> bool {
        self.batches().any(|batch| batch.target.name == name)
    }

    /// Is one under way there that another source folder's messages may find standing?
    pub(super) fn go_to_from_elsewhere(&self, name: &[u8], run: &StepRun) -> bool {
        self.batches()
            .any(|batch| batch.target.name == name && batch.run.folder != run.folder)
    }

    fn lowest_floor(&self, name: &[u8]) -> Option<u32> {
        let here = self.batches().filter(|batch| batch.target.name == name);
        here.map(|batch| batch.floor).min()
    }

    fn have_room_for(&self, bytes: u64) -> bool {
        let under_way: u64 = self.batches().map(Sent::bytes).sum();
        under_way == 0 || (self.batches().count() < BATCHES && under_way + bytes <= BYTES)
    }
}

/// What is left to do once everything under way came to its end, in its order.
enum Rest {
    Again(Arc<StepRun>, Target, Vec<Vec<Pending>>),
    End(Ended),
}

impl Deliverer<'_> {
    /// Sends messages of a folder behind what is under way.
    pub(super) fn send(&mut self, target: &Target, items: Vec<Pending>) -> Result<()> {
        self.settle_before_waiting()?;
        let run = self.step()?;
        let items = batch::fit(self, &run, target, items)?;
        if items.is_empty() {
            return Ok(());
        }
        let bytes = items.iter().map(|item| item.load.body.size()).sum();
        while !self.flights.have_room_for(bytes) {
            self.conclude_next(true)?;
        }
        batch::submit(self, &run, target, items)?;
        self.conclude_answered()
    }

    /// Concludes what is answered.
    pub(super) fn conclude_answered(&mut self) -> Result<()> {
        while self.conclude_next(false)? {}
        Ok(())
    }

    /// Waits until nothing is under way.
    pub(super) fn drain(&mut self) -> Result<()> {
        while self.conclude_next(true)? {}
        Ok(())
    }

    /// Concludes the oldest under way; `false`: there is none, or, without `wait`, it is not answered.
    pub(super) fn conclude_next(&mut self, wait: bool) -> Result<bool> {
        let report = match self.flights.queue.front() {
            None => return Ok(false),
            Some(Flight::End(_)) => None,
            Some(Flight::Batch(batch)) => match self.link.collect(wait) {
                None if wait => Some(Report::untold(batch.items.len())),
                None => return Ok(false),
                report => report,
            },
        };
        match (self.flights.next(), report) {
            (Some(Flight::Batch(sent)), Some(report)) => self.conclude_batch(sent, report)?,
            (Some(Flight::End(ended)), _) => self.end_folder(ended)?,
            _ => {}
        }
        Ok(true)
    }

    fn conclude_batch(&mut self, sent: Sent, report: Report) -> Result<()> {
        failpoint::pass("delivery: answered, not concluded");
        let sorting = Sorting::of(self, sent, &report);
        if report.lost.is_some() || !sorting.is_plain() {
            return self.bring_to_end(sorting, report.lost);
        }
        self.went_well();
        let Sorting { sent, sorted, .. } = sorting;
        let concluded = conclude(self, &sent.run, &sent.target, Some(sent.intent), sorted);
        let lowest = self.flights.lowest_floor(&sent.target.name);
        if let Some(landing) = self.landings.opened(&sent.target.name) {
            landing
                .taken
                .retain(|uid| lowest.is_some_and(|lowest| *uid >= lowest));
        }
        sent.run.spare(concluded)
    }

    fn went_well(&mut self) {
        self.barren = 0;
        self.link.patience.refill();
    }

    /// Everything under way is brought to its end, `first` of it; then what has to go again does, one batch at a time.
    fn bring_to_end(&mut self, first: Sorting, mut lost: Option<Error>) -> Result<()> {
        let (mut sortings, mut ends) = (vec![first], Vec::new());
        while let Some(flight) = self.flights.next() {
            match flight {
                Flight::End(ended) => ends.push((sortings.len(), ended)),
                Flight::Batch(sent) => {
                    let report = self.link.collect(true);
                    let report = report.unwrap_or_else(|| Report::untold(sent.items.len()));
                    sortings.push(Sorting::of(self, sent, &report));
                    lost = lost.or(report.lost);
                }
            }
        }
        let mut ends = ends.into_iter().peekable();
        let mut rest = Vec::new();
        for (at, again) in self.settle(sortings, lost)?.into_iter().enumerate() {
            rest.push(again);
            while let Some((_, ended)) = ends.next_if(|(behind, _)| *behind == at + 1) {
                rest.push(Rest::End(ended));
            }
        }
        for rest in rest {
            match rest {
                Rest::Again(run, target, parts) => self.send_again(&run, &target, parts)?,
                Rest::End(ended) => self.end_folder(ended)?,
            }
        }
        Ok(())
    }

    /// Finds out about all messages of these batches, with nothing under way, and writes it down. Gives, for each, what has to go again.
    fn settle(&mut self, mut sortings: Vec<Sorting>, lost: Option<Error>) -> Result<Vec<Rest>> {
        if sortings.iter().any(Sorting::holds_unknown) {
            // Now, and not once it was looked for: the look itself may fail.
            doubt::begins(self.context);
        }
        if let Some(broken) = sortings.iter_mut().find(|sorting| !sorting.is_answered()) {
            broken.blame();
        }
        sorting::look(self, &mut sortings)?;
        let (mut done, mut fatal, mut put_off) = (0, None, None);
        if let Some(lost) = lost.as_ref().filter(|lost| lost.kind == Kind::Internal) {
            // The local disk, not the server: no message is to be blamed for it.
            fatal = Some(lost.clone());
        }
        let mut rest = Vec::new();
        for mut sorting in sortings {
            let run = Arc::clone(&sorting.sent.run);
            if sorting.given_up {
                rest.push(Rest::Again(run, sorting.sent.target, Vec::new()));
                continue;
            }
            run.spare(sorting.follow_up(self))?;
            let Sorting {
                sent, mut sorted, ..
            } = sorting;
            done += sorted.done.len();
            fatal = fatal.or(sorted.fatal.take());
            put_off = put_off.or(sorted.put_off.take());
            let again = std::mem::take(&mut sorted.again);
            let concluded = conclude(self, &run, &sent.target, Some(sent.intent), sorted);
            run.spare(concluded)?;
            rest.push(Rest::Again(run, sent.target, again));
        }
        fatal.map_or(Ok(()), Err)?;
        self.be_patient(done > 0, lost, put_off)?;
        Ok(rest)
    }

    /// Waits before anything is sent again, and gives up in the end.
    fn be_patient(
        &mut self,
        went_well: bool,
        lost: Option<Error>,
        put_off: Option<Error>,
    ) -> Result<()> {
        if went_well {
            self.went_well();
        } else if let Some(lost) = lost {
            self.barren += 1;
            if self.barren >= BARREN {
                return Err(transient(lost));
            }
            self.link.patience.wait(self.context, transient(lost))?;
        }
        match put_off {
            Some(error) => self.link.patience.wait(self.context, error),
            None => Ok(()),
        }
    }

    /// Sends parts of a batch again, one at a time.
    fn send_again(
        &mut self,
        run: &Arc<StepRun>,
        target: &Target,
        parts: Vec<Vec<Pending>>,
    ) -> Result<()> {
        let mut parts = VecDeque::from(parts);
        while let Some(part) = parts.pop_front() {
            if run.has_failed() {
                return Ok(());
            }
            let sent = self.send_alone(run, target, part);
            let again: Vec<Vec<Pending>> = run.spare(sent)?;
            again
                .into_iter()
                .rev()
                .for_each(|part| parts.push_front(part));
        }
        Ok(())
    }

    /// Sends a part with nothing else under way; gives what has to be sent once more.
    fn send_alone(
        &mut self,
        run: &Arc<StepRun>,
        target: &Target,
        part: Vec<Pending>,
    ) -> Result<Vec<Vec<Pending>>> {
        batch::submit(self, run, target, part)?;
        let Some(Flight::Batch(sent)) = self.flights.next() else {
            return Ok(Vec::new());
        };
        let report = self.link.collect(true);
        let report = report.unwrap_or_else(|| Report::untold(sent.items.len()));
        let sorting = Sorting::of(self, sent, &report);
        let rest = self.settle(vec![sorting], report.lost)?;
        Ok(rest
            .into_iter()
            .flat_map(|rest| match rest {
                Rest::Again(_, _, parts) => parts,
                Rest::End(_) => Vec::new(),
            })
            .collect())
    }

    /// All of a folder is concluded.
    fn end_folder(&mut self, ended: Ended) -> Result<()> {
        let error = ended.run.failure().or(ended.error);
        readback::ended(self, ended.run, ended.complete, error)
    }
}

/// A connection lost while delivering is worth another, whatever it was lost by.
fn transient(error: Error) -> Error {
    let kind = if error.is_transient() {
        error.kind
    } else {
        Kind::Transient
    };
    Error { kind, ..error }
}
