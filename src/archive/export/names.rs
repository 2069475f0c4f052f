//! Names of exported files and directories, for people: plain words, never outside the directory, no two the same.

use crate::message::{Folder, InternalDate, decoded};
use std::collections::HashMap;
use std::path::PathBuf;

/// Bytes; with a number and an extension well below what file systems take.
const LONGEST: usize = 120;

/// Remembers what was given. Case makes no difference: some file systems have none.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// How often each was asked for.
    given: HashMap<String, u32>,
}

impl Names {
    /// `stem`, or `stem-2` and so on where it was given before in `dir`.
    pub(super) fn unique(&mut self, dir: &str, stem: &str) -> String {
        let mut name = stem.to_owned();
        loop {
            let times = self
                .given
                .entry(format!("{dir}/{}", name.to_lowercase()))
                .or_insert(0);
            *times += 1;
            if *times == 1 {
                return name;
            }
            // Another subject may have taken that name too.
            name = format!("{stem}-{times}");
        }
    }

    /// A folder's path, relative: one directory a level, without a dot in any of them.
    pub(super) fn folder(&mut self, folder: &Folder) -> PathBuf {
        let levels: Vec<String> = folder
            .names()
            .iter()
            .map(|name| or(plain(name), "folder"))
            .collect();
        let (last, above) = match levels.split_last() {
            Some((last, above)) => (last.clone(), above.join("/")),
            None => ("folder".to_owned(), String::new()),
        };
        let unique = self.unique(&above, &last);
        PathBuf::from(above).join(unique)
    }
}

/// `2024-05-01-the-subject` of a message; the day in UTC.
pub(super) fn stem(head: &[u8], date: Option<InternalDate>) -> String {
    let day = date
        .and_then(|date| chrono::DateTime::from_timestamp(date.epoch, 0))
        .map_or_else(
            || "undated".to_owned(),
            |at| at.format("%Y-%m-%d").to_string(),
        );
    let subject = or(plain(&decoded::first(head, "Subject")), "no-subject");
    format!("{day}-{subject}")
}

/// Letters and digits of all scripts, `-`, `_`; everything else becomes one `-`.
fn plain(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        let c = if c.is_alphanumeric() || c == '_' {
            c
        } else {
            '-'
        };
        if c == '-' && (out.is_empty() || out.ends_with('-')) {
            continue;
        }
        if out.len() + c.len_utf8() > LONGEST {
            break;
        }
        out.push(c);
    }
    out.trim_end_matches('-').to_owned()
}

fn or(text: String, empty: &str) -> String {
    if text.is_empty() {
        empty.to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::Component;

    fn at(epoch: i64) -> Option<InternalDate> {
        Some(InternalDate {
            epoch,
            offset_minutes: 0,
        })
    }

    #[test]
    fn dates_and_subjects() {
        let head = b"Subject: =?utf-8?q?Re:_Gr=C3=BC=C3=9Fe_../../etc?=\r\n";
        assert_eq!(stem(head, at(0)), "1970-01-01-Re-Grüße-etc");
        assert_eq!(stem(b"", None), "undated-no-subject");
        assert_eq!(stem(b"Subject: \x1b[2J//\n", at(86_400)), "1970-01-02-2J");
    }

    #[test]
    fn the_second_of_a_name_gets_a_number() {
        let mut names = Names::default();
        let given = ["a", "A", "a-2", "a", "b"].map(|stem| names.unique("d", stem));
        assert_eq!(given, ["a", "A-2", "a-2-2", "a-3", "b"]);
        assert_eq!(names.unique("e", "a"), "a");
        let folders = ["x:y/z", "x?y/z", "INBOX", "..", "..."];
        let paths = folders.map(|text| names.folder(&Folder::parse(text).unwrap()));
        let paths = paths.map(|path| path.to_str().unwrap().to_owned());
        assert_eq!(paths, ["x-y/z", "x-y/z-2", "INBOX", "folder", "folder-2"]);
    }

    proptest! {
        #[test]
        fn never_outside(names in prop::collection::vec("\\PC{1,90}|\\.\\.", 1..4), subject in "\\PC{0,300}") {
            if let Some(folder) = Folder::new(names) {
                let path = Names::default().folder(&folder);
                prop_assert!(path.components().all(|c| matches!(c, Component::Normal(_))));
                prop_assert_eq!(path.components().count(), folder.names().len());
            }
            let stem = stem(format!("Subject: {subject}\n").as_bytes(), None);
            prop_assert!(stem.len() <= 140 && !stem.contains(['/', '.', '\0']));
        }
    }
}
