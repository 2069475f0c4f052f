//! Numbers, sizes and times as people read them; independent of locale and time zone.

use std::time::Duration;

/// `48211` as `48,211`.
#[must_use]
pub fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 message`, `2 messages`, `1,000 messages`.
#[must_use]
pub fn count(n: u64, noun: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", number(n))
}

/// Bytes in binary units: `1.2 GiB`.
#[must_use]
pub fn bytes(n: u64) -> String {
    bytesize::ByteSize::b(n).display().iec().to_string()
}

/// Bytes in decimal units, as providers' limits are written: `500.0 MB`.
#[must_use]
pub fn si(n: u64) -> String {
    bytesize::ByteSize::b(n).display().si().to_string()
}

/// `0.4 s`, `34 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`.
#[must_use]
pub fn duration(d: Duration) -> String {
    let s = d.as_secs();
    match s {
        0..10 => format!("{:.1} s", d.as_secs_f64()),
        10..60 => format!("{s} s"),
        60..3600 => format!("{} min {} s", s / 60, s % 60),
        3600..86400 => format!("{} h {} min", s / 3600, s % 3600 / 60),
        _ => format!("{} d {} h", s / 86400, s % 86400 / 3600),
    }
}

/// Bytes a second: `6.2 MiB/s`; `None` where too little time passed to tell.
#[must_use]
pub fn rate(bytes_done: u64, d: Duration) -> Option<String> {
    per_second(bytes_done, d).map(|per_second| format!("{}/s", bytes(per_second)))
}

/// Whole units a second; `None` below 50 ms, where the number would be noise.
#[must_use]
pub fn per_second(units: u64, d: Duration) -> Option<u64> {
    let millis = d.as_millis();
    (millis >= 50).then(|| u64::try_from(u128::from(units) * 1000 / millis).unwrap_or(u64::MAX))
}

/// A range of times: `3–5 min`, `40–60 s`, `about 2 min` where both ends read the same.
#[must_use]
pub fn range(low: Duration, high: Duration) -> String {
    let (unit, name) = match high.as_secs() {
        0..90 => (1, "s"),
        90..5400 => (60, "min"),
        5400..172_800 => (3600, "h"),
        _ => (86400, "d"),
    };
    let low = low.as_secs() / unit;
    let high = high.as_secs().div_ceil(unit);
    if low == high {
        format!("about {high} {name}")
    } else {
        format!("{low}–{high} {name}")
    }
}

/// Epoch seconds as `2026-11-22 22:40 UTC`.
#[must_use]
pub fn instant(epoch: i64) -> String {
    chrono::DateTime::from_timestamp(epoch, 0).map_or_else(
        || "an impossible date".to_owned(),
        |t| t.format("%Y-%m-%d %H:%M UTC").to_string(),
    )
}

/// The day of epoch seconds, UTC: `2026-11-22`.
#[must_use]
pub fn day(epoch: i64) -> String {
    chrono::DateTime::from_timestamp(epoch, 0).map_or_else(
        || "an impossible date".to_owned(),
        |t| t.format("%Y-%m-%d").to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated() {
        let shown = [0, 999, 1000, 48_211, 1_234_567].map(number);
        assert_eq!(shown, ["0", "999", "1,000", "48,211", "1,234,567"]);
        assert_eq!(count(1, "message"), "1 message");
        assert_eq!(count(0, "message"), "0 messages");
    }

    #[test]
    fn times_read_well() {
        let shown = [0, 9, 34, 200, 7500, 273_600].map(|s| duration(Duration::from_secs(s)));
        assert_eq!(
            shown,
            [
                "0.0 s",
                "9.0 s",
                "34 s",
                "3 min 20 s",
                "2 h 5 min",
                "3 d 4 h"
            ]
        );
    }

    #[test]
    fn ranges_share_one_unit() {
        let of = |low, high| range(Duration::from_secs(low), Duration::from_secs(high));
        assert_eq!(of(40, 60), "40–60 s");
        assert_eq!(of(170, 290), "2–5 min");
        assert_eq!(of(120, 120), "about 2 min");
        assert_eq!(of(3600, 9000), "1–3 h");
    }

    #[test]
    fn rates_need_time() {
        assert_eq!(rate(1000, Duration::from_millis(10)), None);
        assert_eq!(rate(2048, Duration::from_secs(2)).unwrap(), "1.0 KiB/s");
        assert_eq!(
            per_second(u64::MAX, Duration::from_millis(50)),
            Some(u64::MAX)
        );
    }

    #[test]
    fn instants_are_utc() {
        assert_eq!(instant(0), "1970-01-01 00:00 UTC");
        assert_eq!(instant(i64::MAX), "an impossible date");
    }
}
