//! What `after` does to messages of an IMAP source: removed, moved, and never more than those.

use super::ImapSource;
use crate::error::{Code, End, Error, Kind, Result};
use crate::failpoint;
use crate::job::providers::Behaviour;
use crate::message::{Flags, Folder, SpecialUse};
use crate::plan::SourceFolder;

impl ImapSource {
    /// Opens the folder for `after`, and only if it still is the one that was read.
    pub(super) fn select(&mut self, folder: &SourceFolder) -> Result<()> {
        let selected = self.session()?.select(&folder.name)?;
        if selected.uid_validity == folder.uid_validity && !selected.read_only {
            return Ok(());
        }
        let why = if selected.read_only {
            "is read-only"
        } else {
            "has another UIDVALIDITY now"
        };
        let what = format!(
            "nothing is done to {} at the source: it {why}",
            folder.folder
        );
        Err(Error::new(Kind::Folder, Code::Refused, what).at(End::Source))
    }

    /// Where there are labels, expunging takes one off.
    pub(super) fn deletes_through_trash(&self) -> bool {
        self.preset.has(Behaviour::DeleteThroughTrash) || self.session.capabilities().gmail
    }

    pub(super) fn remove(&mut self, uids: &[(u32, u32)]) -> Result<()> {
        if self.deletes_through_trash() {
            // There, expunging takes a label off; only what is in the Trash is ever deleted.
            let trash = self.trash()?;
            return self.session.uid_move(uids, &trash);
        }
        let deleted = Flags {
            deleted: true,
            ..Flags::default()
        };
        self.session.store(uids, &deleted, &Flags::default())?;
        failpoint::pass("source: marked, not expunged");
        if self.session.capabilities().uidplus {
            self.session.uid_expunge(uids)?;
        }
        Ok(())
    }

    pub(super) fn trash(&mut self) -> Result<Vec<u8>> {
        let mailboxes = self.session()?.list(false)?;
        let trash = mailboxes
            .into_iter()
            .find(|mailbox| mailbox.special_use == Some(SpecialUse::Trash));
        trash.map(|mailbox| mailbox.name).ok_or_else(|| {
            let what = "no Trash folder is shown at the source, so nothing is deleted there";
            Error::new(Kind::Account, Code::Refused, what)
                .hint("allow the Trash folder to be shown in IMAP, in the provider's settings")
                .at(End::Source)
        })
    }

    pub(super) fn move_to(&mut self, uids: &[(u32, u32)], folder: &Folder) -> Result<()> {
        let personal = self.session.personal().clone();
        let name = folder.to_wire(personal.separator, &personal.prefix);
        for created in self.session.create(&[(&name, None)])? {
            created?;
        }
        self.session.uid_move(uids, &name)
    }
}
