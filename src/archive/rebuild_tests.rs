use super::*;
use crate::archive::sample::{self, SOURCE, Sample, inbox, overwrite, work};
use crate::archive::{Wrong, check};
use crate::job::MailFormat;
use crate::journal::Row;
use crate::message::SourceKey;

fn identity() -> JournalIdentity {
    JournalIdentity {
        sources: vec![SOURCE.to_owned()],
        destinations: vec![SINK.to_owned()],
    }
}

fn made(sample: &Sample) -> Rebuilt {
    rebuild(&sample.root(), &[], &|_| ()).unwrap()
}

/// Every row of the journal, by source folder.
fn rows(root: &Path) -> Vec<(Vec<u8>, u32, Vec<Row>)> {
    let journal = Journal::open_read_only(root, &identity()).unwrap().unwrap();
    let folders = journal.folders(0).unwrap();
    let read = |f: &crate::journal::SourceFolder| {
        let mut rows = Vec::new();
        journal
            .for_each_message(f.id, 0, &mut |row| rows.push(row))
            .unwrap();
        (f.name.clone(), f.uid_validity, rows)
    };
    folders.iter().map(read).collect()
}

#[test]
fn the_journal_has_all_that_mail_and_sidecar_hold() {
    let sample = Sample::new();
    let place = sample.places[4].clone();
    let changed = Flags::from_text("\\Answered Later");
    sample.open().set_flags(&inbox(), &place, &changed).unwrap();
    let rebuilt = made(&sample);
    assert_eq!((rebuilt.folders, rebuilt.messages), (2, 40));
    assert!(rebuilt.left_out.is_empty() && rebuilt.old.is_none() && rebuilt.refilled.is_empty());
    let folders = rows(&sample.root());
    let names: Vec<(&[u8], u32, usize)> = folders
        .iter()
        .map(|(name, v, rows)| (name.as_slice(), *v, rows.len()))
        .collect();
    assert_eq!(
        names,
        [(&b"INBOX"[..], 7, 30), (b"Work/Gr&APwA3w-e", 7, 10)]
    );
    for (n, row) in (0..40).zip(folders.iter().flat_map(|(.., rows)| rows)) {
        let body = sample::body(&sample::raw(n));
        assert_eq!(row.key, SourceKey::Uid(n));
        assert_eq!(row.digests, Some(body.digests()));
        assert_eq!(row.size, body.size());
        assert_eq!(row.date, Some(sample::date(n)));
        assert_eq!(
            row.flags,
            if n == 4 {
                changed.clone()
            } else {
                sample::flags(n)
            }
        );
        assert_eq!(row.place.as_ref(), Some(&sample.places[n as usize]));
        assert_eq!(
            row.message_id,
            Some(format!("<{n}@example.org>").into_bytes())
        );
        assert_eq!(row.outcome.as_deref(), Some("copied"));
    }
    assert!(check(&sample.root(), &|_| ()).unwrap().findings.is_empty());
    let beside: Vec<_> = std::fs::read_dir(sample.root())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with('.') || name.contains("wal"))
        .collect();
    assert!(beside.is_empty(), "{beside:?}");
}

#[test]
fn the_old_journal_is_kept_aside_with_its_log() {
    let sample = Sample::new();
    made(&sample);
    for name in ["journal.db", "journal.db-wal"] {
        fs::persist(&sample.root().join(name), |f| {
            std::io::Write::write_all(f, name.as_bytes())
        })
        .unwrap();
    }
    let old = made(&sample).old.unwrap();
    assert_eq!(old, sample.root().join("journal.db.before-rebuild-1"));
    assert_eq!(std::fs::read(&old).unwrap(), b"journal.db");
    let log = sample.root().join("journal.db.before-rebuild-1-wal");
    assert_eq!(std::fs::read(log).unwrap(), b"journal.db-wal");
    assert_eq!(rows(&sample.root()).len(), 2);
}

#[test]
fn what_is_missing_or_changed_is_left_out_and_named() {
    let sample = Sample::new();
    std::fs::remove_file(sample.file(0)).unwrap();
    overwrite(&sample.file(1), |bytes| bytes[100] ^= 1);
    let rebuilt = made(&sample);
    assert_eq!(rebuilt.messages, 38);
    let expected = [(0, "missing"), (1, "changed")]
        .map(|(at, why): (usize, &str)| (sample.places[at].path.clone(), why.to_owned()));
    assert_eq!(rebuilt.left_out, expected);
    assert_eq!(rows(&sample.root())[0].2.len(), 28);
}

#[test]
fn a_lost_sidecar_is_made_anew_and_the_journal_tells_the_sources() {
    let sample = Sample::new();
    made(&sample);
    let before = rows(&sample.root());
    std::fs::remove_file(sample.sidecar("INBOX.jsonl")).unwrap();
    overwrite(&sample.sidecar("Work.Gr&APwA3w-e.jsonl"), |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    });
    let rebuilt = made(&sample);
    let refilled: Vec<_> = rebuilt
        .refilled
        .iter()
        .map(|r| (&r.folder, r.messages, r.new))
        .collect();
    assert_eq!(refilled, [(&inbox(), 30, true), (&work(), 1, false)]);
    assert_eq!((rebuilt.messages, rebuilt.without_source), (40, 0));
    // The zone is in no file's name; all else comes back.
    let plain = |rows: Vec<(Vec<u8>, u32, Vec<Row>)>| -> Vec<_> {
        let all = rows.into_iter().flat_map(|(.., rows)| rows);
        let mut all: Vec<_> = all
            .map(|r| {
                (
                    r.key,
                    r.digests,
                    r.flags.to_text(),
                    r.size,
                    r.date.map(|d| d.epoch),
                )
            })
            .collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    };
    assert_eq!(plain(rows(&sample.root())), plain(before));
    let left = check(&sample.root(), &|_| ()).unwrap().findings;
    assert_eq!(
        left.iter().map(|f| f.wrong).collect::<Vec<_>>(),
        [Wrong::DamagedLine]
    );
}

#[test]
fn without_sidecar_and_journal_the_mail_is_kept_and_told() {
    let sample = Sample::new();
    std::fs::remove_file(sample.sidecar("INBOX.jsonl")).unwrap();
    let rebuilt = made(&sample);
    assert_eq!((rebuilt.messages, rebuilt.without_source), (10, 30));
    assert!(check(&sample.root(), &|_| ()).unwrap().findings.is_empty());
    assert!(made(&sample).refilled.is_empty());
}

#[test]
fn a_run_that_holds_the_archive_is_not_disturbed() {
    let sample = Sample::new();
    let held = sample.open();
    let refused = rebuild(&sample.root(), &[], &|_| ()).unwrap_err();
    assert_eq!(refused.code, crate::error::Code::Locked);
    drop(held);
    assert!(rebuild(&sample.root(), &[], &|_| ()).is_ok());
}

#[test]
fn the_same_for_mboxes() {
    let sample = Sample::of(MailFormat::Mbox);
    let rebuilt = made(&sample);
    assert_eq!((rebuilt.messages, rebuilt.left_out.len()), (40, 0));
    let all = rows(&sample.root());
    let places = all
        .iter()
        .flat_map(|(.., rows)| rows)
        .map(|row| row.place.clone().unwrap());
    assert_eq!(places.collect::<Vec<_>>(), sample.places);
    assert!(check(&sample.root(), &|_| ()).unwrap().findings.is_empty());

    std::fs::remove_file(sample.sidecar("INBOX.jsonl")).unwrap();
    let rebuilt = made(&sample);
    assert_eq!(rebuilt.messages, 10);
    assert_eq!(rebuilt.left_out[0].0, "mail/INBOX.mbox");
}

#[test]
fn a_message_that_was_fetched_again_is_missing_no_more() {
    let sample = Sample::new();
    std::fs::remove_file(sample.file(2)).unwrap();
    assert_eq!(made(&sample).messages, 39);
    let place = sample::keep(&mut sample.open(), &inbox(), 2);
    assert_ne!(place, sample.places[2]);
    assert!(check(&sample.root(), &|_| ()).unwrap().findings.is_empty());
    let rebuilt = made(&sample);
    assert_eq!((rebuilt.messages, rebuilt.left_out.len()), (40, 0));
    assert_eq!(rows(&sample.root())[0].2[2].place, Some(place));
}

#[test]
fn what_lies_in_the_trash_has_gone_from_its_source() {
    let sample = Sample::new();
    let mut archive = sample.open();
    let trash = crate::message::Folder::parse("Vanished/INBOX").unwrap();
    for n in [3, 50] {
        let item = crate::archive::Keep {
            body: &sample::body(&sample::raw(n)),
            flags: &sample::flags(n),
            date: Some(sample::date(n)),
            source: &sample::source(&inbox(), n),
        };
        archive.store(&trash, &[item]).unwrap();
    }
    drop(archive);
    std::fs::create_dir(sample.root().join(".rebuild-killed")).unwrap();
    assert_eq!(made(&sample).messages, 42);
    let inbox = &rows(&sample.root())[0].2;
    assert_eq!(inbox.len(), 31);
    // The one came again, and stands in its folder; the other has gone.
    let told = |row: &Row| (row.removed_at_source, row.outcome.clone().unwrap());
    assert_eq!(told(&inbox[3]), (false, "copied".to_owned()));
    assert_eq!(told(&inbox[30]), (true, "vanished".to_owned()));
    assert!(!sample.root().join(".rebuild-killed").exists());
}
