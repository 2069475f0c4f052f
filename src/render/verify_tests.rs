use super::*;
use crate::message::Digest;
use std::time::Duration;

pub(crate) fn name(key: &str) -> Name {
    Name {
        key: key.into(),
        message_id: "<one@example.org>".into(),
        date: Some(0),
        subject: "a \x1b[31mred\r\nline".into(),
    }
}

pub(crate) fn check() -> AccountCheck {
    AccountCheck {
        account: "budi".into(),
        sources: vec!["imap://a@old".into()],
        destination: "imap://a@new".into(),
        level: Level::Content,
        sample: None,
        folders: vec![FolderCheck {
            folder: "INBOX".into(),
            to: "INBOX".into(),
            tally: Tally {
                source: 3,
                equal: 2,
                missing: 1,
                there: 3,
                extra: 1,
                ..Tally::default()
            },
            fingerprints: Some((Digest([1; 32]), Digest([2; 32]))),
            ..FolderCheck::default()
        }],
        differences: vec![
            Difference {
                kind: Kind::Missing,
                folder: "INBOX".into(),
                to: "INBOX".into(),
                source: Some(name("UID 7")),
                standing: None,
                words: "delivered in run 2, and not there any more".into(),
            },
            Difference {
                kind: Kind::Extra,
                folder: String::new(),
                to: "INBOX".into(),
                source: None,
                standing: Some(name("UID 9")),
                words: "the destination's own".into(),
            },
        ],
        untold: 0,
        elapsed: Duration::from_secs(2),
        error: None,
    }
}

#[test]
fn a_missing_message_is_named_so_that_it_can_be_found() {
    let shown = lines(&check(), false, Paint::PLAIN);
    let wanted = "missing: INBOX UID 7 <one@example.org> 1970-01-01 00:00 UTC \"a �[31mred��line\": delivered in run 2";
    assert!(shown[1].starts_with(wanted), "{}", shown[1]);
    assert!(shown.iter().all(|line| !line.contains('\x1b')));
    assert!(shown.contains(&"3 = 2 equal + 1 missing; unaccounted 0".to_owned()));
    assert!(
        shown
            .iter()
            .filter(|line| line.starts_with("fingerprint"))
            .count()
            == 2
    );
}

#[test]
fn extra_mail_alone_is_a_difference_only_when_asked_for() {
    let mut check = check();
    check.folders[0].tally.missing = 0;
    check.folders[0].tally.source = 2;
    check.differences.remove(0);
    assert!(!check.differs(false) && check.differs(true));
    let last = |strict| {
        lines(&check, strict, Paint::PLAIN)
            .pop()
            .unwrap_or_default()
    };
    assert!(last(false).starts_with("both ends are equal"));
    assert!(last(true).starts_with("both ends differ"));
}

fn last(check: &AccountCheck) -> String {
    lines(check, false, Paint::PLAIN).pop().unwrap_or_default()
}

/// A comparison that found no difference.
fn agreeing() -> AccountCheck {
    let mut check = check();
    check.differences.clear();
    check.folders[0].tally = Tally {
        source: 3,
        counted: 3,
        there: 3,
        ..Tally::default()
    };
    check
}

#[test]
fn numbers_agree_only_where_they_are_the_same() {
    let mut check = agreeing();
    check.level = Level::Count;
    assert!(last(&check).starts_with("the numbers agree"));
    check.folders[0].tally.there = 4;
    check.folders[0].tally.extra = 1;
    assert!(last(&check).starts_with("nothing is missing by number"));
}

#[test]
fn a_sample_of_nothing_proves_nothing() {
    let mut check = agreeing();
    check.sample = Some(0.1);
    assert!(last(&check).starts_with("nothing was compared"));
}

#[test]
fn what_ended_before_any_folder_has_no_balance() {
    let mut check = agreeing();
    check.folders.clear();
    let kind = crate::error::Kind::Interrupted;
    let code = crate::error::Code::Interrupted;
    check.error = Some(crate::error::Error::new(kind, code, "interrupted"));
    let shown = lines(&check, false, Paint::PLAIN);
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert_eq!(shown[1], "nothing was compared, in 2.0 s");
}
