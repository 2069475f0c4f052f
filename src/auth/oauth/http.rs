//! How requests go to an authorization server.

use crate::net::http::{LONGEST, agent};
use oauth2::{HttpRequest, HttpResponse};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// For requests that `oauth2` does not know. Redirects are refused.
pub(super) fn token_agent() -> ureq::Agent {
    agent(PATIENCE, 0, false)
}

/// What `oauth2` sends its requests by. Redirects are refused: a token request must go nowhere else.
pub(super) fn client() -> impl Fn(HttpRequest) -> Result<HttpResponse, ureq::Error> {
    let agent = token_agent();
    move |request| {
        let response = agent.run(request)?;
        let (parts, mut body) = response.into_parts();
        let bytes = body.with_config().limit(LONGEST).read_to_vec()?;
        Ok(HttpResponse::from_parts(parts, bytes))
    }
}
