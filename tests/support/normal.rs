//! Makes output the same on every machine and every day, for snapshots.

use regex::Regex;
use std::path::Path;

/// Replaces the directory, ports, times, durations and rates by words; counts stay.
pub fn normal(text: &str, dir: &Path) -> String {
    let mut out = text.replace(&*dir.to_string_lossy(), "DIR");
    for (pattern, word) in [
        (r"(127\.0\.0\.1|127\.1|localhost):\d+", "$1:PORT"),
        (r"\bport \d{4,5}\b", "port PORT"),
        // The unique-ids that Dovecot makes of UID and UIDVALIDITY.
        (r"\b[0-9a-f]{8}6[0-9a-f]{7}\b", "UIDL"),
        (r"/tmp/[\w.\-/]+", "DIR"),
        (
            r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?(Z|[+-]\d\d:?\d\d)?",
            "TIME",
        ),
        (r"\b\d+([.,]\d+)? ?([KMG]i?)?B/s", "RATE"),
        (r"\b[\d.,]+ (messages?|msgs?)/s", "RATE"),
        (
            r"\b\d+(\.\d+)?(ns|us|µs|ms|s|m|h)( \d+(ns|us|µs|ms|s|m))*\b",
            "DURATION",
        ),
    ] {
        let regex = Regex::new(pattern).expect("a pattern");
        out = regex.replace_all(&out, word).into_owned();
    }
    out
}

#[test]
fn what_changes_from_run_to_run_goes() {
    let text = "imap://127.0.0.1:20143 at 2026-01-02T03:04:05Z: 1,204 copied in 1m 3s, 3.4 MiB/s, /x/y/job";
    let want = "imap://127.0.0.1:PORT at TIME: 1,204 copied in DURATION, RATE, DIR/job";
    assert_eq!(normal(text, Path::new("/x/y")), want);
}
