//! What is to be done, decided before anything is done: `plan` prints the value that `run` executes.

mod address;
mod build;
pub mod filter;
pub mod labels;
mod landscape;
pub mod map;
pub mod route;

pub use build::{FolderKnown, Inputs, build};
pub use landscape::Landscape;

use crate::message::{Folder, SpecialUse};

/// A folder as the source shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFolder {
    /// Which of the job's sources, from 0.
    pub source: u32,
    pub folder: Folder,
    /// The wire name, exact bytes.
    pub name: Vec<u8>,
    pub special_use: Option<SpecialUse>,
    pub subscribed: bool,
    /// 0 for POP3.
    pub uid_validity: u32,
    pub uid_next: Option<u32>,
    pub messages: u32,
    pub highest_modseq: Option<u64>,
    /// Its messages come with labels.
    pub labelled: bool,
}

/// What becomes of labels at a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Holds {
    /// It has none.
    #[default]
    Nothing,
    /// They are kept beside the flags; a message stands in one folder.
    Sidecar,
    /// It has labels of its own, set after a message is stored.
    Labels,
}

/// A folder as the destination shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkFolder {
    pub folder: Folder,
    /// The wire name, exact bytes.
    pub name: Vec<u8>,
    pub special_use: Option<SpecialUse>,
    pub subscribed: bool,
    pub uid_validity: u32,
    pub uid_next: Option<u32>,
    pub messages: u32,
}

/// How the destination writes names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Naming {
    pub separator: Option<u8>,
    /// The personal namespace's prefix, wire form.
    pub prefix: Vec<u8>,
    /// Files hold any name: their "wire name" is the folder as it is shown to people, in UTF-8, and the rest here has no meaning.
    pub as_shown: bool,
    pub holds: Holds,
}

impl Naming {
    /// How files of this machine name folders.
    #[must_use]
    pub fn of_files() -> Self {
        Naming {
            as_shown: true,
            ..Naming::default()
        }
    }

    /// The folder's wire name.
    #[must_use]
    pub fn name(&self, folder: &Folder) -> Vec<u8> {
        match self.as_shown {
            true => folder.to_string().into_bytes(),
            false => folder.to_wire(self.separator, &self.prefix),
        }
    }

    /// The folder of a wire name; `None` for a name with empty parts.
    #[must_use]
    pub fn folder(&self, name: &[u8]) -> Option<Folder> {
        match self.as_shown {
            true => Folder::parse(&String::from_utf8_lossy(name)),
            false => Folder::from_wire(name, self.separator, &self.prefix),
        }
    }

    /// Can the destination hold the name unchanged?
    #[must_use]
    pub fn fits(&self, folder: &Folder) -> bool {
        self.as_shown || folder.fits(self.separator)
    }
}

/// Where a step delivers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub folder: Folder,
    /// The wire name at the destination.
    pub name: Vec<u8>,
    /// What is there now; `None`: it has to be created.
    pub standing: Option<SinkFolder>,
    /// Create it with this use.
    pub special_use: Option<SpecialUse>,
    /// Subscribe it: the source is subscribed and the destination is not.
    pub subscribe: bool,
}

/// What has to be done for a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Nothing is known of it and nothing stands at its target: everything, in one stream.
    CopyWhole { messages: u32 },
    /// Nothing is known of it, but its target holds mail: that mail is indexed and adopted, the rest copied.
    Match { messages: u32, standing: u32 },
    /// Known from earlier runs: listed, compared with the journal; what is new is copied, flags follow.
    Update {
        messages: u32,
        known: u64,
        waiting: u64,
    },
    /// Nothing has changed since the last complete run.
    Unchanged { messages: u32 },
    /// Cannot be done as the job says.
    Refused {
        messages: u32,
        why: String,
        /// What to do about it.
        remedy: String,
    },
}

/// One folder's way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub source: SourceFolder,
    pub target: Target,
    pub work: Work,
    pub take: labels::Take,
}

/// A whole account's way to one destination.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    pub account: String,
    /// `pop3://budi@pop.example`, one a source.
    pub sources: Vec<String>,
    /// `imap://budi@imap.example`.
    pub destination: String,
    pub steps: Vec<Step>,
    /// Folders the job leaves out, and why.
    pub left_out: Vec<(Folder, String)>,
    /// Messages of batches whose end an interrupted run never saw: looked for at the destination first.
    pub unsettled: u64,
    /// Things to know before running, full sentences.
    pub notes: Vec<String>,
    /// Is the folder chosen message by message, by `[[route]]`s or by labels?
    pub routed: bool,
}
