//! `mailhaul run JOB`.

use super::args::RunArgs;
use super::exit_codes::ExitCode;
use super::load;
use super::options::Options;
use super::talk::Talk;
use super::terminal::Terminal;
use crate::engine::{Stop, front};
use crate::outcome::AccountReport;
use crate::render::{json, spent, summary};
use std::path::Path;
use std::time::Duration;

pub(super) fn run(args: &RunArgs, options: &Options, terminal: &Terminal) -> ExitCode {
    let mut job = match load::job(&args.job, options, terminal) {
        Ok(job) => job,
        Err(code) => return code,
    };
    if args.retry_failed {
        job.retry_rejected();
    }
    for account in &mut job.accounts {
        account.explain_time = args.explain_time;
        account.archive.accept_deletions = args.accept_deletions;
    }
    let stop = Stop::default();
    let _watch = match front::watch_signals(&stop, leave) {
        Ok(watch) => watch,
        Err(error) => return terminal.fail(&error),
    };
    let mut talk = Talk::new(terminal, &stop, &options.trace);
    let result = front::run_with(&job, &stop, |event| talk.take(event.as_ref()));
    talk.end();
    match result {
        Ok(reports) => {
            talk.missing(&reports);
            finish(&args.job, &reports, args.strict, talk.elapsed(), terminal)
        }
        Err(error) => terminal.fail(&error),
    }
}

/// The second Ctrl-C: what is committed is committed, the journal's intents settle the rest.
pub(super) fn leave() {
    std::process::exit(ExitCode::Interrupted.number().into());
}

fn finish(
    job: &Path,
    reports: &[AccountReport],
    strict: bool,
    elapsed: Duration,
    terminal: &Terminal,
) -> ExitCode {
    let code = reports
        .iter()
        .map(|report| ExitCode::of_report(report, strict))
        .fold(ExitCode::Done, ExitCode::worst);
    if terminal.json {
        terminal.data(&json::summary(reports, elapsed, code.number()));
    } else if !terminal.quiet || code != ExitCode::Done {
        tell(job, reports, elapsed, terminal);
    }
    code
}

fn tell(job: &Path, reports: &[AccountReport], elapsed: Duration, terminal: &Terminal) {
    let job = job.display().to_string();
    let style = summary::Style {
        job: &job,
        paint: terminal.out,
    };
    for report in reports {
        let errors = summary::errors(report, terminal.err);
        errors.iter().for_each(|error| terminal.say(error));
        terminal.lines(&summary::account(report, style));
    }
    terminal.lines(&summary::accounts(reports, elapsed));
    terminal.lines(&spent::lines(reports, elapsed));
}
