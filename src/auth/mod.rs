//! Secrets and SASL mechanisms.

use crate::error::Result;
use secrecy::SecretString;
use std::path::PathBuf;

/// Where a secret is to be had; a job file never holds the secret itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// The first line of a file (its final line end taken off).
    File(PathBuf),
    /// The first line that a command (run by `sh -c`, in the job file's directory) writes to stdout.
    Command { command: String, dir: PathBuf },
    /// Asked at the terminal, without echo.
    Prompt,
}

impl SecretRef {
    /// Gets the secret. `who` (`budi at imap.example:993`) is for prompts and errors. Errors: `Code::Secret`, never with the secret in it.
    /// A secret with CR, LF or NUL inside is refused.
    pub fn resolve(&self, who: &str) -> Result<SecretString> {
        let _ = who;
        todo!()
    }
}

/// Who logs in.
#[derive(Debug, Clone)]
pub struct Credentials {
    pub user: String,
    pub password: SecretString,
}
