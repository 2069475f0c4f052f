//! A person says yes: by a code on another device, or in a browser of this one.

use super::OAuth2;
use super::http::client;
use super::loopback::Listener;
use super::server::{bad_url, no_answer, refused, taken, token_client};
use super::tokens::{Tokens, save};
use crate::error::{Code, Error, Kind, Result};
use oauth2::{
    AuthUrl, AuthorizationCode, CsrfToken, DeviceAuthorizationUrl, PkceCodeChallenge, RedirectUrl,
    RequestTokenError, Scope, StandardDeviceAuthorizationResponse,
};
use std::time::Duration;

/// How long a browser is waited for.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// What the person has to do; to be shown, escaped: it comes from a server.
#[derive(Debug)]
pub enum Ask<'a> {
    /// Open this address on any device and type the code there.
    Device {
        url: &'a str,
        code: &'a str,
        /// The same address with the code in it.
        complete: Option<&'a str>,
        minutes: u64,
    },
    /// Open this address in a browser of this machine.
    Browser { url: &'a str },
}

fn scopes(spec: &OAuth2) -> impl Iterator<Item = Scope> {
    spec.endpoints.scopes.clone().into_iter().map(Scope::new)
}

/// Device code (RFC 8628). Keeps the tokens; `show` is called once.
pub fn by_device(
    spec: &OAuth2,
    user: &str,
    who: &str,
    show: &mut dyn FnMut(Ask<'_>),
) -> Result<()> {
    let url = spec
        .endpoints
        .device_url
        .clone()
        .ok_or_else(|| none(who, "device-url"))?;
    let url = DeviceAuthorizationUrl::new(url).map_err(|e| bad_url(&e))?;
    let asks = token_client(spec, who)?.set_device_authorization_url(url);
    let http = client();
    let details: StandardDeviceAuthorizationResponse = asks
        .exchange_device_code()
        .add_scopes(scopes(spec))
        .request(&http)
        .map_err(|e| refused(e, who))?;
    show(Ask::Device {
        url: details.verification_uri(),
        code: details.user_code().secret(),
        complete: details
            .verification_uri_complete()
            .map(|url| url.secret().as_str()),
        minutes: details.expires_in().as_secs() / 60,
    });
    let response = asks
        .exchange_device_access_token(&details)
        .request(&http, std::thread::sleep, None)
        .map_err(|e| match e {
            RequestTokenError::ServerResponse(response) => {
                let what = format!("the authorization server gives no token for {who}");
                Error::new(Kind::Account, Code::Auth, what).words(response.to_string())
            }
            other => no_answer(other, who),
        })?;
    keep(spec, user, who, &taken(&response))
}

/// Code and PKCE over a redirect to this machine (RFC 8252 §7.3). `port`: where the redirect goes, 0 for any free one.
/// Keeps the tokens; `show` is called once.
pub fn by_browser(
    spec: &OAuth2,
    user: &str,
    who: &str,
    port: u16,
    show: &mut dyn FnMut(Ask<'_>),
) -> Result<()> {
    let url = spec.endpoints.authorization_url.clone();
    let url = url.ok_or_else(|| none(who, "authorization-url"))?;
    let url = AuthUrl::new(url).map_err(|e| bad_url(&e))?;
    let listener = Listener::bind(port)?;
    let redirect = format!(
        "http://{}:{}/",
        spec.endpoints.redirect_host,
        listener.port()
    );
    let redirect = RedirectUrl::new(redirect).map_err(|e| bad_url(&e))?;
    let asks = token_client(spec, who)?
        .set_auth_uri(url)
        .set_redirect_uri(redirect);
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let mut request = asks
        .authorize_url(CsrfToken::new_random)
        .add_scopes(scopes(spec))
        .set_pkce_challenge(challenge)
        .add_extra_param("login_hint", user);
    for (key, value) in &spec.endpoints.extra {
        request = request.add_extra_param(key, value);
    }
    let (url, state) = request.url();
    show(Ask::Browser { url: url.as_str() });
    let code = listener.wait(state.secret(), PATIENCE)?;
    let response = asks
        .exchange_code(AuthorizationCode::new(code))
        .set_pkce_verifier(verifier)
        .request(&client())
        .map_err(|e| refused(e, who))?;
    keep(spec, user, who, &taken(&response))
}

fn keep(spec: &OAuth2, user: &str, who: &str, tokens: &Tokens) -> Result<()> {
    if tokens.refresh.is_none() && tokens.good_until.is_some() {
        let what = format!(
            "the authorization server gives a token for {who} that runs out, and none to renew it"
        );
        let hint = "add a scope for offline access to oauth2.scopes (often \"offline_access\")";
        return Err(Error::new(Kind::Account, Code::Auth, what).hint(hint));
    }
    save(&spec.tokens, user, &spec.client_id, tokens)
}

fn none(who: &str, key: &str) -> Error {
    let what = format!("the oauth2 of {who} has no {key}, so this way to sign in is not there");
    Error::new(Kind::Job, Code::Job, what)
}
