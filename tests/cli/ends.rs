//! Exit codes where an end of mail, or of what is told, is not there.

use crate::support::run::spawn_as;
use crate::support::{End, Job, mailhaul};
use std::process::Command;

/// As a server that nobody reaches.
#[test]
fn missing_files_are_a_source_that_cannot_be_reached() {
    let place = tempfile::tempdir().expect("a directory");
    for protocol in ["maildir", "mbox", "eml", "archive"] {
        let source = End::files(protocol, &place.path().join("nothing"));
        let sink = End::files("maildir", &place.path().join("new"));
        let job = Job::new("", &source, &sink, "");
        for command in ["run", "plan"] {
            mailhaul(&[command.as_ref(), job.path().as_os_str()]).exits(10);
        }
    }
}

/// What is only for reading has failed when it cannot be read.
#[test]
fn a_full_stdout_is_no_success() {
    for words in ["man run", "completions bash", "explain auth"] {
        let mut shell = Command::new("sh");
        let line = format!(
            "exec {} {words} > /dev/full",
            env!("CARGO_BIN_EXE_mailhaul")
        );
        shell.args(["-c", &line]);
        let run = spawn_as(shell, &[]).wait().exits(1);
        assert!(run.stderr.contains("stdout"), "{}", run.stderr);
    }
}
