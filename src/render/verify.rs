//! What a comparison of both ends found, for people.

use super::table::{Column, table};
use super::units::{count, duration, instant, number};
use super::{Paint, errors, own, text};
use crate::compare::{AccountCheck, Difference, FolderCheck, Kind, Level, Name, Tally};

/// One destination of one account, in lines. `strict`: what only the destination has is a difference too.
#[must_use]
pub fn lines(check: &AccountCheck, strict: bool, paint: Paint) -> Vec<String> {
    let mut lines = vec![title(check, paint)];
    lines.extend(
        check
            .differences
            .iter()
            .map(|d| difference(d, strict, paint)),
    );
    if check.untold > 0 {
        lines.push(format!(
            "… and {} more, not told one by one",
            count(check.untold, "difference")
        ));
    }
    lines.extend(folders(&check.folders));
    lines.extend(
        check
            .folders
            .iter()
            .flat_map(|folder| faults(folder, paint)),
    );
    lines.extend(fingerprints(check, paint));
    lines.extend(balance(check, strict, paint));
    lines
}

fn title(check: &AccountCheck, paint: Paint) -> String {
    let sources = check.sources.join(" + ");
    let sample = check
        .sample
        .map(|percent| format!(" (a sample of {percent} %)"))
        .unwrap_or_default();
    format!(
        "{}: {} → {}, compared by {}{sample}",
        paint.strong(&text(&check.account)),
        text(&sources),
        text(&check.destination),
        check.level.as_str(),
    )
}

/// `missing: INBOX UID 7 <id@host> 2015-01-01 00:00 UTC "Subject": delivered in run 2, and not there any more`.
fn difference(difference: &Difference, strict: bool, paint: Paint) -> String {
    let harmless = difference.kind == Kind::Extra && !strict;
    let kind = match harmless {
        true => difference.kind.as_str().to_owned(),
        false => paint.bad(difference.kind.as_str()),
    };
    let mut line = format!("{kind}: {}", place(difference));
    let name = difference.source.as_ref().or(difference.standing.as_ref());
    if let Some(name) = name {
        line.push_str(&naming(name));
    }
    if !difference.words.is_empty() {
        line.push_str(": ");
        line.push_str(&own(&difference.words));
    }
    line
}

/// Folder and key at the source, and where they are known at the destination.
fn place(difference: &Difference) -> String {
    let at = |folder: &str, name: &Name| format!("{} {}", text(folder), text(&name.key));
    match (&difference.source, &difference.standing) {
        (Some(source), Some(standing)) => format!(
            "{} → {}",
            at(&difference.folder, source),
            at(&difference.to, standing)
        ),
        (Some(source), None) => at(&difference.folder, source),
        (None, Some(standing)) => at(&difference.to, standing),
        (None, None) => text(&difference.folder),
    }
}

/// What a person recognises the message by.
pub(super) fn naming(name: &Name) -> String {
    let mut out = String::new();
    if !name.message_id.is_empty() {
        out.push_str(&format!(" {}", text(&name.message_id)));
    }
    if let Some(date) = name.date {
        out.push_str(&format!(" {}", instant(date)));
    }
    if !name.subject.is_empty() {
        out.push_str(&format!(" \"{}\"", text(&name.subject)));
    }
    out
}

fn folders(folders: &[FolderCheck]) -> Vec<String> {
    if folders.is_empty() {
        return Vec::new();
    }
    let columns = [
        Column::text("Folder"),
        Column::text("To"),
        Column::number("Source"),
        Column::number("There"),
        Column::number("Equal"),
        Column::number("Differ"),
        Column::number("Extra"),
    ];
    let rows: Vec<Vec<String>> = folders
        .iter()
        .map(|folder| {
            let tally = &folder.tally;
            let numbers = [
                tally.source,
                tally.there,
                tally.equal,
                tally.differing(),
                tally.extra,
            ];
            [text(&folder.folder), text(&folder.to)]
                .into_iter()
                .chain(numbers.map(number))
                .collect()
        })
        .collect();
    table(&columns, &rows)
}

fn faults(folder: &FolderCheck, paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    if folder.absent {
        let line = format!("the destination has no folder {}", text(&folder.to));
        lines.push(paint.bad(&line));
    }
    if let Some(error) = &folder.error {
        lines.push(errors::account_error(&folder.folder, error, paint));
    }
    lines
}

/// One line a folder where both ends have one fingerprint, else both.
fn fingerprints(check: &AccountCheck, paint: Paint) -> Vec<String> {
    let line = |folder: &FolderCheck| {
        let (source, standing) = folder.fingerprints?;
        let name = text(&folder.to);
        Some(match source == standing {
            true => vec![format!("fingerprint {source} {name}")],
            false => vec![
                paint.bad(&format!("fingerprint {source} {name}, at the source")),
                paint.bad(&format!(
                    "fingerprint {standing} {name}, at the destination"
                )),
            ],
        })
    };
    let folders = check
        .folders
        .iter()
        .filter(|folder| folder.tally.source > 0);
    folders.filter_map(line).flatten().collect()
}

/// Every message of the source in one class, and what was found.
fn balance(check: &AccountCheck, strict: bool, paint: Paint) -> Vec<String> {
    let tally = check.tally();
    if check.error.is_some() && tally.source == 0 {
        // No folder was done: a balance of nothing would look like one that adds up.
        let line = format!("nothing was compared, in {}", duration(check.elapsed));
        return vec![paint.bad(&line)];
    }
    let parts: Vec<String> = classes(&tally)
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| format!("{} {word}", number(n)))
        .collect();
    let parts = match parts.is_empty() {
        true => "0 equal".to_owned(),
        false => parts.join(" + "),
    };
    let mut lines = vec![format!(
        "{} = {parts}; unaccounted {}",
        number(tally.source),
        tally.unaccounted()
    )];
    let there = format!(
        "at the destination: {}, {} of them extra",
        count(tally.there, "message"),
        number(tally.extra)
    );
    lines.push(match tally.doubled {
        0 => there,
        doubled => format!("{there}, {} doubled", number(doubled)),
    });
    lines.push(verdict(check, strict, paint));
    lines
}

fn classes(tally: &Tally) -> [(u64, &'static str); 9] {
    [
        (tally.equal, "equal"),
        (tally.changed, "with other flags or date"),
        (tally.altered, "altered"),
        (tally.moved, "moved"),
        (tally.missing, "missing"),
        (tally.unread, "unread"),
        (tally.duplicate, "duplicate"),
        (tally.skipped, "skipped"),
        (tally.counted, "only counted"),
    ]
}

fn verdict(check: &AccountCheck, strict: bool, paint: Paint) -> String {
    let took = duration(check.elapsed);
    if check.error.is_some() || check.folders.iter().any(|folder| folder.error.is_some()) {
        return paint.bad(&format!("not everything could be compared, in {took}"));
    }
    if check.differs(strict) {
        return paint.bad(&format!("both ends differ, found in {took}"));
    }
    let tally = check.tally();
    match (check.level, check.sample) {
        (Level::Count, _) if tally.extra > 0 => {
            format!("nothing is missing by number, found in {took}")
        }
        (Level::Count, _) => format!("the numbers agree, found in {took}"),
        (_, Some(_)) if tally.equal == 0 => format!("nothing was compared, in {took}"),
        (_, Some(_)) => format!(
            "no difference among the {} compared, in {took}",
            number(tally.equal)
        ),
        _ => format!("both ends are equal, found in {took}"),
    }
}

#[cfg(test)]
#[path = "verify_tests.rs"]
pub(super) mod tests;
