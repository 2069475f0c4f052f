use super::*;
use crate::job::Job;
use crate::journal::{Conclusion, Intent, Seen};
use crate::message::{Digest, Digests, Flags};
use std::path::Path;

const JOB: &str = r#"
version = 1
[source]
protocol = "imap"
host = "imap.old.example"
user = "budi"
password = { env = "OLD" }
[destination]
protocol = "imap"
host = "IMAP.new.example"
user = "budi"
password = { env = "NEW" }
"#;

fn account(dir: &Path) -> Account {
    let path = dir.join("budi.toml");
    crate::fs::persist(&path, |file| {
        std::io::Write::write_all(file, JOB.as_bytes())
    })
    .unwrap();
    Job::load(&path, &[]).unwrap().accounts.remove(0)
}

fn seen(uid: u32) -> Seen {
    let digest = Digest::of(&uid.to_be_bytes());
    Seen {
        key: SourceKey::Uid(uid),
        digests: Some(Digests {
            exact: digest,
            loose: digest,
        }),
        message_id: Some(b"<one@example.org>".to_vec()),
        size: 10,
        flags: Flags::default(),
        date: None,
        place: None,
    }
}

fn conclusion(row: i64, outcome: Outcome) -> Conclusion {
    Conclusion {
        row,
        sink: 0,
        outcome: outcome.as_str(),
        words: Some("NO no".into()),
        delivered: None,
        flags: Flags::default(),
        of: None,
    }
}

/// One message copied, one rejected, one in doubt.
fn fill(account: &Account) {
    std::fs::create_dir_all(&account.archive.path).unwrap();
    let identity = front::journal_identity(account);
    let mut journal = Journal::open(&account.archive.path, &identity).unwrap();
    let run = journal.begin_run("budi").unwrap();
    let folder = journal.folder(run, 0, b"Entw&APw-rfe", 1).unwrap();
    let sink = journal.sink_folder(run, 0, b"INBOX", 9).unwrap();
    let rows = journal
        .record(run, folder, &[seen(1), seen(2), seen(3)])
        .unwrap();
    let done = [
        conclusion(rows[0], Outcome::Copied),
        conclusion(rows[1], Outcome::Rejected),
    ];
    journal.conclude(run, None, &done, false).unwrap();
    let intent = Intent {
        sink: 0,
        folder: sink,
        uid_validity: 9,
        floor: 1,
        messages: vec![rows[2]],
    };
    journal.intend(run, &intent).unwrap();
    journal
        .end_run(run, r#"{"outcomes":{"copied":1}}"#)
        .unwrap();
}

#[test]
fn a_journal_that_is_not_there_is_no_run_yet() {
    let dir = tempfile::tempdir().unwrap();
    let known = read(&account(dir.path()), false).unwrap();
    assert!(known.runs.is_empty() && known.folders.is_empty());
}

#[test]
fn a_journal_is_summed_up() {
    let dir = tempfile::tempdir().unwrap();
    let account = account(dir.path());
    fill(&account);
    let known = read(&account, false).unwrap();
    assert_eq!(known.runs[0].copied, Some(1));
    assert!(known.runs[0].ended.is_some());
    let [folder] = known.folders.as_slice() else {
        panic!("{:?}", known.folders)
    };
    assert_eq!(folder.folder, "Entwürfe");
    let counted = [
        folder.known,
        folder.delivered,
        folder.failed,
        folder.in_doubt,
    ];
    assert_eq!(counted, [3, 1, 1, 1]);
}

#[test]
fn what_failed_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let account = account(dir.path());
    fill(&account);
    let known = read(&account, true).unwrap();
    let [one] = known.failed.as_slice() else {
        panic!("{:?}", known.failed)
    };
    assert_eq!((one.key.as_str(), one.outcome), ("2", Outcome::Rejected));
    assert_eq!(
        (one.message_id.as_str(), one.words.as_str()),
        ("<one@example.org>", "NO no")
    );
}

#[test]
fn a_journal_of_another_account_is_foreign() {
    let dir = tempfile::tempdir().unwrap();
    let mut account = account(dir.path());
    fill(&account);
    let crate::job::Store::Server(server) = &mut account.sources[0].store else {
        panic!("no server")
    };
    server.user = "siti".into();
    let error = read(&account, false).unwrap_err();
    assert_eq!(ExitCode::of_error(&error), ExitCode::Archive);
}
