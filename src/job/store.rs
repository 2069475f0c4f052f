//! Where an end's mail is: on a server, or in files of this machine.

use super::providers::{Behaviour, Preset};
use super::spec::{Layout, MailFormat, Protocol};
use crate::auth::{Credentials, Mechanism, Proof};
use crate::error::Result;
use crate::format::mbox::Dialect;
use crate::net::Endpoint;
use std::fmt;
use std::path::PathBuf;

/// Work goes on over so many files at once at most.
const LOCAL_LANES: usize = 4;

/// One end's mail.
#[derive(Debug, Clone)]
pub enum Store {
    Server(Box<Server>),
    Local(Local),
}

/// A server at either end.
#[derive(Debug, Clone)]
pub struct Server {
    pub protocol: Protocol,
    pub preset: Preset,
    pub endpoint: Endpoint,
    pub user: String,
    /// Who signs in where that is not the user: an administrator, whose password it then is (`master-user`).
    pub master_user: Option<String>,
    pub password: Proof,
    /// The only way to sign in (`mechanism`); `None`: the strongest that the server has too.
    pub mechanism: Option<Mechanism>,
    /// At most so many connections at once (`connections`).
    pub connections: usize,
}

/// Files at either end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    pub format: LocalFormat,
    /// Absolute. A directory; for mbox and eml a file too.
    pub path: PathBuf,
    /// How folders lie in a Maildir tree; `None`: a source finds out, a destination is Maildir++.
    pub layout: Option<Layout>,
    /// How a destination that is an archive keeps mail (`format`).
    pub mail: MailFormat,
    /// Of the mbox files of a source; `None`: each file has to tell its own.
    pub dialect: Option<Dialect>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocalFormat {
    Maildir,
    Mbox,
    /// One file a message, directories for folders; a source only.
    Eml,
    /// mailhaul's own: mail, sidecars and a journal.
    Archive,
}

impl LocalFormat {
    /// The word of a job.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            LocalFormat::Maildir => "maildir",
            LocalFormat::Mbox => "mbox",
            LocalFormat::Eml => "eml",
            LocalFormat::Archive => "archive",
        }
    }
}

impl Server {
    /// Gets the secret, perhaps by asking at the terminal. Errors: `Code::Secret`.
    pub fn login(&self) -> Result<Credentials> {
        Ok(Credentials {
            user: self.user.clone(),
            master: self.master_user.clone(),
            mechanism: self.mechanism,
            secret: self.password.resolve(&self.user, &self.to_string())?,
        })
    }
}

impl Store {
    #[must_use]
    pub fn server(&self) -> Option<&Server> {
        match self {
            Store::Server(server) => Some(server),
            Store::Local(_) => None,
        }
    }

    #[must_use]
    pub fn local(&self) -> Option<&Local> {
        match self {
            Store::Server(_) => None,
            Store::Local(local) => Some(local),
        }
    }

    #[must_use]
    pub fn is_local(&self) -> bool {
        self.local().is_some()
    }

    #[must_use]
    pub fn is_archive(&self) -> bool {
        self.local()
            .is_some_and(|local| local.format == LocalFormat::Archive)
    }

    #[must_use]
    pub fn is_pop3(&self) -> bool {
        self.server()
            .is_some_and(|server| server.protocol == Protocol::Pop3)
    }

    /// At most so much at once.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.server()
            .map_or(LOCAL_LANES, |server| server.connections)
    }

    /// Does this end take `Sent` and `SENT` for one folder?
    #[must_use]
    pub fn folders_ignore_case(&self) -> bool {
        self.server()
            .is_some_and(|server| server.preset.has(Behaviour::FoldersIgnoreCase))
    }

    /// What `plan` tells about an end of this kind, a sentence each.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let notes = |server: &Server| server.preset.notes(server.protocol, server.endpoint.end);
        self.server().map(notes).unwrap_or_default()
    }
}

/// `imap://user@host`, `maildir:/path`: what makes an end another one. Port and security may change without that.
impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Store::Server(server) => write!(f, "{server}"),
            Store::Local(local) => write!(f, "{local}"),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.protocol.as_str();
        let host = self.endpoint.host.to_ascii_lowercase();
        write!(f, "{scheme}://{}@{host}", self.user)
    }
}

impl fmt::Display for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.format.as_str(), self.path.display())
    }
}
