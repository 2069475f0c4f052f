use super::super::samples::{folder, report};
use super::*;
use crate::outcome::Outcome;

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn advanced(messages: u64, bytes: u64) -> Event {
    Event::Advanced {
        account: "budi".into(),
        folder: "INBOX".into(),
        messages,
        bytes,
    }
}

fn begun() -> Progress {
    let mut progress = Progress::default();
    let account = "budi".to_owned();
    progress.take(
        &Event::AccountStarted {
            account: account.clone(),
        },
        secs(0),
    );
    progress.take(
        &Event::FolderStarted {
            account,
            folder: "INBOX".into(),
            to: "Archive".into(),
            messages: 1000,
        },
        secs(0),
    );
    progress
}

#[test]
fn no_time_left_before_the_plan_is_known() {
    let mut progress = begun();
    for second in 1..30 {
        progress.take(&advanced(10, 1024), secs(second));
    }
    assert_eq!(progress.accounts[0].left(secs(30)), None);
    assert_eq!(progress.lines(secs(30)), ["budi: connecting and listing"]);
}

#[test]
fn time_left_is_a_range_around_the_truth() {
    let mut progress = begun();
    let planned = Event::Planned {
        account: "budi".into(),
        folders: 1,
        messages: 1000,
    };
    progress.take(&planned, secs(0));
    for second in 1..=50 {
        progress.take(&advanced(10, 1024), secs(second));
    }
    let (low, high) = progress.accounts[0].left(secs(50)).unwrap();
    assert!(low < secs(50) && high > secs(50), "{low:?} {high:?}");
    assert_eq!(
        progress.accounts[0].line(secs(50)),
        "500 of 1,000 messages, 50.0 KiB, 1.0 KiB/s, 45–60 s left"
    );
}

#[test]
fn a_stall_widens_the_range_and_the_end_needs_none() {
    let mut progress = begun();
    progress.accounts[0].planned = Some(100);
    for second in 1..=10 {
        progress.take(&advanced(5, 1), secs(second));
    }
    let (_, before) = progress.accounts[0].left(secs(10)).unwrap();
    let (_, after) = progress.accounts[0].left(secs(25)).unwrap();
    assert!(after > before);
    progress.take(&advanced(50, 1), secs(26));
    assert_eq!(progress.accounts[0].left(secs(26)), None);
}

#[test]
fn samples_stay_few() {
    let mut progress = begun();
    for millis in 0..100_000 {
        progress.take(&advanced(1, 1), Duration::from_millis(millis));
    }
    assert!(progress.accounts[0].recent.len() <= 22);
}

#[test]
fn folders_come_and_go() {
    let mut progress = begun();
    progress.take(&advanced(12, 1), secs(1));
    assert_eq!(
        progress.accounts[0].folders[0].line(),
        "INBOX → Archive: 12 of 1,000"
    );
    let done = Event::FolderDone {
        account: "budi".into(),
        report: folder("INBOX", "Archive", &[(Outcome::Copied, 12)]),
    };
    progress.take(&done, secs(2));
    assert!(progress.accounts[0].folders.is_empty());
    let done = Event::AccountDone {
        account: "budi".into(),
        report: report(Vec::new()),
    };
    progress.take(&done, secs(3));
    assert!(progress.lines(secs(3)).is_empty());
}

#[test]
fn a_log_gets_a_line_at_set_moments() {
    let mut schedule = Schedule::default();
    let told: Vec<u64> = (0..1300).filter(|&s| schedule.is_due(secs(s))).collect();
    assert_eq!(told, [5, 10, 30, 60, 120, 300, 600, 900, 1200]);
}
