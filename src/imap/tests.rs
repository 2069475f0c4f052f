//! Sessions against a scripted server: what no well-behaved server can be made to do.

use super::script::{open, open_with, server};
use crate::error::{Code, Kind, Result};
use crate::imap::{Session, Streamed, Stretch};
use crate::message::UidRanges;
use crate::net::{Flow, Security};
use crate::spool::Budget;

#[test]
fn no_secret_leaves_where_starttls_is_not_to_be_had() {
    for (greeting, answer) in [
        ("* OK ready\r\n", "s1 NO not today\r\n"),
        ("* OK ready\r\n", "s1 BAD what\r\n"),
        (
            "* OK ready\r\n",
            "s1 OK go ahead\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n",
        ),
        ("* PREAUTH welcome\r\n", ""),
    ] {
        let (mut endpoint, thread) = server(move |peer| {
            peer.say(greeting);
            if !answer.is_empty() {
                peer.line();
                peer.say(answer);
            }
            while !peer.line().is_empty() {}
        });
        endpoint.security = Security::StartTls;
        let error = open(&endpoint).unwrap_err();
        assert_eq!(
            (error.code, error.kind),
            (Code::Tls, Kind::Account),
            "{answer}"
        );
        let heard = thread.join().unwrap().join("\n");
        assert!(
            !heard.contains("AUTH") && !heard.contains("LOGIN"),
            "{heard}"
        );
    }
}

#[test]
fn logindisabled_is_respected() {
    let (endpoint, thread) = server(|peer| {
        peer.say("* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] ready\r\n");
        while !peer.line().is_empty() {}
    });
    assert_eq!(open(&endpoint).unwrap_err().code, Code::Tls);
    assert_eq!(thread.join().unwrap(), [""]);
}

#[test]
fn a_refused_login_keeps_the_servers_words() {
    for (answer, code, throttled) in [
        (
            "{tag} NO [AUTHENTICATIONFAILED] Falsches Paßwort {12}\r\n",
            Code::Auth,
            false,
        ),
        ("{tag} NO no\r\n", Code::Auth, false),
        ("{tag} BAD\r\n", Code::Auth, false),
        (
            "{tag} NO [UNAVAILABLE] Maximum number of connections exceeded\r\n",
            Code::Throttled,
            true,
        ),
        (
            "* BYE Too many connections from your address\r\n",
            Code::Throttled,
            true,
        ),
    ] {
        let (endpoint, thread) = server(move |peer| {
            peer.say("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\r\n");
            peer.answer("AUTHENTICATE PLAIN", "+ \r\n");
            assert_eq!(peer.line(), "AGJ1ZGkAZ2VoZWlt");
            peer.say(&answer.replace("{tag}", "m1"));
        });
        let error = open(&endpoint).unwrap_err();
        assert_eq!(error.code, code, "{answer}");
        assert_eq!(
            matches!(error.kind, Kind::Throttled(_)),
            throttled,
            "{answer}"
        );
        if answer.contains("Falsches") {
            assert_eq!(
                error.words.unwrap(),
                "[AUTHENTICATIONFAILED] Falsches Paßwort {12}"
            );
        }
        thread.join().unwrap();
    }
}

#[test]
fn login_quotes_and_falls_back_to_literals() {
    let (endpoint, thread) = server(|peer| {
        peer.say("* OK [CAPABILITY IMAP4rev1] ready\r\n");
        peer.answer(r#"LOGIN "budi" "a\"b\\c""#, "{tag} NO no\r\n");
    });
    assert_eq!(
        open_with(&endpoint, r#"a"b\c"#).unwrap_err().code,
        Code::Auth
    );
    thread.join().unwrap();
    let (endpoint, thread) = server(|peer| {
        peer.say("* OK [CAPABILITY IMAP4rev1] ready\r\n");
        peer.answer(r#"LOGIN "budi" {4}"#, "+ go\r\n");
        assert_eq!(peer.bytes(6), "pä1\r\n".as_bytes());
        peer.say("m1 OK [CAPABILITY IMAP4rev1] in\r\n");
        peer.answer("LIST", "{tag} OK\r\n");
        peer.answer("NOOP", "{tag} OK\r\n");
    });
    open_with(&endpoint, "pä1").unwrap().noop().unwrap();
    thread.join().unwrap();
    // Not even connected: nobody listens there any more.
    let error = open_with(&endpoint, "a\r\nb").unwrap_err();
    assert_eq!((error.kind, error.code), (Kind::Account, Code::Secret));
}

#[test]
fn responses_that_the_control_plane_does_not_know_leave_it_in_step() {
    let (endpoint, thread) = server(|peer| {
        peer.welcome("UIDPLUS");
        peer.answer(
            "SELECT \"INBOX\"",
            "* NO Disk is 98% full\r\n* BAD odd\r\n* 4 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 9]\r\n\
             * FLAGS (\\Seen a]b)\r\n* OK [PERMANENTFLAGS (\\Seen a]b \\*)] ok\r\n* ESEARCH (TAG \"a\") UID ALL 1:3\r\n\
             * STATUS x (SIZE 3)\r\n* LIST (\\X) \"/\" {3}\r\na)b\r\n* 1 FETCH (INTERNALDATE NIL)\r\n* NAMESPACE NIL NIL NIL\r\n\
             +\r\n* 3 EXPUNGE\r\n* OK [HIGHESTMODSEQ]\r\n{tag} OK [READ-WRITE] r\u{e9}ussi {3}\r\n",
        );
        peer.answer("NOOP", "* 5 EXISTS\r\n* OK\r\n{tag} OK\r\n");
        peer.answer(
            "UID STORE 1:3,9 +FLAGS.SILENT (\\Deleted)",
            "{tag} OK \u{fc}\r\n",
        );
        peer.answer(
            "UID EXPUNGE 3",
            "* VANISHED 3\r\n{tag} OK [HIGHESTMODSEQ x]\r\n",
        );
        peer.answer(
            "EXAMINE \"Nix\"",
            "{tag} NO [NONEXISTENT] nix da \u{fc}\r\n",
        );
        peer.answer("LOGOUT", "* BYE\r\n{tag} OK\r\n");
    });
    let mut session = open(&endpoint).unwrap();
    let selected = session.select(b"INBOX").unwrap();
    assert_eq!(
        (selected.exists, selected.uid_validity, selected.uid_next),
        (3, 7, Some(9))
    );
    assert!(!selected.read_only);
    let permanent = selected.permanent.unwrap();
    assert!(permanent.any_keyword && permanent.flags.keywords.contains("a]b"));
    assert_eq!(session.selected(), Some((&b"INBOX"[..], true)));
    session.noop().unwrap();
    let deleted = crate::message::Flags {
        deleted: true,
        ..Default::default()
    };
    session
        .store(&[(1, 3), (9, 9)], &deleted, &Default::default())
        .unwrap();
    session.uid_expunge(&[(3, 3)]).unwrap();
    let error = session.examine(b"Nix").unwrap_err();
    assert_eq!(
        (error.kind, error.words.unwrap()),
        (Kind::Folder, "[NONEXISTENT] nix da ü".to_owned())
    );
    assert_eq!(session.selected(), None);
    session.logout().unwrap();
    thread.join().unwrap();
}

#[test]
fn bodies_come_in_any_shape_and_by_uid_only() {
    let (endpoint, thread) = server(|peer| {
        peer.welcome("");
        assert_eq!(peer.line(), "m3 EXAMINE \"A\"");
        peer.answer("UID FETCH 1:*", "");
        peer.say("* 5 EXISTS\r\n* OK [UIDVALIDITY 3] x\r\nm3 OK [READ-ONLY]\r\n");
        peer.say("* 1 FETCH (BODY[] {5}\r\na\r\n)b FLAGS (\\Seen) UID 11 INTERNALDATE NIL)\r\n");
        peer.say("* 2 FETCH (FLAGS (\\Seen))\r\n* 2 FETCH (UID 12 FLAGS (\\Flagged))\r\n");
        peer.say("* 3 FETCH (UID 13 BODY[] NIL)\r\n* 2 FETCH (UID 12 BODY[] \"x\\\"y\" FLAGS ())\r\n* 5 EXPUNGE\r\n");
        peer.say("* 4 FETCH (UID 14 BODY[] {0}\r\n)\r\nm4 NO [UNAVAILABLE] some are gone\r\n");
    });
    let mut session = open(&endpoint).unwrap();
    let mut seen = Vec::new();
    let mut validity = 0;
    let streamed = session
        .examine_and_bodies(
            b"A",
            &[(1, u32::MAX)],
            &Budget::new(1 << 20),
            &mut |selected| {
                validity = selected.uid_validity;
                Ok(Flow::Continue)
            },
            &mut |message| {
                seen.push((
                    message.uid,
                    message.flags.seen,
                    message.body.map(|b| b.size()),
                ));
                Ok(Flow::Continue)
            },
        )
        .unwrap();
    assert_eq!(
        seen,
        [
            (11, true, Some(5)),
            (13, false, None),
            (12, false, Some(3)),
            (14, false, Some(0))
        ]
    );
    assert_eq!((validity, streamed.exists, streamed.vanished), (3, 4, 1));
    assert_eq!(
        streamed.refused.as_deref(),
        Some("[UNAVAILABLE] some are gone")
    );
    assert!(session.is_usable());
    thread.join().unwrap();
}

#[test]
fn hostile_responses_end_the_session_without_a_panic() {
    for hostile in [
        "* 1 FETCH (UID 1 BODY[] {4294967295}\r\n",
        "* 1 FETCH (UID 1 BODY[] {99999999999999999999}\r\n",
        "* 1 FETCH (UID 1 BODY[] {-1}\r\n",
        "* 1 FETCH ((((((((\r\n",
        "* LIST () \"/\" {4000000000}\r\n",
        "m99 OK what\r\n",
        "m1 OK again\r\n",
        "\r\n",
        "HTTP/1.1 200 OK\r\n",
        "* BYE go away\r\n",
        "",
    ] {
        let (endpoint, thread) = server(move |peer| {
            peer.welcome("");
            peer.answer("UID FETCH", hostile);
        });
        let mut session = open(&endpoint).unwrap();
        let fetched = session.bodies(&[(1, 9)], &Budget::new(1 << 20), &mut |_| {
            Ok(Flow::Continue)
        });
        assert_eq!(fetched.unwrap_err().kind, Kind::Transient, "{hostile}");
        assert!(!session.is_usable());
        assert_eq!(session.noop().unwrap_err().kind, Kind::Transient);
        thread.join().unwrap();
    }
}

#[test]
fn a_line_without_end_is_left() {
    let (endpoint, thread) = server(|peer| {
        peer.welcome("");
        peer.line();
        peer.say("* LIST (");
        for _ in 0..1100 {
            peer.say(&"(".repeat(1024));
        }
        peer.rest();
    });
    let mut session = open(&endpoint).unwrap();
    let error = session.list(false).unwrap_err();
    assert_eq!((error.code, error.kind), (Code::Protocol, Kind::Transient));
    drop(session);
    thread.join().unwrap();
}

#[test]
fn folders_are_made_and_listed_by_plain_commands_too() {
    let (endpoint, thread) = server(|peer| {
        peer.welcome("");
        peer.answer("CREATE \"A\"", "");
        peer.answer("CREATE \"B\"", "m4 NO [ALREADYEXISTS] x\r\nm3 OK\r\n");
        peer.answer("CREATE \"C/\\\\\"", "{tag} NO [CANNOT] never\r\n");
        peer.answer("LIST \"\" \"*\"", "* LIST () \"/\" Inbox\r\n* LIST (\\Sent) \"/\" {3}\r\nA(b\r\n* LIST (\\Noselect) \"/\" N\r\n{tag} OK\r\n");
        peer.answer("LSUB \"\" \"*\"", "* LSUB () \"/\" INBOX\r\n{tag} OK\r\n");
        peer.answer(
            "STATUS \"INBOX\"",
            "* STATUS INBOX (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 3) \r\n{tag} OK\r\n",
        );
        peer.answer("STATUS \"A(b\"", "{tag} NO locked\r\n");
    });
    let mut session = open(&endpoint).unwrap();
    let made = session
        .create(&[(b"A", None), (b"B", None), (b"C/\\", None)])
        .unwrap();
    assert!(made[0].is_ok() && made[1].is_ok());
    assert_eq!(made[2].as_ref().unwrap_err().kind, Kind::Folder);
    let found = session.list(false).unwrap();
    assert_eq!(found.len(), 3);
    assert_eq!(
        (found[0].name.as_slice(), found[0].subscribed),
        (&b"INBOX"[..], true)
    );
    assert_eq!(found[0].status.unwrap().uid_validity, 3);
    assert_eq!(
        (found[1].name.as_slice(), found[1].status),
        (&b"A(b"[..], None)
    );
    assert!(!found[2].selectable);
    thread.join().unwrap();
}

#[test]
fn preauth_is_a_login_and_a_special_use_that_is_refused_is_left_out() {
    let (endpoint, thread) = server(|peer| {
        peer.say("* PREAUTH [CAPABILITY IMAP4rev1 CREATE-SPECIAL-USE ID NAMESPACE] hello\r\n");
        let id = concat!(
            "ID (\"name\" \"mailhaul\" \"version\" \"",
            env!("CARGO_PKG_VERSION"),
            "\")"
        );
        peer.answer(id, "* ID NIL\r\n{tag} OK\r\n");
        peer.answer(
            "NAMESPACE",
            "* NAMESPACE ((\"INBOX.\" \".\")) NIL NIL\r\n{tag} OK\r\n",
        );
        peer.answer(
            "CREATE \"INBOX.Sent\" (USE (\\Sent))",
            "{tag} NO [USEATTR] not for you\r\n",
        );
        peer.answer("CREATE \"INBOX.Sent\"", "{tag} OK\r\n");
    });
    let mut session = open(&endpoint).unwrap();
    assert_eq!(session.personal().prefix, b"INBOX.");
    assert_eq!(session.personal().separator, Some(b'.'));
    let sent = Some(crate::message::SpecialUse::Sent);
    let made = session.create(&[(b"INBOX.Sent", sent)]).unwrap();
    assert!(made[0].is_ok());
    thread.join().unwrap();
}

#[test]
fn a_tour_sends_ahead_and_a_refused_mailbox_costs_itself_alone() {
    let (endpoint, server) = server(|peer| {
        peer.welcome("IMAP4rev1");
        for expected in [
            "EXAMINE \"A\"",
            "UID FETCH 7 ",
            "EXAMINE \"B\"",
            "UID FETCH 1:2 ",
        ] {
            assert!(peer.line().contains(expected), "{expected}");
        }
        assert!(peer.line().contains("EXAMINE \"C\""));
        assert!(peer.line().contains("UID FETCH 9 "));
        peer.say("* 1 EXISTS\r\nm3 OK x\r\n* 1 FETCH (UID 7 BODY[] {1}\r\na)\r\nm4 OK x\r\n");
        peer.say("m5 NO [NONEXISTENT] no such mailbox\r\nm6 BAD nothing selected\r\n");
        peer.say("* 2 EXISTS\r\nm7 OK x\r\nm8 NO not now\r\n");
    });
    let mut session = open(&endpoint).unwrap();
    let mailboxes: [(&[u8], UidRanges); 3] = [
        (b"A", vec![(7, 7)]),
        (b"B", vec![(1, 2)]),
        (b"C", vec![(9, 9)]),
    ];
    let mut seen = Vec::new();
    let results = session
        .tour(&mailboxes, &Budget::new(1 << 20), &mut |at, message| {
            seen.push((at, message.uid));
            Ok(Flow::Continue)
        })
        .unwrap();
    assert_eq!(seen, [(0, 7)]);
    assert!(matches!(results[0], Ok(None)));
    let refused = results[1].as_ref().unwrap_err();
    assert_eq!(refused.kind, Kind::Folder);
    assert!(matches!(&results[2], Ok(Some(words)) if words == "not now"));
    drop(session);
    server.join().unwrap();
}

fn stretch(name: &str) -> Stretch {
    Stretch {
        mailbox: name.as_bytes().to_vec(),
        uids: vec![(1, u32::MAX)],
        messages: 2,
    }
}

/// UIDs that came, and how many messages the mailbox had, of one stretch.
fn streamed(session: &mut Session, name: &str, next: &[&str]) -> Result<(Vec<u32>, u32, Streamed)> {
    let (mut uids, mut exists) = (Vec::new(), 0);
    let streamed = session.stream(
        stretch(name),
        &Budget::new(1 << 20),
        &mut |selected| {
            exists = selected.exists;
            Ok(Flow::Continue)
        },
        &mut |fetched| {
            uids.push(fetched.uid);
            Ok(Flow::Continue)
        },
        &mut |n| next.get(n).map(|name| stretch(name)),
    )?;
    Ok((uids, exists, streamed))
}

#[test]
fn mailboxes_asked_for_ahead_keep_apart_what_flows_for_each() {
    let (endpoint, server) = server(|peer| {
        peer.welcome("IMAP4rev1");
        for name in ["A", "B", "C"] {
            assert!(peer.line().contains(&format!("EXAMINE \"{name}\"")));
            assert!(peer.line().contains("UID FETCH 1:* "));
        }
        // Unasked lines before an answer to EXAMINE are of no mailbox that is read.
        peer.say("* 2 EXISTS\r\nm3 OK x\r\n* 1 FETCH (UID 7 BODY[] {1}\r\na)\r\n* 2 EXPUNGE\r\nm4 OK x\r\n");
        peer.say("* 9 FETCH (UID 9 BODY[] {1}\r\na)\r\nm5 NO [NONEXISTENT] no such mailbox\r\nm6 BAD none\r\n");
        peer.say("* 5 EXISTS\r\nm7 OK x\r\n* 1 FETCH (UID 8 BODY[] {1}\r\na)\r\nm8 OK x\r\n");
        for name in ["D", "E"] {
            assert!(peer.line().contains(&format!("EXAMINE \"{name}\"")));
            assert!(peer.line().contains("UID FETCH 1:* "));
        }
        peer.say("* 1 EXISTS\r\nm9 OK x\r\n* 1 FETCH (UID 3 BODY[] {1}\r\na)\r\nm10 OK x\r\n");
        peer.say("* 1 EXISTS\r\nm11 OK x\r\n* 1 FETCH (UID 4 BODY[] {1}\r\na)\r\nm12 OK x\r\n");
        // What was asked for ahead is in the way of nothing else.
        peer.answer("EXAMINE \"F\"", "* 3 EXISTS\r\n{tag} OK x\r\n");
    });
    let mut session = open(&endpoint).unwrap();
    let (uids, exists, end) = streamed(&mut session, "A", &["B", "C"]).unwrap();
    assert_eq!((uids, exists, end.vanished), (vec![7], 2, 1));
    let refused = streamed(&mut session, "B", &["C"]).unwrap_err();
    assert_eq!((refused.kind, session.is_usable()), (Kind::Folder, true));
    let (uids, exists, end) = streamed(&mut session, "C", &[]).unwrap();
    assert_eq!((uids, exists, end.vanished), (vec![8], 5, 0));
    let (uids, ..) = streamed(&mut session, "D", &["E"]).unwrap();
    assert_eq!((uids, session.is_ahead()), (vec![3], true));
    session.forget_ahead().unwrap();
    assert_eq!(session.examine(b"F").unwrap().exists, 3);
    drop(session);
    server.join().unwrap();
}
