//! Tokens on disk: one file a mailbox and client, 0600, in a directory of ours, 0700.

use crate::error::{Code, Error, Kind, Result};
use crate::fs;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use zeroize::Zeroizing;

/// No file of tokens is longer, in bytes.
const LONGEST: u64 = 1 << 20;

/// A token counts as run out this much before it does, so that it does not run out on the way; of one that holds only for a
/// while, a tenth of that while.
const MARGIN: Duration = Duration::from_secs(60);

/// What an authorization server gave.
#[derive(Debug, Clone)]
pub(super) struct Tokens {
    pub(super) access: SecretString,
    /// `None`: the server did not say.
    pub(super) good_until: Option<SystemTime>,
    pub(super) refresh: Option<SecretString>,
}

impl Tokens {
    /// `lifetime`: of the access token, from now on.
    pub(super) fn new(
        access: &str,
        lifetime: Option<Duration>,
        refresh: Option<SecretString>,
    ) -> Self {
        let good = |lifetime: Duration| {
            SystemTime::now().checked_add(lifetime.saturating_sub(MARGIN.min(lifetime / 10)))
        };
        Tokens {
            access: access.into(),
            good_until: lifetime.and_then(good),
            refresh,
        }
    }

    pub(super) fn holds(&self) -> bool {
        self.good_until.is_none_or(|end| SystemTime::now() < end)
    }
}

/// The file's content: JSON.
#[derive(Serialize, Deserialize)]
struct Kept {
    version: u32,
    user: String,
    client_id: String,
    access_token: String,
    /// Seconds since 1970, UTC; the margin is off already.
    good_until: Option<u64>,
    refresh_token: Option<String>,
}

/// Reads a file of tokens; `None` where there is none, or it is another client's or user's.
///
/// # Errors
/// `Code::Disk`; `Code::Secret` where it is no such file.
pub(super) fn load(path: &Path, user: &str, client_id: &str) -> Result<Option<Tokens>> {
    if !path.exists() {
        return Ok(None);
    }
    let file = fs::open(path)?;
    let mut text = Zeroizing::new(Vec::new());
    file.take(LONGEST)
        .read_to_end(&mut text)
        .map_err(|e| Error::disk("read", path, &e))?;
    let kept: Kept = serde_json::from_slice(&text).map_err(|_| {
        let what = format!("{} holds no tokens of mailhaul", path.display());
        Error::new(Kind::Account, Code::Secret, what)
            .hint("remove it, then mailhaul login with this job")
    })?;
    if kept.version != 1 || kept.user != user || kept.client_id != client_id {
        return Ok(None);
    }
    Ok(Some(Tokens {
        access: kept.access_token.into(),
        good_until: kept
            .good_until
            .and_then(|end| UNIX_EPOCH.checked_add(Duration::from_secs(end))),
        refresh: kept.refresh_token.map(SecretString::from),
    }))
}

/// Keeps tokens, durably.
///
/// # Errors
/// `Code::Disk`.
pub(super) fn save(path: &Path, user: &str, client_id: &str, tokens: &Tokens) -> Result<()> {
    if let Some(dir) = path.parent() {
        fs::private_dir(dir)?;
    }
    let since = |end: SystemTime| end.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let refresh = tokens.refresh.as_ref();
    let kept = Kept {
        version: 1,
        user: user.to_owned(),
        client_id: client_id.to_owned(),
        access_token: tokens.access.expose_secret().to_owned(),
        good_until: tokens.good_until.map(since),
        refresh_token: refresh.map(|token| token.expose_secret().to_owned()),
    };
    let text = serde_json::to_vec_pretty(&kept).map(Zeroizing::new);
    let text = text.map_err(|e| Error::disk("write", path, &e.into()))?;
    fs::persist(path, |file| file.write_all(&text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn tokens_come_back_and_belong_to_one_user_and_client() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("job.tokens/one.json");
        assert!(load(&path, "budi", "c").unwrap().is_none());
        let tokens = Tokens::new("a", Some(Duration::from_secs(3600)), Some("r".into()));
        save(&path, "budi", "c", &tokens).unwrap();
        let back = load(&path, "budi", "c").unwrap().unwrap();
        assert_eq!(back.access.expose_secret(), "a");
        assert_eq!(back.refresh.unwrap().expose_secret(), "r");
        assert!(load(&path, "ani", "c").unwrap().is_none());
        assert!(load(&path, "budi", "other").unwrap().is_none());
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    }

    #[test]
    fn a_token_runs_out_a_little_early() {
        let now = SystemTime::now();
        let left = |secs| {
            let tokens = Tokens::new("a", Some(Duration::from_secs(secs)), None);
            tokens
                .good_until
                .unwrap()
                .duration_since(now)
                .unwrap()
                .as_secs()
        };
        assert!((3530..=3545).contains(&left(3600)));
        assert!((85..=95).contains(&left(100)));
        assert!(!Tokens::new("a", Some(Duration::ZERO), None).holds());
        assert!(Tokens::new("a", None, None).holds());
    }

    #[test]
    fn another_file_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.json");
        fs::persist(&path, |file| {
            file.write_all(b"{\"access_token\": \"canary\"}")
        })
        .unwrap();
        let e = load(&path, "budi", "c").unwrap_err();
        assert_eq!(e.code, Code::Secret);
        assert!(!format!("{e:?}").contains("canary"));
    }
}
