//! OAuth 2.0 (RFC 6749): tokens that stand for a person's consent, got once by `login` and made new while running.
//!
//! ```text
//! login: device code (RFC 8628), or code and PKCE (RFC 7636) over a loopback redirect (RFC 8252)
//!          └─► tokens, a file of ours, 0600 ─► Grant (a Bearer) ─► connections
//! ```

mod grant;
mod http;
mod login;
mod loopback;
mod server;
mod service;
mod tokens;

pub use grant::Grant;
pub use login::{Ask, by_browser, by_device};

use super::SecretRef;
use std::path::PathBuf;

/// Whose tokens, from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuth2 {
    pub client_id: String,
    pub client_secret: Option<SecretRef>,
    pub endpoints: Authorization,
    pub kind: GrantKind,
    /// Where tokens are kept: a file, absolute.
    pub tokens: PathBuf,
}

/// How tokens are had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantKind {
    /// A person has said yes once (`mailhaul login`).
    Person,
    /// The client itself is trusted for every mailbox (RFC 6749 §4.4): Microsoft's application permissions.
    Client,
    /// The same by a signed statement (RFC 7523): Google's service accounts. The path is that of the key, absolute.
    ServiceAccount(PathBuf),
}

/// An authorization server. URLs are https, or http to this very machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Authorization {
    pub token_url: String,
    pub authorization_url: Option<String>,
    pub device_url: Option<String>,
    pub scopes: Vec<String>,
    /// Sent with the authorization request beside what the standard has.
    pub extra: Vec<(String, String)>,
    /// The host of the redirect as the client is registered: `127.0.0.1` or `localhost`.
    pub redirect_host: String,
}
