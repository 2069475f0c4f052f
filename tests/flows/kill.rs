//! kill -9 at random moments of a run; then a run to the end: nothing missing, nothing doubled.

use super::{assert_nothing_left, run};
use crate::support::job::ARCHIVE;
use crate::support::run::spawn;
use crate::support::{Corpus, Dovecot, End, Imap, Job, Random, Snapshot, fresh_user, shared};
use rusqlite::{Connection, OpenFlags};
use std::time::{Duration, Instant};

/// How many runs are killed, unless MAILHAUL_KILLS says otherwise.
const KILLS: u32 = 50;
/// Enough that no run which is killed comes to its end first.
const MESSAGES: usize = 400;

#[test]
fn kill_at_fifty_moments() {
    let kills = std::env::var("MAILHAUL_KILLS").ok();
    let kills = kills.and_then(|k| k.parse().ok()).unwrap_or(KILLS);
    let mut random = Random::new(9);
    let (mut killed, mut open, mut round) = (0, 0, 0);
    while killed < kills {
        round += 1;
        assert!(round <= kills * 4, "runs end before they can be killed");
        let (k, o) = one_transfer(&mut random, round, (kills - killed).min(10));
        killed += k;
        open += o;
    }
    println!("{killed} runs killed, {open} of them with an open intent in the journal");
    assert!(
        open * 2 >= killed,
        "{open} of {killed} kills with an open intent"
    );
}

/// One transfer, killed up to `kills` times and then run to its end; how often it was killed, and how often with an open
/// intent.
fn one_transfer(random: &mut Random, round: u32, kills: u32) -> (u32, u32) {
    let server = shared();
    let (old, new) = (fresh_user("kill-old"), fresh_user("kill-new"));
    fill(server, &old, round);
    let archive = if round.is_multiple_of(2) { ARCHIVE } else { "" };
    let job = Job::new(
        "",
        &End::imap(server, &old),
        &End::imap(server, &new),
        archive,
    );
    let (mut killed, mut open) = (0, 0);
    while killed < kills {
        let Some(was_open) = killed_once(&job, random) else {
            break;
        };
        killed += 1;
        open += u32::from(was_open);
    }
    run(&job).exits(0).balance().assert_adds_up();
    let expected = Snapshot::of(server.imap, &old);
    Snapshot::of(server.imap, &new).assert_same(&expected);
    assert_nothing_left(&job);
    Snapshot::of(server.imap, &new).assert_same(&expected);
    (killed, open)
}

fn fill(server: &Dovecot, user: &str, seed: u32) {
    let mut corpus = Corpus::new(user, u64::from(seed));
    corpus.median_size = 8_000.0;
    let mut imap = Imap::login(server.imap, user);
    for folder in ["INBOX", "A", "B/C", "D"] {
        if folder != "INBOX" {
            imap.create(folder);
        }
        imap.append(folder, &corpus.mails(MESSAGES / 4));
    }
}

/// Starts a run and kills it: half of the times at any moment, half of the times a moment after an intent was opened.
/// `None` when it ended first; else, whether an intent was open.
fn killed_once(job: &Job, random: &mut Random) -> Option<bool> {
    let mut running = spawn(&["run".as_ref(), job.path().as_os_str()]);
    let started = Instant::now();
    let blind = random.once_in(2);
    let moment = Duration::from_micros(random.below(if blind { 250_000 } else { 3_000 }));
    if blind {
        std::thread::sleep(moment);
    } else {
        let before = open_intents(job).unwrap_or((0, 0)).1;
        while started.elapsed() < Duration::from_secs(20) && !running.ended() {
            if open_intents(job).is_some_and(|(open, last)| open > 0 && last > before) {
                std::thread::sleep(moment);
                break;
            }
        }
    }
    if running.ended() {
        running.wait().exits(0);
        return None;
    }
    running.kill();
    Some(open_intents(job).is_some_and(|(open, _)| open > 0))
}

/// How many intents of the journal are open, and the highest number of an intent; `None` while there is no journal.
fn open_intents(job: &Job) -> Option<(u32, u32)> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let journal = Connection::open_with_flags(job.journal(), flags).ok()?;
    let count = "SELECT count(*) FILTER (WHERE settled IS NULL), ifnull(max(id), 0) FROM intent";
    journal
        .query_row(count, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .ok()
}
