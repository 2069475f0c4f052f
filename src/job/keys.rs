//! Every key a job may have, and those that are planned but not there yet.

pub(super) const TOP: &[&str] = &[
    "version",
    "source",
    "destination",
    "archive",
    "folders",
    "filter",
    "route",
    "accounts",
    "parallel-accounts",
    "budget",
    "dedup",
    "collapse",
    "verify",
];
pub(super) const SOURCE: &[&str] = &[
    "protocol",
    "preset",
    "host",
    "port",
    "security",
    "ca-file",
    "pin-sha256",
    "user",
    "master-user",
    "password",
    "mechanism",
    "connections",
    "timeout",
    "minimum-rate",
    "after",
    "seen",
    "deleted",
    "shared",
    "path",
    "layout",
    "dialect",
];
pub(super) const DESTINATION: &[&str] = &[
    "protocol",
    "preset",
    "host",
    "port",
    "security",
    "ca-file",
    "pin-sha256",
    "user",
    "master-user",
    "password",
    "mechanism",
    "connections",
    "timeout",
    "minimum-rate",
    "order",
    "path",
    "layout",
    "format",
];
pub(super) const PASSWORD: &[&str] = &["env", "file", "command", "prompt", "keyring", "oauth2"];
pub(super) const OAUTH2: &[&str] = &[
    "provider",
    "client-id",
    "client-secret",
    "grant",
    "key-file",
    "tenant",
    "authorization-url",
    "device-url",
    "token-url",
    "scopes",
];
pub(super) const AFTER: &[&str] = &["delete-after-days", "move-to"];
pub(super) const ARCHIVE: &[&str] = &[
    "path",
    "format",
    "layout",
    "keep-mail",
    "on-vanish",
    "grace-days",
];
pub(super) const FOLDERS: &[&str] = &[
    "map",
    "include",
    "exclude",
    "flatten",
    "into",
    "special-use",
    "subscribe",
    "merge",
    "labels",
    "label-priority",
];
pub(super) const FILTER: &[&str] = &["since", "before", "max-size", "search"];
pub(super) const ROUTE: &[&str] = &["from", "to", "list-id", "year", "folder"];

/// The tables that a misplaced key may belong to, as a job writes them.
const HOMES: &[(&str, &[&str])] = &[
    ("at the top, before the first [table]", TOP),
    ("in [source]", SOURCE),
    ("in [destination]", DESTINATION),
    ("in [archive]", ARCHIVE),
    ("in [folders]", FOLDERS),
    ("in [filter]", FILTER),
    ("in [[route]]", ROUTE),
];

/// Where a key would be known, if anywhere.
pub(super) fn home(key: &str) -> Option<&'static str> {
    HOMES
        .iter()
        .find(|(_, keys)| keys.contains(&key))
        .map(|(home, _)| *home)
}

/// Words that other mail tools use for a key of ours.
pub(super) fn alias(key: &str) -> Option<&'static str> {
    match key {
        "server" | "hostname" | "address" => Some("host"),
        "username" | "login" | "account" | "email" => Some("user"),
        "pass" | "passwd" | "secret" => Some("password"),
        "ssl" | "tls" | "encryption" => Some("security"),
        "type" => Some("protocol"),
        _ => None,
    }
}

/// Keys that belong to a later version: refused with these words, never ignored.
pub(super) fn later(table: &str, key: &str) -> Option<&'static str> {
    match (table, key) {
        (_, "schedule" | "proxy" | "throttle" | "compress") => Some("not in this version yet"),
        _ => None,
    }
}
