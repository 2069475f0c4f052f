//! Progress bars on a terminal: one an account, and below it a line a folder in work.

use super::echo;
use crate::render::progress::{AccountProgress, Progress};
use crate::render::{Paint, table, text};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::Duration;

/// Folders shown at once below an account.
const MOST_FOLDERS: usize = 6;

/// How often bars are drawn, though events come by the thousand.
const REDRAW: Duration = Duration::from_millis(100);

pub(super) struct Bars {
    all: MultiProgress,
    accounts: Vec<AccountBars>,
    style: ProgressStyle,
    line_style: ProgressStyle,
    drawn: Option<Duration>,
}

struct AccountBars {
    bar: ProgressBar,
    folders: Vec<ProgressBar>,
}

impl Bars {
    pub(super) fn new(paint: Paint) -> Self {
        let bar = if paint == Paint::PLAIN {
            "{prefix} {bar:16} {wide_msg}"
        } else {
            "{prefix} {bar:16.green} {wide_msg}"
        };
        echo::hush();
        Bars {
            all: MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10)),
            accounts: Vec::new(),
            style: style(bar),
            line_style: style("  {wide_msg}"),
            drawn: None,
        }
    }

    pub(super) fn draw(&mut self, progress: &Progress, now: Duration) {
        if self.drawn.is_some_and(|drawn| now < drawn + REDRAW) {
            return;
        }
        self.drawn = Some(now);
        for at in 0..progress.accounts.len() {
            self.draw_account(at, &progress.accounts[at], now);
        }
    }

    fn draw_account(&mut self, at: usize, account: &AccountProgress, now: Duration) {
        if at == self.accounts.len() {
            let bar = self
                .all
                .add(ProgressBar::new(0).with_style(self.style.clone()));
            bar.set_prefix(table::cut(&text(&account.account), 24));
            let folders = Vec::new();
            self.accounts.push(AccountBars { bar, folders });
        }
        let bars = &mut self.accounts[at];
        if bars.bar.is_finished() {
            return;
        }
        bars.bar
            .set_length(account.planned.unwrap_or(0).max(account.done));
        bars.bar.set_position(account.done);
        bars.bar.set_message(account.line(now));
        show(&self.all, bars, &self.line_style, folder_lines(account));
        if account.finished {
            take_away(&self.all, &bars.bar);
        }
    }

    /// Writes something above the bars.
    pub(super) fn above(&self, write: impl FnOnce()) {
        self.all.suspend(write);
    }

    /// Takes every bar away; what was written above stays.
    pub(super) fn clear(self) {
        for account in self.accounts {
            account
                .folders
                .iter()
                .for_each(ProgressBar::finish_and_clear);
            account.bar.finish_and_clear();
        }
        // A terminal that cannot be cleared any more is gone, and nobody looks at it.
        let _ = self.all.clear();
        echo::restore();
    }
}

/// A template that is not understood (a slip in this file) shows plain bars rather than ending a run.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn folder_lines(account: &AccountProgress) -> Vec<String> {
    let shown = account.folders.iter().take(MOST_FOLDERS);
    let mut lines: Vec<String> = shown.map(|folder| folder.line()).collect();
    if account.folders.len() > MOST_FOLDERS {
        lines.push(format!(
            "… and {} more",
            account.folders.len() - MOST_FOLDERS
        ));
    }
    lines
}

fn show(all: &MultiProgress, bars: &mut AccountBars, style: &ProgressStyle, lines: Vec<String>) {
    while bars.folders.len() > lines.len() {
        if let Some(spare) = bars.folders.pop() {
            take_away(all, &spare);
        }
    }
    for (at, line) in lines.into_iter().enumerate() {
        if at == bars.folders.len() {
            let above = bars.folders.last().unwrap_or(&bars.bar);
            let bar = ProgressBar::new(0).with_style(style.clone());
            bars.folders.push(all.insert_after(above, bar));
        }
        bars.folders[at].set_message(line);
    }
}

fn take_away(all: &MultiProgress, bar: &ProgressBar) {
    bar.finish_and_clear();
    all.remove(bar);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_understood() {
        for template in [
            "{prefix} {bar:16} {wide_msg}",
            "{prefix} {bar:16.green} {wide_msg}",
            "  {wide_msg}",
        ] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
