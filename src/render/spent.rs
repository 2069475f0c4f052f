//! Where the seconds of a run went, in words.

use super::units::count;
use crate::outcome::{AccountReport, Spent, Wait};
use std::time::Duration;

/// All accounts together; `None` where it was not measured.
#[must_use]
pub fn total(reports: &[AccountReport]) -> Option<Spent> {
    let measured = reports.iter().filter_map(|report| report.spent);
    measured.reduce(|mut all, one| {
        all.merge(&one);
        all
    })
}

/// A line for each wait that there was, the processor's time last; nothing where it was not measured.
#[must_use]
pub fn lines(reports: &[AccountReport], elapsed: Duration) -> Vec<String> {
    let Some(spent) = total(reports) else {
        return Vec::new();
    };
    let mut lines = vec![
        format!(
            "where the time went: {} by the clock; {} to the source, {} to the destination",
            seconds(elapsed),
            count(spent.sources, "connection"),
            count(spent.destinations, "connection")
        ),
        "(seconds of all of them added up: several wait at once)".to_owned(),
    ];
    let waits = Wait::ALL.map(|wait| (words(wait), spent.on(wait)));
    let told = waits.into_iter().filter(|(_, time)| !time.is_zero());
    let own = ("mailhaul's own work, on all processors", spent.processor);
    lines.extend(
        told.chain([own])
            .map(|(words, time)| format!("  {:>9}  {words}", seconds(time))),
    );
    lines
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

fn words(wait: Wait) -> &'static str {
    match wait {
        Wait::Connecting => "connecting and signing in",
        Wait::Source => "waiting for the source",
        Wait::Destination => "waiting for the destination",
        Wait::Memory => {
            "reading, held back: the memory budget was full of what is not delivered yet"
        }
        Wait::HeldBack => "reading, held back: the next stage was busy",
        Wait::Archive => "writing the archive, until it was on the disk",
        Wait::Journal => "waiting for the journal",
        Wait::Pause => "pauses that a server asked for, or before another attempt",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::samples;

    #[test]
    fn nothing_is_told_that_was_not_measured() {
        let reports = [samples::report(Vec::new())];
        assert!(lines(&reports, Duration::from_secs(1)).is_empty());
    }

    #[test]
    fn each_wait_has_its_line() {
        let mut spent = Spent::default();
        spent.processor = Duration::from_millis(480);
        (spent.sources, spent.destinations) = (1, 2);
        spent.add(Wait::Source, Duration::from_millis(2500));
        spent.add(Wait::Journal, Duration::from_millis(40));
        let mut report = samples::report(Vec::new());
        report.spent = Some(spent);
        let told = lines(&[report.clone(), report], Duration::from_secs(6));
        let wanted = [
            "where the time went: 6.00 s by the clock; 2 connections to the source, 4 connections to the destination",
            "(seconds of all of them added up: several wait at once)",
            "     5.00 s  waiting for the source",
            "     0.08 s  waiting for the journal",
            "     0.48 s  mailhaul's own work, on all processors",
        ];
        assert_eq!(told, wanted);
    }
}
