//! Login: AUTH PLAIN (RFC 5034), APOP and USER/PASS (RFC 1939 §7), each only until one is understood.

use super::capability::Capabilities;
use super::reply::{Refusal, Reply};
use super::wire::Wire;
use crate::auth::{Credentials, sasl};
use crate::error::{Code, Error, Kind, Result};
use crate::net::loopback;
use secrecy::ExposeSecret;
use zeroize::Zeroizing;

#[derive(Debug, Clone, Copy)]
enum Mechanism {
    Plain,
    Apop,
    UserPass,
}

/// What a mechanism came to.
enum Tried {
    In,
    /// The server does not know it: another one may do.
    Unknown(Refusal),
    /// The server judged the credentials, or the moment: no other way is tried.
    Refused(Refusal),
}

pub(super) fn login(
    wire: &mut Wire,
    greeting: &[u8],
    capabilities: &Capabilities,
    credentials: &Credentials,
) -> Result<()> {
    let timestamp = timestamp(greeting);
    let mut last = None;
    for mechanism in order(wire, timestamp, capabilities) {
        let tried = match (mechanism, timestamp) {
            (Mechanism::Plain, _) => plain(wire, credentials)?,
            (Mechanism::Apop, Some(stamp)) => apop(wire, stamp, credentials)?,
            (Mechanism::Apop, None) => continue,
            (Mechanism::UserPass, _) => user_pass(wire, credentials)?,
        };
        match tried {
            Tried::In => return Ok(()),
            Tried::Refused(refusal) => {
                return Err(refused(wire, capabilities, credentials, &refusal));
            }
            Tried::Unknown(refusal) => last = Some(refusal),
        }
    }
    let what = "the server offers no way to log in that mailhaul knows here";
    let e = wire.endpoint().error(Kind::Account, Code::Auth, what);
    Err(match last {
        Some(refusal) => e.words(refusal.words()),
        None => e,
    })
}

/// Where others could listen, the digest of APOP goes before the password itself.
fn order(wire: &Wire, timestamp: Option<&[u8]>, capabilities: &Capabilities) -> Vec<Mechanism> {
    let safe = wire.connection().is_encrypted() || loopback(&wire.endpoint().host);
    let plain = capabilities.has_sasl("PLAIN").then_some(Mechanism::Plain);
    let apop = timestamp.filter(|_| !wire.connection().is_encrypted());
    let apop = apop.map(|_| Mechanism::Apop);
    let order = if safe { [plain, apop] } else { [apop, plain] };
    let mut order: Vec<Mechanism> = order.into_iter().flatten().collect();
    order.push(Mechanism::UserPass);
    order
}

/// The `<…@…>` of a greeting, brackets included.
fn timestamp(greeting: &[u8]) -> Option<&[u8]> {
    let start = memchr::memchr(b'<', greeting)?;
    let end = start + memchr::memchr(b'>', &greeting[start..])?;
    let stamp = &greeting[start..=end];
    (stamp.contains(&b'@') && stamp.iter().all(u8::is_ascii_graphic)).then_some(stamp)
}

/// The mechanism is named first and the password sent only when asked for, so that a refusal of the one is not taken
/// for a refusal of the other.
fn plain(wire: &mut Wire, credentials: &Credentials) -> Result<Tried> {
    match say(wire, &[b"AUTH PLAIN"])? {
        Reply::More => {}
        Reply::No(refusal) if judged(&refusal) => return Ok(Tried::Refused(refusal)),
        Reply::No(refusal) => return Ok(Tried::Unknown(refusal)),
        Reply::Ok(text) => return Err(wire.protocol("the answer to AUTH", &text)),
    }
    let answer = sasl::plain_base64(credentials);
    secret(wire, &[answer.as_bytes()])
}

fn apop(wire: &mut Wire, timestamp: &[u8], credentials: &Credentials) -> Result<Tried> {
    let digest = sasl::apop(timestamp, credentials);
    let command: [&[u8]; 4] = [
        b"APOP ",
        credentials.user.as_bytes(),
        b" ",
        digest.as_bytes(),
    ];
    Ok(match secret(wire, &command)? {
        Tried::Refused(refusal) if refusal.is_unsupported() => Tried::Unknown(refusal),
        tried => tried,
    })
}

fn user_pass(wire: &mut Wire, credentials: &Credentials) -> Result<Tried> {
    match say(wire, &[b"USER ", credentials.user.as_bytes()])? {
        Reply::Ok(_) => {}
        Reply::No(refusal) if refusal.is_unsupported() => return Ok(Tried::Unknown(refusal)),
        Reply::No(refusal) => return Ok(Tried::Refused(refusal)),
        Reply::More => return Err(wire.protocol("the answer to USER", b"+")),
    }
    let password = credentials.password.expose_secret();
    secret(wire, &[b"PASS ", password.as_bytes()])
}

/// Is this more than "I do not know that command"?
fn judged(refusal: &Refusal) -> bool {
    refusal.code().is_some()
}

fn secret(wire: &mut Wire, parts: &[&[u8]]) -> Result<Tried> {
    match say(wire, parts)? {
        Reply::Ok(_) => Ok(Tried::In),
        Reply::No(refusal) => Ok(Tried::Refused(refusal)),
        Reply::More => Err(wire.protocol("the answer to the password", b"+")),
    }
}

fn say(wire: &mut Wire, parts: &[&[u8]]) -> Result<Reply> {
    let length: usize = parts.iter().map(|p| p.len()).sum();
    let mut line = Zeroizing::new(Vec::with_capacity(length + 2));
    for part in parts {
        line.extend_from_slice(part);
    }
    line.extend_from_slice(b"\r\n");
    wire.send(&line, format_args!("logging in"))?;
    wire.reply(format_args!("logging in"))
}

fn refused(
    wire: &Wire,
    capabilities: &Capabilities,
    credentials: &Credentials,
    refusal: &Refusal,
) -> Error {
    let endpoint = wire.endpoint();
    let mut e = refusal
        .not_now(endpoint, capabilities.login_delay)
        .unwrap_or_else(|| {
            let what = format!("the server refuses the login of {}", credentials.user);
            endpoint
                .error(Kind::Account, Code::Auth, &what)
                .hint("check `user` and `password`; many providers want an app password, or POP3 allowed in the account's settings")
        });
    e.words = Some(refusal.words());
    e
}
