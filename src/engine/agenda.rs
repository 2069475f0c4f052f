//! What one lane has before it: groups of steps from the queue that all lanes share.

use super::context::lock;
use super::lane::Group;
use crate::plan::{SourceFolder, Step};
use std::collections::VecDeque;
use std::sync::Mutex;

/// Groups that no lane has taken yet.
pub(super) type Queue = Mutex<VecDeque<Group>>;

/// The steps of one lane: of the group that it works on, and of those that it has set aside since the source is asked for them already.
pub(super) struct Agenda<'a> {
    queue: &'a Queue,
    /// Lanes that share the queue.
    lanes: usize,
    own: VecDeque<(usize, Step)>,
}

impl<'a> Agenda<'a> {
    pub(super) fn new(queue: &'a Queue, lanes: usize) -> Self {
        Agenda {
            queue,
            lanes,
            own: VecDeque::new(),
        }
    }

    /// The next step to work on; `None`: all are done or others have them.
    pub(super) fn next(&mut self) -> Option<(usize, Step)> {
        if self.own.is_empty() {
            self.own.extend(lock(self.queue).pop_front()?);
        }
        self.own.pop_front()
    }

    /// The folder of the n-th step after the one that is worked on, from 0, if it `fits`: it is this lane's from now on. No more
    /// is set aside than leaves the other lanes their share.
    pub(super) fn ahead(&mut self, n: usize, fits: impl Fn(&Step) -> bool) -> Option<SourceFolder> {
        while self.own.len() <= n {
            let mut queue = lock(self.queue);
            let (_, first) = queue.front()?.front()?;
            if !fits(first) || self.own.len() * self.lanes > queue.len() {
                return None;
            }
            self.own.extend(queue.pop_front()?);
        }
        let (_, step) = &self.own[n];
        fits(step).then(|| step.source.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Folder;
    use crate::plan::{Target, Work};

    fn group(order: usize, messages: u32) -> Group {
        let folder = Folder::from_wire(format!("F{order}").as_bytes(), Some(b'/'), b"");
        let source = SourceFolder {
            source: 0,
            folder: folder.unwrap(),
            name: format!("F{order}").into_bytes(),
            special_use: None,
            subscribed: false,
            uid_validity: 1,
            uid_next: None,
            messages,
            highest_modseq: None,
            labelled: false,
        };
        let target = Target {
            folder: source.folder.clone(),
            name: source.name.clone(),
            standing: None,
            special_use: None,
            subscribe: false,
        };
        let work = Work::CopyWhole { messages };
        Group::from([(
            order,
            Step {
                source,
                target,
                work,
                take: crate::plan::labels::Take::All,
            },
        )])
    }

    fn is_small(step: &Step) -> bool {
        step.source.messages < 10
    }

    #[test]
    fn what_is_set_aside_comes_next_and_leaves_others_their_share() {
        let queue = Mutex::new((0..9).map(|order| group(order, 1)).collect());
        let mut agenda = Agenda::new(&queue, 2);
        assert_eq!(agenda.next().unwrap().0, 0);
        let ahead: Vec<_> = (0..9).map_while(|n| agenda.ahead(n, is_small)).collect();
        assert_eq!(ahead.len(), 3);
        // Asked once more, nothing else is set aside.
        assert_eq!(agenda.ahead(0, is_small).unwrap().name, b"F1");
        let mut other = Agenda::new(&queue, 2);
        assert_eq!(other.next().unwrap().0, 4);
        let rest: Vec<_> = std::iter::from_fn(|| agenda.next()).collect();
        let orders: Vec<_> = rest.iter().map(|(order, _)| *order).collect();
        assert_eq!(orders, [1, 2, 3, 5, 6, 7, 8]);
    }

    #[test]
    fn what_does_not_fit_is_left_in_the_queue() {
        let queue = Mutex::new(
            (0..3)
                .map(|order| group(order, order as u32 * 10))
                .collect(),
        );
        let mut agenda = Agenda::new(&queue, 1);
        agenda.next();
        assert!(agenda.ahead(0, is_small).is_none());
        assert_eq!(lock(&queue).len(), 2);
    }
}
