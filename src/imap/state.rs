//! What untagged responses tell, whoever asked: capabilities, the selected mailbox, the server's farewell.

use super::capability::Capabilities;
use super::response::{Condition, Line, Status};
use crate::message::Flags;

/// Which flags a mailbox keeps (RFC 9051 §7.1, PERMANENTFLAGS).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PermanentFlags {
    pub flags: Flags,
    /// `\*`: any new keyword too.
    pub any_keyword: bool,
}

/// What SELECT and EXAMINE told (RFC 9051 §6.3.2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selected {
    /// 0 where the server told none.
    pub uid_validity: u32,
    pub uid_next: Option<u32>,
    /// Messages in the mailbox.
    pub exists: u32,
    pub highest_modseq: Option<u64>,
    /// `None`: not told, then every flag may be kept.
    pub permanent: Option<PermanentFlags>,
    pub read_only: bool,
}

/// State of a connection, kept up by every response that passes.
#[derive(Debug, Default)]
pub(super) struct State {
    /// `None`: not told since login.
    pub(super) capabilities: Option<Capabilities>,
    pub(super) selected: Selected,
    /// Messages that were told as expunged since the last SELECT.
    pub(super) expunged: u32,
    /// What stood behind the last `+`.
    pub(super) challenge: Vec<u8>,
    /// The greeting's words, where they could not have been tampered with more than the rest.
    pub(super) greeting: String,
    /// The server's words of farewell.
    pub(super) bye: Option<String>,
}

impl State {
    /// Forgets the selected mailbox: SELECT is about to be sent.
    pub(super) fn begin_select(&mut self) {
        self.selected = Selected::default();
        self.expunged = 0;
    }

    pub(super) fn absorb(&mut self, line: &Line<'_>) {
        match line {
            Line::Continue(text) => self.challenge = text.to_vec(),
            Line::Tagged(_, condition) => self.absorb_code(condition),
            Line::Untagged(condition) => {
                self.absorb_code(condition);
                if condition.status == Status::Bye {
                    self.bye = Some(condition.to_completion().words());
                }
            }
            Line::Numbered(n, name, _) => self.absorb_number(*n, name),
            Line::Data(name, scanner) => {
                if name.eq_ignore_ascii_case(b"CAPABILITY") {
                    self.capabilities = Some(Capabilities::parse(scanner.rest()));
                } else if name.eq_ignore_ascii_case(b"VANISHED") {
                    self.expunged = self.expunged.saturating_add(vanished(scanner.rest()));
                }
            }
        }
    }

    fn absorb_number(&mut self, n: u32, name: &[u8]) {
        if name.eq_ignore_ascii_case(b"EXISTS") {
            self.selected.exists = n;
        } else if name.eq_ignore_ascii_case(b"EXPUNGE") {
            self.selected.exists = self.selected.exists.saturating_sub(1);
            self.expunged = self.expunged.saturating_add(1);
        }
    }

    fn absorb_code(&mut self, condition: &Condition<'_>) {
        let Some((name, mut arguments)) = condition.code() else {
            return;
        };
        let selected = &mut self.selected;
        match name.to_ascii_uppercase().as_slice() {
            b"CAPABILITY" => self.capabilities = Some(Capabilities::parse(arguments.rest())),
            b"UIDVALIDITY" => {
                selected.uid_validity = arguments.value().and_then(|v| v.number()).unwrap_or(0);
            }
            b"UIDNEXT" => selected.uid_next = arguments.value().and_then(|v| v.number()),
            b"HIGHESTMODSEQ" => {
                selected.highest_modseq = arguments.value().and_then(|v| v.number())
            }
            b"NOMODSEQ" => selected.highest_modseq = None,
            b"PERMANENTFLAGS" => {
                selected.permanent = arguments.atoms().map(|atoms| permanent(&atoms))
            }
            b"READ-ONLY" => selected.read_only = true,
            b"READ-WRITE" => selected.read_only = false,
            _ => {}
        }
    }
}

/// Flags from atoms as they stand on the wire.
pub(super) fn flags(atoms: &[&[u8]]) -> Flags {
    let mut flags = Flags::default();
    for atom in atoms {
        flags.insert(&String::from_utf8_lossy(atom));
    }
    flags
}

fn permanent(atoms: &[&[u8]]) -> PermanentFlags {
    PermanentFlags {
        flags: flags(atoms),
        any_keyword: atoms.contains(&&b"\\*"[..]),
    }
}

/// How many messages a VANISHED response (RFC 7162 §3.2.10) names that were here a moment ago.
fn vanished(rest: &[u8]) -> u32 {
    if rest.starts_with(b"(") {
        return 0;
    }
    super::append::uid_set(rest, u32::MAX).map_or(0, |ranges| {
        ranges.iter().fold(0, |sum: u32, (first, last)| {
            sum.saturating_add((last - first).saturating_add(1))
        })
    })
}
