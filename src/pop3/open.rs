//! From the first byte to the end of login.

use super::capability::Capabilities;
use super::login;
use super::reply::Reply;
use super::session::Session;
use super::wire::Wire;
use crate::auth::Credentials;
use crate::error::{Code, Error, Kind, Result};
use crate::net::{self, Connection, Endpoint, Security};
use secrecy::SecretString;

/// No capability list is longer.
const CAPA_BYTES: usize = 64 * 1024;

pub(super) fn open(
    endpoint: &Endpoint,
    credentials: &Credentials,
    secret: &SecretString,
) -> Result<Session> {
    let (mut wire, greeting) = greet(endpoint)?;
    if endpoint.security == Security::StartTls {
        let connection = ready_for_tls(wire)?;
        let mut again = || ready_for_tls(greet(endpoint)?.0);
        wire = Wire::new(
            connection.start_tls_again(endpoint, &mut again)?,
            endpoint.clone(),
        );
    }
    let before = capa(&mut wire)?;
    let by = login::login(&mut wire, &greeting, &before, credentials, secret)?;
    let after = capa(&mut wire)?;
    Ok(Session::new(wire, after.over(before), by))
}

/// A connection whose greeting was read, and the greeting's text.
fn greet(endpoint: &Endpoint) -> Result<(Wire, Vec<u8>)> {
    let mut wire = Wire::new(net::connect(endpoint)?, endpoint.clone());
    let line = wire.line(format_args!("waiting for the greeting"))?;
    match Reply::parse(&line) {
        Some(Reply::Ok(text)) => Ok((wire, text)),
        Some(Reply::No(refusal)) => Err(refusal.not_now(endpoint, None).unwrap_or_else(|| {
            let what = "the server turns the connection away";
            endpoint
                .error(Kind::Transient, Code::Refused, what)
                .words(refusal.words())
        })),
        _ => Err(wire.protocol("the greeting", &line)),
    }
}

/// STLS (RFC 2595 §4) up to the server's go-ahead; nothing secret was sent. What the server said so far it has to say
/// again under TLS.
fn ready_for_tls(mut wire: Wire) -> Result<Connection> {
    let endpoint = wire.endpoint().clone();
    let capabilities = capa(&mut wire)?;
    if capabilities.known && !capabilities.stls {
        let what = "the server does not offer STLS, so nothing was sent";
        return Err(no_tls(&endpoint, what));
    }
    if let Reply::No(refusal) = ask(&mut wire, b"STLS\r\n", "asking for TLS")? {
        let what = "the server refuses STLS, so nothing was sent";
        return Err(no_tls(&endpoint, what).words(refusal.words()));
    }
    wire.into_connection().ok_or_else(|| {
        let what = "plain bytes stand behind the server's go-ahead for TLS: somebody may have put them there";
        endpoint.error(Kind::Account, Code::Tls, what)
    })
}

fn no_tls(endpoint: &Endpoint, what: &str) -> Error {
    endpoint
        .error(Kind::Account, Code::Tls, what)
        .hint("security = \"tls\" with port 995, if the server has it")
}

/// An answer of `-ERR` means a server without CAPA.
fn capa(wire: &mut Wire) -> Result<Capabilities> {
    match ask(wire, b"CAPA\r\n", "asking for capabilities")? {
        Reply::Ok(_) => {
            let lines = wire.lines(CAPA_BYTES, format_args!("reading capabilities"))?;
            Ok(Capabilities::parse(&lines))
        }
        _ => Ok(Capabilities::default()),
    }
}

fn ask(wire: &mut Wire, command: &[u8], doing: &str) -> Result<Reply> {
    wire.send(command, format_args!("{doing}"))?;
    wire.reply(format_args!("{doing}"))
}
