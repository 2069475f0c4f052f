//! Whole messages of one mailbox after another, the commands of the next ones sent while one still flows.
//!
//! As in a tour, but what comes next is found out on the way, and the mailboxes may be of any size.

use super::bodies::{Fetched, Streamed, collect, consumer, items, streamed};
use super::link::{Link, Nothing};
use super::quote::{self, Command};
use super::session::Session;
use super::state::Selected;
use crate::error::{Kind, Result};
use crate::message::UidRanges;
use crate::net::Flow;
use crate::spool::Budget;
use std::collections::VecDeque;

/// Mailboxes whose commands are sent ahead, at most.
const AHEAD: usize = 8;
/// With so many messages asked for and not there yet, nothing more is sent ahead: they cover a long round trip.
const ASKED: u64 = 128;

/// What a stream is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// The mailbox's name, wire bytes.
    pub mailbox: Vec<u8>,
    /// UIDs, `u32::MAX` is `*`.
    pub uids: UidRanges,
    /// About how many messages these are.
    pub messages: u32,
}

/// A stretch whose commands are under way.
#[derive(Debug)]
pub(super) struct UnderWay {
    stretch: Stretch,
    examine: u32,
    fetches: Vec<u32>,
}

/// `items`: what is asked of each message.
fn depart(link: &mut Link, stretch: Stretch, items: &str) -> Result<UnderWay> {
    let examine = link.send(&Command::new("EXAMINE ").string(&stretch.mailbox))?;
    let mut fetches = Vec::new();
    for set in quote::sets(&stretch.uids)? {
        fetches.push(link.send(&Command::new(&format!("UID FETCH {set} {items}")))?);
    }
    Ok(UnderWay {
        stretch,
        examine,
        fetches,
    })
}

/// Sends the commands of what comes next, as long as only `left` messages of this stretch and few others are under way.
fn top_up(
    link: &mut Link,
    ahead: &mut VecDeque<UnderWay>,
    left: u64,
    items: &str,
    next: &mut dyn FnMut(usize) -> Option<Stretch>,
) -> Result<()> {
    let mut asked = left;
    asked += ahead
        .iter()
        .map(|under_way| u64::from(under_way.stretch.messages))
        .sum::<u64>();
    while asked < ASKED && ahead.len() < AHEAD {
        // One with a literal would have to wait for a go-ahead in the midst of what flows.
        let fits = |stretch: &Stretch| quote::quoted(&stretch.mailbox).is_some();
        let Some(stretch) = next(ahead.len()).filter(fits) else {
            break;
        };
        asked += u64::from(stretch.messages);
        ahead.push_back(depart(link, stretch, items)?);
    }
    Ok(())
}

impl Session {
    /// EXAMINE and UID FETCH with BODY.PEEK[] of a stretch, as [`Session::bodies`]. `next(n)` is what will be streamed as the n-th
    /// after this, from 0, once that is known: its commands are sent as soon as too little is under way to fill the line. It may be
    /// asked for the same again.
    ///
    /// What flows counts for a mailbox only after its own EXAMINE was answered with OK; `on_selected` then decides before the
    /// first message comes. Error: `Kind::Folder` where the server refuses the mailbox; what was sent ahead is not touched by that.
    pub fn stream(
        &mut self,
        stretch: Stretch,
        budget: &Budget,
        on_selected: &mut dyn FnMut(&Selected) -> Result<Flow>,
        on: &mut dyn FnMut(Fetched) -> Result<Flow>,
        next: &mut dyn FnMut(usize) -> Option<Stretch>,
    ) -> Result<Streamed> {
        let items = items(self.capabilities());
        let current = self.take_up(stretch)?;
        let most = u64::from(current.stretch.messages);
        top_up(
            &mut self.handle.gate().link,
            &mut self.ahead,
            most,
            items,
            next,
        )?;
        self.arrive(&current)?;
        let mut gate = self.handle.gate();
        let link = &mut gate.link;
        let selected = link.state.selected.clone();
        let flow = on_selected(&selected).inspect_err(|_| link.broken = true)?;
        if flow == Flow::Stop {
            link.broken = true;
            return Ok(streamed(link, None, true));
        }
        let (ahead, mut consumer) = (&mut self.ahead, consumer(link, budget, on));
        link.doing = "FETCH";
        collect(link, &mut consumer, |link, consumer| {
            let mut refused = None;
            for tag in current.fetches {
                let answer = loop {
                    if let Some(answer) = link.completed(tag) {
                        break answer;
                    }
                    link.step(consumer)?;
                    let left = most.saturating_sub(consumer.received());
                    top_up(link, ahead, left, items, next)?;
                };
                if !answer.is_ok() {
                    refused.get_or_insert(answer);
                }
            }
            Ok(refused)
        })
    }

    /// The stretch, its commands sent: ahead, or now.
    fn take_up(&mut self, stretch: Stretch) -> Result<UnderWay> {
        let is_it = |under_way: &mut UnderWay| {
            (&under_way.stretch.mailbox, &under_way.stretch.uids)
                == (&stretch.mailbox, &stretch.uids)
        };
        if let Some(under_way) = self.ahead.pop_front_if(is_it) {
            return Ok(under_way);
        }
        self.forget_ahead()?;
        let items = items(self.capabilities());
        depart(&mut self.gate().link, stretch, items)
    }

    /// Waits for the answer to a stretch's EXAMINE.
    fn arrive(&mut self, current: &UnderWay) -> Result<()> {
        self.begin_select();
        let mut gate = self.handle.gate();
        let link = &mut gate.link;
        link.doing = "EXAMINE";
        let answer = link.finish(current.examine, &mut Nothing)?;
        if !answer.is_ok() {
            // The FETCHes behind it are refused too, whatever was selected before.
            for tag in &current.fetches {
                link.finish(*tag, &mut Nothing)?;
            }
            return Err(link.peer.refused(&answer, "EXAMINE", Kind::Folder));
        }
        drop(gate);
        self.note_selected(&current.stretch.mailbox, false);
        Ok(())
    }

    /// Is anything under way that was sent ahead?
    #[must_use]
    pub fn is_ahead(&self) -> bool {
        !self.ahead.is_empty()
    }

    /// Drops what was sent ahead: has to be called before anything else is asked. Reads as much as flows for it.
    pub fn forget_ahead(&mut self) -> Result<()> {
        if self.ahead.is_empty() {
            return Ok(());
        }
        self.begin_select();
        let mut gate = self.handle.gate();
        for under_way in self.ahead.drain(..) {
            gate.link.finish(under_way.examine, &mut Nothing)?;
            for tag in under_way.fetches {
                gate.link.finish(tag, &mut Nothing)?;
            }
        }
        Ok(())
    }
}
