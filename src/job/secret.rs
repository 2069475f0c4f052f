//! `password`: where the secret is to be had, never the secret. No value of it is ever repeated in an error.

use super::error::Faults;
use super::keys;
use super::oauth::{self, Around};
use super::section::Section;
use super::tree::{Node, Value};
use crate::auth::{Proof, SecretRef};
use std::path::Path;

const WAYS: &str = "a table with one of env, file, command, prompt, keyring, oauth2";
const TRY: &str = r#"password = { env = "OLD_PASSWORD" }, { file = "password.txt" }, { command = "pass show mail/old" } or { prompt = true }"#;

/// Checks a `password`.
pub(super) fn password(
    server: &Section<'_>,
    around: &Around<'_>,
    faults: &mut Faults,
) -> Option<Proof> {
    let name = server.key("password");
    let Some(node) = server.get("password") else {
        server.missing("password", WAYS, TRY, faults);
        return None;
    };
    if let Value::Table(table) = &node.value
        && let ([entry], Some(oauth2)) = (&table.0[..], table.get("oauth2"))
    {
        let name = format!("{name}.{}", entry.key);
        return oauth::oauth2(oauth2, name, around, faults)
            .map(|token| Proof::Token(Box::new(token)));
    }
    reference_to(node, name, "a password", around.context.dir, faults).map(Proof::Password)
}

/// A secret by reference; `what` it is, for errors; `dir`: the job file's directory.
pub(super) fn reference_to(
    node: &Node,
    name: String,
    what: &str,
    dir: &Path,
    faults: &mut Faults,
) -> Option<SecretRef> {
    if !matches!(node.value, Value::Table(_)) {
        let message = format!("{what} does not stand in a job: expected {WAYS}");
        faults.add_try(&node.place, &name, message, TRY);
        return None;
    }
    let section = Section::open(node, name, "password", keys::PASSWORD, faults)?;
    let ways: Vec<&str> = section
        .keys()
        .filter(|key| keys::PASSWORD.contains(key))
        .collect();
    match ways[..] {
        ["oauth2"] => {
            let message = "a secret of an OAuth 2.0 client is no token itself";
            faults.add_try(&node.place, &section.name, message, TRY);
            None
        }
        [way] => reference(&section, way, dir, faults),
        // An unknown way has been told already.
        [] if section.keys().next().is_some() => None,
        _ => {
            let message = format!("expected {WAYS}, found {}", ways.len());
            faults.add_try(&node.place, &section.name, message, TRY);
            None
        }
    }
}

fn reference(
    section: &Section<'_>,
    way: &str,
    dir: &Path,
    faults: &mut Faults,
) -> Option<SecretRef> {
    let node = section.get(way)?;
    if way == "prompt" {
        return match node.value {
            Value::Flag(true) => Some(SecretRef::Prompt),
            _ => wrong(section, way, node, "true", faults),
        };
    }
    let text = match &node.value {
        Value::Text(text) if !text.is_empty() && !text.contains('\0') => text.clone(),
        _ => return wrong(section, way, node, "a text", faults),
    };
    match way {
        "env" if !is_variable(&text) => {
            let what = "the name of an environment variable (letters, digits and _)";
            wrong(section, way, node, what, faults)
        }
        "env" => Some(SecretRef::Env(text)),
        "file" => Some(SecretRef::File(dir.join(text))),
        "keyring" => Some(SecretRef::Keyring(text)),
        _ => Some(SecretRef::Command {
            without: Vec::new(),
            command: text,
            dir: dir.to_owned(),
        }),
    }
}

/// What was found is not said: somebody may have put the password there.
fn wrong(
    section: &Section<'_>,
    way: &str,
    node: &Node,
    what: &str,
    faults: &mut Faults,
) -> Option<SecretRef> {
    let message = format!("expected {what}, found something else");
    faults.add_try(&node.place, &section.key(way), message, TRY);
    None
}

fn is_variable(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
