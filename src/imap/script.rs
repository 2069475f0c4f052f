//! A scripted server for tests, on loopback.

use crate::auth::Credentials;
use crate::error::{End, Result};
use crate::imap::Session;
use crate::net::{Endpoint, Security, Trace, Trust};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

/// The server's side of one connection.
pub(super) struct Peer {
    stream: BufReader<TcpStream>,
    /// Every line that the client sent.
    pub(super) heard: Vec<String>,
}

impl Peer {
    pub(super) fn say(&mut self, text: &str) {
        // A client that is gone already shows in what it reports.
        let _ = self.stream.get_mut().write_all(text.as_bytes());
    }

    /// The next line without CRLF; empty at the end of the stream.
    pub(super) fn line(&mut self) -> String {
        let mut line = Vec::new();
        let _ = self.stream.read_until(b'\n', &mut line);
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        self.heard.push(line.clone());
        line
    }

    /// Reads a command and answers it; `{tag}` in the answer is the command's.
    pub(super) fn answer(&mut self, expected: &str, answer: &str) {
        let line = self.line();
        let (tag, command) = line.split_once(' ').unwrap_or((&line, ""));
        assert!(
            command.starts_with(expected),
            "{line:?} is not {expected:?}"
        );
        self.say(&answer.replace("{tag}", tag));
    }

    pub(super) fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Everything up to the end of the stream.
    pub(super) fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let _ = self.stream.read_to_end(&mut rest);
        rest
    }

    /// Greets and takes the login of a client, with these capabilities behind IMAP4rev1.
    pub(super) fn welcome(&mut self, capabilities: &str) {
        self.say("* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n");
        let ok = format!("{{tag}} OK [CAPABILITY IMAP4rev1 {capabilities}] in\r\n");
        self.answer("AUTHENTICATE PLAIN AGJ1ZGkAZ2VoZWlt", &ok);
        self.answer(
            "LIST \"\" \"\"",
            "* LIST (\\Noselect) \"/\" \"\"\r\n{tag} OK\r\n",
        );
    }
}

/// Starts a server for one connection. Joining gives every line it heard.
pub(super) fn server(
    script: impl FnOnce(&mut Peer) + Send + 'static,
) -> (Endpoint, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        let mut peer = Peer {
            stream: BufReader::new(stream),
            heard: Vec::new(),
        };
        script(&mut peer);
        peer.heard
    });
    let endpoint = Endpoint {
        end: End::Destination,
        host: "127.0.0.1".to_owned(),
        port,
        security: Security::Plain,
        trust: Trust::System,
        timeout: Duration::from_secs(5),
        trace: Trace::default(),
        minimum_rate: Endpoint::MINIMUM_RATE,
    };
    (endpoint, thread)
}

pub(super) fn open(endpoint: &Endpoint) -> Result<Session> {
    open_with(endpoint, "geheim")
}

pub(super) fn open_with(endpoint: &Endpoint, password: &str) -> Result<Session> {
    Session::open(endpoint, &Credentials::with_password("budi", password))
}
