//! Large folders that several connections read, in parts.

use super::run;
use crate::support::proxy::{Fault, Proxy, Side};
use crate::support::run::spawn_as;
use crate::support::{
    Corpus, Dovecot, End, Imap, Job, Mail, Run, Snapshot, fresh_user, maildir, shared,
};
use serde_json::Value;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const LEAST: u64 = 1 << 20;
/// Bytes a second that one connection to the source gives.
const RATE: u64 = 300_000;

fn through(port: u16, user: &str) -> End {
    End::at("imap", "127.0.0.1", port, user).line("security = \"plain\"")
}

/// A run that looks every second whether one more connection helps; its JSON lines.
fn paced(job: &Job) -> (Run, Vec<Value>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailhaul"));
    command.arg("run").arg("--json").arg(job.path());
    let done = spawn_as(command, &[("MAILHAUL_FAIL_WAIT", "1".as_ref())]).wait();
    let lines = done.stdout.lines().map(serde_json::from_str);
    let lines = lines.collect::<Result<_, _>>().expect("JSON lines");
    (done, lines)
}

fn copied(lines: &[Value]) -> u64 {
    let done = lines.iter().find(|line| line["type"] == "account-done");
    let done = done.expect("the account's end");
    assert_eq!(done["unaccounted"], 0);
    done["outcomes"]["copied"].as_u64().expect("a number")
}

/// The changes of the number of connections: to how many, and why.
fn paces(lines: &[Value]) -> Vec<(u64, String)> {
    let changes = lines.iter().filter(|line| line["type"] == "connections");
    changes
        .map(|line| {
            let why = line["why"].as_str().unwrap_or_default().to_owned();
            (line["connections"].as_u64().unwrap_or_default(), why)
        })
        .collect()
}

/// A user whose INBOX is worth sharing, some of its messages large for a small budget.
fn large(server: &Dovecot, stem: &str) -> String {
    let user = fresh_user(stem);
    let mut mails: Vec<Mail> = Corpus::new(&user, 21).mails(640);
    for at in [3, 130, 131, 400, 639] {
        mails[at]
            .bytes
            .extend(b"more and more of it\r\n".repeat(20_000));
    }
    maildir::fill(server, &user, &mails);
    user
}

#[test]
fn several_connections_read_one_folder_and_its_order_stays() {
    let server = shared();
    let old = large(server, "parts-old");
    let want = Snapshot::of(server.imap, &old);
    let new = fresh_user("parts-new");
    let asked = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&asked);
    let proxy = Proxy::start(server.imap, move |n| {
        let kept = Arc::clone(&kept);
        let keep = move |line: Vec<u8>| {
            if line.windows(9).any(|part| part == b"UID FETCH") {
                kept.lock().expect("a lock").push(n);
            }
            line
        };
        vec![
            Fault::Throttle(Side::Down, RATE),
            Fault::Lines(Side::Up, Box::new(keep)),
        ]
    });
    let source = through(proxy.port, &old).line("connections = 4");
    let job = Job::new("", &source, &End::imap(server, &new), "");
    let (done, lines) = paced(&job);
    assert_eq!(
        (copied(&lines), done.code),
        (640, Some(0)),
        "{}",
        done.stderr
    );
    Snapshot::of(server.imap, &new).assert_same_order(&want);
    let mut readers = asked.lock().expect("a lock").clone();
    readers.sort_unstable();
    readers.dedup();
    assert!(readers.len() >= 2, "{:?}", paces(&lines));
    // What comes later comes as ever.
    Imap::login(server.imap, &old).append("INBOX", &Corpus::new("later", 3).mails(2));
    assert_eq!(run(&job).exits(0).balance().part("copied"), 2);
}

/// The connections that only help are lost in the midst of a part, and so are the first that take over.
#[test]
fn lost_helpers_cost_neither_mail_nor_order() {
    let server = shared();
    let old = large(server, "parts-lost");
    let want = Snapshot::of(server.imap, &old);
    let new = fresh_user("parts-lost-new");
    let proxy = Proxy::start(server.imap, |n| match n {
        1..=3 => vec![Fault::Cut(Side::Down, 60_000)],
        _ => vec![Fault::Throttle(Side::Down, RATE)],
    });
    let source = through(proxy.port, &old).line("connections = 3");
    let job = Job::new("", &source, &End::imap(server, &new), "");
    let (done, lines) = paced(&job);
    assert_eq!(copied(&lines), 640, "{}", done.stderr);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(proxy.connections() >= 3);
    Snapshot::of(server.imap, &new).assert_same_order(&want);
}

/// Hardly one message fits, several connections read one folder, one of two destinations stalls.
#[test]
fn a_budget_of_one_message_and_a_stalled_destination() {
    let server = shared();
    let old = large(server, "parts-budget");
    let want = Snapshot::of(server.imap, &old);
    let new = [fresh_user("parts-budget-a"), fresh_user("parts-budget-b")];
    let stalled = Proxy::start(server.imap, |_| {
        let mut left = 3;
        let stall = move |line: Vec<u8>| {
            if left > 0 && line.windows(8).any(|part| part == b" APPEND ") {
                left -= 1;
                std::thread::sleep(Duration::from_millis(1_500));
            }
            line
        };
        vec![Fault::Lines(Side::Up, Box::new(stall))]
    });
    let slow = Proxy::start(server.imap, |_| vec![Fault::Throttle(Side::Down, RATE)]);
    let source = through(slow.port, &old).line("connections = 4");
    let ends = [through(stalled.port, &new[0]), End::imap(server, &new[1])];
    let job = Job::with_destinations("budget = \"1 MiB\"", &source, &ends, "");
    let (done, lines) = paced(&job);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    for user in &new {
        Snapshot::of(server.imap, user).assert_same_order(&want);
    }
    assert!(slow.connections() > 2, "{:?}", paces(&lines));
    let marks: Vec<u64> = lines
        .iter()
        .filter_map(|line| line.get("high_water")?.as_u64())
        .collect();
    assert!(!marks.is_empty(), "{}", done.stdout);
    assert!(
        marks.iter().all(|&mark| 0 < mark && mark <= LEAST),
        "{marks:?}"
    );
}

/// A user with folders of a few messages each.
fn many(server: &Dovecot, stem: &str, folders: usize, mails: usize) -> String {
    let user = fresh_user(stem);
    let mut imap = Imap::login(server.imap, &user);
    let mut corpus = Corpus::new(&user, 8);
    for n in 0..folders {
        let folder = format!("F{n:02}");
        imap.create(&folder);
        imap.append(&folder, &corpus.mails(mails));
    }
    user
}

#[test]
fn a_server_that_refuses_the_third_connection_gets_two_and_later_more() {
    let server = shared();
    let old = many(server, "pace-refused", 24, 8);
    let want = Snapshot::of(server.imap, &old);
    let new = fresh_user("pace-refused-new");
    let proxy = Proxy::start(server.imap, |n| match n {
        2 | 3 => vec![Fault::Farewell("* OK", "* BYE Too many connections\r\n")],
        _ => vec![Fault::Throttle(Side::Down, 40_000)],
    });
    let source = through(proxy.port, &old).line("connections = 4");
    let job = Job::new("", &source, &End::imap(server, &new), "");
    let (done, lines) = paced(&job);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let paces = paces(&lines);
    let refused = (2, "refused".to_owned());
    let fell = paces.iter().position(|pace| *pace == refused);
    let fell = fell.unwrap_or_else(|| panic!("{paces:?}"));
    let rose = paces[fell..].contains(&(3, "trying".to_owned()));
    assert!(rose && proxy.connections() > 4, "{paces:?}");
    assert!(lines.iter().all(|line| line["type"] != "warning"));
    Snapshot::of(server.imap, &new).assert_same(&want);
}

/// One of the connections that are open.
struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn a_server_that_slows_when_a_fifth_joins_gets_four() {
    let server = shared();
    let old = many(server, "pace-slow", 40, 8);
    let want = Snapshot::of(server.imap, &old);
    let new = fresh_user("pace-slow-new");
    let open = Arc::new(AtomicUsize::new(0));
    let proxy = Proxy::start(server.imap, move |_| {
        open.fetch_add(1, Ordering::SeqCst);
        let one = Open(Arc::clone(&open));
        let slow = move |line: Vec<u8>| {
            let slow = one.0.load(Ordering::SeqCst) > 4;
            std::thread::sleep(Duration::from_millis(if slow { 8 } else { 1 }));
            line
        };
        vec![Fault::Lines(Side::Down, Box::new(slow))]
    });
    let source = through(proxy.port, &old).line("connections = 8");
    let to = End::imap(server, &new).line("connections = 8");
    let job = Job::new("", &source, &to, "");
    let (done, lines) = paced(&job);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let paces = paces(&lines);
    assert_eq!(paces.first(), Some(&(5, "trying".to_owned())), "{paces:?}");
    let fell = |pace: &&(u64, String)| pace.1 == "slower" || pace.1 == "no-gain";
    assert!(paces.iter().any(|pace| fell(&pace)), "{paces:?}");
    Snapshot::of(server.imap, &new).assert_same(&want);
}
