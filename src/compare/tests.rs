use super::*;
use crate::message::digest::digests;
use proptest::prelude::*;

const RULES: Rules = Rules {
    content: true,
    shared: true,
    collapse: false,
};
const IMAP: Step = Step {
    flags: true,
    loose: false,
};
const POP3: Step = Step {
    flags: false,
    loose: true,
};

fn row(uid: u32, bytes: &str) -> Row {
    let bytes = bytes.as_bytes();
    Row {
        key: SourceKey::Uid(uid),
        flags: Flags::default(),
        date: Some(InternalDate {
            epoch: 1_000,
            offset_minutes: 0,
        }),
        size: Some(bytes.len() as u64),
        digests: Some(digests(bytes)),
        header: Row::identity(bytes),
    }
}

fn mail(id: &str, text: &str) -> String {
    format!(
        "Message-ID: <{id}>\r\nDate: Thu, 1 Jan 2015 00:00:00 +0000\r\nFrom: a@b\r\nSubject: s\r\n\r\n{text}\r\n"
    )
}

fn flagged(mut row: Row, flags: &str) -> Row {
    row.flags = Flags::from_text(flags);
    row
}

fn compared(rules: Rules, steps: &[(Step, Vec<Row>)], standing: Vec<Row>) -> Found {
    let mut pairing = Pairing::new(rules, steps.iter().map(|(step, _)| *step).collect());
    for (at, (_, rows)) in steps.iter().enumerate() {
        rows.iter().for_each(|row| pairing.source(at, row.clone()));
    }
    standing.into_iter().for_each(|row| pairing.standing(row));
    pairing.finish(&|_, _| None)
}

fn uids(rows: &[(Row, bool)]) -> Vec<u32> {
    rows.iter().filter_map(|(row, _)| row.uid()).collect()
}

#[test]
fn equals_pair_in_any_order_and_one_to_one() {
    let copies = vec![row(1, "x"), row(2, "y"), row(3, "x")];
    let found = compared(RULES, &[(IMAP, copies)], vec![row(9, "x"), row(8, "y")]);
    assert_eq!(found.equal, [2]);
    assert_eq!(found.missing.len(), 1);
    assert!(found.spare.is_empty() && found.pairs.is_empty());
    assert_eq!(
        (found.source_digests.len(), found.standing_digests.len()),
        (3, 2)
    );
}

#[test]
fn a_second_copy_at_the_destination_is_told_from_other_mail() {
    let found = compared(
        RULES,
        &[(IMAP, vec![row(1, "x")])],
        vec![row(7, "x"), row(8, "x"), row(9, "own")],
    );
    let doubles: Vec<bool> = found.spare.iter().map(|(_, double)| *double).collect();
    assert_eq!(
        (uids(&found.spare), doubles),
        (vec![8, 9], vec![true, false])
    );
}

#[test]
fn copies_pair_so_that_flags_and_dates_differ_least() {
    let source = vec![row(1, "x"), flagged(row(2, "x"), "\\Seen")];
    let standing = vec![
        flagged(row(8, "x"), "\\Seen"),
        flagged(row(9, "x"), "\\Flagged"),
    ];
    let found = compared(RULES, &[(IMAP, source)], standing);
    assert_eq!(found.equal, [1]);
    let [pair] = found.pairs.as_slice() else {
        panic!("{:?}", found.pairs)
    };
    assert_eq!((pair.source.uid(), pair.standing.uid()), (Some(1), Some(9)));
    assert!(pair.flags.add.flagged && pair.flags.remove.is_empty() && !pair.date && !pair.altered);
}

#[test]
fn another_date_is_a_difference_and_none_is_not() {
    let mut other = row(9, "x");
    other.date = other.date.map(|date| InternalDate { epoch: 5, ..date });
    let found = compared(RULES, &[(IMAP, vec![row(1, "x")])], vec![other.clone()]);
    assert!(found.pairs[0].date && !found.pairs[0].altered);
    other.date = None;
    let found = compared(RULES, &[(IMAP, vec![row(1, "x")])], vec![other]);
    assert_eq!(found.equal, [1]);
}

#[test]
fn other_bytes_with_the_same_headers_are_altered() {
    let source = vec![row(1, &mail("a", "one")), row(2, &mail("b", "two"))];
    let standing = vec![row(8, &mail("a", "0ne")), row(9, &mail("c", "two"))];
    let found = compared(RULES, &[(IMAP, source)], standing);
    assert!(found.pairs[0].altered && found.pairs.len() == 1);
    assert_eq!(
        (found.missing[0].1.uid(), uids(&found.spare)),
        (Some(2), vec![9])
    );
}

#[test]
fn where_it_was_delivered_names_it_though_the_headers_changed() {
    let mut pairing = Pairing::new(RULES, vec![IMAP]);
    pairing.source(0, row(1, &mail("a", "one")));
    pairing.standing(row(9, "Subject: other\r\n\r\nnothing alike\r\n"));
    let found = pairing.finish(&|step, key| (step == 0 && *key == SourceKey::Uid(1)).then_some(9));
    assert!(found.pairs[0].altered && found.missing.is_empty());
}

#[test]
fn pop3_overlooks_final_line_ends_and_flags() {
    let standing = || vec![flagged(row(9, "A: b\r\n\r\nx"), "\\Seen")];
    let found = compared(
        RULES,
        &[(POP3, vec![row(1, "A: b\r\n\r\nx\r\n")])],
        standing(),
    );
    assert_eq!(found.equal, [1]);
    assert_eq!(found.source_digests, found.standing_digests);
    let found = compared(
        RULES,
        &[(IMAP, vec![row(1, "A: b\r\n\r\nx\r\n")])],
        standing(),
    );
    assert_eq!(found.equal, [0]);
}

#[test]
fn one_message_stands_for_one_of_each_folder_unless_nothing_is_the_same() {
    let steps = || {
        vec![
            (IMAP, vec![row(1, "x")]),
            (IMAP, vec![row(1, "x"), row(2, "x")]),
        ]
    };
    let found = compared(RULES, &steps(), vec![row(9, "x")]);
    assert_eq!(
        (found.equal.as_slice(), found.duplicates.as_slice()),
        (&[1, 0][..], &[0, 1][..])
    );
    assert_eq!(found.missing.len(), 1);
    let off = Rules {
        shared: false,
        ..RULES
    };
    let found = compared(off, &steps(), vec![row(8, "x"), row(9, "x")]);
    assert_eq!(
        (found.equal.as_slice(), found.missing.len()),
        (&[1, 1][..], 1)
    );
}

#[test]
fn collapsed_copies_are_one_with_all_their_flags() {
    let rules = Rules {
        collapse: true,
        ..RULES
    };
    let source = vec![
        flagged(row(1, &mail("a", "x")), "\\Seen"),
        flagged(row(2, &mail("a", "x")), "\\Flagged"),
    ];
    let standing = vec![flagged(row(9, &mail("a", "x")), "\\Seen \\Flagged")];
    let found = compared(rules, &[(IMAP, source)], standing);
    assert_eq!(
        (found.equal.as_slice(), found.duplicates.as_slice()),
        (&[1][..], &[1][..])
    );
    assert_eq!(found.source_digests, found.standing_digests);
}

#[test]
fn headers_and_sizes_decide_where_bytes_were_not_read() {
    let rules = Rules {
        content: false,
        ..RULES
    };
    let unread = |uid, text: &str| Row {
        digests: None,
        ..row(uid, text)
    };
    let source = vec![
        unread(1, &mail("a", "one")),
        unread(2, &mail("b", "one")),
        unread(3, "Subject: no id\r\n\r\n"),
        unread(4, "no header at all"),
    ];
    let standing = vec![
        unread(7, &mail("a", "0ne")),
        unread(8, &mail("b", "longer")),
        unread(9, "Subject: no id\r\n\r\n"),
        unread(10, "no header at any"),
    ];
    let found = compared(rules, &[(IMAP, source)], standing);
    assert_eq!(found.equal, [3]);
    assert!(found.pairs.len() == 1 && found.pairs[0].altered);
    assert!(found.source_digests.is_empty());
}

#[test]
fn every_message_is_in_exactly_one_class() {
    let tally = Tally {
        source: 9,
        equal: 1,
        duplicate: 1,
        skipped: 1,
        counted: 1,
        missing: 1,
        moved: 1,
        altered: 1,
        changed: 1,
        unread: 1,
        ..Tally::default()
    };
    assert_eq!((tally.unaccounted(), tally.differing()), (0, 5));
}

proptest! {
    /// However the messages of both ends come in, as many pair as can, and each ends in exactly one place.
    #[test]
    fn as_many_pair_as_can(
        source in prop::collection::vec((0usize..4, 0usize..2), 0..12),
        standing in prop::collection::vec((0usize..4, 0usize..2), 0..12),
        order in prop::collection::vec(any::<bool>(), 24),
        content in any::<bool>(),
    ) {
        let texts = [mail("a", "1"), mail("b", "2"), mail("c", "3"), "no header".to_owned()];
        let made = |uid: usize, (text, seen): (usize, usize)| {
            let mut made = flagged(row(uid as u32 + 1, &texts[text]), ["", "\\Seen"][seen]);
            made.digests = made.digests.filter(|_| content);
            made
        };
        let mut pairing = Pairing::new(Rules { content, ..RULES }, vec![IMAP]);
        let (mut ours, mut theirs) = (source.iter().copied().enumerate(), standing.iter().copied().enumerate());
        for first in order.into_iter().chain([true; 12]).chain([false; 12]) {
            let next = if first { ours.next() } else { theirs.next() };
            match next {
                Some((uid, what)) if first => pairing.source(0, made(uid, what)),
                Some((uid, what)) => pairing.standing(made(uid, what)),
                None => {}
            }
        }
        let found = pairing.finish(&|_, _| None);
        let count = |of: &[(usize, usize)], text: usize| of.iter().filter(|(t, _)| *t == text).count();
        let pairs: usize = (0..4).map(|text| count(&source, text).min(count(&standing, text))).sum();
        prop_assert_eq!(found.equal[0] as usize + found.pairs.len(), pairs);
        prop_assert!(found.pairs.iter().all(|pair| !pair.altered));
        prop_assert_eq!(found.missing.len(), source.len() - pairs);
        prop_assert_eq!(found.spare.len(), standing.len() - pairs);
        // Flags differ no more often than they must.
        let both = |of: &[(usize, usize)], what: (usize, usize)| of.iter().filter(|w| **w == what).count();
        let whole: usize = (0..4)
            .flat_map(|text| [(text, 0), (text, 1)])
            .map(|what| both(&source, what).min(both(&standing, what)))
            .sum();
        prop_assert_eq!(found.equal[0] as usize, whole);
    }
}
