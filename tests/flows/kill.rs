//! kill -9 at random moments of a run; then a run to the end: nothing missing, nothing doubled.

use super::{assert_nothing_left, run};
use crate::support::job::ARCHIVE;
use crate::support::run::{Running, spawn};
use crate::support::{
    Corpus, Dovecot, End, Imap, Job, Random, Snapshot, fresh_user, maildir, popped, shared, tell,
};
use rusqlite::{Connection, OpenFlags};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How many runs are killed, unless MAILHAUL_KILLS says otherwise.
const KILLS: u32 = 50;
/// Enough that no run which is killed comes to its end first.
const MESSAGES: usize = 400;
/// Makes many intents of few messages each, so that there is always another one to be killed in.
const SMALL_BATCHES: &str = "budget = \"1 MiB\"";
/// Kills of one transfer, at most.
const EACH: u32 = 5;
/// Transfers at a time: the last run of each waits half a minute for what may still be on its way in.
const LANES: u64 = 10;

/// What is transferred, and what of it is kept.
#[derive(Debug, Clone, Copy)]
struct Kind {
    protocol: &'static str,
    rest: &'static str,
}

const KINDS: [Kind; 4] = [
    Kind::new("pop3", ARCHIVE),
    Kind::new("imap", ARCHIVE),
    Kind::new("imap", ""),
    Kind::new("pop3", ""),
];

impl Kind {
    const fn new(protocol: &'static str, rest: &'static str) -> Kind {
        Kind { protocol, rest }
    }
}

/// The kills that are still to be done, and those that were.
struct Tally {
    left: AtomicU32,
    killed: AtomicU32,
    open: AtomicU32,
    rounds: AtomicU32,
}

impl Tally {
    /// Takes up to `EACH` of the kills that are left.
    fn take(&self) -> u32 {
        let less = |left: u32| Some(left.saturating_sub(EACH));
        let before = self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
        before.map_or(0, |left| left.min(EACH))
    }
}

#[test]
fn kill_at_fifty_moments() {
    let kills = std::env::var("MAILHAUL_KILLS").ok();
    let kills = kills.and_then(|k| k.parse().ok()).unwrap_or(KILLS);
    let tally = Tally {
        left: kills.into(),
        killed: 0.into(),
        open: 0.into(),
        rounds: 0.into(),
    };
    std::thread::scope(|scope| {
        for seed in 0..LANES {
            let tally = &tally;
            scope.spawn(move || lane(tally, seed, kills * 4));
        }
    });
    let (killed, open) = (tally.killed.into_inner(), tally.open.into_inner());
    tell(&format!(
        "{killed} runs killed, {open} of them with an open intent of their own in the journal"
    ));
    assert_eq!(killed, kills);
    assert!(
        open * 2 >= killed,
        "{open} of {killed} kills with an open intent"
    );
}

/// One transfer after another, of each kind in turn, until no kill is left to do.
fn lane(tally: &Tally, seed: u64, most_rounds: u32) {
    let mut random = Random::new(seed);
    loop {
        let want = tally.take();
        if want == 0 {
            return;
        }
        let round = tally.rounds.fetch_add(1, Ordering::SeqCst);
        assert!(round < most_rounds, "runs end before they can be killed");
        let kind = KINDS[round as usize % KINDS.len()];
        let (killed, open) = one_transfer(&mut random, kind, round, want);
        tally.killed.fetch_add(killed, Ordering::SeqCst);
        tally.open.fetch_add(open, Ordering::SeqCst);
        tally.left.fetch_add(want - killed, Ordering::SeqCst);
    }
}

/// One transfer, killed up to `kills` times and then run to its end; how often it was killed, and how often with an open
/// intent.
fn one_transfer(random: &mut Random, kind: Kind, round: u32, kills: u32) -> (u32, u32) {
    let server = shared();
    let (old, new) = (fresh_user("kill-old"), fresh_user("kill-new"));
    let expected = fill(server, kind, &old, round);
    let (source, sink) = match kind.protocol {
        "pop3" => (End::pop3(server, &old), End::imap(server, &new)),
        _ => (End::imap(server, &old), End::imap(server, &new)),
    };
    let job = Job::new(SMALL_BATCHES, &source, &sink, kind.rest);
    let (mut killed, mut open) = (0, 0);
    while killed < kills {
        let Some(was_open) = killed_once(&job, random) else {
            break;
        };
        killed += 1;
        open += u32::from(was_open);
    }
    run(&job).exits(0).balance().assert_adds_up();
    assert_all_there(server, &new, &expected);
    assert_nothing_left(&job);
    assert_all_there(server, &new, &expected);
    (killed, open)
}

#[track_caller]
fn assert_all_there(server: &Dovecot, user: &str, expected: &Snapshot) {
    let found = Snapshot::of(server.imap, user).without_empty();
    found.assert_same(expected);
}

/// Puts mail into the old account; what is expected in the new one.
fn fill(server: &Dovecot, kind: Kind, user: &str, seed: u32) -> Snapshot {
    let mut corpus = Corpus::new(user, u64::from(seed));
    corpus.median_size = 8_000.0;
    if kind.protocol == "pop3" {
        corpus.flags = false;
        let mails = corpus.mails(MESSAGES);
        maildir::fill(server, user, &mails);
        return Snapshot::one("INBOX", &popped(&mails));
    }
    let mut imap = Imap::login(server.imap, user);
    for folder in ["INBOX", "A", "B/C", "D"] {
        if folder != "INBOX" {
            imap.create(folder);
        }
        imap.append(folder, &corpus.mails(MESSAGES / 4));
    }
    Snapshot::of(server.imap, user).without_empty()
}
/// Starts a run and kills it: one time in four at any moment, else a moment after an intent was opened.
/// Whether an intent of this very run was open; `None` when the run ended first, or had nothing left to send.
fn killed_once(job: &Job, random: &mut Random) -> Option<bool> {
    let before = intents(job).1;
    let mut running = spawn(&["run".as_ref(), job.path().as_os_str()]);
    let blind = random.once_in(4);
    let moment = Duration::from_micros(random.below(if blind { 300_000 } else { 2_000 }));
    if !blind && !opens_another(job, before, &mut running) {
        running.kill();
        return None;
    }
    std::thread::sleep(moment);
    if running.ended() {
        running.wait().exits(0);
        return None;
    }
    running.kill();
    let (open, _) = intents(job);
    Some(open.is_some_and(|open| open > before))
}

/// Waits until the run has opened an intent; false when it does not, since it has sent all and waits for what may be late.
fn opens_another(job: &Job, before: u32, running: &mut Running) -> bool {
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(5) && !running.ended() {
        let (open, _) = intents(job);
        if open.is_some_and(|open| open > before) {
            return true;
        }
    }
    false
}

/// The numbers of the newest open intent and of the newest of all.
fn intents(job: &Job) -> (Option<u32>, u32) {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let numbers = "SELECT max(id) FILTER (WHERE settled IS NULL), ifnull(max(id), 0) FROM intent";
    let journal = Connection::open_with_flags(job.journal(), flags);
    // Before the first run has made it, there is no journal.
    journal
        .and_then(|journal| journal.query_row(numbers, [], |row| Ok((row.get(0)?, row.get(1)?))))
        .unwrap_or((None, 0))
}
