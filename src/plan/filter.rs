//! `[filter]`: which messages are the job's.

use crate::job::Filter;
use crate::message::InternalDate;

/// Does a message pass? `size` is in bytes. What is not known passes: nothing is left out on a guess. `Err`: why it is
/// skipped.
pub fn passes(
    filter: &Filter,
    date: Option<InternalDate>,
    size: Option<u64>,
) -> Result<(), &'static str> {
    let epoch = date.map(|date| date.epoch);
    if filter
        .since
        .zip(epoch)
        .is_some_and(|(since, at)| at < since)
    {
        return Err("older than since");
    }
    if filter
        .before
        .zip(epoch)
        .is_some_and(|(before, at)| at >= before)
    {
        return Err("not older than before");
    }
    if filter
        .max_size
        .zip(size)
        .is_some_and(|(most, size)| size > most)
    {
        return Err("larger than max-size");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(epoch: i64) -> Option<InternalDate> {
        Some(InternalDate {
            epoch,
            offset_minutes: 0,
        })
    }

    #[test]
    fn bounds_are_inside_and_outside() {
        let filter = Filter {
            since: Some(100),
            before: Some(200),
            max_size: Some(10),
        };
        assert_eq!(passes(&filter, at(99), None), Err("older than since"));
        assert_eq!(passes(&filter, at(100), Some(10)), Ok(()));
        assert_eq!(passes(&filter, at(199), None), Ok(()));
        assert_eq!(passes(&filter, at(200), None), Err("not older than before"));
        assert_eq!(
            passes(&filter, at(150), Some(11)),
            Err("larger than max-size")
        );
    }

    #[test]
    fn what_is_not_known_passes() {
        let filter = Filter {
            since: Some(100),
            before: Some(200),
            max_size: Some(10),
        };
        assert_eq!(passes(&filter, None, None), Ok(()));
        assert_eq!(passes(&Filter::default(), at(0), Some(u64::MAX)), Ok(()));
    }
}
