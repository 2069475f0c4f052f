//! Sample jobs that need no server of their own kind of test: each is run as it stands, but for hosts and users.

use crate::support::dovecot::PASSWORD;
use crate::support::run::spawn_as;
use crate::support::{Corpus, End, Imap, Job, Run, Snapshot, fresh_user, root, shared};
use std::path::Path;
use std::process::Command;

/// Runs a copy of a sample in `dir`: beside the job its journal stands.
fn sample(command: &str, name: &str, dir: &Path, sets: &[String]) -> Run {
    let copy = dir.join(name);
    std::fs::copy(root().join("sample-jobs").join(name), &copy).expect("copy");
    let mut run = Command::new(env!("CARGO_BIN_EXE_mailhaul"));
    run.arg(command).arg(copy);
    for set in sets {
        run.arg("--set").arg(set);
    }
    spawn_as(run, &[]).wait()
}

fn end(table: &str, user: &str) -> Vec<String> {
    let port = shared().imap;
    let values = [("host", "127.0.0.1"), ("security", "plain"), ("user", user)];
    let mut sets: Vec<String> = values
        .iter()
        .map(|(key, value)| format!("{table}.{key}={value}"))
        .collect();
    sets.push(format!("{table}.port={port}"));
    sets
}

#[test]
fn a_scheduled_backup_runs_unattended() {
    let user = fresh_user("scheduled");
    let mails = Corpus::new(&user, 6).mails(6);
    let mut source = Imap::login(shared().imap, &user);
    source.append("INBOX", &mails);
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("password.txt"), format!("{PASSWORD}\n")).expect("write");
    let run = || {
        sample(
            "run",
            "10-scheduled-backup.toml",
            dir.path(),
            &end("source", &user),
        )
    };
    assert_eq!(run().exits(0).balance().part("copied"), 6);
    source.expunge("INBOX", "2");
    run().exits(0).balance().assert_adds_up();
    let archive = dir.path().join("budi.archive");
    let back = Job::new(
        "",
        &End::files("archive", &archive),
        &End::imap(shared(), &user),
        "",
    );
    let restored = fresh_user("scheduled-back");
    back.rewrite(
        "",
        &End::files("archive", &archive),
        &End::imap(shared(), &restored),
        "",
    );
    super::run(&back).exits(0);
    // Gone since yesterday: its days of grace are not over.
    Snapshot::of(shared().imap, &restored).assert_same(&Snapshot::one("INBOX", &mails));
}

#[test]
fn the_units_of_the_schedule_are_sound() {
    let dir = root().join("sample-jobs/systemd");
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).expect("a unit");
    let service = read("mailhaul@.service");
    assert!(service.contains("ExecStart=mailhaul --quiet run %i.toml"));
    assert!(service.contains("SuccessExitStatus=12"));
    let timer = read("mailhaul@.timer");
    for line in [
        "OnCalendar=daily",
        "Persistent=true",
        "WantedBy=timers.target",
    ] {
        assert!(timer.lines().any(|l| l == line), "{line}");
    }
}

#[test]
fn a_conversion_needs_no_server_and_verifies() {
    let user = fresh_user("convert");
    let mut imap = Imap::login(shared().imap, &user);
    let mails = Corpus::new(&user, 15).mails(15);
    imap.append("INBOX", &mails);
    imap.create("Work/2020");
    imap.append("Work/2020", &mails[..5]);
    let dir = tempfile::tempdir().expect("a directory");
    let maildir = dir.path().join("Maildir");
    let fill = Job::new(
        "",
        &End::imap(shared(), &user),
        &End::files("maildir", &maildir),
        "",
    );
    super::run(&fill).exits(0);
    let done = sample("run", "11-convert.toml", dir.path(), &[]).exits(0);
    assert_eq!(done.balance().part("copied"), 20);
    sample("verify", "11-convert.toml", dir.path(), &[]).exits(0);
    assert_eq!(
        sample("run", "11-convert.toml", dir.path(), &[])
            .exits(0)
            .balance()
            .part("copied"),
        0
    );

    // And back, from mbox to an archive of its own.
    let sets = |text: &[&str]| text.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    let back = sets(&[
        "source.protocol=mbox",
        "source.path=Mail",
        "destination.protocol=maildir",
        "destination.path=Again",
    ]);
    std::fs::remove_dir_all(dir.path().join("11-convert.state")).expect("remove");
    sample("run", "11-convert.toml", dir.path(), &back).exits(0);
    let new = fresh_user("convert-new");
    let up = Job::new(
        "",
        &End::files("maildir", &dir.path().join("Again")),
        &End::imap(shared(), &new),
        "",
    );
    super::run(&up).exits(0);
    let want = Snapshot::of(shared().imap, &user).without_empty();
    Snapshot::of(shared().imap, &new)
        .without_empty()
        .assert_same_order(&want);
}
