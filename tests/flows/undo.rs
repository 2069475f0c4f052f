//! `undo`: exactly what a run added is taken back, and only where it still is as it was delivered.

use super::run;
use crate::support::run::spawn_as;
use crate::support::{
    Corpus, Dovecot, End, Imap, Job, Mail, Run, Snapshot, fresh_user, mailhaul, popped, shared,
};
use serde_json::Value;
use std::process::Command;

fn mails(name: &str, count: usize) -> Vec<Mail> {
    popped(&Corpus::new(name, 5).mails(count))
}

fn undo(job: &Job, options: &[&str]) -> Run {
    let path = job.path();
    let path = path.to_string_lossy();
    let mut args = vec!["undo", &path];
    args.extend(options);
    mailhaul(&args)
}

fn summary(run: &Run) -> Value {
    let last = run.stdout.lines().last().expect("a line");
    let last: Value = serde_json::from_str(last).expect("JSON");
    assert_eq!(last["type"], "undo");
    let parts = last["taken_back"].as_u64().zip(last["left"].as_u64());
    assert_eq!(parts.map(|(a, b)| a + b), last["added"].as_u64());
    last
}

/// A destination with mail of its own, a first run of 10 and a second one of 6 messages.
fn two_runs(server: &'static Dovecot, stem: &str) -> (Job, String, String) {
    let (old, new) = (fresh_user(stem), fresh_user(&format!("{stem}-new")));
    Imap::login(server.imap, &new).append("INBOX", &mails("own", 3));
    let all = mails(&old, 16);
    Imap::login(shared().imap, &old).append("INBOX", &all[..10]);
    let (source, to) = (End::imap(shared(), &old), End::imap(server, &new));
    let job = Job::new("", &source, &to, "");
    run(&job).exits(0);
    let mut imap = Imap::login(shared().imap, &old);
    imap.append("INBOX", &all[10..13]);
    imap.create("Late");
    imap.append("Late", &all[13..]);
    run(&job).exits(0);
    (job, old, new)
}

#[test]
fn exactly_the_run_is_taken_back_and_the_next_run_copies_it_again() {
    let (job, _, new) = two_runs(shared(), "undo-exact");
    let after = Snapshot::of(shared().imap, &new);
    let mut imap = Imap::login(shared().imap, &new);
    assert_eq!((imap.count("INBOX"), imap.count("Late")), (16, 3));
    let dry = undo(&job, &["--run", "2", "--dry-run", "--json"]).exits(0);
    assert_eq!(summary(&dry)["taken_back"], 6);
    assert_eq!(Snapshot::of(shared().imap, &new), after);
    let done = undo(&job, &["--run", "last", "--yes", "--json"]).exits(0);
    let last = summary(&done);
    assert_eq!((&last["run"], &last["taken_back"]), (&2.into(), &6.into()));
    assert_eq!(last["empty_folders"], serde_json::json!(["Late"]));
    assert_eq!((imap.count("INBOX"), imap.count("Late")), (13, 0));
    let missing = mailhaul(&["verify".as_ref(), job.path().as_os_str()]).exits(4);
    assert_eq!(
        missing.stdout.matches("taken back in run 3 (undo)").count(),
        6
    );
    let again = undo(&job, &["--run", "2", "--yes"]).exits(0);
    assert!(
        again.stdout.contains("taken back already, in run 3"),
        "{}",
        again.stdout
    );
    let back = run(&job).exits(0);
    assert_eq!(back.balance().part("copied"), 6);
    back.balance().assert_adds_up();
    Snapshot::of(shared().imap, &new).assert_same(&after);
    assert_eq!(run(&job).exits(0).balance().part("copied"), 0);
    mailhaul(&["verify".as_ref(), job.path().as_os_str()]).exits(0);
}

#[test]
fn what_somebody_touched_stays_and_is_told() {
    let (job, _, new) = two_runs(shared(), "undo-touched");
    let mut imap = Imap::login(shared().imap, &new);
    // 1 to 3 are its own, 4 to 13 of the first run, 14 to 16 of the second.
    imap.store("INBOX", "4", "+FLAGS", "touched");
    imap.expunge("INBOX", "5");
    imap.command("SELECT INBOX");
    imap.create("Kept");
    imap.command("UID MOVE 6 Kept");
    let text = undo(&job, &["--run", "1", "--yes"]).exits(0).stdout;
    assert!(
        text.contains("10 messages added = 7 taken back + 3 left"),
        "{text}"
    );
    assert!(text.contains("left: INBOX UID 4"), "{text}");
    assert!(text.contains("its flags were changed since"), "{text}");
    assert_eq!(text.matches("gone already").count(), 2, "{text}");
    let uids: Vec<u32> = imap.fetch("INBOX").iter().map(|m| m.uid).collect();
    assert_eq!(uids, [1, 2, 3, 4, 14, 15, 16]);
    assert_eq!((imap.count("Kept"), imap.count("Late")), (1, 3));
    let back = run(&job).exits(0);
    assert_eq!(back.balance().part("copied"), 7);
}

#[test]
fn a_folder_made_anew_is_left_alone() {
    let (job, _, new) = two_runs(shared(), "undo-anew");
    let mut imap = Imap::login(shared().imap, &new);
    imap.command("DELETE Late");
    let text = undo(&job, &["--run", "2", "--dry-run"]).exits(0).stdout;
    assert_eq!(text.matches("the folder is gone").count(), 3, "{text}");
    imap.create("Late");
    imap.append("Late", &mails("strangers", 3));
    let text = undo(&job, &["--run", "2", "--yes"]).exits(0).stdout;
    assert_eq!(
        text.matches("the folder was made anew since").count(),
        3,
        "{text}"
    );
    assert_eq!(imap.count("Late"), 3);
}

#[test]
fn without_uidplus_it_marks_and_says_so() {
    static SERVER: std::sync::OnceLock<Dovecot> = std::sync::OnceLock::new();
    let plain = "capability=IMAP4rev1 SASL-IR IDLE NAMESPACE UNSELECT CHILDREN";
    let server = SERVER.get_or_init(|| Dovecot::start(&[plain]));
    let (job, _, new) = two_runs(server, "undo-marks");
    let text = undo(&job, &["--run", "2", "--yes"]).exits(0).stdout;
    assert!(text.contains("6 messages only marked as deleted"), "{text}");
    let mut imap = Imap::login(server.imap, &new);
    let marked = |imap: &mut Imap, folder: &str| {
        let fetched = imap.fetch(folder);
        let deleted = |m: &&crate::support::imap::Fetched| m.flags.iter().any(|f| f == "\\Deleted");
        fetched.iter().filter(deleted).count()
    };
    assert_eq!(
        (marked(&mut imap, "INBOX"), marked(&mut imap, "Late")),
        (3, 3)
    );
    // Nothing that is marked stands for a message: all six come again.
    assert_eq!(run(&job).exits(0).balance().part("copied"), 6);
    for folder in ["INBOX", "Late"] {
        imap.command(&format!("SELECT {folder}"));
        imap.command("EXPUNGE");
    }
    assert_eq!((imap.count("INBOX"), imap.count("Late")), (16, 3));
}

/// Killed at each step in turn; the second `undo` ends what the first began, and the run after it brings all back.
#[test]
fn killed_at_every_step_it_knows_its_own_doing() {
    let server = shared();
    for step in 1.. {
        let (old, new) = (fresh_user("undo-killed"), fresh_user("undo-killed-new"));
        Imap::login(server.imap, &new).append("INBOX", &mails("own", 2));
        Imap::login(server.imap, &old).append("INBOX", &mails(&old, 5));
        let (source, to) = (End::imap(server, &old), End::imap(server, &new));
        let job = Job::new("", &source, &to, "");
        run(&job).exits(0);
        let after = Snapshot::of(server.imap, &new);
        let killed = undo_until(&job, step).code.is_none();
        undo(&job, &["--run", "1", "--yes"]).exits(0);
        assert_eq!(
            Imap::login(server.imap, &new).count("INBOX"),
            2,
            "step {step}"
        );
        assert_eq!(
            run(&job).exits(0).balance().part("copied"),
            5,
            "step {step}"
        );
        Snapshot::of(server.imap, &new).assert_same(&after);
        if !killed {
            assert!(step > 8, "only {step} steps");
            break;
        }
    }
}

fn undo_until(job: &Job, step: u32) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailhaul"));
    command.arg("undo").arg(job.path());
    command.args(["--run", "1", "--yes"]);
    let step = step.to_string();
    spawn_as(command, &[("MAILHAUL_FAIL_AT", step.as_ref())]).wait()
}

#[test]
fn it_wants_to_be_told_what_and_asks_before_it_removes() {
    let (job, _, new) = two_runs(shared(), "undo-asks");
    let text = undo(&job, &["--run", "1"]).exits(2).stderr;
    assert!(text.contains("--dry-run, then say --yes"), "{text}");
    let text = undo(&job, &["--run", "9", "--yes"]).exits(2).stderr;
    assert!(text.contains("there is no run 9"), "{text}");
    undo(&job, &["--run", "first", "--yes"]).exits(2);
    assert_eq!(Snapshot::of(shared().imap, &new).total(), 19);
    let held = std::fs::File::open(job.dir().join("job.state/lock")).expect("the lock");
    held.lock().expect("nobody else holds it");
    undo(&job, &["--run", "1", "--yes"]).exits(12);
    undo(&job, &["--run", "1", "--dry-run"]).exits(0);
}

/// What `after` took away at the source, and what its user deleted there, is nowhere else any more.
#[test]
fn the_only_copy_stays() {
    let (old, new) = (fresh_user("undo-only"), fresh_user("undo-only-new"));
    Imap::login(shared().imap, &old).append("INBOX", &mails(&old, 4));
    let source = End::imap(shared(), &old);
    let to = End::imap(shared(), &new);
    let job = Job::new("", &source, &to, "");
    run(&job).exits(0);
    Imap::login(shared().imap, &old).expunge("INBOX", "1");
    run(&job).exits(0);
    let left = undo(&job, &["--run", "1", "--yes", "--json"]).exits(0);
    let last = summary(&left);
    assert_eq!((&last["taken_back"], &last["left"]), (&3.into(), &1.into()));
    assert_eq!(Imap::login(shared().imap, &new).count("INBOX"), 1);

    job.rewrite("", &source.line("after = \"delete\""), &to, "");
    run(&job).exits(0);
    assert_eq!(Imap::login(shared().imap, &old).count("INBOX"), 0);
    let left = undo(&job, &["--run", "last", "--yes", "--json"]);
    assert_eq!(summary(&left)["taken_back"], 0, "{}", left.stdout);
    assert_eq!(Imap::login(shared().imap, &new).count("INBOX"), 4);
}
