//! What the journal knows, for people.

use super::summary::trouble_line;
use super::table::{Column, table};
use super::units::{count, instant, number, si};
use super::{Paint, text};
use crate::outcome::{Trouble, Usage};

/// Runs shown; `--json` has them all.
const MOST_RUNS: usize = 5;

/// One run as the journal remembers it.
#[derive(Debug, Clone)]
pub struct RunStatus {
    pub run: i64,
    /// Epoch seconds.
    pub started: i64,
    /// Epoch seconds; `None`: it never came to its end, or it is running.
    pub ended: Option<i64>,
    /// Messages that it copied, where it left a summary.
    pub copied: Option<u64>,
    /// The run that it undid, and the messages that it took back.
    pub undid: Option<(i64, u64)>,
}

/// One source folder as the journal knows it.
#[derive(Debug, Clone, Default)]
pub struct FolderStatus {
    pub folder: String,
    /// Messages of the source that the journal knows.
    pub known: u64,
    pub delivered: u64,
    /// Rejected or failed.
    pub failed: u64,
    /// In a batch whose end no run has seen.
    pub in_doubt: u64,
}

/// One account's journal.
#[derive(Debug, Clone, Default)]
pub struct Status {
    pub account: String,
    /// The latest first.
    pub runs: Vec<RunStatus>,
    /// Of today, for ends whose day has a limit.
    pub usage: Vec<Usage>,
    pub folders: Vec<FolderStatus>,
    pub failed: Vec<Trouble>,
}

/// The account's last runs and its folders, in lines.
#[must_use]
pub fn lines(status: &Status, paint: Paint) -> Vec<String> {
    let mut lines = vec![paint.strong(&text(&status.account))];
    if status.runs.is_empty() {
        lines.push("no run yet".to_owned());
    }
    lines.extend(status.runs.iter().take(MOST_RUNS).map(run_line));
    if let Some(earlier) = status.runs.len().checked_sub(MOST_RUNS).filter(|&n| n > 0) {
        let runs = count(earlier as u64, "earlier run");
        lines.push(format!("… and {runs} (--json lists all)"));
    }
    lines.extend(status.usage.iter().map(usage_line));
    lines.extend(folders(&status.folders));
    let in_doubt: u64 = status.folders.iter().map(|f| f.in_doubt).sum();
    if in_doubt > 0 {
        let doubt = format!(
            "{} in doubt, settled by the next run",
            count(in_doubt, "message")
        );
        lines.push(paint.dubious(&doubt));
    }
    lines
}

/// `today (UTC): 312.0 MB of 500.0 MB stored at imap://b@c`.
fn usage_line(usage: &Usage) -> String {
    let did = if usage.way == "up" {
        "stored at"
    } else {
        "read from"
    };
    let since = usage.paused.map(instant);
    let since = since.map_or_else(String::new, |since| format!(", used up since {since}"));
    format!(
        "today (UTC): {} of {} {did} {}{since}",
        si(usage.bytes),
        si(usage.per_day),
        text(&usage.end)
    )
}

fn run_line(run: &RunStatus) -> String {
    let ended = run.ended.map_or_else(
        || ", no end recorded (it goes on, or was killed)".to_owned(),
        |end| format!(" to {}", instant(end)),
    );
    let copied = run
        .copied
        .map(|n| format!(", {} copied", count(n, "message")))
        .unwrap_or_default();
    let undid = run
        .undid
        .map(|(of, messages)| format!(", {} of run {of} taken back", count(messages, "message")));
    let undid = undid.unwrap_or_default();
    format!(
        "run {}: {}{ended}{copied}{undid}",
        run.run,
        instant(run.started)
    )
}

fn folders(folders: &[FolderStatus]) -> Vec<String> {
    if folders.is_empty() {
        return Vec::new();
    }
    let columns = [
        Column::text("Folder"),
        Column::number("Known"),
        Column::number("Delivered"),
        Column::number("Not copied"),
        Column::number("In doubt"),
    ];
    let rows: Vec<Vec<String>> = folders
        .iter()
        .map(|f| {
            let numbers = [f.known, f.delivered, f.failed, f.in_doubt].map(number);
            std::iter::once(text(&f.folder)).chain(numbers).collect()
        })
        .collect();
    table(&columns, &rows)
}

/// The account's messages that were not copied, a line each.
#[must_use]
pub fn failed(status: &Status, paint: Paint) -> Vec<String> {
    if status.failed.is_empty() {
        return vec![format!(
            "{}: every known message was copied",
            text(&status.account)
        )];
    }
    let title = paint.strong(&text(&status.account));
    let lines = status.failed.iter().map(|t| trouble_line(t, paint));
    std::iter::once(title).chain(lines).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Outcome;
    use crate::render::samples::trouble;

    fn status() -> Status {
        Status {
            account: "budi".into(),
            runs: vec![RunStatus {
                run: 2,
                started: 0,
                ended: None,
                copied: None,
                undid: None,
            }],
            usage: Vec::new(),
            folders: vec![FolderStatus {
                folder: "INBOX".into(),
                known: 1300,
                delivered: 1200,
                failed: 1,
                in_doubt: 50,
            }],
            failed: vec![trouble(Outcome::Failed)],
        }
    }

    #[test]
    fn runs_folders_and_doubts() {
        let shown = lines(&status(), Paint::PLAIN);
        assert_eq!(
            shown[1],
            "run 2: 1970-01-01 00:00 UTC, no end recorded (it goes on, or was killed)"
        );
        let cells: Vec<&str> = shown[3].split_whitespace().collect();
        assert_eq!(cells, ["INBOX", "1,300", "1,200", "1", "50"]);
        assert_eq!(shown[4], "50 messages in doubt, settled by the next run");
    }

    #[test]
    fn what_a_day_has_left_is_told() {
        let mut status = status();
        status.usage.push(Usage {
            end: "imap://b@c".into(),
            way: "up",
            bytes: 312_000_000,
            per_day: 500_000_000,
            paused: None,
        });
        let shown = lines(&status, Paint::PLAIN);
        assert_eq!(
            shown[2],
            "today (UTC): 312.0 MB of 500.0 MB stored at imap://b@c"
        );
    }

    #[test]
    fn runs_that_are_not_shown_are_told() {
        let mut status = status();
        let run = status.runs[0].clone();
        status.runs = vec![run; MOST_RUNS];
        assert!(
            lines(&status, Paint::PLAIN)
                .iter()
                .all(|l| !l.contains("earlier"))
        );
        let one = status.runs[0].clone();
        status.runs.extend([one.clone(), one]);
        let shown = lines(&status, Paint::PLAIN);
        assert_eq!(
            shown[1 + MOST_RUNS],
            "… and 2 earlier runs (--json lists all)"
        );
    }

    #[test]
    fn failed_messages_are_named() {
        let shown = failed(&status(), Paint::PLAIN);
        assert!(shown[1].starts_with("failed: INBOX 4711 <one@example.org>: NO"));
        assert!(!shown[1].contains('\x1b'));
        let none = failed(
            &Status {
                account: "a".into(),
                ..Status::default()
            },
            Paint::PLAIN,
        );
        assert_eq!(none, ["a: every known message was copied"]);
    }

    #[test]
    fn an_empty_journal_says_so() {
        assert_eq!(lines(&Status::default(), Paint::PLAIN)[1], "no run yet");
    }
}
