//! A plan for people: each folder's way and what will be done.

use super::table::{Column, table};
use super::units::{count, number};
use super::{Paint, errors, text};
use crate::plan::labels::Take;
use crate::plan::{Plan, Step, Work};

/// One plan, in lines.
#[must_use]
pub fn lines(plan: &Plan, paint: Paint) -> Vec<String> {
    let mut lines = vec![paint.strong(&text(&plan.account))];
    lines.extend(
        plan.sources
            .iter()
            .map(|from| format!("  from {}", text(from))),
    );
    lines.push(format!("  to   {}", text(&plan.destination)));
    if plan.unsettled > 0 {
        lines.push(format!(
            "{} in doubt since an interrupted run: looked for at the destination first",
            count(plan.unsettled, "message")
        ));
    }
    lines.extend(steps(plan));
    lines.push(totals(plan));
    lines.extend(
        plan.left_out
            .iter()
            .map(|(folder, why)| format!("left out: {}: {}", text(&folder.to_string()), text(why))),
    );
    lines.extend(refusals(plan, paint));
    lines.extend(
        plan.notes
            .iter()
            .map(|note| format!("note: {}", text(note))),
    );
    lines
}

fn steps(plan: &Plan) -> Vec<String> {
    if plan.steps.is_empty() {
        return Vec::new();
    }
    let columns = [
        Column::text("Folder"),
        Column::text("To"),
        Column::whole("What"),
    ];
    let routed = plan.routed && !plan.steps.iter().any(by_labels);
    let rows: Vec<Vec<String>> = plan.steps.iter().map(|step| row(step, routed)).collect();
    table(&columns, &rows)
}

fn by_labels(step: &Step) -> bool {
    step.take == Take::Routed
}

fn row(step: &Step, routed: bool) -> Vec<String> {
    let to = if by_labels(step) {
        format!("{}, or as its labels say", step.target.folder)
    } else if routed {
        format!("{}, or as the routes say", step.target.folder)
    } else {
        step.target.folder.to_string()
    };
    vec![
        text(&step.source.folder.to_string()),
        text(&to),
        format!("{}{}", what(&step.work), preparation(step)),
    ]
}

/// What will be done for a folder, in words.
#[must_use]
pub fn what(work: &Work) -> String {
    match work {
        Work::CopyWhole { messages: 0 } => "empty".to_owned(),
        Work::CopyWhole { messages: 1 } => "copy the 1 message".to_owned(),
        Work::CopyWhole { messages } => format!("copy all {} messages", number((*messages).into())),
        Work::Match { messages, standing } => format!(
            "compare {} with {} already there, copy the rest",
            count((*messages).into(), "message"),
            number((*standing).into())
        ),
        Work::Update {
            messages, waiting, ..
        } => format!(
            "compare {} with the last run; about {} to copy",
            count((*messages).into(), "message"),
            number(*waiting)
        ),
        Work::Unchanged { messages } => {
            format!("nothing new ({})", count((*messages).into(), "message"))
        }
        Work::Refused { messages, .. } => {
            format!("refused ({})", count((*messages).into(), "message"))
        }
    }
}

fn preparation(step: &Step) -> String {
    if matches!(step.work, Work::Refused { .. }) {
        return String::new();
    }
    let mut out = String::new();
    if step.target.standing.is_none() {
        out.push_str("; create the folder");
        if let Some(special) = step.target.special_use {
            out.push_str(&format!(" as {}", special.attribute()));
        }
    }
    if step.target.subscribe {
        out.push_str("; subscribe");
    }
    out
}

fn totals(plan: &Plan) -> String {
    let works = || plan.steps.iter().map(|step| &step.work);
    let waiting: u64 = works().map(waiting).sum();
    let unchanged = works()
        .filter(|w| matches!(w, Work::Unchanged { .. }))
        .count();
    let refused = works()
        .filter(|w| matches!(w, Work::Refused { .. }))
        .count();
    let busy = plan.steps.len() - unchanged - refused;
    let mut line = match busy {
        0 => "nothing to do".to_owned(),
        _ => format!(
            "{} to do, at most {} to copy",
            count(busy as u64, "folder"),
            count(waiting, "message")
        ),
    };
    for (n, word) in [(unchanged, "unchanged"), (refused, "refused")] {
        if n > 0 {
            line.push_str(&format!("; {} {word}", number(n as u64)));
        }
    }
    line
}

/// The most messages that a step may copy.
#[must_use]
pub fn waiting(work: &Work) -> u64 {
    match *work {
        Work::CopyWhole { messages } | Work::Match { messages, .. } => messages.into(),
        Work::Update { waiting, .. } => waiting,
        Work::Unchanged { .. } | Work::Refused { .. } => 0,
    }
}

fn refusals(plan: &Plan, paint: Paint) -> Vec<String> {
    plan.steps
        .iter()
        .filter_map(|step| match &step.work {
            Work::Refused { why, remedy, .. } => Some(errors::warning(
                &format!("{} will not be copied: {why}; {remedy}", step.source.folder),
                paint,
            )),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Folder;
    use crate::render::samples::step;

    fn plan(steps: Vec<Step>) -> Plan {
        Plan {
            account: "budi".into(),
            sources: vec!["pop3://budi@pop.example".into()],
            destination: "imap://budi@imap.example".into(),
            steps,
            ..Plan::default()
        }
    }

    #[test]
    fn every_step_says_what_will_be_done() {
        let shown = lines(
            &plan(vec![
                step("INBOX", Work::CopyWhole { messages: 1234 }),
                step(
                    "Sent",
                    Work::Update {
                        messages: 9,
                        known: 5,
                        waiting: 4,
                    },
                ),
                step("Old", Work::Unchanged { messages: 2 }),
                step(
                    "Bad",
                    Work::Refused {
                        messages: 1,
                        why: "it would land in Sent".into(),
                        remedy: "map it".into(),
                    },
                ),
            ]),
            Paint::PLAIN,
        );
        let shown: Vec<String> = shown
            .iter()
            .map(|l| l.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(
            shown,
            [
                "budi",
                "from pop3://budi@pop.example",
                "to imap://budi@imap.example",
                "Folder To What",
                "INBOX INBOX copy all 1,234 messages; create the folder; subscribe",
                "Sent Sent compare 9 messages with the last run; about 4 to copy; create the folder; subscribe",
                "Old Old nothing new (2 messages); create the folder; subscribe",
                "Bad Bad refused (1 message)",
                "2 folders to do, at most 1,238 messages to copy; 1 unchanged; 1 refused",
                "warning: Bad will not be copied: it would land in Sent; map it",
            ]
        );
    }

    #[test]
    fn notes_doubts_and_what_is_left_out_are_told() {
        let mut plan = plan(Vec::new());
        plan.unsettled = 5;
        plan.notes
            .push("The server deletes\x07 what was read.".into());
        plan.left_out
            .push((Folder::inbox(), "excluded by the job".into()));
        let shown = lines(&plan, Paint::PLAIN).join("\n");
        assert!(shown.contains("5 messages in doubt"));
        assert!(shown.contains("left out: INBOX: excluded by the job"));
        assert!(shown.contains("note: The server deletes") && !shown.contains('\x07'));
    }
}
