//! Requests to an authorization server: blocking, no redirects, bounded.

use oauth2::{HttpRequest, HttpResponse};
use std::time::Duration;
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

/// An answer with tokens is a few KiB.
const LONGEST: u64 = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(60);

/// What `oauth2` sends its requests by.
pub(super) fn client() -> impl Fn(HttpRequest) -> Result<HttpResponse, ureq::Error> {
    let agent = agent();
    move |request| {
        let response = agent.run(request)?;
        let (parts, mut body) = response.into_parts();
        let bytes = body.with_config().limit(LONGEST).read_to_vec()?;
        Ok(HttpResponse::from_parts(parts, bytes))
    }
}

/// Trusts what the system trusts. Redirects are refused: a token request must go nowhere else.
fn agent() -> Agent {
    let tls = TlsConfig::builder()
        .provider(TlsProvider::NativeTls)
        .root_certs(RootCerts::PlatformVerifier)
        .build();
    Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(PATIENCE))
        .build()
        .new_agent()
}
