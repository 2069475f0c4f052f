//! From what both ends and the journal say to the steps of a run: pure, no I/O.

use super::map::{self, Known, Uses};
use super::{Landscape, Plan, SourceFolder, Step, Target, Work};
use crate::job::{Account, Preset};
use crate::message::{Folder, SpecialUse};
use std::collections::HashMap;

/// What the journal knows of a source folder (of its present UIDVALIDITY) with regard to one destination.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FolderKnown {
    /// Messages with a row.
    pub known: u64,
    /// Of these, without an outcome that lasts.
    pub waiting: u64,
    /// As they were when a run had done the whole folder.
    pub uid_next: Option<u32>,
    pub messages: Option<u32>,
    pub highest_modseq: Option<u64>,
    pub complete: bool,
}

/// Everything a plan is made of.
pub struct Inputs<'a> {
    pub account: &'a Account,
    /// One label a source: `pop3://budi@pop.example`.
    pub sources: Vec<String>,
    pub destination: String,
    pub folders: Vec<SourceFolder>,
    pub landscape: &'a Landscape,
    pub known: &'a dyn Fn(&SourceFolder) -> Option<FolderKnown>,
    pub unsettled: u64,
}

/// Decides what is to be done.
#[must_use]
pub fn build(inputs: Inputs<'_>) -> Plan {
    let account = inputs.account;
    let mut plan = Plan {
        account: account.name.clone(),
        sources: inputs.sources.clone(),
        destination: inputs.destination.clone(),
        unsettled: inputs.unsettled,
        notes: notes(account),
        routed: !account.routes.is_empty(),
        ..Plan::default()
    };
    let there = inputs.landscape.uses();
    let mut landing: HashMap<(u32, Vec<u8>), Folder> = HashMap::new();
    for source in 0..account.sources.len() as u32 {
        let own: Vec<&SourceFolder> = inputs
            .folders
            .iter()
            .filter(|folder| folder.source == source)
            .collect();
        let uses = Uses::of(
            &own.iter()
                .map(|folder| known_of(folder))
                .collect::<Vec<_>>(),
        );
        for &folder in &own {
            match place(&inputs, folder, &uses, &there) {
                Ok(target) => {
                    let step = step(&inputs, folder, target, &mut landing, &mut plan.notes);
                    plan.steps.push(step);
                }
                Err(why) => plan.left_out.push((folder.folder.clone(), why)),
            }
        }
    }
    plan
}

fn known_of(folder: &SourceFolder) -> Known {
    Known {
        folder: folder.folder.clone(),
        special_use: folder.special_use,
    }
}

/// Where a folder goes, or why it is left out.
fn place(
    inputs: &Inputs<'_>,
    folder: &SourceFolder,
    uses: &Uses,
    there: &Uses,
) -> Result<Target, String> {
    let rules = &inputs.account.folders;
    map::wanted(rules, &folder.folder).map_err(ToOwned::to_owned)?;
    if let (Some(view), true) = (view_of(folder), rules.include.is_empty()) {
        return Err(format!(
            "{view}: a view of mail in other folders; name it in [folders] include to copy it all the same"
        ));
    }
    let mapped = map::target(rules, &folder.folder, uses, there)
        .map_err(|text| format!("[folders] map makes \"{text}\" of it, which names no folder"))?;
    let mut target = inputs.landscape.target(&mapped.folder);
    if target.standing.is_none() {
        target.special_use = mapped.special_use;
    }
    let subscribed = target
        .standing
        .as_ref()
        .is_some_and(|standing| standing.subscribed);
    target.subscribe = rules.subscribe && folder.subscribed && !subscribed;
    Ok(target)
}

fn view_of(folder: &SourceFolder) -> Option<&'static str> {
    let special_use = folder.special_use?;
    matches!(
        special_use,
        SpecialUse::All | SpecialUse::Flagged | SpecialUse::Important
    )
    .then(|| special_use.attribute())
}

fn step(
    inputs: &Inputs<'_>,
    folder: &SourceFolder,
    target: Target,
    landing: &mut HashMap<(u32, Vec<u8>), Folder>,
    notes: &mut Vec<String>,
) -> Step {
    let rules = &inputs.account.folders;
    let first = landing
        .entry((folder.source, target.name.clone()))
        .or_insert_with(|| folder.folder.clone());
    let work = if *first != folder.folder && !rules.merge && !rules.flatten {
        Work::Refused {
            messages: folder.messages,
            why: collision(folder, first, &target),
        }
    } else {
        work(folder, &target, (inputs.known)(folder).unwrap_or_default())
    };
    if !target.folder.fits(inputs.landscape.naming.separator) && target.standing.is_none() {
        notes.push(format!(
            "{}: the destination cannot write this name; it becomes {}",
            folder.folder,
            Folder::from_wire(
                &target.name,
                inputs.landscape.naming.separator,
                &inputs.landscape.naming.prefix
            )
            .map_or_else(
                || String::from_utf8_lossy(&target.name).into_owned(),
                |shown| shown.to_string()
            )
        ));
    }
    Step {
        source: folder.clone(),
        target,
        work,
    }
}

fn collision(folder: &SourceFolder, first: &Folder, target: &Target) -> String {
    format!(
        "{} and {first} would both land in {}: give one another name with [folders] map, or say [folders] merge = true",
        folder.folder, target.folder
    )
}

fn work(folder: &SourceFolder, target: &Target, known: FolderKnown) -> Work {
    let messages = folder.messages;
    if unchanged(folder, known) {
        return Work::Unchanged { messages };
    }
    if known.known > 0 {
        return Work::Update {
            messages,
            known: known.known,
            waiting: known.waiting,
        };
    }
    match target
        .standing
        .as_ref()
        .map_or(0, |standing| standing.messages)
    {
        0 => Work::CopyWhole { messages },
        standing => Work::Match { messages, standing },
    }
}

/// Only where the server would tell of every change, flags too (HIGHESTMODSEQ, RFC 7162); or where there is nothing at all.
fn unchanged(folder: &SourceFolder, known: FolderKnown) -> bool {
    let same_modseq =
        folder.highest_modseq.is_some() && folder.highest_modseq == known.highest_modseq;
    let empty = folder.messages == 0;
    known.complete
        && known.waiting == 0
        && known.known == u64::from(folder.messages)
        && known.messages == Some(folder.messages)
        && (same_modseq || empty)
        && (folder.uid_next.is_none() || folder.uid_next == known.uid_next)
}

/// What a person should know before running.
fn notes(account: &Account) -> Vec<String> {
    let mut notes = Vec::new();
    for source in &account.sources {
        let gmail = source.server.preset == Preset::Gmail;
        match source.server.protocol {
            crate::job::Protocol::Pop3 if gmail => notes.push(
                "Gmail shows a POP3 client about 300 messages a session, without folders, labels or flags, and marks what was read as \
                 popped; sessions are repeated until one shows nothing new. IMAP shows everything: use it if it is allowed."
                    .to_owned(),
            ),
            crate::job::Protocol::Imap if gmail => notes.push(
                "Gmail's labels appear as folders: a message with two labels is copied into two folders. Mail that was archived and has no \
                 label stands only in All Mail: name that folder in [folders] include to copy it too."
                    .to_owned(),
            ),
            crate::job::Protocol::Pop3 => notes.push(
                "POP3 shows the inbox alone: no other folders, no flags. Dates are taken from the messages' own headers."
                    .to_owned(),
            ),
            crate::job::Protocol::Imap => {}
        }
    }
    notes
}
