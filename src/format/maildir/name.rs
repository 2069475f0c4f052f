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

/// The process of this host that gave a name of ours; `None` for other hosts, and for this process.
pub(super) fn maker(name: &str) -> Option<u32> {
    let mut parts = name.splitn(3, '.').skip(1);
    let (middle, host) = (parts.next()?, parts.next()?);
    let (random, rest) = middle.strip_prefix('M')?.split_once('P')?;
    let own = u64::from_str_radix(random, 16).ok()? == *PROCESS;
    let here = is_ours(name) && host == *HOST && !own;
    here.then(|| rest.split_once('Q')?.0.parse().ok()).flatten()
}

/// The name with sizes in bytes: on disk (`S=`) and in canonical form (`W=`).
pub(super) fn sized(unique: &str, on_disk: u64, canonical: u64) -> String {
    format!("{unique},S={on_disk},W={canonical}")
}

/// What stands before the flags and stays when they change.
pub(super) fn base(name: &str) -> &str {
    // The cut is at an ASCII character.
    name.get(..parts(name.as_bytes()).0.len()).unwrap_or(name)
}

/// A file's name as its base and the letters of its flags. Where a colon cannot be in a name, programs write `;2,` or
/// `!2,` for `:2,`.
pub(super) fn parts(name: &[u8]) -> (&[u8], &[u8]) {
    if let Some(at) = memchr::memchr(b':', name) {
        return (
            &name[..at],
            name[at + 1..].strip_prefix(b"2,").unwrap_or_default(),
        );
    }
    let other = [&b";2,"[..], b"!2,"];
    match other
        .iter()
        .find_map(|mark| memchr::memmem::rfind(name, mark))
    {
        Some(at) => (&name[..at], &name[at + 3..]),
        None => (name, b""),
    }
}

/// A base without the fields that mbsync (`,U=7`) and OfflineIMAP (`,U=7,FMD5=…`) put behind it, and change.
pub(super) fn lasting(base: &[u8]) -> Vec<u8> {
    let passing = |field: &&[u8]| field.starts_with(b"U=") || field.starts_with(b"FMD5=");
    let mut fields = base.split(|&b| b == b',');
    let first = fields.next().unwrap_or_default();
    let rest = fields.filter(|field| !passing(field));
    std::iter::once(first)
        .chain(rest)
        .collect::<Vec<_>>()
        .join(&b',')
}

/// The INTERNALDATE in a name of ours, epoch seconds.
pub(super) fn date(name: &[u8]) -> Option<i64> {
    let name = std::str::from_utf8(name).ok()?;
    let epoch: i64 = name.split('.').next()?.parse().ok()?;
    (is_ours(name) && epoch > 0).then_some(epoch)
}

/// The number that a name begins with, by which deliveries are ordered.
pub(super) fn time(name: &[u8]) -> u64 {
    let digits = name.iter().take_while(|b| b.is_ascii_digit());
    digits.fold(0, |n: u64, b| {
        n.saturating_mul(10).saturating_add(u64::from(b - b'0'))
    })
}

/// A number told in a name, such as the size behind `,W=`.
pub(super) fn told(base: &[u8], key: &[u8]) -> Option<u64> {
    let rest = &base[memchr::memmem::find(base, key)? + key.len()..];
    let end = rest.iter().position(|b| !b.is_ascii_digit());
    std::str::from_utf8(&rest[..end.unwrap_or(rest.len())])
        .ok()?
        .parse()
        .ok()
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

/// This host's name as the system has it.
pub(super) fn this_host() -> &'static str {
    static NAME: LazyLock<String> = LazyLock::new(|| {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        name.trim().to_owned()
    });
    &NAME
}

fn host() -> String {
    let name: String = this_host()
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
    fn other_programs_names() {
        assert_eq!(parts(b"1.x.h:2,FS"), (&b"1.x.h"[..], &b"FS"[..]));
        assert_eq!(parts(b"1.x.h;2,S"), (&b"1.x.h"[..], &b"S"[..]));
        assert_eq!(parts(b"1.x!y.h!2,"), (&b"1.x!y.h"[..], &b""[..]));
        assert_eq!(parts(b"1.x.h:1,S"), (&b"1.x.h"[..], &b""[..]));
        assert_eq!(parts(b"\xff:2,T"), (&b"\xff"[..], &b"T"[..]));
        assert_eq!(base("1.x.h;2,S"), "1.x.h");
        assert_eq!(
            (time(b"17.x"), time(b"x"), time(&[b'9'; 40])),
            (17, 0, u64::MAX)
        );
        assert_eq!(lasting(b"1.x.h,U=7,FMD5=0a,S=3"), b"1.x.h,S=3");
        assert_eq!(lasting(b"1.x.h,W=3"), b"1.x.h,W=3");
        let own = unique(Some(42));
        assert_eq!((date(own.as_bytes()), date(b"42.M1P2.h")), (Some(42), None));
        assert_eq!(
            (told(b"1.x,S=5,W=77", b",W="), told(b"1.x,W=", b",W=")),
            (Some(77), None)
        );
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
