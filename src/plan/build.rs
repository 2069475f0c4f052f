//! From what both ends and the journal say to the steps of a run: pure, no I/O.

use super::labels::{self, Labels, Take};
use super::map::{self, Known, Uses};
use super::{Landscape, Plan, SourceFolder, Step, Target, Work};
use crate::job::{Account, After};
use crate::message::{Folder, SpecialUse};
use std::collections::HashMap;

/// What the journal knows of a source folder (of its present UIDVALIDITY) with regard to one destination.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FolderKnown {
    /// Was any message of it ever seen? Then it is never read as if nothing were known, whatever is gone by now.
    pub ever: bool,
    /// Messages with a row, but for those gone from the source.
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
    /// Does the destination take names that differ in ASCII case alone for one?
    pub folders_ignore_case: bool,
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
    // Files keep the names that the source has: what is there tells of no uses, it only has names that look like one.
    let there = match inputs.landscape.naming.as_shown || account.folders.into.is_some() {
        true => Uses::default(),
        false => inputs.landscape.uses(),
    };
    let labels = Labels::new(&account.folders, inputs.landscape, &inputs.folders);
    for source in 0..account.sources.len() as u32 {
        let mut own: Vec<&SourceFolder> = inputs
            .folders
            .iter()
            .filter(|folder| folder.source == source)
            .collect();
        // Servers list in any order: the inbox first, so that what matters most is there soonest.
        own.sort_by_key(|folder| (!folder.folder.is_inbox(), folder.folder.clone()));
        let uses = Uses::of(
            &own.iter()
                .map(|folder| known_of(folder))
                .collect::<Vec<_>>(),
        );
        let (mut placed, mut takes) = (Vec::new(), HashMap::new());
        plan.notes.extend(labels.notes(source));
        for &folder in &own {
            match place(&inputs, folder, &uses, &there, &labels) {
                Ok((target, take)) => {
                    takes.insert(&folder.name, take);
                    placed.push((folder, target));
                }
                Err(why) => plan.left_out.push((folder.folder.clone(), why)),
            }
        }
        let crowded = crowded(&inputs, &placed);
        for (folder, target) in placed {
            let first = crowded.get(&folder.folder);
            let take = takes.get(&folder.name).copied().unwrap_or_default();
            plan.notes.extend(renamed(&inputs, folder, &target));
            plan.routed |= take == Take::Routed;
            plan.steps.push(step(&inputs, folder, target, take, first));
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
    labels: &Labels,
) -> Result<(Target, Take), String> {
    let rules = &inputs.account.folders;
    let take = labels.take(folder)?;
    // Of a folder that holds all mail the messages' labels say what is wanted.
    let whole = matches!(take, Take::Kept | Take::Routed);
    if !whole {
        map::wanted(rules, &folder.folder).map_err(ToOwned::to_owned)?;
    }
    let after = &inputs.account.sources[folder.source as usize].after;
    if matches!(after, After::MoveTo(there) if *there == folder.folder) {
        return Err("mail that was copied is moved there: it would be copied twice".to_owned());
    }
    let view = view_of(folder).filter(|_| matches!(take, Take::All | Take::First));
    if let (Some(view), true) = (view, rules.include.is_empty()) {
        return Err(format!(
            "{view}: a view of mail in other folders; name it in [folders] include to copy it all the same"
        ));
    }
    let mapped = map::target(rules, &folder.folder, uses, there)
        .map_err(|text| format!("[folders] map makes \"{text}\" of it, which names no folder"))?;
    let landing = match whole || take == Take::Unfiled {
        true => labels.rest(&mapped),
        false => labels::Landing {
            folder: mapped.folder,
            special_use: mapped.special_use,
        },
    };
    let mut target = inputs.landscape.target(&map::below(rules, landing.folder));
    if target.standing.is_none() && rules.into.is_none() {
        target.special_use = landing.special_use;
    }
    let subscribed = target
        .standing
        .as_ref()
        .is_some_and(|standing| standing.subscribed);
    target.subscribe = rules.subscribe && folder.subscribed && !subscribed;
    Ok((target, take))
}

fn view_of(folder: &SourceFolder) -> Option<&'static str> {
    let special_use = folder.special_use?;
    matches!(
        special_use,
        SpecialUse::All | SpecialUse::Flagged | SpecialUse::Important
    )
    .then(|| special_use.attribute())
}

/// Source folders that may not be copied because another one, named with each, lands in the same place before them.
fn crowded(inputs: &Inputs<'_>, placed: &[(&SourceFolder, Target)]) -> HashMap<Folder, Folder> {
    let pairs: Vec<(Folder, Folder)> = placed
        .iter()
        .map(|(folder, target)| (folder.folder.clone(), landing(inputs, target)))
        .collect();
    let rules = &inputs.account.folders;
    let mut crowded = HashMap::new();
    for collision in map::collisions(rules, &pairs, inputs.folders_ignore_case) {
        let mut sources = collision.sources.into_iter();
        let Some(first) = sources.next() else {
            continue;
        };
        crowded.extend(sources.map(|source| (source, first.clone())));
    }
    crowded
}

/// The folder as the destination will write it: two names that differ may become one there.
fn landing(inputs: &Inputs<'_>, target: &Target) -> Folder {
    let naming = &inputs.landscape.naming;
    naming
        .folder(&target.name)
        .unwrap_or_else(|| target.folder.clone())
}

/// What to tell of a folder whose name the destination cannot write.
fn renamed(inputs: &Inputs<'_>, folder: &SourceFolder, target: &Target) -> Option<String> {
    let fits = inputs.landscape.naming.fits(&target.folder);
    (!fits && target.standing.is_none()).then(|| {
        format!(
            "{}: the destination cannot write this name; it becomes {}",
            folder.folder,
            landing(inputs, target)
        )
    })
}

/// `first`: the folder that lands there before this one and keeps it out.
fn step(
    inputs: &Inputs<'_>,
    folder: &SourceFolder,
    target: Target,
    take: Take,
    first: Option<&Folder>,
) -> Step {
    let work = match first {
        Some(first) => Work::Refused {
            messages: folder.messages,
            why: collision(folder, first, &target),
            remedy: "give one another name with [folders] map, or say [folders] merge = true"
                .to_owned(),
        },
        None => {
            let standing = standing(inputs, &target, take);
            let known = (inputs.known)(folder).unwrap_or_default();
            work(folder, standing, known)
        }
    };
    Step {
        source: folder.clone(),
        target,
        work,
        take,
    }
}

fn collision(folder: &SourceFolder, first: &Folder, target: &Target) -> String {
    format!(
        "{} and {first} would both land in {}",
        folder.folder, target.folder
    )
}

/// Messages that stand where those of the step go.
fn standing(inputs: &Inputs<'_>, target: &Target, take: Take) -> u32 {
    let all = || inputs.landscape.folders.iter().map(|there| there.messages);
    match take {
        Take::Routed => all().fold(0, u32::saturating_add),
        _ => target.standing.as_ref().map_or(0, |there| there.messages),
    }
}

fn work(folder: &SourceFolder, standing: u32, known: FolderKnown) -> Work {
    let messages = folder.messages;
    if unchanged(folder, known) {
        return Work::Unchanged { messages };
    }
    if known.known > 0 || known.ever {
        return Work::Update {
            messages,
            known: known.known,
            waiting: known.waiting + unseen(folder, known),
        };
    }
    match standing {
        0 => Work::CopyWhole { messages },
        standing => Work::Match { messages, standing },
    }
}

/// Messages that no run has seen: those that came since a complete one, or all that an interrupted one did not get to.
fn unseen(folder: &SourceFolder, known: FolderKnown) -> u64 {
    let messages = u64::from(folder.messages);
    match (folder.uid_next, known.uid_next) {
        (Some(now), Some(then)) if known.complete => {
            u64::from(now.saturating_sub(then)).min(messages)
        }
        _ => messages.saturating_sub(known.known),
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
    let mut notes: Vec<String> = Vec::new();
    let sources = account.sources.iter().map(|source| &source.store);
    let destinations = account.destinations.iter().map(|to| &to.store);
    for note in sources
        .chain(destinations)
        .flat_map(crate::job::Store::notes)
    {
        // Two ends of a kind: said once.
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Job;
    use crate::plan::Naming;
    use std::io::Write;

    const JOB: &str = r#"
version = 1
[source]
protocol = "pop3"
preset = "gmail"
user = "old"
password = { env = "OLD" }
[destination]
protocol = "imap"
host = "imap.example.org"
user = "new"
password = { env = "NEW" }
"#;

    fn folder(text: &str) -> SourceFolder {
        SourceFolder {
            source: 0,
            folder: Folder::parse(text).unwrap(),
            name: text.into(),
            special_use: None,
            subscribed: false,
            uid_validity: 1,
            uid_next: Some(4),
            messages: 3,
            highest_modseq: None,
            labelled: false,
        }
    }

    fn planned(folders: &[&str], folders_ignore_case: bool) -> Plan {
        let naming = Naming {
            separator: Some(b'.'),
            ..Naming::default()
        };
        planned_for(JOB, naming, folders, folders_ignore_case)
    }

    fn planned_for(job: &str, naming: Naming, folders: &[&str], folders_ignore_case: bool) -> Plan {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("job.toml");
        crate::fs::persist(&path, |file| file.write_all(job.as_bytes())).unwrap();
        let job = Job::load(&path, &[]).unwrap();
        build(Inputs {
            account: &job.accounts[0],
            sources: Vec::new(),
            destination: String::new(),
            folders: folders.iter().map(|text| folder(text)).collect(),
            landscape: &Landscape {
                naming,
                folders: Vec::new(),
            },
            known: &|_| None,
            unsettled: 0,
            folders_ignore_case,
        })
    }

    fn refused(plan: &Plan) -> Vec<String> {
        plan.steps
            .iter()
            .filter(|step| matches!(step.work, Work::Refused { .. }))
            .map(|step| step.source.folder.to_string())
            .collect()
    }

    #[test]
    fn an_update_counts_what_no_run_has_seen() {
        let folder = |messages, uid_next| SourceFolder {
            messages,
            uid_next: Some(uid_next),
            ..folder("INBOX")
        };
        let waiting = |folder: &SourceFolder, known| work(folder, 0, known).waiting();
        // Stopped by the wish of a person, with 64 of 1,500 in the journal, two of them in doubt.
        let cut = FolderKnown {
            ever: true,
            known: 64,
            waiting: 2,
            ..FolderKnown::default()
        };
        assert_eq!(waiting(&folder(1_500, 1_501), cut), 1_438);
        // Three went and five came since a complete run.
        let complete = FolderKnown {
            ever: true,
            known: 10,
            complete: true,
            messages: Some(10),
            uid_next: Some(11),
            ..FolderKnown::default()
        };
        assert_eq!(waiting(&folder(12, 16), complete), 5);
        assert_eq!(waiting(&folder(9, 11), complete), 0);
    }

    #[test]
    fn folders_that_differ_in_case_alone_collide_where_the_server_says_so() {
        let folders = ["Work", "work", "Home"];
        assert!(refused(&planned(&folders, false)).is_empty());
        assert_eq!(refused(&planned(&folders, true)), ["work"]);
    }

    #[test]
    fn folders_that_the_destination_would_write_alike_collide() {
        let plan = planned(&["a.b", "a_b"], false);
        assert_eq!(refused(&plan), ["a_b"]);
        assert!(plan.notes.iter().any(|note| note.contains("becomes a_b")));
    }

    #[test]
    fn into_puts_everything_below_one_folder_and_files_take_any_name() {
        let job = format!("{JOB}[folders]\ninto = \"Restored/2026\"\n");
        let plan = planned_for(&job, Naming::of_files(), &["INBOX", "a.b\\/c"], false);
        let names: Vec<&[u8]> = plan
            .steps
            .iter()
            .map(|s| s.target.name.as_slice())
            .collect();
        assert_eq!(
            names,
            [&b"Restored/2026/INBOX"[..], b"Restored/2026/a.b\\/c"]
        );
        assert!(plan.notes.iter().all(|note| !note.contains("becomes")));
    }

    #[test]
    fn the_notes_are_those_of_the_preset() {
        let notes = planned(&["INBOX"], false).notes;
        assert!(
            notes[0].contains("Gmail's POP3 shows no folders"),
            "{notes:?}"
        );
    }
}
