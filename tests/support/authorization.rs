//! Authorization servers: the real one of `tests/support/authorization-server`, and a stand-in for the default run that
//! speaks as much of OAuth 2.0 as mailhaul asks for.

use super::root;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A running authorization server.
pub enum Authorization {
    Real { url: String, child: Child },
    StandIn(StandIn),
}

impl Authorization {
    /// The real one; its access tokens hold for so many seconds.
    pub fn real(seconds: u64) -> Authorization {
        let script = root().join("tests/support/authorization-server");
        let mut child = Command::new(&script)
            .arg(seconds.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("{}: {e}", script.display()));
        let mut line = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let url = line.split("url=").nth(1).and_then(|u| u.split(' ').next());
        let url = url.unwrap_or_else(|| panic!("no authorization server: {line}"));
        let url = url.to_owned();
        Authorization::Real { url, child }
    }

    pub fn stand_in(seconds: u64) -> Authorization {
        Authorization::StandIn(StandIn::start(seconds))
    }

    pub fn url(&self) -> &str {
        match self {
            Authorization::Real { url, .. } => url,
            Authorization::StandIn(server) => &server.url,
        }
    }

    /// Where Dovecot asks, in Dovecot's own name.
    pub fn introspection(&self) -> String {
        let url = self
            .url()
            .replace("http://", "http://dovecot:dovecot-secret@");
        format!("{url}/token/introspection")
    }

    /// The `password` of a job.
    pub fn password(&self) -> String {
        let url = self.url();
        format!(
            "{{ oauth2 = {{ client-id = \"mailhaul-test\", token-url = \"{url}/token\", device-url = \"{url}/device/auth\", \
             authorization-url = \"{url}/auth?prompt=consent\", scopes = [\"openid\", \"offline_access\"] }} }}"
        )
    }

    /// Makes the stand-in's next token of a client one for this user's mailbox.
    pub fn mailbox_of_the_client(&self, user: &str) {
        if let Authorization::StandIn(server) = self {
            *server.state.person.lock().expect("a lock") = user.to_owned();
        }
    }

    /// The last signed statement that the stand-in got.
    pub fn assertion(&self) -> String {
        match self {
            Authorization::StandIn(server) => {
                server.state.assertion.lock().expect("a lock").clone()
            }
            Authorization::Real { .. } => String::new(),
        }
    }

    /// Opens an address as a person does, signs in as the user and says yes.
    pub fn person(&self, user: &str, url: &str) {
        match self {
            Authorization::Real { .. } => {
                let script = root().join("tests/support/person.mjs");
                let run = Command::new("node").arg(script).args([user, url]).output();
                let run = run.expect("node");
                let said = String::from_utf8_lossy(&run.stderr).into_owned();
                assert!(run.status.success(), "{said}");
            }
            Authorization::StandIn(server) => {
                *server.state.person.lock().expect("a lock") = user.to_owned();
                follow(url);
            }
        }
    }
}

impl Drop for Authorization {
    fn drop(&mut self) {
        if let Authorization::Real { child, .. } = self {
            drop(child.stdin.take());
            // Nothing can be done about a failure here, and the test's own result counts.
            let _ = child.wait();
        }
    }
}

/// GET, and on to where the answer leads.
fn follow(url: &str) {
    let rest = url.strip_prefix("http://").expect("http");
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = TcpStream::connect(host).expect("connect");
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\n\r\n").expect("send");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    if let Some(to) = answer.lines().find_map(|l| l.strip_prefix("Location: ")) {
        follow(to.trim_end());
    }
}

pub struct StandIn {
    url: String,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    url: String,
    lifetime: Duration,
    over: AtomicBool,
    /// Who sits in front of the browser.
    person: Mutex<String>,
    tokens: Mutex<Tokens>,
    /// The last signed statement.
    assertion: Mutex<String>,
}

#[derive(Default)]
struct Tokens {
    count: u32,
    /// Until when, whose.
    access: HashMap<String, (Instant, String)>,
    /// Codes and refresh tokens, each good once.
    once: HashMap<String, String>,
}

impl StandIn {
    fn start(seconds: u64) -> StandIn {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        listener.set_nonblocking(true).expect("nonblocking");
        let url = format!("http://{}", listener.local_addr().expect("address"));
        let state = Arc::new(State {
            url: url.clone(),
            lifetime: Duration::from_secs(seconds),
            ..State::default()
        });
        let shared = Arc::clone(&state);
        let thread = std::thread::spawn(move || {
            while !shared.over.load(Ordering::SeqCst) {
                match listener.accept() {
                    Ok((stream, _)) => shared.serve(stream),
                    Err(_) => std::thread::sleep(Duration::from_millis(5)),
                }
            }
        });
        StandIn {
            url,
            state,
            thread: Some(thread),
        }
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.state.over.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl State {
    fn serve(&self, stream: TcpStream) {
        stream.set_nonblocking(false).expect("blocking");
        let mut from = BufReader::new(stream);
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if from.read_line(&mut line).unwrap_or(0) <= 2 {
                break;
            }
            head.push(line);
        }
        let length = head.iter().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then_some(value)
        });
        let length = length.map_or(0, |l| l.trim().parse().expect("a length"));
        let mut body = vec![0; length];
        from.read_exact(&mut body).expect("a body");
        let target = head.first().and_then(|line| line.split(' ').nth(1));
        let target = target.unwrap_or("/");
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let body = String::from_utf8_lossy(&body).into_owned();
        let form = fields(&format!("{query}&{body}"));
        let (status, more, text) = self.answer(path, &form);
        let to = from.get_mut();
        let _ = write!(
            to,
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n{more}\r\n{text}",
            text.len()
        );
    }

    fn answer(&self, path: &str, form: &HashMap<String, String>) -> (&str, String, String) {
        let get = |key: &str| form.get(key).cloned().unwrap_or_default();
        let ok = |text: String| ("200 OK", String::new(), text);
        match path {
            "/device/auth" => {
                let url = format!("{}/device", self.url);
                ok(format!(
                    r#"{{"device_code":"device","user_code":"AB-CD","verification_uri":"{url}","expires_in":600,"interval":1}}"#
                ))
            }
            "/device" => {
                let person = self.person.lock().expect("a lock").clone();
                let mut tokens = self.tokens.lock().expect("a lock");
                tokens.once.insert("device".into(), person);
                ok("{}".into())
            }
            "/auth" => {
                let person = self.person.lock().expect("a lock").clone();
                let to = format!("{}?code=x&state={}", get("redirect_uri"), get("state"));
                assert_eq!(get("code_challenge_method"), "S256");
                let mut tokens = self.tokens.lock().expect("a lock");
                tokens.once.insert("x".into(), person);
                ("302 Found", format!("Location: {to}\r\n"), String::new())
            }
            "/token" => self.token(&get),
            "/token/introspection" => ok(self.introspect(&get("token"))),
            _ => ("404 Not Found", String::new(), "{}".into()),
        }
    }

    fn token(&self, get: &dyn Fn(&str) -> String) -> (&'static str, String, String) {
        if get("grant_type") == "urn:ietf:params:oauth:grant-type:jwt-bearer" {
            *self.assertion.lock().expect("a lock") = get("assertion");
            return self.of_the_person();
        }
        if get("grant_type") == "client_credentials" {
            return self.in_own_name(get);
        }
        let key = match get("grant_type").as_str() {
            "refresh_token" => get("refresh_token"),
            "authorization_code" if !get("code_verifier").is_empty() => get("code"),
            "urn:ietf:params:oauth:grant-type:device_code" => get("device_code"),
            _ => String::new(),
        };
        let mut tokens = self.tokens.lock().expect("a lock");
        let Some(user) = tokens.once.remove(&key) else {
            let word = if key == "device" {
                "authorization_pending"
            } else {
                "invalid_grant"
            };
            let text = format!(r#"{{"error":"{word}"}}"#);
            return ("400 Bad Request", String::new(), text);
        };
        tokens.count += 1;
        let number = tokens.count;
        let (access, refresh) = (format!("access-{number}"), format!("refresh-{number}"));
        let end = Instant::now() + self.lifetime;
        tokens.access.insert(access.clone(), (end, user.clone()));
        tokens.once.insert(refresh.clone(), user);
        let text = format!(
            r#"{{"access_token":"{access}","token_type":"Bearer","expires_in":{},"refresh_token":"{refresh}"}}"#,
            self.lifetime.as_secs()
        );
        ("200 OK", String::new(), text)
    }

    /// Whoever sits in front of the browser is whose mail it is: a client's token names nobody.
    fn in_own_name(&self, get: &dyn Fn(&str) -> String) -> (&'static str, String, String) {
        if (get("client_id").as_str(), get("client_secret").as_str()) != ("admin", "admin-secret") {
            let text = r#"{"error":"invalid_client"}"#.to_owned();
            return ("401 Unauthorized", String::new(), text);
        }
        self.of_the_person()
    }

    fn of_the_person(&self) -> (&'static str, String, String) {
        let person = self.person.lock().expect("a lock").clone();
        let mut tokens = self.tokens.lock().expect("a lock");
        let end = Instant::now() + self.lifetime;
        tokens.access.insert("of-the-client".into(), (end, person));
        let text = r#"{"access_token":"of-the-client","token_type":"Bearer","expires_in":60}"#;
        ("200 OK", String::new(), text.to_owned())
    }

    fn introspect(&self, token: &str) -> String {
        let tokens = self.tokens.lock().expect("a lock");
        match tokens.access.get(token) {
            Some((end, user)) if Instant::now() < *end => {
                format!(r#"{{"active":true,"sub":"{user}"}}"#)
            }
            _ => r#"{"active":false}"#.into(),
        }
    }
}

/// `a=b&c=d` without its percent signs.
fn fields(text: &str) -> HashMap<String, String> {
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(k, v)| (plain(k), plain(v))).collect()
}

fn plain(text: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let hex: Vec<u8> = bytes.by_ref().take(2).collect();
                let hex = String::from_utf8(hex).expect("ASCII");
                out.push(u8::from_str_radix(&hex, 16).expect("hex"));
            }
            other => out.push(other),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
