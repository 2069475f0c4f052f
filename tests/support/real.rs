//! The real and malformed messages that stand beside the project where it is developed; users do not have them.

use super::{Mail, root, tell};
use std::path::{Path, PathBuf};
use std::process::Command;

/// All single messages (no mbox files) in the order of their paths, or nothing where the corpus is absent.
/// Bytes are as collected: LF or CRLF, NUL, without header, empty.
pub fn messages() -> Option<Vec<Mail>> {
    let dir = unpack()?;
    let mut paths = Vec::new();
    walk(dir.path(), &mut paths);
    paths.retain(|p| p.extension().is_none_or(|e| e != "mbox"));
    paths.sort();
    let mail = |(i, path): (usize, &PathBuf)| Mail {
        bytes: std::fs::read(path).expect("read"),
        flags: vec![],
        date: 1_000_000_000 + i as i64 * 3_600,
    };
    Some(paths.iter().enumerate().map(mail).collect())
}

/// Every mbox file of the corpus that is named so, by its path in it, or nothing where the corpus is absent.
pub fn mboxes() -> Option<Vec<(String, Vec<u8>)>> {
    let dir = unpack()?;
    let mut paths = Vec::new();
    walk(dir.path(), &mut paths);
    paths.retain(|p| p.extension().is_some_and(|e| e == "mbox"));
    paths.sort();
    let read = |path: &PathBuf| {
        let name = path.strip_prefix(dir.path()).expect("below it");
        let bytes = std::fs::read(path).expect("read");
        (name.to_string_lossy().into_owned(), bytes)
    };
    Some(paths.iter().map(read).collect())
}

fn unpack() -> Option<tempfile::TempDir> {
    let tar = root().join("../shared/corpora/real-mail.tar.zst");
    if !tar.exists() {
        tell(&format!("skipped: there is no {}", tar.display()));
        return None;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let done = Command::new("tar")
        .args(["--zstd", "-xf"])
        .arg(&tar)
        .arg("-C")
        .arg(dir.path())
        .status();
    if !done.is_ok_and(|s| s.success()) {
        tell(&format!(
            "skipped: tar --zstd cannot unpack {}",
            tar.display()
        ));
        return None;
    }
    Some(dir)
}

fn walk(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            walk(&path, out);
        } else if path.is_file() {
            out.push(path);
        }
    }
}
