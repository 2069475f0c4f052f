//! The certificate that a server shows, read for people. Nothing is decided by what stands here: trust is the TLS library's matter.

use sha2::{Digest, Sha256};
use std::time::SystemTime;
use x509_cert::Certificate;
use x509_cert::der::Decode;

/// What can be told of a certificate, trusted or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Of the whole certificate, in hexadecimal.
    pub sha256: String,
    /// Who signed it, as RFC 4514 writes names; the server's own words. `None` where it cannot be read.
    pub issuer: Option<String>,
    pub valid_until: Option<SystemTime>,
}

impl Shown {
    /// Reads a certificate (DER, RFC 5280).
    pub(super) fn of(der: &[u8]) -> Self {
        let certificate = Certificate::from_der(der).ok();
        let signed = certificate.as_ref().map(Certificate::tbs_certificate);
        Shown {
            sha256: super::tls::hex(&Sha256::digest(der)),
            issuer: signed.map(|signed| signed.issuer().to_string()),
            valid_until: signed.map(|signed| signed.validity().not_after.to_system_time()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_still_has_a_fingerprint() {
        let shown = Shown::of(b"no certificate");
        assert_eq!(shown.sha256.len(), 64);
        assert_eq!((shown.issuer, shown.valid_until), (None, None));
    }
}
