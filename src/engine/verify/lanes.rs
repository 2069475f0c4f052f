//! Works through the folders of a plan over several pairs of connections.

use super::Audit;
use super::group::{Comparison, Group, Links};
use super::judge::{Case, Checked};
use super::standing::Standing;
use crate::compare::Level;
use crate::engine::context::lock;
use crate::engine::lane::join;
use crate::engine::link::{SinkLink, SourceLink};
use crate::error::{Error, Kind, Result};
use crate::outcome::Event;
use crate::plan::{Plan, Step};
use crate::sink::{self, Sink};
use std::collections::VecDeque;
use std::sync::Mutex;

/// What all lanes share.
struct Shared<'a> {
    audit: &'a Audit<'a>,
    plan: &'a Plan,
    work: Mutex<VecDeque<Group>>,
    done: Mutex<Vec<Checked>>,
}

/// Compares all folders; results in the plan's order.
///
/// # Errors
/// The first that ended the account.
pub(super) fn run(
    audit: &Audit<'_>,
    plan: &Plan,
    first: Option<Box<dyn Sink>>,
) -> Result<Vec<Checked>> {
    let groups = groups(plan);
    let lanes = lanes(audit, groups.len());
    let shared = Shared {
        audit,
        plan,
        work: Mutex::new(groups),
        done: Mutex::default(),
    };
    let mut first = first;
    let ended = std::thread::scope(|scope| {
        let shared = &shared;
        let lanes: Vec<_> = (0..lanes)
            .map(|lane| {
                let open = first.take();
                scope.spawn(move || {
                    one_lane(shared, lane, open)
                        // The others stop at the next message.
                        .inspect_err(|_| shared.audit.context.stop.ask())
                })
            })
            .collect();
        let results: Vec<Result<()>> = lanes.into_iter().map(join).collect();
        first_cause(results)
    });
    ended?;
    let mut done = shared.done.into_inner().unwrap_or_else(|e| e.into_inner());
    done.sort_by(|a, b| (a.order, &a.name).cmp(&(b.order, &b.name)));
    Ok(done)
}

/// An interruption is but the echo of another lane's failure, where there is one.
fn first_cause(results: Vec<Result<()>>) -> Result<()> {
    let mut errors: Vec<Error> = results.into_iter().filter_map(Result::err).collect();
    errors.sort_by_key(|error| error.kind == Kind::Interrupted);
    errors.into_iter().next().map_or(Ok(()), Err)
}

/// Steps by destination folder; with routes all together.
fn groups(plan: &Plan) -> VecDeque<Group> {
    if plan.routed {
        return VecDeque::from([(0..plan.steps.len()).collect()]);
    }
    let mut groups: VecDeque<Group> = VecDeque::new();
    let target = |order: usize| &plan.steps[order].target.name;
    for order in 0..plan.steps.len() {
        match groups
            .iter_mut()
            .find(|group| target(group[0]) == target(order))
        {
            Some(group) => group.push(order),
            None => groups.push_back(vec![order]),
        }
    }
    groups
}

fn lanes(audit: &Audit<'_>, groups: usize) -> usize {
    let context = audit.context;
    let readers = context
        .sources
        .iter()
        .map(|(spec, _)| spec.store.connections())
        .max()
        .unwrap_or(1);
    let there = context.destination.0.store.connections();
    groups.min(readers).min(there).max(1)
}

fn one_lane(shared: &Shared<'_>, lane: usize, open: Option<Box<dyn Sink>>) -> Result<()> {
    let context = shared.audit.context;
    let room = (lane > 0).then(|| context.room());
    if room.as_ref().is_some_and(Option::is_none) {
        return Ok(());
    }
    let open = match (open, lane) {
        (None, 1..) => match further(shared, lane) {
            Some(open) => Some(open),
            None => return Ok(()),
        },
        (open, _) => open,
    };
    let mut links = Links {
        sources: (0..context.sources.len())
            .map(|index| SourceLink::new(context, index))
            .collect(),
        sink: SinkLink::new(context, open),
    };
    while let Some(group) = next(shared) {
        context.check_stop()?;
        let done = compare(shared, &group, &mut links)?;
        lock(&shared.done).extend(done);
    }
    // What was read is read; a connection that ends badly takes nothing back.
    links.sources.iter_mut().for_each(|link| drop(link.close()));
    drop(links.sink.close());
    Ok(())
}

fn next(shared: &Shared<'_>) -> Option<Group> {
    lock(&shared.work).pop_front()
}

/// One more connection. Servers limit them in many ways and words: without it the others go on.
fn further(shared: &Shared<'_>, lane: usize) -> Option<Box<dyn Sink>> {
    let context = shared.audit.context;
    let (spec, login) = &context.destination;
    sink::open(spec, login.as_ref(), false)
        .inspect_err(|error| context.warn(format!("going on with {lane} connections: {error}")))
        .ok()
}

/// A folder that alone cannot be compared has an error of its own.
fn compare(shared: &Shared<'_>, group: &Group, links: &mut Links<'_>) -> Result<Vec<Checked>> {
    let (audit, plan) = (shared.audit, shared.plan);
    let steps = || group.iter().map(|&order| (order, &plan.steps[order]));
    steps().for_each(|(_, step)| tell_start(audit, step));
    let compared = Comparison::new(audit, plan, group).and_then(|it| it.compare(links));
    steps().for_each(|(_, step)| {
        audit.context.tell(Event::FolderChecked {
            account: audit.context.account.name.clone(),
            folder: step.source.folder.to_string(),
        });
    });
    match compared {
        Err(error) if matches!(error.kind, Kind::Folder | Kind::Message) => Ok(steps()
            .map(|(order, step)| failed(audit, order, step, &error))
            .collect()),
        other => other,
    }
}

fn tell_start(audit: &Audit<'_>, step: &Step) {
    audit.context.tell(Event::FolderStarted {
        account: audit.context.account.name.clone(),
        folder: step.source.folder.to_string(),
        to: step.target.folder.to_string(),
        messages: u64::from(step.source.messages),
    });
}

fn failed(audit: &Audit<'_>, order: usize, step: &Step, error: &Error) -> Checked {
    let case = Case {
        audit,
        level: Level::Count,
        steps: vec![(order, step, None)],
        target: &step.target,
        standing: Standing::default(),
    };
    let mut checked = case.blank();
    checked.folder.tally.source = u64::from(step.source.messages);
    checked.folder.tally.unread = u64::from(step.source.messages);
    checked.folder.error = Some(error.clone());
    checked
}
