//! `password = { oauth2 = { … } }`: whose tokens, and from where.

use super::error::Faults;
use super::keys;
use super::providers::AuthorizationServer;
use super::secret::reference_to;
use super::section::Section;
use super::server::Context;
use super::tree::{Node, Value};
use crate::auth::SecretRef;
use crate::auth::oauth::{Authorization, GrantKind, OAuth2};
use crate::net::loopback;
use oauth2::url::Url;
use std::path::PathBuf;

const GRANTS: [&str; 3] = ["person", "client", "service-account"];

/// What the server's own table says that matters here.
pub(super) struct Around<'a> {
    pub(super) context: &'a Context<'a>,
    /// The name of the provider's authorization server.
    pub(super) authorization: Option<&'a str>,
    /// What tells this mailbox from others: user and host.
    pub(super) mailbox: String,
}

/// Checks the table; every key is looked at.
pub(super) fn oauth2(
    node: &Node,
    name: String,
    around: &Around<'_>,
    faults: &mut Faults,
) -> Option<OAuth2> {
    if !matches!(node.value, Value::Table(_)) {
        // What was found is not said: somebody may have put a token there.
        let hint = r#"oauth2 = { provider = "google", client-id = "…" }"#;
        faults.add_try(
            &node.place,
            &name,
            "expected a table, found something else",
            hint,
        );
        return None;
    }
    let section = Section::open(node, name, "oauth2", keys::OAUTH2, faults)?;
    let kind = kind(&section, around, faults);
    let known = known(&section, around, faults);
    let kind = kind?;
    let endpoints = endpoints(&section, known?, &kind, faults);
    let client_id = client_id(&section, &kind, faults);
    let client_secret = client_secret(&section, around, faults);
    let (client_id, client_secret) = (client_id?, client_secret?);
    let tokens = tokens(around, &client_id);
    Some(OAuth2 {
        client_id,
        client_secret,
        endpoints: endpoints?,
        kind,
        tokens,
    })
}

/// A file of its own for each mailbox and client: names that a CSV gives are no file names.
fn tokens(around: &Around<'_>, client_id: &str) -> PathBuf {
    let mailbox = format!("{}\0{client_id}", around.mailbox);
    let name = blake3::hash(mailbox.as_bytes()).to_hex();
    around.context.tokens.join(format!("{}.json", &name[..16]))
}

/// The authorization server by name, the job's or the provider's. `Some(None)`: there is none, the job has to say all.
fn known<'a>(
    section: &Section<'_>,
    around: &Around<'a>,
    faults: &mut Faults,
) -> Option<Option<&'a AuthorizationServer>> {
    let book = around.context.book;
    if section.get("provider").is_some() {
        let all = book.authorizations.iter();
        let words: Vec<_> = all
            .map(|server| (server.name.as_str(), Some(server)))
            .collect();
        return section.choice("provider", &words, faults).map(Some);
    }
    Some(
        around
            .authorization
            .and_then(|name| book.authorization(name)),
    )
}

fn endpoints(
    section: &Section<'_>,
    known: Option<&AuthorizationServer>,
    kind: &GrantKind,
    faults: &mut Faults,
) -> Option<Authorization> {
    let tenant = match section.get("tenant") {
        None => "common",
        Some(_) => tenant(section, faults)?,
    };
    let in_own_name = *kind == GrantKind::Client;
    let mut all = known.map_or_else(
        || Authorization {
            redirect_host: "127.0.0.1".to_owned(),
            ..Authorization::default()
        },
        |known| known.endpoints(tenant, in_own_name),
    );
    let before = faults.told();
    if let Some(url) = url(section, "token-url", faults) {
        all.token_url = url;
    }
    let others = [
        ("authorization-url", &mut all.authorization_url),
        ("device-url", &mut all.device_url),
    ];
    for (key, own) in others {
        if let Some(url) = url(section, key, faults) {
            *own = Some(url);
        }
    }
    let scopes = section.list("scopes", "a list of texts", faults);
    if section.get("scopes").is_some() {
        let texts = scopes.iter().filter_map(|(name, node)| {
            let text = super::section::as_text(node).filter(|text| !text.is_empty());
            if text.is_none() {
                let message = format!("expected a scope, found {}", node.found());
                faults.add(&node.place, name, message);
            }
            text.map(str::to_owned)
        });
        all.scopes = texts.collect();
    }
    if all.token_url.is_empty() && section.get("token-url").is_none() {
        let hint = r#"provider = "google" or "microsoft", or token-url with authorization-url or device-url"#;
        section.missing("token-url", "an authorization server", hint, faults);
    }
    (faults.told() == before).then_some(all)
}

/// A domain or a GUID: it becomes part of a URL.
fn tenant<'a>(section: &Section<'a>, faults: &mut Faults) -> Option<&'a str> {
    let what = "the directory's domain or id";
    let text = section.text("tenant", what, faults)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    if text.chars().all(plain) {
        return Some(text);
    }
    if let Some(node) = section.get("tenant") {
        section.expected("tenant", node, what, faults);
    }
    None
}

/// https, or http to this very machine: tokens and codes go there.
fn url(section: &Section<'_>, key: &str, faults: &mut Faults) -> Option<String> {
    let what = "a URL that begins with https://";
    let text = section.text(key, what, faults)?;
    let safe = |url: &Url| {
        let host = url.host_str().unwrap_or_default();
        url.username().is_empty()
            && url.password().is_none()
            && (url.scheme() == "https" || url.scheme() == "http" && loopback(host))
    };
    if Url::parse(text).is_ok_and(|url| safe(&url)) {
        return Some(text.to_owned());
    }
    let node = section.get(key)?;
    let message = format!("expected {what}, found something else");
    faults.add(&node.place, &section.key(key), message);
    None
}

fn kind(section: &Section<'_>, around: &Around<'_>, faults: &mut Faults) -> Option<GrantKind> {
    let words = GRANTS.map(|word| (word, Some(word)));
    let word = match section.get("grant") {
        None => GRANTS[0],
        Some(_) => section.choice("grant", &words, faults)?,
    };
    let key = section.get("key-file");
    if word != GRANTS[2] {
        if let Some(node) = key {
            let message = "is for grant = \"service-account\" only";
            faults.add(&node.place, &section.key("key-file"), message);
        }
        let client = word == GRANTS[1];
        return Some(if client {
            GrantKind::Client
        } else {
            GrantKind::Person
        });
    }
    if key.is_none() {
        let hint = "key-file = \"service-account.json\"";
        section.missing(
            "key-file",
            "the path of the account's key (JSON)",
            hint,
            faults,
        );
        return None;
    }
    let path = section.text("key-file", "the path of a file", faults)?;
    Some(GrantKind::ServiceAccount(around.context.dir.join(path)))
}

/// A service account's key names the client itself.
fn client_id(section: &Section<'_>, kind: &GrantKind, faults: &mut Faults) -> Option<String> {
    let what = "the id of the client that you registered there";
    if matches!(kind, GrantKind::ServiceAccount(_)) && section.get("client-id").is_none() {
        return Some(String::new());
    }
    if section.get("client-id").is_none() {
        let hint = "client-id = \"…\"; docs/accounts.md says how to get one";
        section.missing("client-id", what, hint, faults);
        return None;
    }
    section.text("client-id", what, faults).map(str::to_owned)
}

/// `Some(None)`: the client has none.
fn client_secret(
    section: &Section<'_>,
    around: &Around<'_>,
    faults: &mut Faults,
) -> Option<Option<SecretRef>> {
    let Some(node) = section.get("client-secret") else {
        return Some(None);
    };
    let name = section.key("client-secret");
    reference_to(node, name, "a client's secret", around.context.dir, faults).map(Some)
}
