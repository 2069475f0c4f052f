//! `archive rebuild`, killed at each of its steps: the archive is sound, and the next try makes the journal.

use super::run;
use crate::support::run::spawn_as;
use crate::support::{Corpus, End, Imap, Job, Run, fresh_user, mailhaul, shared};
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

fn armed(archive: &Path, key: &str, value: &OsStr) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailhaul"));
    command.args(["archive", "rebuild"]).arg(archive);
    spawn_as(command, &[(key, value)]).wait()
}

fn archive(command: &str, path: &Path) -> Run {
    mailhaul(&["archive".as_ref(), command.as_ref(), path.as_os_str()])
}

#[test]
fn a_rebuild_that_was_killed_is_done_by_the_next() {
    let old = fresh_user("rebuild-killed");
    let mut imap = Imap::login(shared().imap, &old);
    imap.append("INBOX", &Corpus::new(&old, 3).mails(12));
    let job = Job::backup("", &End::imap(shared(), &old), crate::support::job::ARCHIVE);
    run(&job).exits(0);
    let path = job.dir().join("box.archive");
    let log = job.dir().join("steps");
    armed(&path, "MAILHAUL_FAIL_LOG", log.as_os_str()).exits(0);
    let steps = std::fs::read_to_string(&log)
        .expect("the steps")
        .lines()
        .count();
    assert!(steps > 10, "{steps} steps");
    for n in 1..=steps {
        let killed = armed(&path, "MAILHAUL_FAIL_AT", n.to_string().as_ref());
        assert_eq!(killed.code, None, "step {n}: {}", killed.stderr);
        archive("check", &path).exits(0);
        let rebuilt = archive("rebuild", &path).exits(0);
        assert!(
            rebuilt.stdout.contains("12 messages in 1 folder"),
            "{}",
            rebuilt.stdout
        );
    }
    let again = run(&job).exits(0);
    assert_eq!(again.balance().part("copied"), 0, "{}", again.stdout);
    let left = std::fs::read_dir(&path).expect("the archive");
    let names = left.map(|e| {
        e.expect("an entry")
            .file_name()
            .into_string()
            .expect("UTF-8")
    });
    assert!(names.filter(|name| name.starts_with('.')).count() == 0);
}
