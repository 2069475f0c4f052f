//! `[filter]`: which messages are the job's.

use crate::job::Filter;
use crate::message::{InternalDate, Search};

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

/// Why a message is skipped by its header (a whole message, or its head alone); `None`: the search finds it, or there is none.
#[must_use]
pub fn not_found(filter: &Filter, head: &[u8]) -> Option<String> {
    let search = filter.search.as_ref()?;
    (!search.matches(head)).then(|| not_found_words(search))
}

/// Was a message skipped for these words by the very search that the job has now?
#[must_use]
pub fn is_not_found_again(filter: &Filter, words: &str) -> bool {
    let search = filter.search.as_ref();
    search.is_some_and(|search| not_found_words(search) == words)
}

fn not_found_words(search: &Search) -> String {
    format!("not found by the search {}", search.text())
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
            search: None,
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
            search: None,
        };
        assert_eq!(passes(&filter, None, None), Ok(()));
        assert_eq!(passes(&Filter::default(), at(0), Some(u64::MAX)), Ok(()));
    }

    #[test]
    fn what_a_search_left_out_stays_out_until_the_search_changes() {
        let filter = |text| Filter {
            search: Some(Search::parse(text).unwrap()),
            ..Filter::default()
        };
        let budi = filter("from:budi");
        assert_eq!(not_found(&budi, b"From: Budi <b@x>\r\n\r\n"), None);
        let words = not_found(&budi, b"From: Siti <s@x>\r\n\r\nbudi\r\n").unwrap();
        assert!(is_not_found_again(&budi, &words));
        assert!(!is_not_found_again(&filter("from:siti"), &words));
        assert!(!is_not_found_again(&Filter::default(), &words));
    }
}
