//! The shapes of the lines. Fields keep the order they have here; `docs/json.md` describes each.

use super::parts::{Balance, ErrorJson, Left, LeftOut, StepJson, TimeJson, TroubleJson, Undid};
use crate::error::Error;
use crate::outcome::{AccountReport, Event, FolderReport, Trouble};
use crate::plan::Plan;
use crate::render::plan::waiting;
use crate::render::progress::AccountProgress;
use crate::render::status::{FolderStatus, RunStatus};
use crate::render::units::per_second;
use serde::Serialize;
use std::time::Duration;

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(super) enum Line<'a> {
    AccountStarted {
        account: &'a str,
    },
    Survey {
        account: &'a str,
        end: String,
        mailbox: &'a str,
        facts: std::collections::BTreeMap<&'static str, &'a str>,
        advice: &'a [String],
        error: Option<ErrorJson<'a>>,
    },
    SignIn {
        account: &'a str,
        mailbox: &'a str,
        url: &'a str,
        code: Option<&'a str>,
        minutes: Option<u64>,
    },
    SignedIn {
        account: &'a str,
        mailbox: &'a str,
    },
    Planned {
        account: &'a str,
        folders: usize,
        messages: u64,
    },
    FolderStarted {
        account: &'a str,
        folder: &'a str,
        to: &'a str,
        messages: u64,
    },
    Progress {
        account: &'a str,
        done: u64,
        planned: Option<u64>,
        bytes: u64,
        seconds: f64,
        bytes_per_second: Option<u64>,
        left: Option<Left>,
    },
    FolderDone {
        account: &'a str,
        folder: &'a str,
        to: &'a str,
        #[serde(flatten)]
        balance: Balance<'a>,
        flags_changed: u64,
        bytes: u64,
        read: Option<&'a str>,
        delivered: Option<&'a str>,
        equal: Option<bool>,
        error: Option<ErrorJson<'a>>,
    },
    Trouble(TroubleJson<'a>),
    Waiting {
        account: &'a str,
        why: &'a str,
        seconds: u64,
    },
    Warning {
        account: Option<&'a str>,
        text: &'a str,
    },
    AccountDone {
        account: &'a str,
        #[serde(flatten)]
        balance: Balance<'a>,
        flags_changed: u64,
        bytes: u64,
        after: u64,
        vanished: u64,
        seconds: f64,
        high_water: u64,
        error: Option<ErrorJson<'a>>,
    },
    Summary {
        accounts: usize,
        ended_early: usize,
        #[serde(flatten)]
        balance: Balance<'a>,
        flags_changed: u64,
        bytes: u64,
        seconds: f64,
        exit_code: u8,
        #[serde(skip_serializing_if = "Option::is_none")]
        time: Option<TimeJson>,
    },
    PlanStep(StepJson<'a>),
    Plan {
        account: &'a str,
        sources: &'a [String],
        destination: &'a str,
        folders: usize,
        messages: u64,
        unsettled: u64,
        routed: bool,
        left_out: Vec<LeftOut<'a>>,
        notes: &'a [String],
    },
    StatusRun {
        account: &'a str,
        run: i64,
        started: i64,
        ended: Option<i64>,
        copied: Option<u64>,
        undid: Option<Undid>,
    },
    StatusFolder {
        account: &'a str,
        folder: &'a str,
        known: u64,
        delivered: u64,
        failed: u64,
        in_doubt: u64,
    },
    StatusFailed(TroubleJson<'a>),
    Error {
        account: Option<&'a str>,
        #[serde(flatten)]
        error: ErrorJson<'a>,
    },
}

impl<'a> Line<'a> {
    pub(super) fn of_event(event: &'a Event) -> Option<Self> {
        Some(match event {
            Event::AccountStarted { account } => Line::AccountStarted { account },
            Event::Planned {
                account,
                folders,
                messages,
            } => Line::Planned {
                account,
                folders: *folders,
                messages: *messages,
            },
            Event::FolderStarted {
                account,
                folder,
                to,
                messages,
            } => Line::FolderStarted {
                account,
                folder,
                to,
                messages: *messages,
            },
            Event::Advanced { .. } | Event::FolderChecked { .. } => return None,
            Event::FolderDone { account, report } => Line::of_folder_report(account, report),
            Event::Trouble { account, trouble } => {
                Line::Trouble(TroubleJson::new(account, trouble))
            }
            Event::Waiting {
                account,
                why,
                seconds,
            } => Line::Waiting {
                account,
                why,
                seconds: *seconds,
            },
            Event::Warning { account, text } => Line::Warning {
                account: Some(account),
                text,
            },
            Event::AccountDone { report, .. } => Line::of_report(report),
        })
    }

    fn of_folder_report(account: &'a str, report: &'a FolderReport) -> Self {
        let both = report.read.as_ref().zip(report.delivered.as_ref());
        Line::FolderDone {
            account,
            folder: &report.folder,
            to: &report.to,
            balance: Balance::new(report.source_count, &report.counts),
            flags_changed: report.flags_changed,
            bytes: report.bytes,
            read: report.read.as_deref(),
            delivered: report.delivered.as_deref(),
            equal: both.map(|(read, delivered)| read == delivered),
            error: report.error.as_ref().map(ErrorJson::new),
        }
    }

    pub(super) fn of_report(report: &'a AccountReport) -> Self {
        Line::AccountDone {
            account: &report.account,
            balance: Balance::owned(report.source_count(), report.counts()),
            flags_changed: report.folders.iter().map(|f| f.flags_changed).sum(),
            bytes: report.folders.iter().map(|f| f.bytes).sum(),
            after: report.after,
            vanished: report.vanished,
            seconds: report.elapsed.as_secs_f64(),
            high_water: report.high_water,
            error: report.error.as_ref().map(ErrorJson::new),
        }
    }

    pub(super) fn of_progress(account: &'a AccountProgress, now: Duration) -> Self {
        let elapsed = account.elapsed(now);
        Line::Progress {
            account: &account.account,
            done: account.done,
            planned: account.planned,
            bytes: account.bytes,
            seconds: elapsed.as_secs_f64(),
            bytes_per_second: per_second(account.bytes, elapsed),
            left: account.left(now).map(|(low, high)| Left {
                low: low.as_secs(),
                high: high.as_secs(),
            }),
        }
    }

    pub(super) fn of_error(account: Option<&'a str>, error: &'a Error) -> Self {
        Line::Error {
            account,
            error: ErrorJson::new(error),
        }
    }

    pub(super) fn of_plan(plan: &'a Plan) -> Self {
        let left_out = plan.left_out.iter();
        Line::Plan {
            account: &plan.account,
            sources: &plan.sources,
            destination: &plan.destination,
            folders: plan.steps.len(),
            messages: plan.steps.iter().map(|step| waiting(&step.work)).sum(),
            unsettled: plan.unsettled,
            routed: plan.routed,
            left_out: left_out
                .map(|(folder, why)| LeftOut { folder, why })
                .collect(),
            notes: &plan.notes,
        }
    }

    pub(super) fn of_run(account: &'a str, run: &'a RunStatus) -> Self {
        Line::StatusRun {
            account,
            run: run.run,
            started: run.started,
            ended: run.ended,
            copied: run.copied,
            undid: run.undid.map(|(run, messages)| Undid { run, messages }),
        }
    }

    pub(super) fn of_folder(account: &'a str, folder: &'a FolderStatus) -> Self {
        Line::StatusFolder {
            account,
            folder: &folder.folder,
            known: folder.known,
            delivered: folder.delivered,
            failed: folder.failed,
            in_doubt: folder.in_doubt,
        }
    }

    pub(super) fn of_failed(account: &'a str, trouble: &'a Trouble) -> Self {
        Line::StatusFailed(TroubleJson::new(account, trouble))
    }
}
