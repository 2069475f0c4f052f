//! The books of a session's APPENDs: what was sent, what was answered, and what a lost connection leaves known.

use super::append::{Append, AppendReport, Appended, results};
use super::deliver::Sending;
use super::link::{Link, Nothing};
use super::response::{Completion, Status};
use crate::error::{Error, Kind, Result};
use crate::failpoint;
use std::collections::VecDeque;

/// A command on its way, with the places of its messages in the batch.
pub(super) struct Pending {
    pub(super) tag: u32,
    pub(super) members: Vec<usize>,
    /// It holds a literal that did not wait for a go-ahead.
    pub(super) at_once: bool,
}

/// A batch that is not told of yet.
struct Batch {
    results: Vec<Option<Appended>>,
    /// How many bytes the wire had queued when the last byte of a message was.
    ends: Vec<Option<u64>>,
    pending: VecDeque<Pending>,
}

/// The batches of a session that are not told of yet, the oldest first.
#[derive(Default)]
pub(super) struct Unanswered {
    batches: VecDeque<Batch>,
    /// An APPEND with a LITERAL+ literal was taken in this session.
    pub(super) proved: bool,
    pub(super) literal_plus_refused: bool,
    lost: Option<Error>,
}

impl Unanswered {
    /// Sends a batch behind the others; how it ended, [`Unanswered::collect`] tells.
    pub(super) fn submit(
        &mut self,
        link: &mut Link,
        mailbox: &[u8],
        batch: &[Append<'_>],
        multi: bool,
    ) {
        self.batches.push_back(Batch {
            results: vec![None; batch.len()],
            ends: vec![None; batch.len()],
            pending: VecDeque::new(),
        });
        let mut sending = Sending {
            link: &mut *link,
            mailbox,
            batch,
            appends: &mut *self,
        };
        if let Err(error) = sending.run(multi) {
            self.lose(link, error);
        }
    }

    /// What became of the oldest batch; without `wait` only if all of it is answered. After a loss nothing is waited for.
    pub(super) fn collect(&mut self, link: &mut Link, wait: bool) -> Option<AppendReport> {
        if self.batches.is_empty() {
            return None;
        }
        if self.lost.is_none() {
            match self.settle_oldest(link, wait) {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => self.lose(link, error),
            }
        }
        let batch = self.batches.pop_front()?;
        let attempted = link.wire.attempted();
        let unanswered = |end: Option<u64>| match end {
            Some(end) if end <= attempted => Appended::Unknown,
            _ => Appended::NotSent,
        };
        let each = batch.results.into_iter().zip(batch.ends);
        Some(AppendReport {
            results: each
                .map(|(result, end)| result.unwrap_or_else(|| unanswered(end)))
                .collect(),
            lost: self.lost.clone(),
            literal_plus_refused: self.literal_plus_refused,
        })
    }

    /// Is all of the oldest batch answered?
    fn settle_oldest(&mut self, link: &mut Link, wait: bool) -> Result<bool> {
        if !wait {
            while link.poll(&mut Nothing)? {}
        }
        while let Some(pending) = self.batches.front().and_then(|batch| batch.pending.front()) {
            if !wait && !link.is_completed(pending.tag) {
                return Ok(false);
            }
            self.settle_one(link)?;
        }
        Ok(true)
    }

    /// Awaits the answer to the oldest command that has none; `None`: all are answered.
    pub(super) fn settle_one(&mut self, link: &mut Link) -> Result<Option<Completion>> {
        let oldest = self.batches.iter().find_map(|batch| batch.pending.front());
        let Some((tag, at_once)) = oldest.map(|pending| (pending.tag, pending.at_once)) else {
            return Ok(None);
        };
        let answer = link.finish(tag, &mut Nothing)?;
        self.record(tag, &answer);
        if at_once && answer.status == Status::Bad {
            return Err(self.misunderstood(link, &answer));
        }
        Ok(Some(answer))
    }

    /// BAD to a command with a LITERAL+ literal: Dovecot, for one, then reads the message as commands.
    fn misunderstood(&mut self, link: &mut Link, answer: &Completion) -> Error {
        self.literal_plus_refused = true;
        link.broken = true;
        link.peer
            .refused(answer, "an APPEND with LITERAL+", Kind::Transient)
    }

    /// The connection is lost: what has arrived before that still counts.
    fn lose(&mut self, link: &mut Link, error: Error) {
        link.broken = true;
        self.lost.get_or_insert(error);
        while link.poll(&mut Nothing).unwrap_or(false) {}
        let pending = self.batches.iter().flat_map(|batch| &batch.pending);
        let tags: Vec<u32> = pending.map(|pending| pending.tag).collect();
        for tag in tags {
            if let Some(answer) = link.completed(tag) {
                self.record(tag, &answer);
            }
        }
    }

    /// Commands that are not answered.
    pub(super) fn commands(&self) -> usize {
        self.batches.iter().map(|batch| batch.pending.len()).sum()
    }

    /// A command of the newest batch begins.
    pub(super) fn begin(&mut self, pending: Pending) {
        if let Some(batch) = self.batches.back_mut() {
            batch.pending.push_back(pending);
        }
    }

    /// The command that began last holds a literal that did not wait.
    pub(super) fn waits_for_nothing(&mut self) {
        let newest = self.batches.back_mut();
        if let Some(pending) = newest.and_then(|batch| batch.pending.back_mut()) {
            pending.at_once = true;
        }
    }

    /// The last byte of a message of the newest batch is queued, as the wire's byte `end`.
    pub(super) fn whole(&mut self, at: usize, end: u64) {
        if let Some(batch) = self.batches.back_mut() {
            batch.ends[at] = Some(end);
        }
    }

    /// A message of the newest batch has its result without being sent.
    pub(super) fn decide(&mut self, at: usize, result: Appended) {
        if let Some(batch) = self.batches.back_mut() {
            batch.results[at] = Some(result);
        }
    }

    /// Takes a command's answer down for its messages.
    pub(super) fn record(&mut self, tag: u32, answer: &Completion) {
        for batch in &mut self.batches {
            let Some(at) = batch.pending.iter().position(|pending| pending.tag == tag) else {
                continue;
            };
            failpoint::pass("APPEND: answered");
            if let Some(pending) = batch.pending.remove(at) {
                let results = results(answer, pending.members.len());
                for (at, result) in pending.members.into_iter().zip(results) {
                    batch.results[at] = Some(result);
                }
            }
            return;
        }
    }
}
