//! Servers whose every connection is talked through by a closure, in the clear or under TLS. What clients sent is kept.

use super::certificates::Made;
use native_tls::{Protocol, TlsAcceptor, TlsStream};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often a thread looks whether it is to end.
const TICK: Duration = Duration::from_millis(20);

enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// A handshake failed.
    Gone,
}

/// The server's side of one connection.
pub struct Talk {
    wire: Wire,
    /// Which connection it is, from 0.
    pub number: usize,
    held: Vec<u8>,
    record: Arc<Mutex<Vec<u8>>>,
    over: Arc<AtomicBool>,
}

impl Talk {
    /// Sends bytes; a client that is gone shows in what it reports.
    pub fn say(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        let _ = match &mut self.wire {
            Wire::Plain(stream) => stream.write_all(bytes),
            Wire::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
            Wire::Gone => Ok(()),
        };
    }

    /// The next line without its end; `None` at the end of the connection or of the test.
    pub fn line(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.held.iter().position(|&b| b == b'\n') {
                let line: Vec<u8> = self.held.drain(..=at).collect();
                return Some(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            self.more()?;
        }
    }

    /// The next bytes of a literal.
    pub fn bytes(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.held.len() < count {
            self.more()?;
        }
        Some(self.held.drain(..count).collect())
    }

    /// Everything up to the end of the connection.
    pub fn rest(&mut self) {
        while self.more().is_some() {}
    }

    fn more(&mut self) -> Option<()> {
        let mut buffer = [0; 16 * 1024];
        while !self.over.load(Ordering::SeqCst) {
            let read = match &mut self.wire {
                Wire::Plain(stream) => stream.read(&mut buffer),
                Wire::Tls(stream) => stream.read(&mut buffer),
                Wire::Gone => Ok(0),
            };
            match read {
                Ok(0) => return None,
                Ok(n) => {
                    self.held.extend(&buffer[..n]);
                    self.record.lock().expect("a lock").extend(&buffer[..n]);
                    return Some(());
                }
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => return None,
            }
        }
        None
    }

    /// TLS from here on; `false` where the client would not have it.
    pub fn start_tls(&mut self, made: &Made) -> bool {
        self.start_tls_up_to(made, None)
    }

    /// The same with no newer TLS than this.
    pub fn start_tls_up_to(&mut self, made: &Made, newest: Option<Protocol>) -> bool {
        let Wire::Plain(stream) = std::mem::replace(&mut self.wire, Wire::Gone) else {
            panic!("TLS already");
        };
        // A handshake is not taken up again after a wait.
        let _ = stream.set_read_timeout(Some(Duration::from_secs(30)));
        let acceptor = TlsAcceptor::builder(made.identity())
            .min_protocol_version(None)
            .max_protocol_version(newest)
            .build()
            .expect("an acceptor");
        let Ok(stream) = acceptor.accept(stream) else {
            return false;
        };
        let _ = stream.get_ref().set_read_timeout(Some(TICK));
        self.wire = Wire::Tls(Box::new(stream));
        true
    }
}

/// A running server; dropping it ends all its connections and joins its threads.
pub struct Talker {
    pub port: u16,
    record: Arc<Mutex<Vec<u8>>>,
    connections: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Talker {
    pub fn start(serve: impl Fn(&mut Talk) + Send + Sync + 'static) -> Talker {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("bind");
        listener.set_nonblocking(true).expect("nonblocking");
        let port = listener.local_addr().expect("address").port();
        let record = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(AtomicUsize::new(0));
        let over = Arc::new(AtomicBool::new(false));
        let shared = (Arc::clone(&record), Arc::clone(&connections));
        let ended = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            let (record, connections) = shared;
            std::thread::scope(|scope| {
                while !ended.load(Ordering::SeqCst) {
                    let Ok((stream, _)) = listener.accept() else {
                        std::thread::sleep(Duration::from_millis(2));
                        continue;
                    };
                    let _ = stream.set_nonblocking(false);
                    let _ = stream.set_read_timeout(Some(TICK));
                    let mut talk = Talk {
                        wire: Wire::Plain(stream),
                        number: connections.fetch_add(1, Ordering::SeqCst),
                        held: Vec::new(),
                        record: Arc::clone(&record),
                        over: Arc::clone(&ended),
                    };
                    let serve = &serve;
                    scope.spawn(move || serve(&mut talk));
                }
            });
        });
        Talker {
            port,
            record,
            connections,
            over,
            thread: Some(thread),
        }
    }

    /// How many connections were made so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// All that clients sent so far, out of TLS where there was any.
    pub fn heard(&self) -> Vec<u8> {
        self.record.lock().expect("a lock").clone()
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // The test's own result counts.
            let _ = thread.join();
        }
    }
}
