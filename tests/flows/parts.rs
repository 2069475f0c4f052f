//! Large folders that several connections read, in parts.

use super::incremental::{listening, taken};
use super::run;
use crate::support::proxy::{Fault, Proxy, Side};
use crate::support::{
    Corpus, Dovecot, End, Imap, Job, Mail, Snapshot, fresh_user, maildir, mailhaul, shared,
};
use std::time::Duration;

const LEAST: u64 = 1 << 20;

fn through(port: u16, user: &str) -> End {
    End::at("imap", "127.0.0.1", port, user).line("security = \"plain\"")
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

/// How many connections asked for a range of UIDs that is not the whole.
fn ranges(lines: &[String]) -> usize {
    let part = |line: &&String| line.contains("UID FETCH") && !line.contains(" 1:* ");
    lines.iter().filter(part).count()
}

#[test]
fn four_connections_read_one_folder_and_its_order_stays() {
    let server = shared();
    let old = large(server, "parts-old");
    // The destination knows no folder of this name, so all of it comes.
    let mut there = Imap::login(server.imap, &old);
    let want = Snapshot::of(server.imap, &old);
    let new = fresh_user("parts-new");
    let (proxy, lines) = listening(server.imap);
    let source = through(proxy.port, &old).line("connections = 4");
    let job = Job::new("", &source, &End::imap(server, &new), "");
    run(&job).exits(0).balance().assert_adds_up();
    Snapshot::of(server.imap, &new).assert_same_order(&want);
    assert!(ranges(&taken(&lines)) >= 4);
    assert_eq!(proxy.connections(), 4);
    // What comes later comes as ever.
    there.append("INBOX", &Corpus::new("later", 3).mails(2));
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
        1..=4 => vec![Fault::Cut(Side::Down, 60_000)],
        _ => vec![],
    });
    let source = through(proxy.port, &old).line("connections = 3");
    let job = Job::new("", &source, &End::imap(server, &new), "");
    let done = run(&job).exits(0);
    done.balance().assert_adds_up();
    assert_eq!(done.balance().part("copied"), 640, "{}", done.stderr);
    Snapshot::of(server.imap, &new).assert_same_order(&want);
}

/// Hardly one message fits, four connections read one folder, one of two destinations stalls.
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
    let source = End::imap(server, &old).line("connections = 4");
    let ends = [through(stalled.port, &new[0]), End::imap(server, &new[1])];
    let job = Job::with_destinations("budget = \"1 MiB\"", &source, &ends, "");
    let path = job.path();
    let done = mailhaul(&["run".as_ref(), "--json".as_ref(), path.as_os_str()]).exits(0);
    for user in &new {
        Snapshot::of(server.imap, user).assert_same_order(&want);
    }
    let marks: Vec<u64> = done
        .stdout
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|line| line.get("high_water")?.as_u64())
        .collect();
    assert!(!marks.is_empty(), "{}", done.stdout);
    assert!(
        marks.iter().all(|&mark| 0 < mark && mark <= LEAST),
        "{marks:?}"
    );
}
