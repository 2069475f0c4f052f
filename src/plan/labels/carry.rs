//! The flags and labels that a message is delivered with.

use super::{Labels, is_apart};
use crate::job::LabelRule;
use crate::message::{Flags, labels};
use crate::plan::{Holds, SourceFolder, map};

impl Labels {
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
}
