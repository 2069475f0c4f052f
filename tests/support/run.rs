//! Runs the binary as a person would, with an empty environment and a guard against hanging.

use super::dovecot::PASSWORD;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Longer than any run of a test may take.
const GUARD: Duration = Duration::from_secs(300);

/// A finished run.
#[derive(Debug, Clone)]
pub struct Run {
    /// `None` when it was killed.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// Panics with all it said, unless it ended with `code`.
    #[track_caller]
    pub fn exits(self, code: i32) -> Run {
        let Run { stdout, stderr, .. } = &self;
        assert_eq!(
            self.code,
            Some(code),
            "\n--- stdout\n{stdout}\n--- stderr\n{stderr}"
        );
        self
    }

    /// The balance line of the summary.
    #[track_caller]
    pub fn balance(&self) -> Balance {
        let found = self.stdout.lines().find_map(Balance::parse);
        found.unwrap_or_else(|| panic!("no balance in:\n{}\n{}", self.stdout, self.stderr))
    }
}

/// `48,211 = 47,900 copied + 300 already there + 11 not copied; unaccounted 0`.
#[derive(Debug, PartialEq, Eq)]
pub struct Balance {
    pub total: u64,
    /// Word → count.
    pub parts: BTreeMap<String, u64>,
    pub unaccounted: u64,
}

impl Balance {
    pub fn parse(line: &str) -> Option<Balance> {
        let number = |s: &str| s.trim().replace(',', "").parse::<u64>().ok();
        let (sum, unaccounted) = line.split_once("; unaccounted ")?;
        let (total, parts) = sum.rsplit_once(" = ")?;
        let parts = parts.split(" + ").map(|part| {
            let (count, word) = part.trim().split_once(' ')?;
            Some((word.to_owned(), number(count)?))
        });
        Some(Balance {
            total: number(total.split_whitespace().last()?)?,
            parts: parts.collect::<Option<_>>()?,
            unaccounted: number(unaccounted.split_whitespace().next()?)?,
        })
    }

    pub fn part(&self, word: &str) -> u64 {
        self.parts.get(word).copied().unwrap_or(0)
    }

    /// Nothing unaccounted, and the parts are the whole.
    #[track_caller]
    pub fn assert_adds_up(&self) {
        assert_eq!(self.unaccounted, 0, "{self:?}");
        assert_eq!(self.parts.values().sum::<u64>(), self.total, "{self:?}");
    }
}

/// A run that is still going on.
pub struct Running {
    child: Child,
    stdout: JoinHandle<String>,
    stderr: JoinHandle<String>,
    started: Instant,
}

/// Starts the binary; the environment holds the test servers' password and nothing of the user's.
pub fn spawn(args: &[&OsStr]) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailhaul"));
    command.args(args);
    spawn_as(command, &[])
}

/// The same for a command that ends in the binary (a tracer, a shell that sets limits), with more in its environment.
pub fn spawn_as(mut command: Command, more: &[(&str, &OsStr)]) -> Running {
    let mut child = command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("TEST_PASSWORD", PASSWORD)
        .envs(more.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("mailhaul starts");
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    Running {
        stdout: collect(stdout.expect("piped")),
        stderr: collect(stderr.expect("piped")),
        started: Instant::now(),
        child,
    }
}

/// Runs `mailhaul run JOB` to its end, where test builds wait for a server two seconds instead of half a minute or more.
pub fn impatient(job: &super::Job) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailhaul"));
    command.arg("run").arg(job.path());
    spawn_as(command, &[("MAILHAUL_FAIL_WAIT", "2".as_ref())]).wait()
}

/// Runs `mailhaul ARGS…` to its end.
pub fn mailhaul<A: AsRef<OsStr>>(args: &[A]) -> Run {
    let args: Vec<&OsStr> = args.iter().map(AsRef::as_ref).collect();
    spawn(&args).wait()
}

impl Running {
    /// Waits for the end; kills it and panics when it hangs.
    pub fn wait(mut self) -> Run {
        while !self.ended() {
            if self.started.elapsed() > GUARD {
                let run = self.kill();
                panic!("mailhaul hangs; it said:\n{}\n{}", run.stdout, run.stderr);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.finish()
    }

    pub fn ended(&mut self) -> bool {
        self.child.try_wait().expect("wait").is_some()
    }

    /// kill -9; harmless when it has ended meanwhile.
    pub fn kill(mut self) -> Run {
        self.child.kill().expect("kill");
        self.finish()
    }

    /// Waits for the end; the most memory that the process ever had, in KiB.
    pub fn peak(mut self) -> (Run, u64) {
        let status = format!("/proc/{}/status", self.id());
        let mut peak = 0;
        while !self.ended() {
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let line = text.lines().find(|line| line.starts_with("VmHWM:"));
            let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
            peak = number.unwrap_or(peak);
            std::thread::sleep(Duration::from_millis(2));
        }
        (self.finish(), peak)
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by name, such as `INT`.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let done = Command::new("sh")
            .args(["-c", "kill -s \"$1\" \"$2\"", "sh", name, &pid])
            .status();
        assert!(done.expect("sh").success(), "cannot send {name}");
    }

    fn finish(mut self) -> Run {
        let code = self.child.wait().expect("wait").code();
        Run {
            code,
            stdout: self.stdout.join().expect("stdout"),
            stderr: self.stderr.join().expect("stderr"),
        }
    }
}

fn collect(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).expect("read");
        String::from_utf8(bytes).expect("what mailhaul prints is UTF-8")
    })
}

#[test]
fn reads_a_balance() {
    let line = "budi: 48,211 = 47,900 copied + 300 already there + 11 not copied; unaccounted 0";
    let balance = Balance::parse(line).expect("a balance");
    assert_eq!(
        (balance.total, balance.part("already there")),
        (48_211, 300)
    );
    balance.assert_adds_up();
    assert_eq!(Balance::parse("copied 3 of 4"), None);
}
