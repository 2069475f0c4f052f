//! A look at the ends of a job before its first run: what each can do, and what the job should say. Changes nothing.

pub mod draft;
pub mod estimate;
pub mod find;
mod imap;
pub mod mapping;
mod measure;
mod pop3;

use crate::auth::{Credentials, Mechanism, Secret, SecretRef};
use crate::error::{End, Error, Result};
use crate::job::providers::{Book, Known, Preset};
use crate::job::{Account, JobLimits, Local, Protocol, Server, SourceSpec, Store};
use crate::net::{Security, Shown, Trust, certificate, loopback};
use crate::source;
use estimate::{Measured, estimate};
use find::Candidate;
use mapping::Folders;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// What one end showed.
#[derive(Debug, Clone)]
pub struct Survey {
    pub end: End,
    /// As in `imap://budi@imap.example` or `maildir:/path`.
    pub mailbox: String,
    /// In the order they were learnt; texts may hold a server's words.
    pub facts: Vec<Fact>,
    /// What the job should set, or somebody do.
    pub advice: Vec<String>,
    /// Where the look ended early.
    pub error: Option<Error>,
    /// For an estimate; `None` where nothing could be measured.
    pub measured: Option<Measured>,
}

/// One thing that is so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    pub topic: Topic,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    Provider,
    Certificate,
    SignedIn,
    Can,
    Folders,
    Room,
    Limits,
    Names,
    Files,
    Time,
}

impl Topic {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Topic::Provider => "provider",
            Topic::Certificate => "certificate",
            Topic::SignedIn => "signed in",
            Topic::Can => "can",
            Topic::Folders => "folders",
            Topic::Room => "room",
            Topic::Limits => "limits",
            Topic::Names => "names",
            Topic::Files => "files",
            Topic::Time => "time",
        }
    }
}

/// A certificate that ends within so many days is worth a word.
const SOON: i64 = 14;

/// Whole days until then; below zero when it is over.
fn days_left(until: SystemTime, now: SystemTime) -> i64 {
    let days = |span: Duration| i64::try_from(span.as_secs() / 86_400).unwrap_or(i64::MAX);
    match until.duration_since(now) {
        Ok(left) => days(left),
        Err(over) => -1 - days(over.duration()),
    }
}

/// Whose server it is, and how that became known.
fn recognised(preset: &Preset) -> String {
    let title = &preset.provider().title;
    match preset.known() {
        Known::Named => title.clone(),
        known => format!("{title}, recognised {}", known.how()),
    }
}

/// Looks at every end of an account, sources first. `limits` are the job's. Asks for secrets, at the terminal where the job says so.
#[must_use]
pub fn account(account: &Account, limits: &JobLimits) -> Vec<Survey> {
    let sources = account.sources.iter();
    let sources = sources.map(|s| store(&s.store, End::Source, Some(s)));
    let destinations = account.destinations.iter();
    let destinations = destinations.map(|d| store(&d.store, End::Destination, None));
    let mut surveys: Vec<Survey> = sources.chain(destinations).collect();
    for measured in surveys.iter_mut().filter_map(|s| s.measured.as_mut()) {
        measured.limit(limits.whole);
        measured.limit(limits.per_host);
    }
    add_time(&mut surveys);
    surveys
}

/// Tells at each destination how long a run to it will take, where every source could be measured.
fn add_time(surveys: &mut [Survey]) {
    let sources = surveys.iter().filter(|survey| survey.end == End::Source);
    let Some(from) = sources.map(|s| s.measured).collect::<Option<Vec<_>>>() else {
        return;
    };
    let destinations = surveys.iter_mut();
    for survey in destinations.filter(|survey| survey.end == End::Destination) {
        let Some(to) = survey.measured else { continue };
        if let Some(estimate) = estimate(&from, &to) {
            survey.tell(Topic::Time, estimate.words());
        }
    }
}

/// What signing in showed, for `init`.
#[derive(Debug, Clone, Default)]
pub struct Glimpse {
    /// A sentence for the person in front.
    pub told: String,
    /// The `preset` of a provider that was recognised by what the server said, where none was known.
    pub preset: Option<String>,
    /// The folders, for the mapping.
    pub folders: Folders,
}

/// Signs in at a server that `init` found, and out again.
pub fn try_sign_in(
    server: &Candidate,
    end: End,
    ca_file: Option<&Path>,
    password: &SecretRef,
    book: &Book,
) -> Result<Glimpse> {
    let mut endpoint = server.endpoint(end);
    if let Some(path) = ca_file {
        endpoint.trust = Trust::CaFile(path.to_owned());
    }
    let who = format!(
        "{}://{}@{}",
        server.protocol.as_str(),
        server.user,
        server.host
    );
    let secret = password.resolve(&who).map_err(|e| e.at(end))?;
    let credentials = Credentials {
        user: server.user.clone(),
        master: None,
        mechanism: None,
        secret: Secret::Password(secret),
    };
    let mut glimpse = match server.protocol {
        Protocol::Imap => {
            let mut session = crate::imap::Session::open(&endpoint, &credentials)?;
            let mailboxes = session.list(false)?;
            let glimpse = imap::glimpse(&session, mailboxes, server.preset.is_none(), book);
            session.logout()?;
            glimpse
        }
        Protocol::Pop3 => {
            let mut session = crate::pop3::Session::open(&endpoint, &credentials)?;
            let (messages, _) = session.stat()?;
            session.quit()?;
            Glimpse {
                told: format!("the inbox with {messages} messages"),
                ..Glimpse::default()
            }
        }
    };
    glimpse.told = format!("as {}; {}", server.user, glimpse.told);
    Ok(glimpse)
}

fn store(store: &Store, end: End, source: Option<&SourceSpec>) -> Survey {
    let mut survey = Survey {
        end,
        mailbox: store.to_string(),
        facts: Vec::new(),
        advice: Vec::new(),
        error: None,
        measured: None,
    };
    let done = match store {
        Store::Server(server) => survey.server(server),
        Store::Local(local) => survey.files(local, source),
    };
    survey.error = done.err().map(|e| e.at(end));
    survey
}

impl Survey {
    fn tell(&mut self, topic: Topic, text: impl Into<String>) {
        let text = text.into();
        self.facts.push(Fact { topic, text });
    }

    fn advise(&mut self, text: impl Into<String>) {
        self.advice.push(text.into());
    }

    fn server(&mut self, server: &Server) -> Result<()> {
        self.provider(server);
        self.certificate(server)?;
        let login = server.login()?;
        match server.protocol {
            Protocol::Imap => self.imap(server, &login),
            Protocol::Pop3 => self.pop3(server, &login),
        }
    }

    fn provider(&mut self, server: &Server) {
        let preset = &server.preset;
        let provider = preset.provider();
        if provider.name.is_empty() {
            return;
        }
        self.tell(Topic::Provider, recognised(preset));
        if preset.known() != Known::Named {
            self.advise(format!("preset = \"{}\"", provider.name));
        }
    }

    /// Whether it is trusted shows when the session is opened.
    fn certificate(&mut self, server: &Server) -> Result<()> {
        let endpoint = &server.endpoint;
        let trust = match &endpoint.trust {
            Trust::System => "judged by this system's authorities",
            Trust::CaFile(_) => "judged by ca-file alone",
            Trust::Pin(_) => "judged by its pin alone",
        };
        match endpoint.security {
            Security::Tls => {
                let shown = certificate(endpoint)?;
                self.shown(&shown, trust, SystemTime::now());
            }
            Security::StartTls => self.tell(Topic::Certificate, trust),
            Security::Plain if loopback(&endpoint.host) => {}
            Security::Plain => {
                let advice =
                    "security = \"tls\", if the server has it: mail and password go unencrypted";
                self.advise(advice);
            }
        }
        Ok(())
    }

    fn shown(&mut self, shown: &Shown, trust: &str, now: SystemTime) {
        let issuer = shown.issuer.as_deref().unwrap_or("nobody that can be read");
        let days = shown.valid_until.map(|until| days_left(until, now));
        let until = match days {
            None => "its last day cannot be read".to_owned(),
            Some(days) if days < 0 => "expired".to_owned(),
            Some(days) => format!("{days} days left"),
        };
        let sha256 = &shown.sha256;
        let text = format!("{until}; from {issuer}; {trust}; SHA-256 {sha256}");
        self.tell(Topic::Certificate, text);
        if days.is_some_and(|days| (0..SOON).contains(&days)) {
            let days = days.unwrap_or_default();
            self.advise(format!(
                "run before the certificate ends, in {days} days, or see to it that it is renewed"
            ));
        }
    }

    fn signed_in(&mut self, login: &Credentials, by: Option<Mechanism>) {
        let by = by.map_or_else(
            || "by the server itself (PREAUTH)".to_owned(),
            |by| format!("as {} by {}", login.signs_in(), by.name()),
        );
        self.tell(Topic::SignedIn, by);
    }

    /// A source is listed, as `plan` does it: what cannot be read shows now.
    fn files(&mut self, local: &Local, source: Option<&SourceSpec>) -> Result<()> {
        if let Some(source) = source {
            let folders = source::open(source, 0, None)?.folders()?;
            let messages: u64 = folders.iter().map(|one| u64::from(one.messages)).sum();
            let listed = format!("{} with {messages} messages", folders.len());
            self.tell(Topic::Folders, listed);
            return Ok(());
        }
        let there = if local.path.exists() {
            "stand there already"
        } else {
            "are not there yet, and will be made"
        };
        self.tell(Topic::Files, there);
        Ok(())
    }
}
