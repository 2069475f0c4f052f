//! Labels on a server with X-GM-EXT-1 (developers.google.com/workspace/gmail/imap/imap-extensions).

use super::quote::{self, Command};
use super::session::Session;
use crate::error::{Kind, Result};
use crate::message::labels;
use std::collections::BTreeSet;

impl Session {
    /// UID STORE +X-GM-LABELS and -X-GM-LABELS on UID ranges of the selected mailbox; never the absolute form. A label that is not
    /// there has to be made first: it is a mailbox.
    pub fn store_labels(
        &mut self,
        set: &[(u32, u32)],
        add: &BTreeSet<String>,
        remove: &BTreeSet<String>,
    ) -> Result<()> {
        for (sign, labels) in [('+', add), ('-', remove)] {
            if labels.is_empty() {
                continue;
            }
            for set in quote::sets(set)? {
                let command = Command::new(&format!("UID STORE {set} {sign}X-GM-LABELS ("));
                self.run(&listed(command, labels), "STORE", Kind::Folder)?;
            }
        }
        Ok(())
    }
}

fn listed(mut command: Command, labels: &BTreeSet<String>) -> Command {
    for (at, label) in labels.iter().enumerate() {
        if at > 0 {
            command = command.text(" ");
        }
        command = match is_own_atom(label) {
            true => command.text(label),
            false => command.string(&labels::to_wire(label)),
        };
    }
    command.text(")")
}

/// Can it go as `\Name`?
fn is_own_atom(label: &str) -> bool {
    let name = label.strip_prefix('\\').unwrap_or_default();
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::quote::Part;

    #[test]
    fn no_label_breaks_out_of_the_list() {
        let labels = ["\\Inbox", "a\" (b)\r\n", "Größe", "\\x)"].map(ToOwned::to_owned);
        let command = listed(Command::new("("), &labels.into());
        let Some(Part::Text(text)) = command.parts.first() else {
            panic!("{command:?}");
        };
        let text = String::from_utf8_lossy(text);
        assert_eq!(text, r#"("Gr&APYA3w-e" \Inbox "\\x)" "a\" (b)&AA0ACg-")"#);
    }
}
