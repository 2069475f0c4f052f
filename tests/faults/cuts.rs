//! A connection that ends after k bytes, for a spread of k, in either direction: the run makes another and finishes.

use super::{assert_arrived, filled, mail, run, small_mails, through};
use crate::support::proxy::{Fault, Proxy, Side};
use crate::support::{
    Corpus, End, Job, Mail, Random, fresh_user, impatient, maildir, popped, shared,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// How many bytes are picked for each end and direction, unless MAILHAUL_CUTS says otherwise.
const CUTS: u64 = 8;
/// The same for ways of ending that differ little.
const FEW: u64 = 4;
/// Runs at the same time; they wait more than they work.
const THREADS: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Role {
    ImapSource,
    ImapSink,
    Pop3Source,
}

/// How a connection ends, and what is cut.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    Orderly,
    Reset,
    /// The proxy cuts what TLS makes of it.
    WithinTls,
}

impl Way {
    fn fault(self, side: Side, at: u64) -> Fault {
        match self {
            Way::Reset => Fault::Reset(side, at),
            _ => Fault::Cut(side, at),
        }
    }
}

fn end(role: Role, way: Way, port: u16, user: &str) -> End {
    let protocol = match role {
        Role::Pop3Source => "pop3",
        _ => "imap",
    };
    match way {
        Way::WithinTls => End::at(protocol, "localhost", port, user)
            .line(&format!("ca-file = {:?}", shared().ca())),
        _ => through(protocol, port, user),
    }
}

fn job(role: Role, way: Way, port: u16, old: &str, new: &str) -> Job {
    let server = shared();
    let (source, sink) = match role {
        Role::ImapSink => (End::imap(server, old), end(role, way, port, new)),
        _ => (end(role, way, port, old), End::imap(server, new)),
    };
    Job::new("", &source, &sink, "")
}

fn server_port(role: Role, way: Way) -> u16 {
    match (role, way) {
        (Role::Pop3Source, Way::WithinTls) => shared().pop3s,
        (Role::Pop3Source, _) => shared().pop3,
        (_, Way::WithinTls) => shared().imaps,
        _ => shared().imap,
    }
}

/// Three, as short as mail can be where every byte has its turn.
fn mails(seed: u64) -> Vec<Mail> {
    if std::env::var_os("MAILHAUL_ALL").is_none() {
        return small_mails("cut", seed, 3);
    }
    let date = "Date: Tue, 14 Nov 2023 22:13:20 +0000";
    let one = |n| mail(&format!("{date}\r\nMessage-ID: <{n}@cut>"), "\r\n..x");
    (1..=3).map(one).collect()
}

fn account(role: Role, seed: u64) -> (String, Vec<Mail>) {
    let mut mails = mails(seed);
    if role == Role::Pop3Source {
        mails.iter_mut().for_each(|mail| mail.flags.clear());
        let old = fresh_user("cut-old");
        maildir::fill(shared(), &old, &mails);
        return (old, popped(&mails));
    }
    (filled(shared(), "cut-old", &mails), mails)
}

/// How many bytes pass in this direction when nothing is cut.
fn whole(role: Role, way: Way, side: Side) -> u64 {
    let (old, _) = account(role, 1);
    let count = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&count);
    let proxy = Proxy::start(server_port(role, way), move |_| {
        vec![Fault::Count(side, Arc::clone(&counter))]
    });
    run(&job(role, way, proxy.port, &old, &fresh_user("cut-new"))).exits(0);
    count.load(Ordering::SeqCst)
}

fn cut_at(role: Role, way: Way, side: Side, at: u64) {
    let (old, mails) = account(role, 1);
    let new = fresh_user("cut-new");
    // The second connection ends a little later than the first.
    let proxy = Proxy::start(server_port(role, way), move |n| match n {
        0 => vec![way.fault(side, at)],
        1 => vec![way.fault(side, at + 400), Fault::OneByOne(side)],
        _ => vec![],
    });
    let job = job(role, way, proxy.port, &old, &new);
    let done = impatient(&job).exits(0);
    done.balance().assert_adds_up();
    assert!(proxy.connections() > 1, "nothing was cut");
    assert_arrived(shared(), &new, &mails, &job);
}

/// At every byte where all is asked for, else at some.
fn moments(random: &mut Random, whole: u64, cuts: u64) -> Vec<u64> {
    // What is said in farewell is not missed.
    let whole = whole * 9 / 10;
    match std::env::var_os("MAILHAUL_ALL") {
        Some(_) => (0..whole).collect(),
        None => (0..cuts).map(|_| random.below(whole)).collect(),
    }
}

fn cut_everywhere(role: Role, way: Way, cuts: u64) {
    let asked = std::env::var("MAILHAUL_CUTS").ok();
    let cuts = asked.and_then(|n| n.parse().ok()).unwrap_or(cuts);
    let mut random = Random::new(role as u64 + 10 * way as u64);
    let cases: Vec<(Side, u64)> = [Side::Up, Side::Down]
        .into_iter()
        .flat_map(|side| {
            let moments = moments(&mut random, whole(role, way, side), cuts);
            moments.into_iter().map(move |at| (side, at))
        })
        .collect();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(&(side, at)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    println!("{role:?} {way:?} {side:?} cut at {at}");
                    cut_at(role, way, side, at);
                }
            });
        }
    });
    println!("{role:?} {way:?}: {} cuts", cases.len());
}

#[test]
fn imap_source() {
    cut_everywhere(Role::ImapSource, Way::Orderly, CUTS);
}

#[test]
fn imap_sink() {
    cut_everywhere(Role::ImapSink, Way::Orderly, CUTS);
}

#[test]
fn pop3_source() {
    cut_everywhere(Role::Pop3Source, Way::Orderly, CUTS);
}

#[test]
fn by_a_reset() {
    for role in [Role::ImapSource, Role::ImapSink, Role::Pop3Source] {
        cut_everywhere(role, Way::Reset, FEW);
    }
}

#[test]
fn within_tls() {
    for role in [Role::ImapSource, Role::ImapSink, Role::Pop3Source] {
        cut_everywhere(role, Way::WithinTls, FEW);
    }
}

/// Nobody answers any more, though the connection stands: the deadline ends it.
#[test]
fn a_stalled_server_is_left_after_the_deadline() {
    let mails = small_mails("stall", 3, 4);
    let (old, new) = (filled(shared(), "stall-old", &mails), fresh_user("stall"));
    let proxy = Proxy::start(shared().imap, |n| match n {
        0 => vec![Fault::Stall(Side::Down, 1_500)],
        _ => vec![],
    });
    let source = through("imap", proxy.port, &old).line("timeout = \"3s\"");
    let job = Job::new("", &source, &End::imap(shared(), &new), "");
    run(&job).exits(0).balance().assert_adds_up();
    assert_eq!(proxy.connections(), 2);
    assert_arrived(shared(), &new, &mails, &job);
}

/// A long way and a thin line change nothing but the time.
#[test]
fn slow_and_in_single_bytes() {
    let mails = small_mails("slow", 4, 6);
    let (old, new) = (filled(shared(), "slow-old", &mails), fresh_user("slow"));
    let slow = |_| {
        vec![
            Fault::OneByOne(Side::Up),
            Fault::Throttle(Side::Down, 200_000),
            Fault::Delay(Side::Down, std::time::Duration::from_millis(20)),
        ]
    };
    let (source, sink) = (
        Proxy::start(shared().imap, slow),
        Proxy::start(shared().imap, slow),
    );
    let job = Job::new(
        "",
        &through("imap", source.port, &old),
        &through("imap", sink.port, &new),
        "",
    );
    run(&job).exits(0);
    assert_arrived(shared(), &new, &mails, &job);
}

/// The side that reads may be waiting for memory that the undelivered messages hold: the run ends all the same.
#[test]
fn a_destination_that_never_comes_back_ends_the_run() {
    let mut corpus = Corpus::new("dead", 5);
    corpus.median_size = 60_000.0;
    let mails = corpus.mails(40);
    let (old, new) = (filled(shared(), "dead-old", &mails), fresh_user("dead"));
    let (proxy, health) = Proxy::until_well(shared().imap, |n| match n {
        0 => vec![Fault::Cut(Side::Up, 200_000)],
        _ => vec![Fault::Cut(Side::Up, 0)],
    });
    let sink = through("imap", proxy.port, &new);
    let source = End::imap(shared(), &old);
    let job = Job::new("budget = \"1 MiB\"", &source, &sink, "");
    impatient(&job).exits(11).balance().assert_adds_up();
    health.store(true, Ordering::SeqCst);
    run(&job).exits(0).balance().assert_adds_up();
    assert_arrived(shared(), &new, &mails, &job);
}
