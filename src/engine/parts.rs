//! A large folder read in parts by several connections, and put together in its order.
//!
//! Every part has a channel of its own. One thread forwards them to the lane, part after part; those whose turn has not come are held back
//! in their channels, with at most half of the budget. Parts are taken in their order, so whoever is waited for is being read. Where one
//! breaks off, nothing behind it is forwarded: what is missing is then listed and read by the folder's own lane.

use super::arrival::{arrived, changed_validity};
use super::cargo::Cargo;
use super::collect::lane_closed;
use super::context::{Context, lock};
use crate::error::Result;
use crate::message::SourceKey;
use crate::net::Flow;
use crate::plan::SourceFolder;
use crate::source::{Opened, Source};
use crate::spool::Budget;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex};

/// A folder of fewer messages is not worth sharing.
const LARGE: u32 = 512;
/// About how many messages are a part; many more parts than these would cost more than they bring.
const PART: u32 = 128;
const MOST: u32 = 256;
/// Messages of a part that wait for its turn, at most; their bytes are bounded by the budget.
const WAITING: usize = 256;

/// What comes out of a part; `None`: all of it came.
type Piece = Option<Cargo>;

/// A part that nobody reads yet.
pub(super) struct Part {
    folder: Arc<SourceFolder>,
    uids: (u32, u32),
    budget: Budget,
    down: Sender<Piece>,
}

/// A part as it is forwarded.
pub(super) struct Coming {
    budget: Budget,
    up: Receiver<Piece>,
}

/// How forwarding ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Forwarded {
    All,
    /// A part broke off: nothing behind it was forwarded.
    Broken,
    /// The lane takes nothing any more.
    Closed,
}

/// Is it worth reading in parts?
pub(super) fn is_large(folder: &SourceFolder) -> bool {
    folder.messages >= LARGE && folder.uid_next.is_some()
}

/// The ranges of UIDs that a large folder is read in. UIDs may lie anywhere below UIDNEXT: parts are of about the same size only where
/// they lie evenly. `None`: it is not worth it, or not known.
fn ranges(folder: &SourceFolder) -> Option<Vec<(u32, u32)>> {
    let next = folder.uid_next.filter(|_| is_large(folder))?;
    let parts = (folder.messages / PART).min(MOST);
    let span = next.saturating_sub(1).div_ceil(parts).max(1);
    let end = |n: u32| n.saturating_mul(span);
    let ranges = (0..parts).map(|n| (end(n).saturating_add(1), end(n + 1)));
    let mut ranges: Vec<_> = ranges.take_while(|(first, _)| *first < next).collect();
    // What comes in meanwhile belongs to the last.
    ranges.last_mut()?.1 = u32::MAX;
    Some(ranges)
}

/// The parts of a folder, in order, and their other ends; `None` where it is read in one.
pub(super) fn divide(
    folder: &SourceFolder,
    budget: &Budget,
) -> Option<(VecDeque<Part>, VecDeque<Coming>)> {
    let ranges = ranges(folder)?;
    let folder = Arc::new(folder.clone());
    let part = |uids| {
        let (down, up) = bounded(WAITING);
        let budget = budget.behind();
        let coming = Coming {
            budget: budget.clone(),
            up,
        };
        let folder = Arc::clone(&folder);
        let part = Part {
            folder,
            uids,
            budget,
            down,
        };
        (part, coming)
    };
    Some(ranges.into_iter().map(part).unzip())
}

/// Forwards what comes of the parts, in their order; `seen` gets the keys of what was forwarded.
pub(super) fn forward(
    mut coming: VecDeque<Coming>,
    lane: &Sender<Cargo>,
    seen: &mut HashSet<SourceKey>,
) -> Forwarded {
    let mut result = Forwarded::All;
    while let Some(part) = coming.pop_front() {
        part.budget.come();
        result = forward_one(&part.up, lane, seen);
        if result != Forwarded::All {
            break;
        }
    }
    // Whoever waits for the turn of these shall find that it will not come.
    coming.iter().for_each(|part| part.budget.come());
    result
}

fn forward_one(
    up: &Receiver<Piece>,
    lane: &Sender<Cargo>,
    seen: &mut HashSet<SourceKey>,
) -> Forwarded {
    loop {
        let cargo = match up.recv() {
            Ok(Some(cargo)) => cargo,
            Ok(None) => return Forwarded::All,
            Err(_) => return Forwarded::Broken,
        };
        let fresh = match &cargo {
            Cargo::Message(load) => seen.insert(load.key.clone()),
            Cargo::Verdict(verdict) => seen.insert(verdict.key.clone()),
            _ => true,
        };
        if fresh && lane.send(cargo).is_err() {
            return Forwarded::Closed;
        }
    }
}

impl Part {
    /// Which of the job's sources it is of.
    pub(super) fn source(&self) -> usize {
        self.folder.source as usize
    }

    /// Reads it, and takes what comes after it to be asked for ahead; `opened` gets the folder as it was then.
    pub(super) fn read(
        &self,
        context: &Context,
        source: &mut dyn Source,
        taken: &mut VecDeque<Part>,
        opened: &mut Option<Opened>,
    ) -> Result<()> {
        let deleted_too = context.sources[self.source()].0.copy_deleted;
        let pace = &context.paces.sources[self.source()];
        let mut seen = HashSet::new();
        let flow = || match context.stop.asked() {
            true => Flow::Stop,
            false => Flow::Continue,
        };
        source.fetch_range(
            &self.folder,
            self.uids,
            &self.budget,
            &mut |now| {
                if now.uid_validity != self.folder.uid_validity {
                    return Err(changed_validity(&self.folder.folder.to_string()));
                }
                *opened = Some(*now);
                Ok(flow())
            },
            &mut |arrival| {
                if !self.holds(&arrival.key) {
                    return Ok(flow());
                }
                if let Some(cargo) = arrived(context, arrival, &mut seen, false, deleted_too)? {
                    self.down.send(Some(cargo)).map_err(|_| lane_closed())?;
                }
                if !context.stop.asked() {
                    pace.arrived()?;
                }
                Ok(flow())
            },
            &mut |n| context.board.ahead(&self.folder, taken, n),
        )?;
        context.check_stop()?;
        self.down.send(None).map_err(|_| lane_closed())
    }

    fn holds(&self, key: &SourceKey) -> bool {
        let (first, last) = self.uids;
        matches!(key, SourceKey::Uid(uid) if (first..=last).contains(uid))
    }
}

/// Parts that wait for somebody to read them, and how many there are who do.
#[derive(Default)]
pub(super) struct Board {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    parts: VecDeque<Part>,
    /// Lanes that work, and connections that only help them to read.
    lanes: usize,
    /// How many there should be.
    wanted: usize,
    /// May others help a lane to read?
    shared: bool,
}

impl Board {
    /// So many lanes begin; large folders are `shared` with others.
    pub(super) fn begin(&self, lanes: usize, shared: bool) {
        let mut state = lock(&self.state);
        (state.lanes, state.wanted, state.shared) = (lanes, lanes, shared);
    }

    pub(super) fn is_shared(&self) -> bool {
        lock(&self.state).shared
    }

    /// There should be so many lanes.
    pub(super) fn aim(&self, lanes: usize) {
        lock(&self.state).wanted = lanes;
    }

    pub(super) fn lane_begins(&self) {
        lock(&self.state).lanes += 1;
    }

    /// How many lanes work.
    pub(super) fn lanes(&self) -> usize {
        lock(&self.state).lanes
    }

    /// Are there more lanes than there should be?
    pub(super) fn is_crowded(&self) -> bool {
        let state = lock(&self.state);
        state.lanes > state.wanted
    }

    /// Leaves, if there are more lanes than there should be: then the lane counts as ended.
    pub(super) fn leave_if_crowded(&self) -> bool {
        let mut state = lock(&self.state);
        let crowded = state.lanes > state.wanted;
        state.lanes -= usize::from(crowded);
        crowded
    }

    /// A lane has read its last folder, or somebody who helped is gone.
    pub(super) fn lane_ended(&self) {
        let mut state = lock(&self.state);
        state.lanes = state.lanes.saturating_sub(1);
    }

    pub(super) fn publish(&self, parts: VecDeque<Part>) {
        lock(&self.state).parts.extend(parts);
    }

    /// Is there a part that nobody reads?
    pub(super) fn has_parts(&self) -> bool {
        !lock(&self.state).parts.is_empty()
    }

    /// The next part, of this folder or of any.
    pub(super) fn take(&self, folder: Option<&SourceFolder>) -> Option<Part> {
        let mut state = lock(&self.state);
        let fits = |part: &Part| folder.is_none_or(|folder| part.is_of(folder));
        let at = state.parts.iter().position(fits)?;
        state.parts.remove(at)
    }

    /// The range of the n-th part after the one that is read now, which becomes one of those `taken`.
    fn ahead(
        &self,
        folder: &SourceFolder,
        taken: &mut VecDeque<Part>,
        n: usize,
    ) -> Option<(u32, u32)> {
        while taken.len() <= n {
            if self.is_crowded() {
                return None;
            }
            taken.push_back(self.take(Some(folder))?);
        }
        Some(taken[n].uids)
    }

    /// Takes away what is left of this folder.
    pub(super) fn withdraw(&self, folder: &SourceFolder) {
        lock(&self.state).parts.retain(|part| !part.is_of(folder));
    }
}

impl Part {
    fn is_of(&self, folder: &SourceFolder) -> bool {
        (self.folder.source, &self.folder.name) == (folder.source, &folder.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Folder;

    fn folder(messages: u32, uid_next: Option<u32>) -> SourceFolder {
        SourceFolder {
            source: 0,
            folder: Folder::inbox(),
            name: b"INBOX".to_vec(),
            special_use: None,
            subscribed: false,
            uid_validity: 1,
            uid_next,
            messages,
            highest_modseq: None,
            labelled: false,
        }
    }

    #[test]
    fn ranges_cover_every_uid_once() {
        for (messages, next) in [(512, 513), (512, 514), (1000, 7), (5000, 90_001), (512, 1)] {
            let Some(ranges) = ranges(&folder(messages, Some(next))) else {
                assert_eq!(next, 1);
                continue;
            };
            assert_eq!((ranges[0].0, ranges.last().unwrap().1), (1, u32::MAX));
            for pair in ranges.windows(2) {
                assert_eq!(pair[0].1 + 1, pair[1].0);
                assert!(pair[0].1 < next);
            }
        }
        let most = ranges(&folder(u32::MAX, Some(u32::MAX))).unwrap();
        assert_eq!((most.len(), most[255].1), (256, u32::MAX));
        assert!(ranges(&folder(511, Some(512))).is_none());
        assert!(ranges(&folder(600, None)).is_none());
    }

    #[test]
    fn parts_come_in_their_order_and_nothing_behind_a_broken_one() {
        let budget = Budget::new(1 << 20);
        let (parts, coming) = divide(&folder(512, Some(513)), &budget).unwrap();
        assert_eq!(parts.len(), 4);
        let board = Board::default();
        board.publish(parts);
        let mut taken = VecDeque::from([board.take(None).unwrap()]);
        let folder = folder(512, Some(513));
        assert_eq!(board.ahead(&folder, &mut taken, 2), Some((257, 384)));
        assert_eq!(taken.len(), 3);
        taken.extend(board.take(Some(&folder)));
        assert!(!board.has_parts() && board.take(None).is_none());
        let (lane, out) = bounded(10);
        for (n, part) in taken.iter().enumerate().rev() {
            let (reply, _) = bounded(n);
            part.down.send(Some(Cargo::HeadingsEnd(reply))).unwrap();
            if n != 2 {
                part.down.send(None).unwrap();
            }
        }
        drop(taken);
        let end = forward(coming, &lane, &mut HashSet::new());
        assert_eq!(end, Forwarded::Broken);
        let order = out.try_iter().map(|cargo| match cargo {
            Cargo::HeadingsEnd(reply) => reply.capacity(),
            _ => None,
        });
        assert_eq!(order.collect::<Vec<_>>(), [Some(0), Some(1), Some(2)]);
    }
}
