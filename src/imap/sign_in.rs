//! Signing in: AUTHENTICATE with any mechanism (RFC 9051 §6.2.2, RFC 4959), and LOGIN.

use super::capability::Capabilities;
use super::link::{Link, Nothing};
use super::login::{Opened, capabilities};
use super::quote::Command;
use super::response::Completion;
use super::vet::Handle;
use crate::auth::{Answer, Credentials, Exchange, Mechanism, Offer, sasl};
use crate::error::{Code, Error, Kind, Result};
use crate::net::Endpoint;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};

/// Challenges that one login may hold: a server that sends `+` without end is left.
const CHALLENGES: u32 = 8;

/// The longest line sent with an initial response, in bytes: some servers bound the line of a command at 8 KiB, tokens may be
/// longer, and an answer to a challenge has no such bound.
const INITIAL: usize = 4096;

/// What a way of signing in came to.
struct Tried {
    answer: Completion,
    /// Why mailhaul itself cancelled.
    cancelled: Option<String>,
    /// What the server told of a token (RFC 7628 §3.2.2).
    told: Option<String>,
}

/// A connection that is signed in.
pub(super) struct SignedIn {
    pub(super) handle: Handle,
    pub(super) control: imap::Session<Handle>,
    /// `None`: the server had done it by itself.
    pub(super) by: Option<Mechanism>,
}

/// Signs in on a fresh connection.
struct SignIn<'a> {
    endpoint: &'a Endpoint,
    credentials: &'a Credentials,
    secret: &'a SecretString,
    sasl_ir: bool,
}

/// Signs in and starts the control plane. A server that greets with PREAUTH has done it already.
pub(super) fn sign_in(
    opened: Opened,
    endpoint: &Endpoint,
    credentials: &Credentials,
    secret: &SecretString,
) -> Result<SignedIn> {
    let handle = Handle::new(opened.link);
    let mut by = None;
    if !opened.preauth {
        let mut gate = handle.gate();
        let link = &mut gate.link;
        let capabilities = capabilities(link)?;
        let sasl = mechanisms(&capabilities);
        let offer = Offer {
            sasl: &sasl,
            apop: false,
            user_pass: !capabilities.login_disabled,
            private: opened.private,
        };
        let how = SignIn {
            endpoint,
            credentials,
            secret,
            sasl_ir: capabilities.sasl_ir,
        };
        by = Some(how.by(
            link,
            &offer,
            capabilities.login_disabled && !opened.encrypted,
        )?);
    }
    let control = pretend(&handle)?;
    Ok(SignedIn {
        handle,
        control,
        by,
    })
}

fn mechanisms(capabilities: &Capabilities) -> Vec<String> {
    let names = capabilities.all.iter();
    names
        .filter_map(|name| name.strip_prefix("AUTH=").map(str::to_owned))
        .collect()
}

impl SignIn<'_> {
    fn by(&self, link: &mut Link, offer: &Offer<'_>, without_tls: bool) -> Result<Mechanism> {
        for form in self.credentials.forms(self.secret) {
            link.wire.transcript.hide(form.as_bytes());
        }
        let ways = offer.ways(self.credentials);
        let Some(&way) = ways.first() else {
            return Err(no_way(link, offer, self.credentials, without_tls));
        };
        let mut way = way;
        loop {
            link.doing = "logging in";
            // Servers may tell others after the login: what was told before it is forgotten.
            link.state.capabilities = None;
            link.wire.transcript.private(true);
            let tried = self.try_one(link, way)?;
            if tried.answer.is_ok() {
                link.wire.transcript.private(false);
                return Ok(way);
            }
            let error = self.refused(link, &tried);
            match offer.after_refusal(way, &ways) {
                Some(next) if error.code == Code::Auth => way = next,
                _ => return Err(error),
            }
        }
    }

    fn try_one(&self, link: &mut Link, way: Mechanism) -> Result<Tried> {
        if way != Mechanism::UserPass {
            return self.authenticate(link, way);
        }
        let command = Command::new("LOGIN ")
            .elided(self.credentials.user.as_bytes())
            .text(" ")
            .elided(self.secret.expose_secret().as_bytes());
        Ok(Tried {
            answer: link.run(&command, &mut Nothing)?,
            cancelled: None,
            told: None,
        })
    }

    fn authenticate(&self, link: &mut Link, way: Mechanism) -> Result<Tried> {
        let server = (self.endpoint.host.as_str(), self.endpoint.port);
        let end = self.endpoint.end;
        let mut exchange =
            Exchange::start(way, self.credentials, self.secret, server).map_err(|e| e.at(end))?;
        let mut first = exchange.first().map_err(|e| e.at(end))?;
        let tag = link.tag()?;
        link.queue(format!("m{tag} AUTHENTICATE {}", way.name()).as_bytes())?;
        if self.sasl_ir
            && let Some(message) = first.take_if(|message| message.len() * 4 / 3 < INITIAL)
        {
            let initial = sasl::base64(&message);
            // RFC 4959 §3: an empty one is written so.
            let shown = if initial.is_empty() { "=" } else { &initial };
            link.queue(b" ")?;
            link.queue_secret(shown.as_bytes())?;
        }
        link.queue(b"\r\n")?;
        let mut cancelled = None;
        for _ in 0..CHALLENGES {
            let Some(challenge) = link.challenge(tag)? else {
                let answer = link.finish(tag, &mut Nothing)?;
                if answer.is_ok() {
                    exchange.finish().map_err(|e| e.at(end))?;
                }
                let told = exchange.told().map(str::to_owned);
                return Ok(Tried {
                    answer,
                    cancelled,
                    told,
                });
            };
            let answer = match (first.take(), STANDARD.decode(&challenge)) {
                (Some(first), _) => Answer::Send(first),
                (None, Ok(challenge)) => exchange.answer(&challenge),
                (None, Err(_)) => Answer::Cancel("a challenge is not base64".to_owned()),
            };
            match answer {
                Answer::Send(message) => link.queue_secret(sasl::base64(&message).as_bytes())?,
                Answer::Cancel(why) => {
                    cancelled = Some(why);
                    link.queue(b"*")?;
                }
            }
            link.queue(b"\r\n")?;
        }
        Err(link.protocol("asks for more of a login without end"))
    }

    fn refused(&self, link: &Link, tried: &Tried) -> Error {
        let mut error = link.peer.refused_login(&tried.answer);
        if let Some(why) = &tried.cancelled {
            error.what = format!("{} ({why})", error.what);
        }
        let mut words = error.words.take().unwrap_or_default();
        if let Some(told) = &tried.told {
            words = format!("{words} {told}").trim_start().to_owned();
        }
        error.words(words)
    }
}

fn no_way(link: &Link, offer: &Offer<'_>, credentials: &Credentials, without_tls: bool) -> Error {
    if without_tls {
        return link
            .peer
            .tls("takes no login on this connection (LOGINDISABLED); nothing secret was sent")
            .hint("set security = \"tls\" or \"starttls\"");
    }
    let (why, hint) = offer.why_none(credentials);
    let what = format!("{}: {why}", link.peer.name);
    Error::new(Kind::Account, Code::Auth, what)
        .hint(hint)
        .at(link.peer.end)
}

/// Lets the `imap` crate believe that it logged in, since it knows no other way to a session.
fn pretend(handle: &Handle) -> Result<imap::Session<Handle>> {
    handle.gate().begin("logging in");
    handle.gate().pretend = true;
    let session = imap::Client::new(handle.clone()).login("", "");
    handle.gate().pretend = false;
    session.map_err(|_| super::fault::local("the control plane did not start"))
}
