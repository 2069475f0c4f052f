//! mbox files on disk: found, read, and written. See `docs/mbox.md`.
//!
//! Reading takes every dialect and every From_ line that history left ([`MboxFile`]); writing is mboxrd without added headers
//! ([`Appender`]). What a file's bytes cannot tell of a message is in its [`Record`], which the writer's sidecar keeps.

mod append;
mod dialect;
mod file;
mod from_line;
mod index;
mod labels;
mod line_ends;
mod marks;
mod names;
mod quoting;
mod reading;
mod record;
mod scan;
mod tree;
mod view;

pub use append::{Appender, Post, set_aside};
pub use dialect::{Dialect, Reason};
pub use file::MboxFile;
pub use from_line::FromLine;
pub use index::{Index, Indexed, Mailing, sidecar_of};
pub use labels::Labels;
pub use line_ends::LineEnds;
pub use marks::{Marks, has_state, marks, without_state};
pub use names::{Location, is_shortened, locate};
pub use reading::Reading;
pub use record::Record;
pub use scan::Extent;
pub use tree::{Place, Tree, is_blank, tree};

#[cfg(test)]
mod tests;
