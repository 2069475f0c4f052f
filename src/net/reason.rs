//! Why a TLS handshake failed, in a person's words.

use super::endpoint::{Endpoint, Security};
use crate::error::{Code, Error, Kind};
use std::io;

/// Stands in `what` of every error over a certificate.
pub(super) const DISTRUST: &str = "the server's certificate";

const TRUST_HINT: &str = "for a server of your own write ca-file = \"…\" or pin-sha256 = \"…\"";

/// What is found in the TLS library's text, what that means, and what to do.
const CERTIFICATE: &[(&str, &str, &str)] = &[
    (
        "certificate has expired",
        "has expired",
        "ask the server's operator to renew it, or write pin-sha256 = \"…\"",
    ),
    (
        "not yet valid",
        "is not valid yet",
        "check this machine's clock",
    ),
    (
        "self-signed certificate in certificate chain",
        "comes from an authority that is not trusted",
        TRUST_HINT,
    ),
    (
        "self signed certificate in certificate chain",
        "comes from an authority that is not trusted",
        TRUST_HINT,
    ),
    ("self-signed", "is self-signed", TRUST_HINT),
    ("self signed", "is self-signed", TRUST_HINT),
    (
        "issuer certificate",
        "comes from an unknown authority",
        TRUST_HINT,
    ),
    (
        "unable to verify the first certificate",
        "comes from an unknown authority",
        TRUST_HINT,
    ),
    ("ostname mismatch", "is for another host name", NAME_HINT),
    ("IP address mismatch", "is for another host name", NAME_HINT),
    (
        "certificate verify failed",
        "is not to be trusted",
        TRUST_HINT,
    ),
];

const NAME_HINT: &str = "write the name that the certificate is for as `host`";

const PROTOCOL: &[&str] = &[
    "unsupported protocol",
    "alert protocol version",
    "no protocols available",
    "version too low",
];

const NOT_TLS: &[&str] = &[
    "wrong version number",
    "packet length too long",
    "unknown protocol",
    "http request",
    "record layer failure",
];

/// A failed handshake: `Code::Tls` and `Kind::Account`, but for a connection that was lost in the middle of it.
pub(super) fn of(endpoint: &Endpoint, e: &native_tls::Error) -> Error {
    let text = e.to_string();
    if let Some(lost) = lost(e, &text) {
        return endpoint.broken("setting up TLS", &lost);
    }
    let (what, hint) = explain(&text, endpoint.security);
    let error = endpoint.error(Kind::Account, Code::Tls, &what).words(text);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

fn lost(e: &native_tls::Error, text: &str) -> Option<io::Error> {
    if text.to_ascii_lowercase().contains("unexpected eof") {
        return Some(io::ErrorKind::UnexpectedEof.into());
    }
    let mut cause = std::error::Error::source(e);
    while let Some(inner) = cause {
        if let Some(e) = inner.downcast_ref::<io::Error>() {
            return Some(io::Error::new(e.kind(), e.to_string()));
        }
        cause = inner.source();
    }
    None
}

fn explain(text: &str, security: Security) -> (String, Option<&'static str>) {
    for (found, meaning, hint) in CERTIFICATE {
        if text.contains(found) {
            return (format!("{DISTRUST} {meaning}"), Some(hint));
        }
    }
    let has = |list: &[&str]| list.iter().any(|found| text.contains(found));
    if has(PROTOCOL) {
        let what = "the server's TLS is too old, mailhaul needs at least TLS 1.2";
        return (what.into(), Some("ask the server's operator to update it"));
    }
    if has(NOT_TLS) {
        let hint = (security == Security::Tls)
            .then_some("check `port`; a server on a plain port wants security = \"starttls\"");
        return ("what the server sends is not TLS".into(), hint);
    }
    ("TLS could not be set up".into(), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        explain(text, Security::Tls).0
    }

    #[test]
    fn certificate_reasons_are_told_apart() {
        let wrap = |why: &str| {
            format!("error:0A000086:SSL routines:certificate verify failed:x.c:1: ({why})")
        };
        for (why, told) in [
            ("certificate has expired", "has expired"),
            ("certificate is not yet valid", "is not valid yet"),
            ("self-signed certificate", "is self-signed"),
            (
                "self-signed certificate in certificate chain",
                "not trusted",
            ),
            (
                "unable to get local issuer certificate",
                "unknown authority",
            ),
            ("hostname mismatch", "another host name"),
            ("something new", "not to be trusted"),
        ] {
            let said = said(&wrap(why));
            assert!(said.starts_with(DISTRUST) && said.contains(told), "{said}");
        }
    }

    #[test]
    fn old_tls_and_no_tls_are_told_apart() {
        assert!(said("SSL routines:tlsv1 alert protocol version:").contains("too old"));
        assert!(said("SSL routines:ssl3_get_record:wrong version number:").contains("not TLS"));
        assert!(
            explain("wrong version number", Security::StartTls)
                .1
                .is_none()
        );
    }
}
