//! Sessions that are slow, limited, or sent away: mailhaul waits as it is told, asks for less, and goes on; a refused password is
//! not tried again.

use super::{assert_arrived, filled, find, open_intents, replacing, run, small_mails, through};
use crate::support::proxy::{Fault, Proxy, Rewrite, Side};
use crate::support::run::spawn_as;
use crate::support::{
    Dovecot, End, Imap, Job, Mail, Run, Snapshot, Talker, fresh_user, impatient, maildir, popped,
    shared,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The first so many lines with this text become something else, whichever connection they come on.
fn first_times(
    times: usize,
    text: &'static str,
    instead: &'static str,
) -> impl FnMut(usize) -> Rewrite + Send + 'static {
    let seen = Arc::new(AtomicUsize::new(0));
    move |_| {
        let seen = Arc::clone(&seen);
        Box::new(move |line: Vec<u8>| {
            if find(&line, text).is_none() || seen.fetch_add(1, Ordering::SeqCst) >= times {
                return line;
            }
            let tag = line.split(|&b| b == b' ').next().unwrap_or_default();
            let tag = String::from_utf8_lossy(tag);
            format!("{}\r\n", instead.replace("{tag}", &tag)).into_bytes()
        })
    }
}

/// An IMAP source that says `instead` in place of the first lines with `text`; everything arrives in one run.
fn source_says(times: usize, text: &'static str, instead: &'static str) -> Duration {
    let mails = small_mails("says", 1, 6);
    let (old, new) = (filled(shared(), "says-old", &mails), fresh_user("says"));
    let mut rewrite = first_times(times, text, instead);
    let proxy = Proxy::start(shared().imap, move |n| {
        vec![Fault::Lines(Side::Down, rewrite(n))]
    });
    let source = through("imap", proxy.port, &old);
    let job = Job::new("", &source, &End::imap(shared(), &new), "");
    let started = Instant::now();
    impatient(&job).exits(0).balance().assert_adds_up();
    let took = started.elapsed();
    assert_arrived(shared(), &new, &mails, &job);
    took
}

#[test]
fn an_imap_source_that_says_goodbye() {
    for text in [" FETCH (", "OK Fetch completed", "EXISTS"] {
        source_says(1, text, "* BYE Disconnected for inactivity.");
    }
}

#[test]
fn a_pop3_source_that_says_goodbye() {
    let mut mails = small_mails("pop-bye", 2, 6);
    mails.iter_mut().for_each(|mail| mail.flags.clear());
    let (old, new) = (fresh_user("pop-bye-old"), fresh_user("pop-bye"));
    maildir::fill(shared(), &old, &mails);
    let proxy = Proxy::start(shared().pop3, |n| match n {
        0 => vec![
            Fault::OneByOne(Side::Up),
            Fault::Farewell(
                "octets",
                "-ERR [SYS/TEMP] idle for too long, logging out\r\n",
            ),
        ],
        _ => vec![],
    });
    let source = through("pop3", proxy.port, &old);
    let job = Job::new("", &source, &End::imap(shared(), &new), "");
    run(&job).exits(0).balance().assert_adds_up();
    assert_arrived(shared(), &new, &popped(&mails), &job);
}

/// Exchange names the time to wait.
#[test]
fn a_suggested_backoff_is_kept() {
    let words = "{tag} NO Request is throttled. Suggested Backoff Time: 4000 milliseconds";
    assert!(source_says(1, "OK Fetch completed", words) >= Duration::from_secs(4));
    let examine = "{tag} NO [THROTTLED] Suggested Backoff Time: 3000 milliseconds";
    assert!(source_says(1, "[READ-ONLY]", examine) >= Duration::from_secs(3));
}

/// No time is named: half a minute (two seconds here), then it is tried again.
#[test]
fn asked_for_patience() {
    std::thread::scope(|scope| {
        for (text, words) in [
            ("[READ-ONLY]", "{tag} NO [INUSE] being compacted"),
            ("[READ-ONLY]", "{tag} NO [UNAVAILABLE] backend is down"),
            ("OK Fetch completed", "{tag} NO [LIMIT] slow down"),
            ("OK Fetch completed", "{tag} NO [THROTTLED] slow down"),
            ("Logged in", "{tag} NO [UNAVAILABLE] backend is down"),
            ("Logged in", "{tag} NO [INUSE] one at a time"),
        ] {
            scope.spawn(move || {
                let took = source_says(1, text, words);
                assert!(took < Duration::from_secs(120), "{words}: {took:?}");
            });
        }
    });
}

/// One connection of each user from one address: more lanes than that want one.
#[test]
fn fewer_connections_than_wanted() {
    let server = Dovecot::start(&["connections=1"]);
    let mails = small_mails("few", 3, 16);
    let (old, new) = (fresh_user("few-old"), fresh_user("few"));
    {
        let mut imap = Imap::login(server.imap, &old);
        for (at, part) in mails.chunks(4).enumerate() {
            let name = format!("F{at}");
            imap.create(&name);
            imap.append(&name, part);
        }
    }
    // Dovecot forgets the connection above only once it has seen its end.
    std::thread::sleep(Duration::from_millis(300));
    let job = Job::new("", &End::imap(&server, &old), &End::imap(&server, &new), "");
    let done = impatient(&job).exits(0);
    done.balance().assert_adds_up();
    assert_eq!(done.balance().part("copied"), 16);
    std::thread::sleep(Duration::from_millis(300));
    let mut imap = Imap::login(server.imap, &new);
    for (at, part) in mails.chunks(4).enumerate() {
        let have = imap.fetch(&format!("F{at}"));
        let equal = have
            .iter()
            .zip(part)
            .all(|(have, want)| have.bytes == want.bytes);
        assert!(have.len() == 4 && equal, "F{at}");
    }
    assert_eq!(open_intents(&job), 0);
}

/// Each wait is shorter than the deadline, all together are longer: nobody is cut off for being slow.
#[test]
fn slow_but_alive() {
    let mails = small_mails("drip", 4, 3);
    let (old, new) = (filled(shared(), "drip-old", &mails), fresh_user("drip"));
    let drip = |from: u64| {
        move |_| {
            vec![Fault::Drip(
                Side::Down,
                from..from + 6,
                Duration::from_millis(300),
            )]
        }
    };
    let source_proxy = Proxy::start(shared().imap, drip(1_500));
    let sink_proxy = Proxy::start(shared().imap, drip(60));
    let source = through("imap", source_proxy.port, &old).line("timeout = \"1s\"\nconnections = 1");
    let sink = through("imap", sink_proxy.port, &new).line("timeout = \"1s\"");
    let job = Job::new("", &source, &sink, "");
    let started = Instant::now();
    run(&job).exits(0).balance().assert_adds_up();
    assert!(started.elapsed() > Duration::from_secs(2));
    assert_arrived(shared(), &new, &mails, &job);
}

/// A byte now and then, each within the deadline, would take for ever: the connection is left and another one made. What is slow
/// within reason is waited for: `slow_but_alive`.
#[test]
fn a_trickle_is_left() {
    std::thread::scope(|scope| {
        for protocol in ["imap", "pop3"] {
            for encrypted in [false, true] {
                scope.spawn(move || left_at_a_trickle(protocol, encrypted));
            }
        }
    });
}

fn left_at_a_trickle(protocol: &str, encrypted: bool) {
    let mut mails = small_mails("trickle", 4, 3);
    mails.iter_mut().for_each(|mail| mail.flags.clear());
    let (old, new) = (fresh_user("trickle-old"), fresh_user("trickle"));
    maildir::fill(shared(), &old, &mails);
    let port = match (protocol, encrypted) {
        ("imap", false) => shared().imap,
        ("imap", true) => shared().imaps,
        (_, false) => shared().pop3,
        (_, true) => shared().pop3s,
    };
    // Within the first message, or, under TLS, what comes before it.
    let proxy = Proxy::start(port, |n| match n {
        0 => vec![Fault::Drip(
            Side::Down,
            1_500..9_000,
            Duration::from_millis(200),
        )],
        _ => vec![],
    });
    let source = match encrypted {
        false => through(protocol, proxy.port, &old),
        true => End::at(protocol, "localhost", proxy.port, &old)
            .line(&format!("ca-file = {:?}", shared().ca())),
    };
    let source = source.line("timeout = \"1s\"\nconnections = 1");
    let job = Job::new("", &source, &End::imap(shared(), &new), "");
    let done = impatient_json(&job);
    assert!(
        done.stdout.contains("sends less than 64 bytes a second"),
        "{}",
        done.stdout
    );
    assert_eq!(proxy.connections(), 2);
    let mails = match protocol {
        "pop3" => popped(&mails),
        _ => mails,
    };
    assert_arrived(shared(), &new, &mails, &job);
}

fn impatient_json(job: &Job) -> Run {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mailhaul"));
    command.args(["run", "--json"]).arg(job.path());
    spawn_as(command, &[("MAILHAUL_FAIL_WAIT", "2".as_ref())])
        .wait()
        .exits(0)
}

/// Nobody answers any more, at a POP3 source and in the middle of an APPEND: the deadline ends it.
#[test]
fn a_black_hole_is_left() {
    let mut mails: Vec<Mail> = small_mails("hole", 5, 4);
    mails.iter_mut().for_each(|mail| mail.flags.clear());
    std::thread::scope(|scope| {
        for (side, at) in [(Side::Up, 900), (Side::Down, 300)] {
            let mails = &mails;
            scope.spawn(move || {
                let (old, new) = (fresh_user("hole-old"), fresh_user("hole"));
                maildir::fill(shared(), &old, mails);
                let hole = move |n| match n {
                    0 => vec![Fault::Stall(side, at)],
                    _ => vec![],
                };
                let from = Proxy::start(shared().pop3, hole);
                let to = Proxy::start(shared().imap, hole);
                let source = through("pop3", from.port, &old).line("timeout = \"1s\"");
                let sink = through("imap", to.port, &new).line("timeout = \"1s\"");
                let job = Job::new("", &source, &sink, "");
                impatient(&job).exits(0).balance().assert_adds_up();
                assert_arrived(shared(), &new, &popped(mails), &job);
            });
        }
    });
}

/// The error names host and phase.
#[test]
fn a_host_that_never_answers_is_named() {
    let hole = Proxy::start(shared().imap, |_| vec![Fault::Stall(Side::Down, 0)]);
    let source = through("imap", hole.port, "budi").line("timeout = \"1s\"");
    let sink = End::imap(shared(), &fresh_user("hole"));
    let run = impatient(&Job::new("", &source, &sink, "")).exits(10);
    let told = format!("127.0.0.1:{} while waiting for the greeting", hole.port);
    assert!(run.stderr.contains(&told), "{}", run.stderr);
}

/// A login that was judged is not tried a second time: many a server locks the account after a few.
#[test]
fn a_refused_login_is_tried_once() {
    for code in [
        "AUTHENTICATIONFAILED",
        "EXPIRED",
        "AUTHORIZATIONFAILED",
        "CONTACTADMIN",
    ] {
        let server = Talker::start(move |talk| {
            talk.say("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] ready\r\n");
            while let Some(line) = talk.line() {
                let tag = line.split(' ').next().unwrap_or_default().to_owned();
                talk.say(format!("{tag} NO [{code}] no\r\n"));
            }
        });
        let source = End::at("imap", "127.0.0.1", server.port, "budi").line("security = \"plain\"");
        let job = Job::new("", &source, &End::imap(shared(), &fresh_user("once")), "");
        run(&job).exits(10);
        assert_eq!(server.connections(), 1, "{code}");
        let heard = String::from_utf8_lossy(&server.heard()).into_owned();
        assert_eq!(heard.matches("AUTHENTICATE").count(), 1, "{heard}");
    }
    for answer in [
        "-ERR [AUTH] no\r\n",
        "-ERR no\r\n",
        "-ERR [SYS/PERM] no\r\n",
    ] {
        let server = Talker::start(move |talk| {
            talk.say("+OK ready\r\n");
            while let Some(line) = talk.line() {
                talk.say(match line.split(' ').next().unwrap_or_default() {
                    "CAPA" => "+OK\r\nUSER\r\nUIDL\r\n.\r\n",
                    "USER" => "+OK\r\n",
                    _ => answer,
                });
            }
        });
        let source = End::at("pop3", "127.0.0.1", server.port, "budi").line("security = \"plain\"");
        let job = Job::new("", &source, &End::imap(shared(), &fresh_user("once")), "");
        run(&job).exits(10);
        assert_eq!(server.connections(), 1, "{answer}");
    }
}

/// The password is changed while a run goes on: after the next reconnection it is wrong, and that is that.
#[test]
fn a_password_that_stops_being_right() {
    let mails = small_mails("stops", 6, 5);
    let (old, new) = (filled(shared(), "stops-old", &mails), fresh_user("stops"));
    let proxy = Proxy::start(shared().imap, |n| match n {
        0 => vec![Fault::CutAt(Side::Down, " FETCH (")],
        _ => vec![Fault::Lines(
            Side::Up,
            replacing("AUTHENTICATE PLAIN A", "AUTHENTICATE PLAIN AB"),
        )],
    });
    let source = through("imap", proxy.port, &old)
        .line("connections = 1")
        .line("mechanism = \"plain\"");
    let job = Job::new("", &source, &End::imap(shared(), &new), "");
    let run = run(&job).exits(10);
    run.balance().assert_adds_up();
    assert_eq!(proxy.connections(), 2, "{}", run.stderr);
    assert_eq!(Snapshot::of(shared().imap, &new).total(), 0);
}
