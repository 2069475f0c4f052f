//! The stage of a lane that keeps messages in the archive before they are delivered.

use super::cargo::{Cargo, Load};
use super::context::{Context, StepRun, interrupted, lock};
use super::times;
use crate::archive::{Archive, Keep};
use crate::error::Result;
use crate::outcome::Wait;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Messages and bytes that share the fsync of one batch.
const BATCH: usize = 64;
const BATCH_BYTES: u64 = 2 << 20;
/// How long a batch that is not full waits for more.
const LINGER: Duration = Duration::from_millis(5);

struct Keeper<'a> {
    context: &'a Context,
    archive: &'a Mutex<Archive>,
    down: &'a Sender<Cargo>,
    step: Option<Arc<StepRun>>,
    batch: Vec<Load>,
    bytes: u64,
}

/// Keeps every message that passes, then sends it on; everything else passes in its order.
pub(super) fn serve(
    context: &Context,
    archive: &Mutex<Archive>,
    up: &Receiver<Cargo>,
    down: &Sender<Cargo>,
) -> Result<()> {
    let mut keeper = Keeper {
        context,
        archive,
        down,
        step: None,
        batch: Vec::new(),
        bytes: 0,
    };
    loop {
        match up.recv_timeout(LINGER) {
            Ok(cargo) => keeper.take(cargo)?,
            Err(RecvTimeoutError::Timeout) => keeper.store()?,
            Err(RecvTimeoutError::Disconnected) => return keeper.store(),
        }
        if context.budget.starving() && up.is_empty() {
            keeper.store()?;
        }
    }
}

impl Keeper<'_> {
    fn take(&mut self, cargo: Cargo) -> Result<()> {
        match cargo {
            Cargo::Message(load) if load.place.is_none() => {
                self.bytes += load.body.size();
                self.batch.push(load);
                if self.batch.len() < BATCH && self.bytes < BATCH_BYTES {
                    return Ok(());
                }
                self.store()
            }
            other => {
                self.store()?;
                if let Cargo::Start(run) = &other {
                    self.step = Some(Arc::clone(run));
                }
                self.send(other)
            }
        }
    }

    /// Makes the batch durable in the archive, and sends it on.
    fn store(&mut self) -> Result<()> {
        self.bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        let Some(run) = self.step.clone().filter(|_| !batch.is_empty()) else {
            return Ok(());
        };
        let source = &run.step.source;
        let names: Vec<String> = batch
            .iter()
            .map(|load| self.context.source_text(source, &load.key))
            .collect();
        let items: Vec<Keep<'_>> = batch
            .iter()
            .zip(&names)
            .map(|(load, name)| Keep {
                body: &load.body,
                flags: &load.flags,
                date: load.date,
                source: name,
            })
            .collect();
        let (places, warnings) = {
            let mut archive = lock(self.archive);
            let store = || archive.store(&source.folder, &items);
            let places = times::during(self.context.times.as_deref(), Wait::Archive, store);
            (places, archive.warnings())
        };
        warnings
            .into_iter()
            .for_each(|text| self.context.warn(text));
        let places = places?;
        drop(items);
        for (mut load, place) in batch.into_iter().zip(places) {
            load.place = Some(place);
            self.send(Cargo::Message(load))?;
        }
        Ok(())
    }

    fn send(&self, cargo: Cargo) -> Result<()> {
        self.down.send(cargo).map_err(|_| interrupted())
    }
}
