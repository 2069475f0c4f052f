//! Courier: dots and the prefix INBOX, line ends that it mends by itself, and connections that it drops without a word.

use super::foreign::{odd, popped, there_and_back};
use crate::support::Foreign;

/// `INBOX.` before everything but the inbox, and `.` between.
fn dotted(name: &str) -> String {
    match name {
        "INBOX" => name.to_owned(),
        _ => format!("INBOX.{}", name.replace('/', ".")),
    }
}

fn slashed(name: &str) -> String {
    let plain = name.strip_prefix("INBOX.").unwrap_or(name);
    plain.replace('.', "/")
}

#[test]
fn to_courier_and_back() {
    let Some(server) = Foreign::start("courier", &["connections=20"]) else {
        return;
    };
    let moved = there_and_back(&server, "budi-1", dotted, slashed);
    popped(&server, "budi-1");
    drop(moved);
    let outcomes = odd(&server, "budi-2");
    assert_eq!(outcomes["plain"], "copied");
    assert_eq!(outcomes["latin"], "copied");
    assert_eq!(outcomes["bare-cr"], "altered");
}
