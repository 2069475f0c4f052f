//! Service accounts (RFC 7523 §2.1): a signed statement instead of a person. Google's domain-wide delegation names the mailbox
//! in it.

use super::server::taken;
use super::tokens::Tokens;
use super::{OAuth2, http};
use crate::error::{Code, Error, Kind, Result};
use crate::fs;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use oauth2::basic::BasicTokenResponse;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use zeroize::Zeroizing;

/// No key file is longer, in bytes.
const LONGEST: u64 = 64 * 1024;
/// How long a statement holds, in seconds; Google allows an hour.
const HOLDS: u64 = 3600;

/// The JSON that Google's console gives for a service account's key.
#[derive(Deserialize)]
struct Key {
    client_email: String,
    /// PKCS #8 in PEM.
    private_key: Zeroizing<String>,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    scope: String,
    aud: &'a str,
    iat: u64,
    exp: u64,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
    #[serde(default)]
    error_description: String,
}

/// Asks for a token by which `user`'s mailbox opens.
pub(super) fn tokens(spec: &OAuth2, key_file: &Path, user: &str, who: &str) -> Result<Tokens> {
    let key = read(key_file)?;
    let assertion = statement(spec, &key, user).map_err(|why| bad(key_file, &why))?;
    let url = spec.endpoints.token_url.as_str();
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
        ("assertion", assertion.as_str()),
    ];
    let unreachable = |e: ureq::Error| {
        let what = format!("the authorization server of {who} does not answer");
        Error::new(Kind::Transient, Code::Connect, what).words(e.to_string())
    };
    let response = http::token_agent()
        .post(url)
        .send_form(form)
        .map_err(unreachable)?;
    let taken_well = response.status().is_success();
    let mut body = response.into_body();
    let text = body
        .read_to_string()
        .map(Zeroizing::new)
        .map_err(unreachable)?;
    if taken_well && let Ok(answer) = serde_json::from_str::<BasicTokenResponse>(&text) {
        return Ok(taken(&answer));
    }
    let what = format!("the authorization server gives no token for {who}");
    let error = Error::new(Kind::Account, Code::Auth, what);
    let words = serde_json::from_str::<Refusal>(&text)
        .map(|refusal| format!("{} {}", refusal.error, refusal.error_description));
    Err(error
        .words(words.unwrap_or_default().trim_end())
        .hint("check key-file, and that the domain's administrator has delegated these scopes to the service account"))
}

fn bad(path: &Path, why: &str) -> Error {
    let what = format!(
        "{} cannot serve as a service account's key: {why}",
        path.display()
    );
    Error::new(Kind::Account, Code::Secret, what)
}

fn read(path: &Path) -> Result<Key> {
    let mut text = Zeroizing::new(Vec::new());
    let file = fs::open(path)?;
    file.take(LONGEST)
        .read_to_end(&mut text)
        .map_err(|e| Error::disk("read", path, &e))?;
    // What the parser says could show a piece of the key.
    serde_json::from_slice(&text).map_err(|_| {
        bad(
            path,
            "it is not the JSON with client_email and private_key that the console gives",
        )
    })
}

/// A JWT (RFC 7519) signed by RS256.
fn statement(spec: &OAuth2, key: &Key, user: &str) -> Result<Zeroizing<String>, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let iat = now
        .map_err(|_| "this machine's clock stands before 1970")?
        .as_secs();
    let claims = Claims {
        iss: &key.client_email,
        sub: user,
        scope: spec.endpoints.scopes.join(" "),
        aud: &spec.endpoints.token_url,
        iat,
        exp: iat + HOLDS,
    };
    let claims = serde_json::to_vec(&claims).map_err(|e| e.to_string())?;
    let head = URL_SAFE_NO_PAD.encode(br#"{"alg":"RS256","typ":"JWT"}"#);
    let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims));
    let signature = sign(&key.private_key, signed.as_bytes())?;
    Ok(Zeroizing::new(format!(
        "{signed}.{}",
        URL_SAFE_NO_PAD.encode(signature)
    )))
}

fn sign(pem: &str, message: &[u8]) -> Result<Vec<u8>, String> {
    let lines = pem.lines().filter(|line| !line.starts_with("-----"));
    let inner: Zeroizing<String> = Zeroizing::new(lines.map(str::trim).collect());
    let der = STANDARD
        .decode(inner.as_bytes())
        .map(Zeroizing::new)
        .map_err(|_| "private_key is not PEM")?;
    let pair = RsaKeyPair::from_pkcs8(&der).map_err(|e| format!("private_key: {e}"))?;
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        message,
        &mut signature,
    )
    .map_err(|_| "the private_key does not sign")?;
    Ok(signature)
}
