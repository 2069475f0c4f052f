//! The end of a run: the balance sheet, what went wrong, what to do now.

use super::table::{Column, fitted, table};
use super::units::{bytes, count, duration, number, rate};
use super::{Paint, balance, errors, text};
use crate::outcome::{AccountReport, Counts, FolderReport, Outcome, Trouble};
use std::time::Duration;

/// Folders shown one a line; the rest in one line together.
const MOST_FOLDERS: usize = 40;

/// Troubled messages shown; `status --failed` has them all.
const MOST_TROUBLE: usize = 20;

/// How a summary is written.
#[derive(Debug, Clone, Copy)]
pub struct Style<'a> {
    /// The job file as the user named it, for the commands in `try:` lines.
    pub job: &'a str,
    pub paint: Paint,
    /// Characters in a line of the terminal; `None`: no terminal, then nothing is shortened.
    pub width: Option<usize>,
}

/// One account's summary, in lines; its errors are told by [`errors()`].
#[must_use]
pub fn account(report: &AccountReport, style: Style<'_>) -> Vec<String> {
    let mut lines = vec![style.paint.strong(&text(&report.account))];
    if report.error.is_some() && report.folders.is_empty() {
        lines.push("ended before any folder was begun: nothing was copied".to_owned());
        return lines;
    }
    lines.extend(folder_table(report, style.width));
    if let Some(line) = nothing_to_do(report) {
        lines.push(style.paint.good(&line));
    }
    lines.push(balance::line(report.source_count(), &report.counts()));
    lines.extend(flags_line(report));
    lines.push(speed_line(report));
    lines.extend(after_line(report));
    lines.extend(vanished_line(report));
    lines.extend(fingerprint_line(report, style.paint));
    lines.extend(trouble_lines(&report.trouble, report, style.paint));
    lines.extend(next_steps(report, style));
    lines
}

/// All accounts together; nothing for fewer than two.
#[must_use]
pub fn accounts(reports: &[AccountReport], elapsed: Duration) -> Vec<String> {
    if reports.len() < 2 {
        return Vec::new();
    }
    let mut counts = Counts::default();
    reports.iter().for_each(|r| counts.merge(&r.counts()));
    let source_count = reports.iter().map(AccountReport::source_count).sum();
    let ended_early = reports.iter().filter(|r| r.error.is_some()).count() as u64;
    let all = reports.len() as u64;
    vec![
        format!(
            "{}: {} to their end, {} not",
            count(all, "account"),
            number(all - ended_early),
            number(ended_early)
        ),
        balance::line(source_count, &counts),
        format!(
            "{} in {}",
            bytes(delivered_bytes(reports)),
            duration(elapsed)
        ),
    ]
}

fn delivered_bytes(reports: &[AccountReport]) -> u64 {
    reports
        .iter()
        .flat_map(|report| &report.folders)
        .map(|folder| folder.bytes)
        .sum()
}

/// The line of a run that found nothing to copy, change or tell.
fn nothing_to_do(report: &AccountReport) -> Option<String> {
    let counts = report.counts();
    let idle = [Outcome::Present, Outcome::Duplicate, Outcome::Skipped];
    let idle: u64 = idle.iter().map(|&outcome| counts.of(outcome)).sum();
    let flags: u64 = report.folders.iter().map(|f| f.flags_changed).sum();
    let failed = report.error.is_some() || report.folders.iter().any(|f| f.error.is_some());
    if failed || flags > 0 || idle != report.source_count() || idle != counts.total() {
        return None;
    }
    let there = counts.of(Outcome::Present);
    let wanted = if is_plain(&counts) {
        ""
    } else {
        " to be copied"
    };
    Some(match there {
        0 if idle == 0 => "nothing to do: the source holds no messages".to_owned(),
        0 => "nothing to do: no message is to be copied".to_owned(),
        // The journal's word counts: what was deleted at the destination since is for `verify` to find.
        1 => format!("nothing to do: the 1 message{wanted} was delivered before, or found there"),
        n => format!(
            "nothing to do: all {} messages{wanted} were delivered before, or found there",
            number(n)
        ),
    })
}

/// Is every message simply there?
fn is_plain(counts: &Counts) -> bool {
    counts.of(Outcome::Present) == counts.total()
}

fn folder_table(report: &AccountReport, width: Option<usize>) -> Vec<String> {
    let busy: Vec<&FolderReport> = report.folders.iter().filter(|f| has_news(f)).collect();
    let renamed = busy.iter().any(|f| f.folder != f.to);
    if busy.len() < 2 && !renamed {
        return Vec::new();
    }
    let columns = vec![
        Column::text("Folder"),
        Column::text("To"),
        Column::number("Messages"),
        Column::number("Copied"),
        Column::number("Already there"),
        Column::number("Other"),
        Column::number("Not copied"),
        Column::whole("Fingerprint"),
    ];
    let rows: Vec<Vec<String>> = busy
        .iter()
        .take(MOST_FOLDERS)
        .map(|f| folder_row(f))
        .collect();
    let mut lines = match width {
        Some(width) => narrow(columns, rows.clone(), width, renamed),
        None => table(&columns, &rows),
    };
    let hidden = report.folders.len() - rows.len();
    if hidden > 0 {
        lines.push(format!("  … and {}", count(hidden as u64, "other folder")));
    }
    lines
}

fn has_news(folder: &FolderReport) -> bool {
    let counts = folder.counts;
    counts.of(Outcome::Present) != counts.total()
        || folder.source_count != counts.total()
        || folder.flags_changed > 0
        || folder.error.is_some()
}

/// The same in a terminal: where it is too wide, what says nothing goes, and of the fingerprints only whether they are equal stays.
fn narrow(
    mut columns: Vec<Column>,
    mut rows: Vec<Vec<String>>,
    width: usize,
    renamed: bool,
) -> Vec<String> {
    let whole = table(&columns, &rows);
    if whole.iter().all(|line| line.chars().count() <= width) {
        return whole;
    }
    for cell in rows.iter_mut().filter_map(|row| row.last_mut()) {
        *cell = match cell.as_str() {
            "" => "",
            told if told.ends_with(" equal") => "equal",
            _ => "not equal",
        }
        .to_owned();
    }
    let idle = |at: usize| rows.iter().all(|row| row[at] == "0");
    let kept: Vec<bool> = columns
        .iter()
        .enumerate()
        .map(|(at, column)| match column.title {
            "To" => renamed,
            "Already there" | "Other" | "Not copied" => !idle(at),
            _ => true,
        })
        .collect();
    let mut at = kept.iter();
    columns.retain(|_| at.next().copied().unwrap_or(true));
    for row in &mut rows {
        let mut at = kept.iter();
        row.retain(|_| at.next().copied().unwrap_or(true));
    }
    fitted(&columns, &rows, width)
}

fn folder_row(folder: &FolderReport) -> Vec<String> {
    let counts = &folder.counts;
    let shown = [Outcome::Copied, Outcome::Present].map(|outcome| counts.of(outcome));
    let not_copied = balance::not_copied(counts);
    let other = counts.total() - shown[0] - shown[1] - not_copied;
    vec![
        text(&folder.folder),
        text(&folder.to),
        number(folder.source_count),
        number(shown[0]),
        number(shown[1]),
        number(other),
        number(not_copied),
        fingerprint(folder),
    ]
}

/// 16 hex digits, and whether both sides have them.
fn fingerprint(folder: &FolderReport) -> String {
    match (&folder.read, &folder.delivered) {
        (Some(read), Some(delivered)) if read == delivered => format!("{} equal", short(read)),
        (Some(read), Some(delivered)) => format!("{} / {}", short(read), short(delivered)),
        _ => String::new(),
    }
}

fn short(hex: &str) -> String {
    hex.chars().take(16).collect()
}

/// Says whether what was read is what is known to be delivered, over all folders that have both fingerprints.
fn fingerprint_line(report: &AccountReport, paint: Paint) -> Option<String> {
    let known: Vec<&FolderReport> = report
        .folders
        .iter()
        .filter(|f| f.read.is_some() && f.delivered.is_some())
        .collect();
    let differing = known.iter().filter(|f| f.read != f.delivered).count() as u64;
    let undone = report.folders.iter().filter(|f| is_undone(f)).count();
    match (known.as_slice(), differing) {
        (known, 0) if undone > 0 && !known.is_empty() => Some(format!(
            "fingerprints of what was read and what is delivered: equal so far; {} not done",
            count(undone as u64, "folder")
        )),
        ([], _) => None,
        ([one], 0) => Some(format!("fingerprint {}", fingerprint(one))),
        ([one], _) => Some(paint.dubious(&format!(
            "fingerprint of what was read / is delivered: {}, not equal",
            fingerprint(one)
        ))),
        (_, 0) => Some("fingerprints of what was read and what is delivered: equal".to_owned()),
        _ => Some(paint.dubious(&format!(
            "fingerprints of what was read and what is delivered: not equal in {}",
            count(differing, "folder")
        ))),
    }
}

/// Is there mail in it that was not, or not all, seen to?
fn is_undone(folder: &FolderReport) -> bool {
    folder.source_count > 0
        && (folder.error.is_some() || folder.counts.total() < folder.source_count)
}

fn flags_line(report: &AccountReport) -> Option<String> {
    let changed: u64 = report.folders.iter().map(|f| f.flags_changed).sum();
    (changed > 0).then(|| format!("flags changed: {}", number(changed)))
}

fn vanished_line(report: &AccountReport) -> Option<String> {
    (report.vanished > 0).then(|| {
        format!(
            "gone from the source, and so in the archive as `on-vanish` says: {}",
            count(report.vanished, "message")
        )
    })
}

fn after_line(report: &AccountReport) -> Option<String> {
    (report.after > 0).then(|| {
        format!(
            "at the source, as the job's `after` says: {}",
            count(report.after, "message")
        )
    })
}

fn speed_line(report: &AccountReport) -> String {
    let done = delivered_bytes(std::slice::from_ref(report));
    let line = format!("{} in {}", bytes(done), duration(report.elapsed));
    match rate(done, report.elapsed) {
        Some(rate) if done > 0 => format!("{line} ({rate})"),
        _ => line,
    }
}

fn trouble_lines(trouble: &[Trouble], report: &AccountReport, paint: Paint) -> Vec<String> {
    let mut lines: Vec<String> = trouble
        .iter()
        .take(MOST_TROUBLE)
        .map(|one| trouble_line(one, paint))
        .collect();
    let counts = report.counts();
    let all =
        (balance::not_copied(&counts) + counts.of(Outcome::Altered)).max(trouble.len() as u64);
    let hidden = all - lines.len() as u64;
    if hidden > 0 && !lines.is_empty() {
        lines.push(format!("… and {} more", number(hidden)));
    }
    lines
}

/// `rejected: INBOX 4711 <id@host>: the server's words`, what is unknown left out.
#[must_use]
pub fn trouble_line(trouble: &Trouble, paint: Paint) -> String {
    let word = if trouble.outcome.is_trouble() {
        paint.bad(trouble.outcome.words())
    } else {
        paint.dubious(trouble.outcome.words())
    };
    let mut line = format!("{word}: {} {}", text(&trouble.folder), text(&trouble.key));
    for (before, part) in [(" ", &trouble.message_id), (": ", &trouble.words)] {
        if !part.trim().is_empty() {
            line.push_str(before);
            line.push_str(&text(part.trim()));
        }
    }
    line
}

/// What ended folders, or the account, early: for stderr.
#[must_use]
pub fn errors(report: &AccountReport, paint: Paint) -> Vec<String> {
    let folders = report.folders.iter().filter_map(|folder| {
        let error = folder.error.as_ref()?;
        Some(errors::account_error(&folder.folder, error, paint))
    });
    let ended = report.error.iter();
    let ended = ended.map(|e| errors::account_error(&report.account, e, paint));
    folders.chain(ended).collect()
}

fn next_steps(report: &AccountReport, style: Style<'_>) -> Vec<String> {
    let job = style.job;
    let counts = report.counts();
    let mut steps = Vec::new();
    // An error that says itself what to do was told with it.
    let unsaid = report.error.as_ref().is_some_and(|e| e.hint.is_none());
    let short = report.error.is_none() && report.unaccounted() > 0;
    if counts.of(Outcome::Failed) > 0 || unsaid || short {
        steps.push(format!("mailhaul run {job} (goes on where this run ended)"));
    }
    // What a folder that failed as a whole, or a server that lists less than it counts, left uncopied is not known one by one.
    let named = |trouble: &Trouble| trouble.outcome.is_trouble() && !trouble.key.is_empty();
    if report.trouble.iter().any(named) {
        steps.push(format!(
            "mailhaul status {job} --failed (names every message not copied)"
        ));
    }
    steps
        .iter()
        .map(|step| errors::attempt(step, style.paint))
        .collect()
}

#[cfg(test)]
#[path = "summary_tests.rs"]
mod tests;
