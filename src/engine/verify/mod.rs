//! Reads both ends afresh and sets them against each other, message by message; changes nothing at either.
//!
//! The journal decides nothing here: it only adds words (which run had delivered what is missing now), and names what stood at the
//! destination before. Folders are worked on over several lanes; in each, both ends are read at once.

mod elsewhere;
mod group;
mod history;
mod judge;
mod lanes;
mod source;
mod standing;

use super::account::{Frame, Logins};
use super::context::{Context, Parts};
use super::ledger::ledger;
use super::link::SinkLink;
use super::planning::{plan_from, tell_plan};
use super::{account, front};
use crate::compare::{AccountCheck, Level, Share};
use crate::error::{Error, Kind, Result};
use crate::job::Account;
use crate::journal::{Journal, RunId};
use crate::outcome::Event;
use history::History;
use std::time::Instant;

/// Differences that are told one by one, for each destination; beyond them only counts grow.
const TOLD: usize = 10_000;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    pub level: Level,
    /// Only with [`Level::Content`].
    pub sample: Option<Share>,
}

/// What all workers share.
pub(super) struct Audit<'a> {
    context: &'a Context,
    order: Order,
    history: &'a History,
}

/// Compares an account with each of its destinations; whatever happens, there is a report for each.
pub(super) fn check(frame: &Frame<'_>, logins: Result<Logins>, order: Order) -> Vec<AccountCheck> {
    drop(frame.events.send(Event::AccountStarted {
        account: frame.account.name.clone(),
    }));
    let account = frame.account;
    let logins = match logins {
        Ok(logins) => logins,
        Err(error) => {
            let mut check = blank(account, 0, order);
            check.error = Some(error);
            return vec![check];
        }
    };
    (0..account.destinations.len())
        .map(|sink| {
            let started = Instant::now();
            let mut check = blank(account, sink, order);
            let done = one(frame, &logins, sink, order, &mut check);
            check.error = done.err().map(afresh);
            check.elapsed = started.elapsed();
            check
        })
        .collect()
}

/// A comparison keeps nothing that another could go on from.
fn afresh(mut error: Error) -> Error {
    if error.kind == Kind::Interrupted {
        error.what = "interrupted; nothing was changed".to_owned();
        error.hint = Some("run the same command again: it compares from the beginning".to_owned());
    }
    error
}

fn blank(account: &Account, sink: usize, order: Order) -> AccountCheck {
    AccountCheck {
        account: account.name.clone(),
        sources: account
            .sources
            .iter()
            .map(|source| source.store.to_string())
            .collect(),
        destination: account.destinations[sink].store.to_string(),
        level: order.level,
        sample: order.sample.map(Share::percent),
        folders: Vec::new(),
        differences: Vec::new(),
        untold: 0,
        elapsed: std::time::Duration::ZERO,
        error: None,
    }
}

fn one(
    frame: &Frame<'_>,
    logins: &Logins,
    sink: usize,
    order: Order,
    check: &mut AccountCheck,
) -> Result<()> {
    let path = &frame.account.archive.path;
    let journal = Journal::open_read_only(path, &front::journal_identity(frame.account))?;
    let history = History::new(journal, sink as u32);
    let context = reader(frame, logins, sink);
    let audit = Audit {
        context: &context,
        order,
        history: &history,
    };
    let mut link = SinkLink::new(&context, None).first();
    let folders = account::look_around(&context, &mut link)?;
    let plan = plan_from(
        frame.account,
        context.sink,
        folders,
        &context.landscape(),
        &Default::default(),
        0,
    );
    tell_plan(&context, &plan);
    let mut checked = lanes::run(&audit, &plan, link.take())?;
    elsewhere::look(&audit, &mut checked)?;
    into_report(checked, check);
    context.check_stop()
}

/// A context whose journal refuses everything: whoever uses it only reads.
pub(super) fn reader(frame: &Frame<'_>, logins: &Logins, sink: usize) -> Context {
    let account = frame.account;
    Context::new(Parts {
        account: account.clone(),
        sources: account
            .sources
            .iter()
            .cloned()
            .zip(logins.sources.iter().cloned())
            .collect(),
        destinations: account
            .destinations
            .iter()
            .cloned()
            .zip(logins.destinations.iter().cloned())
            .collect(),
        sink: sink as u32,
        run: RunId::READER,
        ledger: ledger().0,
        archive: None,
        budget: frame.budget.clone(),
        events: frame.events.clone(),
        stop: frame.stop.child(),
        times: None,
    })
}

fn into_report(checked: Vec<judge::Checked>, check: &mut AccountCheck) {
    for mut one in checked {
        one.tell_missing();
        check.folders.push(one.folder);
        check.untold += one.told.untold;
        for difference in one.told.list {
            match check.differences.len() < TOLD {
                true => check.differences.push(difference),
                false => check.untold += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupted_comparison_promises_no_going_on() {
        let error = afresh(super::super::context::interrupted());
        let hint = error.hint.unwrap_or_default();
        assert!(hint.contains("from the beginning"), "{hint}");
        assert!(!error.what.contains("kept"), "{}", error.what);
    }
}
