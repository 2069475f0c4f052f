//! Servers with one small mailbox that answer as they should, but for what a test has them say instead.

use super::{Mail, Talk, Talker};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

/// Given a command (the tag and `{n}` of a literal left out, its bytes put in), what is sent instead of the answer: `{tag}` stands
/// for the tag. `None`: the answer as it should be.
pub type Twist = Box<dyn Fn(&str) -> Option<Vec<u8>> + Send + Sync>;

/// Twists the first so many commands that begin with `command`.
pub fn first_times(times: usize, command: &'static str, instead: impl Into<Vec<u8>>) -> Twist {
    let (left, instead) = (Mutex::new(times), instead.into());
    Box::new(move |line| {
        if !line.starts_with(command) {
            return None;
        }
        let mut left = left.lock().expect("a lock");
        *left = left.checked_sub(1)?;
        Some(instead.clone())
    })
}

/// Sends an answer, the tag put in.
pub fn say(talk: &mut Talk, tag: &str, bytes: &[u8]) {
    let text: String = bytes.iter().map(|&b| char::from(b)).collect();
    let bytes: Vec<u8> = text
        .replace("{tag}", tag)
        .chars()
        .map(|c| u8::try_from(c).expect("a byte"))
        .collect();
    talk.say(bytes);
}

/// An IMAP server that only reads. `names`: folders as LIST writes them (quoted or a literal); the messages stand in each.
pub fn imap(names: Vec<Vec<u8>>, mails: Vec<Mail>, twist: Twist) -> Talker {
    Talker::start(move |talk| {
        say(
            talk,
            "",
            &twist("").unwrap_or_else(|| {
                b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] ready\r\n".to_vec()
            }),
        );
        while let Some((tag, command)) = imap_command(talk) {
            let answer = twist(&command).unwrap_or_else(|| imap_answer(&command, &names, &mails));
            say(talk, &tag, &answer);
            if command == "LOGOUT" {
                return;
            }
        }
    })
}

/// The next command, its literals asked for and put in: tag and the rest.
pub fn imap_command(talk: &mut Talk) -> Option<(String, String)> {
    let line = talk.line()?;
    let (tag, mut command) = line
        .split_once(' ')
        .map(|(t, c)| (t.to_owned(), c.to_owned()))?;
    while let Some((before, size)) = command.strip_suffix('}').and_then(|c| c.rsplit_once('{')) {
        let size = size.parse().ok()?;
        let before = before.to_owned();
        talk.say("+ go\r\n");
        let literal = talk.bytes(size)?;
        let rest = talk.line()?;
        command = format!("{before}{}{rest}", String::from_utf8_lossy(&literal));
    }
    Some((tag, command))
}

/// What a server that only reads answers.
pub fn imap_answer(command: &str, names: &[Vec<u8>], mails: &[Mail]) -> Vec<u8> {
    let ok = b"{tag} OK done\r\n".to_vec();
    let (count, next) = (mails.len(), mails.len() + 1);
    match command.split(' ').next().unwrap_or_default() {
        "CAPABILITY" => [b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n".to_vec(), ok].concat(),
        "LIST" if command.ends_with("\"\" \"\"") => {
            [b"* LIST (\\Noselect) \"/\" \"\"\r\n".to_vec(), ok].concat()
        }
        "LIST" => {
            let line = |name: &Vec<u8>| [b"* LIST () \"/\" ", &name[..], b"\r\n"].concat();
            [names.iter().map(line).collect::<Vec<_>>().concat(), ok].concat()
        }
        "STATUS" => {
            let name = command["STATUS ".len()..].rsplit_once(" (").map_or("", |(n, _)| n);
            // Back as it came: mailhaul finds its question by the name.
            let literal = match name.starts_with('"') {
                true => name.to_owned(),
                false => format!("{{{}}}\r\n{name}", name.len()),
            };
            let status = format!("* STATUS {literal} (MESSAGES {count} UIDNEXT {next} UIDVALIDITY 7)\r\n");
            [status.into_bytes(), ok].concat()
        }
        "EXAMINE" | "SELECT" => format!(
            "* FLAGS (\\Seen)\r\n* {count} EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT {next}] x\r\n{{tag}} OK [READ-ONLY] done\r\n"
        )
        .into_bytes(),
        "UID" => [imap_fetched(command, mails), ok].concat(),
        "LOGOUT" => [b"* BYE\r\n".to_vec(), ok].concat(),
        _ => ok,
    }
}

/// The answer to `UID FETCH SET (ITEMS)`.
fn imap_fetched(command: &str, mails: &[Mail]) -> Vec<u8> {
    let mut words = command.splitn(4, ' ').skip(2);
    let (set, items) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let mut out = Vec::new();
    for (uid, mail) in (1u32..).zip(mails).filter(|(uid, _)| within(set, *uid)) {
        let size = mail.bytes.len();
        out.extend(format!("* {uid} FETCH (UID {uid} FLAGS () RFC822.SIZE {size} INTERNALDATE \"14-Nov-2023 22:13:20 +0000\"").bytes());
        if let Some((_, section)) = items.split_once("BODY.PEEK") {
            let (section, bytes) = match section.strip_prefix("[]") {
                Some(_) => ("[]", &mail.bytes[..]),
                None => (
                    &section[..=section.find(']').unwrap_or(0)],
                    head(&mail.bytes),
                ),
            };
            out.extend(format!(" BODY{section} {{{}}}\r\n", bytes.len()).bytes());
            out.extend(bytes);
        }
        out.extend(b")\r\n");
    }
    out
}

fn within(set: &str, uid: u32) -> bool {
    let number = |word: &str| word.parse().unwrap_or(u32::MAX);
    set.split(',').any(|part| {
        let (first, last) = part.split_once(':').unwrap_or((part, part));
        (number(first)..=number(last)).contains(&uid)
    })
}

fn head(bytes: &[u8]) -> &[u8] {
    let end = bytes.windows(4).position(|part| part == b"\r\n\r\n");
    &bytes[..end.map_or(bytes.len(), |at| at + 4)]
}

/// A POP3 server; which messages (from 1) its sessions deleted is written down at QUIT.
pub fn pop3(mails: Vec<Mail>, twist: Twist) -> (Talker, Arc<Mutex<BTreeSet<usize>>>) {
    let deleted = Arc::new(Mutex::new(BTreeSet::new()));
    let written = Arc::clone(&deleted);
    let server = Talker::start(move |talk| {
        say(
            talk,
            "",
            &twist("").unwrap_or_else(|| b"+OK ready\r\n".to_vec()),
        );
        let mut marked = BTreeSet::new();
        while let Some(line) = talk.line() {
            let instead = twist(&line);
            let twisted = instead.is_some();
            say(
                talk,
                "",
                &instead.unwrap_or_else(|| pop3_answer(&line, &mails)),
            );
            let mut words = line.split(' ');
            match (twisted, words.next().unwrap_or_default()) {
                (false, "DELE") => {
                    marked.extend(words.next().and_then(|n| n.parse::<usize>().ok()));
                }
                (false, "QUIT") => {
                    written.lock().expect("a lock").append(&mut marked);
                    return;
                }
                (true, "QUIT") => return,
                _ => {}
            }
        }
    });
    (server, deleted)
}

pub fn pop3_answer(line: &str, mails: &[Mail]) -> Vec<u8> {
    let mut words = line.split(' ');
    let command = words.next().unwrap_or_default();
    let mail = words.next().and_then(|n| n.parse::<usize>().ok());
    let mail = mail.and_then(|n| mails.get(n.checked_sub(1)?));
    let rows = |row: &dyn Fn(usize, &Mail) -> String| {
        let rows: Vec<String> = (1..).zip(mails).map(|(n, m)| row(n, m)).collect();
        format!("+OK\r\n{}.\r\n", rows.concat()).into_bytes()
    };
    match (command, mail) {
        ("CAPA", _) => b"+OK\r\nUSER\r\nUIDL\r\nTOP\r\nRESP-CODES\r\n.\r\n".to_vec(),
        ("STAT", _) => {
            let size: usize = mails.iter().map(|mail| mail.bytes.len()).sum();
            format!("+OK {} {size}\r\n", mails.len()).into_bytes()
        }
        ("LIST", None) => rows(&|n, mail| format!("{n} {}\r\n", mail.bytes.len())),
        ("UIDL", None) => rows(&|n, _| format!("{n} uid-{n}\r\n")),
        ("RETR", Some(mail)) => stuffed(&mail.bytes),
        ("TOP", Some(mail)) => stuffed(head(&mail.bytes)),
        ("RETR" | "TOP", None) => b"-ERR no such message\r\n".to_vec(),
        _ => b"+OK\r\n".to_vec(),
    }
}

fn stuffed(bytes: &[u8]) -> Vec<u8> {
    let mut out = b"+OK\r\n".to_vec();
    for line in bytes.split_inclusive(|&b| b == b'\n') {
        if line.starts_with(b".") {
            out.push(b'.');
        }
        out.extend(line);
    }
    out.extend(b".\r\n");
    out
}
