//! `mailhaul plan JOB`.

use super::args::PlanArgs;
use super::exit_codes::ExitCode;
use super::load;
use super::options::Options;
use super::run::leave;
use super::talk::Talk;
use super::terminal::Terminal;
use crate::engine::{Stop, front};
use crate::error::Result;
use crate::plan::Plan;
use crate::render;

pub(super) fn run(args: &PlanArgs, options: &Options, terminal: &Terminal) -> ExitCode {
    let mut job = match load::job(&args.job, options, terminal) {
        Ok(job) => job,
        Err(code) => return code,
    };
    if args.retry_failed {
        job.retry_rejected();
    }
    let stop = Stop::default();
    let _watch = match front::watch_signals(&stop, leave) {
        Ok(watch) => watch,
        Err(error) => return terminal.fail(&error),
    };
    let mut talk = Talk::new(terminal, &stop, &options.trace);
    let result = front::plan_with(&job, &stop, |event| talk.take(event.as_ref()));
    talk.end();
    match result {
        Ok(accounts) => accounts
            .iter()
            .map(|(account, plans)| show(account, plans, terminal))
            .fold(ExitCode::Done, ExitCode::worst),
        Err(error) => terminal.fail(&error),
    }
}

fn show(account: &str, plans: &Result<Vec<Plan>>, terminal: &Terminal) -> ExitCode {
    let plans = match plans {
        Ok(plans) => plans,
        Err(error) => return terminal.fail_for(Some(account), error),
    };
    for plan in plans {
        let lines = if terminal.json {
            render::json::plan(plan)
        } else {
            render::plan::lines(plan, terminal.out)
        };
        terminal.lines(&lines);
    }
    ExitCode::Done
}
