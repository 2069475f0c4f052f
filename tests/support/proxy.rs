//! A TCP proxy on loopback that does to a connection what networks do: each connection has faults of its own.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often a thread looks whether it is to end.
const TICK: Duration = Duration::from_millis(20);
/// A client that has said nothing for so long waits for an answer.
const SILENCE: Duration = Duration::from_millis(300);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// From mailhaul to the server.
    Up,
    Down,
}

/// What is done to the lines of one direction: each comes with its end and goes on as what is returned.
pub type Rewrite = Box<dyn FnMut(Vec<u8>) -> Vec<u8> + Send>;

pub enum Fault {
    /// Ends the connection after so many bytes of a direction.
    Cut(Side, u64),
    /// Ends the connection in place of the first line with this text.
    CutAt(Side, &'static str),
    /// Says the second text in place of the first line with the first, and ends the connection.
    Farewell(&'static str, &'static str),
    /// As `Cut`, but by a reset towards mailhaul, as routers do that forgot the connection: what was under way is lost.
    Reset(Side, u64),
    /// Passes no more bytes of this direction, but keeps the connection open.
    Stall(Side, u64),
    /// Writes every byte alone.
    OneByOne(Side),
    /// So many bytes a second at most.
    Throttle(Side, u64),
    /// Every piece comes so much later.
    Delay(Side, Duration),
    /// What mailhaul sends from the first line with this text on is held back; once it waits for the answer its connection ends,
    /// and so much later the server gets it all.
    Hold(&'static str, Duration),
    Lines(Side, Rewrite),
    /// The bytes from the first to before the last of these come one by one, each after so long a wait.
    Drip(Side, Range<u64>, Duration),
    /// Counts the bytes.
    Count(Side, Arc<AtomicU64>),
}

/// A running proxy; dropping it ends all its connections and joins its threads.
pub struct Proxy {
    pub port: u16,
    over: Arc<AtomicBool>,
    connections: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// `faults` are asked for each connection, which are counted from 0.
    pub fn start(server: u16, faults: impl FnMut(usize) -> Vec<Fault> + Send + 'static) -> Proxy {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("bind");
        listener.set_nonblocking(true).expect("nonblocking");
        let port = listener.local_addr().expect("address").port();
        let over = Arc::new(AtomicBool::new(false));
        let connections = Arc::new(AtomicUsize::new(0));
        let (ended, counted) = (Arc::clone(&over), Arc::clone(&connections));
        let thread = std::thread::spawn(move || serve(&listener, server, faults, &ended, &counted));
        Proxy {
            port,
            over,
            connections,
            thread: Some(thread),
        }
    }

    /// The same until the flag is set: from then on new connections have no faults.
    pub fn until_well(server: u16, faults: fn(usize) -> Vec<Fault>) -> (Proxy, Arc<AtomicBool>) {
        let well = Arc::new(AtomicBool::new(false));
        let state = Arc::clone(&well);
        let proxy = Proxy::start(server, move |n| match state.load(Ordering::SeqCst) {
            true => vec![],
            false => faults(n),
        });
        (proxy, well)
    }

    /// How many connections were made so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // The test's own result counts.
            let _ = thread.join();
        }
    }
}

fn serve(
    listener: &TcpListener,
    server: u16,
    mut faults: impl FnMut(usize) -> Vec<Fault>,
    over: &Arc<AtomicBool>,
    connections: &AtomicUsize,
) {
    let mut pumps = Vec::new();
    while !over.load(Ordering::SeqCst) {
        let Ok((client, _)) = listener.accept() else {
            std::thread::sleep(Duration::from_millis(2));
            continue;
        };
        let number = connections.fetch_add(1, Ordering::SeqCst);
        let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else {
            continue;
        };
        let (up, down) = faults(number)
            .into_iter()
            .partition(|fault| side(fault) == Side::Up);
        let wire = Arc::new(Wire {
            client,
            server,
            over: Arc::clone(over),
            ended: AtomicBool::new(false),
            abandoned: AtomicBool::new(false),
        });
        for (side, faults) in [(Side::Up, up), (Side::Down, down)] {
            let pump = Pump::new(Arc::clone(&wire), side, faults);
            pumps.push(std::thread::spawn(move || pump.run()));
        }
    }
    for pump in pumps {
        let _ = pump.join();
    }
}

fn side(fault: &Fault) -> Side {
    match fault {
        Fault::Hold(..) => Side::Up,
        Fault::Farewell(..) => Side::Down,
        Fault::Cut(side, _)
        | Fault::Reset(side, _)
        | Fault::Drip(side, ..)
        | Fault::Count(side, _)
        | Fault::CutAt(side, _)
        | Fault::Stall(side, _)
        | Fault::OneByOne(side)
        | Fault::Throttle(side, _)
        | Fault::Delay(side, _)
        | Fault::Lines(side, _) => *side,
    }
}

/// One connection, seen from both directions.
struct Wire {
    client: TcpStream,
    server: TcpStream,
    over: Arc<AtomicBool>,
    ended: AtomicBool,
    /// Only the server's side is left.
    abandoned: AtomicBool,
}

impl Wire {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst) || self.ended.load(Ordering::SeqCst)
    }

    fn end(&self) {
        if self.ended.swap(true, Ordering::SeqCst) {
            return;
        }
        for stream in [&self.client, &self.server] {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// The system throws away what it still has to send, and so does the other side with what it has not read yet.
    fn reset(&self) {
        let now = Some(Duration::ZERO);
        let _ = rustix::net::sockopt::set_socket_linger(&self.client, now);
        self.ended.store(true, Ordering::SeqCst);
        let _ = self.server.shutdown(Shutdown::Both);
    }

    fn sleep(&self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end && !self.is_over() {
            std::thread::sleep(TICK.min(end.saturating_duration_since(Instant::now())));
        }
    }
}

/// One direction of one connection.
struct Pump {
    wire: Arc<Wire>,
    side: Side,
    faults: Vec<Fault>,
    passed: u64,
    /// A line that has not ended yet, where lines count.
    line: Vec<u8>,
    held: Vec<u8>,
}

impl Pump {
    fn new(wire: Arc<Wire>, side: Side, faults: Vec<Fault>) -> Pump {
        Pump {
            wire,
            side,
            faults,
            passed: 0,
            line: Vec::new(),
            held: Vec::new(),
        }
    }

    fn run(mut self) {
        let wire = Arc::clone(&self.wire);
        let mut from = match self.side {
            Side::Up => &wire.client,
            Side::Down => &wire.server,
        };
        for stream in [&wire.client, &wire.server] {
            let _ = stream.set_nonblocking(false);
            let _ = stream.set_nodelay(true);
            let _ = stream.set_read_timeout(Some(TICK));
            let _ = stream.set_write_timeout(Some(Duration::from_secs(120)));
        }
        let mut heard = Instant::now();
        let mut buffer = vec![0; 16 * 1024];
        while !wire.is_over() {
            match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => {
                    heard = Instant::now();
                    if !self.take(&buffer[..n]) {
                        return wire.end();
                    }
                }
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    if !self.held.is_empty() && heard.elapsed() > SILENCE {
                        return self.release();
                    }
                }
                Err(_) => return wire.end(),
            }
        }
        let rest = std::mem::take(&mut self.line);
        self.pass(&rest);
        if !wire.is_over() {
            let _ = self.to().shutdown(Shutdown::Write);
        }
    }

    fn to(&self) -> &TcpStream {
        match self.side {
            Side::Up => &self.wire.server,
            Side::Down => &self.wire.client,
        }
    }

    /// Passes bytes on; `false`: the connection ends here.
    fn take(&mut self, bytes: &[u8]) -> bool {
        let by_line = |fault: &Fault| {
            matches!(
                fault,
                Fault::CutAt(..) | Fault::Farewell(..) | Fault::Hold(..) | Fault::Lines(..)
            )
        };
        if !self.faults.iter().any(by_line) {
            return self.pass(bytes);
        }
        self.line.extend_from_slice(bytes);
        while let Some(at) = self.line.iter().position(|&b| b == b'\n') {
            let rest = self.line.split_off(at + 1);
            let line = std::mem::replace(&mut self.line, rest);
            if !self.take_line(line) {
                return false;
            }
        }
        true
    }

    fn take_line(&mut self, mut line: Vec<u8>) -> bool {
        if !self.held.is_empty() {
            self.held.extend(line);
            return true;
        }
        for fault in &mut self.faults {
            match fault {
                Fault::CutAt(_, text) if holds(&line, text) => return false,
                Fault::Farewell(text, words) if holds(&line, text) => {
                    let words = words.as_bytes().to_vec();
                    self.pass(&words);
                    return false;
                }
                Fault::Hold(text, _) if holds(&line, text) => {
                    self.held = line;
                    return true;
                }
                Fault::Lines(_, rewrite) => line = rewrite(line),
                _ => {}
            }
        }
        self.pass(&line)
    }

    fn pass(&mut self, bytes: &[u8]) -> bool {
        let mut bytes = bytes;
        let mut reset = false;
        let (mut cut, mut alone, mut pace, mut drip) = (false, false, None, None);
        for fault in &self.faults {
            let room =
                |at: u64| usize::try_from(at.saturating_sub(self.passed)).unwrap_or(usize::MAX);
            match fault {
                Fault::Cut(_, at) if room(*at) <= bytes.len() => {
                    bytes = &bytes[..room(*at)];
                    cut = true;
                }
                Fault::Reset(_, at) if room(*at) <= bytes.len() => {
                    bytes = &bytes[..room(*at)];
                    cut = true;
                    reset = true;
                }
                Fault::Drip(_, part, time) => drip = Some((part.clone(), *time)),
                Fault::Count(_, count) => {
                    count.fetch_add(bytes.len() as u64, Ordering::SeqCst);
                }
                Fault::Stall(_, at) => bytes = &bytes[..room(*at).min(bytes.len())],
                Fault::OneByOne(_) => alone = true,
                Fault::Throttle(_, rate) => pace = Some(*rate),
                Fault::Delay(_, time) => self.wire.sleep(*time),
                _ => {}
            }
        }
        let start = self.passed;
        self.passed += bytes.len() as u64;
        if let Some((part, time)) = drip {
            return self.drip(bytes, start, &part, time) && !cut;
        }
        let pieces = bytes.chunks(match (alone, pace) {
            (true, _) => 1,
            (_, Some(rate)) => usize::try_from(rate / 20).unwrap_or(1).max(1),
            _ => bytes.len().max(1),
        });
        for piece in pieces {
            if pace.is_some() {
                self.wire.sleep(Duration::from_millis(50));
            }
            let written = self.to().write_all(piece);
            if written.is_err() && !self.wire.abandoned.load(Ordering::SeqCst) {
                return false;
            }
        }
        if reset {
            self.wire.reset();
        }
        !cut
    }

    fn drip(&mut self, bytes: &[u8], start: u64, part: &Range<u64>, time: Duration) -> bool {
        for (at, byte) in (start..).zip(bytes) {
            if part.contains(&at) {
                self.wire.sleep(time);
            }
            if self.to().write_all(&[*byte]).is_err() {
                return false;
            }
        }
        true
    }

    /// The client goes; later the server gets what the client had sent, and time to see to it.
    fn release(mut self) {
        let late = self.faults.iter().find_map(|fault| match fault {
            Fault::Hold(_, late) => Some(*late),
            _ => None,
        });
        self.wire.abandoned.store(true, Ordering::SeqCst);
        let _ = self.wire.client.shutdown(Shutdown::Both);
        self.wire.sleep(late.unwrap_or_default());
        let held = std::mem::take(&mut self.held);
        self.pass(&held);
        self.wire.sleep(Duration::from_secs(2));
        self.wire.end();
    }
}

fn holds(line: &[u8], text: &str) -> bool {
    line.windows(text.len()).any(|part| part == text.as_bytes())
}

#[test]
fn a_reset_is_no_orderly_end() {
    let server = TcpListener::bind(("127.0.0.1", 0)).expect("bind");
    let port = server.local_addr().expect("address").port();
    let talk = std::thread::spawn(move || {
        let (mut stream, _) = server.accept().expect("accept");
        let _ = stream.write_all(b"* OK one\r\n");
        let _ = stream.read(&mut [0]);
    });
    let proxy = Proxy::start(port, |_| vec![Fault::Reset(Side::Down, 4)]);
    let mut stream = TcpStream::connect(("127.0.0.1", proxy.port)).expect("connect");
    let read = stream.read_to_end(&mut Vec::new());
    assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
    talk.join().expect("server");
}

#[test]
fn cuts_at_the_byte_and_rewrites_lines() {
    let server = TcpListener::bind(("127.0.0.1", 0)).expect("bind");
    let port = server.local_addr().expect("address").port();
    let talk = std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, _) = server.accept().expect("accept");
            let _ = stream.write_all(b"* OK one\r\n* OK two\r\n");
        }
    });
    let proxy = Proxy::start(port, |n| match n {
        0 => vec![Fault::Cut(Side::Down, 7), Fault::OneByOne(Side::Down)],
        _ => vec![Fault::Lines(
            Side::Down,
            Box::new(|line| {
                if holds(&line, "one") {
                    b"* NO\r\n".to_vec()
                } else {
                    line
                }
            }),
        )],
    });
    for expected in ["* OK on", "* NO\r\n* OK two\r\n"] {
        let mut stream = TcpStream::connect(("127.0.0.1", proxy.port)).expect("connect");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("read");
        assert_eq!(text, expected);
    }
    talk.join().expect("server");
    assert_eq!(proxy.connections(), 2);
}
