//! One account: from the job's words to a report.

use super::context::{Context, lock};
use super::front::journal_identity;
use super::ledger::ledger;
use super::link::{SinkLink, SourceLink};
use super::pace::Pacing;
use super::planning::{look_ahead, make_plan, prepare, tell_plan};
use super::times::Times;
use super::{Stop, after, doubt, lane, same, vanish};
use crate::archive::Archive;
use crate::auth::Credentials;
use crate::error::{End, Result};
use crate::job::{Account, Store};
use crate::journal::{FolderId, Journal, RunId};
use crate::message::SourceKey;
use crate::outcome::{AccountReport, Event};
use crate::plan::{Landscape, Plan, SourceFolder, Step, Work};
use crate::spool::Budget;
use crossbeam_channel::Sender;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

/// Times that a message in doubt is sent once more.
const RESENDS: u32 = 2;

/// What an account needs beside the job: secrets, and what the whole run shares.
pub(super) struct Frame<'a> {
    pub(super) account: &'a Account,
    pub(super) budget: Budget,
    pub(super) events: Sender<Event>,
    pub(super) stop: Stop,
    pub(super) pacing: Arc<Pacing>,
}

/// Who logs in at an end; files need nobody.
pub(super) type Login = Option<Credentials>;

/// Logins of an account's ends, in the job's order.
pub(super) struct Logins {
    pub(super) sources: Vec<Login>,
    pub(super) destinations: Vec<Login>,
}

impl Logins {
    /// Gets every secret the account needs; may ask at the terminal.
    pub(super) fn of(account: &Account) -> Result<Self> {
        let login = |store: &Store, end: End| {
            let Some(server) = store.server() else {
                return Ok(None);
            };
            let login = server.login().map_err(|error| error.at(end))?;
            Ok(Some(login))
        };
        Ok(Logins {
            sources: account
                .sources
                .iter()
                .map(|source| login(&source.store, End::Source))
                .collect::<Result<_>>()?,
            destinations: account
                .destinations
                .iter()
                .map(|destination| login(&destination.store, End::Destination))
                .collect::<Result<_>>()?,
        })
    }
}

/// Runs an account to its end; whatever happens, there is a report.
pub(super) fn run(frame: &Frame<'_>, logins: Result<Logins>) -> AccountReport {
    let started = Instant::now();
    let name = frame.account.name.clone();
    drop(frame.events.send(Event::AccountStarted {
        account: name.clone(),
    }));
    let times = frame
        .account
        .explain_time
        .then(|| Arc::new(Times::default()));
    let mut report = AccountReport {
        account: name.clone(),
        folders: Vec::new(),
        trouble: Vec::new(),
        elapsed: started.elapsed(),
        after: 0,
        vanished: 0,
        error: None,
        high_water: 0,
        spent: None,
    };
    if let Err(error) =
        logins.and_then(|logins| run_open(frame, &logins, times.clone(), &mut report))
    {
        report.error = Some(error);
    }
    report.elapsed = started.elapsed();
    report.spent = times.map(|times| times.spent());
    report.high_water = frame.budget.high_water();
    drop(frame.events.send(Event::AccountDone {
        account: name,
        report: report.clone(),
    }));
    report
}

fn run_open(
    frame: &Frame<'_>,
    logins: &Logins,
    times: Option<Arc<Times>>,
    report: &mut AccountReport,
) -> Result<()> {
    let spec = &frame.account.archive;
    let mut archive = Some(Archive::open(spec)?);
    let mut journal = Journal::open(&spec.path, &journal_identity(frame.account))?;
    let run = journal.begin_run(&frame.account.name)?;
    for sink in 0..frame.account.destinations.len() {
        let last = sink + 1 == frame.account.destinations.len();
        let (ledger, desk) = ledger();
        let ledger = ledger.timed(times.clone());
        // Whether mail is kept on the way or not: holding it is what keeps other runs out.
        let (kept, held) = match keeps(frame.account, sink) {
            true => (archive.take(), None),
            false => (None, archive.take()),
        };
        let context = context(frame, logins, sink, run, (ledger, times.clone()), kept);
        let result = std::thread::scope(|scope| {
            let desk = scope.spawn(move || desk.serve(journal));
            let result = leg(&context, last, report);
            context.paces.close();
            let kept = finish(context, report);
            let journal = desk.join().map_err(|_| super::ledger::gone());
            (result, kept, journal)
        });
        let (done, kept, back) = result;
        archive = kept.or(held);
        let (back, noted) = back?;
        journal = back;
        let done = done.and(noted);
        if done.is_err() || last {
            journal.end_run(run, &summary(report))?;
            return done;
        }
    }
    Ok(())
}

/// A line for the journal's history of runs.
fn summary(report: &AccountReport) -> String {
    let counts = report.counts();
    let outcomes: serde_json::Map<String, serde_json::Value> = crate::outcome::Outcome::ALL
        .iter()
        .map(|outcome| (outcome.as_str().to_owned(), counts.of(*outcome).into()))
        .collect();
    serde_json::json!({ "messages": report.source_count(), "outcomes": outcomes }).to_string()
}

fn context(
    frame: &Frame<'_>,
    logins: &Logins,
    sink: usize,
    run: RunId,
    (ledger, times): (super::ledger::Ledger, Option<Arc<Times>>),
    archive: Option<Archive>,
) -> Context {
    let sources = frame
        .account
        .sources
        .iter()
        .cloned()
        .zip(logins.sources.iter().cloned())
        .collect();
    let destinations = frame
        .account
        .destinations
        .iter()
        .cloned()
        .zip(logins.destinations.iter().cloned())
        .collect();
    let parts = super::context::Parts {
        account: frame.account.clone(),
        sources,
        destinations,
        sink: sink as u32,
        run,
        ledger,
        archive,
        budget: frame.budget.clone(),
        events: frame.events.clone(),
        stop: frame.stop.child(),
        pacing: Arc::clone(&frame.pacing),
        times,
    };
    Context::new(parts)
}

/// Is mail kept on its way to this destination? Not where the destination is the archive itself.
fn keeps(account: &Account, sink: usize) -> bool {
    account.archive.keep_mail && !account.destinations[sink].store.is_archive()
}

/// Takes what the leg gathered into the report; gives the archive back.
fn finish(context: Context, report: &mut AccountReport) -> Option<Archive> {
    let (folders, trouble, archive) = context.into_results();
    report.folders.extend(folders);
    report.trouble.extend(trouble);
    archive
}

/// One account to one destination.
fn leg(context: &Context, last: bool, report: &mut AccountReport) -> Result<()> {
    let mut sink = SinkLink::new(context, None).first();
    let folders = look_around(context, &mut sink)?;
    same::refuse_same_mailbox(context, &mut sink)?;
    let mut plan = make_plan(context, folders)?;
    tell_plan(context, &plan);
    let labels = context.labels();
    let hidden = (0..context.sources.len()).filter_map(|source| labels.hidden(source as u32));
    hidden.for_each(|text| context.warn(text));
    let crew = lane::count(context, &groups(&plan));
    let mut prepared = false;
    let done = lane::run_prepared(context, crew, sink, |sink| {
        prepare(sink, &mut plan)?;
        if plan.unsettled > 0 {
            doubt::settle(context, sink, false)?;
        }
        look_ahead(context, sink, &plan)?;
        prepared = true;
        Ok(groups(&plan))
    });
    done.and_then(|()| settle_late(context, &plan))
        .inspect_err(|error| {
            if prepared {
                context.close_books(&plan, error);
            }
        })?;
    vanish::carry_out(context, &plan, &mut report.vanished)?;
    if last {
        report.after = after::carry_out(context, &plan)?;
    }
    context.check_stop()
}

fn groups(plan: &Plan) -> VecDeque<lane::Group> {
    let steps = plan.steps.iter().cloned().enumerate();
    lane::groups(steps.collect(), plan.routed)
}

/// Looks at both ends at once: connecting and listing is mostly waiting. Gives the folders of the sources.
pub(super) fn look_around(context: &Context, sink: &mut SinkLink<'_>) -> Result<Vec<SourceFolder>> {
    std::thread::scope(|scope| {
        let sources = scope.spawn(|| source_folders(context));
        let landscape = sink.retry(|sink| sink.folders());
        let found = lane::join(sources);
        let (naming, folders) = landscape?;
        context.set_landscape(Landscape { naming, folders });
        found.inspect(|found| context.set_labels(found))
    })
}

/// Connects to every source; what it finds is kept for the lanes.
fn source_folders(context: &Context) -> Result<Vec<SourceFolder>> {
    let mut folders = Vec::new();
    for index in 0..context.sources.len() {
        let mut link = SourceLink::new(context, index).first();
        folders.extend(link.retry(|source| source.folders())?);
        link.give_back();
    }
    Ok(folders)
}

/// The end of a run: what was in doubt is looked for once more, and what is nowhere is sent again.
fn settle_late(context: &Context, plan: &Plan) -> Result<()> {
    for round in 0.. {
        let sink = context.sink;
        let open = context
            .ledger
            .ask(move |journal| journal.open_intents(sink))?;
        let waiting = open
            .iter()
            .flat_map(|intent| &intent.messages)
            .filter(|message| !message.concluded)
            .count();
        if open.is_empty() {
            return Ok(());
        }
        if waiting > 0 {
            doubt::wait_for_late(context, waiting)?;
        }
        let mut link = SinkLink::new(context, None);
        let settled = doubt::settle(context, &mut link, true)?;
        for ((folder, outcome), messages) in &settled.found {
            context.count_late(*folder, *outcome, *messages);
        }
        if settled.absent.is_empty() {
            return Ok(());
        }
        if round == RESENDS {
            return doubt::give_up(context, settled.absent);
        }
        let again = steps_again(context, plan, settled.absent);
        lane::run(context, lane::groups(again, plan.routed), link)?;
    }
    Ok(())
}

/// Steps that send these messages, and nothing else.
fn steps_again(context: &Context, plan: &Plan, absent: Vec<doubt::Absent>) -> Vec<(usize, Step)> {
    let mut resend: HashMap<FolderId, HashSet<SourceKey>> = HashMap::new();
    for absent in absent {
        resend.entry(absent.folder).or_default().insert(absent.key);
    }
    let steps = plan
        .steps
        .iter()
        .enumerate()
        .filter(|(order, _)| {
            context
                .folder_of(*order)
                .is_some_and(|folder| resend.contains_key(&folder))
        })
        .map(|(order, step)| {
            let work = again(&step.source);
            let step = step.clone();
            (order, Step { work, ..step })
        })
        .collect();
    *lock(&context.resend) = resend;
    steps
}

fn again(source: &SourceFolder) -> Work {
    Work::Update {
        messages: source.messages,
        known: 0,
        waiting: 0,
    }
}
