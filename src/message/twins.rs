//! The folders of a whole listing: names that are no modified UTF-7 are shown as they stand, unless that is what another one is called.
//!
//! `&` (which is wrong) and `&-` (which is `&`) are two mailboxes, as are two names whose bytes are no text. Each alone keeps the name that
//! people know. Where two would meet, the wrong ones get a suffix made of their bytes, in every folder below them too; what goes to the
//! source's server are its own bytes all the time.

use super::{Digest, Folder, utf7};
use std::collections::{HashMap, HashSet};

/// Hexadecimal digits of a suffix.
const DIGITS: usize = 12;

/// Of every name (as [`Folder::from_wire`] takes it, with its separator) the folder, in order; no two different names of the listing are the
/// same one because their bytes are no text.
#[must_use]
pub fn folders(names: &[(&[u8], Option<u8>)], prefix: &[u8]) -> Vec<Option<Folder>> {
    let all: Vec<Vec<&[u8]>> = names
        .iter()
        .map(|(wire, separator)| Folder::components(wire, *separator, prefix))
        .collect();
    let mut shown: HashMap<Vec<String>, HashSet<&[&[u8]]>> = HashMap::new();
    for parts in &all {
        for end in 1..=parts.len() {
            let path = parts[..end].iter().map(|part| text(part)).collect();
            shown.entry(path).or_default().insert(&parts[..end]);
        }
    }
    let meets = |path: &[String]| shown.get(path).is_some_and(|twins| twins.len() > 1);
    all.iter().map(|parts| folder(parts, &meets)).collect()
}

fn folder(parts: &[&[u8]], meets: &dyn Fn(&[String]) -> bool) -> Option<Folder> {
    let path: Vec<String> = parts.iter().map(|part| text(part)).collect();
    let names = parts.iter().enumerate().map(|(at, part)| {
        if utf7::decode(part).is_none() && meets(&path[..=at]) {
            return format!("{} ~{}", path[at], &Digest::of(part).to_string()[..DIGITS]);
        }
        path[at].clone()
    });
    Folder::new(names.collect())
}

/// One name off the wire: decoded, or as it stands, bytes that are no UTF-8 as U+FFFD.
pub(super) fn text(wire: &[u8]) -> String {
    utf7::decode(wire).unwrap_or_else(|| String::from_utf8_lossy(wire).into_owned())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(names: &[&[u8]]) -> Vec<String> {
        let names: Vec<(&[u8], Option<u8>)> =
            names.iter().map(|name| (*name, Some(b'/'))).collect();
        let folders = folders(&names, b"");
        folders
            .into_iter()
            .map(|folder| folder.unwrap().to_string())
            .collect()
    }

    #[test]
    fn alone_they_are_what_people_call_them() {
        assert_eq!(
            shown(&[b"R & D", b"caf\xe9", b"x"]),
            ["R & D", "caf\u{fffd}", "x"]
        );
    }

    #[test]
    fn twins_are_told_apart_and_so_is_what_is_below_them() {
        let names = shown(&[b"&", b"&-", b"&/a", b"&-/a", b"caf\xe9", b"caf\xe8"]);
        assert_eq!((&names[1][..], &names[3][..]), ("&", "&/a"));
        assert!(names[0].starts_with("& ~") && names[0].len() == 3 + DIGITS);
        assert_eq!(names[2], format!("{}/a", names[0]));
        assert!(
            names[4] != names[5] && names[5].starts_with("caf\u{fffd} ~"),
            "{names:?}"
        );
    }

    /// Any bytes, and the things that names are made difficult with.
    pub(crate) fn any_names() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let piece = prop_oneof![
            prop::collection::vec(any::<u8>(), 1..6),
            prop::sample::select(vec![
                &b"&"[..],
                b"&-",
                b"&AGE-",
                b"&APw-",
                b"\xff",
                b"\xef\xbf\xbd",
                b"\xc3\xbc",
                b"u\xcc\x88",
                b"..",
                b".",
                b"/",
                b"\\",
                b"\0",
                b"\r\n",
                b"\x1b[2J",
                b"CON",
                b"con",
                b"a",
                b"A",
                b" ",
                b"a.",
                b"a ",
                b"INBOX",
                b"inbox",
                b"cur",
                b"~",
            ])
            .prop_map(<[u8]>::to_vec),
            Just(vec![b'x'; 260]),
        ];
        let name = prop::collection::vec(piece, 1..5).prop_map(|pieces| pieces.concat());
        prop::collection::vec(name, 1..8)
    }

    proptest! {
        #[test]
        fn no_two_names_become_one(names in any_names(), separator in prop::option::of(prop::sample::select(b"./".to_vec()))) {
            let distinct: HashSet<Vec<u8>> = names.into_iter().collect();
            let wires: Vec<(&[u8], Option<u8>)> = distinct.iter().map(|name| (&name[..], separator)).collect();
            // INBOX has no case, wherever it stands alone.
            let inboxes = wires.iter().filter(|(name, _)| name.eq_ignore_ascii_case(b"INBOX")).count();
            let folders = folders(&wires, b"");
            prop_assert!(folders.iter().all(Option::is_some));
            let found: HashSet<&Folder> = folders.iter().flatten().collect();
            prop_assert_eq!(found.len(), wires.len() - inboxes.saturating_sub(1));
        }
    }
}
