//! HTTP, for what stands beside mail: authorization servers, descriptions of servers. Blocking, bounded, over the same TLS.

use std::time::Duration;
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

/// No answer that is of use is longer, in bytes.
pub const LONGEST: u64 = 1 << 20;

/// Trusts what the system trusts; whatever the status, there is an answer. `redirects`: followed at most.
#[must_use]
pub fn agent(patience: Duration, redirects: u32, https_only: bool) -> Agent {
    let tls = TlsConfig::builder()
        .provider(TlsProvider::NativeTls)
        .root_certs(RootCerts::PlatformVerifier)
        .build();
    Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .https_only(https_only)
        .max_redirects(redirects)
        .timeout_global(Some(patience))
        .build()
        .new_agent()
}

/// What stands at an https address, as text; `None` where there is nothing, or it cannot be had.
#[must_use]
pub fn get(url: &str, patience: Duration) -> Option<String> {
    let response = agent(patience, 3, true).get(url).call().ok()?;
    if !response.status().is_success() {
        return None;
    }
    let mut body = response.into_body();
    body.with_config().limit(LONGEST).read_to_string().ok()
}
