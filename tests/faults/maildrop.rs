//! POP3 servers that are broken, busy or mean: every message arrives once, and nothing is deleted on doubt.

use super::{mail, through};
use crate::support::fake::{self, Twist, first_times};
use crate::support::run::spawn_as;
use crate::support::{End, Imap, Job, Mail, Run, Talker, fresh_user, shared};
use std::collections::BTreeSet;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

fn confined(job: &Job) -> Run {
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -v 1000000; exec \"$@\"", "sh"])
        .arg(env!("CARGO_BIN_EXE_mailhaul"))
        .arg("run")
        .arg(job.path());
    let run = spawn_as(command, &[("MAILHAUL_FAIL_WAIT", "1".as_ref())]).wait();
    let said = format!("{}{}", run.stdout, run.stderr);
    assert!(run.code.is_some() && !said.contains("panicked"), "{run:?}");
    let raw = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
    assert!(!said.contains(raw), "{said:?}");
    run
}

/// Four; two have equal headers, and with those the same size.
fn four() -> Vec<Mail> {
    let head =
        |n: &str| format!("From: a@example.org\r\nMessage-ID: <{n}@example.org>\r\nSubject: {n}");
    vec![
        mail(&head("one"), ".dot\r\n..\r\nend"),
        mail(&head("two"), "text"),
        mail(&head("twin"), "left"),
        mail(&head("twin"), "rite"),
    ]
}

struct Drop {
    server: Talker,
    deleted: Arc<Mutex<BTreeSet<usize>>>,
    new: String,
    job: Job,
}

fn maildrop(twist: Twist, after: &str) -> Drop {
    let (server, deleted) = fake::pop3(four(), twist);
    let new = fresh_user("maildrop");
    let source = through("pop3", server.port, "budi")
        .line("timeout = \"5s\"")
        .line(after);
    // What is equal in header and size is told apart by its bytes.
    let job = Job::new(
        "dedup = \"content\"",
        &source,
        &End::imap(shared(), &new),
        "",
    );
    Drop {
        server,
        deleted,
        new,
        job,
    }
}

impl Drop {
    fn deleted(&self) -> Vec<usize> {
        self.deleted
            .lock()
            .expect("a lock")
            .iter()
            .copied()
            .collect()
    }

    /// Each of the four stands there once.
    #[track_caller]
    fn assert_arrived(&self, name: &str, run: &Run) {
        let mut have: Vec<Vec<u8>> = Imap::login(shared().imap, &self.new)
            .fetch("INBOX")
            .into_iter()
            .map(|message| message.bytes)
            .collect();
        let mut want: Vec<Vec<u8>> = four().into_iter().map(|mail| mail.bytes).collect();
        have.sort();
        want.sort();
        assert_eq!(have, want, "{name}: {run:?}");
    }
}

fn always(command: &'static str, instead: impl Into<Vec<u8>>) -> Twist {
    first_times(usize::MAX, command, instead)
}

const DELETE: &str = "after = \"delete\"";

/// Without names that can be trusted each message is known by its header: all arrive, and a second run copies none.
#[test]
fn unique_ids_that_are_none() {
    let long = |n: usize| format!("{n} {}{n}\r\n", "u".repeat(300));
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("no UIDL", b"-ERR unknown command\r\n".to_vec()),
        (
            "all the same",
            b"+OK\r\n1 a\r\n2 a\r\n3 a\r\n4 a\r\n.\r\n".to_vec(),
        ),
        (
            "two the same",
            b"+OK\r\n1 a\r\n2 b\r\n3 a\r\n4 c\r\n.\r\n".to_vec(),
        ),
        (
            "too long",
            format!("+OK\r\n{}.\r\n", (1..=4).map(long).collect::<String>()).into(),
        ),
        ("empty", b"+OK\r\n1\r\n2 \r\n3 c\r\n4 d\r\n.\r\n".to_vec()),
        (
            "fewer than messages",
            b"+OK\r\n1 a\r\n2 b\r\n.\r\n".to_vec(),
        ),
        (
            "more than messages",
            b"+OK\r\n1 a\r\n2 b\r\n3 c\r\n4 d\r\n9 x\r\n.\r\n".to_vec(),
        ),
        (
            "with spaces and bytes",
            b"+OK\r\n1 a b\r\n2 \xff\xfe\r\n3 \x1b[2J\r\n4 d\r\n.\r\n".to_vec(),
        ),
    ];
    for (name, answer) in cases {
        let it = maildrop(always("UIDL", answer), "");
        let first = confined(&it.job);
        assert_eq!(first.code, Some(0), "{name}: {first:?}");
        first.balance().assert_adds_up();
        it.assert_arrived(name, &first);
        let second = confined(&it.job);
        assert_eq!(second.balance().part("copied"), 0, "{name}: {second:?}");
        it.assert_arrived(name, &second);
    }
}

/// LIST, STAT and UIDL tell different things: what this session lists counts.
#[test]
fn lists_that_disagree() {
    for (name, command, answer) in [
        ("STAT says none", "STAT", &b"+OK 0 0\r\n"[..]),
        ("STAT says many", "STAT", b"+OK 4000000000 99999999999\r\n"),
        (
            "sizes are wrong",
            "LIST",
            b"+OK\r\n1 1\r\n2 99999999\r\n3 0\r\n4 5\r\n.\r\n",
        ),
        (
            "a size of 16 EiB",
            "LIST",
            b"+OK\r\n1 18446744073709551615\r\n2 9\r\n3 9\r\n4 9\r\n.\r\n",
        ),
        (
            "words behind",
            "LIST",
            b"+OK\r\n1 10 octets\r\n2 10 x\r\n3 10\r\n 4  10 \r\n.\r\n",
        ),
    ] {
        let it = maildrop(always(command, answer), "");
        let first = confined(&it.job);
        assert_eq!(first.code, Some(0), "{name}: {first:?}");
        it.assert_arrived(name, &first);
    }
}

/// Answers that are no POP3, or too much of it, end the run with a reason; the next one is well.
#[test]
fn nonsense_is_refused() {
    for (name, command, answer) in [
        ("a negative size", "LIST", b"+OK\r\n1 -5\r\n.\r\n".to_vec()),
        (
            "a number beyond 32 bits",
            "LIST",
            b"+OK\r\n99999999999 5\r\n.\r\n".to_vec(),
        ),
        ("number 0", "LIST", b"+OK\r\n0 5\r\n.\r\n".to_vec()),
        (
            "an endless line",
            "LIST",
            [&b"+OK\r\n"[..], &vec![b'1'; 3 << 20]].concat(),
        ),
        ("an endless greeting", "", vec![b'x'; 3 << 20]),
        ("no POP3", "UIDL", b"HTTP/1.1 \x1b[31m400\r\n".to_vec()),
        ("a bare plus", "LIST", b"+ \r\n".to_vec()),
        (
            "endless lines",
            "UIDL",
            [&b"+OK\r\n"[..], &b"\r\n".repeat(66 << 20)].concat(),
        ),
    ] {
        let it = maildrop(first_times(1, command, answer), "");
        let first = confined(&it.job);
        assert!(matches!(first.code, Some(0 | 3 | 10)), "{name}: {first:?}");
        let second = confined(&it.job);
        assert_eq!(second.code, Some(0), "{name}: {second:?}");
        it.assert_arrived(name, &second);
    }
}

/// Another session, or too many logins: waited for, and never called a wrong password.
#[test]
fn a_busy_maildrop_is_waited_for() {
    for answer in [
        "-ERR [IN-USE] \u{1b}[31mDo you have another POP session running?\r\n",
        "-ERR [LOGIN-DELAY] minimum time between mail checks violation\r\n",
        "-ERR maildrop already locked\r\n",
        "-ERR [SYS/TEMP] try again\r\n",
    ] {
        let it = maildrop(first_times(2, "PASS", answer), "");
        let started = Instant::now();
        let run = confined(&it.job);
        assert_eq!(run.code, Some(0), "{answer}: {run:?}");
        assert!(started.elapsed() >= Duration::from_millis(500), "{answer}");
        assert!(!run.stderr.contains("error[auth]"), "{run:?}");
        assert_eq!(it.server.connections(), 3, "{answer}");
        it.assert_arrived(answer, &run);
    }
}

/// A wait that a person would notice is told, with the reason.
#[cfg(feature = "failpoints")]
#[test]
fn a_longer_wait_is_told() {
    let busy = "-ERR [IN-USE] Do you have another POP session running?\r\n";
    let it = maildrop(first_times(1, "PASS", busy), "");
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailhaul"));
    command.arg("run").arg(it.job.path());
    let run = spawn_as(command, &[("MAILHAUL_FAIL_WAIT", "5".as_ref())]).wait();
    let run = run.exits(0);
    let told = run.stderr.contains("waiting 5") && run.stderr.contains("another POP session");
    assert!(told, "{}", run.stderr);
}

/// The session that deletes ends before QUIT was answered: nothing is believed, and in the end all is deleted and all has arrived.
#[test]
fn a_session_that_dies_before_quit() {
    for (name, command) in [("at QUIT", "QUIT"), ("at DELE", "DELE")] {
        let (server, deleted) = {
            let times = Mutex::new(0);
            let twist: Twist = Box::new(move |line| {
                if !line.starts_with(command) {
                    return None;
                }
                let mut times = times.lock().expect("a lock");
                *times += 1;
                // A farewell that is none: the reading sessions end so too.
                (*times <= 6).then(|| b"-ERR [SYS/TEMP] died\r\n".to_vec())
            });
            fake::pop3(four(), twist)
        };
        let new = fresh_user("dies");
        let source = through("pop3", server.port, "budi").line(DELETE);
        let job = Job::new(
            "dedup = \"content\"",
            &source,
            &End::imap(shared(), &new),
            "",
        );
        let it = Drop {
            server,
            deleted,
            new,
            job,
        };
        let first = confined(&it.job);
        it.assert_arrived(name, &first);
        for _ in 0..8 {
            if it.deleted().len() == 4 {
                break;
            }
            let run = confined(&it.job);
            assert_eq!(run.balance().part("copied"), 0, "{name}: {run:?}");
        }
        assert_eq!(it.deleted(), [1, 2, 3, 4], "{name}: {first:?}");
        it.assert_arrived(name, &first);
    }
}

/// Names that change from session to session, or stand on two: what is deleted is what is known to be safe.
#[test]
fn nothing_is_deleted_on_doubt() {
    // Between reading and deleting the server gives the names of 1 and 2 to each other.
    let turned = Mutex::new(0);
    let twist: Twist = Box::new(move |line| {
        if line == "UIDL" {
            let mut turned = turned.lock().expect("a lock");
            *turned += 1;
            if *turned > 1 {
                return Some(b"+OK\r\n1 uid-2\r\n2 uid-1\r\n3 uid-3\r\n4 uid-4\r\n.\r\n".to_vec());
            }
        }
        None
    });
    let it = maildrop(twist, DELETE);
    let run = confined(&it.job);
    it.assert_arrived("turned", &run);
    let deleted = it.deleted();
    assert!(
        !deleted.contains(&1) && !deleted.contains(&2),
        "{deleted:?}"
    );
    // The server alters what it is asked for a second time.
    let it = maildrop(
        always("TOP", "+OK\r\nSubject: another\r\n\r\n.\r\n"),
        DELETE,
    );
    let run = confined(&it.job);
    it.assert_arrived("altered", &run);
    assert_eq!(it.deleted(), [0; 0]);
}

/// What the server holds may be exchanged between two runs.
fn exchanged(first: Vec<Mail>, then: Vec<Mail>) -> (Talker, Arc<Mutex<Vec<Mail>>>, Vec<Mail>) {
    let held = Arc::new(Mutex::new(first));
    let shown = Arc::clone(&held);
    let server = Talker::start(move |talk| {
        let mails = shown.lock().expect("a lock").clone();
        talk.say("+OK ready\r\n");
        while let Some(line) = talk.line() {
            talk.say(fake::pop3_answer(&line, &mails));
        }
    });
    (server, held, then)
}

/// A unique-id that stands on another message than before: the new one is copied, once, and told.
#[test]
fn a_reused_unique_id_is_a_new_message() {
    let head = "From: a@example.org\r\nMessage-ID: <new@example.org>\r\nSubject: new";
    let new = mail(
        head,
        "It has the unique-id of the one that was there before",
    );
    let mut mails = four();
    let (server, held, then) = exchanged(mails.clone(), vec![new]);
    let source = through("pop3", server.port, "budi").line("timeout = \"5s\"");
    let sink = fresh_user("reused");
    let job = Job::new(
        "dedup = \"content\"",
        &source,
        &End::imap(shared(), &sink),
        "",
    );
    assert_eq!(confined(&job).balance().part("copied"), 4);
    mails[1] = then[0].clone();
    *held.lock().expect("a lock") = mails.clone();
    let second = confined(&job);
    assert_eq!(second.balance().part("copied"), 1, "{second:?}");
    second.balance().assert_adds_up();
    assert!(second.stderr.contains("unique-id uid-2"), "{second:?}");
    for _ in 0..2 {
        let again = confined(&job);
        assert_eq!(again.balance().part("copied"), 0, "{again:?}");
        assert!(!again.stderr.contains("unique-id"), "{again:?}");
    }
    let mut have: Vec<Vec<u8>> = Imap::login(shared().imap, &sink)
        .fetch("INBOX")
        .into_iter()
        .map(|message| message.bytes)
        .collect();
    let mut want: Vec<Vec<u8>> = four()
        .into_iter()
        .chain(then)
        .map(|mail| mail.bytes)
        .collect();
    have.sort();
    want.sort();
    assert!(have == want, "{second:?}");
}

/// Sizes that are wrong, in one message or in all, make no message new.
#[test]
fn wrong_sizes_make_nothing_new() {
    let cases: [(&str, Vec<u8>); 2] = [
        (
            "one",
            b"+OK\r\n1 10\r\n2 7\r\n3 9\r\n4 99999\r\n.\r\n".to_vec(),
        ),
        (
            "none known",
            b"+OK\r\n1 1\r\n2 1\r\n3 1\r\n4 1\r\n.\r\n".to_vec(),
        ),
    ];
    for (name, answer) in cases {
        let it = maildrop(always("LIST", answer), "");
        assert_eq!(confined(&it.job).balance().part("copied"), 4, "{name}");
        for _ in 0..2 {
            let again = confined(&it.job);
            assert_eq!(again.balance().part("copied"), 0, "{name}: {again:?}");
            assert!(!again.stderr.contains("unique-id"), "{name}: {again:?}");
        }
    }
}

/// Something else in place of one message is that message's trouble alone: the others come over another session.
#[test]
fn a_garbled_answer_concerns_one_message() {
    for answer in ["what?\r\n", "\r\n", "+ more\r\n", "* OK imap\r\n"] {
        let it = maildrop(always("RETR 2", answer), "");
        let run = confined(&it.job);
        assert_eq!(run.code, Some(3), "{run:?}");
        let balance = run.balance();
        balance.assert_adds_up();
        assert_eq!((balance.part("copied"), balance.total), (3, 4), "{run:?}");
    }
}

/// The same where the server refuses one.
#[test]
fn a_refused_message_is_one_message() {
    let it = maildrop(always("RETR 2", "-ERR cannot open it\r\n"), "");
    let run = confined(&it.job);
    assert_eq!(run.code, Some(3), "{run:?}");
    assert_eq!(run.balance().part("copied"), 3, "{run:?}");
    assert!(
        format!("{}{}", run.stdout, run.stderr).contains("cannot open it"),
        "{run:?}"
    );
}
