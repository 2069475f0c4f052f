//! Which lanes work, and when one joins or leaves: the headcount decides, folders are where it happens.

use super::agenda::Queue;
use super::context::{Context, lock};
use super::headcount::Headcount;
use super::lane::Crew;
use crate::outcome::{CrewChange, Event};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

/// How often the headcount is looked at.
const TICK: Duration = Duration::from_millis(100);

/// Tells that a lane, or somebody who only helps one to read, has ended, however it did.
pub(super) struct Farewell {
    pub(super) tell: Sender<Ended>,
    pub(super) ended: Ended,
}

/// Who is gone.
#[derive(Debug, Default)]
pub(super) struct Ended {
    /// It only helped to read.
    pub(super) hand: bool,
    /// The words with which a server took no further connection.
    pub(super) refused: Option<String>,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        // Nobody listens any more only where the run could not even be prepared.
        drop(self.tell.send(std::mem::take(&mut self.ended)));
    }
}

/// Who works.
#[derive(Debug, Clone, Copy)]
struct Working {
    lanes: usize,
    hands: usize,
}

impl Working {
    fn all(self) -> usize {
        self.lanes + self.hands
    }

    fn without(&mut self, ended: &Ended) {
        let of = if ended.hand {
            &mut self.hands
        } else {
            &mut self.lanes
        };
        *of = of.saturating_sub(1);
    }
}

/// Waits for all to end; has others begin where the headcount allows and there is work for them. `start` begins a lane of that number;
/// without one, somebody who helps.
pub(super) fn watch(
    context: &Context,
    crew: Crew,
    work: &Queue,
    told: &Receiver<Ended>,
    start: &dyn Fn(Option<usize>),
) {
    let began = Instant::now();
    let mut headcount = Headcount::new(crew.lanes, crew.connections);
    let mut started = crew.lanes;
    let mut working = Working {
        lanes: crew.lanes,
        hands: 0,
    };
    while working.all() > 0 {
        let ended = told.recv_timeout(TICK);
        let now = began.elapsed();
        match ended {
            Ok(ended) => {
                working.without(&ended);
                if let Some(words) = ended.refused {
                    headcount.refused(now, working.all());
                    tell(context, headcount.lanes(), CrewChange::Refused, Some(words));
                }
            }
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if let Some(words) = context.throttled()
            && let Some(why) = headcount.throttled(now)
        {
            tell(context, headcount.lanes(), why, Some(words));
        }
        let for_lanes = || working.lanes < crew.most && !lock(work).is_empty();
        let waits = (for_lanes() || context.board.has_parts()) && !context.stop.asked();
        if waits && let Some(why) = headcount.measured(now, context.moved()) {
            tell(context, headcount.lanes(), why, None);
        }
        context.board.aim(headcount.lanes());
        if waits && working.all() < headcount.lanes() {
            context.board.lane_begins();
            if for_lanes() {
                start(Some(started));
                (working.lanes, started) = (working.lanes + 1, started + 1);
            } else {
                start(None);
                working.hands += 1;
            }
        }
    }
}

fn tell(context: &Context, connections: usize, why: CrewChange, words: Option<String>) {
    context.tell(Event::Connections {
        account: context.account.name.clone(),
        connections,
        why,
        words,
    });
}
