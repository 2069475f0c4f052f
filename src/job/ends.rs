//! `[source]` and `[destination]`, one or several of each.

use super::error::Faults;
use super::keys;
use super::local::store;
use super::section::Section;
use super::server::Context;
use super::spec::{After, ArchiveSpec, DestinationSpec, Protocol, SourceSpec};
use super::store::{Local, LocalFormat, Store};
use super::tree::{Node, Value};
use crate::message::Folder;

/// All sources of a job; faults told.
pub(super) fn sources(
    top: &Section<'_>,
    context: &Context<'_>,
    faults: &mut Faults,
) -> Vec<SourceSpec> {
    let found = tables(top, "source", keys::SOURCE, faults);
    let checked = found.iter().map(|s| source(s, context, faults));
    checked.collect::<Vec<_>>().into_iter().flatten().collect()
}

/// All destinations of a job; faults told.
pub(super) fn destinations(
    top: &Section<'_>,
    context: &Context<'_>,
    faults: &mut Faults,
) -> Vec<DestinationSpec> {
    if top.get("destination").is_none() && top.get("archive").is_some() {
        // A backup: the archive is the destination.
        return Vec::new();
    }
    let found = tables(top, "destination", keys::DESTINATION, faults);
    let checked = found.iter().map(|d| destination(d, context, faults));
    checked.collect::<Vec<_>>().into_iter().flatten().collect()
}

/// The archive as the one destination of a job that names no other.
pub(super) fn backup(archive: &ArchiveSpec) -> DestinationSpec {
    DestinationSpec {
        store: Store::Local(Local {
            format: LocalFormat::Archive,
            path: archive.path.clone(),
            layout: Some(archive.layout),
            mail: archive.format,
            dialect: None,
        }),
        keep_order: true,
    }
}

/// `[name]` or `[[name]]`; at least one has to be there.
fn tables<'a>(
    top: &Section<'a>,
    name: &str,
    known: &'static [&'static str],
    faults: &mut Faults,
) -> Vec<Section<'a>> {
    let Some(node) = top.get(name) else {
        let hint =
            format!("[{name}] with protocol, host, user and password, or with protocol and path");
        top.missing(name, &format!("a table [{name}]"), &hint, faults);
        return Vec::new();
    };
    let Value::List(items) = &node.value else {
        let section = Section::open(node, name.to_owned(), name, known, faults);
        return section.into_iter().collect();
    };
    if items.is_empty() {
        top.expected(name, node, &format!("a table [{name}]"), faults);
    }
    let mut sections = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let numbered = match items.len() {
            1 => name.to_owned(),
            _ => format!("{name}[{}]", at + 1),
        };
        sections.extend(Section::open(item, numbered, name, known, faults));
    }
    sections
}

fn source(section: &Section<'_>, context: &Context<'_>, faults: &mut Faults) -> Option<SourceSpec> {
    let store = store(section, context, faults);
    let after = after(section, faults);
    let seen = section.flag("seen", false, faults);
    let copy_deleted = section.get("deleted").is_some()
        && section
            .choice(
                "deleted",
                &[("skip", Some(false)), ("copy", Some(true))],
                faults,
            )
            .unwrap_or(false);
    let shared = section.flag("shared", false, faults);
    let store = store?;
    if let Store::Server(server) = &store {
        only_for(section, server.protocol, after.as_ref(), faults);
    }
    Some(SourceSpec {
        store,
        after: after?,
        seen,
        copy_deleted,
        shared,
    })
}

/// Tells keys that mean nothing for the source's protocol.
fn only_for(section: &Section<'_>, is: Protocol, after: Option<&After>, faults: &mut Faults) {
    let imap_only: &[&str] = match after {
        Some(After::MarkRead | After::MoveTo(_)) => &["after", "deleted", "shared"],
        _ => &["deleted", "shared"],
    };
    let (keys, words) = match is {
        Protocol::Pop3 => (
            imap_only,
            "is for IMAP sources only: POP3 has no flags and no folders",
        ),
        Protocol::Imap => (
            &["seen"][..],
            "is for POP3 sources only: IMAP tells what was read",
        ),
    };
    for key in keys {
        if let Some(node) = section.get(key) {
            let message = match *key {
                "after" => format!("{} {words}", node_word(node)),
                _ => words.to_owned(),
            };
            faults.add(&node.place, &section.key(key), message);
        }
    }
}

fn node_word(node: &Node) -> &'static str {
    match node.value {
        Value::Table(_) => "move-to",
        _ => "mark-read",
    }
}

const AFTER: &str =
    r#""keep", "delete", "mark-read", { delete-after-days = 30 } or { move-to = "Archive" }"#;

fn after(section: &Section<'_>, faults: &mut Faults) -> Option<After> {
    let Some(node) = section.get("after") else {
        return Some(After::Keep);
    };
    let Value::Table(_) = node.value else {
        return after_word(section, node, faults);
    };
    let inner = Section::open(node, section.key("after"), "after", keys::AFTER, faults)?;
    let days = inner.number("delete-after-days", 0..=36_500, faults);
    match (inner.get("delete-after-days"), inner.get("move-to")) {
        (Some(_), None) => Some(After::DeleteAfterDays(u32::try_from(days?).ok()?)),
        (None, Some(to)) => {
            let text = inner.text("move-to", "the name of a folder", faults)?;
            let folder = Folder::parse(text);
            if folder.is_none() {
                inner.expected("move-to", to, "the name of a folder", faults);
            }
            folder.map(After::MoveTo)
        }
        _ => {
            faults.add(&node.place, &inner.name, format!("expected {AFTER}"));
            None
        }
    }
}

fn after_word(section: &Section<'_>, node: &Node, faults: &mut Faults) -> Option<After> {
    let Value::Text(word) = &node.value else {
        section.expected("after", node, AFTER, faults);
        return None;
    };
    match word.as_str() {
        "keep" => return Some(After::Keep),
        "delete" => return Some(After::Delete),
        "mark-read" => return Some(After::MarkRead),
        _ => {}
    }
    let known = [
        "keep",
        "delete",
        "mark-read",
        "delete-after-days",
        "move-to",
    ];
    let hint = match super::error::nearest(word, known) {
        Some("delete-after-days") => "after = { delete-after-days = 30 }".to_owned(),
        Some("move-to") => r#"after = { move-to = "Archive" }"#.to_owned(),
        Some(near) => format!("did you mean \"{near}\"?"),
        None => r#"after = "keep""#.to_owned(),
    };
    let message = format!("expected {AFTER}, found {}", node.found());
    faults.add_try(&node.place, &section.key("after"), message, hint);
    None
}

fn destination(
    section: &Section<'_>,
    context: &Context<'_>,
    faults: &mut Faults,
) -> Option<DestinationSpec> {
    let store = store(section, context, faults);
    let words = [("source", Some(true)), ("any", Some(false))];
    let keep_order = match section.get("order") {
        None => true,
        Some(_) => section.choice("order", &words, faults)?,
    };
    Some(DestinationSpec {
        store: store?,
        keep_order,
    })
}
