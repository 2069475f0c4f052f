//! TLS handshakes (at least TLS 1.2, RFC 8314 §4.1) and whom they trust.

use super::endpoint::{Endpoint, Trust};
use super::reason;
use super::socket::Socket;
use crate::error::{Code, Error, Kind, Result};
use native_tls::{Certificate, HandshakeError, Protocol, TlsConnector, TlsStream};
use sha2::{Digest, Sha256};
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// The handshake, with the certificate judged as the endpoint says. With a pin nothing has been sent inside TLS when
/// the fingerprint is compared.
pub(super) fn handshake(socket: Socket, endpoint: &Endpoint) -> Result<TlsStream<Socket>> {
    let stream = shake(socket, endpoint, &connector(endpoint)?)?;
    if let Trust::Pin(pin) = &endpoint.trust {
        check_pin(&stream, endpoint, pin)?;
    }
    Ok(stream)
}

/// The SHA-256 of the certificate that the server shows, trusted or not; nothing is sent inside TLS.
pub(super) fn fingerprint(socket: Socket, endpoint: &Endpoint) -> Result<String> {
    let connector = anyone().build().map_err(|e| setup(endpoint, &e))?;
    let stream = shake(socket, endpoint, &connector)?;
    certificate_digest(&stream, endpoint).map(|digest| hex(&digest))
}

/// Did the handshake fail over the question whom to trust, so that the fingerprint would help?
pub(super) fn is_distrust(e: &Error) -> bool {
    e.code == Code::Tls && e.what.contains(reason::DISTRUST)
}

pub(super) fn with_fingerprint(mut e: Error, fingerprint: &str) -> Error {
    let known = e
        .hint
        .take()
        .map_or_else(String::new, |hint| format!("{hint}; "));
    e.hint(format!(
        "{known}the certificate shown has the SHA-256 fingerprint {fingerprint}: \
         if the server's operator confirms it, write pin-sha256 = \"{fingerprint}\""
    ))
}

fn shake(
    mut socket: Socket,
    endpoint: &Endpoint,
    connector: &TlsConnector,
) -> Result<TlsStream<Socket>> {
    let io = |e: &io::Error| endpoint.broken("setting up TLS", e);
    socket.limit(Some(Instant::now() + endpoint.timeout));
    match connector.connect(endpoint.name(), socket) {
        Ok(mut stream) => {
            stream.get_mut().limit(None);
            Ok(stream)
        }
        Err(HandshakeError::WouldBlock(_)) => Err(io(&io::ErrorKind::TimedOut.into())),
        Err(HandshakeError::Failure(e)) => Err(reason::of(endpoint, &e)),
    }
}

/// Whom to trust, the file's bytes where it is a file, and what was made of them.
type Known = (Trust, Vec<u8>, TlsConnector);

/// Made once a process: OpenSSL reads all of the system's authorities for each, which takes longer than the handshake.
static KNOWN: Mutex<Vec<Known>> = Mutex::new(Vec::new());

fn connector(endpoint: &Endpoint) -> Result<TlsConnector> {
    let pem = match &endpoint.trust {
        Trust::CaFile(path) => pem(path).map_err(|e| e.at(endpoint.end))?,
        Trust::System | Trust::Pin(_) => Vec::new(),
    };
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let made = known
        .iter()
        .find(|(trust, bytes, _)| *trust == endpoint.trust && *bytes == pem);
    if let Some((_, _, connector)) = made {
        return Ok(connector.clone());
    }
    let connector = make(endpoint, &pem)?;
    known.push((endpoint.trust.clone(), pem, connector.clone()));
    Ok(connector)
}

fn make(endpoint: &Endpoint, pem: &[u8]) -> Result<TlsConnector> {
    let mut builder = TlsConnector::builder();
    match &endpoint.trust {
        Trust::System => {}
        Trust::Pin(_) => builder = anyone(),
        Trust::CaFile(path) => {
            builder.disable_built_in_roots(true);
            for certificate in certificates(path, pem).map_err(|e| e.at(endpoint.end))? {
                builder.add_root_certificate(certificate);
            }
        }
    }
    builder
        .min_protocol_version(Some(Protocol::Tlsv12))
        .build()
        .map_err(|e| setup(endpoint, &e))
}

/// Accepts every certificate: for comparing or showing its fingerprint, before anything is sent.
fn anyone() -> native_tls::TlsConnectorBuilder {
    let mut builder = TlsConnector::builder();
    builder
        .danger_accept_invalid_certs(true)
        .danger_accept_invalid_hostnames(true)
        .min_protocol_version(Some(Protocol::Tlsv12));
    builder
}

fn pem(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| bad(path, "cannot be read").words(e.to_string()))
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<Certificate>> {
    let found = Certificate::stack_from_pem(pem)
        .map_err(|e| bad(path, "holds a certificate that is not valid").words(e.to_string()))?;
    if found.is_empty() {
        return Err(bad(path, "holds no certificate"));
    }
    Ok(found)
}

fn bad(path: &Path, why: &str) -> Error {
    let what = format!("ca-file {}: {why}", path.display());
    Error::new(Kind::Account, Code::Tls, what)
        .hint("ca-file names a PEM file with one or more certificates")
}

fn check_pin(stream: &TlsStream<Socket>, endpoint: &Endpoint, pin: &[u8; 32]) -> Result<()> {
    let shown = certificate_digest(stream, endpoint)?;
    if shown == *pin {
        return Ok(());
    }
    let what = "the certificate shown is not the one that pin-sha256 names";
    let hint = format!(
        "it has the SHA-256 fingerprint {}, the job says {}: \
         ask the server's operator whether the certificate was renewed before you change the pin",
        hex(&shown),
        hex(pin)
    );
    Err(endpoint.error(Kind::Account, Code::Tls, what).hint(hint))
}

fn certificate_digest(stream: &TlsStream<Socket>, endpoint: &Endpoint) -> Result<[u8; 32]> {
    let der = stream
        .peer_certificate()
        .and_then(|c| c.map(|c| c.to_der()).transpose())
        .map_err(|e| setup(endpoint, &e))?;
    let Some(der) = der else {
        let what = "the server showed no certificate";
        return Err(endpoint.error(Kind::Account, Code::Tls, what));
    };
    Ok(Sha256::digest(der).into())
}

fn setup(endpoint: &Endpoint, e: &native_tls::Error) -> Error {
    endpoint
        .error(Kind::Account, Code::Tls, "TLS cannot be set up")
        .words(e.to_string())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
