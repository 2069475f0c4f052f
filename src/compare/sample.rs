//! Which messages a sample holds: the same ones every time.

use std::str::FromStr;

/// A share of all messages, `5%`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share(f64);

impl Share {
    /// Is the message with this name (folder and key at the source) in the sample? By a hash: always the same answer.
    #[must_use]
    pub fn holds(self, name: &str) -> bool {
        let hash = blake3::hash(name.as_bytes());
        let mut first = [0; 4];
        first.copy_from_slice(&hash.as_bytes()[..4]);
        f64::from(u32::from_be_bytes(first)) < self.0 / 100.0 * 4_294_967_296.0
    }

    /// In percent.
    #[must_use]
    pub fn percent(self) -> f64 {
        self.0
    }
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
        let share = Share(20.0);
        let held = |n: &u32| share.holds(&format!("imap://a@b 1 uid:{n} INBOX"));
        let first: Vec<u32> = (0..5000).filter(held).collect();
        let again: Vec<u32> = (0..5000).filter(held).collect();
        assert_eq!(first, again);
        assert!((900..1100).contains(&first.len()), "{}", first.len());
        assert_eq!(
            (0..500)
                .filter(|n| Share(100.0).holds(&n.to_string()))
                .count(),
            500
        );
    }
}
