//! `dovecot-keywords`: which keyword a letter a–z in a file name stands for.

use crate::error::{Error, Result};
use crate::fs;
use crate::message::Flags;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

const FILE: &str = "dovecot-keywords";
const LETTERS: usize = 26;
/// 26 lines of the longest keyword a server takes fit many times over.
const LARGEST: u64 = 64 * 1024;

/// A folder's keywords by letter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Keywords {
    names: [Option<String>; LETTERS],
    changed: bool,
}

impl Keywords {
    pub(super) fn load(dir: &Path) -> Result<Self> {
        let path = dir.join(FILE);
        match std::fs::symlink_metadata(&path) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Keywords::default()),
            _ => {}
        }
        let mut text = Vec::new();
        fs::open(&path)?
            .take(LARGEST)
            .read_to_end(&mut text)
            .map_err(|e| Error::disk("read", &path, &e))?;
        Ok(Keywords::parse(&String::from_utf8_lossy(&text)))
    }

    fn parse(text: &str) -> Self {
        let mut keywords = Keywords::default();
        for line in text.lines() {
            if let Some((index, name)) = line.split_once(' ')
                && let Ok(index) = index.parse::<usize>()
                && let Some(slot) = keywords.names.get_mut(index)
            {
                *slot = Some(name.to_owned());
            }
        }
        keywords
    }

    /// The letters of a message's keywords, in order. A new keyword takes a free letter; one for which none is left
    /// has no letter (the sidecar keeps it).
    pub(super) fn letters(&mut self, flags: &Flags) -> String {
        let mut letters: Vec<char> = flags
            .keywords
            .iter()
            .filter_map(|keyword| self.letter(keyword))
            .collect();
        letters.sort_unstable();
        letters.into_iter().collect()
    }

    fn letter(&mut self, keyword: &str) -> Option<char> {
        if keyword.is_empty() || keyword.contains(|c: char| c.is_control() || c == ' ') {
            return None;
        }
        let known = |name: &Option<String>| {
            name.as_deref()
                .is_some_and(|n| n.eq_ignore_ascii_case(keyword))
        };
        let index = self.names.iter().position(known).or_else(|| {
            let free = self.names.iter().position(Option::is_none)?;
            self.names[free] = Some(keyword.to_owned());
            self.changed = true;
            Some(free)
        })?;
        Some(char::from(b'a' + u8::try_from(index).ok()?))
    }

    /// The keyword of a letter, where the file tells one.
    pub(super) fn keyword(&self, letter: u8) -> Option<&str> {
        self.names
            .get(usize::from(letter.checked_sub(b'a')?))?
            .as_deref()
    }

    /// Those of `keywords` for which there is, and will be, no letter.
    pub(super) fn unfit(&mut self, flags: &Flags) -> Vec<String> {
        let all = flags.keywords.iter();
        all.filter(|keyword| self.letter(keyword).is_none())
            .cloned()
            .collect()
    }

    /// Is there a letter for it, in whatever case?
    pub(super) fn has(&self, keyword: &str) -> bool {
        let mut names = self.names.iter().flatten();
        names.any(|name| name.eq_ignore_ascii_case(keyword))
    }

    /// Writes the file if there are new keywords: before any name uses their letters.
    pub(super) fn save(&mut self, dir: &Path) -> Result<()> {
        if !self.changed {
            return Ok(());
        }
        let path = dir.join(FILE);
        fs::persist(&path, |file| {
            fs::inherit(file, dir)?;
            let named = self.names.iter().enumerate();
            for (index, name) in named.filter_map(|(i, n)| Some((i, n.as_ref()?))) {
                writeln!(file, "{index} {name}")?;
            }
            file.set_modified(later_than(&path))
        })?;
        self.changed = false;
        Ok(())
    }
}

/// Dovecot reads the file again only when its time in whole seconds has changed, and would else write over what is new here.
fn later_than(path: &Path) -> SystemTime {
    let now = SystemTime::now();
    let before = std::fs::symlink_metadata(path).and_then(|m| m.modified());
    before.map_or(now, |before| now.max(before + Duration::from_secs(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    fn flags(keywords: &[&str]) -> Flags {
        Flags {
            keywords: keywords.iter().map(|&k| k.to_owned()).collect(),
            ..Flags::default()
        }
    }

    #[test]
    fn letters_last_over_a_reload() {
        let dir = tempfile::tempdir().unwrap();
        let mut keywords = Keywords::load(dir.path()).unwrap();
        assert_eq!(keywords.letters(&flags(&["$Forwarded", "Work"])), "ab");
        keywords.save(dir.path()).unwrap();
        let mut again = Keywords::load(dir.path()).unwrap();
        assert_eq!(again.letters(&flags(&["work", "New"])), "bc");
        assert_eq!(
            (again.keyword(b'a'), again.keyword(b'z')),
            (Some("$Forwarded"), None)
        );
        let modified = || std::fs::metadata(dir.path().join(FILE)).unwrap().mtime();
        let before = modified();
        again.save(dir.path()).unwrap();
        assert!(modified() > before);
    }

    #[test]
    fn the_27th_keyword_has_no_letter() {
        let mut keywords = Keywords::default();
        for n in 0..26 {
            assert_eq!(keywords.letters(&flags(&[&format!("k{n}")])).len(), 1);
        }
        assert_eq!(keywords.letters(&flags(&["more"])), "");
        assert_eq!(keywords.letters(&flags(&["k25"])), "z");
        assert_eq!(keywords.letters(&flags(&["evil\n0 x", ""])), "");
    }

    #[test]
    fn nonsense_in_the_file_is_passed_over() {
        let keywords = Keywords::parse("0 a\nx y\n99 b\n-1 c\n\n3\n");
        assert_eq!(keywords.names.iter().flatten().count(), 1);
    }
}
