//! The folder of a label, at the source and at the destination.

use super::{Labels, Take};
use crate::message::{Flags, Folder, SpecialUse, labels};
use crate::plan::map::{self, By, Uses};
use crate::plan::{Holds, Step, Target};

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
pub(super) struct Home {
    rank: Rank,
    pub(super) folder: Folder,
}

/// Whose folder a message goes to before others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Inbox,
    User,
    Sent,
    Drafts,
}

impl Labels {
    /// The folders of a message's labels as the source names them, the first before the others: those of `label-priority`, INBOX, the
    /// user's own by name, Sent, Drafts.
    pub(super) fn folders(&self, source: u32, flags: &Flags) -> Vec<Home> {
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
    pub(super) fn home(&self, source: u32, label: &str) -> Option<Home> {
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

    /// Where a message of a step goes.
    #[must_use]
    pub fn target(&self, step: &Step, flags: &Flags) -> Target {
        if step.take != Take::Routed {
            return step.target.clone();
        }
        let source = step.source.source;
        let target = match self.landscape.naming.holds {
            Holds::Labels => self.at_labels(flags),
            _ => {
                let mut homes = self.folders(source, flags).into_iter();
                let first = homes.find(|home| self.is_wanted(&home.folder));
                first.map(|home| self.mapped(source, &home))
            }
        };
        target.unwrap_or_else(|| step.target.clone())
    }

    /// Where a message is put at a destination with labels: what cannot be had by a label decides. `None`: with all the rest.
    fn at_labels(&self, flags: &Flags) -> Option<Target> {
        for (label, special_use) in [
            (labels::DRAFT, SpecialUse::Drafts),
            (labels::SENT, SpecialUse::Sent),
        ] {
            if let (true, Some(there)) = (flags.has_label(label), self.there.folder_of(special_use))
            {
                return Some(self.landscape.target(there));
            }
        }
        let inbox = !self.shows_whole() && flags.has_label(labels::INBOX);
        inbox.then(|| self.landscape.target(&Folder::inbox()))
    }

    /// Does the destination show a folder that holds everything?
    fn shows_whole(&self) -> bool {
        let mut folders = self.landscape.folders.iter();
        folders.any(|folder| folder.special_use == Some(SpecialUse::All))
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

    pub(super) fn landing(&self, source: u32, home: &Home) -> Landing {
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
}

/// `Trash (label)` for `Trash`.
fn beside(folder: &Folder) -> Folder {
    let mut names = folder.names().to_vec();
    if let Some(last) = names.last_mut() {
        last.push_str(" (label)");
    }
    Folder::new(names).unwrap_or_else(|| folder.clone())
}
