//! LIST, LSUB, NAMESPACE and ID: which mailboxes there are (RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154, RFC 2342, RFC 2971).

use super::capability::Capabilities;
use super::link::{Each, Link};
use super::quote::Command;
use super::response::Line;
use super::scan::{Scanner, Value};
use super::session::Session;
use super::status::{self, Status};
use crate::error::{Kind, Result};
use crate::message::{Folder, SpecialUse};
use std::collections::{BTreeMap, BTreeSet};

/// All names of a listing together, in bytes: a server that sends more is left.
const LISTING_CAP: usize = 64 << 20;

/// A namespace (RFC 2342).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Namespace {
    /// Wire form, separator included; mostly empty or `INBOX.`.
    pub prefix: Vec<u8>,
    pub separator: Option<u8>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Namespaces {
    pub(super) personal: Namespace,
    /// Other users' and shared ones.
    pub(super) others: Vec<Namespace>,
}

/// A mailbox as LIST tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mailbox {
    /// The exact bytes of the wire; `INBOX` in any case comes as `INBOX`.
    pub name: Vec<u8>,
    pub separator: Option<u8>,
    pub selectable: bool,
    pub special_use: Option<SpecialUse>,
    pub subscribed: bool,
    /// `None` where it was not told.
    pub status: Option<Status>,
}

/// The folder of each mailbox of a listing, in order; `prefix`: the personal namespace's. See [`crate::message::twins`].
#[must_use]
pub fn folders(mailboxes: &[Mailbox], prefix: &[u8]) -> Vec<Option<Folder>> {
    let names: Vec<(&[u8], Option<u8>)> = mailboxes
        .iter()
        .map(|mailbox| (&mailbox.name[..], mailbox.separator))
        .collect();
    crate::message::twins::folders(&names, prefix)
}

/// Names the client to the server and learns the namespaces, in one round trip.
pub(super) fn introduce(link: &mut Link, capabilities: &Capabilities) -> Result<Namespaces> {
    link.doing = "learning namespaces";
    let mut commands = Vec::new();
    if capabilities.id {
        let version = env!("CARGO_PKG_VERSION");
        commands.push(Command::new(&format!(
            "ID (\"name\" \"mailhaul\" \"version\" \"{version}\")"
        )));
    }
    commands.push(Command::new(if capabilities.namespace {
        "NAMESPACE"
    } else {
        "LIST \"\" \"\""
    }));
    let mut found = Namespaces::default();
    link.pipeline(
        commands,
        &mut Each(|line: &Line<'_>| {
            learn(line, &mut found);
            Ok(())
        }),
    )?;
    Ok(found)
}

fn learn(line: &Line<'_>, found: &mut Namespaces) {
    let Line::Data(name, scanner) = line else {
        return;
    };
    let mut scanner = scanner.clone();
    if name.eq_ignore_ascii_case(b"NAMESPACE") {
        if let Some(personal) = namespaces(&mut scanner) {
            found.personal = personal.into_iter().next().unwrap_or_default();
        }
        while let Some(others) = namespaces(&mut scanner) {
            found.others.extend(others);
        }
    } else if name.eq_ignore_ascii_case(b"LIST")
        && let Some(root) = mailbox(&mut scanner)
    {
        found.personal.separator = root.separator;
    }
}

/// `NIL` or `(("prefix" "/" …) …)`.
fn namespaces(scanner: &mut Scanner<'_>) -> Option<Vec<Namespace>> {
    match scanner.value()? {
        value if value.is_nil() => return Some(Vec::new()),
        Value::Open => {}
        _ => return None,
    }
    let mut found = Vec::new();
    while scanner.value()? == Value::Open {
        let prefix = scanner.value()?.string()?.into_owned();
        let separator = separator(&scanner.value()?);
        found.push(Namespace { prefix, separator });
        while scanner.rest().trim_ascii_start().first() != Some(&b')') {
            scanner.skip()?;
        }
        scanner.value()?;
    }
    Some(found)
}

fn separator(value: &Value<'_>) -> Option<u8> {
    match value {
        Value::Quoted(bytes) => bytes.first().copied(),
        Value::Literal(bytes) => bytes.first().copied(),
        _ => None,
    }
}

/// What stands behind `* LIST`: attributes, separator, name.
fn mailbox(scanner: &mut Scanner<'_>) -> Option<Mailbox> {
    let attributes = scanner.atoms()?;
    let separator = separator(&scanner.value()?);
    let name = match scanner.value()? {
        Value::Atom(bytes) => bytes.to_vec(),
        other => other.string()?.into_owned(),
    };
    let has = |name: &str| {
        attributes
            .iter()
            .any(|a| a.eq_ignore_ascii_case(name.as_bytes()))
    };
    Some(Mailbox {
        name: normalised(name),
        separator,
        selectable: !has("\\Noselect") && !has("\\NonExistent"),
        special_use: attributes
            .iter()
            .find_map(|a| SpecialUse::from_attribute(&String::from_utf8_lossy(a))),
        subscribed: has("\\Subscribed"),
        status: None,
    })
}

pub(super) fn normalised(name: Vec<u8>) -> Vec<u8> {
    if name.eq_ignore_ascii_case(b"INBOX") {
        b"INBOX".to_vec()
    } else {
        name
    }
}

/// What a listing gathers.
#[derive(Default)]
struct Listing {
    mailboxes: Vec<Mailbox>,
    names: BTreeSet<Vec<u8>>,
    subscribed: BTreeSet<Vec<u8>>,
    status: BTreeMap<Vec<u8>, Status>,
    bytes: usize,
}

impl Listing {
    /// Takes a response; `false` once the server has told too much.
    fn take(&mut self, line: &Line<'_>) -> bool {
        let Line::Data(kind, scanner) = line else {
            return true;
        };
        let mut scanner = scanner.clone();
        self.bytes += scanner.rest().len();
        if kind.eq_ignore_ascii_case(b"LIST") {
            if let Some(mailbox) = mailbox(&mut scanner)
                && self.names.insert(mailbox.name.clone())
            {
                self.mailboxes.push(mailbox);
            }
        } else if kind.eq_ignore_ascii_case(b"LSUB") {
            self.subscribed
                .extend(mailbox(&mut scanner).map(|mailbox| mailbox.name));
        } else if kind.eq_ignore_ascii_case(b"STATUS") {
            self.status.extend(status::parse(&mut scanner));
        }
        self.bytes <= LISTING_CAP
    }

    fn run(&mut self, link: &mut Link, commands: Vec<Command>) -> Result<bool> {
        link.doing = "LIST";
        let peer = link.peer.clone();
        let mut take = Each(|line: &Line<'_>| match self.take(line) {
            true => Ok(()),
            false => Err(peer.protocol("lists mailboxes without end")),
        });
        let answers = link.pipeline(commands, &mut take)?;
        match answers.iter().find(|answer| !answer.is_ok()) {
            None => Ok(true),
            Some(answer) => {
                let error = link.peer.refused(answer, "LIST", Kind::Account);
                if error.is_transient() {
                    Err(error)
                } else {
                    Ok(false)
                }
            }
        }
    }

    fn finish(mut self) -> Vec<Mailbox> {
        for mailbox in &mut self.mailboxes {
            mailbox.subscribed |= self.subscribed.contains(&mailbox.name);
            mailbox.status = self.status.remove(&mailbox.name);
        }
        self.mailboxes
    }
}

/// The extended LIST with all that this server can tell, `None` where it cannot.
fn extended(capabilities: &Capabilities) -> Option<Command> {
    if !capabilities.list_extended {
        return None;
    }
    let mut options = vec!["SUBSCRIBED".to_owned()];
    if capabilities.special_use {
        options.push("SPECIAL-USE".to_owned());
    }
    if capabilities.list_status {
        options.push(format!("STATUS {}", status::items(capabilities)));
    }
    Some(Command::new(&format!(
        "LIST \"\" \"*\" RETURN ({})",
        options.join(" ")
    )))
}

impl Session {
    /// All mailboxes with their STATUS, in the server's order; those of other users and shared ones only with `shared`.
    /// One round trip where the server has LIST-STATUS.
    pub fn list(&mut self, shared: bool) -> Result<Vec<Mailbox>> {
        let mut mailboxes = self.list_names()?;
        if !shared {
            mailboxes.retain(|mailbox| !self.is_shared(&mailbox.name));
        }
        self.add_missing_status(&mut mailboxes)?;
        Ok(mailboxes)
    }

    fn list_names(&mut self) -> Result<Vec<Mailbox>> {
        let mut gate = self.gate();
        if let Some(command) = extended(&self.capabilities) {
            let mut listing = Listing::default();
            if listing.run(&mut gate.link, vec![command])? {
                return Ok(listing.finish());
            }
        }
        let plain = ["LIST \"\" \"*\"", "LSUB \"\" \"*\""].map(Command::new);
        let mut listing = Listing::default();
        if !listing.run(&mut gate.link, plain.to_vec())? && listing.mailboxes.is_empty() {
            return Err(gate.link.protocol("does not list its mailboxes"));
        }
        Ok(listing.finish())
    }

    fn is_shared(&self, name: &[u8]) -> bool {
        let personal = &self.namespaces.personal.prefix;
        let within = |prefix: &[u8], separator: Option<u8>| {
            let root = separator
                .and_then(|s| prefix.strip_suffix(&[s]))
                .unwrap_or(prefix);
            !root.is_empty() && (name.starts_with(prefix) || name == root)
        };
        // A personal namespace inside a shared one is the longer prefix, and wins.
        self.namespaces.others.iter().any(|other| {
            within(&other.prefix, other.separator)
                && !(personal.len() > other.prefix.len() && name.starts_with(personal))
        })
    }

    fn add_missing_status(&mut self, mailboxes: &mut [Mailbox]) -> Result<()> {
        let mut missing: Vec<&mut Mailbox> = mailboxes
            .iter_mut()
            .filter(|mailbox| mailbox.selectable && mailbox.status.is_none())
            .collect();
        let names: Vec<Vec<u8>> = missing.iter().map(|mailbox| mailbox.name.clone()).collect();
        let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
        for (mailbox, status) in missing.iter_mut().zip(self.status(&names)?) {
            match status {
                Ok(status) => mailbox.status = Some(status),
                Err(error) if error.is_transient() => return Err(error),
                // The mailbox fails by name when it is opened, with the server's words.
                Err(_) => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::response::Raw;

    fn raw(line: &str) -> Raw {
        Raw {
            line: line.as_bytes().to_vec(),
            literals: Vec::new(),
        }
    }

    fn listing(lines: &[&str]) -> Vec<Mailbox> {
        let mut listing = Listing::default();
        for line in lines {
            assert!(listing.take(&Line::parse(&raw(line)).unwrap()));
        }
        listing.finish()
    }

    #[test]
    fn names_keep_their_bytes() {
        let found = listing(&[
            r#"* LIST (\HasNoChildren \Sent) "/" "Gesendet \"alt\" \\x""#,
            r"* LIST (\Noselect) NIL NIL",
            r#"* LIST () "." inbox"#,
            r#"* LIST () "." INBOX"#,
            r#"* LIST (\NonExistent \Subscribed) "/" "&AOk-" ("CHILDINFO" ("SUBSCRIBED"))"#,
            r#"* LIST broken"#,
            r#"* LSUB () "." INBOX"#,
            "* STATUS INBOX (MESSAGES 3 UIDNEXT 9 UIDVALIDITY 7) ",
        ]);
        assert_eq!(found.len(), 4);
        assert_eq!(found[0].name, br#"Gesendet "alt" \x"#);
        assert_eq!(found[0].special_use, Some(SpecialUse::Sent));
        assert_eq!(
            (found[1].name.as_slice(), found[1].separator),
            (&b"NIL"[..], None)
        );
        assert!(!found[1].selectable && !found[3].selectable && found[3].subscribed);
        assert_eq!(found[2].name, b"INBOX");
        assert!(found[2].subscribed);
        assert_eq!(found[2].status.unwrap().messages, 3);
    }

    #[test]
    fn namespaces_of_all_shapes() {
        let line = raw(
            r##"* NAMESPACE (("INBOX." "." "X-PARAM" ("a" "b"))) NIL (("#s/" "/")("Public" NIL))"##,
        );
        let mut found = Namespaces::default();
        learn(&Line::parse(&line).unwrap(), &mut found);
        assert_eq!(
            found.personal,
            Namespace {
                prefix: b"INBOX.".to_vec(),
                separator: Some(b'.')
            }
        );
        assert_eq!(found.others.len(), 2);
        assert_eq!(found.others[1].separator, None);
        for bad in [
            "* NAMESPACE",
            "* NAMESPACE ((",
            "* NAMESPACE NIL NIL NIL",
            "* NAMESPACE x",
        ] {
            let mut found = Namespaces::default();
            learn(&Line::parse(&raw(bad)).unwrap(), &mut found);
            assert_eq!(found, Namespaces::default(), "{bad}");
        }
    }
}
