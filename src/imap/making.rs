//! Making mailboxes ready to take mail, all in one round trip (RFC 9051 §6.3.4, §6.3.7, §6.3.11, RFC 6154 §3).

use super::link::Each;
use super::list::normalised;
use super::quote::{Command, quoted};
use super::response::{Completion, Line};
use super::session::{Session, create, exists_already, refuses_use};
use super::status::{self, Status};
use crate::error::{Kind, Result};
use crate::message::{SpecialUse, utf7};
use std::collections::BTreeMap;

/// What STATUS told, by name.
type Found = BTreeMap<Vec<u8>, Status>;

/// A mailbox that is to take mail.
#[derive(Debug, Clone, Copy)]
pub struct Making<'a> {
    /// As on the wire.
    pub name: &'a [u8],
    /// `None`: it stands there. A special use is left out where the server cannot take it, or refuses that one.
    pub create: Option<Option<SpecialUse>>,
    pub subscribe: bool,
}

/// What came of it.
#[derive(Debug)]
pub struct Made {
    /// `Kind::Folder` where the server refuses it. One that is there already counts as created; one that cannot be subscribed holds its
    /// mail all the same.
    pub created: Result<()>,
    /// Its state after that, where the server told it.
    pub status: Option<Status>,
}

/// Places in the list of mailboxes, by what is asked of each in the one round trip.
#[derive(Default)]
struct Asked {
    create: Vec<usize>,
    subscribe: Vec<usize>,
    look: Vec<usize>,
}

impl Asked {
    fn of(mailboxes: &[Making<'_>]) -> Self {
        let mut asked = Asked::default();
        for (at, mailbox) in mailboxes.iter().enumerate() {
            let plain = is_plain(mailbox.name);
            asked.create.extend(mailbox.create.map(|_| at));
            asked
                .subscribe
                .extend(Some(at).filter(|_| plain && mailbox.subscribe));
            asked.look.extend(Some(at).filter(|_| plain));
        }
        asked
    }
}

/// Can a server repeat the name in any way without breaking its own lines? Dovecot writes it decoded, line ends and all.
fn is_plain(name: &[u8]) -> bool {
    let decoded = utf7::decode(name);
    quoted(name).is_some() && decoded.is_some_and(|name| !name.contains(char::is_control))
}

impl Session {
    /// Creates, subscribes and looks at mailboxes, pipelined; one result each, in order.
    ///
    /// Only plain names are subscribed and looked at before it is known that they are there: some servers repeat others, raw, in a refusal.
    pub fn make(&mut self, mailboxes: &[Making<'_>]) -> Result<Vec<Made>> {
        let asked = Asked::of(mailboxes);
        let (answers, found) = self.make_at_once(mailboxes, &asked)?;
        let (created, rest) = answers.split_at(asked.create.len());
        let (subscribed, looked) = rest.split_at(asked.subscribe.len());
        let mut made: Vec<Made> = mailboxes.iter().map(|_| Made::there()).collect();
        for (&at, answer) in asked.create.iter().zip(created) {
            made[at].created = self.outcome(answer, "CREATE");
        }
        for (&at, answer) in asked.look.iter().zip(looked) {
            let status = found.get(&normalised(mailboxes[at].name.to_vec()));
            made[at].status = status.copied().filter(|_| answer.is_ok());
        }
        let retried = self.without_use(mailboxes, &mut made)?;
        let there = |at: &usize| asked.subscribe.contains(at) && !retried.contains(at);
        let late: Vec<&[u8]> = (0..mailboxes.len())
            .filter(|at| mailboxes[*at].subscribe && made[*at].created.is_ok() && !there(at))
            .map(|at| mailboxes[at].name)
            .collect();
        if !late.is_empty() {
            self.subscribe(&late)?;
        }
        let in_vain = asked.subscribe.iter().zip(subscribed);
        let in_vain = in_vain.filter(|(at, answer)| made[**at].created.is_err() && answer.is_ok());
        let in_vain: Vec<Command> = in_vain
            .map(|(at, _)| Command::new("UNSUBSCRIBE ").string(mailboxes[*at].name))
            .collect();
        if !in_vain.is_empty() {
            self.each(in_vain.into_iter(), "UNSUBSCRIBE")?;
        }
        Ok(made)
    }

    fn make_at_once(
        &mut self,
        mailboxes: &[Making<'_>],
        asked: &Asked,
    ) -> Result<(Vec<Completion>, Found)> {
        let with_use = self.capabilities.create_special_use;
        let items = status::items(&self.capabilities);
        let special = |at: usize| mailboxes[at].create.flatten().filter(|_| with_use);
        let creates = asked.create.iter();
        let creates = creates.map(|&at| create(mailboxes[at].name, special(at)));
        let subscribes = asked.subscribe.iter();
        let subscribes =
            subscribes.map(|&at| Command::new("SUBSCRIBE ").string(mailboxes[at].name));
        let looks = asked.look.iter();
        let looks = looks.map(|&at| {
            let look = Command::new("STATUS ").string(mailboxes[at].name);
            look.text(&format!(" {items}"))
        });
        let mut found = Found::new();
        let mut gather = Each(|line: &Line<'_>| {
            if let Line::Data(kind, scanner) = line
                && kind.eq_ignore_ascii_case(b"STATUS")
                && let Some((name, status)) = status::parse(&mut scanner.clone())
                && mailboxes
                    .iter()
                    .any(|mailbox| normalised(mailbox.name.to_vec()) == name)
            {
                found.insert(name, status);
            }
            Ok(())
        });
        let mut gate = self.gate();
        gate.link.doing = "making mailboxes";
        let commands = creates.chain(subscribes).chain(looks);
        let answers = gate.link.pipeline(commands, &mut gather)?;
        Ok((answers, found))
    }

    /// Creates without a special use what was refused for it; gives its places.
    fn without_use(&mut self, mailboxes: &[Making<'_>], made: &mut [Made]) -> Result<Vec<usize>> {
        let refused = |at: &usize| {
            let special = mailboxes[*at].create.flatten().is_some();
            special && made[*at].created.as_ref().is_err_and(refuses_use)
        };
        let retried: Vec<usize> = (0..mailboxes.len()).filter(refused).collect();
        let commands = retried.iter().map(|&at| create(mailboxes[at].name, None));
        let results = match retried.is_empty() {
            true => Vec::new(),
            false => self.each(commands, "CREATE")?,
        };
        for (&at, result) in retried.iter().zip(results) {
            made[at].created = result;
        }
        Ok(retried)
    }

    fn outcome(&self, answer: &Completion, what: &str) -> Result<()> {
        if answer.is_ok() || exists_already(answer) {
            return Ok(());
        }
        Err(self.gate().link.peer.refused(answer, what, Kind::Folder))
    }
}

impl Made {
    fn there() -> Self {
        Made {
            created: Ok(()),
            status: None,
        }
    }
}
