//! Whole messages of several mailboxes, one after another, without a pause between them.

use super::bodies::{Fetched, ITEMS, consumer};
use super::link::{Link, Nothing};
use super::quote::{self, Command};
use super::session::Session;
use crate::error::{Error, Kind, Result};
use crate::message::UidRanges;
use crate::net::Flow;
use crate::spool::Budget;
use std::collections::VecDeque;

/// Mailboxes whose commands are under way at once.
const AHEAD: usize = 8;

/// One mailbox of a tour, its commands sent.
struct Stop {
    examine: u32,
    fetches: Vec<u32>,
}

impl Session {
    /// EXAMINE and UID FETCH with BODY.PEEK[] of UID ranges, for each mailbox (wire name), the commands of the next ones sent while one
    /// is read. Meant for a few messages of many mailboxes; the callback gets the mailbox's place in the list.
    ///
    /// One result a mailbox, in order: `Ok(None)`, or `Ok` with the server's words where it refused to give a part of it, or an error of
    /// `Kind::Folder` where it refused the mailbox. Errors of `on` are returned, and leave the session unusable, as does [`Flow::Stop`].
    pub fn tour(
        &mut self,
        mailboxes: &[(&[u8], UidRanges)],
        budget: &Budget,
        on: &mut dyn FnMut(usize, Fetched) -> Result<Flow>,
    ) -> Result<Vec<Result<Option<String>>>> {
        // Which mailbox is selected at the end is of no use to anybody.
        self.begin_select();
        let mut gate = self.gate();
        let link = &mut gate.link;
        let mut under_way = VecDeque::new();
        let mut results = Vec::with_capacity(mailboxes.len());
        let mut coming = mailboxes.iter();
        while results.len() < mailboxes.len() {
            while under_way.len() < AHEAD
                && let Some((name, uids)) = coming.next()
            {
                under_way.push_back(depart(link, name, uids)?);
            }
            let Some(stop) = under_way.pop_front() else {
                break;
            };
            let at = results.len();
            results.push(visit(link, &stop, budget, &mut |fetched| on(at, fetched))?);
        }
        Ok(results)
    }
}

fn depart(link: &mut Link, name: &[u8], uids: &[(u32, u32)]) -> Result<Stop> {
    let examine = link.send(&Command::new("EXAMINE ").string(name))?;
    let mut fetches = Vec::new();
    for set in quote::sets(uids)? {
        fetches.push(link.send(&Command::new(&format!("UID FETCH {set} {ITEMS}")))?);
    }
    Ok(Stop { examine, fetches })
}

fn visit(
    link: &mut Link,
    stop: &Stop,
    budget: &Budget,
    on: &mut dyn FnMut(Fetched) -> Result<Flow>,
) -> Result<Result<Option<String>>> {
    link.doing = "EXAMINE";
    link.state.begin_select();
    let answer = link.finish(stop.examine, &mut Nothing)?;
    if !answer.is_ok() {
        // The FETCHes behind it are refused too, whatever was selected before.
        for tag in &stop.fetches {
            link.finish(*tag, &mut Nothing)?;
        }
        return Ok(Err(link.peer.refused(&answer, "EXAMINE", Kind::Folder)));
    }
    link.doing = "FETCH";
    let mut consumer = consumer(link, budget, on);
    let mut refused = None;
    for tag in &stop.fetches {
        let answer = link
            .finish(*tag, &mut consumer)
            .map_err(|error| stopped(error, consumer.is_stopped()))?;
        if !answer.is_ok() && refused.is_none() {
            refused = Some(answer.words());
        }
    }
    // Some servers refuse any FETCH of an empty mailbox.
    Ok(Ok(refused.filter(|_| link.state.selected.exists > 0)))
}

/// A tour that its callback stopped has no end to be told.
fn stopped(error: Error, stopped: bool) -> Error {
    match stopped {
        true => Error::new(
            Kind::Interrupted,
            crate::error::Code::Interrupted,
            "stopped",
        ),
        false => error,
    }
}
