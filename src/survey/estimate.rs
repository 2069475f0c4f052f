//! How long a job will take, as a range: from what both ends hold and how fast they answered while they were looked at.

use crate::job::Limits;
use std::time::Duration;

/// Bytes a second where nothing could be measured: a slow line and a fast one.
const GUESSED: (f64, f64) = (500_000.0, 10_000_000.0);
/// What a server does with a message besides moving its bytes, in seconds: at best and at worst.
const EACH: (f64, f64) = (0.000_3, 0.01);
/// A measurement of a moment is this much too pessimistic, or too optimistic, for hours.
const SPREAD: f64 = 2.0;

/// What was measured at one end.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Measured {
    pub messages: u64,
    /// All messages together; counted or, from some of them, guessed.
    pub bytes: Option<u64>,
    /// From a command to its answer.
    pub round_trip: Duration,
    /// Bytes a second over one connection, as bodies came.
    pub rate: Option<f64>,
    /// Takes messages without asking back before each.
    pub at_once: bool,
    /// At most so many connections.
    pub connections: usize,
    /// Bytes that may pass in a day.
    pub daily: Option<u64>,
    /// What may pass in a second, by the job.
    pub limits: Limits,
}

impl Measured {
    /// Limits that hold besides its own: the strictest counts.
    pub fn limit(&mut self, more: Limits) {
        let strictest = |a: Option<u64>, b: Option<u64>| a.into_iter().chain(b).min();
        self.limits = Limits {
            rate: strictest(self.limits.rate, more.rate),
            messages: strictest(self.limits.messages, more.messages),
        };
    }
}

/// From the quickest to the slowest that is likely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    pub messages: u64,
    pub bytes: u64,
    pub low: Duration,
    pub high: Duration,
    /// Days that a daily limit alone makes of it, where it is more than one.
    pub days: Option<u64>,
}

/// For everything from `from` to `to`, as if nothing were there yet. `None` where there is nothing to move, or how much is not known.
#[must_use]
pub fn estimate(from: &[Measured], to: &Measured) -> Option<Estimate> {
    let messages: u64 = from.iter().map(|end| end.messages).sum();
    let bytes = from
        .iter()
        .map(|end| end.bytes)
        .sum::<Option<u64>>()
        .filter(|_| messages > 0)?;
    let rates: Vec<f64> = from.iter().filter_map(|end| end.rate).collect();
    let slowest = rates.iter().copied().reduce(f64::min);
    let lanes = from.iter().map(|end| end.connections).sum::<usize>();
    let lanes = lanes.min(to.connections).max(1) as f64;
    let quick = slowest.map_or(GUESSED.1, |rate| rate * lanes * SPREAD);
    let slow = slowest.map_or(GUESSED.0, |rate| rate / SPREAD);
    let asking = if to.at_once {
        0.0
    } else {
        to.round_trip.as_secs_f64()
    };
    let (count, size) = (messages as f64, bytes as f64);
    let low = (size / quick).max(count * EACH.0) + count * asking / lanes;
    let high = size / slow + count * (EACH.1 + asking);
    let most = from.iter().chain([to]).filter_map(|end| end.daily).min();
    let days = most.map(|most| bytes.div_ceil(most.max(1)));
    let allowed = allowed(from, to);
    Some(Estimate {
        messages,
        bytes,
        low: whole(low.max(allowed)),
        high: whole(high.max(low).max(allowed)),
        days: days.filter(|days| *days > 1),
    })
}

/// Seconds that the job's own limits make of it. Each end has its own share of all that passes.
fn allowed(from: &[Measured], to: &Measured) -> f64 {
    let seconds = |end: &Measured, messages: u64, bytes: u64| {
        let time = |all: u64, a_second: Option<u64>| {
            a_second.map_or(0.0, |a_second| all as f64 / a_second.max(1) as f64)
        };
        time(bytes, end.limits.rate).max(time(messages, end.limits.messages))
    };
    let messages = from.iter().map(|end| end.messages).sum();
    let bytes = from.iter().filter_map(|end| end.bytes).sum();
    from.iter()
        .map(|end| seconds(end, end.messages, end.bytes.unwrap_or(0)))
        .fold(seconds(to, messages, bytes), f64::max)
}

/// Seconds as a duration that pretends to no more than it knows: whole seconds, then minutes, then tens of minutes.
fn whole(seconds: f64) -> Duration {
    let step = match seconds {
        s if s < 90.0 => 1.0,
        s if s < 5_400.0 => 60.0,
        _ => 600.0,
    };
    let rounded = (seconds / step).ceil().max(1.0) * step;
    Duration::try_from_secs_f64(rounded).unwrap_or(Duration::MAX)
}

impl Estimate {
    /// `1.2 GB in 4,000 messages: 2m to 9m`.
    #[must_use]
    pub fn words(&self) -> String {
        let time = |span| humantime::format_duration(span).to_string();
        let (messages, bytes) = (self.messages, bytesize::ByteSize(self.bytes));
        let (low, high) = (time(self.low), time(self.high));
        let days = self.days.map_or_else(String::new, |days| {
            format!("; a daily limit makes {days} days of it")
        });
        let range = if low == high {
            format!("about {low}")
        } else {
            format!("about {low} to {high}")
        };
        format!("{range} for all {messages} messages, {bytes}, if none is there yet{days}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(messages: u64, bytes: Option<u64>, rate: Option<f64>) -> Measured {
        Measured {
            messages,
            bytes,
            rate,
            round_trip: Duration::from_millis(100),
            connections: 4,
            at_once: true,
            daily: None,
            limits: Limits::default(),
        }
    }

    #[test]
    fn limits_of_the_job_count() {
        let from = [end(3_000, Some(24_000_000), Some(50_000_000.0))];
        let slow = |limits| Measured {
            limits,
            ..end(0, None, None)
        };
        let rate = Limits {
            rate: Some(50_000),
            messages: None,
        };
        let found = estimate(&from, &slow(rate)).unwrap();
        assert_eq!((found.low.as_secs(), found.high.as_secs()), (480, 480));
        let messages = Limits {
            rate: None,
            messages: Some(1),
        };
        let mut slowest = slow(messages);
        slowest.limit(rate);
        let found = estimate(&from, &slowest).unwrap();
        assert_eq!(found.low.as_secs(), 3_000);
    }

    #[test]
    fn a_range_holds_what_was_measured() {
        let from = [end(1_000, Some(100_000_000), Some(1_000_000.0))];
        let to = end(0, None, None);
        let found = estimate(&from, &to).unwrap();
        assert!(found.low < Duration::from_secs(100) && found.high > Duration::from_secs(100));
        assert_eq!(found.days, None);
        let asking = Measured {
            at_once: false,
            ..to
        };
        assert!(estimate(&from, &asking).unwrap().high > found.high + Duration::from_secs(60));
    }

    #[test]
    fn a_daily_limit_counts_in_days_and_nothing_takes_no_time() {
        let limited = Measured {
            daily: Some(500_000_000),
            ..end(0, None, None)
        };
        let from = [end(10, Some(1_200_000_000), None)];
        let found = estimate(&from, &limited).unwrap();
        assert_eq!(found.days, Some(3));
        assert!(found.words().contains("3 days"), "{}", found.words());
        assert_eq!(estimate(&[end(0, Some(0), None)], &limited), None);
        assert_eq!(estimate(&[end(5, None, None)], &limited), None);
    }

    #[test]
    fn long_times_are_round() {
        assert_eq!(whole(0.01), Duration::from_secs(1));
        assert_eq!(whole(100.0), Duration::from_secs(120));
        assert_eq!(whole(10_000.0), Duration::from_secs(10_200));
    }
}
