//! Courier: dots and the prefix INBOX, line ends that it mends by itself, and connections that it drops without a word.

use super::foreign::{DOTTED, mailbox, odd, popped, run, there_and_back};
use crate::support::{End, Foreign, Job, fresh_user};

#[test]
fn to_courier_and_back() {
    let Some(server) = Foreign::start("courier", &["connections=20"]) else {
        return;
    };
    there_and_back(&server, "budi-1", DOTTED);
    popped(&server, "budi-1");
    let outcomes = odd(&server, "budi-2");
    assert_eq!(outcomes["plain"], "copied");
    assert_eq!(outcomes["latin"], "copied");
    assert_eq!(outcomes["bare-cr"], "altered");
}

/// More connections than it takes: the fifth is dropped without a word, and the run goes on with those that it has.
#[test]
fn courier_drops_connections_without_a_word() {
    let Some(server) = Foreign::start("courier", &["connections=3"]) else {
        return;
    };
    let old = fresh_user("foreign-many");
    let dovecot = mailbox(&old);
    let to = server.imap_end("budi-3").line("connections = 8");
    let job = Job::new("", &End::imap(dovecot, &old), &to, "");
    let done = run(&job);
    assert!(
        matches!(done.code, Some(0 | 3)),
        "{}\n{}",
        done.stdout,
        done.stderr
    );
    let balance = done.balance();
    balance.assert_adds_up();
    assert_eq!(balance.part("not copied"), 0, "{}", done.stdout);
    let again = run(&job).exits(0);
    assert_eq!(again.balance().part("copied"), 0, "{}", again.stdout);
}
