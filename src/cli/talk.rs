//! What is told while a run works: JSON, bars, lines in a log, or nothing.

use super::bars::Bars;
use super::terminal::Terminal;
use crate::engine::Stop;
use crate::net::Trace;
use crate::outcome::{AccountReport, Event};
use crate::render::progress::{Progress, Schedule};
use crate::render::units::duration;
use crate::render::{errors, json, text};
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// How often JSON tells how far an account is.
const JSON_PROGRESS: Duration = Duration::from_secs(1);

/// Shorter waits are not worth a line in a log.
const WORTH_TELLING: u64 = 5;

/// Takes the events of one run.
pub(super) struct Talk<'a> {
    terminal: &'a Terminal,
    stop: &'a Stop,
    trace: &'a Trace,
    started: Instant,
    progress: Progress,
    schedule: Schedule,
    bars: Option<Bars>,
    json_told: Vec<Duration>,
    /// Accounts whose end was told as JSON.
    done: HashSet<String>,
    stopping_told: bool,
}

impl<'a> Talk<'a> {
    pub(super) fn new(terminal: &'a Terminal, stop: &'a Stop, trace: &'a Trace) -> Self {
        Talk {
            terminal,
            stop,
            trace,
            started: Instant::now(),
            progress: Progress::default(),
            schedule: Schedule::default(),
            bars: terminal.bars.then(|| Bars::new(terminal.err)),
            json_told: Vec::new(),
            done: HashSet::new(),
            stopping_told: false,
        }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// An event, or the tick of the clock.
    pub(super) fn take(&mut self, event: Option<&Event>) {
        let now = self.elapsed();
        self.tell_stopping();
        if let Some(event) = event {
            note(self.trace, event);
            let at = self.progress.take(event, now);
            if self.terminal.json {
                self.json(event, at, now);
            } else {
                self.words(event);
            }
        }
        if let Some(bars) = &mut self.bars {
            bars.draw(&self.progress, now);
        } else if !self.terminal.json && !self.terminal.quiet && self.schedule.is_due(now) {
            for line in self.progress.lines(now) {
                self.terminal.say(&format!("{} {line}", duration(now)));
            }
        }
    }

    /// Once all is told: takes the bars away.
    pub(super) fn end(&mut self) {
        if let Some(bars) = self.bars.take() {
            bars.clear();
        }
    }

    /// JSON for accounts that ended without an `AccountDone`, so that each has its line.
    pub(super) fn missing(&mut self, reports: &[AccountReport]) {
        for report in reports {
            if self.terminal.json && self.done.insert(report.account.clone()) {
                self.terminal.data(&json::account_done(report));
            }
        }
    }

    fn tell_stopping(&mut self) {
        if self.stop.asked() && !self.stopping_told {
            self.stopping_told = true;
            self.say("stopping: finishing what is in flight (Ctrl-C again to leave at once)");
        }
    }

    fn say(&self, line: &str) {
        match &self.bars {
            Some(bars) => bars.above(|| self.terminal.say(line)),
            None => self.terminal.say(line),
        }
    }

    fn json(&mut self, event: &Event, at: usize, now: Duration) {
        if let Event::AccountDone { account, .. } = event {
            self.done.insert(account.clone());
        }
        if let Some(line) = json::event(event) {
            self.terminal.data(&line);
        } else if self.is_progress_due(at, now) {
            let line = json::progress(&self.progress.accounts[at], now);
            self.terminal.data(&line);
        }
    }

    fn is_progress_due(&mut self, at: usize, now: Duration) -> bool {
        if self.json_told.len() <= at {
            self.json_told.resize(at + 1, Duration::ZERO);
        }
        let due = now >= self.json_told[at] + JSON_PROGRESS;
        if due {
            self.json_told[at] = now;
        }
        due
    }

    fn words(&self, event: &Event) {
        match event {
            Event::Warning { account, text } => {
                let line = format!("{account}: {text}");
                self.say(&errors::warning(&line, self.terminal.err));
            }
            Event::Waiting {
                account,
                why,
                seconds,
            } if *seconds >= WORTH_TELLING && !self.terminal.quiet => {
                let wait = duration(Duration::from_secs(*seconds));
                self.say(&format!("{}: waiting {wait}: {}", text(account), text(why)));
            }
            _ => {}
        }
    }
}

/// What concerns the connections of an account as a whole goes to the trace, too.
fn note(trace: &Trace, event: &Event) {
    match event {
        Event::AccountStarted { account } => trace.note(&format!("{account}: begins")),
        Event::AccountDone { account, .. } => trace.note(&format!("{account}: ends")),
        Event::Warning { account, text } => trace.note(&format!("{account}: warning: {text}")),
        Event::Waiting {
            account,
            why,
            seconds,
        } => trace.note(&format!("{account}: waits {seconds} s: {why}")),
        _ => {}
    }
}
