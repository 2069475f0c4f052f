//! Signing in at real servers, and what comes before the first run.

mod check;
mod courier;
mod cyrus;
mod foreign;
mod init;
mod labels;
mod oauth;
mod providers;
mod sign_in;
