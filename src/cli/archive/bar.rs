//! A progress bar over the messages of an archive, on a terminal.

use crate::archive::Step;
use crate::cli::terminal::Terminal;
use crate::render::units::{bytes, number, rate};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const TEMPLATE: &str = "{bar:24} {wide_msg}";
/// How many messages pass between two drawings.
const REDRAW: u64 = 64;

pub(super) struct Bar {
    bar: Option<ProgressBar>,
    bytes: AtomicU64,
    started: Instant,
}

impl Bar {
    pub(super) fn new(terminal: &Terminal) -> Self {
        let bar = terminal.bars.then(|| {
            let target = ProgressDrawTarget::stderr_with_hz(10);
            // A template that is not understood shows a plain bar.
            let style = ProgressStyle::with_template(TEMPLATE);
            ProgressBar::with_draw_target(Some(0), target)
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Bar {
            bar,
            bytes: AtomicU64::new(0),
            started: Instant::now(),
        }
    }

    /// From any thread.
    pub(super) fn step(&self, step: Step) {
        let done = self.bytes.fetch_add(step.bytes, Ordering::Relaxed) + step.bytes;
        let Some(bar) = &self.bar else { return };
        bar.set_length(step.of);
        bar.inc(1);
        let at = bar.position();
        if at.is_multiple_of(REDRAW) || at == step.of {
            bar.set_message(words(at, step.of, done, self.started.elapsed()));
        }
    }

    /// Takes the bar away; how long it took.
    pub(super) fn end(self) -> Duration {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        self.started.elapsed()
    }
}

fn words(at: u64, of: u64, done: u64, elapsed: Duration) -> String {
    let speed = rate(done, elapsed).map_or_else(String::new, |rate| format!(", {rate}"));
    format!(
        "{} of {} messages, {}{speed}",
        number(at),
        number(of),
        bytes(done)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_understood_and_the_words_read_well() {
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
        let shown = words(1200, 3400, 4096, Duration::from_secs(2));
        assert_eq!(shown, "1,200 of 3,400 messages, 4.0 KiB, 2.0 KiB/s");
    }
}
