//! Who signs in and how: credentials, SASL mechanisms, secrets, OAuth 2.0.

mod exchange;
mod mechanism;
pub mod oauth;
pub mod sasl;
mod secret;

pub use exchange::{Answer, Exchange};
pub use mechanism::{Mechanism, Offer};
pub use secret::SecretRef;

use crate::error::{Code, Error, Kind, Result};
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Who signs in, for which mailbox, with what.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Whose mailbox it is.
    pub user: String,
    /// Who signs in, if not the user: an administrator (the authentication identity, while `user` is the authorization
    /// identity of RFC 4422 §2). The secret is theirs.
    pub master: Option<String>,
    /// The only way to sign in, if the job says so.
    pub mechanism: Option<Mechanism>,
    pub secret: Secret,
}

/// What proves who signs in.
#[derive(Debug, Clone)]
pub enum Secret {
    Password(SecretString),
    /// Tokens of OAuth 2.0, made new when they run out.
    Token(Arc<dyn Bearer>),
}

/// Gives tokens that hold for a while. Shared by all connections of an account.
pub trait Bearer: Send + Sync + fmt::Debug {
    /// A token that has not run out, as far as this side knows. May ask the authorization server.
    fn token(&self) -> Result<SecretString>;

    /// A mail server has refused this token. Gives another one, once; an error where none is to be had.
    fn instead_of(&self, refused: &SecretString) -> Result<SecretString>;
}

/// Where what proves it is to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    Password(SecretRef),
    Token(Box<oauth::OAuth2>),
}

impl Proof {
    /// Every secret that the job refers to here.
    pub fn references(&mut self) -> Option<&mut SecretRef> {
        match self {
            Proof::Password(reference) => Some(reference),
            Proof::Token(token) => token.client_secret.as_mut(),
        }
    }

    /// Gets the password, perhaps by asking at the terminal; a token only when it is needed. `who`, as in
    /// `imap://budi@imap.example`, is for prompts and errors. Errors: `Code::Secret`.
    pub fn resolve(&self, user: &str, who: &str) -> Result<Secret> {
        Ok(match self {
            Proof::Password(reference) => Secret::Password(reference.resolve(who)?),
            Proof::Token(spec) => Secret::Token(Arc::new(oauth::Grant::new(spec, user, who))),
        })
    }
}

impl Credentials {
    /// A user with a password.
    #[must_use]
    pub fn with_password(user: &str, password: &str) -> Self {
        Credentials {
            user: user.to_owned(),
            master: None,
            mechanism: None,
            secret: Secret::Password(password.into()),
        }
    }

    /// The password, or a token that holds.
    pub fn secret(&self) -> Result<SecretString> {
        let secret = match &self.secret {
            Secret::Password(password) => password.clone(),
            Secret::Token(bearer) => bearer.token()?,
        };
        self.check(&secret)?;
        Ok(secret)
    }

    /// Whose name goes with the secret.
    #[must_use]
    pub fn signs_in(&self) -> &str {
        self.master.as_deref().unwrap_or(&self.user)
    }

    /// Refuses names and secrets with CR, LF or NUL inside, which could end a line and inject a command.
    fn check(&self, secret: &SecretString) -> Result<()> {
        let names = [Some(&self.user), self.master.as_ref()];
        if let Some(name) = names.into_iter().flatten().find(|n| unsafe_in_line(n)) {
            let what = format!("the user {name:?} holds a line end or a NUL");
            return Err(Error::new(Kind::Account, Code::Auth, what));
        }
        if unsafe_in_line(secret.expose_secret()) {
            let what = "the password holds a line end or a NUL";
            return Err(Error::new(Kind::Account, Code::Secret, what));
        }
        Ok(())
    }

    /// An error of a login, without what its words repeat of the secret: some servers repeat the command that they refuse.
    #[must_use]
    pub fn redact(&self, mut error: Error, secret: &SecretString) -> Error {
        if let Some(words) = &mut error.words {
            for form in self.forms(secret) {
                *words = words.replace(form.as_str(), "…");
            }
        }
        error
    }

    /// The secret as it may stand in a line: as it is, quoted as IMAP does, and in the base64 of SASL. None is empty.
    #[must_use]
    pub fn forms(&self, secret: &SecretString) -> Vec<Zeroizing<String>> {
        let plain = secret.expose_secret();
        let quoted = Zeroizing::new(plain.replace('\\', "\\\\").replace('"', "\\\""));
        let message = sasl::plain(&self.user, self.master.as_deref(), secret);
        let forms = [
            Zeroizing::new(plain.to_owned()),
            quoted,
            sasl::base64(&message),
            sasl::base64(plain.as_bytes()),
        ];
        forms.into_iter().filter(|form| !form.is_empty()).collect()
    }
}

/// Opens a session; where a token is refused that was thought to be good, once more with a new one. A password is tried
/// once.
pub fn with_fresh_secret<T>(
    credentials: &Credentials,
    mut open: impl FnMut(&SecretString) -> Result<T>,
) -> Result<T> {
    let mut open = |secret: &SecretString| open(secret).map_err(|e| credentials.redact(e, secret));
    let secret = credentials.secret()?;
    match (open(&secret), &credentials.secret) {
        (Err(refusal), Secret::Token(bearer)) if refusal.code == Code::Auth => {
            let other = bearer.instead_of(&secret).map_err(|e| Error {
                hint: e.hint.or(refusal.hint),
                words: e.words.or(refusal.words),
                ..e
            })?;
            credentials.check(&other)?;
            open(&other)
        }
        (done, _) => done,
    }
}

fn unsafe_in_line(text: &str) -> bool {
    text.contains(['\r', '\n', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn what_a_server_repeats_is_taken_out() {
        let budi = Credentials::with_password("budi", "a\"b\\c");
        let words = r#"no: a"b\c, "a\"b\\c", AGJ1ZGkAYSJiXGM=, budi"#;
        let error = Error::new(Kind::Account, Code::Auth, "x").words(words);
        let secret = budi.secret().unwrap();
        let left = budi.redact(error, &secret).words.unwrap();
        assert_eq!(left, r#"no: …, "…", …, budi"#);
    }

    #[test]
    fn line_ends_and_nul_are_refused_and_nothing_secret_is_shown() {
        let of = Credentials::with_password;
        assert!(of("budi", "päss word").secret().is_ok());
        assert_eq!(of("bu\ndi", "x").secret().unwrap_err().code, Code::Auth);
        for bad in ["canary\r", "can\nary", "\0canary"] {
            let credentials = of("budi", bad);
            let e = credentials.secret().unwrap_err();
            let shown = format!("{e:?} {e} {credentials:?}");
            assert!(!shown.contains("nary"), "{shown}");
        }
    }

    #[derive(Debug, Default)]
    struct Counted(Mutex<u32>);

    impl Bearer for Counted {
        fn token(&self) -> Result<SecretString> {
            Ok("first".into())
        }

        fn instead_of(&self, refused: &SecretString) -> Result<SecretString> {
            assert_eq!(refused.expose_secret(), "first");
            *self.0.lock().unwrap() += 1;
            Ok("second".into())
        }
    }

    fn refused() -> Error {
        Error::new(Kind::Account, Code::Auth, "no")
    }

    #[test]
    fn a_refused_token_is_replaced_once_and_a_refused_password_never_tried_again() {
        let bearer = Arc::new(Counted::default());
        let mut credentials = Credentials::with_password("budi", "geheim");
        let mut tries = 0;
        let mut refuse = |_: &SecretString| {
            tries += 1;
            Err::<(), Error>(refused())
        };
        assert!(with_fresh_secret(&credentials, &mut refuse).is_err());
        credentials.secret = Secret::Token(bearer.clone());
        assert!(with_fresh_secret(&credentials, &mut refuse).is_err());
        assert_eq!((tries, *bearer.0.lock().unwrap()), (3, 1));
        let took = with_fresh_secret(&credentials, |token| match token.expose_secret() {
            "second" => Ok("in"),
            _ => Err(refused()),
        });
        assert_eq!(took.unwrap(), "in");
    }
}
