//! Reads a maildrop command by command, without a line of mailhaul's code.

use super::dovecot::PASSWORD;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

/// All messages of a maildrop in the server's order, dots unstuffed; nothing is deleted.
pub fn retrieve(port: u16, user: &str) -> Vec<Vec<u8>> {
    let mut session = Session::login(port, user);
    let stat = session.command("STAT");
    let count: usize = stat
        .split(' ')
        .nth(1)
        .and_then(|n| n.parse().ok())
        .expect("a count");
    let mails = (1..=count)
        .map(|n| {
            session.command(&format!("RETR {n}"));
            multiline(&mut session.0)
        })
        .collect();
    session.command("QUIT");
    mails
}

/// The unique-ids of a maildrop in the server's order.
pub fn unique_ids(port: u16, user: &str) -> Vec<String> {
    let mut session = Session::login(port, user);
    session.command("UIDL");
    let text = String::from_utf8(multiline(&mut session.0)).expect("ASCII");
    session.command("QUIT");
    let id = |line: &str| line.split_once(' ').expect("two words").1.to_owned();
    text.lines().map(id).collect()
}

struct Session(BufReader<TcpStream>);

impl Session {
    fn login(port: u16, user: &str) -> Session {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("connect");
        let mut session = Session(BufReader::new(stream));
        ok(&mut session.0);
        session.command(&format!("USER {user}"));
        session.command(&format!("PASS {PASSWORD}"));
        session
    }

    fn command(&mut self, line: &str) -> String {
        let line = format!("{line}\r\n");
        self.0.get_mut().write_all(line.as_bytes()).expect("write");
        ok(&mut self.0)
    }
}

fn ok(read: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    read.read_line(&mut line).expect("read");
    assert!(line.starts_with("+OK"), "{line}");
    line
}

fn multiline(read: &mut BufReader<TcpStream>) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let mut line = Vec::new();
        assert!(
            read.read_until(b'\n', &mut line).expect("read") > 0,
            "closed"
        );
        if line == b".\r\n" {
            return out;
        }
        out.extend(line.strip_prefix(b".").unwrap_or(&line));
    }
}
