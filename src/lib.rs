//! mailhaul moves, backs up and restores mail, and proves that nothing was lost.
//!
//! ```text
//! job file ─► Job ─► Plan ─► source workers ─► identity ─► archive ─► sink workers ─► journal ─► render
//! (TOML)   (checked) (diff)  POP3 IMAP         digest,     Maildir    IMAP APPEND     SQLite     terminal,
//!                            Maildir mbox      Message-ID  or mbox    Maildir mbox    outcomes   JSON
//! ```
//!
//! One way, no way back: the modules below stand in the order of that flow, and a module imports only
//! from those above it (`tests/layers.rs` checks it). The library never touches the terminal; `cli` does.

// Blank lines keep the order: rustfmt sorts neighbours.

pub mod error;
mod failpoint;
pub mod fs;
pub mod message;
pub mod spool;

pub mod net;

pub mod auth;
pub mod imap;
pub mod pop3;

pub mod format;
pub mod job;
pub mod journal;

pub mod archive;
pub mod identity;
pub mod outcome;
pub mod plan;

pub mod compare;

pub mod source;

pub mod sink;

pub mod survey;

pub mod engine;
pub mod render;

pub mod cli;

#[cfg(feature = "failpoints")]
#[doc(hidden)]
pub mod fuzzing;
