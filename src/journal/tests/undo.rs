use super::*;

fn added(journal: &Journal, run: i64) -> Vec<Added> {
    let mut found = Vec::new();
    journal
        .added_by(run, 0, &mut |one| found.push(one))
        .unwrap();
    found
}

/// Two messages copied by run 1, a third one for which the first stands too.
fn filled(dir: &Path) -> (Journal, FolderId) {
    let mut journal = Journal::open(dir, &identity()).unwrap();
    let run = journal.begin_run("a").unwrap();
    let folder = journal.folder(run, 0, b"INBOX", 1).unwrap();
    let place = journal.sink_folder(run, 0, b"INBOX", 9).unwrap();
    let rows = journal
        .record(run, folder, &[seen(1), seen(2), seen(3)])
        .unwrap();
    let duplicate = Conclusion {
        outcome: "duplicate",
        of: Some(rows[0]),
        ..copied(rows[2], place, 11)
    };
    let done = [
        copied(rows[0], place, 11),
        copied(rows[1], place, 12),
        duplicate,
    ];
    journal.conclude(run, None, &done, false).unwrap();
    journal.end_run(run, "{}").unwrap();
    (journal, folder)
}

#[test]
fn what_a_run_added_is_its_own_whatever_later_runs_say_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, folder) = filled(dir.path());
    let run = journal.begin_run("a").unwrap();
    let row = added(&journal, 1)[0].row;
    let flags = Flags::from_text("\\Seen");
    journal
        .flags_changed(run, 0, &[(row, flags.clone())])
        .unwrap();
    let found = added(&journal, 1);
    let uids: Vec<Option<u32>> = found.iter().map(|one| one.delivered.uid).collect();
    assert_eq!(uids, [Some(11), Some(12)]);
    assert!(found.iter().all(|one| one.stands));
    assert_eq!(found[0].flags, flags);
    assert!(added(&journal, 2).is_empty());
    let told = journal
        .delivery(folder, 0, &SourceKey::Uid(1))
        .unwrap()
        .unwrap();
    assert_eq!(
        (told.outcome.as_str(), told.run, told.uid),
        ("copied", 1, Some(11))
    );
    assert_eq!(
        journal.delivery(folder, 0, &SourceKey::Uid(9)).unwrap(),
        None
    );
}

#[test]
fn what_was_taken_back_is_open_again_and_so_is_what_it_stood_for() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, folder) = filled(dir.path());
    let run = journal.begin_run("a").unwrap();
    let first = vec![added(&journal, 1)[0].clone()];
    journal.about_to_take_back(run, 0, &first).unwrap();
    let begun = added(&journal, 1);
    assert_eq!(begun[0].words.as_deref(), Some(ABOUT));
    assert!(begun[0].stands && begun[1].words.is_none());
    journal.taken_back(run, 0, &first, 1, true).unwrap();
    let mut outcomes = Vec::new();
    journal
        .for_each_message(folder, 0, &mut |row| {
            outcomes.push((row.outcome, row.delivered))
        })
        .unwrap();
    let words: Vec<&str> = outcomes.iter().filter_map(|(o, _)| o.as_deref()).collect();
    assert_eq!(words, [UNDONE, "copied", UNDONE]);
    assert!(outcomes[0].1.is_none() && outcomes[2].1.is_none());
    let after = added(&journal, 1);
    assert!(!after[0].stands && after[1].stands);
    assert_eq!((after[0].outcome.as_str(), after[0].run), (UNDONE, 2));
}

#[test]
fn places_that_a_run_was_the_first_to_use() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = filled(dir.path());
    let run = journal.begin_run("a").unwrap();
    journal.sink_folder(run, 0, b"INBOX", 9).unwrap();
    journal.sink_folder(run, 0, b"Late", 4).unwrap();
    assert_eq!(
        journal.first_used_by(1, 0).unwrap(),
        [(b"INBOX".to_vec(), 9)]
    );
    assert_eq!(
        journal.first_used_by(2, 0).unwrap(),
        [(b"Late".to_vec(), 4)]
    );
    let place = journal.find_sink_folder(0, b"INBOX", 9).unwrap().unwrap();
    let mut uids = Vec::new();
    journal
        .delivered_at(place, &mut |uid, run| uids.push((uid, run)))
        .unwrap();
    assert_eq!(uids, [(11, 1), (12, 1)]);
}
