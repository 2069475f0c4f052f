//! `mailhaul undo JOB --run R`.

use super::args::UndoArgs;
use super::exit_codes::ExitCode;
use super::load;
use super::options::Options;
use super::run::leave;
use super::talk::Talk;
use super::terminal::Terminal;
use crate::engine::undo::{Order, UndoReport, Which, added};
use crate::engine::{Stop, front};
use crate::error::{Code, Error, Kind, Result};
use crate::job::{Account, Job};
use crate::render::units::count;
use crate::render::{json, undo};

pub(super) fn run(args: &UndoArgs, options: &Options, terminal: &Terminal) -> ExitCode {
    let job = match load::job(&args.job, options, terminal) {
        Ok(job) => job,
        Err(code) => return code,
    };
    let order = match prepare(&job, args, terminal) {
        Ok(Some(order)) => order,
        Ok(None) => return ExitCode::Done,
        Err(error) => return terminal.fail(&error),
    };
    let stop = Stop::default();
    let _watch = match front::watch_signals(&stop, leave) {
        Ok(watch) => watch,
        Err(error) => return terminal.fail(&error),
    };
    let mut talk = Talk::new(terminal, &stop, &options.trace);
    let result = front::undo_with(&job, order, &stop, |event| talk.take(event.as_ref()));
    talk.end();
    match result {
        Ok(reports) => reports
            .iter()
            .map(|report| show(report, terminal))
            .fold(ExitCode::Done, ExitCode::worst),
        Err(error) => terminal.fail(&error),
    }
}

/// What is to be undone, once a person has agreed; `None`: they did not.
fn prepare(job: &Job, args: &UndoArgs, terminal: &Terminal) -> Result<Option<Order>> {
    let [account] = job.accounts.as_slice() else {
        let what = "the job has several accounts, each with runs of its own";
        return Err(Error::new(Kind::Job, Code::Usage, what).hint("name one with --account NAME"));
    };
    let (run, messages) = added(account, args.run)?;
    let order = Order {
        which: Which::Run(run),
        dry_run: args.dry_run,
    };
    if args.dry_run || args.yes {
        return Ok(Some(order));
    }
    Ok(agreed(account, run, messages, terminal)?.then_some(order))
}

fn agreed(account: &Account, run: i64, messages: u64, terminal: &Terminal) -> Result<bool> {
    let destinations: Vec<String> = account
        .destinations
        .iter()
        .map(|destination| destination.store.to_string())
        .collect();
    let question = format!(
        "run {run} added {} to {}; take back those that still are as delivered?",
        count(messages, "message"),
        destinations.join(" and ")
    );
    terminal.ask(&question).ok_or_else(|| {
        let what = "undo removes mail, and there is no terminal to ask at";
        Error::new(Kind::Job, Code::Usage, what).hint("look first with --dry-run, then say --yes")
    })
}

fn show(report: &UndoReport, terminal: &Terminal) -> ExitCode {
    if terminal.json {
        terminal.lines(&json::undo(report));
    } else if report.error.is_none() || report.added > 0 {
        terminal.lines(&undo::lines(report, terminal.out));
    }
    match &report.error {
        Some(error) if terminal.json => ExitCode::of_error(error),
        Some(error) => terminal.fail_for(Some(&report.account), error),
        None => ExitCode::Done,
    }
}
