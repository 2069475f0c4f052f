//! Tokens from an authorization server, checked by Dovecot's introspection there: by a stand-in in the default run, by a real
//! one (oidc-provider) in the long one.

use crate::support::authorization::Authorization;
use crate::support::proxy::{Fault, Proxy, Side};
use crate::support::run::spawn;
use crate::support::{Corpus, Dovecot, End, Imap, Job, Run, fresh_user, mailhaul, tell};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mailhaul::auth::oauth::{Grant, GrantKind, OAuth2};
use mailhaul::auth::{Bearer, Credentials, Mechanism, Secret, SecretRef};
use mailhaul::error::{Code, Error, Kind};
use mailhaul::net::{Endpoint, Security, Trust};
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// How long an access token holds, in seconds.
const LIFETIME: u64 = 3;

struct Place {
    authorization: Authorization,
    server: Dovecot,
}

impl Place {
    fn new(authorization: Authorization) -> Place {
        let introspection = format!("oauth2={}", authorization.introspection());
        let mechanisms = "mechanisms=plain xoauth2 oauthbearer";
        let server = Dovecot::start(&[mechanisms, &introspection]);
        Place {
            authorization,
            server,
        }
    }

    /// A job whose source signs in by a token; `port` is the server's or a proxy's before it.
    fn job(&self, protocol: &str, port: u16, user: &str, mechanism: &str) -> Job {
        let source = End::at(protocol, "127.0.0.1", port, user)
            .password(&self.authorization.password())
            .line("security = \"plain\"")
            .line(&format!("mechanism = \"{mechanism}\""))
            .line(&format!("timeout = \"{}s\"", LIFETIME + 2));
        let to = End::imap(&self.server, &format!("{user}-new"));
        Job::new("", &source, &to, "")
    }

    /// `mailhaul login` with a person who does what it asks for.
    fn login(&self, job: &Job, user: &str, more: &[&str]) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mailhaul"))
            .args(["login", "--json"])
            .args(more)
            .arg(job.path())
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("mailhaul starts");
        let mut said = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        said.read_line(&mut line).expect("a line");
        let ask: serde_json::Value = serde_json::from_str(&line).expect(&line);
        assert_eq!(ask["type"], "sign-in", "{line}");
        let url = ask["url"].as_str().expect("a URL");
        let url = match ask["code"].as_str() {
            Some(code) => format!("{url}?user_code={code}"),
            None => url.to_owned(),
        };
        self.authorization.person(user, &url);
        let mut rest = String::new();
        said.read_to_string(&mut rest).expect("JSON");
        assert!(child.wait().expect("wait").success(), "{rest}");
        assert!(rest.contains("\"signed-in\""), "{rest}");
    }

    /// The methods by which the user came in.
    fn methods(&self, user: &str) -> Vec<String> {
        let mark = format!("Login: user=<{user}>, method=");
        let log = self.server.log();
        let found = log.lines().filter_map(|line| line.split_once(&mark));
        let name = |rest: &str| rest.split(',').next().unwrap_or_default().to_owned();
        found.map(|(_, rest)| name(rest)).collect()
    }
}

fn run(job: &Job) -> Run {
    mailhaul(&["run".as_ref(), job.path().as_os_str()])
}

fn token_file(job: &Job) -> PathBuf {
    let dir = job.dir().join("job.tokens");
    let entries = std::fs::read_dir(&dir).expect("tokens");
    let mut files = entries.map(|entry| entry.expect("an entry").path());
    let found = files.find(|path| path.extension().is_some_and(|e| e == "json"));
    found.expect("a file of tokens")
}

fn access_token(job: &Job) -> String {
    let text = std::fs::read_to_string(token_file(job)).expect("tokens");
    let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    value["access_token"].as_str().expect("a token").to_owned()
}

#[test]
fn signed_in_run_out_and_renewed() {
    whole(Authorization::stand_in(LIFETIME));
}

#[test]
fn signed_in_run_out_and_renewed_at_a_real_authorization_server() {
    if std::env::var_os("MAILHAUL_ALL").is_none() {
        tell("oauth: the real authorization server is for tests/run --all");
        return;
    }
    whole(Authorization::real(LIFETIME));
}

/// The whole life of a sign-in: nobody yet, signed in, run out before a run and in the middle of one, taken back.
fn whole(authorization: Authorization) {
    let place = Place::new(authorization);
    for (protocol, mechanism, more) in [
        ("imap", "oauthbearer", &["--device"][..]),
        ("pop3", "xoauth2", &[]),
    ] {
        let user = fresh_user(&format!("token-{protocol}"));
        Imap::login(place.server.imap, &user).append("INBOX", &Corpus::new(&user, 5).mails(60));
        let port = match protocol {
            "imap" => place.server.imap,
            _ => place.server.pop3,
        };
        let proxy = Proxy::start(port, |number| match number {
            // Silence in the middle of the first connection's mail lasts longer than a token holds.
            0 => vec![Fault::Stall(Side::Down, 20_000)],
            _ => vec![],
        });
        let job = place.job(protocol, proxy.port, &user, mechanism);
        nobody_yet(&job);
        place.login(&job, &user, more);
        private(&job);
        // Nothing but waiting makes a token run out.
        std::thread::sleep(Duration::from_secs(LIFETIME + 1));
        let (done, tokens) = run_watching(&job);
        assert_eq!(done.balance().part("copied"), 60, "{}", done.stdout);
        // That of the login, one before the run's first connection, one in the middle.
        assert!(tokens.len() >= 3, "{} tokens", tokens.len());
        for secret in &tokens {
            assert!(!format!("{done:?}").contains(secret.as_str()));
        }
        let came_in = place.methods(&user);
        let by_token = came_in.iter().filter(|m| m.eq_ignore_ascii_case(mechanism));
        assert!(by_token.count() >= 2, "{came_in:?}");
        assert!(proxy.connections() >= 2);
        taken_back(&place, &job);
    }
}

/// A run, and every access token that was kept meanwhile.
fn run_watching(job: &Job) -> (Run, BTreeSet<String>) {
    let mut running = spawn(&["run".as_ref(), job.path().as_os_str()]);
    let mut tokens = BTreeSet::new();
    while !running.ended() {
        tokens.insert(access_token(job));
        std::thread::sleep(Duration::from_millis(20));
    }
    tokens.insert(access_token(job));
    (running.wait().exits(0), tokens)
}

/// An administrator's client, without anybody who signs in.
#[test]
fn a_client_asks_in_its_own_name() {
    let place = Place::new(Authorization::stand_in(60));
    let user = fresh_user("administered");
    Imap::login(place.server.imap, &user).append("INBOX", &Corpus::new(&user, 5).mails(4));
    place.authorization.mailbox_of_the_client(&user);
    let password = |secret: &str| {
        format!(
            "{{ oauth2 = {{ client-id = \"admin\", client-secret = {{ command = \"echo {secret}\" }}, grant = \"client\", \
             token-url = \"{}/token\", scopes = [\"mail\"] }} }}",
            place.authorization.url()
        )
    };
    let job = |secret: &str| {
        let source = End::imap(&place.server, &user).password(&password(secret));
        Job::new(
            "",
            &source,
            &End::imap(&place.server, &format!("{user}-new")),
            "",
        )
    };
    let refused = run(&job("not-it")).exits(10);
    assert!(refused.stderr.contains("invalid_client"), "{refused:?}");
    let done = run(&job("admin-secret")).exits(0);
    assert_eq!(done.balance().part("copied"), 4, "{}", done.stdout);
    let nothing = mailhaul(&["login".as_ref(), job("x").path().as_os_str()]).exits(2);
    assert!(nothing.stderr.contains("nothing to do"), "{nothing:?}");
}

/// The signature is checked by openssl, which shares no code with what made it.
#[test]
fn a_service_account_signs_for_a_mailbox() {
    let place = Place::new(Authorization::stand_in(60));
    let user = fresh_user("delegated");
    Imap::login(place.server.imap, &user).append("INBOX", &Corpus::new(&user, 5).mails(4));
    place.authorization.mailbox_of_the_client(&user);
    let url = format!("{}/token", place.authorization.url());
    let password = format!(
        "{{ oauth2 = {{ grant = \"service-account\", key-file = \"service.json\", token-url = \"{url}\", scopes = [\"mail\", \"more\"] }} }}"
    );
    let source = End::imap(&place.server, &user).password(&password);
    let job = Job::new(
        "",
        &source,
        &End::imap(&place.server, &format!("{user}-new")),
        "",
    );
    let dir = job.dir();
    let openssl = |args: &[&str]| {
        let run = Command::new("openssl").args(args).current_dir(dir).output();
        let run = run.expect("openssl");
        assert!(
            run.status.success(),
            "{}",
            String::from_utf8_lossy(&run.stderr)
        );
    };
    openssl(&[
        "genpkey",
        "-algorithm",
        "RSA",
        "-pkeyopt",
        "rsa_keygen_bits:2048",
        "-out",
        "key.pem",
    ]);
    openssl(&["pkey", "-in", "key.pem", "-pubout", "-out", "public.pem"]);
    let pem = std::fs::read_to_string(dir.join("key.pem")).expect("a key");
    let key = serde_json::json!({ "client_email": "robot@project.example", "private_key": pem });
    std::fs::write(dir.join("service.json"), key.to_string()).expect("write");
    let done = run(&job).exits(0);
    assert_eq!(done.balance().part("copied"), 4, "{}", done.stdout);
    let assertion = place.authorization.assertion();
    let (signed, signature) = assertion.rsplit_once('.').expect("a JWT");
    let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).expect("base64url");
    std::fs::write(dir.join("signed"), signed).expect("write");
    std::fs::write(dir.join("signature"), bytes(signature)).expect("write");
    openssl(&[
        "dgst",
        "-sha256",
        "-verify",
        "public.pem",
        "-signature",
        "signature",
        "signed",
    ]);
    let claims = bytes(signed.split_once('.').expect("two parts").1);
    let claims: serde_json::Value = serde_json::from_slice(&claims).expect("JSON");
    assert_eq!(claims["iss"], "robot@project.example");
    assert_eq!(claims["sub"], user.as_str());
    assert_eq!(
        (&claims["scope"], &claims["aud"]),
        (&"mail more".into(), &url.into())
    );
    std::fs::write(dir.join("service.json"), "{\"private_key\": \"canary\"}").expect("write");
    let refused = run(&job).exits(2);
    assert!(refused.stderr.contains("cannot serve as"), "{refused:?}");
    assert!(!refused.stderr.contains("canary"), "{refused:?}");
}

#[test]
fn a_client_is_given_a_token_by_a_real_authorization_server() {
    if std::env::var_os("MAILHAUL_ALL").is_none() {
        tell("oauth: the real authorization server is for tests/run --all");
        return;
    }
    let authorization = Authorization::real(60);
    let spec = |secret: &str| OAuth2 {
        client_id: "admin".into(),
        client_secret: Some(SecretRef::Command {
            without: Vec::new(),
            command: format!("echo {secret}"),
            dir: std::env::temp_dir(),
        }),
        endpoints: mailhaul::auth::oauth::Authorization {
            token_url: format!("{}/token", authorization.url()),
            ..Default::default()
        },
        kind: GrantKind::Client,
        tokens: PathBuf::from("/nonexistent/tokens.json"),
    };
    let token = Grant::new(&spec("admin-secret"), "budi", "imap://budi@x").token();
    assert!(token.expect("a token").expose_secret().len() > 20);
    let refused = Grant::new(&spec("not-it"), "budi", "imap://budi@x").token();
    let e = refused.expect_err("a wrong secret");
    assert_eq!(e.code, Code::Auth);
    assert!(
        e.words
            .is_some_and(|words| words.contains("invalid_client"))
    );
}

#[derive(Debug)]
struct Stale;

impl Bearer for Stale {
    fn token(&self) -> Result<SecretString, Error> {
        Ok("stale-token".into())
    }

    fn instead_of(&self, _: &SecretString) -> Result<SecretString, Error> {
        Err(Error::new(
            Kind::Account,
            Code::Auth,
            "there is no other token",
        ))
    }
}

/// Both mechanisms by both protocols: the exchange is brought to its end, and the server's JSON told (RFC 7628 §3.2.2).
#[test]
fn the_words_for_a_refused_token_are_the_servers() {
    let place = Place::new(Authorization::stand_in(60));
    let endpoint = |port| Endpoint {
        end: mailhaul::error::End::Source,
        host: "127.0.0.1".into(),
        port,
        security: Security::Plain,
        trust: Trust::System,
        timeout: Duration::from_secs(30),
        trace: mailhaul::net::Trace::default(),
        minimum_rate: Endpoint::MINIMUM_RATE,
    };
    for mechanism in [Mechanism::OAuthBearer, Mechanism::XOAuth2] {
        let credentials = Credentials {
            user: fresh_user("stale"),
            master: None,
            mechanism: Some(mechanism),
            secret: Secret::Token(Arc::new(Stale)),
        };
        let imap = mailhaul::imap::Session::open(&endpoint(place.server.imap), &credentials);
        let pop3 = mailhaul::pop3::Session::open(&endpoint(place.server.pop3), &credentials);
        for refused in [imap.map(drop), pop3.map(drop)] {
            let e = refused.expect_err("a token that nobody knows");
            assert_eq!(e.what, "there is no other token");
            let words = e.words.clone().unwrap_or_default();
            assert!(words.contains("\"status\""), "{e:?}");
            assert!(!format!("{e:?}").contains("stale-token"), "{e:?}");
        }
    }
}

fn nobody_yet(job: &Job) {
    let refused = run(job).exits(2);
    assert!(
        refused.stderr.contains("nobody has signed in"),
        "{refused:?}"
    );
    assert!(refused.stderr.contains("mailhaul login"), "{refused:?}");
}

fn private(job: &Job) {
    let file = token_file(job);
    let mode = |path: &std::path::Path| path.metadata().expect("a file").permissions().mode();
    assert_eq!(mode(&file) & 0o777, 0o600);
    assert_eq!(mode(file.parent().expect("a directory")) & 0o777, 0o700);
}

/// A token that nobody knows any more, with nothing to renew it by: refused once, in the server's words.
fn taken_back(place: &Place, job: &Job) {
    let file = token_file(job);
    let text = std::fs::read_to_string(&file).expect("tokens");
    let mut value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    value["access_token"] = "stale-token".into();
    value["good_until"] = serde_json::Value::Null;
    value["refresh_token"] = "stale-refresh".into();
    std::fs::write(&file, value.to_string()).expect("write");
    let before = place.server.log().matches("stale").count();
    let refused = run(job).exits(10);
    assert!(refused.stderr.contains("error[auth]"), "{refused:?}");
    assert!(refused.stderr.contains("invalid_grant"), "{refused:?}");
    assert!(refused.stderr.contains("mailhaul login"), "{refused:?}");
    assert!(!format!("{refused:?}").contains("stale-token"));
    assert_eq!(before, place.server.log().matches("stale").count());
}
