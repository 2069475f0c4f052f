//! Who may hear the password: each way in which TLS can be wrong or missing, for IMAP and POP3. What counts is what the server
//! was sent.

use super::run;
use crate::support::certificates::Made;
use crate::support::run::spawn_as;
use crate::support::{End, Job, Run, Talk, Talker, fresh_user, shared};
use native_tls::Protocol;
use std::process::Command;
use std::sync::{Arc, OnceLock};

/// A password that stands nowhere else.
const CANARY: &str = "cAnArY-71f3";
const LOCALHOST: &str = "DNS:localhost,IP:127.0.0.1";
const BOTH: [&str; 2] = ["imap", "pop3"];

/// A good certificate for localhost.
fn good() -> &'static Arc<Made> {
    static MADE: OnceLock<Arc<Made>> = OnceLock::new();
    MADE.get_or_init(|| Arc::new(Made::new(LOCALHOST, "30")))
}

/// Runs a job whose source is `server`, with the canary as its password.
fn run_against(server: &Talker, protocol: &str, lines: &[&str]) -> Run {
    let mut source = End::at(protocol, "localhost", server.port, "budi")
        .password("{ env = \"CANARY\" }")
        .line("timeout = \"20s\"");
    for line in lines {
        source = source.line(line);
    }
    let sink = End::imap(shared(), &fresh_user("tls"));
    let job = Job::new("", &source, &sink, "");
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailhaul"));
    command.arg("run").arg(job.path());
    let run = spawn_as(command, &[("CANARY", CANARY.as_ref())]).wait();
    let said = format!("{}{}", run.stdout, run.stderr);
    assert!(!said.contains(CANARY), "{said}");
    run
}

/// Refused for this reason (one of these words), and nothing of a login was sent.
#[track_caller]
fn assert_kept(server: &Talker, run: Run, why: &[&str]) {
    let run = run.exits(10);
    let said = &run.stderr;
    assert!(said.contains("error[tls]"), "{said}");
    assert!(why.iter().any(|why| said.contains(why)), "{why:?}: {said}");
    assert!(server.connections() > 0);
    assert_silent(server);
}

#[track_caller]
fn assert_silent(server: &Talker) {
    let heard = String::from_utf8_lossy(&server.heard()).to_uppercase();
    let words = ["LOGIN", "AUTH", "USER", "PASS", "APOP", "BUDI", CANARY];
    for word in words {
        assert!(!heard.contains(&word.to_uppercase()), "{word}: {heard}");
    }
}

/// Did the whole login arrive?
#[track_caller]
fn assert_heard(server: &Talker) {
    let heard = String::from_utf8_lossy(&server.heard()).into_owned();
    // SASL PLAIN of budi and the canary.
    let plain = "AGJ1ZGkAY0FuQXJZLTcxZjM=";
    assert!(heard.contains(CANARY) || heard.contains(plain), "{heard}");
}

fn greet(talk: &mut Talk, protocol: &str) {
    talk.say(match protocol {
        "imap" => "* OK ready\r\n",
        _ => "+OK ready\r\n",
    });
}

/// Answers capabilities, and the login with a refusal, until the client goes.
fn refuse_login(talk: &mut Talk) {
    while let Some(line) = talk.line() {
        let (tag, rest) = line.split_once(' ').unwrap_or((&line, ""));
        match (tag, rest.to_uppercase().as_str()) {
            (_, "CAPABILITY") => talk.say(format!(
                "* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR\r\n{tag} OK\r\n"
            )),
            ("CAPA", _) => talk.say("+OK\r\nUSER\r\nUIDL\r\n.\r\n"),
            ("USER", _) => talk.say("+OK\r\n"),
            ("PASS", _) => talk.say("-ERR [AUTH] no\r\n"),
            _ => talk.say(format!("{tag} NO [AUTHENTICATIONFAILED] no\r\n")),
        }
    }
}

/// A server with this certificate, TLS from the first byte.
fn implicit(protocol: &'static str, made: Arc<Made>, newest: Option<Protocol>) -> Talker {
    Talker::start(move |talk| {
        if talk.start_tls_up_to(&made, newest) {
            greet(talk, protocol);
            refuse_login(talk);
        }
    })
}

/// Up to the go-ahead for TLS in plain text, with `answer` to the question for it; TLS follows where that is an OK.
fn explicit(
    protocol: &'static str,
    made: Arc<Made>,
    answer: &'static str,
    after: fn(&mut Talk),
) -> Talker {
    Talker::start(move |talk| {
        greet(talk, protocol);
        while let Some(line) = talk.line() {
            let (tag, rest) = line.split_once(' ').unwrap_or((&line, ""));
            match (tag, rest) {
                ("CAPA", _) => talk.say("+OK\r\nSTLS\r\nUSER\r\n.\r\n"),
                (_, "CAPABILITY") => talk.say(format!(
                    "* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED X-EARLY\r\n{tag} OK\r\n"
                )),
                ("STLS", _) | (_, "STARTTLS") => {
                    talk.say(answer.replace("{tag}", tag));
                    let agreed = answer.starts_with("+OK") || answer.starts_with("{tag} OK");
                    if agreed && talk.start_tls(&made) {
                        after(talk);
                    }
                    return talk.rest();
                }
                _ => talk.say(match protocol {
                    "imap" => format!("{tag} BAD no\r\n"),
                    _ => "-ERR no\r\n".to_owned(),
                }),
            }
        }
    })
}

fn go_ahead(protocol: &str) -> &'static str {
    match protocol {
        "imap" => "{tag} OK go\r\n",
        _ => "+OK go\r\n",
    }
}

fn ca_line(made: &Made) -> String {
    format!("ca-file = {:?}", made.ca())
}

/// A certificate that is no good, over implicit TLS and over STARTTLS or STLS.
#[track_caller]
fn assert_distrusted(made: Made, trust: Option<&str>, why: &str) {
    let made = Arc::new(made);
    let own = ca_line(&made);
    let trust = trust.unwrap_or(&own);
    for protocol in BOTH {
        let server = implicit(protocol, Arc::clone(&made), None);
        let run = run_against(&server, protocol, &[trust]);
        assert_kept(&server, run, &[why]);
        let server = explicit(protocol, Arc::clone(&made), go_ahead(protocol), |_| ());
        let run = run_against(&server, protocol, &[trust, "security = \"starttls\""]);
        assert_kept(&server, run, &[why]);
    }
}

/// Without it all the tests below could pass because nothing ever logs in.
#[test]
fn a_good_certificate_is_told_the_password() {
    let ca = ca_line(good());
    let pin = format!("pin-sha256 = \"{}\"", good().fingerprint());
    for protocol in BOTH {
        for trust in [&ca, &pin] {
            let server = implicit(protocol, Arc::clone(good()), Some(Protocol::Tlsv12));
            let run = run_against(&server, protocol, &[trust]).exits(10);
            assert!(run.stderr.contains("error[auth]"), "{}", run.stderr);
            assert_heard(&server);
        }
        let after: fn(&mut Talk) = refuse_login;
        let server = explicit(protocol, Arc::clone(good()), go_ahead(protocol), after);
        run_against(&server, protocol, &[&ca, "security = \"starttls\""]).exits(10);
        assert_heard(&server);
    }
}

#[test]
fn an_expired_certificate() {
    assert_distrusted(Made::new(LOCALHOST, "-1"), None, "expired");
}

#[test]
fn a_self_signed_certificate() {
    assert_distrusted(
        Made::self_signed(LOCALHOST),
        Some("connections = 1"),
        "self-signed",
    );
}

#[test]
fn a_certificate_for_another_host() {
    assert_distrusted(
        Made::new("DNS:mail.example.org", "30"),
        None,
        "another host name",
    );
}

#[test]
fn a_certificate_of_another_authority() {
    assert_distrusted(
        Made::new(LOCALHOST, "30"),
        Some(&ca_line(good())),
        "unknown authority",
    );
}

#[test]
fn a_certificate_other_than_the_pinned_one() {
    let pin = format!("pin-sha256 = \"{}\"", good().fingerprint());
    assert_distrusted(Made::new(LOCALHOST, "30"), Some(&pin), "pin-sha256");
}

/// A server that knows nothing newer, and one that answers with the old version whatever was offered.
#[test]
fn tls_that_is_too_old() {
    let ca = ca_line(good());
    for protocol in BOTH {
        for newest in [Protocol::Tlsv10, Protocol::Tlsv11] {
            let server = implicit(protocol, Arc::clone(good()), Some(newest));
            let run = run_against(&server, protocol, &[&ca]);
            assert_kept(&server, run, &["too old"]);
        }
        for minor in [1, 2] {
            let server = Talker::start(move |talk| {
                talk.say(old_server_hello(minor));
                talk.rest();
            });
            let run = run_against(&server, protocol, &[&ca]).exits(10);
            assert!(run.stderr.contains("too old"), "{}", run.stderr);
        }
    }
}

/// A ServerHello (RFC 5246 §7.4.1.3) of TLS 1.0 (`minor` 1) or 1.1 (2) that chooses TLS_RSA_WITH_AES_128_CBC_SHA.
fn old_server_hello(minor: u8) -> Vec<u8> {
    let body = [&[3, minor][..], &[7; 32], &[0, 0, 0x2f, 0]].concat();
    let length = |of: usize| u8::try_from(of).expect("short");
    let handshake = [&[2, 0, 0, length(body.len())][..], &body].concat();
    [&[22, 3, minor, 0, length(handshake.len())][..], &handshake].concat()
}

#[test]
fn starttls_stripped_or_refused() {
    let tls = ["security = \"starttls\""];
    for answer in ["{tag} NO not today\r\n", "{tag} BAD what\r\n"] {
        let server = explicit("imap", Arc::clone(good()), answer, |_| ());
        assert_kept(&server, run_against(&server, "imap", &tls), &["STARTTLS"]);
    }
    let server = explicit("pop3", Arc::clone(good()), "-ERR not today\r\n", |_| ());
    assert_kept(&server, run_against(&server, "pop3", &tls), &["STLS"]);
    let server = Talker::start(|talk| {
        greet(talk, "pop3");
        refuse_login(talk);
    });
    assert_kept(&server, run_against(&server, "pop3", &tls), &["STLS"]);
}

#[test]
fn logged_in_before_tls() {
    let server = Talker::start(|talk| {
        talk.say("* PREAUTH [CAPABILITY IMAP4rev1] welcome\r\n");
        refuse_login(talk);
    });
    let run = run_against(&server, "imap", &["security = \"starttls\""]);
    assert_kept(&server, run, &["PREAUTH"]);
}

/// What stands behind the go-ahead, in one segment with it, came from nobody knows whom.
#[test]
fn bytes_injected_behind_the_go_ahead() {
    for (protocol, answer) in [
        (
            "imap",
            "{tag} OK go\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n",
        ),
        ("imap", "{tag} OK go\r\n*"),
        ("pop3", "+OK go\r\n+OK injected\r\n"),
    ] {
        let server = explicit(protocol, Arc::clone(good()), answer, refuse_login);
        let lines = [&*ca_line(good()), "security = \"starttls\""];
        let run = run_against(&server, protocol, &lines);
        assert_kept(&server, run, &["behind"]);
    }
}

/// In plain text the server said LOGINDISABLED or offered a mechanism that it has not; under TLS it says otherwise, which counts.
#[test]
fn capabilities_are_forgotten_at_tls() {
    for protocol in BOTH {
        let after: fn(&mut Talk) = refuse_login;
        let server = explicit(protocol, Arc::clone(good()), go_ahead(protocol), after);
        let lines = [&*ca_line(good()), "security = \"starttls\""];
        run_against(&server, protocol, &lines).exits(10);
        let heard = String::from_utf8_lossy(&server.heard()).into_owned();
        let (_, inside) = heard.split_once("TLS\r\n").unwrap_or_else(|| {
            let (_, inside) = heard.split_once("STLS\r\n").expect("STLS");
            ("", inside)
        });
        let question = if protocol == "imap" {
            "CAPABILITY"
        } else {
            "CAPA"
        };
        assert!(inside.contains(question), "asked again: {heard}");
        assert_heard(&server);
    }
}

#[test]
fn logindisabled_is_believed() {
    for greeting in [
        "* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] ready\r\n",
        "* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED AUTH=GSSAPI] ready\r\n",
    ] {
        let server = Talker::start(move |talk| {
            talk.say(greeting);
            refuse_login(talk);
        });
        let run = run_against(&server, "imap", &["security = \"plain\""]);
        assert_kept(&server, run, &["LOGINDISABLED"]);
    }
}

/// A server cannot send mailhaul, and the password with it, somewhere else (RFC 2221, RFC 2193).
#[test]
fn referrals_are_not_followed() {
    let elsewhere = Talker::start(Talk::rest);
    let port = elsewhere.port;
    let server = Talker::start(move |talk| {
        talk.say("* OK [CAPABILITY IMAP4rev1 LOGIN-REFERRALS] ready\r\n");
        while let Some(line) = talk.line() {
            let tag = line.split(' ').next().unwrap_or_default().to_owned();
            talk.say(format!(
                "{tag} NO [REFERRAL imap://budi;AUTH=*@localhost:{port}/] elsewhere\r\n"
            ));
        }
    });
    let run = run_against(&server, "imap", &["security = \"plain\""]).exits(10);
    assert!(run.stderr.contains("elsewhere"), "{}", run.stderr);
    assert_eq!(elsewhere.connections(), 0);
}

/// A job never asks in the clear because TLS did not work.
#[test]
fn a_plain_server_on_the_port_for_tls() {
    for protocol in BOTH {
        let server = Talker::start(move |talk| {
            greet(talk, protocol);
            talk.rest();
        });
        let run = run_against(&server, protocol, &[]);
        assert_kept(&server, run, &["not TLS"]);
    }
    // The same job on a real server, so that the words above are about the port.
    let end = End::on(
        shared(),
        "imap",
        &fresh_user("real"),
        crate::support::job::Security::Tls,
    );
    let sink = End::imap(shared(), &fresh_user("real-new"));
    run(&Job::new("", &end, &sink, "")).exits(0);
}
