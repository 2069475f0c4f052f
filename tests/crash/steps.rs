//! Runs that die at a chosen step (`src/failpoint.rs`), many at a time.

use crate::support::run::spawn_as;
use crate::support::{Job, Run, Snapshot, impatient};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Runs at the same time; they wait more than they work.
const THREADS: usize = 8;
/// Without MAILHAUL_ALL one step in so many is tried.
const SHARE: u64 = 8;

/// Runs to the end; the names of the steps that were passed.
pub fn passed(job: &Job) -> Vec<String> {
    passed_with(job, &[])
}

/// The same with more in its environment.
pub fn passed_with(job: &Job, more: &[(&str, &OsStr)]) -> Vec<String> {
    let log = job.dir().join("steps");
    armed(job, "MAILHAUL_FAIL_LOG", log.as_os_str(), more).exits(0);
    let text = std::fs::read_to_string(&log).expect("the log of steps");
    let name = |line: &str| line.split_once(' ').expect("a number").1.to_owned();
    text.lines().map(name).collect()
}

/// `mailhaul run JOB`, aborted at step `n`. Was it?
pub fn killed(job: &Job, n: u64) -> bool {
    killed_with(job, n, &[])
}

/// The same with more in its environment.
pub fn killed_with(job: &Job, n: u64, more: &[(&str, &OsStr)]) -> bool {
    let run = armed(job, "MAILHAUL_FAIL_AT", n.to_string().as_ref(), more);
    run.code.is_none()
}

fn armed(job: &Job, key: &str, value: &OsStr, more: &[(&str, &OsStr)]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailhaul"));
    command.arg("run").arg(job.path());
    let mut all = vec![(key, value)];
    all.extend(more);
    spawn_as(command, &all).wait()
}

/// The run after a kill, and one more, which must find nothing to do. What is wrong comes back in words.
pub fn resumed(job: &Job, right: &dyn Fn() -> Result<(), String>) -> Result<(), String> {
    // A server that lost a killed client's connection knows it at once, so nothing can come in late.
    let second = impatient(job);
    ended_well("the second run", &second)?;
    right().map_err(|e| format!("after the second run: {e}\n{}", second.stderr))?;
    let third = impatient(job);
    ended_well("the third run", &third)?;
    let copied = third.balance().part("copied");
    if copied != 0 {
        return Err(format!("the third run copied {copied}"));
    }
    right().map_err(|e| format!("after the third run: {e}"))
}

fn ended_well(which: &str, run: &Run) -> Result<(), String> {
    let words = || {
        format!(
            "{which} ended with {:?}\n{}\n{}",
            run.code, run.stdout, run.stderr
        )
    };
    (run.code == Some(0)).then_some(()).ok_or_else(words)
}

/// Equal, or the differences.
pub fn same(have: &Snapshot, want: &Snapshot) -> Result<(), String> {
    let differences = have.differences(want, false);
    match differences.is_empty() {
        true => Ok(()),
        false => Err(differences.join("; ")),
    }
}

/// Tries every step, or the stated share; `attempt` tells whether the run was really killed there, or what is wrong.
pub fn each(name: &str, steps: &[String], attempt: impl Fn(u64) -> Result<bool, String> + Sync) {
    let all = std::env::var_os("MAILHAUL_ALL").is_some();
    let chosen: Vec<u64> = (1..=steps.len() as u64)
        .filter(|n| all || n % SHARE == steps.len() as u64 % SHARE)
        .collect();
    let (next, killed) = (AtomicUsize::new(0), AtomicU64::new(0));
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(&n) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match attempt(n) {
                        Ok(was) => drop(killed.fetch_add(u64::from(was), Ordering::Relaxed)),
                        Err(e) => wrong.lock().expect("a lock").push(told(steps, n, &e)),
                    }
                }
            });
        }
    });
    let (killed, wrong) = (killed.into_inner(), wrong.into_inner().expect("a lock"));
    let places: BTreeSet<&String> = steps.iter().collect();
    println!(
        "{name}: {killed} runs killed, of {} steps at {} places",
        steps.len(),
        places.len()
    );
    assert!(wrong.is_empty(), "{name}: {}", wrong.join("\n"));
    // Threads may take turns otherwise than when the steps were counted, so that the last ones are not reached each time.
    assert!(
        killed * 10 >= chosen.len() as u64 * 8,
        "{name}: {killed} killed"
    );
}

fn told(steps: &[String], n: u64, what: &str) -> String {
    format!("step {n} ({}): {what}", steps[n as usize - 1])
}
