//! Cyrus, which is the strictest about what it stores: it refuses NUL and mail without a header, and makes `X` of 8-bit bytes in headers.

use super::foreign::{odd, popped, there_and_back};
use crate::support::Foreign;

fn same(name: &str) -> String {
    name.to_owned()
}

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
fn to_cyrus_and_back() {
    let Some(server) = Foreign::start("cyrus", &[]) else {
        return;
    };
    let moved = there_and_back(&server, "budi-1", same, same);
    popped(&server, "budi-1");
    drop(moved);
    let outcomes = odd(&server, "budi-2");
    assert_eq!(outcomes["plain"], "copied");
    assert_eq!(outcomes["latin"], "altered");
    assert_eq!(outcomes["nul"], "rejected");
    assert_eq!(outcomes["no-header"], "rejected");
}

#[test]
fn to_cyrus_with_dots_and_the_prefix_of_old_and_back() {
    let Some(server) = Foreign::start("cyrus", &["separator=.", "prefix=INBOX"]) else {
        return;
    };
    there_and_back(&server, "budi-1", dotted, slashed);
}
