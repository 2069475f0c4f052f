//! Bulk FETCH of what is small: listings, flags, header fields (RFC 9051 §6.4.5).

use super::items::{Content, Items};
use super::link::{Consumer, Link, Place};
use super::quote::{self, Command};
use super::response::{Completion, Line};
use super::session::Session;
use crate::error::{Error, Kind, Result};
use crate::message::{Flags, InternalDate};
use std::collections::VecDeque;

/// FETCH commands under way at once.
const WINDOW: usize = 4;
/// What a listing asks for, without and with labels.
const LISTED: &str = "(UID FLAGS INTERNALDATE RFC822.SIZE)";
const LABELLED: &str = "(UID FLAGS INTERNALDATE RFC822.SIZE X-GM-LABELS)";
/// Of header fields so much is kept, in bytes: more is no Message-ID, Date, From and Subject.
const HEAD_CAP: usize = 256 * 1024;

/// One message of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub uid: u32,
    pub flags: Flags,
    pub date: Option<InternalDate>,
    /// RFC822.SIZE, a hint: it lies on some servers.
    pub size: Option<u64>,
}

/// Header fields of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub uid: u32,
    /// RFC822.SIZE, a hint.
    pub size: Option<u64>,
    /// The fields MESSAGE-ID, DATE, FROM and SUBJECT as they stand, CRLF lines, and the empty line; empty for NIL.
    pub head: Vec<u8>,
}

/// Gives each readable FETCH response to a callback.
struct Small<'a> {
    unreadable: Error,
    on: &'a mut dyn FnMut(Items<'_>) -> Result<()>,
}

impl Consumer for Small<'_> {
    fn place(&mut self, _line: &[u8], _len: u64) -> Result<Place> {
        Ok(Place::Truncate(HEAD_CAP))
    }

    fn line(&mut self, line: &Line<'_>) -> Result<()> {
        match Items::of(line) {
            Ok(Some(items)) => (self.on)(items),
            Ok(None) => Ok(()),
            Err(_) => Err(self.unreadable.clone()),
        }
    }
}

/// UID FETCH of `items` for every set, a few commands in flight. Returns the first answer that is not OK.
pub(super) fn fetch(
    link: &mut Link,
    sets: Vec<String>,
    items: &str,
    consumer: &mut dyn Consumer,
) -> Result<Option<Completion>> {
    link.doing = "FETCH";
    let mut tags = VecDeque::new();
    let mut refused = None;
    for set in sets {
        tags.push_back(link.send(&Command::new(&format!("UID FETCH {set} {items}")))?);
        if tags.len() >= WINDOW {
            finish_first(link, &mut tags, consumer, &mut refused)?;
        }
    }
    while !tags.is_empty() {
        finish_first(link, &mut tags, consumer, &mut refused)?;
    }
    Ok(refused)
}

fn finish_first(
    link: &mut Link,
    tags: &mut VecDeque<u32>,
    consumer: &mut dyn Consumer,
    refused: &mut Option<Completion>,
) -> Result<()> {
    let Some(tag) = tags.pop_front() else {
        return Ok(());
    };
    let answer = link.finish(tag, consumer)?;
    if !answer.is_ok() {
        refused.get_or_insert(answer);
    }
    Ok(())
}

impl Session {
    fn fetch_small(
        &mut self,
        set: &[(u32, u32)],
        items: &str,
        on: &mut dyn FnMut(Items<'_>) -> Result<()>,
    ) -> Result<()> {
        let sets = quote::sets(set)?;
        let mut gate = self.gate();
        let unreadable = gate
            .link
            .peer
            .protocol("sent a FETCH response that cannot be read");
        let mut consumer = Small { unreadable, on };
        match fetch(&mut gate.link, sets, items, &mut consumer)? {
            None => Ok(()),
            Some(answer) => Err(gate.link.peer.refused(&answer, "FETCH", Kind::Folder)),
        }
    }

    /// UID, flags, INTERNALDATE and size of the messages in UID ranges (`u32::MAX` is `*`) of the selected mailbox. In
    /// whatever order the server sends them, a message perhaps twice; changes of flags that the server tells
    /// unasked do not come here.
    pub fn listing(
        &mut self,
        set: &[(u32, u32)],
        on: &mut dyn FnMut(Listed) -> Result<()>,
    ) -> Result<()> {
        self.listed(set, self.listed_items(), on)
    }

    /// As [`Session::listing`], but only of messages that came or changed since that mod-sequence (RFC 7162 §3.1.4.1).
    pub fn changes(
        &mut self,
        set: &[(u32, u32)],
        since: u64,
        on: &mut dyn FnMut(Listed) -> Result<()>,
    ) -> Result<()> {
        let items = self.listed_items();
        self.listed(set, &format!("{items} (CHANGEDSINCE {since})"), on)
    }

    fn listed_items(&self) -> &'static str {
        match self.capabilities().gmail {
            true => LABELLED,
            false => LISTED,
        }
    }

    fn listed(
        &mut self,
        set: &[(u32, u32)],
        items: &str,
        on: &mut dyn FnMut(Listed) -> Result<()>,
    ) -> Result<()> {
        let labelled = self.capabilities().gmail;
        self.fetch_small(set, items, &mut |mut items| {
            // A message whose labels were not told is not listed: it would be taken to have none any more.
            let told = (items.size.is_some() || items.date.is_some())
                && (!labelled || items.labels.is_some());
            match (items.uid, items.take_flags()) {
                (Some(uid), Some(flags)) if told => {
                    let (date, size) = (items.date, items.size);
                    on(Listed {
                        uid,
                        flags,
                        date,
                        size,
                    })
                }
                _ => Ok(()),
            }
        })
    }

    /// The flags of messages; with `changed_since` only of those changed since that mod-sequence (RFC 7162 §3.1.4.1).
    pub fn flags(
        &mut self,
        set: &[(u32, u32)],
        changed_since: Option<u64>,
        on: &mut dyn FnMut(u32, Flags) -> Result<()>,
    ) -> Result<()> {
        let items = match changed_since {
            Some(modseq) => format!("(UID FLAGS) (CHANGEDSINCE {modseq})"),
            None => "(UID FLAGS)".to_owned(),
        };
        self.fetch_small(set, &items, &mut |items| match (items.uid, items.flags) {
            (Some(uid), Some(flags)) => on(uid, flags),
            _ => Ok(()),
        })
    }

    /// The header fields by which messages are recognised.
    pub fn headers(
        &mut self,
        set: &[(u32, u32)],
        on: &mut dyn FnMut(Head) -> Result<()>,
    ) -> Result<()> {
        let wanted = "(UID RFC822.SIZE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID DATE FROM SUBJECT)])";
        self.fetch_small(set, wanted, &mut |items| {
            let head = match items.head {
                None => return Ok(()),
                Some(Content::Nil) => Vec::new(),
                Some(Content::Bytes(bytes)) => bytes.into_owned(),
            };
            match items.uid {
                Some(uid) => on(Head {
                    uid,
                    size: items.size,
                    head,
                }),
                None => Ok(()),
            }
        })
    }
}
