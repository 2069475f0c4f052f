//! Bulk FETCH of whole messages: literals go from the wire straight into bodies under the byte budget.

use super::capability::Capabilities;
use super::fault::backoff_time;
use super::fetch::fetch;
use super::items::{Content, Items, at_body};
use super::link::{Consumer, Link, Nothing, Place};
use super::quote::{self, Command};
use super::response::{Completion, Line};
use super::session::Session;
use super::state::Selected;
use crate::error::{Error, Kind, Result};
use crate::message::{Flags, InternalDate};
use crate::net::Flow;
use crate::spool::{Body, BodyWriter, Budget};

/// What is asked of a message.
pub(super) const ITEMS: &str = "(UID FLAGS INTERNALDATE BODY.PEEK[])";
/// The same of a server with labels.
const LABELLED: &str = "(UID FLAGS INTERNALDATE X-GM-LABELS BODY.PEEK[])";

pub(super) fn items(capabilities: &Capabilities) -> &'static str {
    match capabilities.gmail {
        true => LABELLED,
        false => ITEMS,
    }
}

/// One message.
#[derive(Debug, Clone)]
pub struct Fetched {
    pub uid: u32,
    /// None set where the server told none with the body.
    pub flags: Flags,
    pub date: Option<InternalDate>,
    /// `None`: the server sent NIL. That, or an empty one, is never "done".
    pub body: Option<Body>,
}

/// How a fetch of bodies ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Streamed {
    /// Messages that the server told as expunged since the mailbox was selected.
    pub vanished: u32,
    /// Messages in the mailbox, by the latest EXISTS and EXPUNGE.
    pub exists: u32,
    /// The server's words where it said NO or BAD; what it sent before counts.
    pub refused: Option<String>,
    /// The callback said [`Flow::Stop`]: the session cannot be used any more.
    pub stopped: bool,
}

pub(super) struct Bodies<'a> {
    budget: &'a Budget,
    unreadable: Error,
    writer: Option<BodyWriter>,
    stopped: bool,
    /// Messages that came.
    received: u64,
    on: &'a mut dyn FnMut(Fetched) -> Result<Flow>,
}

impl Bodies<'_> {
    /// Did the callback say [`Flow::Stop`]?
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped
    }

    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// The body of a response that has ended: `None` where it has no such item at all.
    fn body(&mut self, content: Option<Content<'_>>) -> Result<Option<Option<Body>>> {
        let writer = self.writer.take();
        match (writer, content) {
            (Some(writer), _) => writer.finish().map(|body| Some(Some(body))),
            (None, None) => Ok(None),
            (None, Some(Content::Nil)) => Ok(Some(None)),
            (None, Some(Content::Bytes(bytes))) => {
                let mut writer = self.budget.body(bytes.len() as u64)?;
                writer.push(&bytes)?;
                writer.finish().map(|body| Some(Some(body)))
            }
        }
    }
}

impl Consumer for Bodies<'_> {
    fn place(&mut self, line: &[u8], len: u64) -> Result<Place> {
        if !at_body(line) {
            return Ok(Place::Keep);
        }
        if self.writer.is_some() {
            return Ok(Place::Drop);
        }
        self.writer = Some(self.budget.body(len)?);
        Ok(Place::Stream)
    }

    fn piece(&mut self, piece: &[u8]) -> Result<()> {
        match &mut self.writer {
            Some(writer) => writer.push(piece),
            None => Ok(()),
        }
    }

    fn line(&mut self, line: &Line<'_>) -> Result<()> {
        let mut items = match Items::of(line) {
            Ok(Some(items)) => items,
            Ok(None) => return Ok(()),
            Err(_) => return Err(self.unreadable.clone()),
        };
        let body = self.body(items.body.take())?;
        let (Some(uid), Some(body)) = (items.uid, body) else {
            return Ok(());
        };
        let fetched = Fetched {
            uid,
            flags: items.take_flags().unwrap_or_default(),
            date: items.date,
            body,
        };
        self.received += 1;
        match (self.on)(fetched)? {
            Flow::Continue => Ok(()),
            Flow::Stop => {
                self.stopped = true;
                Err(self.unreadable.clone())
            }
        }
    }
}

pub(super) fn streamed(link: &Link, refused: Option<&Completion>, stopped: bool) -> Streamed {
    Streamed {
        vanished: link.state.expunged,
        exists: link.state.selected.exists,
        refused: refused.map(Completion::words),
        stopped,
    }
}

/// Runs a fetch whose callback may stop it.
pub(super) fn collect(
    link: &mut Link,
    consumer: &mut Bodies<'_>,
    run: impl FnOnce(&mut Link, &mut Bodies<'_>) -> Result<Option<Completion>>,
) -> Result<Streamed> {
    let refused = match run(link, consumer) {
        Ok(refused) => refused,
        Err(_) if consumer.stopped => return Ok(streamed(link, None, true)),
        Err(error) => return Err(error),
    };
    if let Some(answer) = &refused
        && backoff_time(&answer.words()).is_some()
    {
        return Err(link.peer.refused(answer, "FETCH", Kind::Folder));
    }
    Ok(streamed(link, refused.as_ref(), false))
}

impl Session {
    /// UID FETCH with BODY.PEEK[] of UID ranges (`u32::MAX` is `*`) of the selected mailbox, each range streamed by one command, many
    /// ranges packed into pipelined commands.
    ///
    /// Room for a body is taken from `budget` before its literal is read; while that or `on` blocks, TCP holds the
    /// server back. Messages come in whatever order the server sends them; one that is gone does not come. Errors of `on` are
    /// returned, and leave the session unusable.
    pub fn bodies(
        &mut self,
        set: &[(u32, u32)],
        budget: &Budget,
        on: &mut dyn FnMut(Fetched) -> Result<Flow>,
    ) -> Result<Streamed> {
        let sets = quote::sets(set)?;
        let items = items(self.capabilities());
        let mut gate = self.gate();
        let mut consumer = consumer(&gate.link, budget, on);
        collect(&mut gate.link, &mut consumer, |link, consumer| {
            fetch(link, sets, items, consumer)
        })
    }

    /// EXAMINE and the fetch of [`Session::bodies`] in one write. `on_selected` decides before the first message comes.
    /// Error: `Kind::Folder` where the server refuses the mailbox.
    pub fn examine_and_bodies(
        &mut self,
        name: &[u8],
        set: &[(u32, u32)],
        budget: &Budget,
        on_selected: &mut dyn FnMut(&Selected) -> Result<Flow>,
        on: &mut dyn FnMut(Fetched) -> Result<Flow>,
    ) -> Result<Streamed> {
        let mut sets = quote::sets(set)?.into_iter();
        let items = items(self.capabilities());
        self.begin_select();
        let first = {
            let mut gate = self.handle.gate();
            let link = &mut gate.link;
            link.doing = "EXAMINE";
            let examine = link.send(&Command::new("EXAMINE ").string(name))?;
            let first = match sets.next() {
                Some(set) => Some(link.send(&Command::new(&format!("UID FETCH {set} {items}")))?),
                None => None,
            };
            let answer = link.finish(examine, &mut Nothing)?;
            if !answer.is_ok() {
                if let Some(first) = first {
                    link.finish(first, &mut Nothing)?;
                }
                return Err(link.peer.refused(&answer, "EXAMINE", Kind::Folder));
            }
            first
        };
        self.note_selected(name, false);
        let mut gate = self.gate();
        let link = &mut gate.link;
        let selected = link.state.selected.clone();
        let flow = on_selected(&selected).inspect_err(|_| link.broken = true)?;
        if flow == Flow::Stop {
            link.broken = true;
            return Ok(streamed(link, None, true));
        }
        let mut consumer = consumer(link, budget, on);
        collect(link, &mut consumer, |link, consumer| {
            link.doing = "FETCH";
            let answer = first.map(|tag| link.finish(tag, consumer)).transpose()?;
            let rest = fetch(link, sets.collect(), items, consumer)?;
            Ok(answer.filter(|answer| !answer.is_ok()).or(rest))
        })
    }
}

pub(super) fn consumer<'a>(
    link: &Link,
    budget: &'a Budget,
    on: &'a mut dyn FnMut(Fetched) -> Result<Flow>,
) -> Bodies<'a> {
    Bodies {
        budget,
        unreadable: link
            .peer
            .protocol("sent a FETCH response that cannot be read"),
        writer: None,
        stopped: false,
        received: 0,
        on,
    }
}
