//! Bulk APPEND: what goes in, and what came of it (RFC 9051 §6.3.12, RFC 3502, RFC 4315).

use super::response::Completion;
use super::scan::number;
use super::session::Session;
use crate::error::Error;
use crate::message::InternalDate;
use crate::spool::Body;

/// One message to store.
#[derive(Debug, Clone, Copy)]
pub struct Append<'a> {
    /// In IMAP's writing (`\Seen`, `$Forwarded`). One that cannot be written as a flag gets the message refused unsent.
    pub flags: &'a [String],
    /// `None`: the server takes the time of delivery.
    pub date: Option<InternalDate>,
    pub body: &'a Body,
}

/// What is known of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    /// The server said OK; UIDVALIDITY and UID where it told them beyond doubt (RFC 4315).
    Stored {
        uid_validity_uid: Option<(u32, u32)>,
    },
    /// The server said NO or BAD.
    Refused {
        words: String,
        /// The response code's name in upper case: `OVERQUOTA`, `TRYCREATE`, `CANNOT` …
        code: Option<String>,
        /// It was said to a MULTIAPPEND of more than one message.
        batch: bool,
    },
    /// Its last byte never left: it cannot be stored.
    NotSent,
    /// Its last byte left and no answer came: it may be stored.
    Unknown,
}

/// What became of a batch.
#[derive(Debug, Clone)]
pub struct AppendReport {
    /// One a message, in order.
    pub results: Vec<Appended>,
    /// Why the connection is lost.
    pub lost: Option<Error>,
    /// A literal that did not wait (LITERAL+) was not taken: use [`Session::set_synchronising`] with this server.
    pub literal_plus_refused: bool,
}

impl Session {
    /// Stores messages in a mailbox (wire name), in order: as one MULTIAPPEND where the server has it, else pipelined. Returns when all
    /// is sent, and [`Session::collect`] tells what became of it; until it has, the session takes nothing but more batches. How
    /// many and how large a batch may be, and how many are under way, is the caller's decision.
    ///
    /// Literals do not wait where the server has LITERAL+ (or LITERAL-, to 4096 bytes), but for the session's first, which is small
    /// and awaited as a proof. A refusal before a literal's end closes the connection: what follows could be taken for commands.
    pub fn submit(&mut self, mailbox: &[u8], batch: &[Append<'_>]) {
        let multi = self.capabilities.multiappend;
        let mut gate = self.handle.gate();
        gate.link.doing = "APPEND";
        self.appends.submit(&mut gate.link, mailbox, batch, multi);
    }

    /// What became of the oldest batch that is not told of yet. `None`: there is none, or, without `wait`, it is not answered whole
    /// yet. Once the connection is lost every batch has its report at once, each with what the server still had said.
    pub fn collect(&mut self, wait: bool) -> Option<AppendReport> {
        let mut gate = self.handle.gate();
        gate.link.doing = "APPEND";
        self.appends.collect(&mut gate.link, wait)
    }
}

/// The results for the members of one command.
pub(super) fn results(answer: &Completion, members: usize) -> Vec<Appended> {
    if !answer.is_ok() {
        let refused = Appended::Refused {
            words: answer.words(),
            code: answer.code(),
            batch: members > 1,
        };
        return vec![refused; members];
    }
    let uids = append_uids(answer, members);
    (0..members)
        .map(|at| Appended::Stored {
            uid_validity_uid: uids.as_ref().map(|(validity, uids)| (*validity, uids[at])),
        })
        .collect()
}

/// UIDVALIDITY and one UID a member, in order; `None` where the server told none, or another number of them.
fn append_uids(answer: &Completion, members: usize) -> Option<(u32, Vec<u32>)> {
    let mut arguments = answer.code_arguments("APPENDUID")?;
    let validity = number(arguments.word()).filter(|validity| *validity != 0)?;
    let ranges = uid_set(arguments.word(), u32::try_from(members).ok()?)?;
    let uids: Vec<u32> = ranges
        .into_iter()
        .flat_map(|(first, last)| first..=last)
        .collect();
    (uids.len() == members).then_some((validity, uids))
}

/// Reads `1:5,7` as ranges; `None` where it is no set of UIDs, or holds more than `most` of them.
pub(super) fn uid_set(text: &[u8], most: u32) -> Option<Vec<(u32, u32)>> {
    let mut ranges = Vec::new();
    let mut count = 0u64;
    for part in text.split(|b| *b == b',') {
        let mut ends = part.splitn(2, |b| *b == b':');
        let first: u32 = number(ends.next()?)?;
        let last: u32 = ends.next().map_or(Some(first), number)?;
        let (first, last) = (first.min(last), first.max(last));
        count += u64::from(last - first) + 1;
        if first == 0 || count > u64::from(most) {
            return None;
        }
        ranges.push((first, last));
    }
    Some(ranges)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::response::{Line, Raw};

    fn answer(line: &str) -> Completion {
        let raw = Raw {
            line: line.as_bytes().to_vec(),
            literals: Vec::new(),
        };
        match Line::parse(&raw) {
            Some(Line::Tagged(_, condition)) => condition.to_completion(),
            other => panic!("{other:?}"),
        }
    }

    fn uids(line: &str, members: usize) -> Vec<Option<(u32, u32)>> {
        let uid = |result| match result {
            Appended::Stored { uid_validity_uid } => uid_validity_uid,
            other => panic!("{other:?}"),
        };
        results(&answer(line), members)
            .into_iter()
            .map(uid)
            .collect()
    }

    #[test]
    fn appenduid_counts_or_is_not_believed() {
        assert_eq!(
            uids("m1 OK [APPENDUID 7 1:2,9] done", 3),
            [Some((7, 1)), Some((7, 2)), Some((7, 9))]
        );
        assert_eq!(uids("m1 OK [appenduid 7 4] done", 1), [Some((7, 4))]);
        for bad in [
            "m1 OK [APPENDUID 7 1:3] done",
            "m1 OK [APPENDUID 14  ] done",
            "m1 OK [APPENDUID] done",
            "m1 OK [APPENDUID x 1:2]",
            "m1 OK [APPENDUID 0 1:2]",
            "m1 OK [APPENDUID 7 1:4294967295] done",
            "m1 OK [APPENDUID 7 1:*] done",
            "m1 OK",
        ] {
            assert_eq!(uids(bad, 2), [None, None], "{bad}");
        }
    }

    #[test]
    fn a_refusal_keeps_the_words() {
        let refused = results(&answer("m1 NO [Overquota] Mailbox is full"), 2);
        let words = "[Overquota] Mailbox is full".to_owned();
        let code = Some("OVERQUOTA".to_owned());
        assert_eq!(
            refused[1],
            Appended::Refused {
                words,
                code,
                batch: true
            }
        );
    }
}
