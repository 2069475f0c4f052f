//! A look at an IMAP server.

use super::estimate::Measured;
use super::mapping::Folders;
use super::measure::measure;
use super::{Glimpse, Survey, Topic, recognised};
use crate::auth::Credentials;
use crate::error::{End, Kind, Result};
use crate::imap::{Capabilities, Mailbox, Namespace, Session};
use crate::job::Server;
use crate::job::providers::{Book, Known, Preset, Provider, Size};
use bytesize::ByteSize;

impl Survey {
    pub(super) fn imap(&mut self, server: &Server, login: &Credentials) -> Result<()> {
        let mut session = Session::open(&server.endpoint, login)?;
        self.signed_in(login, session.signed_in_by());
        let capabilities = session.capabilities().clone();
        let preset = server.preset.after_hearing(session.introduction());
        if preset != server.preset {
            self.tell(Topic::Provider, recognised(&preset));
            self.advise(format!("preset = \"{}\"", preset.provider().name));
        }
        self.tell(Topic::Can, words(&capabilities, self.end).join("; "));
        let mailboxes = session.list(false)?;
        self.tell(Topic::Folders, folders(&mailboxes));
        self.tell(Topic::Names, names(session.personal()));
        if let Some(quota) = session.quota()? {
            let (used, limit) = (ByteSize(quota.used), ByteSize(quota.limit));
            self.tell(Topic::Room, format!("{used} of {limit} used"));
            if self.end == End::Destination && quota.used >= quota.limit / 10 * 9 {
                self.advise("make room at the destination before running: it is nearly full");
            }
        }
        self.limits(server, preset.provider(), &capabilities);
        self.habits(preset.provider(), &capabilities, server.connections);
        self.measured = match self.measure(&mut session, &mailboxes, server, preset.provider()) {
            // A folder that cannot be opened is no reason to call the server unfit.
            Err(error) if error.kind == Kind::Folder => None,
            measured => Some(measured?),
        };
        session.logout()
    }

    fn measure(
        &self,
        session: &mut Session,
        mailboxes: &[Mailbox],
        server: &Server,
        provider: &Provider,
    ) -> Result<Measured> {
        let reads = self.end == End::Source;
        let measured = measure(session, mailboxes, reads)?;
        let c = session.capabilities();
        Ok(Measured {
            at_once: c.multiappend || c.literal_plus,
            connections: server.connections,
            daily: self.daily(server, provider).map(|size| size.0),
            limits: server.limits,
            ..measured
        })
    }

    /// Bytes a day: the job's word, else what is known of the provider that was recognised.
    fn daily(&self, server: &Server, provider: &Provider) -> Option<Size> {
        let known = match self.end {
            End::Source => provider.daily.imap_down,
            End::Destination => provider.daily.imap_up,
        };
        server.per_day.map(Size).or(known)
    }

    fn limits(&mut self, server: &Server, provider: &Provider, capabilities: &Capabilities) {
        let told = capabilities.append_limit;
        let most = told.or(provider.append_limit.map(|size| size.0));
        let mut limits = Vec::new();
        if let (Some(most), End::Destination) = (most, self.end) {
            limits.push(format!("messages up to {}", ByteSize(most)));
        }
        if let Some(connections) = provider.connections {
            limits.push(format!("{connections} connections at once"));
        }
        limits.extend(
            self.daily(server, provider)
                .map(|size| format!("{size} a day")),
        );
        if !limits.is_empty() {
            self.tell(Topic::Limits, limits.join("; "));
        }
    }

    fn habits(&mut self, provider: &Provider, capabilities: &Capabilities, connections: usize) {
        let named = !provider.name.is_empty();
        if let Some(most) = provider.connections.filter(|most| *most < connections) {
            self.advise(format!("connections = {most}: it takes no more at once"));
        }
        if capabilities.gmail && !named {
            self.advise("preset = \"gmail\": the server speaks Gmail's dialect");
        }
        if self.end == End::Source && !capabilities.uidplus {
            self.advise(
                "after = \"keep\": without UIDPLUS the server cannot delete single messages, only mark them",
            );
        }
    }
}

/// Capabilities in words, those that matter at this end.
fn words(capabilities: &Capabilities, end: End) -> Vec<&'static str> {
    let c = capabilities;
    let told: &[(bool, &str, &str)] = match end {
        End::Source => &[
            (
                c.list_status,
                "tell all folders' state at once",
                "folders have to be asked one by one",
            ),
            (
                c.condstore,
                "tell only what changed since the last run",
                "flags have to be read anew each run",
            ),
            (
                c.special_use,
                "tell which folder is for sent mail, drafts, trash",
                "what folders are for shows by their names only",
            ),
            (
                c.uidplus,
                "delete single messages",
                "cannot delete single messages",
            ),
        ],
        End::Destination => &[
            (
                c.multiappend,
                "take many messages in one command",
                "takes messages one by one",
            ),
            (
                c.literal_plus || c.literal_minus,
                "take them without asking back",
                "asks back before each message",
            ),
            (
                c.uidplus,
                "tell where a message was stored",
                "does not tell where a message was stored: it is looked for",
            ),
            (
                c.create_special_use,
                "be told what a folder is for",
                "cannot be told what a new folder is for",
            ),
        ],
    };
    let word = |(can, yes, no): &(bool, &'static str, &'static str)| if *can { *yes } else { *no };
    told.iter().map(word).collect()
}

/// How folder names are written there.
fn names(personal: &Namespace) -> String {
    let between = personal.separator.map_or_else(
        || "one level of folders".to_owned(),
        |separator| format!("{:?} between folders", char::from(separator)),
    );
    match personal.prefix.as_slice() {
        b"" => between,
        prefix => format!(
            "{between}, {:?} before each",
            String::from_utf8_lossy(prefix)
        ),
    }
}

/// What `init` shows and keeps of a session. `unknown`: nobody knows yet whose server it is.
pub(super) fn glimpse(
    session: &Session,
    mailboxes: Vec<Mailbox>,
    unknown: bool,
    book: &Book,
) -> Glimpse {
    let mut told = format!("folders: {}", folders(&mailboxes));
    let heard = Preset::unknown(book).after_hearing(session.introduction());
    let preset = (unknown && heard.known() != Known::Named).then(|| heard.provider().name.clone());
    if preset.is_some() {
        told = format!("{told}; {}", recognised(&heard));
    }
    let personal = session.personal().clone();
    Glimpse {
        told,
        preset,
        folders: Folders::of(mailboxes, personal),
    }
}

pub(super) fn folders(mailboxes: &[Mailbox]) -> String {
    let selectable = mailboxes.iter().filter(|m| m.selectable);
    let messages: u64 = selectable
        .clone()
        .filter_map(|m| m.status)
        .map(|status| u64::from(status.messages))
        .sum();
    let count = selectable.count();
    format!("{count} with {messages} messages")
}
