//! Which messages a sample holds: the same ones every time.

use std::str::FromStr;

/// A share of all messages, `5%`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share(f64);

impl Share {
    /// Keeps of a folder's messages those that are in the sample, and one at least: a sample of nothing proves nothing.
    ///
    /// `name` is folder and key at the source.
    pub fn choose<T>(self, all: &mut Vec<T>, name: impl Fn(&T) -> String) {
        let lowest = all.iter().map(|one| rank(&name(one))).min();
        all.retain(|one| {
            let rank = rank(&name(one));
            self.holds(rank) || Some(rank) == lowest
        });
    }

    fn holds(self, rank: u32) -> bool {
        f64::from(rank) < self.0 / 100.0 * 4_294_967_296.0
    }

    /// In percent.
    #[must_use]
    pub fn percent(self) -> f64 {
        self.0
    }
}

/// By a hash: always the same for a name.
fn rank(name: &str) -> u32 {
    let hash = blake3::hash(name.as_bytes());
    let mut first = [0; 4];
    first.copy_from_slice(&hash.as_bytes()[..4]);
    u32::from_be_bytes(first)
}

impl FromStr for Share {
    type Err = String;

    /// `5%`, `0.5%`: more than 0, at most 100.
    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_suffix('%').unwrap_or(text).trim();
        let percent: f64 = number
            .parse()
            .map_err(|_| format!("\"{text}\" is no share; write 5%"))?;
        if percent > 0.0 && percent <= 100.0 {
            Ok(Share(percent))
        } else {
            Err(format!("{text} is not between 0% and 100%"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_percentages() {
        assert_eq!("5%".parse(), Ok(Share(5.0)));
        assert_eq!("0.5".parse(), Ok(Share(0.5)));
        for wrong in ["", "%", "0%", "101%", "-1%", "NaN", "five"] {
            assert!(wrong.parse::<Share>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_sample_is_as_large_as_it_says_and_always_the_same() {
        let first = chosen(20.0, 5000);
        assert_eq!(first, chosen(20.0, 5000));
        assert!((900..1100).contains(&first.len()), "{}", first.len());
        assert_eq!(chosen(100.0, 500).len(), 500);
    }

    #[test]
    fn the_smallest_sample_holds_one_message_of_a_folder() {
        assert_eq!(chosen(0.000_1, 30).len(), 1);
        assert_eq!(chosen(0.000_1, 30), chosen(0.000_1, 30));
        assert!(chosen(0.000_1, 0).is_empty());
    }

    fn chosen(percent: f64, of: u32) -> Vec<u32> {
        let mut all: Vec<u32> = (0..of).collect();
        Share(percent).choose(&mut all, |n| format!("imap://a@b 1 uid:{n} INBOX"));
        all
    }
}
