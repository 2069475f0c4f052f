//! Signing in at real servers, and what comes before the first run.

mod check;
mod courier;
mod cyrus;
mod foreign;
mod init;
mod labels;
mod oauth;
mod others;
mod providers;
mod quirks;
mod sign_in;
mod throttle;
