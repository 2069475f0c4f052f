//! The balance line: every message of the source in exactly one part, and the parts add up.

use super::units::number;
use crate::outcome::{Counts, Outcome};

/// `48,211 = 47,900 copied + 300 already there + 3 duplicate + 8 not copied; unaccounted 0`.
///
/// Parts that are zero are left out, but for `copied`. *Rejected* and *failed* are `not copied` together.
#[must_use]
pub fn line(source_count: u64, counts: &Counts) -> String {
    let parts: Vec<String> = parts(counts)
        .into_iter()
        .filter(|&(n, word)| n > 0 || word == Outcome::Copied.words())
        .map(|(n, word)| format!("{} {word}", number(n)))
        .collect();
    let total = number(source_count);
    let left = unaccounted(source_count, counts);
    format!("{total} = {}; unaccounted {left}", parts.join(" + "))
}

fn parts(counts: &Counts) -> [(u64, &'static str); 7] {
    let of = |outcome: Outcome| (counts.of(outcome), outcome.words());
    [
        of(Outcome::Copied),
        of(Outcome::Present),
        of(Outcome::Duplicate),
        of(Outcome::Altered),
        of(Outcome::Vanished),
        of(Outcome::Skipped),
        (not_copied(counts), "not copied"),
    ]
}

/// Mail that should have been copied and was not.
#[must_use]
pub fn not_copied(counts: &Counts) -> u64 {
    Outcome::ALL
        .into_iter()
        .filter(|outcome| outcome.is_trouble())
        .map(|outcome| counts.of(outcome))
        .sum()
}

/// Negative where more was counted than the source said it holds.
fn unaccounted(source_count: u64, counts: &Counts) -> String {
    let total = counts.total();
    let sign = if total > source_count { "-" } else { "" };
    format!("{sign}{}", number(source_count.abs_diff(total)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(parts: &[(Outcome, u64)]) -> Counts {
        let mut counts = Counts::default();
        for &(outcome, n) in parts {
            counts.add(outcome, n);
        }
        counts
    }

    #[test]
    fn zero_parts_but_copied_are_left_out() {
        let run = counts(&[
            (Outcome::Copied, 47_900),
            (Outcome::Present, 300),
            (Outcome::Duplicate, 3),
            (Outcome::Rejected, 5),
            (Outcome::Failed, 3),
        ]);
        assert_eq!(
            line(48_211, &run),
            "48,211 = 47,900 copied + 300 already there + 3 duplicate + 8 not copied; unaccounted 0"
        );
        assert_eq!(line(0, &Counts::default()), "0 = 0 copied; unaccounted 0");
    }

    #[test]
    fn each_other_outcome_has_its_own_word() {
        let run = counts(&[
            (Outcome::Altered, 1),
            (Outcome::Vanished, 2),
            (Outcome::Skipped, 3),
        ]);
        assert_eq!(
            line(6, &run),
            "6 = 0 copied + 1 altered + 2 vanished + 3 skipped; unaccounted 0"
        );
    }

    #[test]
    fn what_does_not_add_up_is_said() {
        let run = counts(&[(Outcome::Copied, 5)]);
        assert!(line(7, &run).ends_with("unaccounted 2"));
        assert!(line(4, &run).ends_with("unaccounted -1"));
    }
}
