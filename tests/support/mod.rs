//! What the tests stand on: real servers, readers that share no code with mailhaul, and made-up mail.

pub mod authorization;
pub mod canonical;
pub mod certificates;
pub mod corpus;
pub mod dovecot;
pub mod fake;
pub mod foreign;
pub mod gmail;
pub mod imap;
pub mod job;
pub mod maildir;
pub mod names;
pub mod normal;
pub mod pop3;
pub mod proxy;
pub mod python;
pub mod random;
pub mod real;
pub mod run;
pub mod script;
pub mod snapshot;
pub mod talk;
#[cfg(test)]
mod tests;
pub mod value;

pub use corpus::{Corpus, Mail, popped};
pub use dovecot::{Dovecot, fresh_user, shared};
pub use foreign::Foreign;
pub use imap::Imap;
pub use job::{End, Job};
pub use random::Random;
pub use run::{Run, impatient, mailhaul};
pub use snapshot::Snapshot;
pub use talk::{Talk, Talker};

use std::io::Write;
use std::path::PathBuf;

/// The root of the project.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Says a line of what a test counted or left out. Not by `println!`, which is held back while the test passes.
pub fn tell(line: &str) {
    // A closed stderr is no reason for a test to fail.
    let _ = writeln!(std::io::stderr(), "{line}");
}
