//! Delivering into mbox files, killed at every step. What is compared is what Python reads in them.

use super::kills::{fill, mails};
use super::steps::{each, killed, passed, resumed};
use crate::support::canonical::digest;
use crate::support::{End, Job, Snapshot, fresh_user, maildir, python, shared};
use std::collections::BTreeMap;
use std::path::Path;

/// File → the digests of its messages, sorted.
type Files = BTreeMap<String, Vec<String>>;

fn files(root: &Path) -> Result<Files, String> {
    let mut found = Files::new();
    let mut dirs = vec![root.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(&dir)
            .map_err(|e| e.to_string())?
            .flatten()
        {
            let (path, name) = (
                entry.path(),
                entry.file_name().to_string_lossy().into_owned(),
            );
            if name.starts_with('.') {
                continue;
            } else if path.is_dir() {
                dirs.push(path);
            } else if name.ends_with(".mbox") {
                let mut digests: Vec<String> =
                    python::mbox(&path).iter().map(|m| digest(m)).collect();
                digests.sort();
                let below = path.strip_prefix(root).expect("below the root");
                found.insert(below.to_string_lossy().into_owned(), digests);
            } else if !name.contains(".mbox.torn-") && !name.starts_with("0.M") {
                // The latter is a lock that was about to be put in place.
                return Err(format!("left behind: {name}"));
            }
        }
    }
    found.retain(|_, digests| !digests.is_empty());
    Ok(found)
}

fn want(snapshot: &Snapshot) -> Files {
    let file = |(name, entries): (&String, &Vec<crate::support::snapshot::Entry>)| {
        let mut digests: Vec<String> = entries.iter().map(|e| e.digest.clone()).collect();
        digests.sort();
        (format!("{name}.mbox"), digests)
    };
    snapshot.0.iter().map(file).collect()
}

fn copy(name: &str, source: &End, want: &Files) {
    let job = |path: &Path| Job::new("", source, &End::files("mbox", path), "");
    let first = tempfile::tempdir().expect("a directory");
    let steps = passed(&job(&first.path().join("mail")));
    each(name, &steps, |n| {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("mail");
        let job = job(&path);
        let was_killed = killed(&job, n);
        let right = || {
            let have = files(&path)?;
            match have == *want {
                true => Ok(()),
                false => Err(format!("{have:?}, should be {want:?}")),
            }
        };
        resumed(&job, &right).map(|()| was_killed)
    });
}

#[test]
fn pop3_to_mbox() {
    let server = shared();
    let old = fresh_user("crash-pop-mbox");
    let mails = mails(false);
    maildir::fill(server, &old, &mails);
    let want = want(&Snapshot::one("INBOX", &mails));
    copy("POP3 to mbox", &End::pop3(server, &old), &want);
}

#[test]
fn imap_to_mbox() {
    let server = shared();
    let old = fresh_user("crash-imap-mbox");
    fill(server, &old);
    let want = want(&Snapshot::of(server.imap, &old).without_empty());
    copy("IMAP to mbox", &End::imap(server, &old), &want);
}
