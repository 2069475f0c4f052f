//! Where the mail of a source with labels goes: pure, no I/O.
//!
//! Such a source (X-GM-EXT-1, or an archive made from one) shows each label as a folder, and every message again in one that holds
//! everything. What is read from where, and which of its labels decides, is settled here.

use super::map::{self, By, Known, Uses};
use super::{Holds, Landscape, SourceFolder, Step, Target};
use crate::job::{FolderRules, LabelRule};
use crate::message::{Flags, Folder, SpecialUse, labels};

/// What a step takes of its source folder, and where that goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Take {
    /// Everything, to the step's target.
    #[default]
    All,
    /// The same, of the folder that holds everything: what the job leaves out goes by labels.
    Kept,
    /// The same, each message to the folder of its first label.
    Routed,
    /// Those that stand in no other folder that is read.
    Unfiled,
    /// Those whose first label's folder this is: each is in one step's part, though several folders show it.
    First,
}

/// What is to be done with one message of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Taken,
    /// By the job's `include` and `exclude`.
    LeftOut,
    /// Another step takes it.
    Elsewhere,
}

/// Why a message with labels is left out.
pub const LEFT_OUT: &str = "none of its labels is among the folders of the job";

/// What labels mean in one leg of a job.
#[derive(Debug, Clone, Default)]
pub struct Labels {
    rules: FolderRules,
    landscape: Landscape,
    there: Uses,
    sources: Vec<Shown>,
}

/// What one source shows.
#[derive(Debug, Clone, Default)]
struct Shown {
    folders: Vec<SourceFolder>,
    uses: Uses,
}

impl Labels {
    /// `folders`: all that the sources show.
    #[must_use]
    pub fn new(rules: &FolderRules, landscape: &Landscape, folders: &[SourceFolder]) -> Self {
        let sources = folders.iter().map(|folder| folder.source + 1).max();
        let shown = |source: u32| {
            let own = folders.iter().filter(|folder| folder.source == source);
            let folders: Vec<SourceFolder> = own.cloned().collect();
            let known = |folder: &SourceFolder| Known {
                folder: folder.folder.clone(),
                special_use: folder.special_use,
            };
            let uses = Uses::of(&folders.iter().map(known).collect::<Vec<_>>());
            Shown { folders, uses }
        };
        Labels {
            rules: rules.clone(),
            landscape: landscape.clone(),
            there: there(rules, landscape),
            sources: (0..sources.unwrap_or(0)).map(shown).collect(),
        }
    }

    fn shown(&self, source: u32) -> Option<&Shown> {
        self.sources.get(source as usize)
    }

    /// The folder of this wire name, as its source showed it.
    #[must_use]
    pub fn source_folder(&self, source: u32, name: &[u8]) -> Option<&SourceFolder> {
        let mut folders = self.shown(source)?.folders.iter();
        folders.find(|folder| folder.name == name)
    }

    /// Has this source labels at all?
    #[must_use]
    pub fn has(&self, source: u32) -> bool {
        let shown = self.shown(source);
        shown.is_some_and(|shown| shown.folders.iter().any(|folder| folder.labelled))
    }

    /// Does this source show the folder that holds everything?
    #[must_use]
    pub fn shows_all(&self, source: u32) -> bool {
        let shown = self.shown(source);
        shown.is_some_and(|shown| shown.folders.iter().any(holds_all))
    }

    /// Is each message read once, whatever labels it has?
    #[must_use]
    pub fn once(&self) -> bool {
        self.landscape.naming.holds != Holds::Nothing || self.rules.labels != LabelRule::Folders
    }

    /// What is read of a folder. `Err`: nothing, and why.
    pub fn take(&self, folder: &SourceFolder) -> Result<Take, String> {
        let holds = self.landscape.naming.holds;
        if !self.has(folder.source) {
            return Ok(Take::All);
        }
        if is_chats(&folder.folder) && holds == Holds::Labels {
            return Err("chats are no mail that could be put there".to_owned());
        }
        if holds_all(folder) {
            return Ok(match (self.once(), holds) {
                (false, _) => Take::Unfiled,
                (true, Holds::Sidecar) => Take::Kept,
                (true, _) => Take::Routed,
            });
        }
        let apart = is_apart(folder) || is_chats(&folder.folder);
        match self.once() && folder.labelled && !apart {
            false => Ok(Take::All),
            true if self.shows_all(folder.source) => {
                Err("a label: its messages are read once, in the folder that holds all".to_owned())
            }
            true => Ok(Take::First),
        }
    }

    /// What to do with a message of this step.
    #[must_use]
    pub fn part(&self, step: &Step, flags: &Flags) -> Part {
        let folder = &step.source;
        match step.take {
            Take::All => Part::Taken,
            Take::Kept | Take::Routed => {
                let homes = self.folders(folder.source, flags);
                let taken = match homes.is_empty() {
                    true => self.is_wanted(&folder.folder),
                    false => homes.iter().any(|home| self.is_wanted(&home.folder)),
                };
                match taken {
                    true => Part::Taken,
                    false => Part::LeftOut,
                }
            }
            Take::Unfiled => match self.first_read(folder.source, flags) {
                Some(_) => Part::Elsewhere,
                None => Part::Taken,
            },
            Take::First => match self.first_read(folder.source, flags) {
                Some(first) if first != folder.folder => Part::Elsewhere,
                _ => Part::Taken,
            },
        }
    }

    /// The first of a message's folders that the source shows and the job reads.
    fn first_read(&self, source: u32, flags: &Flags) -> Option<Folder> {
        let shown = self.shown(source)?;
        let read = |folder: &Folder| {
            shown.folders.iter().any(|shown| shown.folder == *folder) && self.is_wanted(folder)
        };
        let homes = self.folders(source, flags).into_iter();
        homes.map(|home| home.folder).find(read)
    }

    /// The folders of a message's labels as the source names them, the first before the others: those of `label-priority`, INBOX, the
    /// user's own by name, Sent, Drafts.
    fn folders(&self, source: u32, flags: &Flags) -> Vec<Home> {
        let mut found: Vec<(usize, Home)> = flags
            .labels
            .iter()
            .filter_map(|label| {
                let home = self.home(source, label)?;
                let named =
                    |named: &Folder| labels::same(&named.to_string(), &home.folder.to_string());
                let priority = &self.rules.label_priority;
                let at = priority.iter().position(named).unwrap_or(priority.len());
                Some((at, home))
            })
            .collect();
        found.sort();
        found.into_iter().map(|(_, home)| home).collect()
    }

    /// `None`: a label that is no folder.
    fn home(&self, source: u32, label: &str) -> Option<Home> {
        let of_use = |rank, special_use, name: &str| {
            let named = self.shown(source)?.uses.folder_of(special_use).cloned();
            let folder = named.or_else(|| Folder::parse(name))?;
            Some(Home { rank, folder })
        };
        match label {
            labels::INBOX => Some(Home {
                rank: Rank::Inbox,
                folder: Folder::inbox(),
            }),
            labels::SENT => of_use(Rank::Sent, SpecialUse::Sent, "Sent"),
            labels::DRAFT => of_use(Rank::Drafts, SpecialUse::Drafts, "Drafts"),
            own if labels::is_own(own) => None,
            user => Some(Home {
                rank: Rank::User,
                folder: Folder::from_wire(&labels::to_wire(user), Some(b'/'), b"")?,
            }),
        }
    }

    fn is_wanted(&self, folder: &Folder) -> bool {
        map::wanted(&self.rules, folder).is_ok()
    }

    /// Where a message of a step goes.
    #[must_use]
    pub fn target(&self, step: &Step, flags: &Flags) -> Target {
        if step.take != Take::Routed {
            return step.target.clone();
        }
        let source = step.source.source;
        let target = match self.landscape.naming.holds {
            Holds::Labels => self.at_labels(source, flags),
            _ => {
                let mut homes = self.folders(source, flags).into_iter();
                let first = homes.find(|home| self.is_wanted(&home.folder));
                first.map(|home| self.mapped(source, &home))
            }
        };
        target.unwrap_or_else(|| step.target.clone())
    }

    /// Where a message is put at a destination with labels: what cannot be had by a label decides. `None`: with all the rest.
    fn at_labels(&self, source: u32, flags: &Flags) -> Option<Target> {
        for (label, special_use) in [
            (labels::DRAFT, SpecialUse::Drafts),
            (labels::SENT, SpecialUse::Sent),
        ] {
            if let (true, Some(there)) = (flags.has_label(label), self.there.folder_of(special_use))
            {
                return Some(self.landscape.target(there));
            }
        }
        let all = self.landscape.folders.iter();
        if all
            .clone()
            .any(|folder| folder.special_use == Some(SpecialUse::All))
        {
            return None;
        }
        let first = self.folders(source, flags).into_iter().next();
        first.map(|home| self.mapped(source, &home))
    }

    /// The step's own target, for the folder that holds everything: what has no label goes there.
    #[must_use]
    pub fn rest(&self, mapped: &map::Landing) -> Landing {
        let archive = |special_use| Landing {
            folder: Folder::parse("Archive").unwrap_or_else(Folder::inbox),
            special_use,
        };
        let mut all = self.landscape.folders.iter();
        let all = all.find(|folder| folder.special_use == Some(SpecialUse::All));
        match (self.landscape.naming.holds, mapped.by) {
            (Holds::Sidecar, _) => Landing {
                folder: mapped.folder.clone(),
                special_use: Some(SpecialUse::All),
            },
            (_, By::Map(_) | By::Flatten) => Landing::plain(mapped.folder.clone()),
            (Holds::Labels, _) => match all {
                Some(all) => Landing::plain(all.folder.clone()),
                None => archive(None),
            },
            (Holds::Nothing, _) => match self.there.folder_of(SpecialUse::Archive) {
                Some(there) => Landing::plain(there.clone()),
                None => archive(Some(SpecialUse::Archive)),
            },
        }
    }

    /// Where the mail of a label goes at the destination.
    fn mapped(&self, source: u32, home: &Home) -> Target {
        let landing = self.landing(source, home);
        let mut target = self
            .landscape
            .target(&map::below(&self.rules, landing.folder));
        if target.standing.is_none() && self.rules.into.is_none() {
            target.special_use = landing.special_use;
        }
        target
    }

    fn landing(&self, source: u32, home: &Home) -> Landing {
        use SpecialUse::{Drafts, Junk, Sent, Trash};
        let none = Uses::default();
        let uses = self.shown(source).map_or(&none, |shown| &shown.uses);
        let Ok(mapped) = map::target(&self.rules, &home.folder, uses, &self.there) else {
            return Landing::plain(home.folder.clone());
        };
        if mapped.by != By::Name {
            return Landing::plain(mapped.folder);
        }
        let special_use = match home.rank {
            Rank::Sent => Some(Sent),
            Rank::Drafts => Some(Drafts),
            Rank::Inbox | Rank::User => None,
        };
        match (special_use, self.there.use_of(&mapped.folder)) {
            // A label of one's own that is called as something else is there: mail in a Trash is destroyed after a while.
            (None, Some(Sent | Drafts | Trash | Junk)) => Landing::plain(beside(&mapped.folder)),
            (None, _) => Landing {
                folder: mapped.folder,
                special_use: mapped.special_use,
            },
            (Some(special_use), _) => match self.there.folder_of(special_use) {
                Some(there) if self.rules.special_use => Landing::plain(there.clone()),
                _ => Landing {
                    folder: mapped.folder,
                    special_use: Some(special_use),
                },
            },
        }
    }

    /// The flags that a message of this folder is delivered with: what the destination can hold of its labels.
    #[must_use]
    pub fn carried(&self, folder: &SourceFolder, flags: &Flags) -> Flags {
        if flags.labels.is_empty() {
            return flags.clone();
        }
        match (self.landscape.naming.holds, self.rules.labels) {
            (Holds::Sidecar, _) => flags.clone(),
            (Holds::Labels, _) => Flags {
                labels: flags
                    .labels
                    .iter()
                    .filter_map(|label| self.label_there(folder, label))
                    .collect(),
                ..flags.clone()
            },
            (Holds::Nothing, LabelRule::Keywords) => {
                let mut carried = flags.unlabelled();
                let keywords = flags.labels.iter().filter_map(|l| labels::to_keyword(l));
                keywords.for_each(|keyword| carried.insert(&keyword));
                carried
            }
            (Holds::Nothing, _) => flags.unlabelled(),
        }
    }

    fn label_there(&self, folder: &SourceFolder, label: &str) -> Option<String> {
        match label {
            labels::IMPORTANT => Some(label.to_owned()),
            // It would take the message out of the Trash again.
            labels::INBOX => (!is_apart(folder)).then(|| label.to_owned()),
            // The folder that it is put in says the others.
            own if labels::is_own(own) => None,
            user => {
                let home = self.home(folder.source, user)?;
                let to = self.landing(folder.source, &home).folder;
                labels::of_folder(&map::below(&self.rules, to).to_wire(Some(b'/'), b""), None)
            }
        }
    }

    /// Takes off a label whose keyword the destination cannot hold; `false`: it is none of a label.
    pub fn drop_keyword(flags: &mut Flags, keyword: &str) -> bool {
        let before = flags.labels.len();
        flags.labels.retain(|label| {
            labels::to_keyword(label).is_none_or(|made| !labels::same(&made, keyword))
        });
        flags.labels.len() < before
    }

    /// What is missed at a source whose folder of all mail is hidden.
    #[must_use]
    pub fn hidden(&self, source: u32) -> Option<String> {
        let hidden = self.has(source) && !self.shows_all(source);
        hidden.then(|| {
            "the source has labels and does not show the folder that holds all mail: messages without a label are not seen; in \
             Gmail's settings, under Labels, tick \"Show in IMAP\" for All Mail"
                .to_owned()
        })
    }

    /// Sentences about this source for people who are about to run the job.
    #[must_use]
    pub fn notes(&self, source: u32) -> Vec<String> {
        let mut notes: Vec<String> = self.hidden(source).into_iter().collect();
        let by_labels = match (self.landscape.naming.holds, self.rules.labels) {
            (Holds::Nothing, LabelRule::First) => {
                "the destination has no labels: each message goes to the folder of its first one; [folders] labels = \"keywords\" \
                 keeps the others as keywords, \"folders\" makes a copy in each label's folder"
            }
            (Holds::Nothing, LabelRule::Folders) => {
                "a message with several labels is copied into the folder of each ([folders] labels = \"folders\")"
            }
            _ => return notes,
        };
        if self.has(source) {
            notes.push(by_labels.to_owned());
        }
        notes
    }
}

/// A folder to be, and its use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Landing {
    pub folder: Folder,
    pub special_use: Option<SpecialUse>,
}

impl Landing {
    fn plain(folder: Folder) -> Self {
        Landing {
            folder,
            special_use: None,
        }
    }
}

/// The folder that is the view of a label, as the source names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Home {
    rank: Rank,
    folder: Folder,
}

/// Whose folder a message goes to before others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Inbox,
    User,
    Sent,
    Drafts,
}

/// The uses of the destination's folders. Files keep the names that the source has.
fn there(rules: &FolderRules, landscape: &Landscape) -> Uses {
    match landscape.naming.as_shown || rules.into.is_some() {
        true => Uses::default(),
        false => landscape.uses(),
    }
}

fn holds_all(folder: &SourceFolder) -> bool {
    folder.labelled && folder.special_use == Some(SpecialUse::All)
}

/// Mail that the folder with everything does not hold.
fn is_apart(folder: &SourceFolder) -> bool {
    matches!(
        folder.special_use,
        Some(SpecialUse::Junk | SpecialUse::Trash)
    )
}

fn is_chats(folder: &Folder) -> bool {
    matches!(folder.names(), [root, chats]
        if matches!(root.as_str(), "[Gmail]" | "[Google Mail]") && chats == "Chats")
}

/// `Trash (label)` for `Trash`.
fn beside(folder: &Folder) -> Folder {
    let mut names = folder.names().to_vec();
    if let Some(last) = names.last_mut() {
        last.push_str(" (label)");
    }
    Folder::new(names).unwrap_or_else(|| folder.clone())
}
