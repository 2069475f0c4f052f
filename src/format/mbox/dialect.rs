//! The four dialects, and which one a file speaks.

use super::quoting::Rule;
use super::scan::Scan;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How a writer kept body lines that start with `From ` from looking like the start of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// `From ` became `>From `; `>From ` stayed, so that the two cannot be told apart any more.
    Mboxo,
    /// One more `>` before any number of `>` and `From `: can be undone exactly. What mailhaul writes.
    Mboxrd,
    /// As mboxo, and a Content-Length field says where the body ends.
    Mboxcl,
    /// A Content-Length field alone.
    Mboxcl2,
}

impl Dialect {
    /// As job files write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Dialect::Mboxo => "mboxo",
            Dialect::Mboxrd => "mboxrd",
            Dialect::Mboxcl => "mboxcl",
            Dialect::Mboxcl2 => "mboxcl2",
        }
    }

    /// Is Content-Length looked at?
    pub(super) fn by_length(self) -> bool {
        matches!(self, Dialect::Mboxcl | Dialect::Mboxcl2)
    }

    pub(super) fn unquoting(self) -> Rule {
        match self {
            Dialect::Mboxo | Dialect::Mboxcl => Rule::RemoveSingle,
            Dialect::Mboxrd => Rule::Remove,
            Dialect::Mboxcl2 => Rule::Keep,
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a file counts as a dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The job says so.
    Given,
    /// Every Content-Length ends where the next message begins, and lines are quoted all the same, or not.
    Lengths { quoted: bool },
    /// There are lines that start with `>>From `: far likelier a `>From ` that was quoted than a `>>From ` that was not.
    QuotedTwice,
    /// There are lines that start with `>From `, and none with more.
    QuotedOnce,
    /// No line is quoted, so that the dialects read alike.
    NothingQuoted,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Given => "the job says so",
            Reason::Lengths { quoted: true } => {
                "every Content-Length ends at a message's end, and body lines are quoted"
            }
            Reason::Lengths { quoted: false } => {
                "every Content-Length ends at a message's end, and body lines are not quoted"
            }
            Reason::QuotedTwice => "it holds lines that start with \">>From \"",
            Reason::QuotedOnce => "it holds lines that start with \">From \" and none with more",
            Reason::NothingQuoted => "no line of it is quoted",
        })
    }
}

/// Do all lengths fit, so that they decide? A writer of lengths gives one to every message, so the file's first has one; what others
/// append without must not turn the file into another dialect. A length that jumps over what looks like a message has to be borne out by
/// others: a single field, which any sender can write, must not swallow the next message.
pub(super) fn lengths_decide(scan: &Scan) -> bool {
    let seen = &scan.evidence;
    let fit = seen.first_landed && seen.missed == 0;
    let borne_out = seen.landed > 1 || seen.jumped == 0;
    // Fields that came with the mail stand in mboxrd too, of which every line is quoted.
    let strays = seen.landed < scan.extents.len() as u64 && seen.unquoted == 0;
    fit && borne_out && !(strays && seen.quoted_twice > 0)
}

/// From the evidence of a scan.
pub(super) fn judge(scan: &Scan) -> (Dialect, Reason) {
    let seen = &scan.evidence;
    if scan.by_length && lengths_decide(scan) {
        let quoted = seen.unquoted == 0 && seen.quoted > 0;
        let dialect = if quoted {
            Dialect::Mboxcl
        } else {
            Dialect::Mboxcl2
        };
        return (dialect, Reason::Lengths { quoted });
    }
    match (seen.quoted, seen.quoted_twice) {
        (_, 1..) => (Dialect::Mboxrd, Reason::QuotedTwice),
        (1.., 0) => (Dialect::Mboxo, Reason::QuotedOnce),
        (0, 0) => (Dialect::Mboxrd, Reason::NothingQuoted),
    }
}
