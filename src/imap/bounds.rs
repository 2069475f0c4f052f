//! How much a server may say for one command.

use super::response::Raw;

/// Responses beyond what the mailbox explains.
const NOISE: u64 = 1_000_000;
/// Bytes apart from messages: folders and the like are kept. A hundred thousand folders take a tenth of it.
const KEPT: usize = 64 << 20;

/// What the server has said since the last command was sent.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    responses: u64,
    bytes: usize,
}

impl Bounds {
    /// One more response, `exists` messages in the mailbox: is that still all right?
    pub(super) fn one_more(&mut self, exists: u32) -> bool {
        self.responses += 1;
        self.responses <= NOISE + 4 * u64::from(exists)
    }

    /// A response that may be kept whole: is there room?
    pub(super) fn kept(&mut self, raw: &Raw) -> bool {
        let literals = raw.literals.iter().map(|literal| literal.bytes.len());
        self.bytes += raw.line.len() + literals.sum::<usize>();
        self.bytes <= KEPT
    }
}
