//! JSON Lines: the contract with programs, documented in `docs/json.md`.
//!
//! Texts of servers stand in it unchanged, but every character that could act on a terminal is written `\uXXXX`.

pub mod archive;
mod explain;
mod parts;
mod undo;
mod values;
mod verify;

use super::progress::AccountProgress;
use crate::auth::oauth::Ask;
use crate::error::Error;
use crate::outcome::{AccountReport, Counts, Event};
use crate::plan::Plan;
use crate::survey::Survey;
use parts::{Balance, ErrorJson, StepJson, TimeJson};
use serde::Serialize;
use std::time::Duration;
use values::Line;

/// One line, without its line end.
fn line(value: &impl Serialize) -> String {
    // A value made of texts, numbers and lists always serialises; should that ever change, an error line says so.
    escape(&to_json(value))
}

fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| {
        r#"{"type":"error","account":null,"code":"internal","end":null,"what":"a line could not be written","words":null,"try":null}"#
            .to_owned()
    })
}

/// Such characters stand in JSON only inside strings, so that replacing them keeps it valid.
fn escape(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if acts_on_terminals(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

fn acts_on_terminals(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// An event as a line; `None` for `Advanced`, which [`progress`] sums up.
#[must_use]
pub fn event(event: &Event) -> Option<String> {
    Line::of_event(event).map(|value| line(&value))
}

/// Where an account stands, `now` since the start of the run.
#[must_use]
pub fn progress(account: &AccountProgress, now: Duration) -> String {
    line(&Line::of_progress(account, now))
}

/// An account's `account-done`.
#[must_use]
pub fn account_done(report: &AccountReport) -> String {
    line(&Line::of_report(report))
}

/// The whole run: all accounts, and what the process ends with.
#[must_use]
pub fn summary(reports: &[AccountReport], elapsed: Duration, exit_code: u8) -> String {
    let mut counts = Counts::default();
    reports.iter().for_each(|r| counts.merge(&r.counts()));
    let folders = || reports.iter().flat_map(|r| &r.folders);
    line(&Line::Summary {
        accounts: reports.len(),
        ended_early: reports.iter().filter(|r| r.error.is_some()).count(),
        balance: Balance::new(
            reports.iter().map(AccountReport::source_count).sum(),
            &counts,
        ),
        flags_changed: folders().map(|f| f.flags_changed).sum(),
        bytes: folders().map(|f| f.bytes).sum(),
        seconds: elapsed.as_secs_f64(),
        exit_code,
        time: super::spent::total(reports).map(TimeJson::new),
    })
}

/// An error; `account` where it ended one.
#[must_use]
pub fn error(account: Option<&str>, error: &Error) -> String {
    line(&Line::of_error(account, error))
}

/// A warning about the job itself.
#[must_use]
pub fn warning(text: &str) -> String {
    line(&Line::Warning {
        account: None,
        text,
    })
}

/// `check`: what one end showed.
#[must_use]
pub fn survey(account: &str, survey: &Survey) -> String {
    let facts = survey.facts.iter();
    line(&Line::Survey {
        account,
        end: survey.end.to_string(),
        mailbox: &survey.mailbox,
        facts: facts.map(|f| (f.topic.as_str(), f.text.as_str())).collect(),
        advice: &survey.advice,
        error: survey.error.as_ref().map(ErrorJson::new),
    })
}

/// `login`: what a person has to do to sign in.
#[must_use]
pub fn sign_in(account: &str, mailbox: &str, ask: &Ask<'_>) -> String {
    let (url, code, minutes) = match ask {
        Ask::Device {
            url, code, minutes, ..
        } => (url, Some(*code), Some(*minutes)),
        Ask::Browser { url } => (url, None, None),
    };
    line(&Line::SignIn {
        account,
        mailbox,
        url,
        code,
        minutes,
    })
}

/// `login`: done.
#[must_use]
pub fn signed_in(account: &str, mailbox: &str) -> String {
    line(&Line::SignedIn { account, mailbox })
}

/// A plan: a `plan-step` a folder, then the `plan`.
#[must_use]
pub fn plan(plan: &Plan) -> Vec<String> {
    let names: Vec<(String, String)> = plan
        .steps
        .iter()
        .map(|s| (s.source.folder.to_string(), s.target.folder.to_string()))
        .collect();
    let steps = plan.steps.iter().zip(&names).map(|(step, (folder, to))| {
        line(&Line::PlanStep(StepJson::new(
            &plan.account,
            folder,
            to,
            step,
        )))
    });
    steps
        .chain(std::iter::once(line(&Line::of_plan(plan))))
        .collect()
}

/// The parts of a status: `status-run`, `status-folder`, `status-failed`.
#[must_use]
pub fn status(account: &super::status::Status, failed_only: bool) -> Vec<String> {
    let run = account
        .runs
        .iter()
        .map(|run| line(&Line::of_run(&account.account, run)));
    let folders = account
        .folders
        .iter()
        .map(|f| line(&Line::of_folder(&account.account, f)));
    let failed = account
        .failed
        .iter()
        .map(|t| line(&Line::of_failed(&account.account, t)));
    if failed_only {
        failed.collect()
    } else {
        run.chain(folders).collect()
    }
}

/// A comparison: `verify-difference`, `verify-folder`, and last the `verify` itself.
#[must_use]
pub fn verify(check: &crate::compare::AccountCheck, strict: bool) -> Vec<String> {
    let lines = verify::VerifyLine::all(check, strict);
    lines.iter().map(line).collect()
}

/// Why two messages count as the same or not.
#[must_use]
pub fn explanation(explanation: &crate::identity::Explanation) -> String {
    line(&explain::ExplainLine::of_messages(explanation))
}

/// What an error code means.
#[must_use]
pub fn explained_code(code: crate::error::Code) -> String {
    line(&explain::ExplainLine::of_code(code))
}

/// An undone run: an `undo-left` for each message that stays, and last the `undo` itself.
#[must_use]
pub fn undo(report: &crate::engine::undo::UndoReport) -> Vec<String> {
    let lines = undo::UndoLine::all(report);
    lines.iter().map(line).collect()
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
