//! A lane: one connection that reads, one that delivers, and between them a bounded channel.

use super::agenda::{Agenda, Queue};
use super::cargo::Cargo;
use super::collect::Collector;
use super::context::{Context, lock};
use super::crew::{self, Ended, Farewell};
use super::deliver::Deliverer;
use super::headcount::START;
use super::keep;
use super::link::SinkLink;
use super::parts;
use super::reading::streams;
use crate::error::{Code, Error, Kind, Result};
use crate::plan::{Step, Work};
use crate::sink::Sink;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

/// Why there is no further lane, where it is no server that refuses it.
const NO_ROOM: &str = "the host has as many connections as this run may have there";
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

/// The connections that work goes on over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crew {
    /// Lanes to begin with, each with a connection to either end.
    pub(super) lanes: usize,
    /// Lanes at most.
    pub(super) most: usize,
    /// Connections to the source at most: there may be more than lanes, if they can help those to read large folders.
    pub(super) connections: usize,
}

/// Works through all groups over as many lanes as the ends allow. The first error that ends the account is given back.
pub(super) fn run(context: &Context, groups: VecDeque<Group>, first: SinkLink<'_>) -> Result<()> {
    let crew = count(context, &groups);
    run_prepared(context, crew, first, |_| Ok(groups))
}

/// As [`run`], but the groups are made by `prepare`, over the first lane's connection to the destination, while the other lanes connect.
pub(super) fn run_prepared(
    context: &Context,
    crew: Crew,
    mut first: SinkLink<'_>,
    prepare: impl FnOnce(&mut SinkLink<'_>) -> Result<VecDeque<Group>>,
) -> Result<()> {
    let work = Queue::default();
    let failed = Mutex::new(None);
    context
        .board
        .begin(crew.lanes, crew.connections > crew.most);
    std::thread::scope(|scope| {
        let (work, failed) = (&work, &failed);
        // Nothing is ever sent: it is opened by dropping this end.
        let (shut, gate) = bounded::<()>(0);
        let (tell, told) = unbounded();
        let start = |lane: usize, open: Option<Box<dyn Sink>>| {
            let (gate, tell) = (gate.clone(), tell.clone());
            scope.spawn(move || {
                let ended = Ended::default();
                let mut farewell = Farewell { tell, ended };
                let agenda = Agenda::new(work, &context.board);
                match one_lane(context, agenda, lane, open, &gate) {
                    Ok(refused) => farewell.ended.refused = refused,
                    Err(error) => fail(context, failed, error),
                }
            });
        };
        let assist = || {
            let tell = tell.clone();
            scope.spawn(move || {
                let (hand, refused) = (true, None);
                let ended = Ended { hand, refused };
                let mut farewell = Farewell { tell, ended };
                farewell.ended.refused = help(context);
            });
        };
        (1..crew.lanes).for_each(|lane| start(lane, None));
        match prepare(&mut first) {
            Ok(groups) => {
                *lock(work) = groups;
                start(0, first.take());
                drop(shut);
                crew::watch(context, crew, work, &told, &|lane| match lane {
                    Some(lane) => start(lane, None),
                    None => assist(),
                });
            }
            // The other lanes find nothing to do.
            Err(error) => {
                *lock(failed) = Some(error);
                context.board.lane_ended();
                drop(shut);
            }
        }
    });
    lock(&failed).take().map_or(Ok(()), Err)
}

/// A lane failed: the others stop at the next message, what they have in flight is still brought to its end.
fn fail(context: &Context, failed: &Mutex<Option<Error>>, error: Error) {
    context.stop.ask();
    let mut failed = lock(failed);
    let worse = failed
        .as_ref()
        .is_none_or(|old| old.kind == Kind::Interrupted);
    if worse {
        *failed = Some(error);
    }
}

/// How many lanes the work and the ends are good for.
pub(super) fn count(context: &Context, groups: &VecDeque<Group>) -> Crew {
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
    let most = busy.min(readers).min(writers).max(1);
    let large = groups
        .iter()
        .flatten()
        .any(|(_, step)| streams(context, step) && parts::is_large(&step.source));
    let connections = match large && context.sources.len() == 1 {
        true => readers.max(most),
        false => most,
    };
    Crew {
        lanes: most.min(START),
        most,
        connections,
    }
}

pub(super) fn is_idle(work: &Work) -> bool {
    matches!(work, Work::Unchanged { .. } | Work::Refused { .. })
}

/// Works as long as there is something for one more. Gives the words of a server that took no further connection.
fn one_lane(
    context: &Context,
    agenda: Agenda<'_>,
    number: usize,
    open: Option<Box<dyn Sink>>,
    gate: &Receiver<()>,
) -> Result<Option<String>> {
    let room = (number > 0).then(|| context.room());
    if room.as_ref().is_some_and(Option::is_none) {
        return Ok(Some(NO_ROOM.to_owned()));
    }
    std::thread::scope(|scope| {
        let (sender, collected) = bounded::<Cargo>(WAITING);
        let (go, ready) = bounded::<()>(1);
        let reader = scope.spawn(move || read(context, agenda, number, sender, (&ready, gate)));
        // Both ends connect at once.
        let open = match (open, number) {
            (None, 1..) => match further(context) {
                Ok(open) => Some(open),
                Err(error) => {
                    drop(go);
                    return join(reader).map(|refused| refused.or(Some(error.to_string())));
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
        let (refused, read) = match join(reader) {
            Ok(refused) => (refused, Ok(())),
            Err(error) => (None, Err(error)),
        };
        first_cause([delivered, kept, read]).map(|()| refused)
    })
}

/// Helps the lanes to read large folders, as long as there are any. Gives the words of a source that took no further connection.
fn help(context: &Context) -> Option<String> {
    let Some(_room) = context.room() else {
        context.board.lane_ended();
        return Some(NO_ROOM.to_owned());
    };
    let (lane, _) = bounded(0);
    let mut collector = Collector::new(context, lane);
    if let Err(error) = collector.connect() {
        context.board.lane_ended();
        return Some(error.to_string());
    }
    if !collector.help() {
        context.board.lane_ended();
    }
    collector.close();
    None
}

/// One more connection to the destination. Servers limit connections in many ways and words: without it the others go on.
fn further(context: &Context) -> Result<Box<dyn Sink>> {
    context.open_sink(context.sink as usize, false)
}

/// Takes work only once the lane's other end is there too (`ready`), and all is prepared (`gate`). Gives the words of a source that
/// took no further connection.
fn read(
    context: &Context,
    mut agenda: Agenda<'_>,
    number: usize,
    lane: Sender<Cargo>,
    (ready, gate): (&Receiver<()>, &Receiver<()>),
) -> Result<Option<String>> {
    let mut collector = Collector::new(context, lane);
    if number > 0
        && let Err(error) = collector.connect()
    {
        return Ok(Some(error.to_string()));
    }
    if ready.recv().is_err() {
        // The other end knows why; the work is left to the other lanes.
        collector.close();
        return Ok(None);
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
    result.map(|()| None)
}

pub(super) fn join<T>(handle: std::thread::ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    handle.join().unwrap_or_else(|_| Err(failed()))
}

pub(super) fn failed() -> Error {
    let what = "a part of mailhaul failed where it must not; what was committed is kept";
    Error::new(Kind::Internal, Code::Internal, what)
}

/// Of several failures the one that is not just the echo of another: a stage whose neighbour is gone calls itself interrupted.
fn first_cause(results: [Result<()>; 3]) -> Result<()> {
    let mut errors: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    errors.sort_by_key(|error| error.kind == Kind::Interrupted);
    errors.into_iter().next().map_or(Ok(()), Err)
}
