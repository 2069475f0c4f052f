//! `--trace`: all that happens on the wire is there, and nothing of the mail. That no secret is: `secrets`.

use super::{assert_arrived, filled, small_mails, through};
use crate::support::proxy::{Fault, Proxy, Side};
use crate::support::run::spawn_as;
use crate::support::{End, Job, Run, fresh_user, maildir, popped, shared};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

fn traced(job: &Job, trace: &Path) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailhaul"));
    command.args(["run".as_ref(), job.path().as_os_str()]);
    command.args([OsStr::new("--trace"), trace.as_os_str()]);
    spawn_as(command, &[("MAILHAUL_FAIL_WAIT", "2".as_ref())]).wait()
}

/// Lines of the trace: end, number, direction, text.
fn lines(trace: &Path) -> Vec<(String, String, char, String)> {
    let text = fs::read_to_string(trace).expect("a trace");
    assert!(text.starts_with("# mailhaul trace: "), "{text}");
    let line = |line: &str| {
        let (seconds, rest) = line.trim_start().split_once(' ').expect("a time");
        seconds.parse::<f64>().expect("seconds");
        let (end, rest) = rest.split_once(' ').expect("an end");
        let (number, rest) = rest.trim_start().split_once(' ').expect("a number");
        let text = rest.get(2..).unwrap_or_default().to_owned();
        let direction = rest.chars().next().expect("a direction");
        (end.to_owned(), number.to_owned(), direction, text)
    };
    text.lines().skip(1).map(line).collect()
}

#[track_caller]
fn assert_told(lines: &[(String, String, char, String)], end: &str, number: &str, said: &str) {
    let told = lines.iter().any(|(e, n, direction, text)| {
        e == end && n == number && format!("{direction} {text}").starts_with(said)
    });
    assert!(told, "{end} {number} {said}: {lines:#?}");
}

/// The destination is lost once and connected again.
#[test]
fn both_directions_both_ends_and_what_becomes_of_connections() {
    let mails = small_mails("trace", 9, 3);
    let (old, new) = (filled(shared(), "trace-old", &mails), fresh_user("trace"));
    let proxy = Proxy::start(shared().imap, |n| match n {
        0 => vec![Fault::Cut(Side::Up, 700)],
        _ => vec![],
    });
    let sink = through("imap", proxy.port, &new);
    let job = Job::new("", &End::imap(shared(), &old), &sink, "");
    let trace = job.dir().join("trace");
    traced(&job, &trace).exits(0);
    let told = lines(&trace);
    let first = told.iter().find(|(end, ..)| end == "source");
    let number = &first.expect("a source").1;
    for said in [
        "* connecting to 127.0.0.1:",
        "* connected to 127.0.0.1:",
        "< * OK ",
        "* closed: ",
    ] {
        assert_told(&told, "source", number, said);
    }
    let any = |what: &str| told.iter().any(|(.., text)| text.contains(what));
    for what in [
        "UID FETCH ",
        "BODY[] {",
        " bytes}",
        " APPEND ",
        ": waits ",
        ": begins",
        ": ends",
    ] {
        assert!(any(what), "{what}: {told:#?}");
    }
    let sinks = told.iter().filter(|(end, ..)| end == "destination");
    let connected = sinks.filter(|(.., text)| text.starts_with("connected"));
    assert!(connected.count() > 1, "{told:#?}");
    let mode = fs::metadata(&trace).expect("a trace").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_no_mail(
        &trace,
        &mails.iter().map(|m| &m.bytes[..]).collect::<Vec<_>>(),
    );
    assert_arrived(shared(), &new, &mails, &job);
}

#[test]
fn of_pop3_too() {
    let mut mails = small_mails("trace-pop3", 10, 3);
    mails.iter_mut().for_each(|mail| mail.flags.clear());
    let (old, new) = (fresh_user("trace-old"), fresh_user("trace"));
    maildir::fill(shared(), &old, &mails);
    let source = End::pop3(shared(), &old);
    let job = Job::new("", &source, &End::imap(shared(), &new), "");
    let trace = job.dir().join("trace");
    traced(&job, &trace).exits(0);
    let told = lines(&trace);
    for said in ["> UIDL", "< 1 ", "> RETR 3", "< {", "> QUIT"] {
        let found = told.iter().any(|(end, _, direction, text)| {
            end == "source" && format!("{direction} {text}").starts_with(said)
        });
        assert!(found, "{said}: {told:#?}");
    }
    assert_no_mail(
        &trace,
        &mails.iter().map(|m| &m.bytes[..]).collect::<Vec<_>>(),
    );
    assert_arrived(shared(), &new, &popped(&mails), &job);
}

/// No line of a message, but for those so short that they may stand anywhere.
#[track_caller]
fn assert_no_mail(trace: &Path, mails: &[&[u8]]) {
    let text = fs::read(trace).expect("a trace");
    let lines = mails.iter().flat_map(|mail| mail.split(|b| *b == b'\n'));
    for line in lines.map(<[u8]>::trim_ascii).filter(|line| line.len() > 12) {
        let held = text.windows(line.len()).any(|part| part == line);
        assert!(!held, "{}", String::from_utf8_lossy(line));
    }
}

/// A link, or a file that is no trace, is somebody's: the run does not begin.
#[test]
fn what_is_no_trace_is_left_alone() {
    let job = Job::new(
        "",
        &End::imap(shared(), &fresh_user("trace-old")),
        &End::imap(shared(), &fresh_user("trace")),
        "",
    );
    let kept = job.dir().join("kept");
    fs::write(&kept, "mine").expect("write");
    let link = job.dir().join("link");
    std::os::unix::fs::symlink(job.dir().join("nothing"), &link).expect("a link");
    for path in [&kept, &link, &job.path().to_owned()] {
        let run = traced(&job, path).exits(1);
        assert!(
            run.stderr.contains("write over") || run.stderr.contains("open"),
            "{}",
            run.stderr
        );
    }
    assert_eq!(fs::read_to_string(&kept).expect("read"), "mine");
    assert!(!job.journal().exists());
}
