//! An archive's contents and what was done with it, for people.

use super::table::{Column, cut, table};
use super::units::{bytes, count, number, rate};
use super::{Paint, own, text};
use crate::archive::{Checked, Exported, Finding, Listed, Rebuilt, Total, Wrong};
use crate::message::text::safe;
use crate::message::{Attachment, Flags, InternalDate, Readable};
use std::path::Path;
use std::time::Duration;

/// Widest sender in a list.
const SENDER: usize = 24;
/// Headers that a reader sees first, in this order.
const FIRST: [&str; 6] = ["Date", "From", "To", "Cc", "Reply-To", "Subject"];
const TAB: usize = 8;

/// A line a folder, and the sum.
#[must_use]
pub fn totals(totals: &[Total], paint: Paint) -> Vec<String> {
    let columns = [
        Column::whole("Folder"),
        Column::number("Messages"),
        Column::number("Size"),
    ];
    let row = |t: &Total| {
        vec![
            text(&t.folder.to_string()),
            number(t.messages),
            bytes(t.bytes),
        ]
    };
    let rows: Vec<Vec<String>> = totals.iter().map(row).collect();
    let mut lines = table(&columns, &rows);
    let sum = format!(
        "{} in {}, {}",
        count(totals.iter().map(|t| t.messages).sum(), "message"),
        count(totals.len() as u64, "folder"),
        bytes(totals.iter().map(|t| t.bytes).sum())
    );
    lines.push(paint.strong(&sum));
    lines
}

/// One message in one line: number, date in its own zone, sender, subject, flags.
#[must_use]
pub fn listed(message: &Listed, paint: Paint) -> String {
    let sender = cut(&text(&message.from), SENDER);
    let subject = match message.missing {
        true => paint.bad("missing, or it cannot be read"),
        false => text(&message.subject),
    };
    let flags = flags(&message.flags);
    let date = message.date.map_or_else(String::new, date);
    let line = format!(
        "{:>7}  {date:16}  {sender:SENDER$}  {subject}{flags}",
        message.number
    );
    line.trim_end().to_owned()
}

/// `2024-05-01 10:11`, as the clock stood where it was written down.
fn date(date: InternalDate) -> String {
    let local = date
        .epoch
        .saturating_add(i64::from(date.offset_minutes) * 60);
    chrono::DateTime::from_timestamp(local, 0)
        .map_or_else(String::new, |at| at.format("%Y-%m-%d %H:%M").to_string())
}

/// `  [seen, Work]`.
fn flags(flags: &Flags) -> String {
    if flags.is_empty() {
        return String::new();
    }
    let word = |atom: &String| match atom.strip_prefix('\\') {
        Some(system) => system.to_lowercase(),
        None => text(atom),
    };
    let atoms = flags.atoms();
    let words = atoms.iter().chain(&flags.labels).map(word);
    let words: Vec<String> = words.collect();
    format!("  [{}]", words.join(", "))
}

/// A message to be read: its first headers, its text, its attachments.
#[must_use]
pub fn readable(message: &Readable, paint: Paint) -> Vec<String> {
    let first = FIRST
        .iter()
        .filter_map(|name| Some((*name, message.header(name)?)));
    let mut lines: Vec<String> = first
        .map(|(name, value)| header(name, value, paint))
        .collect();
    lines.push(String::new());
    if message.from_html {
        lines.push(paint.dubious("(HTML, shown as text)"));
    }
    lines.extend(message.text.trim_end().lines().map(line));
    if !message.attachments.is_empty() {
        lines.push(String::new());
        lines.extend(message.attachments.iter().map(|one| attachment(one, paint)));
    }
    lines
}

/// All header fields.
#[must_use]
pub fn headers(message: &Readable, paint: Paint) -> Vec<String> {
    let all = message.headers.iter();
    all.map(|(name, value)| header(name, value, paint))
        .collect()
}

fn header(name: &str, value: &str, paint: Paint) -> String {
    let name = paint.strong(&format!("{}:", text(name)));
    format!("{name} {}", safe(value.as_bytes(), usize::MAX))
}

/// A line of a message's text, tabs as spaces.
fn line(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for c in raw.trim_end_matches('\r').chars() {
        if c == '\t' {
            let to = (out.chars().count() / TAB + 1) * TAB;
            out.extend(std::iter::repeat_n(' ', to - out.chars().count()));
        } else {
            out.push(c);
        }
    }
    safe(out.as_bytes(), usize::MAX)
}

fn attachment(one: &Attachment, paint: Paint) -> String {
    let name = match one.name.as_str() {
        "" => "without a name".to_owned(),
        name => text(name),
    };
    let label = paint.strong("attachment:");
    format!(
        "{label} {name} ({}, {})",
        text(&one.media_type),
        bytes(one.size)
    )
}

/// What is wrong, a line each, and what was read at which speed.
#[must_use]
pub fn checked(checked: &Checked, elapsed: Duration, paint: Paint) -> Vec<String> {
    let mut lines: Vec<String> = checked.findings.iter().map(|f| finding(f, paint)).collect();
    let speed = rate(checked.bytes, elapsed).map_or_else(String::new, |rate| format!(", {rate}"));
    let read = format!(
        "{} in {}, {} read{speed}",
        count(checked.messages, "message"),
        count(checked.folders, "folder"),
        bytes(checked.bytes)
    );
    let end = match checked.findings.is_empty() {
        true => paint.good("nothing is wrong"),
        false => paint.bad(&sums(&checked.findings)),
    };
    lines.push(format!("{read}: {end}"));
    lines
}

/// `2 changed, 1 missing`.
fn sums(findings: &[Finding]) -> String {
    let sum = |wrong: &Wrong| {
        let n = findings.iter().filter(|f| f.wrong == *wrong).count();
        (n > 0).then(|| format!("{} {}", number(n as u64), word(*wrong)))
    };
    Wrong::ALL
        .iter()
        .filter_map(sum)
        .collect::<Vec<_>>()
        .join(", ")
}

fn word(wrong: Wrong) -> &'static str {
    match wrong {
        Wrong::Changed => "changed",
        Wrong::Missing => "missing",
        Wrong::Foreign => "foreign",
        Wrong::DamagedLine => "damaged lines",
        Wrong::Unfinished => "unfinished",
        Wrong::NotKept => "not kept",
        Wrong::Unreadable => "unreadable",
    }
}

fn finding(finding: &Finding, paint: Paint) -> String {
    let label = paint.bad(match finding.wrong {
        Wrong::DamagedLine => "damaged line",
        other => word(other),
    });
    let path = own(&finding.path);
    let number = finding
        .number
        .map_or_else(String::new, |n| format!(" line {n}"));
    let of = match (&finding.folder, finding.wrong) {
        (Some(folder), Wrong::Changed | Wrong::Missing) => {
            let n = finding.number.unwrap_or_default();
            format!(" ({} message {n})", text(&folder.to_string()))
        }
        (_, Wrong::DamagedLine) => number,
        _ => String::new(),
    };
    let words = finding
        .words
        .as_deref()
        .map_or_else(String::new, |w| format!(": {}", text(w)));
    format!("{label}: {path}{of}{words}")
}

/// What `rebuild` made, what it could not, and where the old journal is.
#[must_use]
pub fn rebuilt(rebuilt: &Rebuilt, paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    for one in &rebuilt.refilled {
        let what = if one.new {
            "had no sidecar"
        } else {
            "lacked lines in its sidecar"
        };
        let folder = text(&one.folder.to_string());
        let made = count(one.messages, "line");
        lines.push(format!("{folder} {what}: {made} made from mail/"));
    }
    for (place, why) in &rebuilt.left_out {
        lines.push(format!(
            "{}: {}: {}",
            paint.bad("left out"),
            own(place),
            text(why)
        ));
    }
    if rebuilt.without_source > 0 {
        let n = count(rebuilt.without_source, "message");
        let what =
            format!("{n} stay in the archive, but nobody knows any more where they came from");
        lines.push(paint.dubious(&what));
    }
    if let Some(old) = &rebuilt.old {
        lines.push(format!("the old journal is kept as {}", shown(old)));
    }
    let of = count(rebuilt.messages, "message");
    let folders = count(rebuilt.folders, "folder");
    lines.push(paint.good(&format!("journal rebuilt: {of} in {folders}")));
    lines
}

/// What was written, and what could not be.
#[must_use]
pub fn exported(exported: &Exported, to: &Path, paint: Paint) -> Vec<String> {
    let failed = exported.failed.iter();
    let mut lines: Vec<String> = failed
        .map(|(place, why)| format!("{}: {}: {why}", paint.bad("not exported"), own(place)))
        .collect();
    let written = exported.folders.iter().filter(|(_, n)| *n > 0).count();
    lines.push(format!(
        "{} of {}, {}, written to {}",
        count(exported.messages(), "message"),
        count(written as u64, "folder"),
        bytes(exported.bytes),
        shown(to)
    ));
    lines
}

fn shown(path: &Path) -> String {
    own(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::samples;

    #[test]
    fn a_message_takes_one_line() {
        let shown = listed(&samples::listed(), Paint::PLAIN);
        let expected = "     12  1970-01-01 01:30  Budi \u{fffd}[2J                 the rent\u{fffd}  [seen, Work]";
        assert_eq!(shown, expected);
        let gone = Listed {
            missing: true,
            date: None,
            flags: Flags::default(),
            ..samples::listed()
        };
        assert!(listed(&gone, Paint::PLAIN).ends_with("  missing, or it cannot be read"));
    }

    #[test]
    fn a_message_is_shown_without_what_steers_a_terminal() {
        let message = samples::readable();
        let shown = readable(&message, Paint::PLAIN);
        let expected = [
            "From: b",
            "Subject: a",
            "",
            "one     two\u{fffd}",
            "\u{fffd}last",
            "",
            "attachment: without a name (image/png, 3 B)",
        ];
        assert_eq!(shown, expected);
        let all = headers(&message, Paint::PLAIN);
        assert_eq!(all.len(), 4);
        assert_eq!(all[0], "X-Odd: \u{fffd}[1m");
    }

    #[test]
    fn findings_are_named_and_summed_up() {
        let shown = checked(&samples::checked(), Duration::from_secs(2), Paint::PLAIN);
        assert_eq!(shown.len(), 8);
        assert_eq!(
            shown[0],
            "changed: mail/cur/1.x\u{fffd}[2J (INBOX message 7)"
        );
        assert_eq!(shown[3], "damaged line: mail/cur/1.x\u{fffd}[2J line 7");
        let sum = "1,200 messages in 1 folder, 2.0 KiB read, 1.0 KiB/s: 1 changed, 1 missing, 1 foreign, \
                   1 damaged lines, 1 unfinished, 1 not kept, 1 unreadable";
        assert_eq!(shown[7], sum);
        let clean = checked(&Checked::default(), Duration::ZERO, Paint::PLAIN);
        assert_eq!(
            clean,
            ["0 messages in 0 folders, 0 B read: nothing is wrong"]
        );
    }

    #[test]
    fn what_was_made_and_what_was_not() {
        let shown = rebuilt(&samples::rebuilt(), Paint::PLAIN);
        let expected = [
            "INBOX had no sidecar: 3 lines made from mail/",
            "left out: mail/cur/1.x: changed",
            "3 messages stay in the archive, but nobody knows any more where they came from",
            "the old journal is kept as a/journal.db.before-rebuild-1",
            "journal rebuilt: 39 messages in 2 folders",
        ];
        assert_eq!(shown, expected);
        let shown = exported(&samples::exported(), Path::new("out"), Paint::PLAIN);
        let expected = [
            "not exported: mail/cur/1.x: missing",
            "2 messages of 1 folder, 2.0 KiB, written to out",
        ];
        assert_eq!(shown, expected);
    }
}
