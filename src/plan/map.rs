//! Where a source folder lands at the destination.

use crate::job::FolderRules;
use crate::message::{Folder, SpecialUse};
use globset::{GlobBuilder, GlobMatcher};
use std::collections::BTreeMap;

/// A folder as a server tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub folder: Folder,
    /// From the server's own attribute; `None`: it names none.
    pub special_use: Option<SpecialUse>,
}

/// Where a source folder goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Landing {
    pub folder: Folder,
    /// What to create the folder as, where it is not there yet (RFC 6154 §3).
    pub special_use: Option<SpecialUse>,
    /// Which rule said so, for the plan.
    pub by: By,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// No rule: the name stays.
    Name,
    /// `flatten`.
    Flatten,
    /// The entry of `map`, from 0.
    Map(usize),
    /// The destination's folder of the same use.
    SpecialUse,
}

/// Special uses of one end's folders, the server's word first and a guess where it has none.
#[derive(Debug, Clone, Default)]
pub struct Uses {
    of: BTreeMap<Folder, SpecialUse>,
    by: BTreeMap<SpecialUse, Folder>,
}

impl Uses {
    /// From all folders of one end, each with the use that its server names, if any.
    ///
    /// A use that the server names is never guessed for another folder. Guesses look at top folders and those directly
    /// under INBOX or `[Gmail]` alone: `Projects/2015/Sent` is nobody's Sent folder.
    #[must_use]
    pub fn of(folders: &[Known]) -> Self {
        let mut uses = Uses::default();
        for known in folders {
            if let Some(named) = known.special_use {
                uses.add(&known.folder, named);
            }
        }
        let named: Vec<SpecialUse> = uses.by.keys().copied().collect();
        for known in folders.iter().filter(|k| k.special_use.is_none()) {
            let guess = Some(&known.folder)
                .filter(|folder| is_near_top(folder))
                .and_then(SpecialUse::guess);
            if let Some(guess) = guess.filter(|guess| !named.contains(guess)) {
                uses.add(&known.folder, guess);
            }
        }
        uses
    }

    /// The first folder of a use has it.
    fn add(&mut self, folder: &Folder, special_use: SpecialUse) {
        if travels(special_use) && !self.by.contains_key(&special_use) {
            self.by.insert(special_use, folder.clone());
            self.of.insert(folder.clone(), special_use);
        }
    }

    #[must_use]
    pub fn use_of(&self, folder: &Folder) -> Option<SpecialUse> {
        self.of.get(folder).copied()
    }

    #[must_use]
    pub fn folder_of(&self, special_use: SpecialUse) -> Option<&Folder> {
        self.by.get(&special_use)
    }
}

/// `\All`, `\Flagged` and `\Important` are views of other folders' mail, not places to put mail in.
fn travels(special_use: SpecialUse) -> bool {
    use SpecialUse::{Archive, Drafts, Junk, Sent, Trash};
    matches!(special_use, Archive | Drafts | Junk | Sent | Trash)
}

fn is_near_top(folder: &Folder) -> bool {
    match folder.names() {
        [_] => !folder.is_inbox(),
        [parent, _] => {
            parent.eq_ignore_ascii_case("INBOX") || parent == "[Gmail]" || parent == "[Google Mail]"
        }
        _ => false,
    }
}

/// Is the folder part of the job? `Err`: why not.
pub fn wanted(rules: &FolderRules, folder: &Folder) -> Result<(), &'static str> {
    if !rules.include.is_empty() && !any_match(&rules.include, folder) {
        return Err("not in include");
    }
    if any_match(&rules.exclude, folder) {
        return Err("in exclude");
    }
    Ok(())
}

fn any_match(globs: &[GlobMatcher], folder: &Folder) -> bool {
    let text = folder.to_string();
    globs
        .iter()
        .any(|glob| glob.is_match(&text) || (folder.is_inbox() && matches_any_case(glob, &text)))
}

/// INBOX is INBOX in any case (RFC 9051 §5.1).
fn matches_any_case(glob: &GlobMatcher, text: &str) -> bool {
    GlobBuilder::new(glob.glob().glob())
        .literal_separator(false)
        .backslash_escape(true)
        .case_insensitive(true)
        .build()
        .is_ok_and(|any| any.compile_matcher().is_match(text))
}

/// The folder below `into`, where the job has it.
#[must_use]
pub fn below(rules: &FolderRules, folder: Folder) -> Folder {
    let Some(into) = &rules.into else {
        return folder;
    };
    let names = into.names().iter().chain(folder.names()).cloned();
    Folder::new(names.collect()).unwrap_or(folder)
}

/// Where a folder goes: `flatten`, else the first `map` that matches, else the destination's folder of the same use, else
/// its own name. `Err`: a `map` makes of it a text that names no folder (that text).
pub fn target(
    rules: &FolderRules,
    folder: &Folder,
    source: &Uses,
    destination: &Uses,
) -> Result<Landing, String> {
    if rules.flatten {
        return Ok(plain(Folder::inbox(), By::Flatten));
    }
    if let Some((at, text)) = mapped(rules, folder) {
        let to = Folder::parse(&text).ok_or(text)?;
        return Ok(plain(to, By::Map(at)));
    }
    if !rules.special_use || folder.is_inbox() {
        return Ok(plain(folder.clone(), By::Name));
    }
    if let Some(special_use) = source.use_of(folder) {
        return Ok(same_use(folder, special_use, destination));
    }
    Ok(match moved_parent(folder, source, destination) {
        Some(moved) => plain(moved, By::SpecialUse),
        None => plain(folder.clone(), By::Name),
    })
}

fn plain(folder: Folder, by: By) -> Landing {
    Landing {
        folder,
        special_use: None,
        by,
    }
}

/// What the first `map` that matches the whole name makes of it.
fn mapped(rules: &FolderRules, folder: &Folder) -> Option<(usize, String)> {
    let text = folder.to_string();
    let mut maps = rules.map.iter().enumerate();
    maps.find_map(|(at, (regex, replacement))| {
        let found = regex.captures(&text)?;
        let mut to = String::new();
        found.expand(replacement, &mut to);
        Some((at, to))
    })
}

fn same_use(folder: &Folder, special_use: SpecialUse, destination: &Uses) -> Landing {
    match destination.folder_of(special_use) {
        Some(there) => plain(there.clone(), By::SpecialUse),
        None => Landing {
            folder: folder.clone(),
            special_use: Some(special_use),
            by: By::Name,
        },
    }
}

/// `Sent/2015` follows its parent to `Gesendet/2015`; without that, a second `Sent` would come to be.
fn moved_parent(folder: &Folder, source: &Uses, destination: &Uses) -> Option<Folder> {
    let names = folder.names();
    (1..names.len()).rev().find_map(|depth| {
        let parent = Folder::new(names[..depth].to_vec())?;
        let there = destination.folder_of(source.use_of(&parent)?)?;
        let mut moved = there.names().to_vec();
        moved.extend_from_slice(&names[depth..]);
        Folder::new(moved)
    })
}

/// Several source folders that would land in one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collision {
    /// As the first of the sources names it.
    pub destination: Folder,
    /// In the order of the pairs given, two or more.
    pub sources: Vec<Folder>,
}

/// Finds them among (source, destination) pairs, in the order of their first source; `ignore_case`: the destination takes names that
/// differ in ASCII case alone for one. None where the job merges on purpose (`merge`, `flatten`).
#[must_use]
pub fn collisions(
    rules: &FolderRules,
    pairs: &[(Folder, Folder)],
    ignore_case: bool,
) -> Vec<Collision> {
    if rules.merge || rules.flatten {
        return Vec::new();
    }
    let mut groups: Vec<Collision> = Vec::new();
    let mut places: BTreeMap<Vec<String>, usize> = BTreeMap::new();
    for (source, destination) in pairs {
        let next = groups.len();
        match *places.entry(key(destination, ignore_case)).or_insert(next) {
            at if at < next => groups[at].sources.push(source.clone()),
            _ => groups.push(Collision {
                destination: destination.clone(),
                sources: vec![source.clone()],
            }),
        }
    }
    groups.retain(|group| group.sources.len() > 1);
    groups
}

fn key(folder: &Folder, ignore_case: bool) -> Vec<String> {
    let names = folder.names().iter();
    if ignore_case {
        names.map(|name| name.to_ascii_lowercase()).collect()
    } else {
        names.cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use globset::Glob;
    use regex::Regex;

    fn folder(text: &str) -> Folder {
        Folder::parse(text).unwrap()
    }

    fn rules() -> FolderRules {
        FolderRules {
            special_use: true,
            subscribe: true,
            ..FolderRules::default()
        }
    }

    fn uses(folders: &[(&str, Option<SpecialUse>)]) -> Uses {
        let known = folders.iter().map(|(text, special_use)| Known {
            folder: folder(text),
            special_use: *special_use,
        });
        Uses::of(&known.collect::<Vec<_>>())
    }

    fn glob(text: &str) -> GlobMatcher {
        Glob::new(text).unwrap().compile_matcher()
    }

    fn lands(rules: &FolderRules, from: &str, source: &Uses, destination: &Uses) -> String {
        let target = target(rules, &folder(from), source, destination);
        target.unwrap().folder.to_string()
    }

    #[test]
    fn include_and_exclude() {
        let rules = FolderRules {
            include: vec![glob("Inbox"), glob("Work*")],
            exclude: vec![glob("Work/Old*")],
            ..rules()
        };
        assert_eq!(wanted(&rules, &folder("INBOX")), Ok(()));
        assert_eq!(wanted(&rules, &folder("Work/2015/a")), Ok(()));
        assert_eq!(wanted(&rules, &folder("work")), Err("not in include"));
        assert_eq!(wanted(&rules, &folder("Work/Old/x")), Err("in exclude"));
        assert_eq!(wanted(&super::tests::rules(), &folder("x")), Ok(()));
    }

    #[test]
    fn the_first_map_wins_over_special_use() {
        let rules = FolderRules {
            map: vec![
                (Regex::new("^(?:INBOX\\.(.*))$").unwrap(), "$1".into()),
                (Regex::new("^(?:Sent)$").unwrap(), "Old/Sent".into()),
                (Regex::new("^(?:S(.*))$").unwrap(), "Never/$1".into()),
            ],
            ..rules()
        };
        let both = uses(&[("Sent", Some(SpecialUse::Sent))]);
        assert_eq!(lands(&rules, "INBOX.Work", &both, &both), "Work");
        let to = target(&rules, &folder("Sent"), &both, &both).unwrap();
        assert_eq!((to.folder, to.by), (folder("Old/Sent"), By::Map(1)));
        let empty = target(&rules, &folder("INBOX."), &both, &both);
        assert_eq!(empty, Err(String::new()));
    }

    #[test]
    fn flatten_wins_over_all() {
        let rules = FolderRules {
            flatten: true,
            map: vec![(Regex::new("^(?:.*)$").unwrap(), "X".into())],
            ..rules()
        };
        let none = Uses::default();
        assert_eq!(lands(&rules, "Work", &none, &none), "INBOX");
    }

    #[test]
    fn special_use_goes_to_the_folder_of_the_same_use() {
        let source = uses(&[("Sent", Some(SpecialUse::Sent)), ("Sent/2015", None)]);
        let destination = uses(&[("Gesendet", Some(SpecialUse::Sent))]);
        assert_eq!(lands(&rules(), "Sent", &source, &destination), "Gesendet");
        assert_eq!(
            lands(&rules(), "Sent/2015", &source, &destination),
            "Gesendet/2015"
        );
        let off = FolderRules {
            special_use: false,
            ..rules()
        };
        assert_eq!(lands(&off, "Sent", &source, &destination), "Sent");
        let made = target(&rules(), &folder("Sent"), &source, &Uses::default()).unwrap();
        assert_eq!(made.special_use, Some(SpecialUse::Sent));
        assert_eq!(made.folder, folder("Sent"));
    }

    #[test]
    fn a_use_is_guessed_only_where_the_server_names_none() {
        let named = uses(&[("Sent", None), ("Out", Some(SpecialUse::Sent))]);
        assert_eq!(named.folder_of(SpecialUse::Sent), Some(&folder("Out")));
        assert_eq!(named.use_of(&folder("Sent")), None);
        let guessed = uses(&[("Projects/2015/Sent", None), ("Sent", None)]);
        assert_eq!(guessed.folder_of(SpecialUse::Sent), Some(&folder("Sent")));
        let views = uses(&[("[Gmail]/All Mail", Some(SpecialUse::All))]);
        assert_eq!(views.use_of(&folder("[Gmail]/All Mail")), None);
    }

    #[test]
    fn folders_that_land_in_one_are_found() {
        let pairs = [
            (folder("a"), folder("X")),
            (folder("b"), folder("Y")),
            (folder("c"), folder("x")),
            (folder("d"), folder("X")),
        ];
        let exact = collisions(&rules(), &pairs, false);
        assert_eq!(exact.len(), 1);
        assert_eq!(exact[0].sources, [folder("a"), folder("d")]);
        let folded = collisions(&rules(), &pairs, true);
        assert_eq!(folded[0].sources, [folder("a"), folder("c"), folder("d")]);
        let merging = FolderRules {
            merge: true,
            ..rules()
        };
        assert!(collisions(&merging, &pairs, true).is_empty());
    }
}
