//! Gmail's way with POP3: a session lists a part of the maildrop, and what was retrieved is not listed again.

use super::run;
use crate::support::canonical::digest;
use crate::support::{End, Imap, Job, Snapshot, corpus::Corpus, fresh_user, popped, shared};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Messages that a session lists.
const LISTED: usize = 3;

/// A maildrop with Gmail's habit.
#[derive(Default)]
struct Maildrop {
    mails: Vec<Vec<u8>>,
    /// Numbers of messages that were retrieved in a session which ended with QUIT.
    taken: Vec<usize>,
    /// What the next logins are refused with.
    refusals: Vec<&'static str>,
    sessions: usize,
}

type Shared = Arc<Mutex<Maildrop>>;

/// Serves one session after the other for as long as the test lasts; its port.
fn serve(maildrop: &Shared) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("bind");
    let port = listener.local_addr().expect("address").port();
    let maildrop = Arc::clone(maildrop);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // A client that hangs up ends its session, not the server.
            let _ = session(&stream.expect("a connection"), &maildrop);
        }
    });
    port
}

fn session(mut stream: &TcpStream, maildrop: &Shared) -> std::io::Result<()> {
    let lines = BufReader::new(stream.try_clone()?).lines();
    let drop = || maildrop.lock().expect("no panic before");
    let all = 0..drop().mails.len();
    let listed: Vec<usize> = all
        .filter(|n| !drop().taken.contains(n))
        .take(LISTED)
        .collect();
    let mut retrieved = Vec::new();
    stream.write_all(b"+OK Gpop ready\r\n")?;
    for line in lines {
        let line = line?;
        let (command, argument) = line.split_once(' ').unwrap_or((&line, ""));
        let answer = match command {
            "CAPA" => {
                b"+OK\r\nUSER\r\nRESP-CODES\r\nLOGIN-DELAY 1\r\nTOP\r\nUIDL\r\n.\r\n".to_vec()
            }
            "PASS" => login(&mut drop()).into_bytes(),
            "UIDL" => list(&listed, |n| format!("GmailId{n:012x}")),
            "LIST" => list(&listed, |n| drop().mails[n].len().to_string()),
            "RETR" => {
                let number = argument.parse::<usize>().expect("a number");
                retrieved.push(listed[number - 1]);
                stuffed(&drop().mails[listed[number - 1]])
            }
            _ => b"+OK\r\n".to_vec(),
        };
        if command == "QUIT" {
            drop().taken.append(&mut retrieved);
        }
        stream.write_all(&answer)?;
        if command == "QUIT" {
            break;
        }
    }
    Ok(())
}

fn login(maildrop: &mut Maildrop) -> String {
    if maildrop.refusals.is_empty() {
        maildrop.sessions += 1;
        return "+OK welcome\r\n".to_owned();
    }
    format!("-ERR {}\r\n", maildrop.refusals.remove(0))
}

fn list(listed: &[usize], value: impl Fn(usize) -> String) -> Vec<u8> {
    let lines = listed.iter().enumerate();
    let lines = lines.map(|(at, &n)| format!("{} {}\r\n", at + 1, value(n)));
    format!("+OK\r\n{}.\r\n", lines.collect::<String>()).into_bytes()
}

fn stuffed(mail: &[u8]) -> Vec<u8> {
    let mut out = b"+OK\r\n".to_vec();
    for line in mail.split_inclusive(|&b| b == b'\n') {
        if line.starts_with(b".") {
            out.push(b'.');
        }
        out.extend(line);
    }
    out.extend(b".\r\n");
    out
}

fn account(count: usize, refusals: Vec<&'static str>) -> (Shared, Job, String) {
    let (old, new) = (fresh_user("gmail"), fresh_user("gmail-new"));
    let mails = popped(&Corpus::new(&old, 14).mails(count));
    let maildrop = Maildrop {
        mails: mails.into_iter().map(|mail| mail.bytes).collect(),
        refusals,
        ..Maildrop::default()
    };
    let maildrop = Arc::new(Mutex::new(maildrop));
    let source = End::at("pop3", "127.0.0.1", serve(&maildrop), &old)
        .line("preset = \"gmail\"\nsecurity = \"plain\"");
    let job = Job::new("", &source, &End::imap(shared(), &new), "");
    (maildrop, job, new)
}

#[test]
fn sessions_are_repeated_until_nothing_new_is_listed() {
    let (maildrop, job, new) = account(8, vec![]);
    let done = run(&job).exits(0);
    done.balance().assert_adds_up();
    assert_eq!(
        (done.balance().total, done.balance().part("copied")),
        (8, 8)
    );
    let mut sent: Vec<String> = maildrop
        .lock()
        .expect("alive")
        .mails
        .iter()
        .map(|m| digest(m))
        .collect();
    let there = Snapshot::of(shared().imap, &new);
    let mut there: Vec<String> = there.0["INBOX"].iter().map(|e| e.digest.clone()).collect();
    sent.sort();
    there.sort();
    assert_eq!(there, sent);
    let sessions = maildrop.lock().expect("alive").sessions;
    assert!(sessions >= 4, "3 + 3 + 2 + none: {sessions} sessions");
    assert_eq!(run(&job).exits(0).balance().part("copied"), 0);
    assert_eq!(Imap::login(shared().imap, &new).count("INBOX"), 8);
}

#[test]
fn a_login_refused_for_now_is_waited_for_and_told() {
    let refusals = vec!["[LOGIN-DELAY] too soon", "[IN-USE] another session is open"];
    let (_, job, new) = account(4, refusals);
    let done = run(&job).exits(0);
    assert_eq!(done.balance().part("copied"), 4);
    assert_eq!(Imap::login(shared().imap, &new).count("INBOX"), 4);
    let told = "waiting 30 s: source 127.0.0.1";
    assert!(done.stderr.contains(told), "{}", done.stderr);
    assert!(
        done.stderr
            .contains("another session has the maildrop open"),
        "{}",
        done.stderr
    );
}
