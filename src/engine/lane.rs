//! A lane: one connection that reads, one that delivers, and between them a bounded channel.

use super::agenda::{Agenda, Queue};
use super::cargo::Cargo;
use super::collect::Collector;
use super::context::{Context, lock};
use super::deliver::Deliverer;
use super::keep;
use super::link::SinkLink;
use crate::error::{Kind, Result};
use crate::plan::{Step, Work};
use crate::sink::Sink;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

/// Messages between two stages of a lane; their bytes are bounded by the budget.
const WAITING: usize = 256;

/// Steps that deliver into one folder: one lane takes them all, so that a folder has one writer.
pub(super) type Group = VecDeque<(usize, Step)>;

/// The steps of a plan, by destination folder, in the plan's order.
pub(super) fn groups(steps: Vec<(usize, Step)>, routed: bool) -> VecDeque<Group> {
    if routed {
        // Routes may send any message anywhere.
        return VecDeque::from([steps.into()]);
    }
    let mut places: HashMap<Vec<u8>, usize> = HashMap::new();
    let mut groups: Vec<Group> = Vec::new();
    for (order, step) in steps {
        let next = groups.len();
        let at = *places.entry(step.target.name.clone()).or_insert(next);
        if at == next {
            groups.push(Group::new());
        }
        groups[at].push_back((order, step));
    }
    groups.into()
}

/// Works through all groups over as many lanes as the ends allow. The first error that ends the account is given back.
pub(super) fn run(context: &Context, groups: VecDeque<Group>, first: SinkLink<'_>) -> Result<()> {
    let lanes = count(context, &groups);
    run_prepared(context, lanes, first, |_| Ok(groups))
}

/// As [`run`], but the groups are made by `prepare`, over the first lane's connection to the destination, while the other lanes connect.
pub(super) fn run_prepared(
    context: &Context,
    lanes: usize,
    mut first: SinkLink<'_>,
    prepare: impl FnOnce(&mut SinkLink<'_>) -> Result<VecDeque<Group>>,
) -> Result<()> {
    let work = Queue::default();
    let failed = Mutex::new(None);
    std::thread::scope(|scope| {
        let (work, failed) = (&work, &failed);
        // Nothing is ever sent: it is opened by dropping this end.
        let (shut, gate) = bounded::<()>(0);
        let start = |lane: usize, open: Option<Box<dyn Sink>>| {
            let gate = gate.clone();
            scope.spawn(move || {
                let agenda = Agenda::new(work, lanes);
                if let Err(error) = one_lane(context, agenda, lane, open, &gate) {
                    // The others stop at the next message: what they have in flight is still brought to its end.
                    context.stop.ask();
                    let mut failed = lock(failed);
                    let worse = failed
                        .as_ref()
                        .is_none_or(|old: &crate::error::Error| old.kind == Kind::Interrupted);
                    if worse {
                        *failed = Some(error);
                    }
                }
            });
        };
        (1..lanes).for_each(|lane| start(lane, None));
        match prepare(&mut first) {
            Ok(groups) => {
                *lock(work) = groups;
                start(0, first.take());
            }
            // The other lanes find nothing to do.
            Err(error) => *lock(failed) = Some(error),
        }
        drop(shut);
    });
    lock(&failed).take().map_or(Ok(()), Err)
}

/// How many lanes the work and the ends are good for.
pub(super) fn count(context: &Context, groups: &VecDeque<Group>) -> usize {
    let busy = groups
        .iter()
        .filter(|group| group.iter().any(|(_, step)| !is_idle(&step.work)))
        .count();
    let readers = context
        .sources
        .iter()
        .map(|(spec, _)| spec.store.connections())
        .max()
        .unwrap_or(1);
    let writers = context.destination.0.store.connections();
    busy.min(readers).min(writers).max(1)
}

pub(super) fn is_idle(work: &Work) -> bool {
    matches!(work, Work::Unchanged { .. } | Work::Refused { .. })
}

fn one_lane(
    context: &Context,
    agenda: Agenda<'_>,
    number: usize,
    open: Option<Box<dyn Sink>>,
    gate: &Receiver<()>,
) -> Result<()> {
    std::thread::scope(|scope| {
        let (sender, collected) = bounded::<Cargo>(WAITING);
        let (go, ready) = bounded::<()>(1);
        let reader = scope.spawn(move || read(context, agenda, number, sender, (&ready, gate)));
        // Both ends connect at once.
        let open = match (open, number) {
            (None, 1..) => match further(context, number) {
                Some(open) => Some(open),
                None => {
                    drop(go);
                    return join(reader);
                }
            },
            (open, _) => open,
        };
        // A reader that got no connection is gone already: then its channel is at its end too.
        go.send(()).ok();
        let (deliverable, keeper) = match &context.archive {
            None => (collected, None),
            Some(archive) => {
                let (sender, kept) = bounded::<Cargo>(WAITING);
                (
                    kept,
                    Some(scope.spawn(move || keep::serve(context, archive, &collected, &sender))),
                )
            }
        };
        let mut deliverer = Deliverer::new(context, open);
        let delivered = deliverer.serve(&deliverable);
        deliverer.close();
        // Dropping it is what tells the stages before that nobody takes their messages any more.
        drop(deliverable);
        let kept = keeper.map_or(Ok(()), join);
        let read = join(reader);
        first_cause([delivered, kept, read])
    })
}

/// One more connection to the destination. Servers limit connections in many ways and words: without it the others go on.
fn further(context: &Context, number: usize) -> Option<Box<dyn Sink>> {
    context
        .open_sink(context.sink as usize, false)
        .inspect_err(|error| context.warn(format!("going on with {number} connections: {error}")))
        .ok()
}

/// Takes work only once the lane's other end is there too (`ready`), and all is prepared (`gate`).
fn read(
    context: &Context,
    mut agenda: Agenda<'_>,
    number: usize,
    lane: Sender<Cargo>,
    (ready, gate): (&Receiver<()>, &Receiver<()>),
) -> Result<()> {
    let mut collector = Collector::new(context, lane);
    if number > 0
        && let Err(error) = collector.connect()
    {
        context.warn(format!("going on with {number} connections: {error}"));
        return Ok(());
    }
    if ready.recv().is_err() {
        // The other end told why; the work is left to the other lanes.
        collector.close();
        return Ok(());
    }
    // Ends with an error, by design: see where it is made.
    gate.recv().ok();
    let mut result = Ok(());
    while result.is_ok() {
        let Some((order, step)) = agenda.next() else {
            break;
        };
        result = collector.collect(order, step, &mut agenda);
    }
    collector.close();
    result
}

pub(super) fn join<T>(handle: std::thread::ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    handle.join().unwrap_or_else(|_| {
        let what = "a part of mailhaul failed where it must not; what was committed is kept";
        Err(crate::error::Error::new(
            Kind::Internal,
            crate::error::Code::Internal,
            what,
        ))
    })
}

/// Of several failures the one that is not just the echo of another: a stage whose neighbour is gone calls itself interrupted.
fn first_cause(results: [Result<()>; 3]) -> Result<()> {
    let mut errors: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    errors.sort_by_key(|error| error.kind == Kind::Interrupted);
    errors.into_iter().next().map_or(Ok(()), Err)
}
