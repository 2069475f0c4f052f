//! What a server's refusals and a connection's failures mean for the caller.

use super::response::{Completion, Status};
use crate::error::{Code, End, Error, Kind};
use crate::failpoint;
use crate::net::{SLOW_HINT, too_slow};
use std::io;
use std::time::Duration;

/// How long to wait where the server asks for patience without saying for how long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whom we talk to, for errors.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub(super) end: End,
    /// Which end, and `host:port`.
    pub(super) name: String,
}

/// A defect of the caller: nothing was sent.
pub(super) fn local(what: impl Into<String>) -> Error {
    Error::new(Kind::Internal, Code::Internal, what)
}

impl Peer {
    fn error(&self, kind: Kind, code: Code, what: String) -> Error {
        Error::new(kind, code, what).at(self.end)
    }

    /// The connection failed while `doing` something; `bye`: what the server said in farewell.
    pub(super) fn io(&self, e: &io::Error, doing: &str, bye: Option<&str>) -> Error {
        if let Some(bye) = bye {
            return self.bye(bye);
        }
        let what = format!("{} while {doing}", self.name);
        if let Some(slow) = too_slow(e) {
            let what = format!("{} {slow} while {doing}", self.name);
            return self
                .error(Kind::Transient, Code::Timeout, what)
                .hint(SLOW_HINT);
        }
        match e.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => self.error(
                Kind::Transient,
                Code::Timeout,
                format!("no answer from {what}"),
            ),
            _ => self
                .error(
                    Kind::Transient,
                    Code::Connect,
                    format!("lost the connection to {what}"),
                )
                .words(e.to_string()),
        }
    }

    /// The server closes the connection of its own will.
    pub(super) fn bye(&self, words: &str) -> Error {
        let kind = patience(None, words).unwrap_or(Kind::Transient);
        let code = match kind {
            Kind::Throttled(_) => Code::Throttled,
            _ => Code::Connect,
        };
        self.error(kind, code, format!("{} closed the connection", self.name))
            .words(words)
    }

    /// The server broke the protocol.
    pub(super) fn protocol(&self, what: &str) -> Error {
        self.error(
            Kind::Transient,
            Code::Protocol,
            format!("{}: {what}", self.name),
        )
    }

    pub(super) fn tls(&self, what: &str) -> Error {
        self.error(Kind::Account, Code::Tls, format!("{}: {what}", self.name))
    }

    /// The server answered NO or BAD to `what`; `otherwise` is the kind where its words say nothing more precise.
    pub(super) fn refused(&self, answer: &Completion, what: &str, otherwise: Kind) -> Error {
        let words = answer.words();
        let (kind, code) = meaning(answer.code().as_deref(), &words, otherwise);
        self.error(kind, code, format!("{} refused {what}", self.name))
            .words(words)
    }

    /// The server refused the login.
    pub(super) fn refused_login(&self, answer: &Completion) -> Error {
        let mut error = self.refused(answer, "the login", Kind::Account);
        if error.code == Code::Refused {
            error.code = Code::Auth;
            error.kind = Kind::Account;
        }
        if answer.status == Status::Bad && error.code == Code::Auth {
            return error.hint(
                "the server did not understand the login: check protocol, port and security",
            );
        }
        if error.code == Code::Auth {
            return error.hint(
                "check `user` and `password`; many providers want an app password, or IMAP allowed in the account's settings",
            );
        }
        error
    }
}

fn meaning(code: Option<&str>, words: &str, otherwise: Kind) -> (Kind, Code) {
    if let Some(kind) = patience(code, words) {
        return (kind, Code::Throttled);
    }
    match code {
        Some("OVERQUOTA") => (Kind::Account, Code::Full),
        Some(
            "AUTHENTICATIONFAILED"
            | "AUTHORIZATIONFAILED"
            | "EXPIRED"
            | "PRIVACYREQUIRED"
            | "CONTACTADMIN",
        ) => (Kind::Account, Code::Auth),
        Some("NONEXISTENT" | "TRYCREATE") => (Kind::Folder, Code::Refused),
        _ => (otherwise, Code::Refused),
    }
}

/// Does the server ask to wait, by response code (RFC 5530) or in the words providers use?
fn patience(code: Option<&str>, words: &str) -> Option<Kind> {
    if let Some(wait) = backoff_time(words) {
        return Some(Kind::Throttled(wait));
    }
    let lower = words.to_ascii_lowercase();
    let by_words = (lower.contains("too many") || lower.contains("maximum number"))
        && (lower.contains("connection") || lower.contains("login"))
        || lower.contains("throttled");
    let by_code = matches!(code, Some("UNAVAILABLE" | "INUSE" | "LIMIT" | "THROTTLED"));
    (by_words || by_code).then(|| Kind::Throttled(failpoint::waiting(PATIENCE)))
}

/// `Suggested Backoff Time: N milliseconds`, at most an hour.
pub(super) fn backoff_time(words: &str) -> Option<Duration> {
    let lower = words.to_ascii_lowercase();
    let (_, rest) = lower.split_once("suggested backoff time:")?;
    let digits: String = rest
        .trim_start()
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    let wait = Duration::from_millis(digits.parse().ok()?);
    Some(wait.min(Duration::from_secs(3600)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exchange_names_the_wait() {
        let words = "Request is throttled. Suggested Backoff Time: 2500 milliseconds";
        assert_eq!(backoff_time(words), Some(Duration::from_millis(2500)));
        assert_eq!(backoff_time("Suggested Backoff Time: soon"), None);
        assert_eq!(
            backoff_time("suggested backoff time: 99999999999999").map(|d| d.as_secs()),
            Some(3600)
        );
    }

    #[test]
    fn words_decide_the_kind() {
        let of = |code, words| meaning(code, words, Kind::Folder);
        assert_eq!(of(Some("OVERQUOTA"), "full").1, Code::Full);
        assert_eq!(of(Some("LIMIT"), "x").0, Kind::Throttled(PATIENCE));
        assert_eq!(
            of(None, "Maximum number of connections exceeded").1,
            Code::Throttled
        );
        assert_eq!(of(Some("AUTHENTICATIONFAILED"), "no").1, Code::Auth);
        assert_eq!(of(None, "no such folder"), (Kind::Folder, Code::Refused));
    }
}
