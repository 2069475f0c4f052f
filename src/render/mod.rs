//! Turns values into lines of text and JSON. Writes nothing itself: `cli` does.
//!
//! All text that came from a server or a message passes [`text`] (for people) or [`json`] (for programs) here.

pub mod accounts;
pub mod archive;
pub mod balance;
pub mod errors;
pub mod explain;
pub mod json;
pub mod paint;
pub mod plan;
pub mod progress;
#[cfg(test)]
mod samples;
pub mod spent;
pub mod status;
pub mod summary;
pub mod table;
pub mod undo;
pub mod units;
pub mod verify;

pub use paint::Paint;

/// The longest text of a server that is shown to people, in characters.
const LONGEST: usize = 300;

/// Text of unknown origin made safe for a terminal, at most 300 characters.
#[must_use]
pub fn text(raw: &str) -> String {
    crate::message::text::safe(raw.as_bytes(), LONGEST)
}

/// mailhaul's own words, in which a name from elsewhere may stand: made safe too, but long enough to be whole.
fn own(words: &str) -> String {
    crate::message::text::safe(words.as_bytes(), 8 * LONGEST)
}
