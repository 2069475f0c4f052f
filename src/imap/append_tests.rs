//! APPEND against a scripted server: refusals and losses at every moment.

use super::script::{open, server};
use super::*;
use crate::spool::{Body, Budget};

fn body(bytes: &[u8]) -> Body {
    let mut writer = Budget::new(16 << 20).body(bytes.len() as u64).unwrap();
    writer.push(bytes).unwrap();
    writer.finish().unwrap()
}

fn appends(bodies: &[Body]) -> Vec<Append<'_>> {
    let one = |body| Append {
        flags: &[],
        date: None,
        body,
    };
    bodies.iter().map(one).collect()
}

/// One batch with no other under way.
fn append(session: &mut Session, mailbox: &[u8], batch: &[Append<'_>]) -> AppendReport {
    session.submit(mailbox, batch);
    session.collect(true).unwrap()
}

fn refused(words: &str, code: Option<&str>, batch: bool) -> Appended {
    Appended::Refused {
        words: words.to_owned(),
        code: code.map(str::to_owned),
        batch,
    }
}

#[test]
fn a_refusal_in_the_middle_of_a_literal_closes_the_connection() {
    let (endpoint, thread) = server(|peer| {
        peer.welcome("LITERAL+");
        peer.answer("APPEND \"A\" {3+}", "");
        peer.bytes(5);
        peer.say("m3 OK [APPENDUID 7 1] ok\r\n");
        peer.answer("APPEND \"A\" {20000000+}", "");
        peer.say("m4 NO [OVERQUOTA] full\r\n");
        std::thread::sleep(std::time::Duration::from_millis(100));
        let sent = peer.rest();
        assert!(sent.len() < 20_000_000 && !sent.windows(4).any(|w| w == b"LAST"));
    });
    let mut session = open(&endpoint).unwrap();
    let bodies = [body(b"a\r\n"), body(&[b'x'; 20_000_000]), body(b"LAST\r\n")];
    let report = append(&mut session, b"A", &appends(&bodies));
    assert_eq!(
        report.results[0],
        Appended::Stored {
            uid_validity_uid: Some((7, 1))
        }
    );
    assert_eq!(
        report.results[1],
        refused("[OVERQUOTA] full", Some("OVERQUOTA"), false)
    );
    assert_eq!(report.results[2], Appended::NotSent);
    assert!(report.literal_plus_refused && report.lost.is_some() && !session.is_usable());
    drop(session);
    thread.join().unwrap();
}

#[test]
fn a_server_that_takes_a_message_for_commands_is_left() {
    for (first, then) in [
        ("{tag} BAD literal\r\n", ""),
        ("{tag} NO literal\r\n", "y BAD what\r\n"),
        ("{tag} NO literal\r\n", "* BAD what\r\n{tag} OK\r\n"),
    ] {
        let (endpoint, thread) = server(move |peer| {
            peer.welcome("LITERAL+ MULTIAPPEND");
            peer.answer("APPEND \"A\" {18+}", "");
            peer.bytes(20);
            peer.say(&first.replace("{tag}", "m3"));
            if !then.is_empty() {
                peer.answer("NOOP", then);
            }
            peer.rest();
        });
        let mut session = open(&endpoint).unwrap();
        let bodies = [body(b"y: LOGOUT\r\n\r\nabc\r\n"), body(b"second\r\n")];
        let report = append(&mut session, b"A", &appends(&bodies));
        assert_eq!(
            report.results,
            [refused("literal", None, false), Appended::NotSent]
        );
        assert!(report.literal_plus_refused && report.lost.unwrap().is_transient());
        assert!(!session.is_usable());
        drop(session);
        thread.join().unwrap();
    }
}

#[test]
fn an_honest_refusal_of_the_first_is_no_reason_to_leave() {
    let (endpoint, thread) = server(|peer| {
        peer.welcome("LITERAL+");
        peer.answer("APPEND \"A\" {3+}", "");
        peer.bytes(5);
        peer.say("m3 NO [TRYCREATE] none\r\n");
        peer.answer("NOOP", "{tag} OK\r\n");
        peer.answer("APPEND \"A\" {3+}", "");
        peer.bytes(5);
        peer.say("m5 OK\r\n");
    });
    let mut session = open(&endpoint).unwrap();
    let bodies = [body(b"a\r\n"), body(b"b\r\n")];
    let report = append(&mut session, b"A", &appends(&bodies));
    assert_eq!(
        report.results[0],
        refused("[TRYCREATE] none", Some("TRYCREATE"), false)
    );
    assert_eq!(
        report.results[1],
        Appended::Stored {
            uid_validity_uid: None
        }
    );
    assert!(report.lost.is_none() && !report.literal_plus_refused);
    thread.join().unwrap();
}

#[test]
fn what_left_and_what_did_not_is_told_apart() {
    let (endpoint, thread) = server(|peer| {
        peer.welcome("LITERAL+");
        peer.answer("APPEND \"A\" {3+}", "");
        peer.bytes(5);
        peer.say("m3 OK\r\n");
        peer.answer("APPEND \"A\" {3+}", "");
        peer.bytes(5);
        peer.say("m4 NO [CANNOT] no\r\n* BYE Session expired\r\n");
    });
    let mut session = open(&endpoint).unwrap();
    let small = || body(b"a\r\n");
    let bodies = [
        small(),
        small(),
        small(),
        body(&vec![b'x'; 20_000_000]),
        small(),
    ];
    let report = append(&mut session, b"A", &appends(&bodies));
    assert_eq!(
        report.results[0],
        Appended::Stored {
            uid_validity_uid: None
        }
    );
    assert_eq!(
        report.results[1],
        refused("[CANNOT] no", Some("CANNOT"), false)
    );
    assert_eq!(
        report.results[2..],
        [Appended::Unknown, Appended::NotSent, Appended::NotSent]
    );
    assert!(!report.literal_plus_refused);
    thread.join().unwrap();
}

#[test]
fn synchronising_literals_wait_for_the_go_ahead_only() {
    let (endpoint, thread) = server(|peer| {
        peer.welcome("LITERAL+");
        peer.answer("APPEND \"A\" (\\Seen) {3}", "* 9 EXISTS\r\n+ go\r\n");
        peer.bytes(5);
        // The next command is here before the first is answered.
        peer.answer(
            "APPEND \"A\" (\\Seen) {4}",
            "m3 OK [APPENDUID 1 5]\r\n{tag} NO [OVERQUOTA] full\r\n",
        );
        peer.answer("APPEND \"A\" (\\Seen) {0}", "+\r\n");
        assert_eq!(peer.bytes(2), b"\r\n");
        peer.say("m5 OK\r\n");
    });
    let mut session = open(&endpoint).unwrap();
    session.set_synchronising(true);
    let flags = ["\\Seen".to_owned()];
    let bad = ["a b".to_owned()];
    let bodies = [body(b"a\r\n"), body(b"ab\r\n"), body(b""), body(b"x\r\n")];
    let mut batch = appends(&bodies);
    batch.iter_mut().for_each(|message| message.flags = &flags);
    batch[3].flags = &bad;
    let report = append(&mut session, b"A", &batch);
    assert!(report.lost.is_none(), "{:?}", report.lost);
    assert_eq!(
        report.results[0],
        Appended::Stored {
            uid_validity_uid: Some((1, 5))
        }
    );
    assert_eq!(
        report.results[1],
        refused("[OVERQUOTA] full", Some("OVERQUOTA"), false)
    );
    assert_eq!(
        report.results[2],
        Appended::Stored {
            uid_validity_uid: None
        }
    );
    assert!(matches!(report.results[3], Appended::Refused { .. }));
    thread.join().unwrap();
}

#[test]
fn a_batch_goes_as_one_command_behind_its_proof() {
    let (endpoint, thread) = server(|peer| {
        peer.welcome("LITERAL- MULTIAPPEND");
        peer.answer("APPEND {2}", "+\r\n");
        assert_eq!(peer.bytes(2), b"\xc3\xa9");
        assert_eq!(peer.line(), " {1+}");
        assert_eq!(peer.bytes(3), b"1\r\n");
        peer.say("m3 OK\r\n");
        peer.answer("APPEND {2}", "+\r\n");
        assert_eq!(peer.bytes(2), b"\xc3\xa9");
        assert_eq!(peer.line(), " {1+}");
        assert_eq!(peer.line(), "2 {5000}");
        peer.say("+\r\n");
        assert_eq!(peer.bytes(5002).len(), 5002);
        peer.say("m4 OK [APPENDUID 4 8:9]\r\n");
    });
    let mut session = open(&endpoint).unwrap();
    let bodies = [body(b"1"), body(b"2"), body(&[b'3'; 5000])];
    let report = append(&mut session, "é".as_bytes(), &appends(&bodies));
    assert!(report.lost.is_none(), "{:?}", report.lost);
    let stored = |uid| Appended::Stored {
        uid_validity_uid: uid,
    };
    assert_eq!(
        report.results,
        [stored(None), stored(Some((4, 8))), stored(Some((4, 9)))]
    );
    thread.join().unwrap();
}

/// Two batches under way: the second leaves before the first is answered, and a loss tells both what is known of them.
#[test]
fn batches_follow_one_another_without_waiting() {
    let (endpoint, thread) = server(|peer| {
        peer.welcome("LITERAL+ MULTIAPPEND");
        peer.answer("APPEND \"A\" {3+}", "");
        peer.bytes(5);
        peer.say("m3 OK [APPENDUID 7 1] ok\r\n");
        for name in ["A", "B", "C"] {
            peer.answer(&format!("APPEND \"{name}\" {{3+}}"), "");
            peer.bytes(5);
        }
        peer.say("m4 OK [APPENDUID 7 2] ok\r\nm5 NO [OVERQUOTA] full\r\n* BYE tired\r\n");
    });
    let mut session = open(&endpoint).unwrap();
    let bodies = [body(b"a\r\n")];
    let first = append(&mut session, b"A", &appends(&bodies));
    assert!(first.lost.is_none());
    for name in [b"A", b"B", b"C"] {
        session.submit(name, &appends(&bodies));
    }
    let reports: Vec<AppendReport> = (0..3).map(|_| session.collect(true).unwrap()).collect();
    let stored = Appended::Stored {
        uid_validity_uid: Some((7, 2)),
    };
    assert_eq!(reports[0].results, [stored]);
    let full = refused("[OVERQUOTA] full", Some("OVERQUOTA"), false);
    assert_eq!(reports[1].results, [full]);
    assert!(reports[1].lost.is_none());
    assert_eq!(reports[2].results, [Appended::Unknown]);
    assert!(reports[2].lost.is_some());
    assert!(session.collect(true).is_none());
    thread.join().unwrap();
}

#[test]
fn a_lost_connection_leaves_a_report_for_every_batch() {
    let (endpoint, thread) = server(|peer| {
        peer.welcome("LITERAL+");
        peer.answer("APPEND \"A\" {3+}", "");
        peer.bytes(5);
        peer.say("m3 OK [APPENDUID 7 1] ok\r\n");
        peer.answer("APPEND \"A\" {3+}", "");
        peer.bytes(5);
        peer.answer("APPEND \"A\" {20000000+}", "");
    });
    let mut session = open(&endpoint).unwrap();
    let small = [body(b"a\r\n")];
    append(&mut session, b"A", &appends(&small));
    let large = [body(&[b'x'; 20_000_000]), body(b"b\r\n")];
    session.submit(b"A", &appends(&small));
    session.submit(b"A", &appends(&large));
    session.submit(b"A", &appends(&small));
    let results: Vec<Vec<Appended>> = (0..3)
        .map(|_| session.collect(false).unwrap())
        .map(|report| {
            assert!(report.lost.is_some());
            report.results
        })
        .collect();
    let unsent = vec![Appended::NotSent; 2];
    assert_eq!(
        results,
        [vec![Appended::Unknown], unsent, vec![Appended::NotSent]]
    );
    assert!(!session.is_usable());
    drop(session);
    thread.join().unwrap();
}

#[test]
fn without_waiting_only_what_is_answered_is_told() {
    let (go, gone) = std::sync::mpsc::channel();
    let (endpoint, thread) = server(move |peer| {
        peer.welcome("");
        peer.answer("APPEND \"A\" {3}", "+ go\r\n");
        peer.bytes(5);
        gone.recv().unwrap();
        peer.say("m3 OK\r\n");
    });
    let mut session = open(&endpoint).unwrap();
    let bodies = [body(b"a\r\n")];
    assert!(session.collect(true).is_none());
    session.submit(b"A", &appends(&bodies));
    assert!(session.collect(false).is_none());
    go.send(()).unwrap();
    let report = session.collect(true).unwrap();
    assert!(report.lost.is_none() && report.results.len() == 1);
    drop(session);
    thread.join().unwrap();
}
