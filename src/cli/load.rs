//! From the path of a job file to a checked job, with what is wrong or dubious about it told.

use super::exit_codes::ExitCode;
use super::options::Options;
use super::terminal::Terminal;
use crate::error::{Code, Error, Kind};
use crate::job::{Job, JobError};
use std::path::Path;

/// The job with the accounts that were asked for. Everything wrong with it has been told when this gives an exit code.
pub(super) fn job(path: &Path, options: &Options, terminal: &Terminal) -> Result<Job, ExitCode> {
    let loaded = Job::load(path, &options.overrides);
    let mut job = loaded
        .and_then(|job| job.select(&options.accounts))
        .map_err(|errors| refuse(&errors, terminal))?;
    job.watch(&options.trace);
    job.warnings.iter().for_each(|text| terminal.warn(text));
    Ok(job)
}

fn refuse(errors: &[JobError], terminal: &Terminal) -> ExitCode {
    for error in errors {
        terminal.fail(&as_error(error));
    }
    ExitCode::Usage
}

/// Place, key and message in one line; the hint apart, as everywhere.
fn as_error(error: &JobError) -> Error {
    let mut plain = error.clone();
    let hint = plain.hint.take();
    let mut out = Error::new(Kind::Job, Code::Job, plain.to_string());
    out.hint = hint;
    out
}
