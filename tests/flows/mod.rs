//! Whole runs on real servers, compared message by message by the tests' own readers.

mod accounts;
mod adopt;
mod after;
mod ahead;
mod archive;
mod backup;
mod corpus;
mod explain_time;
mod gmail;
mod imap_to_imap;
mod incremental;
mod interrupted;
mod kill;
mod locked;
mod lost;
mod maildir;
mod mbox;
mod mbox_files;
mod mutt;
mod part;
mod pop3_to_imap;
mod restore;
mod rules;
mod samples;
mod undo;
mod unwritable;
mod vanish;
mod verify;

use crate::support::{Job, Run, mailhaul};

/// `mailhaul run JOB`.
fn run(job: &Job) -> Run {
    mailhaul(&["run".as_ref(), job.path().as_os_str()])
}

/// The run after a finished one: it copies nothing, and says so.
#[track_caller]
fn assert_nothing_left(job: &Job) {
    let again = run(job).exits(0);
    assert_eq!(again.balance().part("copied"), 0, "{}", again.stdout);
    again.balance().assert_adds_up();
    let said = again.stdout + &again.stderr;
    assert!(said.to_lowercase().contains("nothing to do"), "{said}");
}
