//! A small IMAP client over plain TCP, on purpose without a line of mailhaul's code.

use super::Mail;
use super::dovecot::PASSWORD;
use super::value::{Value, announced, parse};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A logged-in session. A NO or BAD panics with the server's words, but in `try_command`.
pub struct Imap {
    read: BufReader<TcpStream>,
    write: TcpStream,
    tag: u32,
}

/// A mailbox as LIST tells it; `name` as on the wire.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    pub name: String,
    /// Lower case, with the backslash.
    pub attributes: Vec<String>,
}

/// A message as FETCH tells it.
#[derive(Debug, Clone)]
pub struct Fetched {
    pub uid: u32,
    pub flags: Vec<String>,
    /// Epoch seconds.
    pub date: i64,
    pub bytes: Vec<u8>,
}

impl Imap {
    pub fn login(port: u16, user: &str) -> Imap {
        let write = TcpStream::connect(("127.0.0.1", port)).expect("connect");
        write
            .set_read_timeout(Some(Duration::from_secs(120)))
            .expect("timeout");
        let read = BufReader::new(write.try_clone().expect("clone"));
        let mut imap = Imap {
            read,
            write,
            tag: 0,
        };
        imap.response();
        imap.command(&format!("LOGIN {} {PASSWORD}", quote(user)));
        imap
    }

    /// Sends one command; its untagged responses, or the tagged line of a NO or BAD.
    pub fn try_command(&mut self, command: &[u8]) -> Result<Vec<Vec<u8>>, String> {
        self.tag += 1;
        let tag = format!("t{} ", self.tag);
        let line = [tag.as_bytes(), command, b"\r\n"].concat();
        self.write.write_all(&line).expect("write");
        let mut untagged = Vec::new();
        loop {
            let response = self.response();
            let Some(rest) = response.strip_prefix(tag.as_bytes()) else {
                untagged.push(response);
                continue;
            };
            if rest.starts_with(b"OK") {
                return Ok(untagged);
            }
            return Err(String::from_utf8_lossy(rest).trim().to_owned());
        }
    }

    pub fn command(&mut self, command: &str) -> Vec<Vec<u8>> {
        self.try_command(command.as_bytes())
            .unwrap_or_else(|words| panic!("{command}: {words}"))
    }

    /// One line with the literals in it.
    fn response(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        loop {
            let start = out.len();
            let n = self.read.read_until(b'\n', &mut out).expect("read");
            assert!(n > 0, "the server closed the connection");
            let Some(size) = announced(&out[start..]) else {
                return out;
            };
            let at = out.len();
            out.resize(at + size, 0);
            self.read.read_exact(&mut out[at..]).expect("literal");
        }
    }

    /// Every selectable or other mailbox of the user, in the server's order. A server without LIST-EXTENDED is asked plainly.
    pub fn list(&mut self) -> Vec<Listed> {
        let extended = self.try_command(b"LIST \"\" \"*\" RETURN (SPECIAL-USE SUBSCRIBED)");
        let responses = extended.unwrap_or_else(|_| self.command("LIST \"\" \"*\""));
        let values = responses.iter().map(|r| parse(r));
        values
            .filter(|v| v.get(1).is_some_and(|w| w.bytes() == b"LIST"))
            .map(|v| Listed {
                name: v[4].text(),
                attributes: v[2]
                    .list()
                    .iter()
                    .map(|a| a.text().to_lowercase())
                    .collect(),
            })
            .collect()
    }

    /// Names of the mailboxes that can be opened.
    pub fn folders(&mut self) -> Vec<String> {
        let open = |l: &Listed| {
            !l.attributes
                .iter()
                .any(|a| a == "\\noselect" || a == "\\nonexistent")
        };
        self.list()
            .into_iter()
            .filter(open)
            .map(|l| l.name)
            .collect()
    }

    /// All messages of a folder, which stays unread: EXAMINE and BODY.PEEK[].
    pub fn fetch(&mut self, folder: &str) -> Vec<Fetched> {
        self.command(&format!("EXAMINE {}", quote(folder)));
        let responses = self.command("UID FETCH 1:* (UID FLAGS INTERNALDATE BODY.PEEK[])");
        responses
            .iter()
            .filter_map(|r| fetched(&parse(r)))
            .collect()
    }

    pub fn count(&mut self, folder: &str) -> u32 {
        let responses = self.command(&format!("STATUS {} (MESSAGES)", quote(folder)));
        let values: Vec<Vec<Value>> = responses.iter().map(|r| parse(r)).collect();
        let status = values.iter().find(|v| v[1].bytes() == b"STATUS");
        status.expect("a STATUS response")[3].list()[1].number()
    }

    pub fn create(&mut self, folder: &str) {
        self.command(&format!("CREATE {}", quote(folder)));
    }

    pub fn subscribe(&mut self, folder: &str) {
        self.command(&format!("SUBSCRIBE {}", quote(folder)));
    }

    /// `how` is `+FLAGS`, `-FLAGS` or `FLAGS`; `uids` a sequence set.
    pub fn store(&mut self, folder: &str, uids: &str, how: &str, flags: &str) {
        self.command(&format!("SELECT {}", quote(folder)));
        self.command(&format!("UID STORE {uids} {how} ({flags})"));
    }

    pub fn expunge(&mut self, folder: &str, uids: &str) {
        self.store(folder, uids, "+FLAGS", "\\Deleted");
        self.command(&format!("UID EXPUNGE {uids}"));
    }

    /// Appends all with their flags and dates, in order, some at a time by MULTIAPPEND.
    pub fn append(&mut self, folder: &str, mails: &[Mail]) {
        for batch in mails.chunks(100) {
            let mut command = format!("APPEND {}", quote(folder)).into_bytes();
            for mail in batch {
                let date = chrono::DateTime::from_timestamp(mail.date, 0).expect("a date");
                let (flags, size) = (mail.flags.join(" "), mail.bytes.len());
                let date = date.format("%d-%b-%Y %H:%M:%S +0000");
                command.extend(format!(" ({flags}) \"{date}\" {{{size}+}}\r\n").bytes());
                command.extend(&mail.bytes);
            }
            self.try_command(&command)
                .unwrap_or_else(|words| panic!("APPEND {folder}: {words}"));
        }
    }
}

/// A name as a quoted string.
pub fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn fetched(response: &[Value]) -> Option<Fetched> {
    if response.get(2)?.bytes() != b"FETCH" {
        return None;
    }
    let items: Vec<(String, &Value)> = response[3]
        .list()
        .chunks_exact(2)
        .map(|pair| (pair[0].text(), &pair[1]))
        .collect();
    let item = |name: &str| items.iter().find(|(n, _)| n == name).map(|(_, v)| *v);
    let date = item("INTERNALDATE")?.text();
    let date = chrono::DateTime::parse_from_str(date.trim(), "%d-%b-%Y %H:%M:%S %z");
    let flags = item("FLAGS")?.list().iter().map(Value::text);
    Some(Fetched {
        uid: item("UID")?.number(),
        flags: flags.filter(|f| f != "\\Recent").collect(),
        date: date.expect("an INTERNALDATE").timestamp(),
        bytes: item("BODY[]")?.bytes().to_vec(),
    })
}
