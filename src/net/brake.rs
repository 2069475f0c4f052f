//! What slows connections down: told of all bytes that pass, it answers when it has waited long enough.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Way {
    /// From the server.
    Down,
    /// To the server.
    Up,
}

/// Shared by all connections that a limit holds for.
pub trait Brake: fmt::Debug + Send + Sync {
    /// So many bytes may pass at once at most, so that pauses stay short; at least 1.
    fn piece(&self) -> usize;

    /// Bytes have passed: returns once they were allowed to. An error ends the connection.
    fn passed(&self, way: Way, bytes: usize) -> io::Result<()>;
}

/// An endpoint's brake, if it has one. All are equal: they say nothing of where an endpoint is.
#[derive(Debug, Clone, Default)]
pub struct Brakes(Option<Arc<dyn Brake>>);

impl Brakes {
    #[must_use]
    pub fn new(brake: Arc<dyn Brake>) -> Self {
        Brakes(Some(brake))
    }

    /// How many of `wanted` bytes may pass at once.
    pub(super) fn piece(&self, wanted: usize) -> usize {
        let brake = self.0.as_ref();
        brake.map_or(wanted, |brake| wanted.min(brake.piece().max(1)))
    }

    pub(super) fn passed(&self, way: Way, bytes: usize) -> io::Result<()> {
        match &self.0 {
            Some(brake) if bytes > 0 => brake.passed(way, bytes),
            _ => Ok(()),
        }
    }
}

/// Do a server's words say that as much has passed as it allows a day? In Gmail's words, mostly.
#[must_use]
pub fn says_day_is_used(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    words.contains("bandwidth limit") || words.contains("daily limit")
}

/// How long a server asks to be left alone, in Exchange's words (`Suggested Backoff Time: N milliseconds`); at most an hour.
#[must_use]
pub fn suggested_wait(words: &str) -> Option<Duration> {
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

impl PartialEq for Brakes {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Brakes {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exchange_names_the_wait() {
        let words = "Request is throttled. Suggested Backoff Time: 2500 milliseconds";
        assert_eq!(suggested_wait(words), Some(Duration::from_millis(2500)));
        assert_eq!(suggested_wait("Suggested Backoff Time: soon"), None);
        assert_eq!(
            suggested_wait("suggested backoff time: 99999999999999").map(|d| d.as_secs()),
            Some(3600)
        );
    }

    #[test]
    fn words_of_a_day_that_is_used_up() {
        assert!(says_day_is_used(
            "Account exceeded command or bandwidth limits. (Failure)"
        ));
        assert!(!says_day_is_used("[OVERQUOTA] Mailbox is full"));
    }
}
