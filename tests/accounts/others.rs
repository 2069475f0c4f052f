//! Two small servers more that nobody here wrote: hoodiecrow-imap (JavaScript) and pymap (Python). Both keep their mail in memory.

use super::foreign::{PLAIN, Ways, odd, there_and_back};
use crate::support::Foreign;

#[test]
fn to_hoodiecrow_and_back() {
    let plugins = ["UIDPLUS", "LITERALPLUS", "NAMESPACE", "ID", "SPECIAL-USE"];
    let Some(server) = Foreign::start("hoodiecrow", &plugins) else {
        return;
    };
    there_and_back(&server, "budi", PLAIN);
}

#[test]
fn to_pymap_and_back() {
    let Some(server) = Foreign::start("pymap", &[]) else {
        return;
    };
    let ways = Ways {
        // It keeps no keywords, and changes more than what is known to be risky.
        keywords: false,
        top: "verify = \"all\"",
        ..PLAIN
    };
    there_and_back(&server, "budi", ways);
    let outcomes = odd(&server, "budi");
    assert_eq!(outcomes["plain"], "copied");
}
