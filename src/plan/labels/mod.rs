//! Where the mail of a source with labels goes: pure, no I/O.
//!
//! Such a source (X-GM-EXT-1, or an archive made from one) shows each label as a folder, and every message again in one that holds
//! everything. What is read from where, and which of its labels decides, is settled here.

mod carry;
mod home;
#[cfg(test)]
mod tests;

pub use home::Landing;

use super::map::{self, Known, Uses};
use super::{Holds, Landscape, SourceFolder, Step};
use crate::job::{FolderRules, LabelRule};
use crate::message::{Flags, Folder, SpecialUse};

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
    fn has(&self, source: u32) -> bool {
        let shown = self.shown(source);
        shown.is_some_and(|shown| shown.folders.iter().any(|folder| folder.labelled))
    }

    /// Does this source show the folder that holds everything?
    fn shows_all(&self, source: u32) -> bool {
        let shown = self.shown(source);
        shown.is_some_and(|shown| shown.folders.iter().any(holds_all))
    }

    /// Does it show folders that are labels? An archive has the messages alone.
    fn shows_labels(&self, source: u32) -> bool {
        let label =
            |folder: &SourceFolder| folder.labelled && !holds_all(folder) && !is_apart(folder);
        let shown = self.shown(source);
        shown.is_some_and(|shown| shown.folders.iter().any(label))
    }

    /// What becomes of labels at the destination.
    #[must_use]
    pub fn holds(&self) -> Holds {
        self.landscape.naming.holds
    }

    /// Is each message read once, whatever labels it has?
    fn once(&self) -> bool {
        self.holds() != Holds::Nothing || self.rules.labels != LabelRule::Folders
    }

    /// What is read of a folder. `Err`: nothing, and why.
    pub fn take(&self, folder: &SourceFolder) -> Result<Take, String> {
        let holds = self.holds();
        if !self.has(folder.source) {
            return Ok(Take::All);
        }
        if is_chats(&folder.folder) && holds == Holds::Labels {
            return Err("chats are no mail that could be put there".to_owned());
        }
        if holds_all(folder) {
            return Ok(match holds {
                Holds::Sidecar => Take::Kept,
                _ if self.once() || !self.shows_labels(folder.source) => Take::Routed,
                _ => Take::Unfiled,
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
        if step.take == Take::All {
            return Part::Taken;
        }
        let first_read = match step.take {
            Take::Unfiled | Take::First => self.first_read(folder.source, flags),
            _ => None,
        };
        match first_read {
            Some(first) if first != folder.folder => Part::Elsewhere,
            Some(_) => Part::Taken,
            None => self.part_of_whole(folder, flags),
        }
    }

    /// Of a folder that holds everything.
    fn part_of_whole(&self, folder: &SourceFolder, flags: &Flags) -> Part {
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

    /// The first of a message's folders that the source shows and the job reads.
    fn first_read(&self, source: u32, flags: &Flags) -> Option<Folder> {
        let shown = self.shown(source)?;
        let read = |folder: &Folder| {
            shown.folders.iter().any(|shown| shown.folder == *folder) && self.is_wanted(folder)
        };
        let homes = self.folders(source, flags).into_iter();
        homes.map(|home| home.folder).find(read)
    }

    fn is_wanted(&self, folder: &Folder) -> bool {
        map::wanted(&self.rules, folder).is_ok()
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
