//! IMAP4 (RFC 3501, RFC 9051): session, bulk fetch, bulk append.
//!
//! Two engines share one wire, one at a time. The `imap` crate is the control plane: it selects, stores, expunges, keeps alive
//! and logs out, and sees of the server only what the vetting filter lets through. Everything in bulk, and
//! everything whose exact bytes count, is our own scanner's.
//!
//! ```text
//! session ─ list status fetch bodies append     imap crate
//!                 │                                 │ Read, Write
//!               link (tags, completions, state) ◄─ vet
//!                 │
//!               wire (the only buffers) ─ net
//! ```

mod append;
mod bodies;
mod bounds;
mod capability;
mod deliver;
mod fault;
mod fetch;
mod introduction;
mod items;
mod labels;
mod link;
mod list;
mod login;
mod making;
#[cfg(any(test, feature = "failpoints"))]
pub(crate) mod pieces;
mod quota;
mod quote;
mod response;
mod scan;
mod session;
mod sign_in;
mod size;
mod state;
mod status;
mod stream;
mod tour;
mod unanswered;
mod vet;
mod wire;

pub use append::{Append, AppendReport, Appended};
pub use bodies::{Fetched, Streamed};
pub use capability::Capabilities;
pub use fetch::{Head, Listed};
pub use introduction::Introduction;
pub use list::{Mailbox, Namespace, folders};
pub use making::{Made, Making};
pub use quota::Quota;
pub use session::Session;
pub use state::{PermanentFlags, Selected};
pub use status::Status;
pub use stream::Stretch;

#[cfg(test)]
mod append_tests;
#[cfg(test)]
mod link_tests;
#[cfg(test)]
mod script;
#[cfg(test)]
mod tests;
