use super::super::samples::{folder, report, trouble};
use super::*;
use crate::error::{Code, End, Kind};
use crate::outcome::{CrewChange, Outcome, Usage};
use crate::plan::Work;
use crate::render::status::{FolderStatus, RunStatus, Status};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn parsed(line: &str) -> Value {
    assert!(!line.contains('\n'));
    serde_json::from_str(line).unwrap()
}

#[test]
fn a_folder_that_is_done() {
    let event = Event::FolderDone {
        account: "budi".into(),
        report: folder(
            "INBOX",
            "Archive",
            &[(Outcome::Copied, 2), (Outcome::Present, 1)],
        ),
    };
    let hex = "ab".repeat(32);
    assert_eq!(
        parsed(&super::event(&event).unwrap()),
        json!({"type": "folder-done", "account": "budi", "folder": "INBOX", "to": "Archive", "source": 3,
            "outcomes": {"copied": 2, "present": 1, "duplicate": 0, "altered": 0, "rejected": 0, "vanished": 0,
                "failed": 0, "skipped": 0},
            "unaccounted": 0, "flags_changed": 0, "bytes": 2048, "read": hex, "delivered": hex, "equal": true,
            "error": null})
    );
}

#[test]
fn the_type_comes_first() {
    let line = account_done(&report(Vec::new()));
    assert!(
        line.starts_with(r#"{"type":"account-done","account":"budi","#),
        "{line}"
    );
}

#[test]
fn server_text_is_kept_but_cannot_act_on_a_terminal() {
    let mut one = trouble(Outcome::Rejected);
    one.words = "a\x1b[2J\u{9b}1m\u{202e}b\u{7f}\r\nç".into();
    let words = one.words.clone();
    let event = Event::Trouble {
        account: "budi".into(),
        trouble: one,
    };
    let line = super::event(&event).unwrap();
    assert!(!line.chars().any(acts_on_terminals), "{line:?}");
    assert!(line.contains('ç'));
    assert_eq!(parsed(&line)["words"], words);
}

#[test]
fn an_error_has_end_and_hint() {
    let e = Error::new(Kind::Account, Code::Auth, "cannot log in")
        .words("NO")
        .hint("check")
        .at(End::Source);
    assert_eq!(
        parsed(&error(Some("budi"), &e)),
        json!({"type": "error", "account": "budi", "code": "auth", "end": "source", "what": "cannot log in",
            "words": "NO", "try": "check"})
    );
}

#[test]
fn a_summary_adds_accounts_up() {
    let one = report(vec![folder("INBOX", "INBOX", &[(Outcome::Copied, 2)])]);
    let value = parsed(&summary(&[one.clone(), one], Duration::from_secs(2), 0));
    assert_eq!(value["source"], 4);
    assert_eq!(value["outcomes"]["copied"], 4);
    assert_eq!(value["exit_code"], 0);
}

/// A line of every type there is.
fn every_line() -> Vec<String> {
    let account = || "a".to_owned();
    let inbox = || folder("INBOX", "INBOX", &[]);
    let events = [
        Event::AccountStarted { account: account() },
        Event::Planned {
            account: account(),
            folders: 1,
            messages: 1,
        },
        Event::FolderStarted {
            account: account(),
            folder: "INBOX".into(),
            to: "INBOX".into(),
            messages: 1,
        },
        Event::FolderDone {
            account: account(),
            report: inbox(),
        },
        Event::Trouble {
            account: account(),
            trouble: trouble(Outcome::Failed),
        },
        Event::Waiting {
            account: account(),
            why: "throttled".into(),
            seconds: 30,
        },
        Event::Connections {
            account: account(),
            connections: 3,
            why: CrewChange::Refused,
            words: Some("too many".into()),
        },
        Event::Paused {
            account: account(),
            until: 86_400,
            why: "500 MB a day".into(),
        },
        Event::Resumed { account: account() },
    ];
    let mut progressed = crate::render::progress::Progress::default();
    progressed.take(&events[0], Duration::ZERO);
    let plan = Plan {
        steps: vec![crate::render::samples::step(
            "INBOX",
            Work::Unchanged { messages: 1 },
        )],
        ..Plan::default()
    };
    let known = Status {
        runs: vec![RunStatus {
            run: 1,
            started: 0,
            ended: None,
            copied: None,
            undid: None,
        }],
        usage: vec![Usage {
            end: "imap://b@c".into(),
            way: "up",
            bytes: 1,
            per_day: 2,
            paused: None,
        }],
        folders: vec![FolderStatus::default()],
        failed: vec![trouble(Outcome::Failed)],
        ..Status::default()
    };
    let one = report(vec![inbox()]);
    let mut lines: Vec<String> = events.iter().filter_map(super::event).collect();
    lines.extend(super::plan(&plan));
    lines.extend(status(&known, false));
    lines.extend(status(&known, true));
    lines.extend([
        progress(&progressed.accounts[0], Duration::ZERO),
        account_done(&one),
        summary(&[one], Duration::ZERO, 0),
        error(None, &Error::new(Kind::Job, Code::Job, "x")),
        warning("x"),
        sign_in("a", "imap://b@c", &Ask::Browser { url: "https://x" }),
        signed_in("a", "imap://b@c"),
        survey(
            "a",
            &Survey {
                end: crate::error::End::Source,
                mailbox: "imap://b@c".into(),
                facts: Vec::new(),
                advice: Vec::new(),
                error: None,
                measured: None,
            },
        ),
        written("budi.toml", &candidate(), &candidate()),
    ]);
    lines.extend(archive_lines());
    lines.extend(of_proofs());
    lines
}

fn candidate() -> crate::survey::find::Candidate {
    crate::survey::find::Candidate {
        protocol: crate::job::Protocol::Imap,
        host: "imap.example".into(),
        port: 993,
        security: crate::net::Security::Tls,
        user: "budi@example".into(),
        preset: None,
        wanted: crate::job::providers::Wanted::Password,
        found: "a common name",
    }
}

fn archive_lines() -> Vec<String> {
    use crate::render::{json::archive, samples};
    let mut lines = archive::checked(&samples::checked(), Duration::ZERO);
    lines.extend([
        archive::total(&samples::total()),
        archive::listed(&samples::listed()),
        archive::readable(&samples::readable(), true),
        archive::rebuilt(&samples::rebuilt()),
        archive::exported(&samples::exported(), std::path::Path::new("out")),
    ]);
    lines
}

/// The lines of `verify`, `undo` and `explain`.
fn of_proofs() -> Vec<String> {
    let mut lines = verify(&crate::render::verify::tests::check(), false);
    lines.extend(undo(&crate::render::undo::tests::report()));
    let one = crate::identity::explain(b"A: b\r\n\r\nx", b"A: c\r\n\r\ny");
    lines.push(explanation(&one));
    lines.push(explained_code(crate::error::Code::Auth));
    lines
}

#[test]
fn every_type_and_field_is_documented_and_nothing_else() {
    let doc = include_str!("../../docs/json.md");
    let mut documented: BTreeSet<&str> = doc
        .lines()
        .filter_map(|line| line.strip_prefix("## `")?.strip_suffix('`'))
        .collect();
    for line in every_line() {
        let value = parsed(&line);
        let kind = value["type"].as_str().unwrap();
        let section = doc
            .split("\n## ")
            .find(|section| section.starts_with(&format!("`{kind}`")))
            .unwrap_or_else(|| panic!("docs/json.md lacks {kind}"));
        for field in value.as_object().unwrap().keys().filter(|f| *f != "type") {
            assert!(
                section.contains(&format!("`{field}`")),
                "docs/json.md: {kind} lacks {field}"
            );
        }
        documented.remove(kind);
    }
    assert!(documented.is_empty(), "no line has the type {documented:?}");
}
