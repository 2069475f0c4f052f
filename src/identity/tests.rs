use super::*;
use crate::error::{Code, Error, Kind, Result};
use crate::message::Digest;

pub(super) fn header(id: &str, date: i64, from: &[u8], subject: &[u8]) -> HeaderIdentity {
    HeaderIdentity {
        message_id: (!id.is_empty()).then(|| id.as_bytes().to_vec()),
        date: (date != 0).then_some(date),
        from: from.to_vec(),
        subject: subject.to_vec(),
    }
}

pub(super) fn digests(content: &str) -> Option<Digests> {
    let loose = Digest::of(content.as_bytes());
    let exact = Digest::of(format!("{content} exact").as_bytes());
    Some(Digests { exact, loose })
}

pub(super) fn known(header: &HeaderIdentity) -> Known<'_> {
    Known {
        header,
        digests: None,
        size: Some(100),
    }
}

pub(super) fn standing(uid: u32, header: &HeaderIdentity, digests: Option<Digests>) -> Standing {
    Standing::new(Some(uid), header, digests, Some(100), None)
}

/// An index of the destination's own mail, UIDs from 1 on, of which only headers are known.
fn index(dedup: Dedup, headers: &[&HeaderIdentity]) -> Index {
    let mut index = Index::new(dedup);
    for (at, header) in headers.iter().enumerate() {
        index.insert(standing(at as u32 + 1, header, None), []);
    }
    index
}

/// What the server shows when it is looked at, and what was looked at.
#[derive(Default)]
pub(super) struct Shown {
    header: Option<HeaderIdentity>,
    digests: Option<Digests>,
    headers: Vec<u32>,
    contents: Vec<u32>,
    lost: bool,
}

impl Look for Shown {
    fn header(&mut self, uid: u32) -> Result<Option<HeaderIdentity>> {
        self.headers.push(uid);
        if self.lost {
            return Err(Error::new(Kind::Transient, Code::Internal, "lost"));
        }
        Ok(self.header.clone())
    }

    fn digests(&mut self, uid: u32) -> Result<Option<Digests>> {
        self.contents.push(uid);
        Ok(self.digests)
    }
}

/// A claim that needs no look at the server.
#[track_caller]
pub(super) fn claim(index: &mut Index, folder: u32, source: Known) -> Claim {
    let mut shown = Shown::default();
    let claim = index.claim(folder, source, &mut shown).unwrap();
    assert!(shown.headers.is_empty() && shown.contents.is_empty());
    claim
}

pub(super) fn same(uid: u32) -> Claim {
    Claim::Same {
        uid: Some(uid),
        source_row: None,
    }
}

const DATE: i64 = 1_600_000_000;

pub(super) fn plain(id: &str) -> HeaderIdentity {
    header(id, DATE, b"Budi <budi@example.org>", b"Rapat")
}

#[test]
fn a_message_stands_for_one_of_a_folder() {
    let one = plain("<a@x>");
    let mut index = index(Dedup::MessageId, &[&one]);
    assert_eq!(claim(&mut index, 0, known(&one)), same(1));
    assert_eq!(claim(&mut index, 0, known(&one)), Claim::Free);
}

#[test]
fn three_copies_claim_three_in_order() {
    let one = plain("<a@x>");
    let mut index = index(Dedup::MessageId, &[&one, &one]);
    let claims = [0; 3].map(|folder| claim(&mut index, folder, known(&one)));
    assert_eq!(claims, [same(1), same(2), Claim::Free]);
}

#[test]
fn another_folder_may_claim_the_same() {
    let one = plain("<a@x>");
    let mut index = index(Dedup::MessageId, &[&one]);
    for folder in [3, 5, 9] {
        assert_eq!(claim(&mut index, folder, known(&one)), same(1));
        assert_eq!(claim(&mut index, folder, known(&one)), Claim::Free);
    }
}

#[test]
fn what_was_claimed_before_is_told_by_its_claimants() {
    let one = plain("<a@x>");
    let mut index = Index::new(Dedup::MessageId);
    // Twice the same claimant: delivered, and adopted once more.
    let delivered = Standing::new(Some(8), &one, digests("a"), Some(100), Some(44));
    index.insert(delivered, [0, 1, 0]);
    assert_eq!(claim(&mut index, 0, known(&one)), Claim::Free);
    assert_eq!(claim(&mut index, 1, known(&one)), Claim::Free);
    let expected = Claim::Same {
        uid: Some(8),
        source_row: Some(44),
    };
    assert_eq!(claim(&mut index, 2, known(&one)), expected);
}

#[test]
fn a_message_whose_uid_is_not_known_can_be_claimed() {
    let one = plain("<a@x>");
    let mut index = Index::new(Dedup::MessageId);
    index.insert(Standing::new(None, &one, None, None, None), []);
    let expected = Claim::Same {
        uid: None,
        source_row: None,
    };
    assert_eq!(claim(&mut index, 0, known(&one)), expected);
}

#[test]
fn two_of_date_from_subject_contradict() {
    let one = plain("<a@x>");
    let (other_from, other_subject): (&[u8], &[u8]) = (b"Siti <siti@example.org>", b"Libur");
    let cases = [
        (header("<a@x>", DATE + 1, &one.from, &one.subject), false),
        (header("<a@x>", DATE, other_from, &one.subject), false),
        (header("<a@x>", DATE, &one.from, other_subject), false),
        (header("<a@x>", 0, &one.from, other_subject), false),
        (header("<a@x>", DATE + 1, other_from, &one.subject), true),
        (header("<a@x>", DATE + 1, &one.from, other_subject), true),
        (header("<a@x>", 0, other_from, other_subject), true),
    ];
    for (there, contradicted) in cases {
        let mut index = index(Dedup::MessageId, &[&there]);
        let expected = if contradicted {
            Claim::Contradicted
        } else {
            same(1)
        };
        assert_eq!(claim(&mut index, 0, known(&one)), expected, "{there:?}");
    }
}

#[test]
fn where_one_id_contradicts_and_another_does_not_the_latter_is_taken() {
    let (one, other) = (plain("<a@x>"), header("<a@x>", 5, b"Siti", b"Libur"));
    let mut index = index(Dedup::MessageId, &[&other, &one]);
    assert_eq!(claim(&mut index, 0, known(&one)), same(2));
    assert_eq!(claim(&mut index, 0, known(&one)), Claim::Contradicted);
}

#[test]
fn digests_decide_where_both_are_known() {
    let one = plain("<a@x>");
    let mut index = Index::new(Dedup::MessageId);
    index.insert(standing(1, &one, digests("another")), []);
    index.insert(standing(2, &one, None), []);
    index.insert(standing(3, &one, digests("this")), []);
    let source = Known {
        digests: digests("this"),
        ..known(&one)
    };
    // The equal digest first, then headers alone; another digest is another message.
    assert_eq!(claim(&mut index, 0, source), same(3));
    assert_eq!(claim(&mut index, 0, source), same(2));
    assert_eq!(claim(&mut index, 0, source), Claim::Contradicted);
}

#[test]
fn without_an_id_digest_or_all_of_the_header_counts() {
    let one = plain("");
    let sized = |size| Known {
        size,
        ..known(&one)
    };
    assert_eq!(
        claim(&mut index(Dedup::MessageId, &[&one]), 0, known(&one)),
        same(1)
    );
    for size in [Some(101), None] {
        let mut index = index(Dedup::MessageId, &[&one]);
        assert_eq!(claim(&mut index, 0, sized(size)), Claim::Free, "{size:?}");
    }
    for there in [
        plain("<a@x>"),
        header("", DATE + 1, &one.from, &one.subject),
        header("", DATE, b"Siti", &one.subject),
        header("", DATE, &one.from, b"Libur"),
    ] {
        let mut index = index(Dedup::MessageId, &[&there]);
        assert_eq!(claim(&mut index, 0, known(&one)), Claim::Free, "{there:?}");
    }
    // A digest finds it though sizes differ (a final line end); another digest is another message.
    for (content, expected) in [("this", same(1)), ("another", Claim::Free)] {
        let mut index = Index::new(Dedup::MessageId);
        index.insert(standing(1, &one, digests("this")), []);
        let source = Known {
            digests: digests(content),
            ..sized(Some(102))
        };
        assert_eq!(claim(&mut index, 0, source), expected);
    }
}

#[test]
fn too_poor_a_header_is_nobodys() {
    for poor in [
        header("", 0, b"Budi", b"Rapat"),
        header("", DATE, b"", b"Rapat"),
    ] {
        let mut by_header = index(Dedup::MessageId, &[&poor]);
        assert_eq!(claim(&mut by_header, 0, known(&poor)), Claim::Free);
        let mut by_digest = Index::new(Dedup::MessageId);
        by_digest.insert(standing(4, &poor, digests("this")), []);
        let source = Known {
            digests: digests("this"),
            ..known(&poor)
        };
        assert_eq!(claim(&mut by_digest, 0, source), same(4));
    }
}

#[test]
fn each_mode_has_its_rule() {
    let one = plain("<a@x>");
    let other = header("<a@x>", 5, b"Siti", b"Libur");
    let another_id = plain("<b@x>");
    let content = digests("this");
    // What stands there, its digest, and the claim by content, strict id and id.
    let cases = [
        (&one, None, [Claim::Free, same(1), same(1)]),
        (&one, content, [same(1), same(1), same(1)]),
        (
            &other,
            digests("another"),
            [Claim::Free, same(1), Claim::Contradicted],
        ),
        (&another_id, None, [Claim::Free; 3]),
    ];
    for (there, digests, expected) in cases {
        let rules = [
            Dedup::Content,
            Dedup::StrictMessageId,
            Dedup::MessageId,
            Dedup::Off,
        ];
        let source = Known {
            digests: content,
            ..known(&one)
        };
        for (dedup, expected) in rules
            .into_iter()
            .zip(expected.into_iter().chain([Claim::Free]))
        {
            let mut index = Index::new(dedup);
            index.insert(standing(1, there, digests), []);
            assert_eq!(
                claim(&mut index, 0, source),
                expected,
                "{dedup:?} {there:?}"
            );
        }
    }
}

/// What `claim` says when a look at the message gives this header.
fn claim_looking(source: &HeaderIdentity, there: Option<HeaderIdentity>) -> (Claim, Vec<u32>) {
    let stood = there
        .clone()
        .unwrap_or_else(|| header("<a@x>", DATE, b"?", b"?"));
    let mut index = index(Dedup::MessageId, &[&stood]);
    let mut shown = Shown {
        header: there,
        ..Shown::default()
    };
    let claim = index.claim(0, known(source), &mut shown);
    (claim.unwrap(), shown.headers)
}

#[test]
fn replaced_bytes_are_looked_at() {
    // Bytes ≥ 0x80 and NUL may have become anything, one for one.
    let source = header("<a@x>", DATE, b"J\xfcrgen", b"caf\xc3\xa9 \0 now");
    let altered = header("<a@x>", DATE, b"JXrgen", b"cafXX \x80 now");
    assert_eq!(claim_looking(&source, Some(altered)), (same(1), vec![1]));
    // An ASCII byte may not, and the length stays.
    for (from, subject) in [
        (&b"JXrgem"[..], &b"bafXX \x80 now"[..]),
        (b"JXrgenn", b"cafX \x80 now"),
    ] {
        let other = header("<a@x>", DATE, from, subject);
        let (claim, looked) = claim_looking(&source, Some(other));
        assert_eq!((claim, looked), (Claim::Contradicted, vec![1]));
    }
    // It went between the index and the look.
    assert_eq!(claim_looking(&source, None), (Claim::Free, vec![1]));
}

#[test]
fn without_an_id_replaced_bytes_are_looked_at_too() {
    let source = header("", DATE, b"J\xfcrgen", b"S");
    let altered = header("", DATE, b"J?rgen", b"S");
    assert_eq!(claim_looking(&source, Some(altered)), (same(1), vec![1]));
    let other = header("", DATE, b"Marten", b"S");
    assert_eq!(claim_looking(&source, Some(other)), (Claim::Free, vec![1]));
}

#[test]
fn a_failed_look_claims_nothing() {
    let source = header("<a@x>", DATE, b"J\xfcrgen", b"gr\xfcn");
    let altered = header("<a@x>", DATE, b"J?rgen", b"gr?n");
    let mut index = index(Dedup::MessageId, &[&altered]);
    let mut shown = Shown {
        header: Some(altered),
        lost: true,
        ..Shown::default()
    };
    assert!(index.claim(0, known(&source), &mut shown).is_err());
    shown.lost = false;
    assert_eq!(index.claim(0, known(&source), &mut shown).unwrap(), same(1));
}

fn index_of(header: &HeaderIdentity) -> Index {
    index(Dedup::MessageId, &[header])
}

#[test]
fn the_content_of_poor_mail_is_read_once() {
    for poor in [
        header("", 0, b"", b""),
        header("", 0, b"Budi", b"Rapat"),
        header("", DATE, b"", b"Rapat"),
    ] {
        let mut index = index_of(&poor);
        let mut shown = Shown {
            digests: digests("that"),
            ..Shown::default()
        };
        for (content, expected) in [
            ("this", Claim::Free),
            ("that", same(1)),
            ("that", Claim::Free),
        ] {
            let source = Known {
                digests: digests(content),
                ..known(&poor)
            };
            let claim = index.claim(0, source, &mut shown).unwrap();
            assert_eq!(claim, expected, "{poor:?} {content}");
        }
        assert_eq!(shown.contents, [1]);
        // Another length, or its own content not known: nothing to read.
        let longer = Known {
            digests: digests("that"),
            size: Some(101),
            header: &poor,
        };
        let mut unread = index_of(&poor);
        for source in [longer, known(&poor)] {
            assert_eq!(claim(&mut unread, 0, source), Claim::Free);
        }
    }
}

#[test]
fn headers_are_read_unfolded() {
    let folded = b"Subject: a\r\n\t b\r\nDate: Mon, 06 Jan 2020 01:00:00 +0100\r\nMessage-ID:\r\n <a@x>\r\nMessage-ID: <b@x>\r\nFrom: B\r\n\r\n";
    let flat = b"From:  B\nDate: Mon, 6 Jan 2020 00:00:00 GMT\nMessage-Id: <a@x>\nSubject: a b\n\n";
    assert_eq!(HeaderIdentity::of(folded), HeaderIdentity::of(flat));
    assert_eq!(HeaderIdentity::of(flat).date, Some(1_578_268_800));
}
