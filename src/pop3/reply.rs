//! Status lines (RFC 1939 §3) with their response codes (RFC 2449 §8, RFC 3206).

use crate::error::{Code, Error, Kind};
use crate::failpoint;
use crate::net::{Endpoint, says_day_is_used, suggested_wait};
use std::time::Duration;

/// A status line: the text behind the indicator.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Ok(Vec<u8>),
    No(Refusal),
    /// `+`: the server waits for the next step of AUTH (RFC 5034 §4); its challenge, in base64.
    More(Vec<u8>),
}

/// What followed `-ERR`, its response code included.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) Vec<u8>);

impl Reply {
    /// `None` when the line is no status line.
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        let end = memchr::memchr(b' ', line).unwrap_or(line.len());
        let (status, rest) = line.split_at(end);
        let text = rest.trim_ascii();
        match status.to_ascii_uppercase().as_slice() {
            b"+OK" => Some(Reply::Ok(text.to_vec())),
            b"-ERR" => Some(Reply::No(Refusal(text.to_vec()))),
            b"+" => Some(Reply::More(text.to_vec())),
            _ => None,
        }
    }
}

/// How long to stay away from a maildrop that another session holds, and from one whose server said to log in less often.
const IN_USE: Duration = Duration::from_secs(30);
const LOGIN_DELAY: Duration = Duration::from_secs(300);

impl Refusal {
    /// The server's words, raw.
    pub(super) fn words(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }

    /// The response code without brackets, in upper case: `SYS/TEMP`.
    pub(super) fn code(&self) -> Option<String> {
        let inner = self.0.strip_prefix(b"[")?;
        let end = memchr::memchr(b']', inner)?;
        Some(String::from_utf8_lossy(&inner[..end]).to_ascii_uppercase())
    }

    fn says(&self, any: &[&str]) -> bool {
        let text = self.words().to_ascii_lowercase();
        any.iter().any(|part| text.contains(part))
    }

    /// Does the server not know the command, so that another way may do?
    pub(super) fn is_unsupported(&self) -> bool {
        self.code().is_none()
            && self.says(&[
                "unknown",
                "unsupported",
                "not supported",
                "unrecogni",
                "invalid command",
                "not implemented",
                "disabled",
                "mechanism",
            ])
    }

    /// The refusal read as one that says nothing of the password: another session, too many logins, a server in trouble.
    pub(super) fn not_now(&self, endpoint: &Endpoint, delay: Option<Duration>) -> Option<Error> {
        if says_day_is_used(&self.words()) {
            return Some(self.day_is_used(endpoint));
        }
        if let Some(wait) = suggested_wait(&self.words()) {
            let what = "the server asks for time";
            let error = endpoint.error(Kind::Throttled(wait), Code::Throttled, what);
            return Some(error.words(self.words()));
        }
        let code = self.code();
        let locked = ["lock", "in use", "in-use", "already open"];
        let (kind, class, what) = match code.as_deref() {
            Some("IN-USE") => in_use(),
            Some("LOGIN-DELAY") => (
                Kind::Throttled(failpoint::waiting(delay.unwrap_or(LOGIN_DELAY))),
                Code::Throttled,
                "the server wants more time between two logins",
            ),
            Some(code) if code.starts_with("SYS/TEMP") => (
                Kind::Transient,
                Code::Refused,
                "the server has a passing trouble",
            ),
            Some(code) if code.starts_with("SYS/PERM") => (
                Kind::Account,
                Code::Refused,
                "the server has a lasting trouble with this account",
            ),
            None if self.says(&locked) && !self.says(&["account", "user"]) => in_use(),
            _ => return None,
        };
        Some(endpoint.error(kind, class, what).words(self.words()))
    }

    /// The server has given as much today as it gives a day.
    pub(super) fn day_is_used(&self, endpoint: &Endpoint) -> Error {
        let what = "the server has given as much as it gives a day";
        let kind = Kind::Throttled(LOGIN_DELAY);
        endpoint
            .error(kind, Code::DailyLimit, what)
            .words(self.words())
    }
}

fn in_use() -> (Kind, Code, &'static str) {
    let what = "another session has the maildrop open";
    let wait = failpoint::waiting(IN_USE);
    (Kind::Throttled(wait), Code::Throttled, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_lines() {
        assert_eq!(Reply::parse(b"+OK"), Some(Reply::Ok(vec![])));
        assert_eq!(Reply::parse(b"+ok  a b "), Some(Reply::Ok(b"a b".to_vec())));
        assert_eq!(Reply::parse(b"+ "), Some(Reply::More(vec![])));
        assert_eq!(Reply::parse(b"+"), Some(Reply::More(vec![])));
        for line in [&b""[..], b"OK", b"+OKAY", b"* OK imap", b"\xff\0"] {
            assert_eq!(Reply::parse(line), None);
        }
    }

    #[test]
    fn response_codes() {
        let code = |text: &[u8]| Refusal(text.to_vec()).code();
        assert_eq!(code(b"[in-use] busy"), Some("IN-USE".into()));
        assert_eq!(code(b"[SYS/TEMP]"), Some("SYS/TEMP".into()));
        assert_eq!(code(b"[broken"), None);
        assert_eq!(code(b"no [AUTH]"), None);
    }

    #[test]
    fn what_the_server_does_not_know_is_told_from_what_it_refuses() {
        let unsupported = |text: &str| Refusal(text.into()).is_unsupported();
        assert!(unsupported("Unknown command: APOP"));
        assert!(!unsupported("[AUTH] unknown user"));
        assert!(!unsupported("authentication failed"));
    }
}
