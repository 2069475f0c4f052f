//! Limits: a day's bytes over midnights, on a clock that stands still but for the waits for another day; rates; connections to a host.

use crate::support::fake::{self, first_times};
use crate::support::proxy::{Fault, Proxy, Side};
use crate::support::run::{Running, spawn_as};
use crate::support::{
    Corpus, Dovecot, End, Imap, Job, Mail, Run, Snapshot, fresh_user, maildir, shared,
};
use rusqlite::{Connection, OpenFlags};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// 2026-12-01, noon.
const NOON: i64 = 1_796_126_400;
const DAY: i64 = 86_400;

fn start(args: &[&str], job: &Job, clock: Option<i64>, more: &[(&str, &str)]) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailhaul"));
    command.args(args).arg(job.path());
    let clock = clock.map(|clock| clock.to_string());
    let clock = clock
        .iter()
        .map(|clock| ("MAILHAUL_FAIL_CLOCK", clock.as_str()));
    let all: Vec<(&str, &OsStr)> = clock
        .chain(more.iter().copied())
        .map(|(key, value)| (key, OsStr::new(value)))
        .collect();
    spawn_as(command, &all)
}

fn at(clock: i64, args: &[&str], job: &Job) -> Run {
    start(args, job, Some(clock), &[]).wait()
}

/// Sixty messages of about four thousand bytes each.
fn mails(name: &str) -> Vec<Mail> {
    let mail = |n: usize| {
        Mail {
        bytes: format!(
            "From: {name}@example.org\r\nSubject: {n}\r\nMessage-ID: <{n}.{name}@example.org>\r\n\r\n{}",
            "Sixty characters of text stand here, one line like another.\r\n".repeat(64)
        )
        .into_bytes(),
        flags: vec![],
        date: 1_700_000_000,
    }
    };
    (0..60).map(mail).collect()
}

fn total(mails: &[Mail]) -> u64 {
    mails.iter().map(|mail| mail.bytes.len() as u64).sum()
}

fn journal(job: &Job) -> Option<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(job.journal(), flags).ok()
}

/// Day, way, bytes, and whether it was found used up.
fn usage(job: &Job) -> Vec<(i64, String, u64, bool)> {
    let sql = "SELECT day, way, bytes, paused IS NOT NULL FROM usage ORDER BY day";
    let journal = journal(job).expect("a journal");
    let mut rows = journal.prepare(sql).expect("a table");
    let read = |row: &rusqlite::Row<'_>| {
        let bytes: u32 = row.get(2)?;
        Ok((row.get(0)?, row.get(1)?, bytes.into(), row.get(3)?))
    };
    let rows = rows.query_map([], read).expect("rows");
    rows.map(|row| row.expect("a row")).collect()
}

/// Two midnights pass, and no day has had more than it allows.
#[track_caller]
fn three_days(job: &Job, way: &str, limit: u64, all: u64) {
    let days = usage(job);
    assert_eq!(days.len(), 3, "{days:?}");
    for (n, (day, is, bytes, paused)) in days.iter().enumerate() {
        assert_eq!(
            (*day, is.as_str(), *paused),
            (NOON / DAY + n as i64, way, n < 2),
            "{days:?}"
        );
        assert!(*bytes <= limit, "{days:?}");
        assert!(n == 2 || *bytes > limit * 4 / 5, "{days:?}");
    }
    assert!(days.iter().map(|day| day.2).sum::<u64>() >= all, "{days:?}");
}

#[test]
fn uploads_pause_at_a_day_s_limit_and_go_on_over_two_midnights() {
    let (old, new) = (fresh_user("up-old"), fresh_user("up"));
    let mails = mails(&old);
    Imap::login(shared().imap, &old).append("INBOX", &mails);
    let limit = total(&mails) * 2 / 5;
    let to = End::imap(shared(), &new).line(&format!("max-per-day = {limit}"));
    let job = Job::new("", &End::imap(shared(), &old), &to, "");
    let plan = at(NOON, &["plan"], &job).exits(0).stdout;
    let told = "for uploads to 127.0.0.1 that takes 3 days, done about 2026-12-03";
    assert!(plan.contains(told), "{plan}");
    let run = at(NOON, &["run"], &job).exits(0);
    assert_eq!(run.balance().part("copied"), 60);
    for day in ["2026-12-02", "2026-12-03"] {
        let line = format!("paused until {day} 00:00 UTC: ");
        let said = run.stderr.lines().find(|l| l.contains(&line));
        let said = said.unwrap_or_else(|| panic!("no {line} in:\n{}", run.stderr));
        assert!(
            said.contains("a day for uploads to 127.0.0.1; Ctrl-C stops"),
            "{said}"
        );
    }
    assert!(!run.stderr.contains("2026-12-04"), "{}", run.stderr);
    three_days(&job, "up", limit, total(&mails));
    Snapshot::of(shared().imap, &new)
        .without_empty()
        .assert_same(&Snapshot::one("INBOX", &mails));
    let status = at(NOON + 2 * DAY, &["status"], &job).exits(0).stdout;
    assert!(
        status.contains("today (UTC): ") && status.contains("stored at imap://"),
        "{status}"
    );
    let again = at(NOON + 2 * DAY, &["run"], &job).exits(0);
    assert_eq!(again.balance().part("copied"), 0);
}

#[test]
fn downloads_do_so_by_both_protocols_and_tell_it_as_json() {
    for protocol in ["imap", "pop3"] {
        let (old, new) = (fresh_user("down-old"), fresh_user("down"));
        let mails = mails(&old);
        Imap::login(shared().imap, &old).append("INBOX", &mails);
        let limit = total(&mails) * 2 / 5;
        let from = match protocol {
            "imap" => End::imap(shared(), &old),
            _ => End::pop3(shared(), &old),
        };
        let from = from.line(&format!("max-per-day = {limit}"));
        let job = Job::new("", &from, &End::imap(shared(), &new), "");
        let run = at(NOON, &["run", "--json"], &job).exits(0);
        let lines = run.stdout.lines();
        let lines = lines.map(|line| serde_json::from_str(line).expect("JSON"));
        let told: Vec<serde_json::Value> = lines
            .filter(|line: &serde_json::Value| {
                line["type"] == "paused" || line["type"] == "resumed"
            })
            .collect();
        let kinds: Vec<&str> = told
            .iter()
            .filter_map(|line| line["type"].as_str())
            .collect();
        assert_eq!(
            kinds,
            ["paused", "resumed", "paused", "resumed"],
            "{told:?}"
        );
        assert_eq!(told[0]["until"], NOON + DAY / 2);
        three_days(&job, "down", limit, total(&mails));
        assert_eq!(Imap::login(shared().imap, &new).count("INBOX"), 60);
    }
}

#[test]
fn a_job_that_does_not_wait_ends_and_goes_on_another_day() {
    let (old, new) = (fresh_user("stop-old"), fresh_user("stop"));
    let mails = mails(&old);
    let mut imap = Imap::login(shared().imap, &old);
    for (folder, part) in ["A", "B", "C"].iter().zip(mails.chunks(20)) {
        imap.create(folder);
        imap.append(folder, part);
    }
    let limit = total(&mails) * 2 / 3;
    let to = End::imap(shared(), &new).line(&format!("max-per-day = {limit}"));
    let rest = "[limits]\non-daily-limit = \"stop\"\n";
    let job = Job::new("", &End::imap(shared(), &old), &to, rest);
    let count = || {
        let mut imap = Imap::login(shared().imap, &new);
        let folders = imap.folders();
        let folders = folders.iter().filter(|folder| folder.len() == 1);
        folders
            .map(|folder| Imap::login(shared().imap, &new).count(folder))
            .sum::<u32>()
    };
    let first = at(NOON, &["run"], &job).exits(3);
    first.balance().assert_adds_up();
    assert!(
        first.stderr.contains("error[daily-limit]"),
        "{}",
        first.stderr
    );
    assert!(
        first.stderr.contains("after 2026-12-02 00:00 UTC"),
        "{}",
        first.stderr
    );
    let there = count();
    assert!((20..60).contains(&there), "{there}");
    // The same day has no more to give.
    at(NOON + 60, &["run"], &job).exits(3);
    assert_eq!(count(), there);
    at(NOON + DAY, &["run"], &job).exits(0);
    assert_eq!(count(), 60);
}

#[test]
fn a_killed_run_has_counted_too_much_and_never_too_little() {
    let (old, new) = (fresh_user("killed-old"), fresh_user("killed"));
    let mails = mails(&old);
    Imap::login(shared().imap, &old).append("INBOX", &mails);
    let limit = total(&mails) * 2;
    let to = End::imap(shared(), &new).line(&format!("max-per-day = {limit}"));
    let job = Job::new("", &End::imap(shared(), &old), &to, "");
    let step = [("MAILHAUL_FAIL_AT", "120")];
    let killed = start(&["run"], &job, Some(NOON), &step).wait();
    assert_eq!(killed.code, None, "it came to its end: {killed:?}");
    let sent = u64::from(Imap::login(shared().imap, &new).count("INBOX")) * 4000;
    let counted = usage(&job)[0].2;
    assert!(
        sent > 0 && counted >= sent,
        "{counted} counted, {sent} sent"
    );
    assert!(
        counted <= sent + limit / 3,
        "{counted} counted, {sent} sent"
    );
    at(NOON, &["run"], &job).exits(0);
    let counted = usage(&job)[0].2;
    assert!((total(&mails)..limit).contains(&counted), "{counted}");
}

/// On the true clock, hours before midnight.
#[test]
fn ctrl_c_ends_the_pause_and_the_next_run_goes_on() {
    let (old, new) = (fresh_user("pause-old"), fresh_user("pause"));
    let mails = mails(&old);
    Imap::login(shared().imap, &old).append("INBOX", &mails);
    let limit = total(&mails) / 2;
    let to = |more: &str| End::imap(shared(), &new).line(more);
    let limited = to(&format!("max-per-day = {limit}"));
    let job = Job::new("", &End::imap(shared(), &old), &limited, "");
    let running = start(&["run"], &job, None, &[]);
    let paused = || {
        let sql = "SELECT count(*) FROM usage WHERE paused IS NOT NULL";
        let count = |journal: Connection| journal.query_row(sql, [], |row| row.get(0)).ok();
        journal(&job).and_then(count).unwrap_or(0) > 0
    };
    while !paused() {
        std::thread::sleep(Duration::from_millis(20));
    }
    running.signal("INT");
    let run = running.wait().exits(130);
    assert!(run.stderr.contains("paused until"), "{}", run.stderr);
    assert!(!run.stderr.contains("going on"), "{}", run.stderr);
    let there = Imap::login(shared().imap, &new).count("INBOX");
    assert!((10..60).contains(&there), "{there}");
    // What was under way when the day ended was concluded before the pause.
    assert_eq!(run.balance().part("copied"), there as u64, "{}", run.stderr);
    job.rewrite("", &End::imap(shared(), &old), &to(""), "");
    start(&["run"], &job, None, &[]).wait().exits(0);
    assert_eq!(Imap::login(shared().imap, &new).count("INBOX"), 60);
}

/// Gmail may think otherwise than we count: its word ends the day.
#[test]
fn a_server_that_says_so_itself_ends_the_day() {
    let words = "{tag} NO [OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)\r\n";
    for command in ["UID FETCH", "AUTHENTICATE"] {
        let mails = Corpus::new("said", 4).mails(5);
        let server = fake::imap(
            vec![b"INBOX".to_vec()],
            mails,
            first_times(1, command, words),
        );
        let new = fresh_user("said");
        let from = End::at("imap", "127.0.0.1", server.port, "x").line("security = \"plain\"");
        let job = Job::new("", &from, &End::imap(shared(), &new), "");
        let run = at(NOON, &["run"], &job).exits(0);
        let told = "paused until 2026-12-02 00:00 UTC: the server's limit of a day";
        assert!(run.stderr.contains(told), "{command}: {}", run.stderr);
        assert!(
            run.stderr.contains("bandwidth limits"),
            "{command}: {}",
            run.stderr
        );
        assert_eq!(run.balance().part("copied"), 5, "{command}");
    }
}

#[test]
fn limits_a_second_change_nothing_but_the_time() {
    let (old, new) = (fresh_user("slow-old"), fresh_user("slow"));
    let mails = &mails(&old)[..30];
    Imap::login(shared().imap, &old).append("INBOX", mails);
    let from = End::imap(shared(), &old).line("max-rate = \"200 KiB/s\"");
    let to = End::imap(shared(), &new).line("max-messages-per-second = 40");
    let rest = "[limits]\nmax-rate = \"1 MiB/s\"\n[limits.per-host]\nmax-rate = \"400 KiB/s\"\n";
    let job = Job::new("", &from, &to, rest);
    let run = start(&["run"], &job, None, &[]).wait().exits(0);
    run.balance().assert_adds_up();
    Snapshot::of(shared().imap, &new)
        .without_empty()
        .assert_same(&Snapshot::one("INBOX", mails));
}

/// A relay that knows how many connections there are at once.
struct Counting {
    port: u16,
    most: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
}

impl Counting {
    fn start(to: u16) -> Counting {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("bind");
        let port = listener.local_addr().expect("address").port();
        let (most, now) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let over = Arc::new(AtomicBool::new(false));
        let (high, ended) = (Arc::clone(&most), Arc::clone(&over));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                let client = client.expect("a connection");
                let server = TcpStream::connect(("127.0.0.1", to)).expect("the server");
                high.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                let now = Arc::clone(&now);
                std::thread::spawn(move || {
                    let twin = (client.try_clone(), server.try_clone());
                    let (Ok(from), Ok(into)) = twin else { return };
                    let back = std::thread::spawn(move || pump(from, into));
                    pump(server, client);
                    back.join().expect("a pump");
                    now.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Counting { port, most, over }
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

/// Until one side ends; then both do.
fn pump(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 16 << 10];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    drop(from.shutdown(Shutdown::Both));
    drop(to.shutdown(Shutdown::Both));
}

#[test]
fn many_accounts_share_the_connections_of_a_host() {
    let server = Dovecot::start(&[]);
    let relay = Counting::start(server.imap);
    let stem = fresh_user("shared");
    let mut csv = "name,old,new\n".to_owned();
    for n in 0..6 {
        let old = format!("{stem}-{n}");
        let mut imap = Imap::login(server.imap, &old);
        for folder in ["A", "B", "C"] {
            imap.create(folder);
            imap.append(folder, &Corpus::new(&old, n).mails(4));
        }
        writeln!(csv, "{n},{old},{old}-new").expect("a string");
    }
    let end =
        |user: &str| End::at("imap", "127.0.0.1", relay.port, user).line("security = \"plain\"");
    let top = "accounts = \"users.csv\"\nparallel-accounts = 6";
    let limits = |most: usize| format!("[limits.per-host]\nmax-connections = {most}\n");
    let job = Job::new(top, &end("{old}"), &end("{new}"), &limits(5));
    std::fs::write(job.dir().join("users.csv"), &csv).expect("write");
    start(&["run"], &job, None, &[]).wait().exits(0);
    for n in 0..6 {
        let mut imap = Imap::login(server.imap, &format!("{stem}-{n}-new"));
        let counts = ["A", "B", "C"].map(|folder| imap.count(folder));
        assert_eq!(counts, [4, 4, 4], "account {n}");
    }
    let most = relay.most.load(Ordering::SeqCst);
    // The server's end of a connection may be seen to end a moment after the client's next one begins.
    assert!((2..=6).contains(&most), "{most} at once");
    let too_few = Job::new(top, &end("{old}"), &end("{new}"), &limits(1));
    std::fs::write(too_few.dir().join("users.csv"), &csv).expect("write");
    let refused = start(&["run"], &too_few, None, &[]).wait().exits(2);
    assert!(
        refused.stderr.contains("limits.per-host.max-connections"),
        "{}",
        refused.stderr
    );
    assert!(
        refused.stderr.contains("expected at least 2, found 1"),
        "{}",
        refused.stderr
    );
}

/// Nobody may read more than the day allows by reading a large folder in parts.
#[test]
fn a_folder_read_in_parts_keeps_to_the_day_s_limit_too() {
    let (old, new) = (fresh_user("parts-day-old"), fresh_user("parts-day"));
    let mails: Vec<Mail> = (0..10).flat_map(|n| mails(&format!("{n}.{old}"))).collect();
    maildir::fill(shared(), &old, &mails);
    let limit = total(&mails) * 2 / 5;
    let from = End::imap(shared(), &old)
        .line(&format!("max-per-day = {limit}"))
        .line("connections = 3");
    let to = End::imap(shared(), &new).line("connections = 1");
    let job = Job::new("", &from, &to, "");
    let run = at(NOON, &["run"], &job).exits(0);
    assert_eq!(run.balance().part("copied"), 600);
    three_days(&job, "down", limit, total(&mails));
    Snapshot::of(shared().imap, &new)
        .without_empty()
        .assert_same_order(&Snapshot::one("INBOX", &mails));
}

/// What the server had taken by then is told as copied, and not as failed.
#[test]
fn what_was_under_way_when_the_day_ended_is_told_as_it_is() {
    let (old, new) = (fresh_user("told-old"), fresh_user("told"));
    let mails = mails(&old);
    Imap::login(shared().imap, &old).append("INBOX", &mails);
    let limit = total(&mails) * 2 / 3;
    let late = Proxy::start(shared().imap, |_| {
        vec![Fault::Delay(Side::Down, Duration::from_millis(100))]
    });
    let to = End::at("imap", "127.0.0.1", late.port, &new)
        .line("security = \"plain\"")
        .line(&format!("max-per-day = {limit}"));
    let rest = "[limits]\non-daily-limit = \"stop\"\n";
    let job = Job::new("", &End::imap(shared(), &old), &to, rest);
    let first = at(NOON, &["run"], &job).exits(3);
    let there = Imap::login(shared().imap, &new).count("INBOX");
    assert!((20..60).contains(&there), "{there}");
    let balance = first.balance();
    balance.assert_adds_up();
    assert_eq!(balance.part("copied"), u64::from(there), "{balance:?}");
    at(NOON + DAY, &["run"], &job).exits(0);
    assert_eq!(Imap::login(shared().imap, &new).count("INBOX"), 60);
}

/// One account waits for another day, hours away, with more mail behind it than the run may hold: the other goes on.
#[test]
fn an_account_that_pauses_leaves_the_others_their_memory() {
    let stem = fresh_user("memory");
    let user = |name: &str| format!("{stem}-{name}");
    let (mut many, few) = (mails(&user("a")), mails(&user("b")));
    for mail in &mut many {
        mail.bytes.extend(b"more and more of it\r\n".repeat(2_000));
    }
    Imap::login(shared().imap, &user("a")).append("INBOX", &many);
    Imap::login(shared().imap, &user("b")).append("INBOX", &few);
    let limit = total(&many) / 4;
    let from = End::imap(shared(), "{old}").line("max-messages-per-second = 15");
    let to = End::imap(shared(), "{old}-new").line(&format!("max-per-day = {limit}"));
    let top = "accounts = \"users.csv\"\nbudget = \"1 MiB\"";
    let job = Job::new(top, &from, &to, "");
    let csv = format!("name;old\na;{}\nb;{}\n", user("a"), user("b"));
    std::fs::write(job.dir().join("users.csv"), csv).expect("write");
    let running = start(&["run"], &job, None, &[]);
    let mut new = Imap::login(shared().imap, &user("b-new"));
    let begun = std::time::Instant::now();
    while new.count("INBOX") < 60 && begun.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(100));
    }
    let arrived = new.count("INBOX");
    running.signal("INT");
    let run = running.wait().exits(130);
    assert!(run.stderr.contains("paused until"), "{}", run.stderr);
    assert_eq!(arrived, 60, "{}", run.stderr);
}
