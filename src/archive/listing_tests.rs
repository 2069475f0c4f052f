use super::*;
use crate::archive::sample::{self, Sample, inbox, work};

fn all(sample: &Sample, selection: &Selection) -> Vec<Listed> {
    let mut all = Vec::new();
    list(&sample.root(), selection, &mut |one| all.push(one)).unwrap();
    all
}

#[test]
fn folders_are_counted_and_messages_decoded() {
    let sample = Sample::new();
    let totals = totals(&sample.root(), &Selection::default()).unwrap();
    let size = |from, to| (from..to).map(|n| sample::raw(n).len() as u64).sum();
    let total = |folder, messages, bytes| Total {
        folder,
        messages,
        bytes,
    };
    assert_eq!(
        totals,
        [
            total(inbox(), 30, size(0, 30)),
            total(work(), 10, size(30, 40))
        ]
    );
    let listed = all(&sample, &Selection::default());
    assert_eq!(listed.len(), 40);
    let expected = Listed {
        folder: inbox(),
        number: 3,
        date: Some(sample::date(2)),
        from: "Jörg <j2@example.org>".into(),
        subject: "number 2".into(),
        message_id: Some("<2@example.org>".into()),
        flags: sample::flags(2),
        bytes: sample::raw(2).len() as u64,
        missing: false,
    };
    assert_eq!(listed[2], expected);
}

#[test]
fn a_selection_narrows_and_a_missing_file_is_told() {
    let sample = Sample::new();
    std::fs::remove_file(sample.file(2)).unwrap();
    let days = Selection::default()
        .days(Some("1970-01-03"), Some("1970-01-05"))
        .unwrap();
    let listed = all(&sample, &days);
    let told: Vec<_> = listed.iter().map(|one| (one.number, one.missing)).collect();
    assert_eq!(told, [(3, true), (4, false)]);
    let search = Selection::default()
        .search(Some("jörg \"number 33\""))
        .unwrap();
    let listed = all(&sample, &search);
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0].folder, listed[0].number), (&work(), 4));
}

#[test]
fn one_message_by_number_or_message_id() {
    let sample = Sample::new();
    let budget = Budget::new(1 << 20);
    let read = |folder: &Folder, wanted: &str| {
        let wanted = Wanted::parse(wanted);
        message(&sample.root(), folder, &wanted, &budget).map(|body| {
            let mut bytes = Vec::new();
            body.write_to(&mut bytes).unwrap();
            bytes
        })
    };
    assert_eq!(read(&inbox(), "6").unwrap(), sample::raw(5));
    assert_eq!(read(&work(), "<31@example.org>").unwrap(), sample::raw(31));
    assert_eq!(read(&work(), "31@example.org").unwrap(), sample::raw(31));
    for (folder, wanted) in [
        (inbox(), "0"),
        (inbox(), "99"),
        (inbox(), "<31@example.org>"),
    ] {
        let refused = read(&folder, wanted).unwrap_err();
        assert_eq!(refused.code, Code::Refused, "{refused}");
    }
    let none = Folder::parse("None").unwrap();
    assert_eq!(read(&none, "1").unwrap_err().code, Code::Refused);
    sample::overwrite(&sample.file(5), |bytes| bytes[60] ^= 1);
    assert_eq!(read(&inbox(), "6").unwrap_err().kind, Kind::Message);
}
