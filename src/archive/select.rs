//! Which messages of an archive are meant: by folder, day, and what the header says.

use super::Kept;
use crate::error::{Code, Error, Kind, Result};
use crate::message::{Folder, InternalDate, Search};
use globset::{GlobBuilder, GlobMatcher};

/// What is asked for. What is not known of a message (its date) leaves it in: nothing is left out on a guess.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    folders: Vec<GlobMatcher>,
    /// Epoch seconds: on or after, and before.
    since: Option<i64>,
    before: Option<i64>,
    search: Option<Search>,
}

impl Selection {
    /// Only folders that one of these globs matches, as in `[folders] include` of a job (`Work*` takes `Work/2024` in); none: all.
    ///
    /// # Errors
    /// `Code::Usage` for what is no glob.
    pub fn folders(mut self, globs: &[String]) -> Result<Self> {
        for glob in globs {
            self.folders.push(matcher(glob)?);
        }
        Ok(self)
    }

    /// Only messages on or after the first of these days, and before the second: `2015-01-31`, from 00:00 UTC.
    ///
    /// # Errors
    /// `Code::Usage` for what is no day, and where no day is between them.
    pub fn days(mut self, since: Option<&str>, before: Option<&str>) -> Result<Self> {
        self.since = since.map(day).transpose()?;
        self.before = before.map(day).transpose()?;
        match (self.since, self.before) {
            (Some(since), Some(before)) if since >= before => Err(usage(
                "no day is both --since and --before these: nothing would be left",
            )),
            _ => Ok(self),
        }
    }

    /// Only messages whose header matches: see [`Search::parse`].
    ///
    /// # Errors
    /// `Code::Usage` for what is no search.
    pub fn search(mut self, text: Option<&str>) -> Result<Self> {
        self.search = text.map(Search::parse).transpose().map_err(|e| usage(&e))?;
        Ok(self)
    }

    #[must_use]
    pub fn takes_folder(&self, folder: &Folder) -> bool {
        let text = folder.to_string();
        self.folders.is_empty() || self.folders.iter().any(|glob| glob.is_match(&text))
    }

    /// By what the sidecar tells; the header is for [`Selection::takes_head`].
    #[must_use]
    pub fn takes(&self, kept: &Kept) -> bool {
        self.takes_date(kept.date)
    }

    fn takes_date(&self, date: Option<InternalDate>) -> bool {
        let Some(at) = date.map(|date| date.epoch) else {
            return true;
        };
        self.since.is_none_or(|since| at >= since) && self.before.is_none_or(|before| at < before)
    }

    /// Must the header be read to decide?
    #[must_use]
    pub fn wants_head(&self) -> bool {
        self.search.is_some()
    }

    /// `head`: the message's header, or all of it.
    #[must_use]
    pub fn takes_head(&self, head: &[u8]) -> bool {
        self.search
            .as_ref()
            .is_none_or(|search| search.matches(head))
    }
}

/// INBOX is INBOX in any case (RFC 9051 §5.1).
fn matcher(glob: &str) -> Result<GlobMatcher> {
    GlobBuilder::new(glob)
        .literal_separator(false)
        .backslash_escape(true)
        .case_insensitive(glob.eq_ignore_ascii_case("INBOX"))
        .build()
        .map(|built| built.compile_matcher())
        .map_err(|e| {
            usage(&format!("{glob:?} is no pattern for folders")).words(e.kind().to_string())
        })
}

fn day(text: &str) -> Result<i64> {
    chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .ok()
        .and_then(|day| day.and_hms_opt(0, 0, 0))
        .map(|start| start.and_utc().timestamp())
        .ok_or_else(|| usage(&format!("{text:?} is no day")).hint("write it as 2015-01-31"))
}

fn usage(what: &str) -> Error {
    Error::new(Kind::Job, Code::Usage, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(epoch: i64) -> Option<InternalDate> {
        Some(InternalDate {
            epoch,
            offset_minutes: 0,
        })
    }

    #[test]
    fn folders_by_glob() {
        let takes = |glob: &str, folder: &str| {
            let selection = Selection::default().folders(&[glob.to_owned()]).unwrap();
            selection.takes_folder(&Folder::parse(folder).unwrap())
        };
        assert!(takes("inbox", "INBOX") && takes("Work*", "Work/2024"));
        assert!(!takes("Work", "Work/2024") && !takes("work", "Work"));
        assert!(Selection::default().takes_folder(&Folder::inbox()));
        let refused = Selection::default().folders(&["a[".to_owned()]);
        assert_eq!(refused.unwrap_err().code, Code::Usage);
    }

    #[test]
    fn days_are_utc_and_half_open() {
        let days = Selection::default().days(Some("1970-01-02"), Some("1970-01-03"));
        let days = days.unwrap();
        let taken = [86_399, 86_400, 172_799, 172_800].map(|epoch| days.takes_date(at(epoch)));
        assert_eq!(taken, [false, true, true, false]);
        assert!(days.takes_date(None));
        for (since, before) in [("1970-02-30", "1971-01-01"), ("1971-01-01", "1971-01-01")] {
            let refused = Selection::default().days(Some(since), Some(before));
            assert_eq!(refused.unwrap_err().code, Code::Usage);
        }
    }

    #[test]
    fn the_header_is_searched() {
        let search = Selection::default().search(Some("from:budi")).unwrap();
        assert!(search.takes_head(b"From: Budi\r\n\r\n") && !search.takes_head(b"To: budi\r\n"));
        assert!(Selection::default().takes_head(b""));
        assert!(Selection::default().search(Some(" ")).is_err());
    }
}
