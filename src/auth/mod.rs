//! Secrets and SASL mechanisms.

pub mod sasl;
mod secret;

pub use secret::SecretRef;

use crate::error::{Code, Error, Kind, Result};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

/// Who logs in.
#[derive(Debug, Clone)]
pub struct Credentials {
    pub user: String,
    pub password: SecretString,
}

impl Credentials {
    /// Refuses a user or password with CR, LF or NUL inside, which could end a line and inject a command.
    pub fn check(&self) -> Result<()> {
        if unsafe_in_line(&self.user) {
            let what = format!("the user {:?} holds a line end or a NUL", self.user);
            return Err(Error::new(Kind::Account, Code::Auth, what));
        }
        if unsafe_in_line(self.password.expose_secret()) {
            let what = "the password holds a line end or a NUL";
            return Err(Error::new(Kind::Account, Code::Secret, what));
        }
        Ok(())
    }

    /// An error of a login, without what its words repeat of the password (as it is, quoted as IMAP does, or in the base64 of
    /// SASL PLAIN): some servers repeat the command that they refuse.
    #[must_use]
    pub fn redact(&self, mut error: Error) -> Error {
        let password = self.password.expose_secret();
        let quoted = Zeroizing::new(password.replace('\\', "\\\\").replace('"', "\\\""));
        let encoded = sasl::plain_base64(self);
        if let Some(words) = &mut error.words {
            for secret in [password, quoted.as_str(), encoded.as_str()] {
                if !secret.is_empty() {
                    *words = words.replace(secret, "…");
                }
            }
        }
        error
    }
}

fn unsafe_in_line(text: &str) -> bool {
    text.contains(['\r', '\n', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_repeats_is_taken_out() {
        let budi = Credentials {
            user: "budi".into(),
            password: "a\"b\\c".into(),
        };
        let words = r#"no: a"b\c, "a\"b\\c", AGJ1ZGkAYSJiXGM=, budi"#;
        let error = Error::new(Kind::Account, Code::Auth, "x").words(words);
        let left = budi.redact(error).words.unwrap();
        assert_eq!(left, r#"no: …, "…", …, budi"#);
    }

    #[test]
    fn line_ends_and_nul_are_refused_and_nothing_secret_is_shown() {
        let of = |user: &str, password: &str| Credentials {
            user: user.into(),
            password: password.into(),
        };
        assert!(of("budi", "päss word").check().is_ok());
        assert_eq!(of("bu\ndi", "x").check().unwrap_err().code, Code::Auth);
        for bad in ["canary\r", "can\nary", "\0canary"] {
            let credentials = of("budi", bad);
            let e = credentials.check().unwrap_err();
            let shown = format!("{e:?} {e} {credentials:?}");
            assert!(!shown.contains("nary"), "{shown}");
        }
    }
}
