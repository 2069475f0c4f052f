//! Is one message another, as far as headers tell?

use super::Row;
use crate::identity::{HeaderIdentity, Known, Verdict, compare};
use crate::job::Dedup;

/// By what messages with equal identity headers are found. Without a Message-ID the lengths stand for From and Subject, whose bytes a
/// server may have replaced one by one. All that say nothing have one key.
#[must_use]
pub fn head_key(header: &HeaderIdentity) -> Vec<u8> {
    if let Some(id) = &header.message_id {
        return [b"i", id.as_slice()].concat();
    }
    let (from, subject) = (header.from.len(), header.subject.len());
    format!("h{:?} {from} {subject}", header.date).into_bytes()
}

/// Does the header tell the message from others at all?
pub(super) fn says_nothing(header: &HeaderIdentity) -> bool {
    *header == HeaderIdentity::default()
}

/// Equal identity headers, whatever the bytes are.
pub(super) fn alike(source: &Row, standing: &Row) -> bool {
    if source.header.message_id.is_none() {
        return without_id(source, standing);
    }
    fn known(row: &Row) -> Known<'_> {
        Known {
            header: &row.header,
            digests: None,
            size: row.size,
        }
    }
    compare(known(source), known(standing), Dedup::MessageId) == Verdict::Same
}

fn without_id(source: &Row, standing: &Row) -> bool {
    let (ours, theirs) = (&source.header, &standing.header);
    theirs.message_id.is_none()
        && ours.date == theirs.date
        && ours.from == theirs.from
        && ours.subject == theirs.subject
}

/// Sizes are hints: one that is not known differs from none. `loose`: a final line end may have come on the way.
pub(super) fn same_size(source: &Row, standing: &Row, loose: bool) -> bool {
    let both = source.size.zip(standing.size);
    both.is_none_or(|(a, b)| a == b || loose && a.abs_diff(b) == 2)
}

/// A date that an end does not tell differs from none.
pub(super) fn same_date(source: &Row, standing: &Row) -> bool {
    let both = source.date.zip(standing.date);
    both.is_none_or(|(a, b)| a.epoch == b.epoch)
}
