//! What an APPEND's answer means to the engine.

use crate::imap::Appended;
use crate::net::{says_day_is_used, suggested_wait};
use crate::sink::{Refusal, Stored};

pub(super) fn stored(result: Appended) -> Stored {
    match result {
        Appended::Stored { uid_validity_uid } => Stored::Yes(uid_validity_uid),
        Appended::NotSent => Stored::NotSent,
        Appended::Unknown => Stored::Unknown,
        Appended::Refused { words, code, batch } => Stored::No {
            why: refusal(code.as_deref(), &words, batch),
            words,
            batch,
        },
    }
}

/// What a refusal's response code (RFC 5530, RFC 4469) says about what to do next.
fn refusal(code: Option<&str>, words: &str, batch: bool) -> Refusal {
    if says_day_is_used(words) {
        return Refusal::Tomorrow;
    }
    if suggested_wait(words).is_some() {
        return Refusal::Later;
    }
    match code.map(str::to_ascii_uppercase).as_deref() {
        Some("OVERQUOTA") => Refusal::Full,
        Some("TRYCREATE" | "NONEXISTENT") => Refusal::NoFolder,
        Some("UNAVAILABLE" | "INUSE" | "LIMIT" | "THROTTLED" | "SERVERBUG") => Refusal::Later,
        _ if batch => Refusal::Batch,
        _ => Refusal::Message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_that_is_used_up_is_no_want_of_room() {
        let gmail = "[OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)";
        assert_eq!(refusal(Some("OVERQUOTA"), gmail, true), Refusal::Tomorrow);
        // Exchange, without any code.
        let exchange = "Request is throttled. Suggested Backoff Time: 2500 milliseconds";
        assert_eq!(refusal(None, exchange, false), Refusal::Later);
        assert_eq!(
            refusal(Some("OVERQUOTA"), "[OVERQUOTA] Mailbox is full", true),
            Refusal::Full
        );
    }
}
