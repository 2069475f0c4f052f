//! The destination as it is: how it writes names, and what stands there.

use super::map::{Known, Uses};
use super::{Naming, SinkFolder, Target};
use crate::message::Folder;

#[derive(Debug, Clone, Default)]
pub struct Landscape {
    pub naming: Naming,
    pub folders: Vec<SinkFolder>,
}

impl Landscape {
    /// The special uses of the destination's folders.
    #[must_use]
    pub fn uses(&self) -> Uses {
        let known = |folder: &SinkFolder| Known {
            folder: folder.folder.clone(),
            special_use: folder.special_use,
        };
        Uses::of(&self.folders.iter().map(known).collect::<Vec<_>>())
    }

    /// The folder as a target: the standing one, or one to be created.
    #[must_use]
    pub fn target(&self, folder: &Folder) -> Target {
        let name = self.naming.name(folder);
        let standing = self
            .folders
            .iter()
            .find(|standing| standing.name == name || standing.folder == *folder);
        Target {
            folder: folder.clone(),
            name: standing.map_or(name, |standing| standing.name.clone()),
            standing: standing.cloned(),
            special_use: None,
            subscribe: standing.is_none(),
        }
    }
}
