//! What became of batches once the server has answered, and of those in doubt by what their folders hold.

use super::batch::Pending;
use super::deliver::Deliverer;
use super::flight::Sent;
use super::refusal;
use super::settle::{self, Place, Seen, Sought};
use crate::error::{Error, Result};
use crate::outcome::Outcome;
use crate::plan::Holds;
use crate::sink::{Refusal, Report, Stored};
use std::collections::HashSet;

/// How far ahead of the floor the UIDs may be that a server tells for a batch, other deliveries being slipped in between: one
/// further off is not believed but looked for.
const AHEAD: u32 = 1_000;
/// Connections that one message may cost before it counts as rejected.
const LOSSES: u32 = 3;

/// What is known of a batch once the server has answered and the folder was looked at.
#[derive(Default)]
pub(super) struct Sorted {
    /// Delivered, under this UID.
    pub(super) done: Vec<(Pending, u32, Outcome)>,
    pub(super) refused: Vec<(Pending, String, Outcome)>,
    pub(super) again: Vec<Vec<Pending>>,
    /// May still be stored by a session that is dying: looked for again at the end of the run.
    pub(super) doubtful: usize,
    /// Ends the account, once what is known is written down.
    pub(super) fatal: Option<Error>,
    /// The server asks to wait before anything is sent again.
    pub(super) put_off: Option<Error>,
}

/// A batch whose answer is there, being sorted.
pub(super) struct Sorting {
    /// Without its messages.
    pub(super) sent: Sent,
    pub(super) sorted: Sorted,
    /// Of which the answer tells nothing certain.
    open: Vec<(Pending, Stored)>,
    refused: Vec<(Pending, String, Refusal)>,
    /// Its folder cannot be looked at: nothing is concluded, and the intent stays open.
    pub(super) given_up: bool,
}

impl Sorting {
    /// Sorts a batch by what the server answered.
    pub(super) fn of(deliverer: &mut Deliverer<'_>, mut sent: Sent, report: &Report) -> Self {
        let items = std::mem::take(&mut sent.items);
        let believe = Belief::new(deliverer, &sent, items.len());
        let mut sorting = Sorting {
            sent,
            sorted: Sorted::default(),
            open: Vec::new(),
            refused: Vec::new(),
            given_up: false,
        };
        let stored = report.stored.iter().cloned();
        // A message without an entry would be lost from the books.
        let stored = stored.chain(std::iter::repeat(Stored::Unknown));
        for (item, stored) in items.into_iter().zip(stored) {
            sorting.sort(deliverer, &believe, item, stored);
        }
        sorting
    }

    fn sort(
        &mut self,
        deliverer: &mut Deliverer<'_>,
        belief: &Belief,
        item: Pending,
        stored: Stored,
    ) {
        match stored {
            Stored::Yes(Some(told)) if belief.holds(deliverer, &self.sent, told) => {
                self.sorted.done.push((item, told.1, Outcome::Copied));
            }
            Stored::No {
                words,
                why,
                batch: false,
            } => self.refused.push((item, words, why)),
            stored => self.open.push((item, stored)),
        }
    }

    /// Does the answer leave nothing to find out, and nothing to do again?
    pub(super) fn is_plain(&self) -> bool {
        self.open.is_empty() && self.refused.is_empty()
    }

    /// Is every message answered?
    pub(super) fn is_answered(&self) -> bool {
        let silent = |stored: &Stored| matches!(stored, Stored::NotSent | Stored::Unknown);
        !self.open.iter().any(|(_, stored)| silent(stored))
    }

    pub(super) fn holds_unknown(&self) -> bool {
        self.open
            .iter()
            .any(|(_, stored)| *stored == Stored::Unknown)
    }

    /// The connection ended in this batch: at the first message of it that was not sent.
    pub(super) fn blame(&mut self) {
        let mut open = self.open.iter_mut();
        if let Some((item, _)) = open.find(|(_, stored)| *stored == Stored::NotSent) {
            item.losses += 1;
        }
    }

    fn is_doubtful(&self) -> bool {
        self.open.iter().any(is_sought)
    }

    /// Refusals of single messages, and what goes again.
    pub(super) fn follow_up(&mut self, deliverer: &mut Deliverer<'_>) -> Result<()> {
        let refused = std::mem::take(&mut self.refused);
        refusal::sort_out(deliverer, &self.sent.target, refused, &mut self.sorted)
    }

    /// Takes down where a message of this batch stands, if it does.
    fn place(&mut self, item: Pending, stored: Stored, place: Option<Place>) -> Option<Pending> {
        match (place, stored) {
            (Some(place), _) => {
                let outcome = match place.intact {
                    true => Outcome::Copied,
                    false => Outcome::Altered,
                };
                self.sorted.done.push((item, place.uid, outcome));
            }
            (None, Stored::Unknown) => self.sorted.doubtful += 1,
            (None, Stored::No { words, why, .. }) if why != Refusal::Batch => {
                self.refused.push((item, words, why));
            }
            (None, Stored::Yes(_)) => {
                let words = "the server said OK, but the message does not stand in the folder";
                self.sorted
                    .refused
                    .push((item, words.to_owned(), Outcome::Failed));
            }
            (None, _) => return Some(item),
        }
        None
    }
}

/// A message that was not sent whole cannot stand anywhere.
fn is_sought((_, stored): &(Pending, Stored)) -> bool {
    *stored != Stored::NotSent
}

/// Which UIDs are believed that a server tells for a batch.
struct Belief {
    highest: u32,
    /// An archive knows its UIDs; one below the floor is of a message that it kept before. A server with labels gives the UID of the
    /// copy that it has already.
    exact: bool,
}

impl Belief {
    fn new(deliverer: &mut Deliverer<'_>, sent: &Sent, messages: usize) -> Self {
        let opened = deliverer.landings.opened(&sent.target.name);
        // Those under way before this one have raised it since.
        let floor = opened.map_or(sent.floor, |landing| landing.door.floor.max(sent.floor));
        let messages = u32::try_from(messages).unwrap_or(u32::MAX);
        Belief {
            highest: floor.saturating_add(AHEAD).saturating_add(messages),
            exact: deliverer.context.labels().holds() != Holds::Nothing,
        }
    }

    /// A UID is given once only: who told it for another message before told nothing.
    fn holds(
        &self,
        deliverer: &mut Deliverer<'_>,
        sent: &Sent,
        (validity, uid): (u32, u32),
    ) -> bool {
        if validity != sent.uid_validity {
            return false;
        }
        let opened = deliverer.landings.opened(&sent.target.name);
        self.exact
            || ((sent.floor..self.highest).contains(&uid)
                && opened.is_none_or(|landing| landing.taken.insert(uid)))
    }
}

/// Looks for what the answers left in doubt: each folder once, for all batches together, since a message must not be taken for one
/// of another batch. What is not there goes again, in halves, so that a message nobody can take ends up alone.
pub(super) fn look(deliverer: &mut Deliverer<'_>, sortings: &mut [Sorting]) -> Result<()> {
    let mut names: Vec<Vec<u8>> = Vec::new();
    for sorting in sortings.iter().filter(|sorting| sorting.is_doubtful()) {
        if !names.contains(&sorting.sent.target.name) {
            names.push(sorting.sent.target.name.clone());
        }
    }
    for name in names {
        let mut doubtful: Vec<&mut Sorting> = sortings
            .iter_mut()
            .filter(|sorting| sorting.sent.target.name == name && sorting.is_doubtful())
            .collect();
        let found = found(deliverer, &name, &doubtful);
        for sorting in &mut doubtful {
            sorting.given_up = found.is_err();
            if let Err(error) = &found {
                sorting.sent.run.spare::<()>(Err(error.clone()))?;
            }
        }
        distribute(&mut doubtful, &found.unwrap_or_default());
    }
    for sorting in sortings.iter_mut().filter(|sorting| !sorting.given_up) {
        let unsent = std::mem::take(&mut sorting.open);
        let unsent = unsent.into_iter().map(|(item, _)| item).collect();
        resend(unsent, &mut sorting.sorted);
    }
    Ok(())
}

/// What stands in the folder that may be of these batches.
fn found(deliverer: &mut Deliverer<'_>, name: &[u8], doubtful: &[&mut Sorting]) -> Result<Seen> {
    let Some(first) = doubtful.first() else {
        return Ok(Seen::default());
    };
    let floors = doubtful.iter().map(|sorting| sorting.sent.floor);
    let opened = (
        first.sent.uid_validity,
        floors.min().unwrap_or(first.sent.floor),
    );
    let landing = deliverer.landings.opened(name);
    let taken: HashSet<u32> = landing.map_or_else(HashSet::new, |landing| landing.taken.clone());
    let seen = settle::look_afresh(&mut deliverer.link, name, opened, &taken)?;
    if seen.anew {
        // It is opened afresh when it is needed next.
        deliverer.landings.forget(name);
    }
    Ok(seen)
}

/// Matches all that is sought with all that was found; what is in none of both stays open.
fn distribute(doubtful: &mut [&mut Sorting], seen: &Seen) {
    let open = doubtful
        .iter()
        .flat_map(|sorting| &sorting.open)
        .filter(|open| is_sought(open));
    let (sought, told): (Vec<Sought>, Vec<_>) = open
        .map(|(item, stored)| (sought(item), stored.uid()))
        .unzip();
    let mut places = settle::pair(&sought, &seen.found);
    settle::told(&mut places, &told, &seen.found, seen.uid_validity);
    let mut places = places.into_iter();
    for sorting in doubtful.iter_mut().filter(|sorting| !sorting.given_up) {
        for open in std::mem::take(&mut sorting.open) {
            let place = match is_sought(&open) {
                true => places.next().flatten(),
                false => None,
            };
            let (item, stored) = open;
            if let Some(item) = sorting.place(item, stored, place) {
                sorting.open.push((item, Stored::NotSent));
            }
        }
    }
}

fn sought(item: &Pending) -> Sought {
    Sought {
        digests: item.load.body.digests(),
        header: item.load.header.clone(),
        size: item.load.body.size(),
    }
}

/// What is known not to be stored goes again, in halves, so that a message nobody can take ends up alone.
fn resend(mut items: Vec<Pending>, sorted: &mut Sorted) {
    if items.len() == 1 && items[0].losses >= LOSSES {
        let words = format!("the destination closed the connection {LOSSES} times at this message");
        sorted
            .refused
            .extend(items.pop().map(|item| (item, words, Outcome::Rejected)));
        return;
    }
    let half = items.split_off(items.len().div_ceil(2));
    sorted
        .again
        .extend([items, half].into_iter().filter(|part| !part.is_empty()));
}
