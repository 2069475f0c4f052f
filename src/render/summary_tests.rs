use super::super::samples::{folder, report, trouble};
use super::*;
use crate::error::{Code, Error, Kind};

const STYLE: Style<'static> = Style {
    job: "job.toml",
    paint: Paint::PLAIN,
    width: None,
};

fn shown(report: &AccountReport) -> String {
    account(report, STYLE).join("\n")
}

#[test]
fn a_plain_run() {
    let report = report(vec![folder("INBOX", "INBOX", &[(Outcome::Copied, 2048)])]);
    assert_eq!(
        shown(&report),
        "budi\n2,048 = 2,048 copied; unaccounted 0\n2.0 MiB in 20 s (102.4 KiB/s)\nfingerprint abababababababab equal"
    );
}

#[test]
fn a_run_with_nothing_to_do() {
    let report = report(vec![folder("INBOX", "INBOX", &[(Outcome::Present, 40)])]);
    let shown = shown(&report);
    assert!(shown.contains("nothing to do: all 40 messages were delivered before, or found there"));
    assert!(shown.contains("40 = 0 copied + 40 already there; unaccounted 0"));
}

#[test]
fn nothing_to_do_with_duplicates_still_adds_up() {
    let parts = [(Outcome::Present, 40), (Outcome::Duplicate, 3)];
    let shown = shown(&report(vec![folder("INBOX", "INBOX", &parts)]));
    assert!(shown.contains(
        "nothing to do: all 40 messages to be copied were delivered before, or found there"
    ));
    assert!(shown.contains("43 = 0 copied + 40 already there + 3 duplicate; unaccounted 0"));
}

#[test]
fn changed_flags_are_something_done() {
    let mut inbox = folder("INBOX", "INBOX", &[(Outcome::Present, 4)]);
    inbox.flags_changed = 2;
    let shown = shown(&report(vec![inbox]));
    assert!(!shown.contains("nothing to do"));
    assert!(shown.contains("flags changed: 2"));
}

#[test]
fn folders_are_a_table_when_there_are_several() {
    let shown = shown(&report(vec![
        folder("INBOX", "INBOX", &[(Outcome::Copied, 1)]),
        folder(
            "Gesendet",
            "Sent",
            &[(Outcome::Copied, 1000), (Outcome::Failed, 2)],
        ),
        folder("Old", "Old", &[(Outcome::Present, 9)]),
    ]));
    let row = shown.lines().find(|l| l.contains("Gesendet")).unwrap();
    let cells: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(
        cells,
        [
            "Gesendet",
            "Sent",
            "1,002",
            "1,000",
            "0",
            "0",
            "2",
            "abababababababab",
            "equal"
        ]
    );
    assert!(shown.contains("  … and 1 other folder"));
    assert!(!shown.contains("Old"));
}

#[test]
fn trouble_is_named_escaped_and_followed_by_what_to_do() {
    let mut report = report(vec![folder("INBOX", "INBOX", &[(Outcome::Rejected, 30)])]);
    report.trouble = vec![trouble(Outcome::Rejected); 25];
    let shown = shown(&report);
    assert!(shown.contains("rejected: INBOX 4711 <one@example.org>: NO [CANNOT]"));
    assert!(shown.contains("… and 10 more"));
    assert!(shown.contains("try: mailhaul status job.toml --failed"));
    assert!(!shown.contains(['\x1b', '\0']));
    assert!(!shown.contains('%'));
}

#[test]
fn names_are_promised_only_where_they_are_known() {
    let mut inbox = folder("INBOX", "INBOX", &[(Outcome::Failed, 6)]);
    inbox.error = Some(Error::new(Kind::Folder, Code::Refused, "no such folder"));
    let mut report = report(vec![inbox]);
    report.trouble.clear();
    assert!(!shown(&report).contains("--failed"));
    report.trouble = vec![trouble(Outcome::Failed)];
    report.trouble[0].key.clear();
    assert!(!shown(&report).contains("--failed"));
    report.trouble[0].key = "4711".into();
    assert!(shown(&report).contains("--failed"));
}

#[test]
fn an_account_that_ended_early_says_why_and_how_to_go_on() {
    let mut inbox = folder("INBOX", "INBOX", &[(Outcome::Copied, 3)]);
    inbox.source_count = 5;
    let mut report = report(vec![inbox]);
    report.error = Some(Error::new(Kind::Interrupted, Code::Interrupted, "stopped"));
    let shown = shown(&report);
    assert!(shown.contains("5 = 3 copied; unaccounted 2"));
    assert!(!shown.contains("error["));
    assert_eq!(
        super::errors(&report, Paint::PLAIN),
        ["error[interrupted]: budi: stopped"]
    );
    assert!(shown.contains("try: mailhaul run job.toml (goes on"));
}

#[test]
fn unequal_fingerprints_are_told() {
    let mut inbox = folder("INBOX", "INBOX", &[(Outcome::Copied, 3)]);
    inbox.delivered = Some("cd".repeat(32));
    let shown = shown(&report(vec![inbox]));
    assert!(shown.contains("abababababababab / cdcdcdcdcdcdcdcd, not equal"));
}

#[test]
fn several_accounts_are_added_up() {
    let mut failed = report(vec![folder("INBOX", "INBOX", &[(Outcome::Failed, 1)])]);
    failed.error = Some(Error::new(Kind::Account, Code::Connect, "no route"));
    let good = report(vec![folder("INBOX", "INBOX", &[(Outcome::Copied, 1024)])]);
    let lines = accounts(&[failed, good.clone()], Duration::from_secs(61));
    assert_eq!(
        lines,
        [
            "2 accounts: 1 to their end, 1 not",
            "1,025 = 1,024 copied + 1 not copied; unaccounted 0",
            "1.0 MiB in 1 min 1 s"
        ]
    );
    assert!(accounts(&[good], Duration::ZERO).is_empty());
}

#[test]
fn a_terminal_of_80_columns_gets_what_says_something() {
    let long = "Archives/2019/Customers and more";
    let folders = [("INBOX", "INBOX"), (long, long)];
    let folders = folders.map(|(from, to)| folder(from, to, &[(Outcome::Copied, 5)]));
    let narrow = Style {
        width: Some(60),
        ..STYLE
    };
    let lines = account(&report(folders.to_vec()), narrow);
    let table = &lines[1..4];
    assert!(
        table.iter().all(|line| line.chars().count() <= 60),
        "{table:#?}"
    );
    assert!(
        table[0].contains("Copied") && !table[0].contains("Other"),
        "{table:#?}"
    );
    assert!(
        table[1].ends_with("equal") && !table[1].contains("abab"),
        "{table:#?}"
    );
}
