//! A grant at work: gives tokens to connections, and makes them new when they run out.

use super::tokens::{Tokens, load, save};
use super::{GrantKind, OAuth2, server, service};
use crate::auth::Bearer;
use crate::error::{Code, Error, Kind, Result};
use crate::fs;
use secrecy::{ExposeSecret, SecretString};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Tokens for one mailbox, shared by its connections.
#[derive(Debug)]
pub struct Grant {
    spec: OAuth2,
    user: String,
    /// For errors: `imap://budi@imap.example`.
    who: String,
    current: Mutex<Option<Tokens>>,
}

impl Grant {
    /// `who` is for errors. Asks nobody and reads nothing yet.
    #[must_use]
    pub fn new(spec: &OAuth2, user: &str, who: &str) -> Self {
        Grant {
            spec: spec.clone(),
            user: user.to_owned(),
            who: who.to_owned(),
            current: Mutex::new(None),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Tokens>> {
        // Whole whenever it is replaced.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Other tokens than these, from the file where another process has made them, else from the server.
    fn obtain(&self, old: Option<&Tokens>) -> Result<Tokens> {
        match &self.spec.kind {
            GrantKind::Client => return server::client_credentials(&self.spec, &self.who),
            GrantKind::ServiceAccount(key) => {
                return service::tokens(&self.spec, key, &self.user, &self.who);
            }
            GrantKind::Person => {}
        }
        let path = &self.spec.tokens;
        // Two that refresh at once would each make the other's refresh token void.
        let held = path.with_extension("lock");
        let file = match path.parent() {
            Some(dir) if dir.exists() => fs::open_or_create(&held)?,
            _ => return Err(self.nobody()),
        };
        file.lock().map_err(|e| Error::disk("lock", &held, &e))?;
        let kept = load(path, &self.user, &self.spec.client_id)?.ok_or_else(|| self.nobody())?;
        let same = |old: &Tokens| old.access.expose_secret() == kept.access.expose_secret();
        if kept.holds() && !old.is_some_and(same) {
            return Ok(kept);
        }
        let refresh = kept.refresh.as_ref().ok_or_else(|| self.run_out())?;
        let new = server::refresh(&self.spec, &self.who, refresh)?;
        save(path, &self.user, &self.spec.client_id, &new)?;
        Ok(new)
    }

    fn nobody(&self) -> Error {
        let what = format!("nobody has signed in for {} yet", self.who);
        Error::new(Kind::Account, Code::Secret, what).hint("mailhaul login with this job")
    }

    fn run_out(&self) -> Error {
        let what = format!(
            "the token of {} has run out, and the authorization server gave none to renew it",
            self.who
        );
        Error::new(Kind::Account, Code::Auth, what).hint(
            "mailhaul login with this job; check that the scopes of oauth2 allow offline access",
        )
    }
}

impl Bearer for Grant {
    fn token(&self) -> Result<SecretString> {
        let mut current = self.lock();
        if let Some(tokens) = current.as_ref().filter(|tokens| tokens.holds()) {
            return Ok(tokens.access.clone());
        }
        let new = self.obtain(current.as_ref())?;
        Ok(current.insert(new).access.clone())
    }

    fn instead_of(&self, refused: &SecretString) -> Result<SecretString> {
        let mut current = self.lock();
        let other = |tokens: &&Tokens| {
            tokens.holds() && tokens.access.expose_secret() != refused.expose_secret()
        };
        if let Some(tokens) = current.as_ref().filter(other) {
            return Ok(tokens.access.clone());
        }
        let new = self.obtain(current.as_ref())?;
        Ok(current.insert(new).access.clone())
    }
}
