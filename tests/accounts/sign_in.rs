//! Every way to sign in, at a Dovecot that has them all; its log tells which one it was.

use crate::support::{Corpus, Dovecot, End, Imap, Job, fresh_user, mailhaul};
use mailhaul::auth::{Credentials, Mechanism};
use mailhaul::error::{Code, Error};
use mailhaul::net::{Endpoint, Security, Trust};
use std::sync::OnceLock;
use std::time::Duration;

const ALL: &str = "mechanisms=plain login cram-md5 scram-sha-1 scram-sha-256 apop";

fn server() -> &'static Dovecot {
    static SERVER: OnceLock<Dovecot> = OnceLock::new();
    SERVER.get_or_init(|| Dovecot::start(&[ALL, "master=admin"]))
}

fn endpoint(port: u16, tls: bool) -> Endpoint {
    let trust = Trust::CaFile(server().ca());
    Endpoint {
        end: mailhaul::error::End::Source,
        host: "localhost".into(),
        port,
        security: if tls { Security::Tls } else { Security::Plain },
        trust: if tls { trust } else { Trust::System },
        timeout: Duration::from_secs(30),
        trace: mailhaul::net::Trace::default(),
        minimum_rate: Endpoint::MINIMUM_RATE,
    }
}

fn imap(credentials: &Credentials, tls: bool) -> Result<(), Error> {
    let port = if tls { server().imaps } else { server().imap };
    let mut session = mailhaul::imap::Session::open(&endpoint(port, tls), credentials)?;
    session.examine(b"INBOX").map(drop)
}

fn pop3(credentials: &Credentials, tls: bool) -> Result<(), Error> {
    let port = if tls { server().pop3s } else { server().pop3 };
    let mut session = mailhaul::pop3::Session::open(&endpoint(port, tls), credentials)?;
    session.stat().map(drop)
}

/// The methods by which the user came in so far, in order.
fn methods(user: &str) -> Vec<String> {
    let mark = format!("Login: user=<{user}>, method=");
    let log = server().log();
    let found = log.lines().filter_map(|line| line.split_once(&mark));
    found
        .map(|(_, rest)| rest.split(',').next().unwrap_or_default().to_owned())
        .collect()
}

fn with(user: &str, password: &str, mechanism: Option<Mechanism>) -> Credentials {
    let mut credentials = Credentials::with_password(user, password);
    credentials.mechanism = mechanism;
    credentials
}

#[test]
fn each_mechanism_signs_in_by_both_protocols() {
    let user = fresh_user("ways");
    let mut expected = Vec::new();
    for mechanism in Mechanism::ALL {
        if mechanism.takes_token() {
            continue;
        }
        let credentials = with(&user, "secret", Some(mechanism));
        // Dovecot calls the protocols' own commands PLAIN.
        let name = match mechanism {
            Mechanism::UserPass => "PLAIN",
            other => other.name(),
        };
        if mechanism != Mechanism::Apop {
            imap(&credentials, false).expect(name);
            expected.push(name.to_owned());
        }
        pop3(&credentials, false).expect(name);
        expected.push(name.to_owned());
    }
    assert_eq!(methods(&user), expected);
    assert_eq!(expected.len(), 13);
}

#[test]
fn the_strongest_is_taken_unasked_and_passwords_may_be_any_text() {
    let user = fresh_user("strongest");
    for tls in [false, true] {
        imap(&with(&user, "secret", None), tls).expect("IMAP");
        pop3(&with(&user, "secret", None), tls).expect("POP3");
    }
    assert_eq!(methods(&user), vec!["SCRAM-SHA-256"; 4]);
}

#[test]
fn a_wrong_password_is_refused_by_each_and_no_more_than_twice() {
    let user = fresh_user("wrong");
    for mechanism in Mechanism::ALL {
        if mechanism.takes_token() {
            continue;
        }
        let credentials = with(&user, "not-it", Some(mechanism));
        if mechanism != Mechanism::Apop {
            let e = imap(&credentials, true).expect_err("refused");
            assert_eq!(e.code, Code::Auth, "{e:?}");
        }
        if mechanism != Mechanism::Apop {
            let e = pop3(&credentials, true).expect_err("refused");
            assert_eq!(e.code, Code::Auth, "{e:?}");
        }
    }
    let alone = fresh_user("wrong-twice");
    let e = imap(&with(&alone, "not-it", None), true).expect_err("refused");
    assert_eq!(e.code, Code::Auth, "{e:?}");
    // Dovecot counts the attempts of a connection when it ends.
    let tried = |log: &str| {
        let lines = log
            .lines()
            .filter(|line| line.contains(&format!("user=<{alone}>")));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    for _ in 0..100 {
        if !tried(&server().log()).is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let lines = tried(&server().log());
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("auth failed, 2 attempts"), "{lines:?}");
}

#[test]
fn a_master_signs_in_for_another() {
    let user = fresh_user("owned");
    Imap::login(server().imap, &user).append("INBOX", &Corpus::new(&user, 1).mails(3));
    for mechanism in [
        Mechanism::Plain,
        Mechanism::ScramSha1,
        Mechanism::ScramSha256,
    ] {
        let mut credentials = with(&user, "master-secret", Some(mechanism));
        credentials.master = Some("admin".into());
        imap(&credentials, true).expect("IMAP");
        pop3(&credentials, true).expect("POP3");
        credentials.user = fresh_user("nobody");
        credentials.master = Some(user.clone());
        let e = imap(&credentials, true).expect_err("no master");
        assert_eq!(e.code, Code::Auth, "{e:?}");
    }
    assert_eq!(methods(&user).len(), 7);
}

#[test]
fn a_job_moves_somebody_elses_mail_as_a_master() {
    let (user, to) = (fresh_user("owner"), fresh_user("owner-new"));
    Imap::login(server().imap, &user).append("INBOX", &Corpus::new(&user, 1).mails(5));
    let end = |user: &str| {
        End::imap(server(), user)
            .password("{ command = \"echo master-secret\" }")
            .line("master-user = \"admin\"")
    };
    let source = end(&user).line("mechanism = \"plain\"");
    let job = Job::new("", &source, &end(&to), "");
    let run = mailhaul(&["run".as_ref(), job.path().as_os_str()]).exits(0);
    assert_eq!(run.balance().part("copied"), 5, "{}", run.stdout);
    assert_eq!(Imap::login(server().imap, &to).count("INBOX"), 5);
    assert!(
        methods(&to)
            .iter()
            .filter(|m| *m == "SCRAM-SHA-256")
            .count()
            > 0
    );
    assert!(methods(&user).contains(&"PLAIN".to_owned()));
}

#[test]
fn what_is_not_to_be_had_is_told_before_anything_secret_is_sent() {
    let user = fresh_user("forced");
    let shared = crate::support::shared();
    let credentials = with(&user, "secret", Some(Mechanism::ScramSha1));
    let port = endpoint(shared.imap, false);
    let e = mailhaul::imap::Session::open(&port, &credentials).expect_err("not offered");
    assert_eq!(e.code, Code::Auth);
    assert!(e.what.contains("SCRAM-SHA-1 is not to be had"), "{e:?}");
    assert!(!shared.log().contains(&format!("<{user}>")));
}
