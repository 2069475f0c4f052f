//! POP3 (RFC 1939, 2449, 2595, 5034): session, pipelined retrieval.
//!
//! What of a message goes over the wire and what belongs to it stands in `unstuff`.

mod capability;
mod listing;
mod login;
mod open;
#[cfg(feature = "failpoints")]
pub(crate) mod pieces;
mod reply;
mod retrieve;
mod session;
mod unstuff;
mod wire;

#[cfg(test)]
mod tests;

pub use capability::{Capabilities, Expire};
pub use listing::UniqueIds;
pub use session::Session;
