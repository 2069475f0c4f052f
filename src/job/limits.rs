//! How much a job may ask of servers: `max-rate` and its like of an end, and `[limits]`.

use super::error::{Faults, Place};
use super::keys;
use super::rules;
use super::section::{Section, as_text};
use super::spec::{Account, JobLimits, Limits, OnDailyLimit};
use super::tree::{Node, Value};

/// Slower than this a server may take the connection for a dead one, in bytes a second.
const LEAST_RATE: u64 = 1 << 10;
const LEAST_DAY: u64 = 1 << 10;

/// The keys that an end and each table of limits have in common.
pub(super) fn common(section: &Section<'_>, faults: &mut Faults) -> Limits {
    let messages = section.number("max-messages-per-second", 1..=1_000_000, faults);
    Limits {
        rate: rate(section, faults),
        messages: messages.and_then(|n| u64::try_from(n).ok()),
    }
}

/// Bytes a day of an end.
pub(super) fn per_day(section: &Section<'_>, faults: &mut Faults) -> Option<u64> {
    rules::bytes(section, "max-per-day", LEAST_DAY, faults)
}

/// `[limits]`, but for what is to be done when a day is used up.
pub(super) fn job(top: &Section<'_>, faults: &mut Faults) -> JobLimits {
    let Some(section) = table(top, faults) else {
        return JobLimits::default();
    };
    let whole = common(&section, faults);
    let host = section.get("per-host").and_then(|node| {
        let name = section.key("per-host");
        Section::open(node, name, "limits.per-host", keys::PER_HOST, faults)
    });
    let Some(host) = host else {
        return JobLimits {
            whole,
            ..JobLimits::default()
        };
    };
    let connections = host.number("max-connections", 1..=10_000, faults);
    JobLimits {
        whole,
        per_host: common(&host, faults),
        connections_per_host: connections.and_then(|n| usize::try_from(n).ok()),
    }
}

fn table<'a>(top: &Section<'a>, faults: &mut Faults) -> Option<Section<'a>> {
    let node = top.get("limits")?;
    Section::open(node, "limits".into(), "limits", keys::LIMITS, faults)
}

/// What becomes of an account whose day is used up.
pub(super) fn on_daily_limit(top: &Section<'_>, faults: &mut Faults) -> OnDailyLimit {
    let words = [
        ("wait", Some(OnDailyLimit::Wait)),
        ("stop", Some(OnDailyLimit::Stop)),
    ];
    // Its unknown keys are told by `job`.
    let mut nowhere = Faults::new(std::path::Path::new(""));
    let section = table(top, &mut nowhere);
    let chosen = section.and_then(|section| section.choice("on-daily-limit", &words, faults));
    chosen.unwrap_or_default()
}

/// Every account needs a connection for each of its ends at once.
pub(super) fn check_connections(
    top: &Section<'_>,
    limits: &JobLimits,
    accounts: &[Account],
    faults: &mut Faults,
) {
    let (Some(most), Some(node)) = (limits.connections_per_host, top.get("limits")) else {
        return;
    };
    let needed = accounts.iter().flat_map(Account::hosts);
    let Some((host, needed)) = needed.max_by_key(|(_, needed)| *needed) else {
        return;
    };
    if needed > most {
        let message = format!(
            "expected at least {needed}, found {most}: so many ends of an account are at {host}, each with a connection of its own"
        );
        faults.add(place(node), "limits.per-host.max-connections", message);
    }
}

/// Of `[limits.per-host] max-connections`.
fn place(limits: &Node) -> &Place {
    let of = below(limits, "per-host");
    &below(of, "max-connections").place
}

/// What a table holds by that name, or the table.
fn below<'a>(node: &'a Node, key: &str) -> &'a Node {
    match &node.value {
        Value::Table(table) => table.get(key).unwrap_or(node),
        _ => node,
    }
}

/// Bytes a second: `"500 KiB/s"`, or a number.
fn rate(section: &Section<'_>, faults: &mut Faults) -> Option<u64> {
    let node = section.get("max-rate")?;
    let rate = match &node.value {
        Value::Integer(number) => u64::try_from(*number).ok(),
        _ => as_text(node).and_then(bytes_a_second),
    };
    let fits = rate.filter(|rate| (LEAST_RATE..=1 << 40).contains(rate));
    if fits.is_none() {
        let what = "bytes a second such as \"500 KiB/s\", at least \"1 KiB/s\"";
        section.expected("max-rate", node, what, faults);
    }
    fits
}

fn bytes_a_second(text: &str) -> Option<u64> {
    let size = text.trim().strip_suffix("/s").unwrap_or(text);
    let size: bytesize::ByteSize = size.trim().parse().ok()?;
    Some(size.as_u64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_sizes_a_second() {
        assert_eq!(bytes_a_second("500 KiB/s"), Some(512_000));
        assert_eq!(bytes_a_second("2MB"), Some(2_000_000));
        assert_eq!(bytes_a_second("64000"), Some(64_000));
        assert_eq!(bytes_a_second("fast"), None);
        assert_eq!(bytes_a_second("5 KiB/min"), None);
    }
}
