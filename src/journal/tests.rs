use super::*;
use crate::message::{Digest, Digests, Flags, InternalDate, SourceKey};

fn identity() -> JournalIdentity {
    JournalIdentity {
        sources: vec!["imap://a@old".into()],
        destinations: vec!["imap://a@new".into()],
    }
}

fn digests(n: u32) -> Digests {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    Digests {
        exact: Digest(bytes),
        loose: Digest(bytes),
    }
}

fn seen(uid: u32) -> Seen {
    Seen {
        key: SourceKey::Uid(uid),
        digests: Some(digests(uid)),
        message_id: Some(format!("<{uid}@x>").into_bytes()),
        size: 100,
        flags: Flags::default(),
        date: Some(InternalDate {
            epoch: -5,
            offset_minutes: -420,
        }),
        place: None,
    }
}

fn copied(row: MessageRow, folder: SinkFolderId, uid: u32) -> Conclusion {
    Conclusion {
        row,
        sink: 0,
        outcome: "copied",
        words: None,
        delivered: Some(Delivered {
            folder,
            uid_validity: 9,
            uid: Some(uid),
        }),
        flags: Flags::default(),
        of: None,
    }
}

fn intent(folder: SinkFolderId, messages: Vec<MessageRow>) -> Intent {
    Intent {
        sink: 0,
        folder,
        uid_validity: 9,
        floor: 5,
        messages,
    }
}

fn rows(journal: &Journal, folder: FolderId) -> Vec<Row> {
    let mut rows = Vec::new();
    journal
        .for_each_message(folder, 0, &mut |row| rows.push(row))
        .unwrap();
    rows
}

fn seen_flags() -> Flags {
    Flags {
        seen: true,
        ..Flags::default()
    }
}

#[test]
fn a_batch_from_intent_to_outcome_over_a_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path(), &identity()).unwrap();
    let run = journal.begin_run("job").unwrap();
    let folder = journal.folder(run, 0, b"INBOX", 7).unwrap();
    assert_eq!(journal.folder(run, 0, b"INBOX", 7).unwrap(), folder);
    assert_ne!(journal.folder(run, 0, b"INBOX", 8).unwrap(), folder);
    let there = journal.sink_folder(run, 0, b"INBOX", 9).unwrap();
    let batch = [seen(10), seen(9), seen(100)];
    let (ids, open) = journal
        .record_and_intend(run, folder, &batch, &intent(there, vec![]))
        .unwrap();
    journal
        .conclude(run, Some(open), &[copied(ids[0], there, 5)], false)
        .unwrap();
    drop(journal);

    let mut journal = Journal::open(dir.path(), &identity()).unwrap();
    assert!(!journal.ended_well().unwrap());
    let open = journal.open_intents(0).unwrap().remove(0);
    assert_eq!((open.floor, open.name.as_slice()), (5, &b"INBOX"[..]));
    let sent: Vec<_> = open.messages.iter().map(|m| m.row).collect();
    assert_eq!(sent, ids);
    assert_eq!(open.messages[0].uid, Some(5));
    assert!(open.messages[0].concluded && !open.messages[1].concluded);
    assert_eq!(open.messages[1].digests, digests(9));

    let known = rows(&journal, folder);
    let keys: Vec<_> = known.iter().map(|r| r.key.clone()).collect();
    assert_eq!(keys, [9, 10, 100].map(SourceKey::Uid));
    assert_eq!(known[0].date, seen(1).date);
    assert!(known[0].open_intent && !known[1].open_intent);
    assert_eq!(known[1].outcome.as_deref(), Some("copied"));
    assert_eq!(known[1].delivered.unwrap().uid, Some(5));

    let run = journal.begin_run("job").unwrap();
    let rest = [copied(ids[1], there, 6), copied(ids[2], there, 7)];
    journal.conclude(run, Some(open.id), &rest, true).unwrap();
    journal
        .folder_done(run, folder, Some(101), Some(3), Some(u64::MAX))
        .unwrap();
    journal.end_run(run, "{}").unwrap();
    assert!(journal.open_intents(0).unwrap().is_empty());
    assert!(rows(&journal, folder).iter().all(|r| !r.open_intent));
    let known = &journal.folders(0).unwrap()[0];
    assert!(known.complete);
    assert_eq!(known.highest_modseq, Some(u64::MAX));
    assert_eq!(journal.runs().unwrap().len(), 2);
    assert!(journal.ended_well().unwrap());
}

#[test]
fn an_earlier_run_may_not_write_any_more() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = Journal::open(dir.path(), &identity()).unwrap();
    let old = first.begin_run("job").unwrap();
    let folder = first.folder(old, 0, b"INBOX", 1).unwrap();
    let mut second = Journal::open(dir.path(), &identity()).unwrap();
    let new = second.begin_run("job").unwrap();
    let refused = first.record(old, folder, &[seen(1)]).unwrap_err();
    assert_eq!(refused.code, Code::Locked);
    assert_eq!(first.end_run(old, "{}").unwrap_err().code, Code::Locked);
    assert!(rows(&second, folder).is_empty());
    second.record(new, folder, &[seen(1)]).unwrap();
}

#[test]
fn the_newest_outcome_counts_and_every_one_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path(), &identity()).unwrap();
    let run = journal.begin_run("job").unwrap();
    let folder = journal.folder(run, 0, b"INBOX", 1).unwrap();
    let there = journal.sink_folder(run, 0, b"INBOX", 9).unwrap();
    let row = journal.record(run, folder, &[seen(1)]).unwrap()[0];
    let failed = Conclusion {
        outcome: "failed",
        words: Some("NO busy".into()),
        delivered: None,
        ..copied(row, there, 1)
    };
    journal.conclude(run, None, &[failed], false).unwrap();
    let mut told = Vec::new();
    journal.failed(0, |f| told.push(f)).unwrap();
    assert_eq!(told[0].words.as_deref(), Some("NO busy"));
    assert_eq!(told[0].folder, b"INBOX");

    let done = [copied(row, there, 1)];
    journal.conclude(run, None, &done, false).unwrap();
    journal
        .flags_changed(run, 0, &[(row, seen_flags())])
        .unwrap();
    let known = rows(&journal, folder).remove(0);
    assert_eq!(known.outcome.as_deref(), Some("copied"));
    assert_eq!(known.flags_delivered, Some(seen_flags()));
    assert_eq!(known.flags, seen_flags());
    let mut left = 0;
    journal.failed(0, |_| left += 1).unwrap();
    assert_eq!(left, 0);
    let counts = journal.counts(0).unwrap();
    assert_eq!((counts[0].messages, counts[0].bytes), (1, 100));
    let kept = |table: &str| -> i64 {
        let sql = format!("SELECT COUNT(*) FROM {table}");
        journal
            .connection
            .query_row(&sql, [], |r| r.get(0))
            .unwrap()
    };
    assert_eq!((kept("outcome"), kept("flag_history")), (3, 1));
}

#[test]
fn only_what_every_sink_has_may_be_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let mut two = identity();
    two.destinations.push("imap://a@third".into());
    let mut journal = Journal::open(dir.path(), &two).unwrap();
    let run = journal.begin_run("job").unwrap();
    let folder = journal.folder(run, 0, b"INBOX", 1).unwrap();
    let one = journal.sink_folder(run, 0, b"INBOX", 9).unwrap();
    let other = journal.sink_folder(run, 1, b"INBOX", 9).unwrap();
    let ids = journal
        .record(run, folder, &[seen(1), seen(2), seen(3), seen(4)])
        .unwrap();
    let at_other = |row| Conclusion {
        sink: 1,
        ..copied(row, other, 3)
    };
    let mut done: Vec<_> = ids.iter().map(|&row| copied(row, one, 1)).collect();
    done.extend([at_other(ids[0]), at_other(ids[2]), at_other(ids[3])]);
    journal.conclude(run, None, &done, false).unwrap();
    journal.removed_at_source(run, &ids[2..3]).unwrap();
    journal.intend(run, &intent(one, vec![ids[3]])).unwrap();
    let mut found = Vec::new();
    journal.deletable(folder, &mut |d| found.push(d)).unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].row, found[0].at.len()), (ids[0], 2));
    assert_eq!(found[0].at[1].delivered.folder, other);
}

#[test]
fn uidls_are_bytes_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path(), &identity()).unwrap();
    let run = journal.begin_run("job").unwrap();
    let folder = journal.folder(run, 0, b"INBOX", 0).unwrap();
    let uidl = |uidl: &[u8], ordinal| SourceKey::Name {
        name: uidl.into(),
        ordinal,
    };
    let keys = [
        uidl(b"b", 0),
        uidl(b"a", 1),
        uidl(b"a\0\xff", 0),
        uidl(b"a", 0),
    ];
    let batch: Vec<_> = keys
        .iter()
        .map(|key| Seen {
            key: key.clone(),
            digests: None,
            ..seen(1)
        })
        .collect();
    let first = journal.record(run, folder, &batch).unwrap();
    assert_eq!(journal.record(run, folder, &batch).unwrap(), first);
    let back: Vec<_> = rows(&journal, folder).into_iter().map(|r| r.key).collect();
    let mut sorted = keys.to_vec();
    sorted.sort();
    assert_eq!(back, sorted);
}

#[test]
fn what_a_later_look_does_not_tell_stays_known() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path(), &identity()).unwrap();
    let run = journal.begin_run("job").unwrap();
    let folder = journal.folder(run, 0, b"INBOX", 0).unwrap();
    let place = Place {
        path: "mail/cur/x".into(),
        digest: digests(1).exact,
    };
    let whole = Seen {
        place: Some(place.clone()),
        ..seen(1)
    };
    let listing = Seen {
        digests: None,
        message_id: None,
        date: None,
        flags: seen_flags(),
        ..seen(1)
    };
    journal.record(run, folder, &[whole]).unwrap();
    journal.record(run, folder, &[listing]).unwrap();
    let known = rows(&journal, folder).remove(0);
    assert_eq!(known.digests, Some(digests(1)));
    assert_eq!(known.place, Some(place));
    assert_eq!(known.flags, seen_flags());
}

#[test]
fn the_standing_index_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path(), &identity()).unwrap();
    let run = journal.begin_run("job").unwrap();
    let there = journal.sink_folder(run, 0, b"INBOX", 9).unwrap();
    let row = |uid| StandingRow {
        uid,
        key: u64::MAX - 1,
        date: Some(-1),
        from: 1,
        subject: 2,
        loose: Some([3; 16]),
        size: u32::MAX,
        folder: None,
        row: None,
    };
    journal.add_standing(run, there, &[row(9), row(4)]).unwrap();
    let mut back = Vec::new();
    journal.standing(there, |r| back.push(r)).unwrap();
    assert_eq!(back, [row(4), row(9)]);
}

#[test]
fn ten_thousand_messages() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path(), &identity()).unwrap();
    let run = journal.begin_run("job").unwrap();
    let folder = journal.folder(run, 0, b"INBOX", 1).unwrap();
    let there = journal.sink_folder(run, 0, b"INBOX", 9).unwrap();
    let all: Vec<_> = (1..=10_000).map(seen).collect();
    for batch in all.chunks(500) {
        let (ids, open) = journal
            .record_and_intend(run, folder, batch, &intent(there, vec![]))
            .unwrap();
        let done: Vec<_> = ids.iter().map(|&row| copied(row, there, 1)).collect();
        journal.conclude(run, Some(open), &done, true).unwrap();
    }
    let known = rows(&journal, folder);
    assert_eq!(known.len(), 10_000);
    assert!(
        known
            .iter()
            .all(|r| r.delivered.is_some() && !r.open_intent)
    );
}

mod opening;
mod undo;

#[test]
fn writes_that_are_gathered_are_durable_together_and_fail_alone() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path(), &identity()).unwrap();
    let run = journal.begin_run("job").unwrap();
    let folder = journal.folder(run, 0, b"INBOX", 7).unwrap();
    let beside = |count: usize| {
        let other = Journal::open_read_only(dir.path(), &identity()).unwrap();
        assert_eq!(rows(&other.unwrap(), folder).len(), count);
    };
    journal.gather();
    journal.record(run, folder, &[seen(1)]).unwrap();
    // No such folder: this one alone is taken back.
    assert!(journal.record(run, 99, &[seen(2)]).is_err());
    journal.record(run, folder, &[seen(3)]).unwrap();
    assert_eq!(rows(&journal, folder).len(), 2);
    beside(0);
    journal.commit().unwrap();
    beside(2);
    // Alone again, each is durable by itself.
    journal.record(run, folder, &[seen(4)]).unwrap();
    beside(3);
    assert!(journal.record(run, 99, &[seen(5)]).is_err());
    journal.record(run, folder, &[seen(6)]).unwrap();
    beside(4);
}
