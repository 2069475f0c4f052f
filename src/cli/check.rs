//! `mailhaul check JOB`.

use super::args::CheckArgs;
use super::exit_codes::ExitCode;
use super::load;
use super::options::Options;
use super::terminal::Terminal;
use crate::render;
use crate::survey;

pub(super) fn run(args: &CheckArgs, options: &Options, terminal: &Terminal) -> ExitCode {
    let job = match load::job(&args.job, options, terminal) {
        Ok(job) => job,
        Err(code) => return code,
    };
    let mut code = ExitCode::Done;
    for account in &job.accounts {
        for seen in survey::account(account, &job.limits) {
            if terminal.json {
                terminal.data(&render::json::survey(&account.name, &seen));
            } else {
                let name = (job.accounts.len() > 1).then_some(account.name.as_str());
                let lines = render::accounts::survey(name, &seen, terminal.out, terminal.width);
                terminal.lines(&lines);
            }
            if let Some(error) = &seen.error {
                code = code.worst(ExitCode::of_error(error));
            }
        }
    }
    code
}
