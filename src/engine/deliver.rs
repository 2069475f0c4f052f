//! The delivering side of a lane: decides what need not be delivered, and hands the rest on in batches.

use super::batch::Batch;
use super::cargo::{Cargo, Ending, FlagWork, Load, Verdict};
use super::context::{Context, StepRun, interrupted};
use super::decide::First;
use super::finish;
use super::link::SinkLink;
use super::readback;
use super::target::Landings;
use crate::error::{Code, Error, Kind, Result};
use crate::identity::{Claim, HeaderIdentity};
use crate::journal::{Delivered, MessageRow, Seen};
use crate::message::Digest;
use crate::outcome::{Outcome, Trouble};
use crate::plan::Target;
use crate::sink::Sink;
use crate::source::Listed;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// How long a batch that is not full waits for more.
const LINGER: Duration = Duration::from_millis(10);
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
    pub(super) decided: Vec<Decided>,
    pub(super) flags: Vec<FlagWork>,
    /// Connections lost in a row without one message delivered.
    pub(super) barren: u32,
    step: Option<Arc<StepRun>>,
    pub(super) unread: readback::Waiting,
    pub(super) headings: Vec<(Listed, HeaderIdentity)>,
    pub(super) firsts: HashMap<(Option<Vec<u8>>, Digest), First>,
    /// Why this folder cannot be delivered; the rest of it is not tried.
    failed: Option<Error>,
}

impl<'a> Deliverer<'a> {
    pub(super) fn new(context: &'a Context, open: Option<Box<dyn Sink>>) -> Self {
        Deliverer {
            context,
            link: SinkLink::new(context, open),
            landings: Landings::default(),
            batch: Batch::default(),
            decided: Vec::new(),
            flags: Vec::new(),
            barren: 0,
            step: None,
            unread: readback::Waiting::default(),
            headings: Vec::new(),
            firsts: HashMap::new(),
            failed: None,
        }
    }

    /// Delivers what comes down the lane until it ends. `Err` ends the account.
    pub(super) fn serve(&mut self, lane: &Receiver<Cargo>) -> Result<()> {
        loop {
            let wait = if self.batch.is_empty() { IDLE } else { LINGER };
            let cargo = match lane.recv_timeout(wait) {
                Ok(cargo) => cargo,
                Err(RecvTimeoutError::Timeout) if self.batch.is_empty() => {
                    if self.link.idle().is_err() {
                        self.link.drop_connection();
                    }
                    continue;
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.guarded(Self::flush)?;
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => {
                    self.guarded(Self::flush)?;
                    return readback::read_back(self);
                }
            };
            self.take(cargo)?;
            if self.context.budget.starving() && lane.is_empty() {
                self.guarded(Self::flush)?;
            }
        }
    }

    pub(super) fn close(&mut self) {
        // What is left of a batch after a failure holds permits that the reading side may wait for.
        self.batch.clear();
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
                self.failed.get_or_insert_with(interrupted);
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
        if self.failed.is_some() {
            return Ok(());
        }
        match work(self) {
            Err(error) if matches!(error.kind, Kind::Folder | Kind::Message) => {
                self.batch.clear();
                self.failed = Some(error);
                Ok(())
            }
            other => other,
        }
    }

    fn start(&mut self, run: Arc<StepRun>) -> Result<()> {
        self.landings.keep_only(&run.step.target.name);
        self.firsts.clear();
        self.headings.clear();
        // What a failed folder left behind has no outcome: the next run sees it again.
        self.batch.clear();
        self.decided.clear();
        self.flags.clear();
        self.failed = None;
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

    /// Does what is delivered now come by POP3?
    pub(super) fn is_from_pop3(&self) -> Result<bool> {
        let source = self.step()?.step.source.source as usize;
        Ok(self.context.sources[source].0.store.is_pop3())
    }

    fn end(&mut self, ending: Ending) -> Result<()> {
        self.guarded(Self::flush)?;
        self.guarded(finish::change_flags)?;
        let error = self.failed.take().or(ending.error);
        readback::ended(self, ending.complete, error)
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

    fn message(&mut self, load: Load) -> Result<()> {
        let Some(load) = self.folded(load)? else {
            return Ok(());
        };
        let target = self.target_of(&load)?;
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
        let mut limit = self.link.get()?.batch_limit();
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

    /// Writes down what was decided, delivers the batch.
    pub(super) fn flush(&mut self) -> Result<()> {
        if self.decided.is_empty() && self.batch.is_empty() {
            return Ok(());
        }
        super::labels::set_decided(self)?;
        let decided = std::mem::take(&mut self.decided);
        finish::write_decided(self.context, self.step()?.as_ref(), decided)?;
        super::batch::send(self)
    }

    /// A message that did not go as it should, for the report.
    pub(super) fn tell_trouble(
        &self,
        key: String,
        message_id: &[u8],
        outcome: Outcome,
        words: &str,
    ) -> Result<()> {
        self.context.trouble(Trouble {
            folder: self.step()?.step.source.folder.to_string(),
            key,
            message_id: String::from_utf8_lossy(message_id).into_owned(),
            outcome,
            words: words.to_owned(),
        });
        Ok(())
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
