//! The index at large: against [`compare`], which it makes fast, and with thousands of copies.

use super::tests::{Shown, claim, digests, header, known, plain, same, standing};
use super::*;
use proptest::prelude::*;
use std::collections::HashSet;

/// A made-up message: digest and header come of one content, as with real ones.
#[derive(Debug, Clone)]
struct Made {
    header: HeaderIdentity,
    digests: Option<Digests>,
    size: u64,
}

fn made() -> impl Strategy<Value = Made> {
    let fields = (0..4u8, 0..3i64, 0..2u8, 0..3u8, 0..2u8, any::<bool>());
    fields.prop_map(|(id, date, from, subject, body, digested)| {
        let id = if id == 0 {
            String::new()
        } else {
            format!("<{id}@x>")
        };
        let text = |what: u8, n: u8| format!("{}{n}", char::from(what)).into_bytes();
        let header = header(&id, date, &text(b'f', from), &text(b's', subject));
        Made {
            digests: digests(&format!("{header:?} {body}")).filter(|_| digested),
            header,
            size: 100 + u64::from(body),
        }
    })
}

fn rule() -> impl Strategy<Value = Dedup> {
    prop_oneof![
        4 => Just(Dedup::MessageId),
        1 => Just(Dedup::Content),
        1 => Just(Dedup::StrictMessageId),
        1 => Just(Dedup::Off),
    ]
}

fn as_known(made: &Made) -> Known<'_> {
    Known {
        header: &made.header,
        digests: made.digests,
        size: Some(made.size),
    }
}

proptest! {
    /// No standing message is given to two of one folder, and one is given exactly where [`compare`] allows one.
    #[test]
    fn claims_are_one_to_one_and_as_compared(
        dedup in rule(),
        there in prop::collection::vec(made(), 0..40),
        sources in prop::collection::vec((made(), 0..3u32), 0..80),
        late in 0..40usize,
    ) {
        let mut index = Index::new(dedup);
        let mut stood: Vec<Made> = Vec::new();
        let add = |index: &mut Index, stood: &mut Vec<Made>, made: &Made| {
            stood.push(made.clone());
            let (uid, size) = (stood.len() as u32, Some(made.size));
            index.insert(Standing::new(Some(uid), &made.header, made.digests, size, None), []);
        };
        let late = late.min(there.len());
        there[late..].iter().for_each(|made| add(&mut index, &mut stood, made));
        let mut given = HashSet::new();
        for (at, (source, folder)) in sources.iter().enumerate() {
            if at < late {
                add(&mut index, &mut stood, &there[at]);
            }
            let verdicts = (1..).zip(&stood).filter(|(uid, _)| !given.contains(&(*folder, *uid)));
            let verdicts: Vec<(u32, Verdict)> = verdicts
                .map(|(uid, made)| (uid, compare(as_known(source), as_known(made), dedup)))
                .collect();
            // The server shows nothing, so that what is known decides.
            match index.claim(*folder, as_known(source), &mut Shown::default()).unwrap() {
                Claim::Same { uid, .. } => {
                    let uid = uid.unwrap();
                    prop_assert!(verdicts.contains(&(uid, Verdict::Same)));
                    prop_assert!(given.insert((*folder, uid)));
                }
                Claim::Contradicted => {
                    prop_assert!(verdicts.iter().all(|(_, verdict)| *verdict != Verdict::Same));
                    prop_assert!(verdicts.iter().any(|(_, verdict)| *verdict == Verdict::Contradicted));
                }
                Claim::Free => {
                    prop_assert!(verdicts.iter().all(|(_, verdict)| *verdict == Verdict::Different));
                }
            }
        }
    }
}

#[test]
fn thousands_of_copies_claim_thousands() {
    let one = plain("<a@x>");
    let bare = plain("");
    let mut index = Index::new(Dedup::MessageId);
    const MANY: u32 = 30_000;
    for uid in 1..=MANY {
        let header = if uid % 2 == 0 { &one } else { &bare };
        index.insert(standing(uid, header, None), []);
    }
    for uid in 1..=MANY {
        let header = if uid % 2 == 0 { &one } else { &bare };
        assert_eq!(claim(&mut index, 0, known(header)), same(uid));
    }
    assert_eq!(claim(&mut index, 0, known(&one)), Claim::Free);
    // What is added behind those that were passed is found.
    index.insert(standing(MANY + 1, &one, None), []);
    assert_eq!(claim(&mut index, 0, known(&one)), same(MANY + 1));
    assert_eq!(claim(&mut index, 1, known(&one)), same(2));
}
