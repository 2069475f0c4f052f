//! The process killed at every step, and a local disk that fails. What is compared is read by the tests' own clients.

#[cfg(feature = "failpoints")]
mod archive;
mod disk;
mod journals;
#[cfg(feature = "failpoints")]
mod kills;
#[cfg(feature = "failpoints")]
mod maildir;
#[cfg(feature = "failpoints")]
mod mbox;
#[cfg(feature = "failpoints")]
mod power;
#[cfg(feature = "failpoints")]
mod rebuild;
#[cfg(feature = "failpoints")]
mod removal;
mod safe;
#[cfg(feature = "failpoints")]
mod steps;

#[cfg(feature = "failpoints")]
pub use steps::passed;

use crate::support::{Job, Run, mailhaul};

/// `mailhaul run JOB`.
fn run(job: &Job) -> Run {
    mailhaul(&["run".as_ref(), job.path().as_os_str()])
}
