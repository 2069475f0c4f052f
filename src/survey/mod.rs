//! A look at the ends of a job before its first run: what each can do, and what the job should say. Changes nothing.

pub mod draft;
pub mod find;
mod imap;
mod pop3;

use crate::auth::{Credentials, Mechanism, Secret, SecretRef};
use crate::error::{End, Error, Result};
use crate::job::{Account, Local, Protocol, Server, SourceSpec, Store};
use crate::net::{Security, Trust, certificate, loopback};
use crate::source;
use find::Candidate;
use std::path::Path;

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
    Files,
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
            Topic::Files => "files",
        }
    }
}

/// Looks at every end of an account, sources first. Asks for secrets, at the terminal where the job says so.
#[must_use]
pub fn account(account: &Account) -> Vec<Survey> {
    let sources = account.sources.iter();
    let sources = sources.map(|s| store(&s.store, End::Source, Some(s)));
    let destinations = account.destinations.iter();
    let destinations = destinations.map(|d| store(&d.store, End::Destination, None));
    sources.chain(destinations).collect()
}

/// Signs in at a server that `init` found, and out again. Gives what it saw, in words.
pub fn try_sign_in(
    server: &Candidate,
    end: End,
    ca_file: Option<&Path>,
    password: &SecretRef,
) -> Result<String> {
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
    let seen = match server.protocol {
        Protocol::Imap => {
            let mut session = crate::imap::Session::open(&endpoint, &credentials)?;
            let mailboxes = session.list(false)?;
            session.logout()?;
            imap::folders(&mailboxes)
        }
        Protocol::Pop3 => {
            let mut session = crate::pop3::Session::open(&endpoint, &credentials)?;
            let (messages, _) = session.stat()?;
            session.quit()?;
            format!("the inbox with {messages} messages")
        }
    };
    Ok(format!("as {}; {seen}", server.user))
}

fn store(store: &Store, end: End, source: Option<&SourceSpec>) -> Survey {
    let mut survey = Survey {
        end,
        mailbox: store.to_string(),
        facts: Vec::new(),
        advice: Vec::new(),
        error: None,
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
        let how = if preset.recognised {
            ", recognised by the host"
        } else {
            ""
        };
        self.tell(Topic::Provider, format!("{}{how}", provider.title));
        if preset.recognised {
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
                self.tell(Topic::Certificate, format!("{trust}; SHA-256 {shown}"));
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
