//! The reading side of a lane: opens folders at the source and sends their messages down.

use super::agenda::Agenda;
use super::cargo::{Cargo, Ending};
use super::context::{Context, StepRun, interrupted};
use super::link::SourceLink;
use super::reading::{Reading, streams};
use crate::error::{Error, Kind, Result};
use crate::outcome::Event;
use crate::plan::Step;
use crate::source::Opened;
use crossbeam_channel::Sender;
use std::sync::Arc;

/// Sessions at a source that shows only a part of itself in each.
const SESSIONS: usize = 10_000;
/// A folder with more messages is not asked for before its turn: should that have been in vain, they would all have to be read.
const AHEAD: u32 = 1_000;

/// The reading side of one lane.
pub(super) struct Collector<'a> {
    context: &'a Context,
    /// One connection a source, made when a step needs it.
    links: Vec<SourceLink<'a>>,
    lane: Sender<Cargo>,
}

/// The delivering side is gone: it has told why.
pub(super) fn lane_closed() -> Error {
    interrupted()
}

impl<'a> Collector<'a> {
    pub(super) fn new(context: &'a Context, lane: Sender<Cargo>) -> Self {
        let links = (0..context.sources.len())
            .map(|index| SourceLink::new(context, index))
            .collect();
        Collector {
            context,
            links,
            lane,
        }
    }

    /// Connects to the source, if there is only one; tries once, for a server that takes no further connection does not take it later.
    pub(super) fn connect(&mut self) -> Result<()> {
        match self.links.as_mut_slice() {
            [link] => link.connect(),
            _ => Ok(()),
        }
    }

    /// Works through one step; asks for those of the `agenda` ahead. `Err` ends the lane; what concerns this folder only is in its report.
    pub(super) fn collect(
        &mut self,
        order: usize,
        step: Step,
        agenda: &mut Agenda<'_>,
    ) -> Result<()> {
        let (source, name, validity) = (
            step.source.source,
            step.source.name.clone(),
            step.source.uid_validity,
        );
        let run = self.context.run;
        let folder = self
            .context
            .ledger
            .ask(move |journal| journal.folder(run, source, &name, validity))?;
        let again = self.context.folder_of(order).is_some();
        let run = StepRun::new(order, again, step, folder);
        self.context.enter(&run);
        if !again {
            run.report().source_count = u64::from(run.step.source.messages);
        }
        self.context.tell(Event::FolderStarted {
            account: self.context.account.name.clone(),
            folder: run.step.source.folder.to_string(),
            to: run.step.target.folder.to_string(),
            messages: u64::from(run.step.source.messages),
        });
        self.send(Cargo::Start(Arc::clone(&run)))?;
        let result = self.read(&run, agenda);
        let (ending, fatal) = match result {
            Ok(complete) => (
                Ending {
                    complete,
                    error: None,
                },
                None,
            ),
            Err(error) => {
                let fatal =
                    (!matches!(error.kind, Kind::Folder | Kind::Message)).then(|| error.clone());
                (
                    Ending {
                        complete: None,
                        error: Some(error),
                    },
                    fatal,
                )
            }
        };
        self.send(Cargo::End(ending))?;
        fatal.map_or(Ok(()), Err)
    }

    pub(super) fn close(&mut self) {
        for link in &mut self.links {
            if self.context.stop.asked() {
                // A session left in the middle of a stream cannot say good-bye.
                link.drop_connection();
            } else if let Err(error) = link.close() {
                self.context
                    .warn(format!("the source ended the session badly: {error}"));
            }
        }
    }

    fn send(&self, cargo: Cargo) -> Result<()> {
        self.lane.send(cargo).map_err(|_| lane_closed())
    }

    /// Reads a folder to its end, over as many connections as it takes.
    fn read(&mut self, run: &Arc<StepRun>, agenda: &mut Agenda<'_>) -> Result<Option<Opened>> {
        let (context, source) = (self.context, run.step.source.source);
        let index = source as usize;
        let fits = |step: &Step| {
            step.source.source == source && step.source.messages <= AHEAD && streams(context, step)
        };
        let mut next = |n| agenda.ahead(n, fits);
        let mut reading = Reading::new(context, run, &self.lane, &mut next);
        let mut sessions = 0;
        loop {
            self.context.check_stop()?;
            let link = &mut self.links[index];
            let before = reading.seen.len();
            let result = match link.get() {
                Ok(source) => reading.pass(source),
                Err(error) => return Err(error),
            };
            if reading.seen.len() > before {
                link.patience.refill();
            }
            match result {
                Ok(complete) => {
                    sessions += 1;
                    let again = link.get()?.may_hold_back()
                        && reading.seen.len() > before
                        && sessions < SESSIONS;
                    if !again {
                        return Ok(complete);
                    }
                    link.close()?;
                }
                Err(error) if error.is_transient() => {
                    link.drop_connection();
                    link.patience.wait(self.context, error)?;
                }
                Err(error) => {
                    // Nobody knows what the connection would say next.
                    link.drop_connection();
                    return Err(error);
                }
            }
        }
    }
}
