//! When two messages are the same.
//!
//! Which rule holds is the job's `dedup`:
//!
//! - `message-id` (default): the same if the first Message-ID fields agree and nothing known contradicts.
//!   Where both digests are known they decide: the loose ones, which overlook the number of final line
//!   ends. Else headers do, unfolded and with white space collapsed: it is a contradiction if two of
//!   Date (as an instant), From and Subject differ. A source byte ≥ 0x80 (or NUL) matches any byte, since
//!   there are servers that replace those. Size is no more than a hint.
//!   Same id but contradicted: two messages, both are kept, and it is told.
//! - Without a Message-ID at the source: the loose digest where known at both, else Date, From, Subject
//!   and size, all equal. Mail without a Date or without From is too poor for that: what is as long at the
//!   destination is read, and its loose digest decides.
//! - `content`: the loose digest alone. `strict-message-id`: the id alone. `off`: nothing is the same.
//!
//! Candidates are found by the hash of their Message-ID, so one whose Message-ID itself holds bytes that the server replaced is
//! not found by its headers; such ids are against RFC 5322 and rare, and the message is then delivered, not lost.
//!
//! Matching is one to one: see [`Index`].

mod explain;
mod index;
mod probe;

pub use explain::{Explanation, FieldLine, FirstByte, Ruling, Side, explain};
pub use index::{Claim, Index, Look, Standing};

use crate::job::Dedup;
use crate::message::{Digests, InternalDate, header};

/// What headers say about who a message is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderIdentity {
    /// The first Message-ID field, brackets kept.
    pub message_id: Option<Vec<u8>>,
    /// The instant of the Date field, epoch seconds.
    pub date: Option<i64>,
    /// The first From field, unfolded, white space collapsed, raw bytes; empty where there is none.
    pub from: Vec<u8>,
    /// The first Subject field, likewise.
    pub subject: Vec<u8>,
}

impl HeaderIdentity {
    /// From a message's head (or some of its fields), CRLF or LF.
    #[must_use]
    pub fn of(head: &[u8]) -> Self {
        let date = header::first(head, "Date").and_then(|d| InternalDate::parse_header(&d));
        HeaderIdentity {
            message_id: header::message_id(head),
            date: date.map(|d| d.epoch),
            from: header::first(head, "From").unwrap_or_default(),
            subject: header::first(head, "Subject").unwrap_or_default(),
        }
    }
}

/// What is known of one message.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    pub header: &'a HeaderIdentity,
    pub digests: Option<Digests>,
    /// Bytes of the canonical form.
    pub size: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Same,
    /// Same id but plainly another message.
    Contradicted,
    Different,
}

/// Is what stands at the destination the source's message? The rules are at the head of this file.
#[must_use]
pub fn compare(source: Known, standing: Known, dedup: Dedup) -> Verdict {
    let same_content = source
        .digests
        .zip(standing.digests)
        .map(|(a, b)| a.loose == b.loose);
    let ids = source.header.message_id.as_ref();
    let same_id = ids.map(|id| {
        let theirs = standing.header.message_id.as_ref();
        theirs.is_some_and(|theirs| matches(id, theirs))
    });
    let same = match (dedup, same_id) {
        (Dedup::Off, _) | (Dedup::StrictMessageId | Dedup::MessageId, Some(false)) => false,
        (Dedup::Content, _) => same_content == Some(true),
        (Dedup::StrictMessageId, id) => id == Some(true),
        (Dedup::MessageId, Some(true)) => {
            let same = same_content.unwrap_or_else(|| !contradicts(source.header, standing.header));
            return if same {
                Verdict::Same
            } else {
                Verdict::Contradicted
            };
        }
        (Dedup::MessageId, None) => same_content.unwrap_or_else(|| alike(source, standing)),
    };
    if same {
        Verdict::Same
    } else {
        Verdict::Different
    }
}

/// Do two of Date, From and Subject differ?
fn contradicts(source: &HeaderIdentity, standing: &HeaderIdentity) -> bool {
    two_differ(
        source.date,
        standing.date,
        !matches(&source.from, &standing.from),
        !matches(&source.subject, &standing.subject),
    )
}

/// A Date that one of them lacks is not known, and contradicts nothing.
fn two_differ(source: Option<i64>, standing: Option<i64>, from: bool, subject: bool) -> bool {
    let date = source.zip(standing).is_some_and(|(a, b)| a != b);
    date && (from || subject) || from && subject
}

/// For messages without an id: all that headers and size say is equal, and they say enough.
fn alike(source: Known, standing: Known) -> bool {
    let (ours, theirs) = (source.header, standing.header);
    theirs.message_id.is_none()
        && says_enough(ours)
        && ours.date == theirs.date
        && source.size.is_some()
        && source.size == standing.size
        && matches(&ours.from, &theirs.from)
        && matches(&ours.subject, &theirs.subject)
}

fn says_enough(header: &HeaderIdentity) -> bool {
    header.date.is_some() && !header.from.is_empty()
}

/// May a server have put another byte in its place?
fn replaceable(byte: u8) -> bool {
    byte >= 0x80 || byte == 0
}

/// Equal, but for source bytes that a server may have replaced one by one.
fn matches(source: &[u8], standing: &[u8]) -> bool {
    source.len() == standing.len()
        && source
            .iter()
            .zip(standing)
            .all(|(&a, &b)| a == b || replaceable(a))
}

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;
