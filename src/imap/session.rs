//! A session: one connection, logged in, with one owner.

use super::capability::Capabilities;
use super::introduction::Introduction;
use super::link::{Each, Nothing};
use super::list::{self, Namespace};
use super::login;
use super::quote::{self, Command};
use super::response::{Completion, Line};
use super::sign_in::{SignedIn, sign_in};
use super::state::Selected;
use super::stream::UnderWay;
use super::unanswered::Unanswered;
use super::vet::{Gate, Handle};
use crate::auth::{Credentials, Mechanism, with_fresh_secret};
use crate::error::{Error, Kind, Result};
use crate::message::{Flags, SpecialUse};
use crate::net::Endpoint;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::MutexGuard;

/// One connection to an IMAP server, logged in. Dropped without [`Session::logout`] it just closes.
///
/// Any error that is transient leaves the session unusable: open another.
pub struct Session {
    pub(super) handle: Handle,
    control: imap::Session<Handle>,
    pub(super) capabilities: Capabilities,
    pub(super) namespaces: list::Namespaces,
    introduction: Introduction,
    selected: Option<(Vec<u8>, bool)>,
    peer_address: Option<SocketAddr>,
    signed_in_by: Option<Mechanism>,
    pub(super) synchronising: bool,
    pub(super) appends: Unanswered,
    /// Asked for while something else flowed, in this order.
    pub(super) ahead: VecDeque<UnderWay>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("peer", &self.peer_address)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// Connects, does STARTTLS where asked, logs in, names itself (ID, RFC 2971) and learns namespaces (RFC 2342).
    ///
    /// Errors: `Code::Tls` before anything secret is sent where TLS cannot be had; `Code::Auth`, `Kind::Account` with the
    /// server's words for a refused login; `Kind::Throttled` where the server has no room for one more session.
    pub fn open(endpoint: &Endpoint, credentials: &Credentials) -> Result<Session> {
        with_fresh_secret(credentials, |secret| {
            let opened = login::open(endpoint)?;
            let peer_address = opened.peer_address;
            let signed_in = sign_in(opened, endpoint, credentials, secret)?;
            Self::start(signed_in, peer_address)
        })
        .map_err(|e| e.at(endpoint.end))
    }

    fn start(signed_in: SignedIn, peer_address: Option<SocketAddr>) -> Result<Session> {
        let SignedIn {
            handle,
            control,
            by,
        } = signed_in;
        let (capabilities, (namespaces, introduction)) = {
            let mut gate = handle.gate();
            let capabilities = login::capabilities(&mut gate.link)?;
            let namespaces = list::introduce(&mut gate.link, &capabilities)?;
            (capabilities, namespaces)
        };
        let mut session = Session {
            handle,
            control,
            capabilities,
            namespaces,
            introduction,
            selected: None,
            peer_address,
            signed_in_by: by,
            synchronising: false,
            appends: Unanswered::default(),
            ahead: VecDeque::new(),
        };
        session.set_synchronising(false);
        Ok(session)
    }

    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// How many messages of the selected mailbox were told as expunged since it was selected.
    #[must_use]
    pub fn expunged(&self) -> u32 {
        self.handle.gate().link.state.expunged
    }

    /// How it signed in; `None`: the server had done it by itself (PREAUTH).
    #[must_use]
    pub fn signed_in_by(&self) -> Option<Mechanism> {
        self.signed_in_by
    }

    /// The user's own namespace.
    #[must_use]
    pub fn personal(&self) -> &Namespace {
        &self.namespaces.personal
    }

    /// What the server said of itself.
    #[must_use]
    pub fn introduction(&self) -> &Introduction {
        &self.introduction
    }

    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer_address
    }

    /// Name (wire bytes) of the selected mailbox, and whether it was selected for reading and writing.
    #[must_use]
    pub fn selected(&self) -> Option<(&[u8], bool)> {
        self.selected
            .as_ref()
            .map(|(name, write)| (name.as_slice(), *write))
    }

    /// Is the connection still good for commands?
    #[must_use]
    pub fn is_usable(&self) -> bool {
        !self.gate().link.broken
    }

    /// With `true` every literal waits for the server's go-ahead, whatever the server offers.
    pub fn set_synchronising(&mut self, synchronising: bool) {
        self.synchronising = synchronising;
        let limit = match &self.capabilities {
            _ if synchronising => None,
            c if c.literal_plus => Some(u64::MAX),
            c if c.literal_minus => Some(4096),
            _ => None,
        };
        self.gate().link.at_once = limit;
    }

    pub(super) fn gate(&self) -> MutexGuard<'_, Gate> {
        self.handle.gate()
    }

    /// Runs one command by the `imap` crate; `what` names it in errors.
    fn control<T>(
        &mut self,
        what: &'static str,
        otherwise: Kind,
        run: impl FnOnce(&mut imap::Session<Handle>) -> imap::Result<T>,
    ) -> Result<()> {
        {
            let mut gate = self.handle.gate();
            gate.begin(what);
            gate.link.tag()?;
        }
        let result = run(&mut self.control);
        let mut gate = self.handle.gate();
        if let Some(failure) = gate.failure.take() {
            return Err(failure);
        }
        match (result, gate.answer.take()) {
            (Ok(_), Some(answer)) if answer.is_ok() => Ok(()),
            (_, Some(answer)) if !answer.is_ok() => {
                Err(gate.link.peer.refused(&answer, what, otherwise))
            }
            _ => Err(gate.link.protocol("answered a command that was not asked")),
        }
    }

    /// EXAMINE (RFC 9051 §6.3.3): opens a mailbox for reading. Error: `Kind::Folder` where the server refuses.
    pub fn examine(&mut self, name: &[u8]) -> Result<Selected> {
        self.open_mailbox(name, false)
    }

    /// SELECT (RFC 9051 §6.3.2): opens a mailbox for reading and writing. Error: as for [`Session::examine`].
    pub fn select(&mut self, name: &[u8]) -> Result<Selected> {
        self.open_mailbox(name, true)
    }

    fn open_mailbox(&mut self, name: &[u8], write: bool) -> Result<Selected> {
        self.begin_select();
        match std::str::from_utf8(name) {
            Ok(plain) if quote::quoted(name).is_some() && write => {
                self.control("SELECT", Kind::Folder, |control| control.select(plain))?;
            }
            Ok(plain) if quote::quoted(name).is_some() => {
                self.control("EXAMINE", Kind::Folder, |control| control.examine(plain))?;
            }
            _ => {
                let verb = if write { "SELECT " } else { "EXAMINE " };
                self.run(
                    &Command::new(verb).string(name),
                    verb.trim_end(),
                    Kind::Folder,
                )?;
            }
        }
        self.note_selected(name, write);
        Ok(self.gate().link.state.selected.clone())
    }

    pub(super) fn begin_select(&mut self) {
        self.selected = None;
        self.gate().link.state.begin_select();
    }

    pub(super) fn note_selected(&mut self, name: &[u8], write: bool) {
        let read_only = self.gate().link.state.selected.read_only;
        self.selected = Some((name.to_vec(), write && !read_only));
    }

    /// One command of our own engine, its untagged responses of no interest.
    pub(super) fn run(
        &mut self,
        command: &Command,
        what: &'static str,
        otherwise: Kind,
    ) -> Result<Completion> {
        let mut gate = self.gate();
        gate.link.doing = what;
        let answer = gate.link.run(command, &mut Nothing)?;
        if answer.is_ok() {
            return Ok(answer);
        }
        Err(gate.link.peer.refused(&answer, what, otherwise))
    }

    /// UID STORE +FLAGS.SILENT and -FLAGS.SILENT (RFC 9051 §6.4.6) on UID ranges of the selected mailbox.
    pub fn store(&mut self, set: &[(u32, u32)], add: &Flags, remove: &Flags) -> Result<()> {
        for (sign, flags) in [('+', add), ('-', remove)] {
            let atoms: Vec<String> = flags
                .atoms()
                .into_iter()
                .filter(|atom| quote::is_flag(atom))
                .collect();
            if !atoms.is_empty() {
                self.store_atoms(set, &format!("{sign}FLAGS.SILENT ({})", atoms.join(" ")))?;
            }
        }
        Ok(())
    }

    fn store_atoms(&mut self, set: &[(u32, u32)], query: &str) -> Result<()> {
        for set in quote::sets(set)? {
            self.control("STORE", Kind::Folder, |control| {
                control.uid_store(&set, query)
            })?;
        }
        Ok(())
    }

    /// UID EXPUNGE (RFC 4315): destroys those messages of the set that are flagged `\Deleted`, and no others.
    pub fn uid_expunge(&mut self, set: &[(u32, u32)]) -> Result<()> {
        if !self.capabilities.uidplus {
            return Err(super::fault::local(
                "UID EXPUNGE asked of a server without UIDPLUS",
            ));
        }
        for set in quote::sets(set)? {
            self.control("UID EXPUNGE", Kind::Folder, |control| {
                control.uid_expunge(&set)
            })?;
        }
        Ok(())
    }

    /// UID MOVE (RFC 6851); without it UID COPY, `\Deleted`, and UID EXPUNGE where the server has UIDPLUS.
    pub fn uid_move(&mut self, set: &[(u32, u32)], mailbox: &[u8]) -> Result<()> {
        let (verb, what) = if self.capabilities.move_ {
            ("MOVE", "MOVE")
        } else {
            ("COPY", "COPY")
        };
        for text in quote::sets(set)? {
            let command = Command::new(&format!("UID {verb} {text} ")).string(mailbox);
            self.run(&command, what, Kind::Folder)?;
        }
        if self.capabilities.move_ {
            return Ok(());
        }
        let deleted = Flags {
            deleted: true,
            ..Flags::default()
        };
        self.store(set, &deleted, &Flags::default())?;
        if self.capabilities.uidplus {
            self.uid_expunge(set)?;
        }
        Ok(())
    }

    /// NOOP (RFC 9051 §6.1.2): keeps the connection alive.
    pub fn noop(&mut self) -> Result<()> {
        self.control("NOOP", Kind::Account, imap::Session::noop)
    }

    /// LOGOUT (RFC 9051 §6.1.3). Nothing hangs on its outcome.
    pub fn logout(mut self) -> Result<()> {
        self.gate().link.logging_out = true;
        self.control("LOGOUT", Kind::Transient, imap::Session::logout)
    }

    /// Creates mailboxes (RFC 9051 §6.3.4, RFC 6154 §3), pipelined. One that is there already counts as created. A special
    /// use is named only to a server that can take it, and left out where it refuses that one.
    pub fn create(&mut self, mailboxes: &[(&[u8], Option<SpecialUse>)]) -> Result<Vec<Result<()>>> {
        let with_use = self.capabilities.create_special_use;
        let commands = mailboxes
            .iter()
            .map(|(name, special)| create(name, special.filter(|_| with_use)));
        let mut results = self.each(commands, "CREATE")?;
        for (result, (name, special)) in results.iter_mut().zip(mailboxes) {
            if with_use && special.is_some() && result.as_ref().is_err_and(refuses_use) {
                *result = self
                    .each(std::iter::once(create(name, None)), "CREATE")?
                    .remove(0);
            }
        }
        Ok(results)
    }

    /// Subscribes mailboxes (RFC 9051 §6.3.7), pipelined.
    pub fn subscribe(&mut self, mailboxes: &[&[u8]]) -> Result<Vec<Result<()>>> {
        let commands = mailboxes
            .iter()
            .map(|name| Command::new("SUBSCRIBE ").string(name));
        self.each(commands, "SUBSCRIBE")
    }

    pub(super) fn each(
        &mut self,
        commands: impl Iterator<Item = Command>,
        what: &'static str,
    ) -> Result<Vec<Result<()>>> {
        let mut gate = self.gate();
        gate.link.doing = what;
        let answers = gate
            .link
            .pipeline(commands, &mut Each(|_: &Line<'_>| Ok(())))?;
        let peer = gate.link.peer.clone();
        let outcome = |answer: &Completion| {
            if answer.is_ok() || exists_already(answer) {
                return Ok(());
            }
            Err(peer.refused(answer, what, Kind::Folder))
        };
        Ok(answers.iter().map(outcome).collect())
    }
}

pub(super) fn create(name: &[u8], special: Option<SpecialUse>) -> Command {
    let command = Command::new("CREATE ").string(name);
    match special {
        Some(special) => command.text(&format!(" (USE ({}))", special.attribute())),
        None => command,
    }
}

pub(super) fn refuses_use(error: &Error) -> bool {
    let words = error.words.as_deref().unwrap_or_default();
    words.to_ascii_uppercase().starts_with("[USEATTR")
}

/// By RFC 5530's code, or in the words of servers older than that.
pub(super) fn exists_already(answer: &Completion) -> bool {
    answer.code().as_deref() == Some("ALREADYEXISTS")
        || answer
            .words()
            .to_ascii_lowercase()
            .contains("already exists")
}
