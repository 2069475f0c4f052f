//! How far a run is: adds up events, tells rate and time left. Time comes from outside, as time since the start.

use super::units::{bytes, instant, number, range, rate};
use super::{table, text};
use crate::outcome::Event;
use std::collections::VecDeque;
use std::time::Duration;

/// Over how long the present speed is measured.
const RECENT: Duration = Duration::from_secs(20);

/// Before this no time left is told: the first seconds are logins and listings.
const EARLIEST_GUESS: Duration = Duration::from_secs(3);

/// A folder in work.
#[derive(Debug, Clone)]
pub struct FolderProgress {
    pub folder: String,
    pub to: String,
    /// Messages believed to be waiting when it was begun.
    pub planned: u64,
    pub done: u64,
}

/// One account in work.
#[derive(Debug, Clone)]
pub struct AccountProgress {
    pub account: String,
    /// Messages believed to be waiting; `None` until the plan is made.
    pub planned: Option<u64>,
    pub done: u64,
    /// Bytes delivered.
    pub bytes: u64,
    pub folders: Vec<FolderProgress>,
    pub finished: bool,
    /// It waits for another day, until then (unix seconds).
    pub paused: Option<i64>,
    started: Duration,
    recent: VecDeque<(Duration, u64)>,
}

impl AccountProgress {
    fn new(account: &str, now: Duration) -> Self {
        AccountProgress {
            account: account.to_owned(),
            planned: None,
            done: 0,
            bytes: 0,
            folders: Vec::new(),
            finished: false,
            paused: None,
            started: now,
            recent: VecDeque::new(),
        }
    }

    fn advance(&mut self, folder: &str, messages: u64, bytes: u64, now: Duration) {
        self.done += messages;
        self.bytes += bytes;
        if let Some(folder) = self.folders.iter_mut().find(|f| f.folder == folder) {
            folder.done += messages;
        }
        // One sample a second is enough, and keeps the queue short however many events come.
        if self
            .recent
            .back()
            .is_none_or(|(at, _)| now >= *at + Duration::from_secs(1))
        {
            self.recent.push_back((now, self.done));
        }
        while self
            .recent
            .front()
            .is_some_and(|(at, _)| *at + RECENT < now)
        {
            self.recent.pop_front();
        }
    }

    /// Time since the account was begun.
    #[must_use]
    pub fn elapsed(&self, now: Duration) -> Duration {
        now.saturating_sub(self.started)
    }

    /// Between which times the rest will take; `None` while nothing honest can be said. From the speed of the whole run and
    /// that of the last 20 s, each a little stretched.
    #[must_use]
    pub fn left(&self, now: Duration) -> Option<(Duration, Duration)> {
        let rest = self
            .planned?
            .checked_sub(self.done)
            .filter(|&rest| rest > 0)?;
        let elapsed = self.elapsed(now);
        if elapsed < EARLIEST_GUESS || self.done == 0 {
            return None;
        }
        let whole = per_second(self.done, elapsed)?;
        let present = self.present_speed(now).unwrap_or(whole);
        let seconds = |speed: f64| rest as f64 / speed;
        Some((
            bounded(seconds(whole.max(present)) * 0.9),
            bounded(seconds(whole.min(present)) * 1.2),
        ))
    }

    fn present_speed(&self, now: Duration) -> Option<f64> {
        let (since, done) = self.recent.front()?;
        per_second(self.done - done, now.saturating_sub(*since))
    }

    /// `1,234 of 48,211 messages, 56 MiB, 11 MiB/s, 3–5 min left`.
    #[must_use]
    pub fn line(&self, now: Duration) -> String {
        let Some(planned) = self.planned else {
            return "connecting and listing".to_owned();
        };
        if let Some(until) = self.paused {
            return format!(
                "{} of {} messages, paused until {}",
                number(self.done),
                number(planned),
                instant(until)
            );
        }
        let mut parts = vec![
            format!("{} of {} messages", number(self.done), number(planned)),
            bytes(self.bytes),
        ];
        parts.extend(rate(self.bytes, self.elapsed(now)));
        if let Some((low, high)) = self.left(now) {
            parts.push(format!("{} left", range(low, high)));
        }
        parts.join(", ")
    }
}

/// `None` where no speed shows.
fn per_second(n: u64, time: Duration) -> Option<f64> {
    let speed = n as f64 / time.as_secs_f64();
    (speed.is_finite() && speed > 0.0).then_some(speed)
}

fn bounded(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

impl FolderProgress {
    /// `INBOX → Archive: 12 of 300`; the arrow only where the names differ.
    #[must_use]
    pub fn line(&self) -> String {
        let name = table::cut(&text(&self.folder), 30);
        let to = if self.folder == self.to {
            String::new()
        } else {
            format!(" → {}", table::cut(&text(&self.to), 30))
        };
        format!(
            "{name}{to}: {} of {}",
            number(self.done),
            number(self.planned.max(self.done))
        )
    }
}

/// All accounts of a run.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    pub accounts: Vec<AccountProgress>,
}

impl Progress {
    /// Takes an event in; gives back which account it concerned.
    pub fn take(&mut self, event: &Event, now: Duration) -> usize {
        let at = self.find(account_of(event), now);
        let account = &mut self.accounts[at];
        match event {
            Event::Planned { messages, .. } => account.planned = Some(*messages),
            Event::FolderStarted {
                folder,
                to,
                messages,
                ..
            } => account.folders.push(FolderProgress {
                folder: folder.clone(),
                to: to.clone(),
                planned: *messages,
                done: 0,
            }),
            Event::Advanced {
                folder,
                messages,
                bytes,
                ..
            } => account.advance(folder, *messages, *bytes, now),
            Event::FolderDone { report, .. } => {
                account.folders.retain(|f| f.folder != report.folder);
            }
            Event::FolderChecked { folder, .. } => {
                account.folders.retain(|f| f.folder != *folder);
            }
            Event::Paused { until, .. } => account.paused = Some(*until),
            Event::Resumed { .. } => account.paused = None,
            Event::AccountDone { .. } => {
                account.finished = true;
                account.folders.clear();
            }
            _ => {}
        }
        at
    }

    fn find(&mut self, name: &str, now: Duration) -> usize {
        // Those in work stand at the end, however many are done.
        if let Some(at) = self.accounts.iter().rposition(|a| a.account == name) {
            return at;
        }
        self.accounts.push(AccountProgress::new(name, now));
        self.accounts.len() - 1
    }

    /// A line for each account in work, for a log: `budi: 1,234 of 48,211 messages, …`.
    #[must_use]
    pub fn lines(&self, now: Duration) -> Vec<String> {
        self.accounts
            .iter()
            .filter(|account| !account.finished)
            .map(|account| format!("{}: {}", text(&account.account), account.line(now)))
            .collect()
    }
}

/// The account that an event is about.
#[must_use]
pub fn account_of(event: &Event) -> &str {
    match event {
        Event::AccountStarted { account }
        | Event::Planned { account, .. }
        | Event::FolderStarted { account, .. }
        | Event::Advanced { account, .. }
        | Event::FolderDone { account, .. }
        | Event::FolderChecked { account, .. }
        | Event::Trouble { account, .. }
        | Event::Waiting { account, .. }
        | Event::Connections { account, .. }
        | Event::Paused { account, .. }
        | Event::Resumed { account }
        | Event::Warning { account, .. }
        | Event::AccountDone { account, .. } => account,
    }
}

/// When a log gets a line: after 5, 10, 30 s, 1, 2, 5 min, then every 5 min.
#[derive(Debug, Clone, Default)]
pub struct Schedule {
    told: u64,
}

impl Schedule {
    /// Is a line due now? Each due moment is told once; several that have passed together are one.
    pub fn is_due(&mut self, now: Duration) -> bool {
        let passed = moments_passed(now.as_secs());
        let due = passed > self.told;
        self.told = passed;
        due
    }
}

fn moments_passed(seconds: u64) -> u64 {
    let early = [5, 10, 30, 60, 120];
    let of_early = early.iter().filter(|&&moment| moment <= seconds).count() as u64;
    of_early + seconds / 300
}

#[cfg(test)]
#[path = "progress_tests.rs"]
mod tests;
