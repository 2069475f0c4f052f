//! Reads a maildrop command by command, without a line of mailhaul's code.

use super::dovecot::PASSWORD;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

/// All messages of a maildrop in the server's order, dots unstuffed; nothing is deleted.
pub fn retrieve(port: u16, user: &str) -> Vec<Vec<u8>> {
    let write = TcpStream::connect(("127.0.0.1", port)).expect("connect");
    let mut read = BufReader::new(write.try_clone().expect("clone"));
    let mut say = &write;
    let mut command = |read: &mut BufReader<TcpStream>, line: &str| -> String {
        say.write_all(format!("{line}\r\n").as_bytes())
            .expect("write");
        ok(read)
    };
    ok(&mut read);
    command(&mut read, &format!("USER {user}"));
    command(&mut read, &format!("PASS {PASSWORD}"));
    let stat = command(&mut read, "STAT");
    let count: usize = stat
        .split(' ')
        .nth(1)
        .and_then(|n| n.parse().ok())
        .expect("a count");
    let mails = (1..=count)
        .map(|n| {
            command(&mut read, &format!("RETR {n}"));
            multiline(&mut read)
        })
        .collect();
    command(&mut read, "QUIT");
    mails
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
