//! How much may be in flight, and how much memory a run may take.

use super::{before, mail, through};
use crate::support::job::ARCHIVE;
use crate::support::proxy::{Fault, Proxy, Side};
use crate::support::run::spawn;
use crate::support::{
    Dovecot, End, Imap, Job, Mail, Random, fresh_user, maildir, mailhaul, shared, tell,
};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::chown;
use std::time::Duration;

/// The least budget that a job can have.
const LEAST: u64 = 1 << 20;
/// What a run may take at the default budget, however large the mailbox.
const PEAK_KIB: u64 = 96 * 1024;

/// Of so many bytes or a few more, with text that nothing can be saved on.
fn large(n: u64, size: usize) -> Mail {
    let mut random = Random::new(n);
    let mut body = String::with_capacity(size + 80);
    while body.len() < size {
        for _ in 0..4 {
            body += &format!("{:016x}", random.next());
        }
        body += "\r\n";
    }
    let head =
        format!("From: a@example.org\r\nMessage-ID: <large-{n}@example.org>\r\nSubject: {n}");
    mail(&head, &body)
}

/// Hardly one message fits; four connections read one folder, one of two destinations takes its time: it ends, in order.
#[test]
fn a_budget_of_one_message_and_a_slow_destination() {
    let mut mails: Vec<Mail> = (0..14).map(|n| large(n, 700_000)).collect();
    mails.push(large(14, 2_500_000));
    mails.extend((15..25).map(|n| large(n, 3_000)));
    let old = fresh_user("budget-old");
    Imap::login(shared().imap, &old).append("INBOX", &mails);
    for rest in ["", ARCHIVE] {
        let new = [fresh_user("budget-a"), fresh_user("budget-b")];
        let slow = Proxy::start(shared().imap, |_| {
            let pause = || std::thread::sleep(Duration::from_millis(1_500));
            vec![Fault::Lines(Side::Up, before(" APPEND ", pause))]
        });
        let source = End::imap(shared(), &old).line("connections = 4");
        let sinks = [
            End::imap(shared(), &new[0]),
            through("imap", slow.port, &new[1]),
        ];
        let job = Job::with_destinations("budget = \"1 MiB\"", &source, &sinks, rest);
        let run = mailhaul(&["run".as_ref(), "--json".as_ref(), job.path().as_os_str()]).exits(0);
        for user in &new {
            let arrived = Imap::login(shared().imap, user).fetch("INBOX");
            let same = arrived
                .iter()
                .zip(&mails)
                .all(|(have, want)| have.bytes == want.bytes);
            assert!(
                arrived.len() == mails.len() && same,
                "{user}: not all, or in another order"
            );
        }
        let marks: Vec<u64> = run
            .stdout
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .filter_map(|line| line.get("high_water")?.as_u64())
            .collect();
        assert!(!marks.is_empty(), "{}", run.stdout);
        assert!(
            marks.iter().all(|&mark| 0 < mark && mark <= LEAST),
            "{marks:?}"
        );
    }
}

/// Only when all is asked for: these take minutes.
fn wanted(name: &str) -> bool {
    let all = std::env::var_os("MAILHAUL_ALL").is_some();
    if !all {
        tell(&format!("{name} is left out; tests/run --all has it"));
    }
    all
}

fn peak_of(job: &Job) -> u64 {
    let path = job.path();
    let (run, peak) = spawn(&["run".as_ref(), OsStr::new(&path)]).peak();
    run.exits(0).balance().assert_adds_up();
    peak
}

#[track_caller]
fn assert_bounded(name: &str, peak: u64) {
    tell(&format!("{name}: at most {peak} KiB"));
    assert!(peak > 0 && peak < PEAK_KIB, "{name}: {peak} KiB");
}

#[test]
fn two_hundred_thousand_messages() {
    if !wanted("two_hundred_thousand_messages") {
        return;
    }
    let server = Dovecot::start(&["fsync=never"]);
    let (old, new) = (fresh_user("many-old"), fresh_user("many"));
    let one = |n: u32| {
        let head = format!("From: a@example.org\r\nMessage-ID: <{n}@example.org>\r\nSubject: {n}");
        mail(&head, "text")
    };
    let mails: Vec<Mail> = (0..200_000).map(one).collect();
    maildir::fill(&server, &old, &mails);
    drop(mails);
    let job = Job::new("", &End::imap(&server, &old), &End::imap(&server, &new), "");
    let first = peak_of(&job);
    assert_eq!(Imap::login(server.imap, &new).count("INBOX"), 200_000);
    assert_bounded("200,000 messages", first);
    assert_bounded("200,000 messages, nothing to do", peak_of(&job));
}

#[test]
fn a_message_of_a_gibibyte() {
    if !wanted("a_message_of_a_gibibyte") {
        return;
    }
    let server = Dovecot::start(&["fsync=never"]);
    let (old, new) = (fresh_user("huge-old"), fresh_user("huge"));
    maildir::fill(&server, &old, &[large(1, 3_000)]);
    let path = server.home(&old).join("Maildir/new/1000000001.M1P1.test");
    let mut file = BufWriter::new(File::create(&path).expect("create"));
    let head = "From: a@example.org\r\nMessage-ID: <huge@example.org>\r\nSubject: huge\r\n\r\n";
    file.write_all(head.as_bytes()).expect("write");
    let line = format!("{}\r\n", "0123456789abcdef".repeat(4));
    for _ in 0..(1 << 30) / line.len() {
        file.write_all(line.as_bytes()).expect("write");
    }
    drop(file);
    chown(&path, Some(server.uid), Some(server.gid)).expect("chown");
    let job = Job::new(
        "",
        &End::imap(&server, &old),
        &End::imap(&server, &new),
        ARCHIVE,
    );
    assert_bounded("1 GiB", peak_of(&job));
    assert_eq!(Imap::login(server.imap, &new).count("INBOX"), 2);
}
