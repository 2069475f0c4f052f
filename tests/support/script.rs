//! A server that follows a script, for what Dovecot cannot be made to do. IMAP and POP3 alike.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

#[derive(Debug, Clone)]
pub enum Step {
    /// Sends these bytes; `{tag}` stands for the first word of the line read last.
    Send(Vec<u8>),
    /// Reads a line that must contain this text, whatever its case.
    Expect(&'static str),
    /// Reads so many bytes of a literal.
    Literal(usize),
    Delay(Duration),
    /// Closes the connection at once; the end of a script does so too.
    Close,
}

/// Sends a line, to which CRLF is added.
pub fn send(line: &str) -> Step {
    Step::Send(format!("{line}\r\n").into_bytes())
}

pub fn expect(text: &'static str) -> Step {
    Step::Expect(text)
}

/// What happened in one connection: the lines read, and why it ended before its script did.
#[derive(Debug, Default)]
pub struct Transcript {
    pub read: Vec<String>,
    pub failure: Option<String>,
}

/// Serves as many connections as there are scripts, one after the other.
pub struct ScriptServer {
    pub port: u16,
    thread: JoinHandle<Vec<Transcript>>,
}

impl ScriptServer {
    pub fn start(scripts: Vec<Vec<Step>>) -> ScriptServer {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("bind");
        let port = listener.local_addr().expect("address").port();
        let serve = move || {
            let scripts = scripts.iter();
            scripts
                .map(|script| play(listener.accept().expect("accept").0, script))
                .collect()
        };
        ScriptServer {
            port,
            thread: std::thread::spawn(serve),
        }
    }

    /// Waits until all scripts were played; panics if a client did not keep to one.
    pub fn finish(self) -> Vec<Transcript> {
        let transcripts = self.thread.join().expect("script");
        for t in &transcripts {
            assert!(t.failure.is_none(), "{t:?}");
        }
        transcripts
    }
}

fn play(stream: TcpStream, script: &[Step]) -> Transcript {
    let mut t = Transcript::default();
    t.failure = steps(stream, script, &mut t.read).err();
    t
}

fn steps(mut stream: TcpStream, script: &[Step], said: &mut Vec<String>) -> Result<(), String> {
    let wait = Some(Duration::from_secs(60));
    stream.set_read_timeout(wait).map_err(|e| e.to_string())?;
    let mut reader = BufReader::new(stream.try_clone().map_err(|e| e.to_string())?);
    for step in script {
        match step {
            Step::Send(bytes) => stream
                .write_all(&with_tag(bytes, said))
                .map_err(|e| e.to_string())?,
            Step::Expect(text) => {
                let mut line = Vec::new();
                let read = reader.read_until(b'\n', &mut line);
                read.map_err(|e| format!("{text} expected: {e}"))?;
                let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                said.push(line.clone());
                if !line.to_lowercase().contains(&text.to_lowercase()) {
                    return Err(format!("{text} expected, {line:?} came"));
                }
            }
            Step::Literal(n) => {
                let mut literal = vec![0; *n];
                reader.read_exact(&mut literal).map_err(|e| e.to_string())?;
            }
            Step::Delay(time) => std::thread::sleep(*time),
            Step::Close => break,
        }
    }
    Ok(())
}

fn with_tag(bytes: &[u8], said: &[String]) -> Vec<u8> {
    let tag = said.last().and_then(|l| l.split(' ').next()).unwrap_or("");
    let text: String = bytes.iter().map(|&b| b as char).collect();
    text.replace("{tag}", tag)
        .chars()
        .map(|c| c as u8)
        .collect()
}

#[test]
fn a_client_that_keeps_to_the_script_and_one_that_does_not() {
    let script = vec![send("* OK"), expect("noop"), send("{tag} OK")];
    let server = ScriptServer::start(vec![script.clone(), script]);
    for line in ["a1 NOOP\r\n", "a1 LOGOUT\r\n"] {
        let mut s = TcpStream::connect(("127.0.0.1", server.port)).expect("connect");
        s.write_all(line.as_bytes()).expect("write");
        let mut text = String::new();
        s.read_to_string(&mut text).expect("read");
        assert_eq!(text.contains("a1 OK"), line.contains("NOOP"));
    }
    let transcripts = server.thread.join().expect("thread");
    assert!(transcripts[0].failure.is_none());
    assert!(transcripts[1].failure.is_some());
}
