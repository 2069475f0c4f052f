//! Providers as data: hosts, limits, habits, and what a user has to know beforehand. The data is `providers.toml` in this
//! directory; a file of that name beside the job adds to it and wins.

mod book;
mod page;
mod recognise;

pub use book::{AuthorizationServer, Book};
pub use page::page;
pub use recognise::Known;

use super::spec::Protocol;
use crate::error::End;
use crate::net::Security;
use serde::Deserialize;
use std::sync::Arc;

/// A provider, or a kind of server.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Provider {
    /// As a job's `preset` names it.
    pub name: String,
    pub title: String,
    /// Hosts by which it is recognised where the job names no preset.
    #[serde(default)]
    pub recognise: Vec<String>,
    /// Words in its greeting or in its answer to ID (RFC 2971) by which it is recognised where the host is not known.
    #[serde(default)]
    pub says: Vec<String>,
    /// Domains of its addresses, for `init`.
    #[serde(default)]
    pub domains: Vec<String>,
    pub imap: Option<Door>,
    pub pop3: Option<Door>,
    pub secret: Wanted,
    /// The name of its authorization server.
    pub authorization: Option<String>,
    /// The most IMAP connections at once.
    pub connections: Option<usize>,
    /// The largest message it takes, where the server itself does not say.
    pub append_limit: Option<Size>,
    #[serde(default)]
    pub daily: Daily,
    /// About how many messages one POP3 session lists before the rest comes in the next one.
    pub pop3_lists_at_most: Option<u32>,
    #[serde(default)]
    pub behaviours: Vec<Behaviour>,
    /// How it separates the parts of folder names, where that is not `/`.
    pub separator: Option<char>,
    #[serde(default)]
    pub imap_notes: Vec<String>,
    /// What happens to some of the mail that is brought there.
    #[serde(default)]
    pub destination_notes: Vec<String>,
    #[serde(default)]
    pub pop3_notes: Vec<String>,
}

/// Where a protocol is spoken.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Door {
    pub host: String,
    pub port: Option<u16>,
    #[serde(default)]
    pub security: DoorSecurity,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DoorSecurity {
    #[default]
    Tls,
    Starttls,
}

/// What a mail program signs in with there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wanted {
    /// The account's own.
    #[default]
    Password,
    /// One made for mail programs, in the account's settings.
    AppPassword,
    /// A token, and no password.
    Oauth2,
}

/// A habit that the code has an answer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Behaviour {
    /// Expunging only takes a label off: what is to be deleted is moved to the Trash.
    DeleteThroughTrash,
    /// `Sent` and `SENT` are one folder.
    FoldersIgnoreCase,
    /// Keywords with other characters than letters, digits and `$ _ -` are refused, with the whole message.
    PlainKeywordsOnly,
    /// Its OK has been seen without anything stored: every message is read back, whatever `verify` says short of "none".
    ReadBackAll,
}

/// Bytes a day.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Daily {
    pub imap_down: Option<Size>,
    pub imap_up: Option<Size>,
    pub pop3_down: Option<Size>,
}

/// A size as it is written (`"25 MB"`), in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Size(pub u64);

impl TryFrom<String> for Size {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let size: bytesize::ByteSize = text.parse()?;
        Ok(Size(size.as_u64()))
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} MB", self.0 / 1_000_000)
    }
}

impl Behaviour {
    pub const ALL: [Behaviour; 4] = [
        Behaviour::DeleteThroughTrash,
        Behaviour::FoldersIgnoreCase,
        Behaviour::PlainKeywordsOnly,
        Behaviour::ReadBackAll,
    ];

    /// A sentence for the documentation.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Behaviour::DeleteThroughTrash => {
                "`delete-through-trash`: `after = \"delete\"` moves mail to the Trash, since expunging elsewhere only takes a label off"
            }
            Behaviour::FoldersIgnoreCase => {
                "`folders-ignore-case`: `Sent` and `SENT` are one folder"
            }
            Behaviour::PlainKeywordsOnly => {
                "`plain-keywords-only`: keywords with other characters than letters, digits and `$ _ -` are left out, and told"
            }
            Behaviour::ReadBackAll => {
                "`read-back-all`: its OK has been seen without anything stored, so every message is read back, as with `verify = \"all\"`"
            }
        }
    }
}

/// The provider of an end of a job, shared by what works for it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Preset {
    provider: Arc<Provider>,
    known: Known,
    /// Whom to listen for where nobody is known yet.
    voices: recognise::Voices,
}

impl Preset {
    #[must_use]
    pub fn new(provider: Provider, known: Known) -> Self {
        Preset {
            provider: Arc::new(provider),
            known,
            voices: recognise::Voices::default(),
        }
    }

    /// How it became known whose server it is.
    #[must_use]
    pub fn known(&self) -> Known {
        self.known
    }

    #[must_use]
    pub fn provider(&self) -> &Provider {
        &self.provider
    }

    #[must_use]
    pub fn has(&self, behaviour: Behaviour) -> bool {
        self.provider.behaviours.contains(&behaviour)
    }

    /// The provider's server for a protocol; `None`: the job has to name it.
    #[must_use]
    pub fn door(&self, protocol: Protocol) -> Option<&Door> {
        self.provider.door(protocol)
    }

    /// The most connections the provider allows at once. A POP3 maildrop takes one session (RFC 1939 §8).
    #[must_use]
    pub fn most_connections(&self, protocol: Protocol) -> usize {
        match protocol {
            Protocol::Pop3 => 1,
            Protocol::Imap => self.provider.connections.unwrap_or(32),
        }
    }

    /// What `plan` tells about an end of this kind, a sentence each.
    #[must_use]
    pub fn notes(&self, protocol: Protocol, end: End) -> Vec<String> {
        let mut notes = Vec::from_iter(self.assumed(end));
        if end == End::Source {
            notes.extend(self.source_notes(protocol));
        }
        if end == End::Destination {
            notes.extend(self.provider.destination_notes.clone());
        }
        notes.extend(self.daily_note(protocol, end));
        notes.extend(self.separator_note(protocol, end));
        notes
    }

    /// What was taken for granted of an end that the job names no preset for.
    #[must_use]
    pub fn assumed(&self, end: End) -> Option<String> {
        let Provider { name, title, .. } = self.provider();
        let how = self.known.how();
        (self.known != Known::Named).then(|| {
            format!(
                "The {end} is recognised as {title} {how} (preset = \"{name}\"); where that is wrong, write preset = \"generic\"."
            )
        })
    }

    /// The notes where only the server's own words told whose it is; none where nothing follows from that.
    #[must_use]
    pub fn heard(&self, protocol: Protocol, end: End) -> Vec<String> {
        match self.known {
            Known::ByGreeting | Known::ById if self.provider.is_particular() => {
                self.notes(protocol, end)
            }
            _ => Vec::new(),
        }
    }

    fn source_notes(&self, protocol: Protocol) -> Vec<String> {
        match protocol {
            Protocol::Imap => self.provider.imap_notes.clone(),
            Protocol::Pop3 if self.provider.pop3_notes.is_empty() => vec![POP3_NOTE.to_owned()],
            Protocol::Pop3 => self.provider.pop3_notes.clone(),
        }
    }

    fn separator_note(&self, protocol: Protocol, end: End) -> Option<String> {
        let separator = self.provider.separator?;
        let title = &self.provider.title;
        (protocol == Protocol::Imap && end == End::Destination).then(|| {
            format!("{title} writes {separator:?} between the parts of a folder's name, so that no name can hold one; where one does, the plan shows what it becomes.")
        })
    }

    /// Bytes a day that the provider lets be read (at a source) or stored (at a destination).
    #[must_use]
    pub fn daily(&self, protocol: Protocol, end: End) -> Option<u64> {
        let daily = &self.provider.daily;
        let size = match (protocol, end) {
            (Protocol::Imap, End::Source) => daily.imap_down,
            (Protocol::Imap, End::Destination) => daily.imap_up,
            (Protocol::Pop3, _) => daily.pop3_down,
        };
        size.map(|size| size.0)
    }

    fn daily_note(&self, protocol: Protocol, end: End) -> Option<String> {
        let way = match end {
            End::Source => "read",
            End::Destination => "stored",
        };
        let title = &self.provider.title;
        self.daily(protocol, end).map(Size).map(|size| {
            format!("{title} lets about {size} a day be {way} so; [limits] on-daily-limit says what happens then.")
        })
    }
}

const POP3_NOTE: &str = "POP3 shows the inbox alone: no other folders, no flags; read and unread are not known. Dates are taken from the messages' own headers.";

impl Provider {
    /// Its server for a protocol.
    #[must_use]
    pub fn door(&self, protocol: Protocol) -> Option<&Door> {
        match protocol {
            Protocol::Imap => self.imap.as_ref(),
            Protocol::Pop3 => self.pop3.as_ref(),
        }
    }

    /// Is there anything that one does otherwise there, or should know?
    fn is_particular(&self) -> bool {
        let told = [&self.imap_notes, &self.destination_notes];
        let limits = self.append_limit.is_some() || self.daily != Daily::default();
        limits
            || self.separator.is_some()
            || !self.behaviours.is_empty()
            || told.iter().any(|notes| !notes.is_empty())
    }

    /// Is this the name of one of its servers?
    #[must_use]
    pub fn is_at(&self, host: &str) -> bool {
        self.recognise.iter().any(|h| h.eq_ignore_ascii_case(host))
    }
}

impl Door {
    #[must_use]
    pub fn security(&self) -> Security {
        match self.security {
            DoorSecurity::Tls => Security::Tls,
            DoorSecurity::Starttls => Security::StartTls,
        }
    }
}

impl Protocol {
    /// The word of a job.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Protocol::Imap => "imap",
            Protocol::Pop3 => "pop3",
        }
    }

    /// The registered port (RFC 8314 §3, RFC 9051 §2.1, RFC 1939 §3).
    #[must_use]
    pub fn port(self, security: Security) -> u16 {
        match (self, security) {
            (Protocol::Imap, Security::Tls) => 993,
            (Protocol::Imap, _) => 143,
            (Protocol::Pop3, Security::Tls) => 995,
            (Protocol::Pop3, _) => 110,
        }
    }

    /// Connections at once where the job does not say.
    #[must_use]
    pub fn usual_connections(self) -> usize {
        match self {
            Protocol::Imap => 4,
            Protocol::Pop3 => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gmail() -> Preset {
        let book = Book::load(std::path::Path::new("/nonexistent")).unwrap();
        Preset::new(book.named("gmail").unwrap().clone(), Known::Named)
    }

    #[test]
    fn ports_follow_protocol_and_security() {
        use Protocol::{Imap, Pop3};
        use Security::{Plain, StartTls, Tls};
        let ports = [(Imap, Tls, 993), (Imap, StartTls, 143), (Imap, Plain, 143)];
        let pop_ports = [(Pop3, Tls, 995), (Pop3, StartTls, 110), (Pop3, Plain, 110)];
        for (protocol, security, port) in ports.into_iter().chain(pop_ports) {
            assert_eq!(protocol.port(security), port);
        }
    }

    #[test]
    fn gmail_over_pop3_tells_what_it_hides() {
        let notes = gmail().notes(Protocol::Pop3, End::Source).join(" ");
        assert!(notes.contains("no labels") && notes.contains("250 to 300"));
        assert!(notes.contains("1250 MB a day"), "{notes}");
        let generic = Preset::default();
        assert!(generic.notes(Protocol::Imap, End::Source).is_empty());
        assert_eq!(generic.notes(Protocol::Pop3, End::Source), [POP3_NOTE]);
    }

    #[test]
    fn what_was_recognised_is_told_and_limits_of_a_destination_too() {
        let preset = Preset {
            known: Known::ByHost,
            ..gmail()
        };
        let notes = preset.notes(Protocol::Imap, End::Destination).join(" ");
        assert!(
            notes.contains("The destination is recognised as Gmail, Google Workspace by its host"),
            "{notes}"
        );
        assert!(notes.contains("500 MB a day be stored"), "{notes}");
        assert!(!notes.contains("labels"), "{notes}");
    }
}
