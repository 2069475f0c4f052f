//! mailhaul moves, backs up and restores mail, and proves that nothing was lost.
//!
//! ```text
//! job file ─► Job ─► Plan ─► source workers ─► identity ─► archive ─► sink workers ─► journal ─► render
//! (TOML)   (checked) (diff)  POP3 IMAP         digest,     Maildir    IMAP APPEND     SQLite     terminal,
//!                                              Message-ID                             outcomes   JSON
//! ```
//!
//! One way, no way back: the modules below stand in the order of that flow, and a module imports only
//! from those above it (`tests/layers.rs` checks it). The library never touches the terminal; `cli` does.

pub mod archive;
pub mod auth;
pub mod cli;
pub mod engine;
pub mod error;
pub mod format;
pub mod fs;
pub mod identity;
pub mod imap;
pub mod job;
pub mod journal;
pub mod message;
pub mod net;
pub mod outcome;
pub mod plan;
pub mod pop3;
pub mod render;
pub mod sink;
pub mod source;
pub mod spool;
