//! Signing in: AUTH with any mechanism (RFC 5034), APOP and USER/PASS (RFC 1939 §7).

use super::capability::Capabilities;
use super::reply::{Refusal, Reply};
use super::wire::Wire;
use crate::auth::{Answer, Credentials, Exchange, Mechanism, Offer, sasl};
use crate::error::{Code, Error, Kind, Result};
use crate::net::loopback;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

/// Challenges that one login may hold: a server that sends `+` without end is left.
const CHALLENGES: u32 = 8;

/// What a way of signing in came to.
enum Tried {
    In,
    /// The server does not know it: another one may do.
    Unknown(Refusal),
    /// The server judged the credentials, or the moment.
    Refused(Refusal),
}

struct SignIn<'a> {
    credentials: &'a Credentials,
    secret: &'a SecretString,
    /// The `<…@…>` of the greeting.
    timestamp: Option<&'a [u8]>,
    capabilities: &'a Capabilities,
    /// What was learnt of a refusal beside the server's own words.
    told: Option<String>,
}

pub(super) fn login(
    wire: &mut Wire,
    greeting: &[u8],
    capabilities: &Capabilities,
    credentials: &Credentials,
    secret: &SecretString,
) -> Result<Mechanism> {
    let timestamp = timestamp(greeting);
    let private = wire.connection().is_encrypted() || loopback(&wire.endpoint().host);
    let offer = Offer {
        sasl: &capabilities.sasl,
        apop: timestamp.is_some(),
        user_pass: true,
        private,
    };
    let sign_in = SignIn {
        credentials,
        secret,
        timestamp,
        capabilities,
        told: None,
    };
    for form in credentials.forms(secret) {
        wire.transcript.hide(form.as_bytes());
    }
    wire.transcript.private(true);
    let way = sign_in.by(wire, &offer)?;
    wire.transcript.private(false);
    Ok(way)
}

/// The `<…@…>` of a greeting, brackets included.
fn timestamp(greeting: &[u8]) -> Option<&[u8]> {
    let start = memchr::memchr(b'<', greeting)?;
    let end = start + memchr::memchr(b'>', &greeting[start..])?;
    let stamp = &greeting[start..=end];
    (stamp.contains(&b'@') && stamp.iter().all(u8::is_ascii_graphic)).then_some(stamp)
}

impl SignIn<'_> {
    /// Each way only until one is understood.
    fn by(mut self, wire: &mut Wire, offer: &Offer<'_>) -> Result<Mechanism> {
        let ways = offer.ways(self.credentials);
        let mut last = None;
        let mut at = 0;
        while let Some(&way) = ways.get(at) {
            at += 1;
            match self.try_one(wire, way)? {
                Tried::In => return Ok(way),
                Tried::Unknown(refusal) => last = Some(refusal),
                Tried::Refused(refusal) => {
                    let error = self.refused(wire, &refusal);
                    let next = offer.after_refusal(way, &ways);
                    let next = next.filter(|_| error.code == Code::Auth);
                    match next.and_then(|next| ways.iter().position(|way| *way == next)) {
                        Some(next) => at = next,
                        None => return Err(error),
                    }
                }
            }
        }
        let (what, hint) = offer.why_none(self.credentials);
        let e = wire.endpoint().error(Kind::Account, Code::Auth, &what);
        let e = e.hint(hint);
        Err(match last {
            Some(refusal) => e.words(refusal.words()),
            None => e,
        })
    }

    fn try_one(&mut self, wire: &mut Wire, way: Mechanism) -> Result<Tried> {
        match (way, self.timestamp) {
            (Mechanism::Apop, Some(stamp)) => self.apop(wire, stamp),
            (Mechanism::UserPass | Mechanism::Apop, _) => self.user_pass(wire),
            (way, _) => self.auth(wire, way),
        }
    }

    /// The mechanism is named first and anything secret sent only when asked for, so that a refusal of the one is not taken
    /// for a refusal of the other; and Outlook wants XOAUTH2 in two steps.
    fn auth(&mut self, wire: &mut Wire, way: Mechanism) -> Result<Tried> {
        let endpoint = wire.endpoint().clone();
        let server = (endpoint.host.as_str(), endpoint.port);
        let mut exchange = Exchange::start(way, self.credentials, self.secret, server)?;
        let mut first = exchange.first()?;
        let mut reply = say(wire, &[b"AUTH ", way.name().as_bytes()], b"")?;
        for step in 0..CHALLENGES {
            let challenge = match reply {
                Reply::More(challenge) => challenge,
                Reply::Ok(text) if step == 0 => {
                    return Err(wire.protocol("the answer to AUTH", &text));
                }
                Reply::Ok(_) => return exchange.finish().map(|()| Tried::In),
                Reply::No(refusal) => {
                    if let Some(told) = exchange.told() {
                        self.told = Some(told.to_owned());
                    }
                    return Ok(match step {
                        0 if refusal.code().is_none() => Tried::Unknown(refusal),
                        _ => Tried::Refused(refusal),
                    });
                }
            };
            let answer = match (first.take(), STANDARD.decode(&challenge)) {
                (Some(first), _) => Answer::Send(first),
                (None, Ok(challenge)) => exchange.answer(&challenge),
                (None, Err(_)) => Answer::Cancel("a challenge is not base64".to_owned()),
            };
            reply = match answer {
                Answer::Send(message) => {
                    let message = sasl::base64(&message);
                    wire.transcript.hide(message.as_bytes());
                    say(wire, &[], message.as_bytes())?
                }
                Answer::Cancel(why) => {
                    self.told = Some(why);
                    say(wire, &[b"*"], b"")?
                }
            };
        }
        Err(wire.protocol("the end of the login", b"+"))
    }

    fn apop(&self, wire: &mut Wire, timestamp: &[u8]) -> Result<Tried> {
        let digest = sasl::apop(timestamp, self.secret);
        let user = self.credentials.user.as_bytes();
        Ok(
            match secret(wire, &[b"APOP ", user, b" "], digest.as_bytes())? {
                Tried::Refused(refusal) if refusal.is_unsupported() => Tried::Unknown(refusal),
                tried => tried,
            },
        )
    }

    fn user_pass(&self, wire: &mut Wire) -> Result<Tried> {
        match say(wire, &[b"USER "], self.credentials.user.as_bytes())? {
            Reply::Ok(_) => {}
            Reply::No(refusal) if refusal.is_unsupported() => return Ok(Tried::Unknown(refusal)),
            Reply::No(refusal) => return Ok(Tried::Refused(refusal)),
            Reply::More(_) => return Err(wire.protocol("the answer to USER", b"+")),
        }
        let password = self.secret.expose_secret();
        secret(wire, &[b"PASS "], password.as_bytes())
    }

    fn refused(&self, wire: &Wire, refusal: &Refusal) -> Error {
        let endpoint = wire.endpoint();
        let mut e = refusal
            .not_now(endpoint, self.capabilities.login_delay)
            .unwrap_or_else(|| {
                let what = format!("the server refuses the login of {}", self.credentials.signs_in());
                endpoint
                    .error(Kind::Account, Code::Auth, &what)
                    .hint("check `user` and `password`; many providers want an app password, or POP3 allowed in the account's settings")
            });
        let told = self.told.as_deref().unwrap_or_default();
        let words = format!("{} {told}", refusal.words());
        e.words = Some(words.trim_end().to_owned());
        e
    }
}

fn secret(wire: &mut Wire, parts: &[&[u8]], secret: &[u8]) -> Result<Tried> {
    match say(wire, parts, secret)? {
        Reply::Ok(_) => Ok(Tried::In),
        Reply::No(refusal) => Ok(Tried::Refused(refusal)),
        Reply::More(_) => Err(wire.protocol("the answer to the password", b"+")),
    }
}

/// A line of `open` parts, which may be shown, and a secret, which may not.
fn say(wire: &mut Wire, open: &[&[u8]], secret: &[u8]) -> Result<Reply> {
    let doing = format_args!("logging in");
    let open = open.concat();
    let mut line = Zeroizing::new(Vec::with_capacity(open.len() + secret.len() + 2));
    line.extend_from_slice(&open);
    line.extend_from_slice(secret);
    line.extend_from_slice(b"\r\n");
    if secret.is_empty() {
        wire.send(&line, doing)?;
    } else {
        wire.send_elided(&open, &line, doing)?;
    }
    wire.reply(format_args!("logging in"))
}
