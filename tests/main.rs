//! All integration tests, linked as one binary: it builds once and shares one Dovecot.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test tells what it skipped or counted"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "test data need not survive a power cut"
)]
#![allow(
    unreachable_pub,
    reason = "in a binary nothing is reachable from outside; pub marks what tests may use"
)]
#![allow(dead_code, reason = "support is written for the tests still to come")]

#[cfg(test)]
mod accounts;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod dependencies;
#[cfg(test)]
mod docs;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod flows;
#[cfg(feature = "failpoints")]
#[cfg(test)]
mod fuzzing;
#[cfg(test)]
mod layers;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod support;
