//! Backup and restore, killed at every step: nothing is lost, nothing doubled, in the archive or out of it.

use super::kills::fill;
use super::run;
use super::steps::{each, killed, passed, resumed, same};
use crate::support::{End, Imap, Job, Snapshot, fresh_user, shared};
use std::path::Path;

const FORMATS: [&str; 2] = ["maildir", "mbox"];

/// What has gone from the source goes from the archive too.
fn backup(source: &End, format: &str) -> Job {
    let rest = format!(
        "[archive]\npath = \"box.archive\"\nformat = \"{format}\"\non-vanish = \"delete\"\n"
    );
    Job::backup("", source, &rest)
}

fn restore(archive: &Path, user: &str) -> Job {
    let source = End::files("archive", archive);
    Job::new("", &source, &End::imap(shared(), user), "")
}

/// The archive of a job, restored: what it holds as far as mailhaul sees it; and as many messages as that must be in `mail/`, but
/// for those that were taken out and stay in an mbox.
fn right(job: &Job, want: &Snapshot, stay: usize) -> Result<(), String> {
    let archive = job.dir().join("box.archive");
    let user = fresh_user("crash-restored");
    let back = run(&restore(&archive, &user));
    if back.code != Some(0) {
        return Err(format!("the restore: {:?}\n{}", back.code, back.stderr));
    }
    same(&Snapshot::of(shared().imap, &user).without_empty(), want)?;
    let there = messages(&archive.join("mail"));
    match there == want.total() + stay {
        true => Ok(()),
        false => Err(format!("{there} messages in mail/")),
    }
}

/// Files in `cur` and `new`, and From_ lines in mbox files; what is in `tmp` is no message.
fn messages(dir: &Path) -> usize {
    let mut count = 0;
    for entry in std::fs::read_dir(dir).expect("mail/") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if path.is_dir() {
            count += match name.as_str() {
                "cur" | "new" => std::fs::read_dir(&path).expect("a directory").count(),
                "tmp" => {
                    let left = std::fs::read_dir(&path).expect("tmp").count();
                    assert_eq!(left, 0, "something is left in {}", path.display());
                    0
                }
                _ => messages(&path),
            };
        } else if name.ends_with(".mbox") {
            let bytes = std::fs::read(&path).expect("an mbox");
            let lines = bytes.split(|b| *b == b'\n');
            count += lines.filter(|line| line.starts_with(b"From ")).count();
        }
    }
    count
}

fn backup_killed(format: &str) {
    let old = fresh_user("crash-backup");
    fill(shared(), &old);
    let source = || End::imap(shared(), &old);
    let want = Snapshot::of(shared().imap, &old).without_empty();
    let steps = passed(&backup(&source(), format));
    each(&format!("IMAP to archive, {format}"), &steps, |n| {
        let job = backup(&source(), format);
        let was_killed = killed(&job, n);
        resumed(&job, &|| right(&job, &want, 0)).map(|()| was_killed)
    });
}

#[test]
fn imap_to_archive_as_maildir() {
    backup_killed("maildir");
}

#[test]
fn imap_to_archive_as_mbox() {
    backup_killed("mbox");
}

#[test]
fn changes_to_archive() {
    for format in FORMATS {
        let old = fresh_user("crash-update");
        fill(shared(), &old);
        // One archive is made before the change, and copied for each step.
        let first = backup(&End::imap(shared(), &old), format);
        run(&first).exits(0);
        let mut imap = Imap::login(shared().imap, &old);
        imap.store("INBOX", "1:2", "+FLAGS", "\\Flagged later");
        imap.store("INBOX", "3", "-FLAGS", "\\Seen");
        imap.append("INBOX", &super::kills::mails(true)[4..]);
        let fourth = imap.fetch("INBOX")[3].uid;
        imap.expunge("INBOX", &fourth.to_string());
        let want = Snapshot::of(shared().imap, &old).without_empty();
        let stay = usize::from(format == "mbox");
        let copy = || {
            let copy = backup(&End::imap(shared(), &old), format);
            let done = std::process::Command::new("cp")
                .arg("-a")
                .arg(first.dir().join("box.archive"))
                .arg(copy.dir())
                .status();
            assert!(done.expect("cp").success());
            copy
        };
        let steps = passed(&copy());
        each(&format!("a later run, {format}"), &steps, |n| {
            let job = copy();
            let was_killed = killed(&job, n);
            resumed(&job, &|| right(&job, &want, stay)).map(|()| was_killed)
        });
    }
}

#[test]
fn archive_to_imap() {
    for format in FORMATS {
        let old = fresh_user("crash-restore");
        fill(shared(), &old);
        let want = Snapshot::of(shared().imap, &old).without_empty();
        let saved = backup(&End::imap(shared(), &old), format);
        run(&saved).exits(0);
        let archive = saved.dir().join("box.archive");
        let steps = passed(&restore(&archive, &fresh_user("steps")));
        each(&format!("archive to IMAP, {format}"), &steps, |n| {
            let user = fresh_user("crash-back");
            let job = restore(&archive, &user);
            let was_killed = killed(&job, n);
            let right = || same(&Snapshot::of(shared().imap, &user).without_empty(), &want);
            resumed(&job, &right).map(|()| was_killed)
        });
    }
}
