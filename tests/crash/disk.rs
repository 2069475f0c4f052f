//! A local disk that is full, broken, read-only or out of handles: told with the path, nothing marked as done, and the next run ends it.

use super::run;
use crate::support::job::ARCHIVE;
use crate::support::run::spawn_as;
use crate::support::{Corpus, End, Job, Mail, Run, Snapshot, fresh_user, maildir, popped, shared};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

const MESSAGES: usize = 12;

struct Haul {
    job: Job,
    new: String,
    mails: Vec<Mail>,
}

fn haul() -> Haul {
    let server = shared();
    let (old, new) = (fresh_user("disk"), fresh_user("disk-new"));
    let mut corpus = Corpus::new(&old, 6);
    corpus.flags = false;
    corpus.median_size = 20_000.0;
    let mails = corpus.mails(MESSAGES);
    maildir::fill(server, &old, &mails);
    let job = Job::new(
        "",
        &End::pop3(server, &old),
        &End::imap(server, &new),
        ARCHIVE,
    );
    Haul { job, new, mails }
}

impl Haul {
    /// `mailhaul run`, as the last words of a command.
    fn run_by(&self, words: &[&str]) -> Run {
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .arg(env!("CARGO_BIN_EXE_mailhaul"))
            .arg("run")
            .arg(self.job.path());
        spawn_as(command, &[]).wait()
    }

    /// In a shell that has set something first.
    fn run_after(&self, setting: &str) -> Run {
        self.run_by(&["sh", "-c", &format!("{setting}; exec \"$@\""), "sh"])
    }

    /// A disturbed run says what is wrong with the disk; an undisturbed one then makes everything right.
    #[track_caller]
    fn assert_told_and_resumed(&self, run: &Run, name: &str) {
        assert!(matches!(run.code, Some(1 | 3)), "{name}: {run:?}");
        let dir = self.job.dir().to_string_lossy();
        let told = [&*dir, "temporary file"];
        assert!(
            run.stderr.contains("error[") && told.iter().any(|t| run.stderr.contains(t)),
            "{name}: {}",
            run.stderr
        );
        self.assert_resumed(name);
    }

    #[track_caller]
    fn assert_resumed(&self, name: &str) {
        let next = run(&self.job);
        assert_eq!(next.code, Some(0), "{name}: {next:?}");
        let want = Snapshot::one("INBOX", &popped(&self.mails));
        let have = Snapshot::of(shared().imap, &self.new).without_empty();
        let differences = have.differences(&want, false);
        assert!(
            differences.is_empty(),
            "{name}: {differences:?}\n{}",
            next.stderr
        );
    }
}

/// The kernel refuses call after call to make something durable, or to write to the journal: once EIO, once ENOSPC.
fn refuse(calls: &str, error: &str, steps: std::ops::Range<u32>) {
    let mut refused = 0;
    for n in steps {
        let haul = haul();
        let inject = format!("inject={calls}:error={error}:when={n}");
        // Only calls that are traced are tampered with.
        let trace = format!("trace={calls}");
        let run = haul.run_by(&[
            "strace",
            "-f",
            "-q",
            "-q",
            "-o",
            "/dev/null",
            "-e",
            &trace,
            "-e",
            &inject,
        ]);
        if run.code == Some(0) {
            // The run is shorter than that, or the call is one that need not succeed.
            haul.assert_resumed(&inject);
            continue;
        }
        refused += 1;
        haul.assert_told_and_resumed(&run, &inject);
    }
    println!("{calls} {error}: {refused} runs refused");
    assert!(refused > 0, "{calls} was never refused");
}

fn steps(most: u32) -> std::ops::Range<u32> {
    let all = std::env::var_os("MAILHAUL_ALL").is_some();
    1..if all { most } else { most / 5 }
}

#[test]
fn fsync_fails() {
    refuse("fsync,fdatasync", "EIO", steps(60));
}

#[test]
fn the_journal_cannot_be_written() {
    refuse("pwrite64", "EIO", steps(60));
}

#[test]
fn no_room_for_the_journal() {
    refuse("pwrite64", "ENOSPC", steps(60));
}

/// No file may become larger than so many kilobytes: as good as full, and needs no file system of one's own.
#[test]
fn files_cannot_grow() {
    let mut refused = 0;
    for kilobytes in [8, 16, 32, 64, 128] {
        let haul = haul();
        let blocks = kilobytes * 2;
        let run = haul.run_after(&format!("trap '' XFSZ; ulimit -f {blocks}"));
        if run.code != Some(0) {
            refused += 1;
            haul.assert_told_and_resumed(&run, &format!("{kilobytes} KiB"));
        }
    }
    assert!(refused >= 3, "{refused}");
}

#[test]
fn no_more_files_can_be_opened() {
    let refused = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for most in 4..24 {
            let refused = &refused;
            scope.spawn(move || {
                let haul = haul();
                let run = haul.run_after(&format!("ulimit -n {most}"));
                if run.code != Some(0) {
                    refused.fetch_add(1, Ordering::Relaxed);
                    assert!(run.code.is_some(), "{most}: {run:?}");
                    assert!(!run.stderr.is_empty(), "{most}: {run:?}");
                }
                haul.assert_resumed(&format!("{most} files"));
            });
        }
    });
    let refused = refused.into_inner();
    println!("EMFILE: {refused} runs refused");
    assert!(refused > 3, "{refused}");
}

#[test]
fn a_directory_that_cannot_be_written() {
    let haul = haul();
    let dir = haul.job.dir();
    let mode = |mode| fs::set_permissions(dir, PermissionsExt::from_mode(mode)).expect("chmod");
    mode(0o555);
    // Root may write anywhere.
    let run = if fs::write(dir.join("probe"), "").is_ok() {
        fs::remove_file(dir.join("probe")).expect("remove");
        haul.run_by(&[
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
        ])
    } else {
        haul.run_by(&["env"])
    };
    mode(0o755);
    assert_eq!(Snapshot::of(shared().imap, &haul.new).total(), 0);
    haul.assert_told_and_resumed(&run, "read-only");
}

#[test]
fn whatever_the_umask_nobody_else_may_look() {
    for archive in [true, false] {
        let mut haul = haul();
        if !archive {
            let server = shared();
            let (old, new) = (fresh_user("umask"), haul.new.clone());
            maildir::fill(server, &old, &haul.mails);
            haul.job = Job::new("", &End::pop3(server, &old), &End::imap(server, &new), "");
        }
        haul.run_after("umask 000").exits(0);
        let state = if archive { "box.archive" } else { "job.state" };
        assert!(private(&haul.job.dir().join(state)) >= 2);
    }
}

/// How many files and directories there are, each for its owner alone.
fn private(path: &Path) -> usize {
    let meta = fs::symlink_metadata(path).expect("there");
    let mode = meta.permissions().mode() & 0o777;
    let right = if meta.is_dir() { 0o700 } else { 0o600 };
    assert_eq!(mode, right, "{} has {mode:o}", path.display());
    if !meta.is_dir() {
        return 1;
    }
    let entries = fs::read_dir(path).expect("a directory");
    1 + entries
        .map(|e| private(&e.expect("an entry").path()))
        .sum::<usize>()
}
