//! The `oauth2` crate's client for one authorization server, and its errors in our words.

use super::OAuth2;
use super::http::client;
use super::tokens::Tokens;
use crate::error::{Code, Error, Kind, Result};
use oauth2::basic::{BasicClient, BasicErrorResponseType, BasicTokenResponse};
use oauth2::{
    AuthType, ClientId, ClientSecret, EndpointNotSet, EndpointSet, ErrorResponse, RefreshToken,
    RequestTokenError, Scope, StandardErrorResponse, TokenResponse, TokenUrl,
};
use secrecy::{ExposeSecret, SecretString};

/// A client that knows where tokens are had.
pub(super) type Client =
    BasicClient<EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

/// What failed, before it is said of whom.
pub(super) type Refused<R> = RequestTokenError<ureq::Error, R>;

pub(super) fn token_client(spec: &OAuth2, who: &str) -> Result<Client> {
    let url = TokenUrl::new(spec.endpoints.token_url.clone()).map_err(|e| bad_url(&e))?;
    let client = BasicClient::new(ClientId::new(spec.client_id.clone()))
        .set_auth_type(AuthType::RequestBody)
        .set_token_uri(url);
    let Some(secret) = &spec.client_secret else {
        return Ok(client);
    };
    let secret = secret.resolve(&format!("the client of {who}"))?;
    let secret = ClientSecret::new(secret.expose_secret().to_owned());
    Ok(client.set_client_secret(secret))
}

pub(super) fn bad_url(e: &dyn std::fmt::Display) -> Error {
    Error::new(Kind::Job, Code::Job, "a URL of oauth2 is none").words(e.to_string())
}

/// Asks for new tokens by the refresh token (RFC 6749 §6). A server may keep to the old refresh token without saying so.
pub(super) fn refresh(spec: &OAuth2, who: &str, refresh: &SecretString) -> Result<Tokens> {
    let old = RefreshToken::new(refresh.expose_secret().to_owned());
    let response = token_client(spec, who)?
        .exchange_refresh_token(&old)
        .request(&client())
        .map_err(|e| refused(e, who))?;
    let mut tokens = taken(&response);
    tokens.refresh.get_or_insert_with(|| refresh.clone());
    Ok(tokens)
}

/// Asks in the client's own name (RFC 6749 §4.4).
pub(super) fn client_credentials(spec: &OAuth2, who: &str) -> Result<Tokens> {
    let client_of = token_client(spec, who)?;
    let scopes = spec.endpoints.scopes.iter().cloned().map(Scope::new);
    let response = client_of
        .exchange_client_credentials()
        .add_scopes(scopes)
        .request(&client())
        .map_err(|e| refused(e, who))?;
    Ok(taken(&response))
}

pub(super) fn taken(response: &BasicTokenResponse) -> Tokens {
    let refresh = response.refresh_token();
    Tokens::new(
        response.access_token().secret(),
        response.expires_in(),
        refresh.map(|token| token.secret().as_str().into()),
    )
}

/// The authorization server's refusal. `Code::Auth`, or `Code::Connect` and transient where it could not be asked.
pub(super) fn refused(
    e: Refused<StandardErrorResponse<BasicErrorResponseType>>,
    who: &str,
) -> Error {
    if let RequestTokenError::ServerResponse(response) = &e {
        let gone = *response.error() == BasicErrorResponseType::InvalidGrant;
        let words = response.to_string();
        let what = format!("the authorization server gives no token for {who}");
        let error = Error::new(Kind::Account, Code::Auth, what).words(words);
        return error.hint(if gone {
            "the consent has run out or was taken back: mailhaul login with this job"
        } else {
            "check client-id, client-secret, scopes and the URLs of oauth2"
        });
    }
    no_answer(e, who)
}

/// Everything but a refusal in the words of the standard.
pub(super) fn no_answer<R: ErrorResponse + 'static>(e: Refused<R>, who: &str) -> Error {
    match e {
        RequestTokenError::Request(e) => {
            let what = format!("the authorization server of {who} does not answer");
            Error::new(Kind::Transient, Code::Connect, what)
                .words(e.to_string())
                .hint("check the URLs of oauth2, and that this machine has a network")
        }
        // What it sent is not shown: it may hold a token.
        RequestTokenError::Parse(e, _) => {
            let what =
                format!("the authorization server of {who} sends something else than tokens");
            Error::new(Kind::Account, Code::Protocol, what).words(e.to_string())
        }
        other => {
            let what = format!("the authorization server gives no token for {who}");
            Error::new(Kind::Account, Code::Auth, what).words(other.to_string())
        }
    }
}
