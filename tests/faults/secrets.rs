//! A canary for a password, given in each way there is: afterwards it is looked for in all that mailhaul said and wrote.

use crate::support::job::{ARCHIVE, Security};
use crate::support::run::spawn_as;
use crate::support::{Corpus, Dovecot, End, Job, Run, Talker, fresh_user, maildir, shared};
use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const CANARY: &str = "cAnArY-5e7d";
/// In base64 at each of the three places that it can have in a group; the ends depend on what stands beside it.
const ENCODED: [&str; 3] = ["Y0FuQXJZLTVlN2", "NBbkFyWS01ZTdk", "jQW5BclktNWU3Z"];

/// A server at which it is everybody's password.
fn server() -> &'static Dovecot {
    static SERVER: OnceLock<Dovecot> = OnceLock::new();
    SERVER.get_or_init(|| Dovecot::start(&[&format!("password={CANARY}")]))
}

fn holds(bytes: &[u8]) -> bool {
    let within = |what: &str| {
        bytes
            .windows(what.len())
            .any(|part| part == what.as_bytes())
    };
    within(CANARY) || ENCODED.iter().any(|form| within(form))
}

#[track_caller]
fn assert_clean(name: &str, bytes: &[u8]) {
    assert!(!holds(bytes), "{name}: {}", String::from_utf8_lossy(bytes));
}

/// Where the password is kept that a job names: apart from the job, whose directory is searched as a whole.
struct Given {
    reference: String,
    _place: tempfile::TempDir,
}

fn given(way: &str) -> Given {
    let place = tempfile::tempdir().expect("a directory");
    let file = place.path().join("password");
    fs::write(&file, format!("{CANARY}\n")).expect("write");
    let reference = match way {
        "env" => "{ env = \"CANARY\" }".to_owned(),
        "file" => format!("{{ file = {file:?} }}"),
        "command" => format!("{{ command = \"cat {}\" }}", file.display()),
        _ => panic!("{way}"),
    };
    Given {
        reference,
        _place: place,
    }
}

/// With all that is said on the wire written down, beside the job.
fn command(words: &[&str], job: &Job) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailhaul"));
    command.args(words).arg(job.path());
    command.arg("--trace").arg(traced(job));
    command
}

fn traced(job: &Job) -> PathBuf {
    job.dir().join("trace")
}

/// The trace of the last command; it shows that somebody logged in.
#[track_caller]
fn trace_of_login(job: &Job) -> String {
    let trace = fs::read_to_string(traced(job)).expect("a trace");
    let logs_in = |line: &&str| line.contains(" > ") && line.contains("{elided}");
    assert!(trace.lines().any(|line| logs_in(&line)), "{trace}");
    trace
}

/// Runs it with the canary in the environment where `way` is `env`; what it says is searched.
#[track_caller]
fn said(words: &[&str], job: &Job, way: &str, more: &[(&str, &OsStr)]) -> Run {
    let mut env = more.to_vec();
    if way == "env" {
        env.push(("CANARY", CANARY.as_ref()));
    }
    let run = spawn_as(command(words, job), &env).wait();
    assert_clean(&format!("{words:?} stdout"), run.stdout.as_bytes());
    assert_clean(&format!("{words:?} stderr"), run.stderr.as_bytes());
    run
}

/// Every file below the job's directory: job, journal with its log, archive.
#[track_caller]
fn assert_disk_clean(job: &Job) -> usize {
    fn walk(path: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(path).expect("a directory") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => walk(&path, found),
                false => found.push(path),
            }
        }
    }
    let mut files = Vec::new();
    walk(job.dir(), &mut files);
    for file in &files {
        assert_clean(&file.display().to_string(), &fs::read(file).expect("read"));
    }
    files.len()
}

/// A POP3 maildrop to IMAP by way of an archive, both ends with the canary.
fn haul(reference: &str, rest: &str) -> Job {
    let server = server();
    let (old, new) = (fresh_user("secret"), fresh_user("secret-new"));
    let mut corpus = Corpus::new(&old, 8);
    corpus.flags = false;
    maildir::fill(server, &old, &corpus.mails(3));
    let source = End::pop3(server, &old).password(reference);
    let sink = End::on(server, "imap", &new, Security::Tls).password(reference);
    Job::new("", &source, &sink, rest)
}

#[test]
fn a_run_a_plan_and_a_status_say_and_write_nothing_of_it() {
    for way in ["env", "file", "command"] {
        let given = given(way);
        for rest in [ARCHIVE, ""] {
            let job = haul(&given.reference, rest);
            said(&["plan"], &job, way, &[]).exits(0);
            said(&["run", "--json"], &job, way, &[]).exits(0);
            let trace = trace_of_login(&job);
            assert!(
                trace.contains(" > RETR ") && trace.contains(" APPEND "),
                "{trace}"
            );
            said(&["check"], &job, way, &[]).exits(0);
            trace_of_login(&job);
            said(&["run"], &job, way, &[]).exits(0);
            said(&["plan", "--json"], &job, way, &[]).exits(0);
            said(&["status", "--failed"], &job, way, &[]).exits(0);
            said(&["status", "--json"], &job, way, &[]).exits(0);
            assert!(assert_disk_clean(&job) >= 2, "nothing was searched");
        }
    }
}

/// The forms that are looked for are those that would be found.
#[test]
fn a_canary_in_base64_is_recognised() {
    // SASL PLAIN of `x`, `xy` and `xyz` with the canary.
    for plain in [
        "AHgAY0FuQXJZLTVlN2Q=",
        "AHh5AGNBbkFyWS01ZTdk",
        "AHh5egBjQW5BclktNWU3ZA==",
    ] {
        assert!(holds(plain.as_bytes()), "{plain}");
    }
}

/// It is the wrong one, or the server shows a certificate of nobody's: the errors do not repeat it.
#[test]
fn errors_do_not_repeat_it() {
    let reference = "{ env = \"CANARY\" }";
    for protocol in ["imap", "pop3"] {
        let user = fresh_user("wrong");
        let sink = End::imap(shared(), &fresh_user("wrong-new"));
        let wrong = End::on(shared(), protocol, &user, Security::Plain).password(reference);
        let port = match protocol {
            "imap" => shared().imaps,
            _ => shared().pop3s,
        };
        let distrusted = End::at(protocol, "localhost", port, &user).password(reference);
        for (source, code) in [(wrong, "auth"), (distrusted, "tls")] {
            let job = Job::new("", &source, &sink, "");
            for words in [
                &["run"][..],
                &["run", "--json"],
                &["plan"],
                &["plan", "--json"],
            ] {
                let run = said(words, &job, "env", &[]).exits(10);
                let said = run.stdout + &run.stderr;
                assert!(said.contains(code), "{said}");
            }
            assert_disk_clean(&job);
        }
    }
}

/// Some servers repeat the command that they refuse, or say in farewell what they heard.
#[test]
fn a_server_that_repeats_it_is_not_quoted() {
    let imap = [
        "{tag} NO do not know {line}\r\n",
        "{tag} BAD [CLIENTBUG] {line}\r\n",
        "* BYE I heard {line}\r\n",
        "{line}\r\n",
        "* {line}\r\n* BAD {line}\r\n{tag} NO no\r\n",
    ];
    let pop3 = [
        "-ERR {line}\r\n",
        "{line}\r\n",
        "+OK {line}\r\n-ERR {line}\r\n",
    ];
    // A server that may only be having a bad moment is asked again, after a while.
    std::thread::scope(|scope| {
        for answer in imap {
            for mechanism in ["AUTH=PLAIN SASL-IR", "AUTH=PLAIN", ""] {
                scope.spawn(move || assert_not_quoted("imap", &imap_parrot(mechanism, answer)));
            }
        }
        for answer in pop3 {
            for mechanism in ["SASL PLAIN", "USER"] {
                scope.spawn(move || assert_not_quoted("pop3", &pop3_parrot(mechanism, answer)));
            }
        }
    });
}

fn imap_parrot(mechanism: &'static str, answer: &'static str) -> Talker {
    Talker::start(move |talk| {
        talk.say(format!("* OK [CAPABILITY IMAP4rev1 {mechanism}] hello\r\n"));
        while let Some(line) = talk.line() {
            let tag = line.split(' ').next().unwrap_or_default();
            match line.ends_with("AUTHENTICATE PLAIN") {
                true => talk.say("+ \r\n"),
                false => talk.say(answer.replace("{tag}", tag).replace("{line}", &line)),
            }
        }
    })
}

fn pop3_parrot(mechanism: &'static str, answer: &'static str) -> Talker {
    Talker::start(move |talk| {
        talk.say("+OK hello\r\n");
        while let Some(line) = talk.line() {
            match line.split(' ').next().unwrap_or_default() {
                "CAPA" => talk.say(format!("+OK\r\n{mechanism}\r\n.\r\n")),
                "AUTH" => talk.say("+ \r\n"),
                "USER" => talk.say("+OK\r\n"),
                _ => talk.say(answer.replace("{line}", &line)),
            }
        }
    })
}

#[track_caller]
fn assert_not_quoted(protocol: &str, server: &Talker) {
    let source = End::at(protocol, "127.0.0.1", server.port, "budi")
        .password("{ env = \"CANARY\" }")
        .line("security = \"plain\"")
        .line("timeout = \"1s\"");
    let sink = End::imap(shared(), &fresh_user("quoted"));
    let job = Job::new("", &source, &sink, "");
    let run = said(&["plan", "--json"], &job, "env", &[]);
    assert_ne!(run.code, Some(0), "{}", run.stdout);
    assert!(holds(&server.heard()), "it was never sent");
    trace_of_login(&job);
    assert_disk_clean(&job);
}

/// What others on the machine can see of the process and of those it starts; and it leaves no core dump.
#[test]
fn nobody_sees_it_in_the_list_of_processes() {
    let given = given("file");
    let place = tempfile::tempdir().expect("a directory");
    let (seen, go) = (place.path().join("seen"), place.path().join("go"));
    let file = given.reference.split('"').nth(1).expect("a path");
    let script = format!(
        "echo $$ > {seen}.new; mv {seen}.new {seen}; while [ ! -e {go} ]; do sleep 0.05; done; cat {file}",
        seen = seen.display(),
        go = go.display()
    );
    let job = haul(&format!("{{ command = {script:?} }}"), ARCHIVE);
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "ulimit -c unlimited 2>/dev/null; exec \"$@\"", "sh"])
        .arg(env!("CARGO_BIN_EXE_mailhaul"))
        .arg("run")
        .arg(job.path());
    let mut running = spawn_as(shell, &[]);
    let started = Instant::now();
    while !seen.exists() {
        assert!(!running.ended() && started.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(5));
    }
    let child = fs::read_to_string(&seen).expect("read");
    let limits = fs::read_to_string(format!("/proc/{}/limits", running.id())).expect("limits");
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core"))
        .expect("a line");
    let words: Vec<&str> = core.split_whitespace().collect();
    assert_eq!(words[4..6], ["0", "0"], "a core dump would hold it");
    fs::write(&go, "").expect("write");
    let mut looked = 0;
    while !running.ended() {
        for id in [child.trim(), &running.id().to_string()] {
            for name in ["cmdline", "environ"] {
                // It may be gone by now.
                let text = fs::read(format!("/proc/{id}/{name}")).unwrap_or_default();
                looked += usize::from(!text.is_empty());
                assert_clean(name, &text);
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    running.wait().exits(0);
    assert!(looked > 3, "{looked}");
}

/// What gives one password does not get another that stands in the environment, however it looks.
#[test]
fn a_password_command_does_not_get_the_other_passwords() {
    let server = server();
    let (old, new) = (fresh_user("apart"), fresh_user("apart-new"));
    let place = tempfile::tempdir().expect("a directory");
    let seen = place.path().join("seen");
    let script = format!(
        "cat /proc/self/environ /proc/$$/environ > {}; printf '%s-5e7d' cAnArY",
        seen.display()
    );
    let source = End::imap(server, &old).password(&format!("{{ command = {script:?} }}"));
    let sink = End::imap(server, &new).password("{ env = \"CANARY\" }");
    let job = Job::new("", &source, &sink, "");
    said(&["run"], &job, "env", &[]).exits(0);
    let environment = fs::read(&seen).expect("what it saw");
    assert!(environment.starts_with(b"PATH=") || environment.len() > 10);
    assert_clean("the environment", &environment);
}

/// It panics in the middle, with all that Rust can say about it.
#[cfg(feature = "failpoints")]
#[test]
fn a_panic_does_not_show_it() {
    for step in ["4", "12", "25"] {
        let job = haul("{ env = \"CANARY\" }", ARCHIVE);
        let env = [
            ("MAILHAUL_FAIL_AT", step.as_ref()),
            ("MAILHAUL_FAIL_BY", "panic".as_ref()),
            ("RUST_BACKTRACE", "full".as_ref()),
        ];
        let run = said(&["run"], &job, "env", &env).exits(1);
        assert!(run.stderr.contains("wanted a panic"), "{}", run.stderr);
        assert_disk_clean(&job);
        assert!(fs::metadata(traced(&job)).is_ok_and(|trace| trace.len() > 0));
        said(&["run"], &job, "env", &[]).exits(0);
    }
}

/// Asked at a terminal (`script` makes one), it is not shown there while it is typed, nor later.
#[test]
fn typed_at_a_terminal() {
    let job = haul("{ prompt = true }", ARCHIVE);
    let line = format!(
        "{} run {}",
        env!("CARGO_BIN_EXE_mailhaul"),
        job.path().display()
    );
    let mut child = Command::new("script")
        .args(["-q", "-e", "-c", &line, "/dev/null"])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("TERM", "dumb")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("script");
    let mut typed = child.stdin.take().expect("piped");
    let screen = read_on(child.stdout.take().expect("piped"));
    let mut shown = Vec::new();
    for asked in 1..=2 {
        let questions = |shown: &[u8]| {
            String::from_utf8_lossy(shown)
                .matches("Password of")
                .count()
        };
        while questions(&shown) < asked || !shown.ends_with(b": ") {
            let piece = screen.recv_timeout(Duration::from_secs(60));
            shown
                .extend(piece.unwrap_or_else(|_| {
                    panic!("no question: {}", String::from_utf8_lossy(&shown))
                }));
        }
        // The question stands there before the echo is off.
        std::thread::sleep(Duration::from_millis(300));
        typed
            .write_all(format!("{CANARY}\n").as_bytes())
            .expect("type");
    }
    while let Ok(piece) = screen.recv_timeout(Duration::from_secs(120)) {
        shown.extend(piece);
    }
    let status = child.wait().expect("wait");
    let text = String::from_utf8_lossy(&shown).into_owned();
    assert!(status.success() && text.contains("unaccounted 0"), "{text}");
    assert_clean("the screen", &shown);
    assert_disk_clean(&job);
}

fn read_on(mut from: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, pieces) = channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(n) = from.read(&mut buffer) {
            if n == 0 || sender.send(buffer[..n].to_vec()).is_err() {
                return;
            }
        }
    });
    pieces
}
