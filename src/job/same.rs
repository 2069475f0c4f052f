//! Two ends that are the same mailbox: refused before anything connects.
//!
//! Only what the job says is compared here; whether two hosts are one server is found out in the run.

use super::error::{Faults, Place};
use super::server::is_loopback;
use super::spec::Account;
use super::store::{Local, Server, Store};
use std::path::Path;

/// Tells every pair of ends that is one mailbox. `warnings` gets pairs that may well be.
pub(super) fn check(
    account: &Account,
    place: &Place,
    faults: &mut Faults,
    warnings: &mut Vec<String>,
) {
    let sources: Vec<&Store> = account.sources.iter().map(|s| &s.store).collect();
    let destinations: Vec<&Store> = account.destinations.iter().map(|d| &d.store).collect();
    for source in &sources {
        for destination in &destinations {
            if same(source, destination) {
                let message = "the two ends of a job may not be the same mailbox";
                let hint = "another user or another server at one end; what moves mail within one mailbox is its own mail program";
                faults.add_try(place, "destination", message, hint);
            } else if let (Store::Server(source), Store::Server(destination)) =
                (source, destination)
                && perhaps_same(source, destination)
            {
                let warning = format!(
                    "{} and {} may be the same server, and the user is the same: if the two are one mailbox, the run will stop",
                    source.endpoint.host, destination.endpoint.host
                );
                if !warnings.contains(&warning) {
                    warnings.push(warning);
                }
            }
        }
    }
    kept_where_it_is(account, place, faults);
    twice(&sources, "source", place, faults);
    twice(&destinations, "destination", place, faults);
}

/// What an archive keeps would be read again as its own source.
fn kept_where_it_is(account: &Account, place: &Place, faults: &mut Faults) {
    let archive = &account.archive;
    let inside =
        |path: &Path| path == archive.path || archive.keep_mail && nested(path, &archive.path);
    let mut locals = account.sources.iter().filter_map(|s| s.store.local());
    // An archive that is a destination too is told as such.
    let is_end = account.destinations.iter().any(|d| d.store.is_archive());
    if !is_end && locals.any(|local| inside(&local.path)) {
        let message = "the archive of a job may not be where its mail comes from";
        let hint = "leave [archive] out: a restore needs none";
        faults.add_try(place, "archive.path", message, hint);
    }
}

fn twice(stores: &[&Store], key: &str, place: &Place, faults: &mut Faults) {
    let pairs = stores.iter().enumerate();
    for (at, one) in pairs {
        if stores[at + 1..].iter().any(|other| same(one, other)) {
            faults.add(place, key, format!("the same mailbox is a {key} twice"));
        }
    }
}

fn same(a: &Store, b: &Store) -> bool {
    match (a, b) {
        (Store::Server(a), Store::Server(b)) => same_server(a, b),
        (Store::Local(a), Store::Local(b)) => overlap(a, b),
        _ => false,
    }
}

/// One path, or one inside the other: what is written would be read again.
fn overlap(a: &Local, b: &Local) -> bool {
    nested(&a.path, &b.path)
}

fn nested(a: &Path, b: &Path) -> bool {
    a.starts_with(b) || b.starts_with(a)
}

fn same_server(a: &Server, b: &Server) -> bool {
    let (host_a, host_b) = (host(a), host(b));
    // Test servers share one machine and differ in their ports; the run looks again.
    let apart = is_loopback(&host_a) && a.endpoint.port != b.endpoint.port;
    host_a == host_b && user(a, &host_a) == user(b, &host_b) && !apart
}

/// `pop.example.org` and `imap.example.org` with one user.
fn perhaps_same(a: &Server, b: &Server) -> bool {
    let (host_a, host_b) = (host(a), host(b));
    let domain = |host: &str| host.split_once('.').map(|(_, rest)| rest.to_owned());
    let near = domain(&host_a).filter(|rest| rest.contains('.')) == domain(&host_b);
    near && !is_loopback(&host_a) && user(a, &host_a) == user(b, &host_b)
}

/// A host as it is compared: lower case, all of Gmail's one.
fn host(server: &Server) -> String {
    let host = server.endpoint.host.trim_end_matches('.').to_lowercase();
    match host.as_str() {
        "imap.gmail.com" | "pop.gmail.com" | "imap.googlemail.com" | "pop.googlemail.com" => {
            "gmail.com".to_owned()
        }
        _ => host,
    }
}

/// A user as it is compared: lower case; Gmail's `recent:` and its domain taken off.
fn user(server: &Server, host: &str) -> String {
    let user = server.user.to_lowercase();
    if host != "gmail.com" {
        return user;
    }
    let name = user.strip_prefix("recent:").unwrap_or(&user);
    let bare = name
        .strip_suffix("@gmail.com")
        .or_else(|| name.strip_suffix("@googlemail.com"));
    bare.unwrap_or(name).to_owned()
}
