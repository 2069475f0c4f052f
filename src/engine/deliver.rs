//! The delivering side of a lane: decides what need not be delivered, and hands the rest on in batches.

use super::batch::Batch;
use super::cargo::{Cargo, Ending, FlagWork, Load, Verdict};
use super::context::{Context, StepRun, interrupted};
use super::decide::First;
use super::finish;
use super::flight::{Ended, Flights};
use super::link::SinkLink;
use super::readback;
use super::target::Landings;
use crate::error::{Code, Error, Kind, Result};
use crate::failpoint;
use crate::identity::{Claim, HeaderIdentity};
use crate::journal::{Delivered, MessageRow, Seen};
use crate::message::Digest;
use crate::outcome::Outcome;
use crate::plan::Target;
use crate::sink::Sink;
use crate::source::Listed;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a batch that is not full waits for more.
const LINGER: Duration = Duration::from_millis(10);
/// How often it is looked whether a batch is answered that somebody waits for.
const TICK: Duration = Duration::from_millis(2);
/// How long answers may be waited for by looking now and then.
const SILENCE: Duration = Duration::from_secs(5);
/// How long a connection may stand idle before it is kept alive with a NOOP.
const IDLE: Duration = Duration::from_secs(60);

/// A message that is decided without being delivered, and why.
#[derive(Debug)]
pub(super) struct Decided {
    pub(super) seen: Seen,
    pub(super) outcome: Outcome,
    pub(super) words: String,
    /// Where it stands, if it stands there.
    pub(super) delivered: Option<Delivered>,
    pub(super) same_as: Option<MessageRow>,
}

pub(super) struct Deliverer<'a> {
    pub(super) context: &'a Context,
    pub(super) link: SinkLink<'a>,
    pub(super) landings: Landings,
    pub(super) batch: Batch,
    pub(super) flights: Flights,
    pub(super) decided: Vec<Decided>,
    pub(super) flags: Vec<FlagWork>,
    /// Connections lost in a row without one message delivered.
    pub(super) barren: u32,
    step: Option<Arc<StepRun>>,
    /// When something came down the lane last.
    heard: Instant,
    pub(super) unread: readback::Waiting,
    pub(super) headings: Vec<(Listed, HeaderIdentity)>,
    pub(super) firsts: HashMap<(Option<Vec<u8>>, Digest), First>,
}

impl<'a> Deliverer<'a> {
    pub(super) fn new(context: &'a Context, open: Option<Box<dyn Sink>>) -> Self {
        Deliverer {
            context,
            link: SinkLink::new(context, open),
            landings: Landings::default(),
            batch: Batch::default(),
            flights: Flights::new(),
            decided: Vec::new(),
            flags: Vec::new(),
            barren: 0,
            step: None,
            heard: Instant::now(),
            unread: readback::Waiting::default(),
            headings: Vec::new(),
            firsts: HashMap::new(),
        }
    }

    /// Delivers what comes down the lane until it ends. `Err` ends the account.
    pub(super) fn serve(&mut self, lane: &Receiver<Cargo>) -> Result<()> {
        let served = self.serve_all(lane);
        if served.is_err() {
            // What is answered by then counts, whatever ends the account; the next run looks for what this cannot conclude.
            drop(self.conclude_answered());
        }
        served
    }

    fn serve_all(&mut self, lane: &Receiver<Cargo>) -> Result<()> {
        loop {
            let cargo = match lane.recv_timeout(self.patience()) {
                Ok(cargo) => cargo,
                Err(RecvTimeoutError::Timeout) => {
                    self.lull()?;
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => {
                    self.guarded(Self::flush)?;
                    self.drain()?;
                    return readback::read_back(self);
                }
            };
            self.take(cargo)?;
            self.heard = Instant::now();
            if self.context.budget.starving() && lane.is_empty() {
                if self.flights.is_empty() {
                    self.guarded(Self::flush)?;
                }
                self.conclude_answered()?;
            }
        }
    }

    /// How long the lane may be silent before there is something else to do.
    fn patience(&self) -> Duration {
        match (self.batch.is_empty(), self.flights.is_empty()) {
            (true, true) => IDLE,
            (_, false) if self.context.budget.starving() => TICK,
            _ => LINGER,
        }
    }

    /// Nothing came down the lane for a while.
    fn lull(&mut self) -> Result<()> {
        if self.batch.is_empty() && self.flights.is_empty() {
            if self.link.idle().is_err() {
                self.link.drop_connection();
            }
            return Ok(());
        }
        // Who starves is helped by what is under way too; a batch that leaves at once would be a small one.
        if self.flights.is_empty() || self.heard.elapsed() >= LINGER {
            self.guarded(Self::flush)?;
        }
        self.conclude_answered()?;
        // Only who waits for an answer sees that none comes.
        match self.flights.silence() >= SILENCE {
            true => self.conclude_next(true).map(drop),
            false => Ok(()),
        }
    }

    pub(super) fn close(&mut self) {
        // What is left of batches after a failure holds permits that the reading side may wait for.
        self.batch.clear();
        self.flights.clear();
        if let Err(error) = self.link.close() {
            self.context
                .warn(format!("the destination ended the session badly: {error}"));
        }
    }

    fn take(&mut self, cargo: Cargo) -> Result<()> {
        match cargo {
            Cargo::Start(run) => self.start(run),
            Cargo::Heading { listed, header } => {
                self.headings.push((listed, header));
                Ok(())
            }
            Cargo::HeadingsEnd(reply) => self.guarded(|me| me.answer_headings(&reply)),
            Cargo::Message(_) if self.context.stop.asked() => {
                // What is under way is brought to its end, what waits is left to the next run.
                self.step()?.fail(interrupted());
                Ok(())
            }
            Cargo::Message(load) => self.guarded(|me| me.message(load)),
            Cargo::Verdict(verdict) => self.guarded(|me| me.verdict(verdict)),
            Cargo::Flags(work) => {
                self.flags.push(work);
                Ok(())
            }
            Cargo::End(ending) => self.end(ending),
        }
    }

    /// Runs `work`; what fails for this folder only is kept for its report, and the rest of the folder is passed over.
    fn guarded(&mut self, work: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let step = self.step.clone();
        if step.as_ref().is_some_and(|run| run.has_failed()) {
            self.batch.clear();
            return Ok(());
        }
        match (work(self), step) {
            (done, Some(run)) => run.spare(done),
            (done, None) => done,
        }
    }

    fn start(&mut self, run: Arc<StepRun>) -> Result<()> {
        let routed = !self.context.account.routes.is_empty();
        let (target, flights) = (&run.step.target.name, &self.flights);
        self.landings
            .keep_only(|name| name == target || flights.need(name, routed));
        self.firsts.clear();
        self.headings.clear();
        // What a failed folder left behind has no outcome: the next run sees it again.
        self.batch.clear();
        self.decided.clear();
        self.flags.clear();
        self.step = Some(run);
        Ok(())
    }

    pub(super) fn step(&self) -> Result<Arc<StepRun>> {
        self.step.clone().ok_or_else(|| {
            Error::new(
                Kind::Internal,
                Code::Internal,
                "a message came down a lane before its folder",
            )
        })
    }

    fn end(&mut self, ending: Ending) -> Result<()> {
        self.guarded(Self::flush)?;
        self.guarded(finish::change_flags)?;
        let run = self.step()?;
        self.flights.ended(Ended {
            run,
            complete: ending.complete,
            error: ending.error,
        });
        self.conclude_answered()
    }

    fn verdict(&mut self, verdict: Verdict) -> Result<()> {
        let seen = Seen {
            key: verdict.key,
            digests: None,
            message_id: None,
            size: verdict.size,
            flags: verdict.flags,
            date: verdict.date,
            place: None,
        };
        self.decide(Decided {
            seen,
            outcome: verdict.outcome,
            words: verdict.words,
            delivered: None,
            same_as: None,
        })
    }

    pub(super) fn decide(&mut self, decided: Decided) -> Result<()> {
        self.decided.push(decided);
        if self.decided.len() >= 500 {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// Where nothing may be sent for a time, and that may be a day, what is under way is concluded before it is waited for.
    pub(super) fn settle_before_waiting(&mut self) -> Result<()> {
        match self.link.is_held_back() {
            true => self.drain(),
            false => Ok(()),
        }
    }

    fn message(&mut self, load: Load) -> Result<()> {
        self.settle_before_waiting()?;
        let Some(load) = self.folded(load)? else {
            return Ok(());
        };
        let target = self.target_of(&load)?;
        if self
            .flights
            .go_to_from_elsewhere(&target.name, self.step()?.as_ref())
        {
            // A copy of this message may be among them, and would stand for it.
            self.drain()?;
        }
        if !self.batch.goes_to(&target.name) {
            self.flush()?;
        }
        match self.claim(&target, &load)? {
            Claim::Same { uid, source_row } => {
                self.standing_already(&target, load, uid, source_row)
            }
            claim => self.enqueue(&target, load, matches!(claim, Claim::Contradicted)),
        }
    }

    fn enqueue(&mut self, target: &Target, load: Load, contradicted: bool) -> Result<()> {
        if contradicted {
            let id = String::from_utf8_lossy(load.header.message_id.as_deref().unwrap_or_default())
                .into_owned();
            self.context.warn(format!(
                "{}: another message with the same Message-ID stands there; both are kept ({id})",
                target.folder
            ));
        }
        let mut limit = self.link.batch_limit()?;
        limit.messages = failpoint::batch(limit.messages);
        if self.step()?.again {
            // One of those that are sent once more may be what ends the connections: the others shall not suffer.
            limit.messages = 1;
        }
        self.batch.push(target, load);
        if self.batch.is_full(limit) {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// Writes down what was decided, sends the batch.
    pub(super) fn flush(&mut self) -> Result<()> {
        if self.decided.is_empty() && self.batch.is_empty() {
            return Ok(());
        }
        super::labels::set_decided(self)?;
        let decided = std::mem::take(&mut self.decided);
        finish::write_decided(self.context, self.step()?.as_ref(), decided)?;
        if let Some((target, items)) = self.batch.take() {
            self.send(&target, items)?;
        }
        match self.step()?.again {
            true => self.drain(),
            false => Ok(()),
        }
    }

    /// Brings everything that came so far to its end.
    pub(super) fn finish(&mut self) -> Result<()> {
        self.flush()?;
        self.drain()
    }
}

/// What the journal keeps of a message that was read.
pub(super) fn seen(load: &Load) -> Seen {
    Seen {
        key: load.key.clone(),
        digests: Some(load.body.digests()),
        message_id: load.header.message_id.clone(),
        size: load.body.size(),
        flags: load.flags.clone(),
        date: load.date,
        place: load.place.clone(),
    }
}
