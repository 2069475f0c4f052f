//! Folders by any name that a server can send: inside the archive, each in a place of its own, and read back as they were.

use super::folders::folders;
use super::tests::{budget, keep_in};
use super::*;
use crate::job::{Layout, MailFormat, OnVanish};
use crate::message::twins;
use proptest::prelude::*;
use std::collections::HashSet;

fn paths(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        found.push(path.clone());
        // A link would lead out.
        assert!(!path.is_symlink());
        if path.is_dir() {
            paths(&path, found);
        }
    }
}

fn kept(names: &[Vec<u8>], format: MailFormat, layout: Layout) {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path().join("a.archive");
    let spec = ArchiveSpec {
        path: root.clone(),
        keep_mail: true,
        layout,
        format,
        on_vanish: OnVanish::Keep,
        grace_days: 0,
        accept_deletions: None,
    };
    let names: Vec<(&[u8], Option<u8>)> =
        names.iter().map(|name| (&name[..], Some(b'/'))).collect();
    let wanted: HashSet<Folder> = twins::folders(&names, b"").into_iter().flatten().collect();
    let mut archive = Archive::open(&spec).unwrap();
    let mut places = Vec::new();
    for (n, folder) in wanted.iter().enumerate() {
        let raw = format!("Subject: {n}\r\n\r\nx\r\n");
        places.push(keep_in(
            &mut archive,
            folder,
            &format!("s {n}"),
            raw.as_bytes(),
        ));
    }
    for place in &places {
        assert_eq!(archive.read_back(place, &budget()).unwrap(), place.digest);
    }
    drop(archive);
    let listed: Vec<Folder> = folders(&root)
        .unwrap()
        .into_iter()
        .map(|f| f.folder)
        .collect();
    assert_eq!(listed.len(), wanted.len(), "{listed:?}");
    assert_eq!(listed.into_iter().collect::<HashSet<_>>(), wanted);
    let outside: Vec<_> = std::fs::read_dir(temp.path()).unwrap().collect();
    assert_eq!(outside.len(), 1, "{outside:?}");
    let mut found = Vec::new();
    paths(&root.join("mail"), &mut found);
    // Maildirs keep the names that other programs look for, so that twins by case need a file system that has case.
    let name = |path: &PathBuf| match format {
        MailFormat::Maildir => path.to_string_lossy().into_owned(),
        MailFormat::Mbox => path.to_string_lossy().to_lowercase(),
    };
    let files = found.iter().filter(|path| path.is_file());
    let mut names: Vec<String> = files.map(name).collect();
    names.sort();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all, "{found:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn any_names_of_a_server_have_places_of_their_own(names in twins::tests::any_names()) {
        for layout in [Layout::MaildirPlusPlus, Layout::Fs] {
            for format in [MailFormat::Maildir, MailFormat::Mbox] {
                kept(&names, format, layout);
            }
        }
    }
}

#[test]
fn known_twins_have_places_of_their_own() {
    let names: [&[u8]; 18] = [
        b"&",
        b"&-",
        b"caf\xe9",
        b"caf\xe8",
        b"caf\xef\xbf\xbd",
        b"..",
        b".",
        b"../x",
        b"/",
        b"CON",
        b"con",
        b"a.",
        b"a ",
        b"a",
        b"A",
        b"\xc3\xbc",
        b"u\xcc\x88",
        b"\0\x1b[2J",
    ];
    let names: Vec<Vec<u8>> = names.iter().map(|name| name.to_vec()).collect();
    for layout in [Layout::MaildirPlusPlus, Layout::Fs] {
        for format in [MailFormat::Maildir, MailFormat::Mbox] {
            kept(&names, format, layout);
        }
    }
}
