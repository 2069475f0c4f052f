//! The distance between two ends of `tests/bench`: a loopback proxy that holds every byte back for half a round trip each way.
//!
//! ```text
//! link PORT…      →  stdout: `ready PORT…`, one listening port for each given
//! stdin: `rtt MILLISECONDS`   from now on; 0 at the start        →  `ok`
//!        `rate BYTES`         a second, each connection and way; 0: as it comes  →  `ok`
//!        `window BYTES`       as TCP has it, see below; 0: none  →  `ok`
//!        `count`              what passed each port since the last `count`
//!                             →  `CONNECTIONS:FLIGHTS:BYTES_UP:BYTES_DOWN …`
//! ```
//!
//! It ends with its standard input. What was sent earlier never waits for what comes later, so pipelined commands cost one
//! round trip together. With a window, a connection is what TCP makes of a distance: a round trip until it is open, slow start
//! (what may be unacknowledged grows with what is acknowledged), and never more than the window unacknowledged. Without one nothing
//! limits what is on its way, only what waits for a receiver who does not read.
//!
//! A *flight* begins when a client sends after it was sent something: what it sends without having heard anything new belongs to
//! the flight before.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes that may wait for a receiver who does not read; beyond it the sender waits, as with a full window.
const WINDOW: usize = 4 << 20;
/// A receiver who is later than this is slow.
const LATE: Duration = Duration::from_millis(5);
const PIECE: usize = 256 << 10;
/// What TCP sends before the first acknowledgement (RFC 6928: ten segments).
const FIRST: usize = 14_600;

/// What all connections share.
#[derive(Default)]
struct Distance {
    /// Nanoseconds, one way.
    delay: AtomicU64,
    /// Bytes a second, 0: no limit.
    rate: AtomicU64,
    /// Bytes, 0: no limit.
    window: AtomicU64,
}

impl Distance {
    fn one_way(&self) -> Duration {
        Duration::from_nanos(self.delay.load(Relaxed))
    }

    /// Does a connection behave as TCP's over this distance?
    fn is_tcp(&self) -> bool {
        !self.one_way().is_zero() && self.window.load(Relaxed) > 0
    }
}

/// What one direction of a connection has sent and not heard of yet.
#[derive(Default)]
struct Unacknowledged {
    /// When each piece will be acknowledged.
    pieces: VecDeque<(Instant, usize)>,
    bytes: usize,
    acknowledged: usize,
}

impl Unacknowledged {
    fn add(&mut self, bytes: usize, distance: &Distance) {
        self.pieces
            .push_back((Instant::now() + 2 * distance.one_way(), bytes));
        self.bytes += bytes;
    }

    /// How much may be sent now; waits until that is something.
    fn room(&mut self, distance: &Distance) -> usize {
        if !distance.is_tcp() {
            return PIECE;
        }
        let window = distance.window.load(Relaxed) as usize;
        loop {
            while let Some((at, bytes)) = self.pieces.front().copied()
                && at <= Instant::now()
            {
                self.pieces.pop_front();
                self.bytes -= bytes;
                self.acknowledged += bytes;
            }
            let most = window.min(FIRST + self.acknowledged);
            match self.pieces.front() {
                Some((at, _)) if self.bytes >= most => {
                    thread::sleep(at.saturating_duration_since(Instant::now()));
                }
                _ => return (most - self.bytes).min(PIECE),
            }
        }
    }
}

/// What passed one port.
#[derive(Default)]
struct Count {
    connections: AtomicU64,
    flights: AtomicU64,
    up: AtomicU64,
    down: AtomicU64,
}

/// Pieces on their way, in one direction of one connection.
#[derive(Default)]
struct Way {
    state: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    /// When each is due. An empty one ends the direction.
    pieces: VecDeque<(Instant, Vec<u8>)>,
    bytes: usize,
    /// The receiver is gone.
    closed: bool,
}

impl Way {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, Waiting>) -> MutexGuard<'a, Waiting> {
        let woken = self.changed.wait(state);
        woken.unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while too much waits for a slow receiver; `false` once that one is gone.
    fn put(&self, due: Instant, piece: Vec<u8>) -> bool {
        let late = |state: &Waiting| {
            let first = state.pieces.front();
            state.bytes > WINDOW && first.is_some_and(|(due, _)| due.elapsed() > LATE)
        };
        let mut state = self.lock();
        while !state.closed && late(&state) {
            state = self.wait(state);
        }
        state.bytes += piece.len();
        state.pieces.push_back((due, piece));
        self.changed.notify_all();
        !state.closed
    }

    /// The next piece, once it is due.
    fn take(&self) -> Vec<u8> {
        let mut state = self.lock();
        let due = loop {
            match state.pieces.front() {
                Some((due, _)) => break *due,
                None => state = self.wait(state),
            }
        };
        drop(state);
        let left = due.saturating_duration_since(Instant::now());
        if !left.is_zero() {
            thread::sleep(left);
        }
        let mut state = self.lock();
        let piece = state.pieces.pop_front().map(|(_, piece)| piece);
        let piece = piece.unwrap_or_default();
        state.bytes -= piece.len();
        self.changed.notify_all();
        piece
    }

    fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }
}

/// Writes what is due until the direction ends.
fn deliver(way: &Way, mut to: TcpStream, heard: &AtomicBool) {
    loop {
        let piece = way.take();
        // Before the client can answer to it.
        heard.store(true, Relaxed);
        if piece.is_empty() || to.write_all(&piece).is_err() {
            break;
        }
    }
    way.close();
    to.shutdown(Shutdown::Write).ok();
}

/// Reads until the sender ends, telling `on` of every piece.
fn carry(mut from: TcpStream, way: &Way, distance: &Distance, on: impl Fn(usize)) {
    let mut buffer = vec![0; PIECE];
    let mut free = Instant::now();
    let mut unacknowledged = Unacknowledged::default();
    loop {
        let room = unacknowledged.room(distance);
        let read = from.read(&mut buffer[..room]).unwrap_or(0);
        on(read);
        unacknowledged.add(read, distance);
        let now = Instant::now();
        free = free.max(now);
        let rate = distance.rate.load(Relaxed);
        if rate > 0 {
            free += Duration::from_secs_f64(read as f64 / rate as f64);
        }
        let due = free + distance.one_way();
        if !way.put(due, buffer[..read].to_vec()) || read == 0 {
            break;
        }
        // At a rate, the sender is held back rather than the link filled.
        thread::sleep(free.saturating_duration_since(Instant::now()));
    }
}

/// One connection: four threads, two each way.
fn connection(
    near: TcpStream,
    port: u16,
    distance: &Arc<Distance>,
    count: &Arc<Count>,
) -> io::Result<()> {
    count.connections.fetch_add(1, Relaxed);
    let far = TcpStream::connect(("127.0.0.1", port))?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    // The greeting is the first thing that is heard; nobody speaks before.
    let (heard, unheard) = (
        Arc::new(AtomicBool::new(true)),
        Arc::new(AtomicBool::new(false)),
    );
    let (up, down) = (Arc::new(Way::default()), Arc::new(Way::default()));
    let pairs = [
        (near.try_clone()?, far.try_clone()?, up, unheard, true),
        (far, near, down, Arc::clone(&heard), false),
    ];
    for (from, to, way, hears, is_up) in pairs {
        let (distance, count, heard) =
            (Arc::clone(distance), Arc::clone(count), Arc::clone(&heard));
        let writes = Arc::clone(&way);
        thread::spawn(move || deliver(&writes, to, &hears));
        thread::spawn(move || {
            carry(from, &way, &distance, |bytes| {
                let passed = if is_up { &count.up } else { &count.down };
                passed.fetch_add(bytes as u64, Relaxed);
                if is_up && bytes > 0 && heard.swap(false, Relaxed) {
                    count.flights.fetch_add(1, Relaxed);
                }
            });
        });
    }
    Ok(())
}

fn listen(port: u16, distance: &Arc<Distance>) -> io::Result<(u16, Arc<Count>)> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let own = listener.local_addr()?.port();
    let (distance, count) = (Arc::clone(distance), Arc::new(Count::default()));
    let counted = Arc::clone(&count);
    thread::spawn(move || {
        for near in listener.incoming().flatten() {
            let (distance, counted) = (Arc::clone(&distance), Arc::clone(&counted));
            thread::spawn(move || {
                if distance.is_tcp() {
                    thread::sleep(2 * distance.one_way());
                }
                // A server that refuses closes: so does its stream here.
                connection(near, port, &distance, &counted).ok();
            });
        }
    });
    Ok((own, count))
}

fn told(count: &Count) -> String {
    let all = [&count.connections, &count.flights, &count.up, &count.down];
    all.map(|one| one.swap(0, Relaxed).to_string()).join(":")
}

/// Answers one line of standard input.
fn answer(line: &str, distance: &Distance, counts: &[Arc<Count>]) -> Option<String> {
    match line.split_once(' ') {
        Some(("rtt", milliseconds)) => {
            let nanoseconds = milliseconds.parse::<f64>().ok()? * 1e6 / 2.0;
            distance.delay.store(nanoseconds as u64, Relaxed);
        }
        Some(("rate", bytes)) => distance.rate.store(bytes.parse().ok()?, Relaxed),
        Some(("window", bytes)) => distance.window.store(bytes.parse().ok()?, Relaxed),
        None if line == "count" => {
            return Some(
                counts
                    .iter()
                    .map(|count| told(count))
                    .collect::<Vec<_>>()
                    .join(" "),
            );
        }
        _ => return None,
    }
    Some("ok".to_owned())
}

fn main() -> io::Result<()> {
    let distance = Arc::new(Distance::default());
    let wrong = |what: String| io::Error::new(io::ErrorKind::InvalidInput, what);
    let (mut ports, mut counts) = (String::new(), Vec::new());
    for argument in std::env::args().skip(1) {
        let port = argument
            .parse()
            .map_err(|_| wrong(format!("{argument} is no port")))?;
        let (own, count) = listen(port, &distance)?;
        ports.push_str(&format!(" {own}"));
        counts.push(count);
    }
    let mut out = io::stdout();
    writeln!(out, "ready{ports}")?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let answer = answer(&line, &distance, &counts);
        writeln!(
            out,
            "{}",
            answer.ok_or_else(|| wrong(format!("what is {line:?}?")))?
        )?;
        out.flush()?;
    }
    Ok(())
}
