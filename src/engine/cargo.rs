//! What travels down a lane, from the side that reads to the side that delivers.

use super::context::StepRun;
use crate::error::Error;
use crate::identity::HeaderIdentity;
use crate::journal::{Delivered, MessageRow, Place};
use crate::message::{FlagChange, Flags, InternalDate, SourceKey};
use crate::outcome::Outcome;
use crate::source::{Listed, Opened};
use crate::spool::Body;
use crossbeam_channel::Sender;
use std::sync::Arc;

/// A message on its way.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) key: SourceKey,
    pub(super) flags: Flags,
    /// INTERNALDATE, or what stands for it where the source has none.
    pub(super) date: Option<InternalDate>,
    pub(super) body: Body,
    pub(super) header: HeaderIdentity,
    /// Where the archive keeps it, once it does.
    pub(super) place: Option<Place>,
}

/// A message whose outcome is known without delivering it.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) key: SourceKey,
    pub(super) flags: Flags,
    pub(super) date: Option<InternalDate>,
    pub(super) size: u64,
    pub(super) outcome: Outcome,
    pub(super) words: String,
}

/// A message delivered before, whose flags changed at the source since.
#[derive(Debug)]
pub(super) struct FlagWork {
    pub(super) row: MessageRow,
    pub(super) delivered: Delivered,
    pub(super) change: FlagChange,
    /// The flags at the source now, to be remembered; `None` where the change comes from a folded copy.
    pub(super) now: Option<Flags>,
}

/// How the reading side left a folder.
#[derive(Debug, Default)]
pub(super) struct Ending {
    /// The folder's state, if everything in it was seen.
    pub(super) complete: Option<Opened>,
    pub(super) error: Option<Error>,
}

pub(super) enum Cargo {
    Start(Arc<StepRun>),
    /// A header: does the message stand at the destination already? Answered all at once, see `HeadingsEnd`.
    Heading {
        listed: Listed,
        header: HeaderIdentity,
    },
    /// All headers were told; those whose messages are needed go back.
    HeadingsEnd(Sender<Vec<Listed>>),
    Message(Load),
    Verdict(Verdict),
    Flags(FlagWork),
    End(Ending),
}
