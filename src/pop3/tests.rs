//! Sessions against a server that follows a script.

use super::*;
use crate::auth::Credentials;
use crate::error::{Code, End, Error, Kind, Result};
use crate::net::{Endpoint, Flow, Security, Trace, Trust};
use crate::spool::{Body, Budget};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};
use std::time::Duration;

const HELLO: &[(&str, &str)] = &[
    ("", "+OK hello\r\n"),
    ("CAPA", "+OK\r\nUSER\r\nUIDL\r\nTOP\r\n.\r\n"),
    ("USER budi", "+OK\r\n"),
    ("PASS hunter2", "+OK\r\n"),
    ("CAPA", "+OK\r\nPIPELINING\r\nUIDL\r\nTOP\r\n.\r\n"),
];

/// Serves one connection: reads each expected line, then sends what belongs to it. Gives what it read beyond the script.
fn serve(scripts: &[&[(&str, &str)]]) -> (Endpoint, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = Endpoint {
        end: End::Source,
        host: "127.0.0.1".into(),
        port: listener.local_addr().unwrap().port(),
        security: Security::Plain,
        trust: Trust::System,
        timeout: Duration::from_secs(5),
        trace: Trace::default(),
        minimum_rate: Endpoint::MINIMUM_RATE,
    };
    let script: Vec<(String, String)> = scripts
        .concat()
        .iter()
        .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
        .collect();
    let server = thread::spawn(move || {
        let mut to = listener.accept().unwrap().0;
        let mut from = BufReader::new(to.try_clone().unwrap());
        for (expected, answer) in script {
            let mut line = String::new();
            if !expected.is_empty() {
                from.read_line(&mut line).unwrap();
            }
            assert_eq!(line.trim_end(), expected);
            to.write_all(answer.as_bytes()).unwrap();
        }
        to.shutdown(std::net::Shutdown::Write).unwrap();
        from.lines().map_while(std::result::Result::ok).collect()
    });
    (endpoint, server)
}

fn budi() -> Credentials {
    Credentials::with_password("budi", "hunter2")
}

/// Opens a session that the script refuses; nothing of it may show the password, and nothing more may be sent.
fn refused(endpoint: &Endpoint, server: JoinHandle<Vec<String>>) -> Error {
    let Err(e) = Session::open(endpoint, &budi()) else {
        panic!("the session should have been refused");
    };
    assert!(!format!("{e:?}").contains("hunter2"), "{e:?}");
    assert_eq!(server.join().unwrap(), Vec::<String>::new());
    e
}

fn refused_login(answer: &str) -> Error {
    let answer = format!("{answer}\r\n");
    let (endpoint, server) = serve(&[&HELLO[..3], &[("PASS hunter2", &answer)]]);
    refused(&endpoint, server)
}

fn bytes(body: &Body) -> Vec<u8> {
    let mut bytes = Vec::new();
    body.write_to(&mut bytes).unwrap();
    bytes
}

type Got = Vec<(u32, std::result::Result<Vec<u8>, Error>)>;

fn retrieve(session: &mut Session, numbers: &[(u32, u64)]) -> (Got, Result<()>) {
    let mut got = Got::new();
    let done = session.retrieve(numbers, &Budget::new(1 << 20), &mut |number, answer| {
        got.push((number, answer.map(|body| bytes(&body))));
        Ok(Flow::Continue)
    });
    (got, done)
}

#[test]
fn a_session_from_greeting_to_quit() {
    let (endpoint, server) = serve(&[
        HELLO,
        &[
            ("STAT", "+OK 2 300 extra\r\n"),
            ("LIST", "+OK\r\n1 100\r\n2 200 extra\r\n.\r\n"),
            ("UIDL", "+OK\r\n2 b\r\n1 a b\r\n2 again\r\n3 \r\n.\r\n"),
            ("UIDL", "-ERR what?\r\n"),
            ("TOP 1 0", "+OK\r\nA: b\r\n..\r\n\r\n.\r\n"),
            ("DELE 1", "+OK\r\n"),
            ("DELE 9", "-ERR no such message\r\n"),
            ("QUIT", "-ERR [SYS/TEMP] not all deleted\r\n"),
        ],
    ]);
    let mut session = Session::open(&endpoint, &budi()).unwrap();
    assert!(session.capabilities().pipelining);
    assert_eq!(session.stat().unwrap(), (2, 300));
    assert_eq!(session.list().unwrap(), [(1, 100), (2, 200)]);
    let ids = session.uidl().unwrap().unwrap();
    assert_eq!(ids, [(1, b"a b".to_vec()), (2, b"b".to_vec())]);
    assert_eq!(session.uidl().unwrap(), None);
    assert_eq!(session.top(1, 0, 7).unwrap(), b"A: b\r\n.");
    session.dele(1).unwrap();
    assert_eq!(session.dele(9).unwrap_err().kind, Kind::Message);
    assert_eq!(session.quit().unwrap_err().code, Code::Refused);
    server.join().unwrap();
}

#[test]
fn a_wrong_password_is_told_from_a_busy_maildrop() {
    for (answer, code, transient) in [
        ("-ERR [AUTH] Authentication failed.", Code::Auth, false),
        ("-ERR wrong, hunter2 is not it", Code::Auth, false),
        ("-ERR [IN-USE] busy", Code::Throttled, true),
        ("-ERR maildrop already locked", Code::Throttled, true),
        ("-ERR [LOGIN-DELAY] not so fast", Code::Throttled, true),
        ("-ERR [SYS/TEMP] oops", Code::Refused, true),
        ("-ERR [SYS/PERM] gone", Code::Refused, false),
    ] {
        let e = refused_login(answer);
        assert_eq!((e.code, e.is_transient()), (code, transient), "{e:?}");
    }
}

#[test]
fn a_refused_password_is_not_tried_by_another_mechanism() {
    let (endpoint, server) = serve(&[&[
        ("", "+OK <1.2@x>\r\n"),
        ("CAPA", "+OK\r\nSASL PLAIN\r\nUSER\r\n.\r\n"),
        ("AUTH PLAIN", "+ \r\n"),
        ("AGJ1ZGkAaHVudGVyMg==", "-ERR no\r\n"),
    ]]);
    assert_eq!(refused(&endpoint, server).code, Code::Auth);
}

#[test]
fn a_mechanism_that_is_not_known_gives_way_to_the_next() {
    let apop = format!(
        "APOP budi {}",
        crate::auth::sasl::apop(b"<1.2@x>", &"hunter2".into())
    );
    let (endpoint, server) = serve(&[
        &[
            ("", "+OK ready <1.2@x>\r\n"),
            ("CAPA", "+OK\r\nSASL PLAIN\r\n.\r\n"),
            ("AUTH PLAIN", "-ERR what?\r\n"),
            (&apop, "-ERR Unknown command\r\n"),
        ],
        &HELLO[2..4],
        &[("CAPA", "-ERR unknown\r\n"), ("NOOP", "+OK\r\n")],
    ]);
    let mut session = Session::open(&endpoint, &budi()).unwrap();
    assert_eq!(session.capabilities().sasl, ["PLAIN"]);
    session.noop().unwrap();
    drop(session);
    server.join().unwrap();
}

#[test]
fn without_tls_nothing_secret_is_sent() {
    let hello = &HELLO[..1];
    let offered = ("CAPA", "+OK\r\nSTLS\r\n.\r\n");
    for script in [
        &[("CAPA", "+OK\r\nUSER\r\n.\r\n")][..],
        &[offered, ("STLS", "-ERR not today\r\n")],
        &[offered, ("STLS", "+OK go\r\n+OK injected\r\n")],
    ] {
        let (mut endpoint, server) = serve(&[hello, script]);
        endpoint.security = Security::StartTls;
        let e = refused(&endpoint, server);
        assert_eq!((e.code, e.kind), (Code::Tls, Kind::Account), "{e:?}");
    }
}

#[test]
fn greetings_that_are_none() {
    for (greeting, code) in [
        ("* OK imap here\r\n", Code::Protocol),
        ("-ERR too many connections\r\n", Code::Refused),
        ("-ERR [IN-USE] busy\r\n", Code::Throttled),
        ("", Code::Connect),
        (&"x".repeat(10_000), Code::Protocol),
    ] {
        let (endpoint, server) = serve(&[&[("", greeting)]]);
        assert_eq!(refused(&endpoint, server).code, code, "{greeting:.20}");
    }
}

#[test]
fn credentials_cannot_inject_commands() {
    let mut credentials = budi();
    credentials.user = "budi\r\nDELE 1".into();
    let (endpoint, _server) = serve(&[]);
    let Err(e) = Session::open(&endpoint, &credentials) else {
        panic!("a user with a line end was accepted");
    };
    assert_eq!((e.code, e.end), (Code::Auth, Some(End::Source)));
}

#[test]
fn one_refused_message_in_a_pipeline_is_one_refused_message() {
    let (endpoint, server) = serve(&[
        HELLO,
        &[
            ("RETR 1", "+OK\r\n..a\r\n.\r\n"),
            ("RETR 2", "-ERR corrupt\r\n"),
            ("RETR 3", "+OK\r\n.\r\n"),
            ("NOOP", "+OK\r\n"),
        ],
    ]);
    let mut session = Session::open(&endpoint, &budi()).unwrap();
    let (got, done) = retrieve(&mut session, &[(1, 4), (2, 9), (3, 0)]);
    done.unwrap();
    assert_eq!(got[0].1.as_ref().unwrap(), b".a\r\n");
    let e = got[1].1.as_ref().unwrap_err();
    assert_eq!(
        (e.kind, e.words.as_deref()),
        (Kind::Message, Some("corrupt"))
    );
    assert_eq!(got[2].1.as_ref().unwrap(), b"");
    session.noop().unwrap();
    drop(session);
    assert_eq!(server.join().unwrap(), Vec::<String>::new());
}

#[test]
fn a_refusal_with_which_the_server_leaves_is_no_outcome() {
    for numbers in [&[(1, 1)][..], &[(1, 1), (2, 1)]] {
        let script = [("RETR 1", "-ERR Disconnected for inactivity.\r\n")];
        let (endpoint, server) = serve(&[HELLO, &script]);
        let mut session = Session::open(&endpoint, &budi()).unwrap();
        let (got, done) = retrieve(&mut session, numbers);
        assert!(got.is_empty() && done.unwrap_err().is_transient());
        drop(session);
        server.join().unwrap();
    }
}

#[test]
fn a_connection_lost_in_a_message_is_transient_and_gives_no_message() {
    let script = [("RETR 1", "+OK\r\na\r\n.\r\n"), ("RETR 2", "+OK\r\nb\r\n.")];
    let (endpoint, server) = serve(&[HELLO, &script]);
    let mut session = Session::open(&endpoint, &budi()).unwrap();
    let (got, done) = retrieve(&mut session, &[(1, 3), (2, 3)]);
    assert_eq!(got.len(), 1);
    let e = done.unwrap_err();
    assert_eq!((e.code, e.kind), (Code::Connect, Kind::Transient));
    assert!(e.what.contains("message 2"), "{e:?}");
    assert!(!session.is_usable() && session.noop().is_err());
    drop(session);
    server.join().unwrap();
}

#[test]
fn without_pipelining_one_command_waits_for_one_answer() {
    let script = [
        ("CAPA", "-ERR\r\n"),
        ("RETR 1", "+OK\r\na\r\n.\r\n"),
        ("NOOP", "+OK\r\n"),
    ];
    let (endpoint, server) = serve(&[&HELLO[..4], &script]);
    let mut session = Session::open(&endpoint, &budi()).unwrap();
    let numbers = [(1, 3), (2, 3)];
    let stop = &mut |_, _: Result<Body>| Ok(Flow::Stop);
    session
        .retrieve(&numbers, &Budget::new(1 << 20), stop)
        .unwrap();
    session.noop().unwrap();
    drop(session);
    assert_eq!(server.join().unwrap(), Vec::<String>::new());
}
