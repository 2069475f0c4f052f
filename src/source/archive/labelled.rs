//! Which folder of an archive holds all mail of a source with labels.

use crate::archive::View;
use crate::error::Result;
use crate::message::{Folder, SpecialUse, labels};
use crate::net::Flow;

/// Messages that are looked at: most have a label.
const ENOUGH: u32 = 1_000;

/// Does the folder hold messages of other labels than its own? The use that the archive remembers may be lost; labels are not.
pub(super) fn holds_all(folder: &Folder, view: &View) -> Result<bool> {
    let own = labels::of_folder(&folder.to_wire(Some(b'/'), b""), None);
    let (mut seen, mut all) = (0, false);
    view.each((0, u32::MAX), |kept| {
        let has = |label: &str| kept.flags.has_label(label);
        seen += 1;
        if kept.flags.labels.is_empty() && seen < ENOUGH {
            return Ok(Flow::Continue);
        }
        let own = own.as_deref().is_some_and(has);
        let apart = has(labels::SPAM) || has(labels::TRASH);
        all = !kept.flags.labels.is_empty() && !own && !apart;
        Ok(Flow::Stop)
    })?;
    Ok(all)
}

/// The use of such a folder.
pub(super) const ALL: Option<SpecialUse> = Some(SpecialUse::All);
