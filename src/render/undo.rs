//! An undone run, for people.

use super::units::{count, duration, number};
use super::verify::naming;
use super::{Paint, own, text};
use crate::engine::undo::{Left, UndoReport};

/// One destination, in lines.
#[must_use]
pub fn lines(report: &UndoReport, paint: Paint) -> Vec<String> {
    let mut lines = vec![format!(
        "{}: run {} at {}",
        paint.strong(&text(&report.account)),
        report.run,
        text(&report.destination)
    )];
    lines.extend(report.left.iter().map(left));
    let verb = if report.dry_run {
        "to be taken back"
    } else {
        "taken back"
    };
    let unseen = match report.not_looked_at() {
        0 => String::new(),
        unseen => format!(" + {} not looked at", number(unseen)),
    };
    lines.push(format!(
        "{} added = {} {verb} + {} left{unseen}, in {}",
        count(report.added, "message"),
        number(report.taken_back),
        number(report.left.len() as u64),
        duration(report.elapsed)
    ));
    if report.marked > 0 {
        let marked = format!(
            "{} only marked as deleted: the server cannot remove single messages (no UIDPLUS); expunge them in a mail program",
            count(report.marked, "message")
        );
        lines.push(paint.dubious(&marked));
    }
    for folder in &report.empty {
        let be = if report.dry_run { "would be" } else { "is" };
        lines.push(format!("{} {be} empty; it stays", text(folder)));
    }
    if report.taken_back > 0 && !report.dry_run {
        lines.push("the next run copies them again".to_owned());
    }
    lines
}

fn left(left: &Left) -> String {
    let key = match left.name.key.as_str() {
        "" => String::new(),
        key => format!(" {}", text(key)),
    };
    let name = naming(&left.name);
    format!(
        "left: {}{key}{name}: {}",
        text(&left.folder),
        own(&left.why)
    )
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::compare::Name;

    pub(crate) fn report() -> UndoReport {
        UndoReport {
            account: "budi".into(),
            run: 3,
            added: 5,
            taken_back: 4,
            marked: 4,
            left: vec![Left {
                folder: "IN\x07BOX".into(),
                name: Name {
                    key: "UID 9".into(),
                    message_id: "<a@b>".into(),
                    ..Name::default()
                },
                why: "gone already".into(),
            }],
            empty: vec!["Work".into()],
            ..UndoReport::default()
        }
    }

    #[test]
    fn what_stays_is_named_with_its_reason() {
        let shown = lines(&report(), Paint::PLAIN);
        assert_eq!(shown[1], "left: IN�BOX UID 9 <a@b>: gone already");
        assert!(shown[2].starts_with("5 messages added = 4 taken back + 1 left"));
        assert!(shown[3].contains("only marked") && shown[4].contains("Work is empty"));
    }

    #[test]
    fn what_an_early_end_left_unseen_is_in_the_balance() {
        let mut report = report();
        report.added = 3_521;
        let shown = lines(&report, Paint::PLAIN);
        let wanted = "3,521 messages added = 4 taken back + 1 left + 3,516 not looked at, in ";
        assert!(shown[2].starts_with(wanted), "{}", shown[2]);
    }
}
