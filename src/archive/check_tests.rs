use super::*;
use crate::archive::sample::{Sample, inbox, overwrite, work};
use crate::job::MailFormat;
use crate::journal::{Place, Seen};
use crate::message::{Digest, Flags, SourceKey};
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};

fn findings(sample: &Sample) -> Vec<Finding> {
    check(&sample.root(), &|_| ()).unwrap().findings
}

fn wrongs(sample: &Sample) -> Vec<(Wrong, String)> {
    let all = findings(sample);
    all.into_iter().map(|f| (f.wrong, f.path)).collect()
}

#[test]
fn a_sound_archive_has_no_findings_and_every_byte_is_read() {
    let sample = Sample::new();
    let (steps, bytes) = (AtomicU64::new(0), AtomicU64::new(0));
    let checked = check(&sample.root(), &|step| {
        assert_eq!(step.of, 40);
        steps.fetch_add(1, Ordering::Relaxed);
        bytes.fetch_add(step.bytes, Ordering::Relaxed);
    })
    .unwrap();
    let all: u64 = (0..40)
        .map(|n| crate::archive::sample::raw(n).len() as u64)
        .sum();
    let expected = Checked {
        findings: Vec::new(),
        folders: 2,
        messages: 40,
        bytes: all,
    };
    assert_eq!(checked, expected);
    assert_eq!((steps.into_inner(), bytes.into_inner()), (40, all));
}

#[test]
fn twenty_flipped_bytes_are_twenty_names() {
    let sample = Sample::new();
    for at in 0..20 {
        overwrite(&sample.file(at * 2), |bytes| {
            let middle = bytes.len() / 2 + at;
            bytes[middle] ^= 1;
        });
    }
    let found = findings(&sample);
    let names: HashSet<&str> = found.iter().map(|f| f.path.as_str()).collect();
    let expected = (0..20).map(|at| sample.places[at * 2].path.as_str());
    assert_eq!(names, expected.collect());
    assert_eq!(found.len(), 20);
    assert!(
        found
            .iter()
            .all(|f| f.wrong == Wrong::Changed && f.number.is_some())
    );
}

#[test]
fn missing_foreign_unfinished_and_damaged_are_told_apart() {
    let sample = Sample::new();
    std::fs::remove_file(sample.file(3)).unwrap();
    let write = |path: &str| {
        fs::persist(&sample.root().join(path), |f| f.write_all(b"A: b\n\nc\n")).unwrap();
        path.to_owned()
    };
    let foreign = write("mail/cur/1700000000.M1P2.host:2,S");
    let unfinished = write("mail/tmp/1700000000.x");
    for part in ["cur", "new", "tmp"] {
        fs::private_dir(&sample.root().join("mail/.Other").join(part)).unwrap();
    }
    let without_sidecar = write("mail/.Other/new/1700000001.y");
    let sidecar = sample.sidecar("Work.Gr&APwA3w-e.jsonl");
    overwrite(&sidecar, |bytes| {
        let end = bytes.len();
        bytes[end - 20] ^= 1;
    });
    let found = wrongs(&sample);
    let damaged = "sidecar/Work.Gr&APwA3w-e.jsonl".to_owned();
    let expected = [
        (Wrong::Missing, sample.places[3].path.clone()),
        (Wrong::Foreign, foreign),
        (Wrong::Unfinished, unfinished),
        (Wrong::DamagedLine, damaged),
        // The message of the damaged line has none any more.
        (Wrong::Foreign, sample.places[39].path.clone()),
        (Wrong::Foreign, without_sidecar),
    ];
    assert_eq!(found, expected);
    assert_eq!(findings(&sample)[3].number, Some(10));
    assert_eq!(findings(&sample)[0].folder, Some(inbox()));
    assert_eq!(findings(&sample)[4].folder, Some(work()));
}

#[test]
fn flags_changed_by_others_are_nothing_wrong() {
    let sample = Sample::new();
    let file = sample.file(0);
    let name = file.file_name().unwrap().to_str().unwrap();
    let new = sample
        .root()
        .join("mail/cur")
        .join(format!("{}:2,FS", base_name(name)));
    fs::rename(&file, &new).unwrap();
    assert_eq!(wrongs(&sample), []);
}

#[test]
fn what_the_journal_alone_knows_is_named() {
    let sample = Sample::new();
    let identity = JournalIdentity {
        sources: vec!["imap://a@b".into()],
        destinations: vec![],
    };
    let mut journal = Journal::open(&sample.root(), &identity).unwrap();
    let run = journal.begin_run("job").unwrap();
    let folder = journal.folder(run, 0, b"INBOX", 7).unwrap();
    let kept = |uid, path: &str| Seen {
        key: SourceKey::Uid(uid),
        digests: Some(crate::archive::sample::body(b"x").digests()),
        message_id: Some(b"<lost@x>".to_vec()),
        size: 1,
        flags: Flags::default(),
        date: None,
        place: Some(Place {
            path: path.to_owned(),
            digest: Digest([0; 32]),
        }),
    };
    let known = sample.places[0].path.clone();
    let seen = [
        kept(1, &known),
        kept(2, "mail/cur/gone:2,"),
        kept(3, "mail/cur/removed:2,"),
    ];
    let rows = journal.record(run, folder, &seen).unwrap();
    journal.removed_at_source(run, &rows[2..]).unwrap();
    journal.close().unwrap();
    let found = findings(&sample);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].wrong, found[0].path.as_str()),
        (Wrong::NotKept, "mail/cur/gone:2,")
    );
    assert_eq!(found[0].words.as_deref(), Some("<lost@x>"));

    overwrite(&sample.root().join("journal.db"), |bytes| bytes[0] ^= 1);
    assert_eq!(
        wrongs(&sample),
        [(Wrong::Unreadable, "journal.db".to_owned())]
    );
}

#[test]
fn an_unreadable_sidecar_and_a_link_are_findings() {
    let sample = Sample::new();
    overwrite(&sample.sidecar("INBOX.jsonl"), |bytes| bytes[3] ^= 1);
    std::os::unix::fs::symlink("/etc", sample.root().join("mail/.Link")).unwrap();
    let found = wrongs(&sample);
    assert_eq!(
        found[0],
        (Wrong::Unreadable, "sidecar/INBOX.jsonl".to_owned())
    );
    assert_eq!(
        found
            .iter()
            .filter(|(wrong, _)| *wrong == Wrong::Foreign)
            .count(),
        30
    );
}

#[test]
fn what_is_no_archive_is_refused() {
    let sample = Sample::new();
    let held = sample.open();
    assert_eq!(
        check(&sample.root(), &|_| ()).unwrap_err().code,
        Code::Locked
    );
    drop(held);
    for dir in [sample.beside("none"), sample.root().join("mail")] {
        assert!(check(&dir, &|_| ()).is_err());
    }
}

#[test]
fn mboxes_are_checked_to_the_byte_too() {
    let sample = Sample::of(MailFormat::Mbox);
    assert_eq!(wrongs(&sample), []);
    let mbox = sample.root().join("mail/INBOX.mbox");
    let parts: Vec<(u64, u64)> = sample.places[..30].iter().map(|p| part(&p.path)).collect();
    overwrite(&mbox, |bytes| {
        for at in [3, 7, 29] {
            let middle = parts[at].0 + parts[at].1 / 2;
            bytes[usize::try_from(middle).unwrap()] ^= 1;
        }
        bytes.extend_from_slice(b"From x Mon Jan  1 00:00:00 2001\nA: b\n\n");
    });
    let strange = sample.root().join("mail/Strange.mbox");
    fs::persist(&strange, |f| f.write_all(b"From x\n\n")).unwrap();
    let expected = [
        (Wrong::Changed, sample.places[3].path.clone()),
        (Wrong::Changed, sample.places[7].path.clone()),
        (Wrong::Changed, sample.places[29].path.clone()),
        (Wrong::Foreign, "mail/INBOX.mbox".to_owned()),
        (Wrong::Foreign, "mail/Strange.mbox".to_owned()),
    ];
    assert_eq!(wrongs(&sample), expected);
    std::fs::remove_file(&mbox).unwrap();
    let missing = wrongs(&sample)
        .iter()
        .filter(|(wrong, _)| *wrong == Wrong::Missing)
        .count();
    assert_eq!(missing, 30);
}

/// Offset and length of a message in an mbox.
fn part(place: &str) -> (u64, u64) {
    let (_, part) = place.rsplit_once('@').unwrap();
    let (offset, length) = part.trim_end_matches('-').split_once('+').unwrap();
    (offset.parse().unwrap(), length.parse().unwrap())
}
