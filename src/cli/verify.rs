//! `mailhaul verify JOB`.

use super::args::VerifyArgs;
use super::exit_codes::ExitCode;
use super::load;
use super::options::Options;
use super::run::leave;
use super::talk::Talk;
use super::terminal::Terminal;
use crate::compare::AccountCheck;
use crate::engine::verify::Order;
use crate::engine::{Stop, front};
use crate::error::{Code, Error, Kind};
use crate::render;

pub(super) fn run(args: &VerifyArgs, options: &Options, terminal: &Terminal) -> ExitCode {
    let order = match order(args) {
        Ok(order) => order,
        Err(error) => return terminal.fail(&error),
    };
    let job = match load::job(&args.job, options, terminal) {
        Ok(job) => job,
        Err(code) => return code,
    };
    let stop = Stop::default();
    let _watch = match front::watch_signals(&stop, leave) {
        Ok(watch) => watch,
        Err(error) => return terminal.fail(&error),
    };
    let mut talk = Talk::new(terminal, &stop, &options.trace);
    let result = front::verify_with(&job, order, &stop, |event| talk.take(event.as_ref()));
    talk.end();
    match result {
        Ok(checks) => checks
            .iter()
            .map(|check| show(check, args.strict_extra, terminal))
            .fold(ExitCode::Done, ExitCode::worst),
        Err(error) => terminal.fail(&error),
    }
}

fn order(args: &VerifyArgs) -> Result<Order, Error> {
    let level = args.level.into();
    if args.sample.is_some() && level != crate::compare::Level::Content {
        let what = "--sample goes with --level content alone: the other levels are cheap";
        return Err(Error::new(Kind::Job, Code::Usage, what).hint("leave one of the two out"));
    }
    Ok(Order {
        level,
        sample: args.sample,
    })
}

fn show(check: &AccountCheck, strict: bool, terminal: &Terminal) -> ExitCode {
    let code = ExitCode::of_check(check, strict);
    if terminal.json {
        terminal.lines(&render::json::verify(check, strict));
    } else if !terminal.quiet || code != ExitCode::Done {
        terminal.lines(&render::verify::lines(check, strict, terminal.out));
    }
    if let Some(error) = check.error.as_ref().filter(|_| !terminal.json) {
        terminal.fail_for(Some(&check.account), error);
    }
    code
}
