//! Which folders get other names, as the plan will have it: for the job that `init` writes.

use crate::imap::{Mailbox, Namespace};
use crate::job::FolderRules;
use crate::message::Folder;
use crate::plan::map::{self, By, Known, Uses};

/// The folders of one end.
#[derive(Debug, Clone, Default)]
pub struct Folders(Vec<Known>);

impl Folders {
    pub(super) fn of(mailboxes: Vec<Mailbox>, personal: Namespace) -> Self {
        let known = |mailbox: Mailbox| {
            let folder = Folder::from_wire(&mailbox.name, mailbox.separator, &personal.prefix)?;
            let special_use = mailbox.special_use;
            mailbox.selectable.then_some(Known {
                folder,
                special_use,
            })
        };
        Folders(mailboxes.into_iter().filter_map(known).collect())
    }

    fn uses(&self) -> Uses {
        Uses::of(&self.0)
    }
}

/// Folders that land in one with another name because both are for the same kind of mail: from where, to where, as people write them.
#[must_use]
pub fn renamed(from: &Folders, to: &Folders) -> Vec<(String, String)> {
    let rules = FolderRules {
        special_use: true,
        ..FolderRules::default()
    };
    let (uses, there) = (from.uses(), to.uses());
    let landing = |known: &Known| {
        let landing = map::target(&rules, &known.folder, &uses, &there).ok()?;
        let by_use = landing.by == By::SpecialUse && landing.folder != known.folder;
        by_use.then(|| (known.folder.to_string(), landing.folder.to_string()))
    };
    from.0.iter().filter_map(landing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::SpecialUse;

    fn folders(names: &[(&str, Option<SpecialUse>)]) -> Folders {
        let mailbox = |(name, special_use): &(&str, Option<SpecialUse>)| Mailbox {
            name: name.as_bytes().to_vec(),
            separator: Some(b'/'),
            selectable: true,
            special_use: *special_use,
            ..Mailbox::default()
        };
        Folders::of(names.iter().map(mailbox).collect(), Namespace::default())
    }

    #[test]
    fn only_folders_whose_names_change_are_told() {
        let from = folders(&[
            ("INBOX", None),
            ("Gesendet", Some(SpecialUse::Sent)),
            ("Drafts", Some(SpecialUse::Drafts)),
            ("Kerja", None),
        ]);
        let to = folders(&[
            ("INBOX", None),
            ("Sent Items", Some(SpecialUse::Sent)),
            ("Drafts", Some(SpecialUse::Drafts)),
        ]);
        let told = renamed(&from, &to);
        assert_eq!(told, [("Gesendet".to_owned(), "Sent Items".to_owned())]);
        assert!(renamed(&from, &Folders::default()).is_empty());
    }
}
