//! `mailhaul-uidls`: the unique-ids of files that are about to be published, until `dovecot-uidlist` has them.
//!
//! It is there for moments only; a kill in such a moment leaves it behind, and whoever numbers the files then, the next look at the folder
//! gives them their unique-ids. Lines of a file's base, a tab and the unique-id, read and written under the lock of `dovecot-uidlist`.

use crate::error::{Error, Result};
use crate::fs;
use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

fn path(dir: &Path) -> PathBuf {
    dir.join("mailhaul-uidls")
}

pub(super) fn stands(dir: &Path) -> bool {
    std::fs::symlink_metadata(path(dir)).is_ok()
}

/// Writes down, durably, what is about to be published. Nothing where no message has a unique-id.
pub(super) fn make(dir: &Path, staged: &[(String, Option<Vec<u8>>)]) -> Result<()> {
    if staged.iter().all(|(_, uidl)| uidl.is_none()) {
        return Ok(());
    }
    fs::persist(&path(dir), |file| {
        fs::inherit(file, dir)?;
        let mut lines = Vec::new();
        for (name, uidl) in staged {
            if let Some(uidl) = uidl {
                let base = super::name::base(name).as_bytes();
                lines.extend([base, b"\t", uidl, b"\n"].concat());
            }
        }
        file.write_all(&lines)
    })
}

/// Unique-ids by the bases of files; what a killed run promised.
pub(super) fn read(dir: &Path) -> Result<HashMap<Vec<u8>, Vec<u8>>> {
    if !stands(dir) {
        return Ok(HashMap::new());
    }
    let path = path(dir);
    let mut text = Vec::new();
    fs::open(&path)?
        .read_to_end(&mut text)
        .map_err(|e| Error::disk("read", &path, &e))?;
    let pair = |line: &[u8]| {
        let at = memchr::memchr(b'\t', line)?;
        Some((line[..at].to_vec(), line[at + 1..].to_vec()))
    };
    Ok(text.split(|&b| b == b'\n').filter_map(pair).collect())
}

/// It is kept: the list has them.
pub(super) fn keep(dir: &Path) -> Result<()> {
    let path = path(dir);
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(Error::disk("remove", &path, &e)),
        _ => Ok(()),
    }
}
