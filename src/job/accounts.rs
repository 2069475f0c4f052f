//! The CSV of accounts: one account a line, its columns usable in the job.

use super::error::{Faults, JobError, Place, quoted};
use super::fill::is_column;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// One line of the CSV.
pub(super) struct Row {
    pub(super) csv: PathBuf,
    /// Its line, from 1; the header row is 1.
    pub(super) number: u64,
    cells: Vec<(String, String)>,
}

impl Row {
    pub(super) fn new(csv: PathBuf, number: u64, cells: Vec<(String, String)>) -> Self {
        Row { csv, number, cells }
    }

    pub(super) fn get(&self, column: &str) -> Option<&str> {
        let cell = self.cells.iter().find(|(name, _)| name == column);
        cell.map(|(_, value)| value.as_str())
    }

    pub(super) fn columns(&self) -> Vec<&str> {
        self.cells.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// What the account is called: its `name`, else its `user`.
    pub(super) fn account(&self) -> &str {
        let name = self.get("name").filter(|name| !name.is_empty());
        name.or_else(|| self.get("user")).unwrap_or_default()
    }

    pub(super) fn csv_place(&self) -> Place {
        Place::Csv {
            csv: self.csv.clone(),
            row: self.number,
        }
    }
}

/// Reads the CSV (UTF-8; commas, or semicolons where the header has no comma). Faults are told with its lines.
pub(super) fn read(csv: &Path, at: &Place, faults: &mut Faults) -> Vec<Row> {
    let bytes = match std::fs::read(csv) {
        Ok(bytes) => bytes,
        Err(e) => {
            let message = format!("cannot read {}: {e}", csv.display());
            faults.add(at, "accounts", message);
            return Vec::new();
        }
    };
    let rows = rows(csv, &bytes, faults);
    check_names(&rows, faults);
    rows
}

fn rows(csv: &Path, bytes: &[u8], faults: &mut Faults) -> Vec<Row> {
    // Spreadsheets write a byte order mark.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let head = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    let semicolons = head.contains(&b';') && !head.contains(&b',');
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(if semicolons { b';' } else { b',' })
        .trim(csv::Trim::All)
        .from_reader(bytes);
    let Some(columns) = columns(csv, &mut reader, faults) else {
        return Vec::new();
    };
    let mut rows = Vec::new();
    for record in reader.records() {
        match record {
            Ok(record) => {
                let number = record.position().map_or(0, csv::Position::line);
                let cells = columns.iter().cloned();
                let cells = cells.zip(record.iter().map(str::to_owned)).collect();
                rows.push(Row::new(csv.to_owned(), number, cells));
            }
            Err(e) => told(csv, &e, columns.len(), faults),
        }
    }
    if rows.is_empty() && faults.is_empty() {
        let place = place(csv, 1);
        faults.add(&place, "", "expected a line for each account, found none");
    }
    rows
}

fn columns(
    csv: &Path,
    reader: &mut csv::Reader<&[u8]>,
    faults: &mut Faults,
) -> Option<Vec<String>> {
    let header = match reader.headers() {
        Ok(header) => header,
        Err(e) => {
            told(csv, &e, 0, faults);
            return None;
        }
    };
    let names: Vec<String> = header.iter().map(str::to_owned).collect();
    let mut seen = HashSet::new();
    for name in &names {
        if !is_column(name) {
            let message = format!(
                "expected a column name of letters, digits, - and _, found {}",
                quoted(name)
            );
            let hint = "the first line names the columns, as in name,user,host";
            faults.add_try(&place(csv, 1), "", message, hint);
        } else if !seen.insert(name) {
            let message = format!("the column {} is there twice", quoted(name));
            faults.add(&place(csv, 1), "", message);
        }
    }
    if !names.iter().any(|name| name == "name" || name == "user") {
        let message = "expected a column `name` or `user`, found neither";
        let hint = "an account is called by its name, else by its user";
        faults.add_try(&place(csv, 1), "", message, hint);
    }
    Some(names)
}

/// A line that cannot be read; its text is not quoted, since a cell may hold a secret.
fn told(csv: &Path, e: &csv::Error, columns: usize, faults: &mut Faults) {
    let line = e.position().map_or(1, csv::Position::line);
    let message = match e.kind() {
        csv::ErrorKind::UnequalLengths { len, .. } => {
            format!("expected {columns} cells as in the first line, found {len}")
        }
        csv::ErrorKind::Utf8 { .. } => "expected UTF-8, found other bytes".to_owned(),
        _ => "not CSV".to_owned(),
    };
    faults.add(&place(csv, line), "", message);
}

fn place(csv: &Path, row: u64) -> Place {
    Place::Csv {
        csv: csv.to_owned(),
        row,
    }
}

/// Names are told apart without regard to case: they become directory names, also where file systems fold case.
fn check_names(rows: &[Row], faults: &mut Faults) {
    let mut seen = HashSet::new();
    for row in rows {
        let name = row.account();
        if !is_name(name) {
            let message = format!("expected a name for the account, found {}", quoted(name));
            let hint = "letters, digits and what a file name may hold; not / or \\, no dot first";
            faults.add_try(&row.csv_place(), "name", message, hint);
        } else if !seen.insert(name.to_lowercase()) {
            let message = format!("the account {} is there twice", quoted(name));
            let hint = "give each its own name in a column `name`";
            faults.add_try(&row.csv_place(), "name", message, hint);
        }
    }
}

fn is_name(name: &str) -> bool {
    let bad = |c: char| c.is_control() || c == '/' || c == '\\';
    (1..=200).contains(&name.len()) && !name.starts_with('.') && !name.contains(bad)
}

/// The accounts asked for by name, or which names there are not.
pub(super) fn unknown_account(path: &Path, name: &str, known: &[&str]) -> JobError {
    let hint = match super::error::nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean {}?", quoted(near)),
        None => format!("this job has {}", some_of(known)),
    };
    JobError {
        path: path.to_owned(),
        place: Place::Whole,
        key: "accounts".to_owned(),
        message: format!("no account {} in this job", quoted(name)),
        hint: Some(hint),
    }
}

fn some_of(known: &[&str]) -> String {
    let mut some: Vec<String> = known.iter().take(5).map(|name| quoted(name)).collect();
    if known.len() > 5 {
        some.push(format!("and {} more", known.len() - 5));
    }
    some.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> (Vec<Row>, Vec<String>) {
        let mut faults = Faults::new(Path::new("j.toml"));
        let rows = rows(Path::new("users.csv"), text.as_bytes(), &mut faults);
        check_names(&rows, &mut faults);
        let errors = faults.into_errors();
        (rows, errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn rows_have_names_lines_and_cells() {
        let (rows, errors) = read_text("\u{feff}name,user\nB, budi@x \n,siti\n");
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!((rows[0].account(), rows[0].number), ("B", 2));
        assert_eq!(rows[0].get("user"), Some("budi@x"));
        assert_eq!((rows[1].account(), rows[1].number), ("siti", 3));
        let (rows, _) = read_text("name;user\nB;budi\n");
        assert_eq!(rows[0].get("user"), Some("budi"));
    }

    #[test]
    fn every_bad_line_is_told() {
        let (_, errors) = read_text("name,user\na\nb,c,d\ne,f\nE,g\n../x,h\n");
        assert_eq!(errors.len(), 4, "{errors:?}");
        assert!(errors[0].starts_with("users.csv:2: expected 2 cells"));
        assert!(errors[1].starts_with("users.csv:3: expected 2 cells"));
        assert!(errors[2].starts_with("users.csv:5: name: the account \"E\" is there twice"));
        assert!(errors[3].starts_with("users.csv:6: name: expected a name"));
    }

    #[test]
    fn a_bad_header_is_told() {
        assert!(read_text("name,na me\na,b\n").1[0].contains("column name"));
        assert!(read_text("user,user\na,b\n").1[0].contains("twice"));
        assert!(read_text("host\na\n").1[0].contains("`name` or `user`"));
        assert!(read_text("user\n").1[0].contains("found none"));
    }

    #[test]
    fn an_unknown_account_is_told_with_the_nearest() {
        let error = unknown_account(Path::new("j.toml"), "budy", &["budi", "siti"]);
        assert_eq!(error.hint.as_deref(), Some("did you mean \"budi\"?"));
        let error = unknown_account(Path::new("j.toml"), "xx", &["budi", "siti"]);
        assert_eq!(
            error.hint.as_deref(),
            Some("this job has \"budi\", \"siti\"")
        );
    }
}
