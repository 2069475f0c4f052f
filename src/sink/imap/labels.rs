//! Labels of a destination that has them: made before they are set, and the one that a folder is.

use super::ImapSink;
use crate::error::Result;
use crate::message::labels;
use std::collections::BTreeSet;

impl ImapSink {
    /// A label has to be there before a message can have it.
    pub(super) fn make_labels(&mut self, labels: &BTreeSet<String>) -> Result<()> {
        let missing = |label: &&String| !labels::is_own(label) && !self.made.contains(*label);
        let missing: Vec<String> = labels.iter().filter(missing).cloned().collect();
        let names: Vec<Vec<u8>> = missing.iter().map(|label| labels::to_wire(label)).collect();
        let names: Vec<_> = names.iter().map(|name| (name.as_slice(), None)).collect();
        if !names.is_empty() {
            // A label that cannot be made is refused when it is set, in the server's words.
            drop(self.session.create(&names)?);
            self.made.extend(missing);
        }
        Ok(())
    }

    /// The label that a folder is: its messages have it, and the server does not say so.
    pub(super) fn own_label(&mut self, name: &[u8]) -> Result<Option<String>> {
        if !self.session.capabilities().gmail {
            return Ok(None);
        }
        if self.own.is_empty() {
            for mailbox in self.session.list(false)? {
                let label = labels::of_folder(&mailbox.name, mailbox.special_use);
                self.own.insert(mailbox.name, label);
            }
        }
        Ok(self.own.get(name).cloned().flatten())
    }
}
