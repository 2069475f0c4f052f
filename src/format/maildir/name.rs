//! Names of message files: unique without the clock, with date, sizes and flags in them.

use crate::message::Flags;
use std::hash::{BuildHasher, Hasher};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// 64 random bits a process: a clock set back, a process id used again or a copied archive cannot repeat them.
static PROCESS: LazyLock<u64> =
    LazyLock::new(|| std::hash::RandomState::new().build_hasher().finish());

static HOST: LazyLock<String> = LazyLock::new(host);

/// A name that was never given before: `EPOCH.M<random>P<pid>Q<counter>.<host>`, EPOCH the INTERNALDATE in
/// seconds (0 for none and for dates before 1970).
pub(super) fn unique(epoch: Option<i64>) -> String {
    format!(
        "{}.M{:016x}P{}Q{}.{}",
        epoch.unwrap_or(0).max(0),
        *PROCESS,
        std::process::id(),
        COUNTER.fetch_add(1, Ordering::Relaxed),
        *HOST
    )
}

/// Could this name in `tmp/` be one of ours, from this run or an earlier one?
pub(super) fn is_ours(name: &str) -> bool {
    let mut parts = name.splitn(3, '.');
    let epoch = parts.next().unwrap_or_default();
    let middle = parts.next().unwrap_or_default();
    !epoch.is_empty()
        && epoch.bytes().all(|b| b.is_ascii_digit())
        && middle.len() > 17
        && middle.starts_with('M')
        && middle.as_bytes()[1..17].iter().all(u8::is_ascii_hexdigit)
        && middle.contains('P')
        && middle.contains('Q')
}

/// The name with sizes in bytes: on disk (`S=`) and in canonical form (`W=`).
pub(super) fn sized(unique: &str, on_disk: u64, canonical: u64) -> String {
    format!("{unique},S={on_disk},W={canonical}")
}

/// What stands before the flags and stays when they change.
pub(super) fn base(name: &str) -> &str {
    name.split_once(":2,").map_or(name, |(base, _)| base)
}

/// The part that a file had in `tmp/` already.
pub(super) fn unique_part(name: &str) -> &str {
    let base = base(name);
    base.split_once(",S=").map_or(base, |(unique, _)| unique)
}

/// `:2,` and the letters, in ASCII order; `letters` are those of the keywords.
pub(super) fn info(flags: &Flags, letters: &str) -> String {
    let mut info = String::from(":2,");
    for (set, letter) in [
        (flags.draft, 'D'),
        (flags.flagged, 'F'),
        (flags.answered, 'R'),
        (flags.seen, 'S'),
        (flags.deleted, 'T'),
    ] {
        if set {
            info.push(letter);
        }
    }
    info.push_str(letters);
    info
}

fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String = name
        .trim()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'))
        .take(64)
        .collect();
    if name.is_empty() {
        "localhost".to_owned()
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_told_from_others() {
        let (a, b) = (unique(Some(837_596_665)), unique(Some(837_596_665)));
        assert_ne!(a, b);
        assert!(a.starts_with("837596665.M") && is_ours(&a));
        assert!(unique(Some(-5)).starts_with("0.M"));
        assert!(!is_ours("1700000000.M12345P99.host"));
        assert!(!is_ours("x") && !is_ours(""));
    }

    #[test]
    fn parts_come_apart_again() {
        let flags = Flags {
            seen: true,
            flagged: true,
            ..Flags::default()
        };
        let name = format!("{}{}", sized("1.Mx.h", 10, 12), info(&flags, "ac"));
        assert_eq!(name, "1.Mx.h,S=10,W=12:2,FSac");
        assert_eq!(base(&name), "1.Mx.h,S=10,W=12");
        assert_eq!(unique_part(&name), "1.Mx.h");
    }
}
