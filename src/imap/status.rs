//! STATUS (RFC 9051 §6.3.11).

use super::capability::Capabilities;
use super::link::Each;
use super::list::normalised;
use super::quote::Command;
use super::response::Line;
use super::scan::{Scanner, Value};
use super::session::Session;
use crate::error::{Kind, Result};
use std::collections::{BTreeMap, BTreeSet};

/// A mailbox's state, seen from outside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Status {
    pub messages: u32,
    pub uid_next: Option<u32>,
    pub uid_validity: u32,
    /// Where the server has CONDSTORE and keeps it for this mailbox.
    pub highest_modseq: Option<u64>,
}

/// The items to ask for, in parentheses.
pub(super) fn items(capabilities: &Capabilities) -> &'static str {
    if capabilities.condstore {
        "(MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ)"
    } else {
        "(MESSAGES UIDNEXT UIDVALIDITY)"
    }
}

/// What stands behind `* STATUS`: name and values. `None` where it does not tell messages and UIDVALIDITY.
pub(super) fn parse(scanner: &mut Scanner<'_>) -> Option<(Vec<u8>, Status)> {
    let name = match scanner.value()? {
        Value::Atom(bytes) => bytes.to_vec(),
        other => other.string()?.into_owned(),
    };
    if scanner.value()? != Value::Open {
        return None;
    }
    let (mut messages, mut uid_validity) = (None, None);
    let mut status = Status::default();
    while let Value::Atom(item) = scanner.value()? {
        match item.to_ascii_uppercase().as_slice() {
            b"MESSAGES" => messages = scanner.value()?.number(),
            b"UIDVALIDITY" => uid_validity = scanner.value()?.number(),
            b"UIDNEXT" => status.uid_next = scanner.value()?.number(),
            b"HIGHESTMODSEQ" => status.highest_modseq = scanner.value()?.number(),
            _ => scanner.skip()?,
        }
    }
    status.messages = messages?;
    status.uid_validity = uid_validity?;
    Some((normalised(name), status))
}

impl Session {
    /// STATUS of many mailboxes (names as on the wire), pipelined; one result a name, in order.
    pub fn status(&mut self, names: &[&[u8]]) -> Result<Vec<Result<Status>>> {
        let items = items(&self.capabilities);
        let asked: BTreeSet<Vec<u8>> = names.iter().map(|name| normalised(name.to_vec())).collect();
        let mut found = BTreeMap::new();
        let mut gate = self.gate();
        gate.link.doing = "STATUS";
        let commands = names.iter().map(|name| {
            Command::new("STATUS ")
                .string(name)
                .text(&format!(" {items}"))
        });
        let mut gather = Each(|line: &Line<'_>| {
            if let Line::Data(kind, scanner) = line
                && kind.eq_ignore_ascii_case(b"STATUS")
                && let Some((name, status)) = parse(&mut scanner.clone())
                && asked.contains(&name)
            {
                found.insert(name, status);
            }
            Ok(())
        });
        let answers = gate.link.pipeline(commands, &mut gather)?;
        let peer = gate.link.peer.clone();
        let results = names.iter().zip(&answers).map(|(name, answer)| {
            if !answer.is_ok() {
                return Err(peer.refused(answer, "STATUS", Kind::Folder));
            }
            let status = found.get(&normalised(name.to_vec())).copied();
            status.ok_or_else(|| folder_error(peer.protocol("told no STATUS of a mailbox")))
        });
        Ok(results.collect())
    }
}

fn folder_error(mut error: crate::error::Error) -> crate::error::Error {
    error.kind = Kind::Folder;
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(rest: &[u8]) -> Option<(Vec<u8>, Status)> {
        parse(&mut Scanner::new(rest, &[]))
    }

    #[test]
    fn values_in_any_order_and_unknown_ones() {
        let (name, status) =
            status(br#""a \"b\"" (SIZE 99 UIDVALIDITY 5 X (1 (2)) MESSAGES 2 HIGHESTMODSEQ 18446744073709551615) "#).unwrap();
        assert_eq!(name, br#"a "b""#);
        assert_eq!(
            status,
            Status {
                messages: 2,
                uid_next: None,
                uid_validity: 5,
                highest_modseq: Some(u64::MAX)
            }
        );
    }

    #[test]
    fn an_empty_or_broken_list_tells_nothing() {
        for line in [
            &b"INBOX ()"[..],
            b"INBOX",
            b"INBOX (MESSAGES",
            b"INBOX (MESSAGES x UIDVALIDITY 1)",
            b"",
        ] {
            assert_eq!(status(line), None);
        }
    }
}
