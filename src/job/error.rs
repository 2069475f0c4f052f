//! What is wrong with a job file: every fault at once, each with its place, its key and a way out.

use crate::error::{Code, Error, Kind};
use std::fmt;
use std::path::{Path, PathBuf};

/// Where in the job something was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Place {
    /// The file as a whole: it cannot be read, or something is missing from it.
    #[default]
    Whole,
    /// Line and column in the job file, both from 1; the column counts characters.
    At { line: usize, column: usize },
    /// The job file said it, with a text that came from this line of the CSV of accounts.
    Row {
        line: usize,
        column: usize,
        csv: PathBuf,
        row: u64,
    },
    /// A line of the CSV of accounts itself.
    Csv { csv: PathBuf, row: u64 },
    /// `--set KEY=…` on the command line.
    Set(String),
}

/// One fault of a job. Its text is plain and safe to print: what was found is escaped and cut, and the value of a
/// `password` is never in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobError {
    pub path: PathBuf,
    pub place: Place,
    /// `source.port`; empty for what concerns the file as a whole.
    pub key: String,
    /// What was expected, and what was found.
    pub message: String,
    pub hint: Option<String>,
}

/// `JOB.toml:7:8: source.port: expected …, found …`, and `  try: …` on a line of its own.
impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.place {
            Place::Whole => write!(f, "{path}")?,
            Place::At { line, column } => write!(f, "{path}:{line}:{column}")?,
            Place::Row {
                line,
                column,
                csv,
                row,
            } => write!(f, "{path}:{line}:{column} (with {}:{row})", csv.display())?,
            Place::Csv { csv, row } => write!(f, "{}:{row}", csv.display())?,
            Place::Set(key) => write!(f, "--set {key}")?,
        }
        if !self.key.is_empty() && !matches!(&self.place, Place::Set(key) if *key == self.key) {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  try: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for JobError {}

/// All faults as one error of `Kind::Job`, a fault (and its `try:`) a line.
#[must_use]
pub fn one_error(errors: &[JobError]) -> Error {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    Error::new(Kind::Job, Code::Job, lines.join("\n"))
}

/// Collects faults while a job is checked; the same fault (for every line of a CSV, say) is kept once.
pub(super) struct Faults {
    path: PathBuf,
    found: Vec<JobError>,
    told: usize,
}

impl Faults {
    pub(super) fn new(path: &Path) -> Self {
        Faults {
            path: path.to_owned(),
            found: Vec::new(),
            told: 0,
        }
    }

    pub(super) fn add(&mut self, place: &Place, key: &str, message: impl Into<String>) {
        self.push(place, key, message.into(), None);
    }

    pub(super) fn add_try(
        &mut self,
        place: &Place,
        key: &str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.push(place, key, message.into(), Some(hint.into()));
    }

    fn push(&mut self, place: &Place, key: &str, message: String, hint: Option<String>) {
        self.told += 1;
        let error = JobError {
            path: self.path.clone(),
            place: place.clone(),
            key: key.to_owned(),
            message,
            hint,
        };
        if !self.found.contains(&error) {
            self.found.push(error);
        }
    }

    /// How often a fault was told, those that were known already included.
    pub(super) fn told(&self) -> usize {
        self.told
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All faults in the order of the file.
    pub(super) fn into_errors(mut self) -> Vec<JobError> {
        self.found.sort_by(|a, b| a.place.cmp(&b.place));
        self.found
    }
}

/// A text of the job as an error shows it: quoted, controls escaped, cut at 60 characters.
pub(super) fn quoted(text: &str) -> String {
    let cut: String = text.chars().take(60).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("{cut:?}{more}")
}

/// `, did you mean …` material: the word of `known` nearest to `word`, if any is near.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|k| (strsim::normalized_damerau_levenshtein(word, k), k))
        .filter(|(likeness, k)| *likeness >= 0.6 || strsim::jaro_winkler(word, k) >= 0.88)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, k)| k)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(place: Place) -> JobError {
        JobError {
            path: "job.toml".into(),
            place,
            key: "source.port".into(),
            message: "expected a number".into(),
            hint: None,
        }
    }

    #[test]
    fn every_place_is_told() {
        let at = Place::At { line: 7, column: 8 };
        assert_eq!(
            error(at).to_string(),
            "job.toml:7:8: source.port: expected a number"
        );
        assert_eq!(
            error(Place::Set("source.port".into())).to_string(),
            "--set source.port: expected a number"
        );
        let row = Place::Row {
            line: 7,
            column: 8,
            csv: "users.csv".into(),
            row: 3,
        };
        assert!(
            error(row)
                .to_string()
                .starts_with("job.toml:7:8 (with users.csv:3): ")
        );
        let csv = Place::Csv {
            csv: "users.csv".into(),
            row: 3,
        };
        assert!(error(csv).to_string().starts_with("users.csv:3: "));
    }

    #[test]
    fn what_is_found_is_escaped_and_cut() {
        assert_eq!(quoted("a\u{1b}[2J\u{202e}"), r#""a\u{1b}[2J\u{202e}""#);
        assert_eq!(quoted(&"x".repeat(80)), format!("\"{}\"…", "x".repeat(60)));
    }

    #[test]
    fn the_nearest_word_is_near() {
        assert_eq!(nearest("prot", ["host", "port", "user"]), Some("port"));
        assert_eq!(nearest("pasword", ["password", "user"]), Some("password"));
        assert_eq!(nearest("zzz", ["password", "user"]), None);
    }

    #[test]
    fn a_fault_is_told_once_and_in_order() {
        let mut faults = Faults::new(Path::new("j"));
        faults.add(&Place::At { line: 2, column: 1 }, "b", "later");
        faults.add(&Place::At { line: 1, column: 9 }, "a", "earlier");
        faults.add(&Place::At { line: 2, column: 1 }, "b", "later");
        let keys: Vec<_> = faults.into_errors().into_iter().map(|e| e.key).collect();
        assert_eq!(keys, ["a", "b"]);
    }
}
