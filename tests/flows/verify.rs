//! `verify`: what was done at the destination behind mailhaul's back is told, message by message, and nothing else.

use super::run;
use crate::support::{
    Corpus, End, Imap, Job, Mail, Run, Snapshot, fresh_user, maildir, mailhaul, popped, shared,
};
use serde_json::Value;
use std::path::{Path, PathBuf};

const FOLDERS: [&str; 3] = ["INBOX", "Work/2019", "Entw&APw-rfe"];

/// Three folders with distinct mail, copied.
fn copied(stem: &str, top: &str, each: usize) -> (Job, String, String, Vec<Mail>) {
    let (old, new) = (fresh_user(stem), fresh_user(&format!("{stem}-new")));
    let mails = distinct(&old, each * FOLDERS.len());
    let mut imap = Imap::login(shared().imap, &old);
    for (folder, part) in FOLDERS.iter().zip(mails.chunks(each)) {
        if *folder != "INBOX" {
            imap.create(folder);
        }
        imap.append(folder, part);
    }
    let (source, to) = (End::imap(shared(), &old), End::imap(shared(), &new));
    let job = Job::new(top, &source, &to, "");
    run(&job).exits(0);
    (job, old, new, mails)
}

/// No two alike, each with a Message-ID and a final line end.
fn distinct(name: &str, count: usize) -> Vec<Mail> {
    let mut mails = popped(&Corpus::new(name, 31).mails(count + 20));
    let id = |mail: &Mail| crate::support::canonical::message_id(&mail.bytes);
    let mut seen = std::collections::BTreeSet::new();
    mails.retain(|mail| id(mail).is_some_and(|id| seen.insert(id)));
    mails.truncate(count);
    assert_eq!(mails.len(), count);
    mails
}

fn verify(job: &Job, options: &[&str]) -> Run {
    let path = job.path();
    let path = path.to_string_lossy();
    let mut args = vec!["verify", &path];
    args.extend(options);
    mailhaul(&args)
}

fn lines(run: &Run) -> Vec<Value> {
    let parsed = run.stdout.lines().map(serde_json::from_str);
    parsed.collect::<Result<_, _>>().expect("JSON Lines")
}

/// Kind, source key and destination key of every difference, sorted.
fn differences(run: &Run) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let mut all: Vec<_> = lines(run)
        .iter()
        .filter(|line| line["type"] == "verify-difference")
        .map(|line| {
            (
                text(&line["difference"]),
                text(&line["source"]["key"]),
                text(&line["standing"]["key"]),
            )
        })
        .collect();
    all.sort();
    all
}

fn told(kind: &str, source: &str, standing: &str) -> (String, String, String) {
    (kind.into(), source.into(), standing.into())
}

fn summary(run: &Run) -> Value {
    let last = lines(run).pop().expect("a last line");
    assert_eq!(last["type"], "verify");
    assert_eq!(last["unaccounted"], 0);
    last
}

#[test]
fn equal_ends_are_equal_at_every_level() {
    let (job, old, new, _) = copied("verify-equal", "", 20);
    let before = Snapshot::of(shared().imap, &new);
    for level in ["count", "headers", "content"] {
        let json = verify(&job, &["--json", "--level", level]).exits(0);
        assert!(differences(&json).is_empty(), "{}", json.stdout);
        let last = summary(&json);
        let class = if level == "count" { "counted" } else { "equal" };
        assert_eq!((&last["source"], &last[class]), (&60.into(), &60.into()));
        assert_eq!(last["differs"], false);
    }
    let text = verify(&job, &[]).exits(0).stdout;
    assert!(text.contains("60 = 60 equal; unaccounted 0"), "{text}");
    assert!(text.contains("both ends are equal"), "{text}");
    assert_eq!(text.matches("fingerprint ").count(), 3, "{text}");
    assert_eq!(Snapshot::of(shared().imap, &new), before);
    assert_eq!(Snapshot::of(shared().imap, &old).total(), 60);
}

#[test]
fn what_was_done_behind_its_back_is_told_and_nothing_else() {
    let (job, _, new, mails) = copied("verify-changed", "", 12);
    let mut imap = Imap::login(shared().imap, &new);
    imap.expunge("INBOX", "3");
    imap.create("Kept");
    imap.command("SELECT INBOX");
    imap.command("UID MOVE 4 Kept");
    imap.command("UID MOVE 5 Work/2019");
    imap.store("INBOX", "6", "FLAGS", "\\Answered changed");
    imap.expunge("INBOX", "7");
    let mut altered = mails[6].clone();
    altered.bytes.extend(b"one line more\r\n");
    let mut redated = mails[7].clone();
    redated.date += 3600;
    imap.expunge("INBOX", "8");
    imap.append("INBOX", &[altered, redated]);
    imap.append("INBOX", &distinct("stranger", 1));
    imap.command("SELECT INBOX");
    imap.command("UID COPY 9 INBOX");
    let json = verify(&job, &["--json"]).exits(4);
    assert_eq!(
        differences(&json),
        [
            told("altered", "UID 7", "UID 13"),
            told("date", "UID 8", "UID 14"),
            told("doubled", "-", "UID 16"),
            told("extra", "-", "UID 15"),
            told("flags", "UID 6", "UID 6"),
            told("missing", "UID 3", "-"),
            told("moved", "UID 4", "UID 1"),
            told("moved", "UID 5", "UID 13"),
        ]
    );
    let last = summary(&json);
    for (class, n) in [
        ("equal", 30),
        ("changed", 2),
        ("altered", 1),
        ("moved", 2),
        ("missing", 1),
        ("doubled", 1),
        ("extra", 1),
    ] {
        assert_eq!(last[class], n, "{class} in {}", json.stdout);
    }
    let text = verify(&job, &[]).exits(4).stdout;
    for words in [
        "delivered in run 1, and not there any more",
        "stands in Kept, not in INBOX",
        "stands in Work/2019, not in INBOX",
        "at the destination without",
        "run 1 had delivered it; changed since",
        "both ends differ",
    ] {
        assert!(text.contains(words), "{words} not in\n{text}");
    }
    let headers = verify(&job, &["--json", "--level", "headers"]).exits(4);
    let kinds: Vec<String> = differences(&headers).into_iter().map(|d| d.0).collect();
    assert_eq!(
        kinds,
        [
            "altered", "date", "extra", "extra", "flags", "missing", "moved", "moved"
        ]
    );
}

#[test]
fn bytes_of_the_same_size_are_seen_by_content_alone() {
    let (job, _, new, mails) = copied("verify-size", "", 4);
    let mut imap = Imap::login(shared().imap, &new);
    let mut twisted = mails[1].clone();
    let last = twisted.bytes.len() - 3;
    twisted.bytes[last] ^= 1;
    imap.expunge("INBOX", "2");
    imap.append("INBOX", &[twisted]);
    verify(&job, &["--level", "count"]).exits(0);
    verify(&job, &["--level", "headers"]).exits(0);
    let json = verify(&job, &["--json"]).exits(4);
    assert_eq!(differences(&json), [told("altered", "UID 2", "UID 5")]);
    assert!(json.stdout.contains("bytes at both ends, and not the same"));
}

#[test]
fn own_mail_is_a_difference_only_when_asked_for() {
    let (job, _, new, _) = copied("verify-own", "", 5);
    Imap::login(shared().imap, &new).append("INBOX", &distinct("own", 2));
    let json = verify(&job, &["--json"]).exits(0);
    assert_eq!(summary(&json)["extra"], 2);
    verify(&job, &["--strict-extra"]).exits(4);
    verify(&job, &["--strict-extra", "--level", "count"]).exits(4);
}

#[test]
fn numbers_tell_what_is_missing_at_the_level_count() {
    let (job, _, new, _) = copied("verify-count", "", 6);
    Imap::login(shared().imap, &new).expunge("Work/2019", "2:3");
    let json = verify(&job, &["--json", "--level", "count"]).exits(4);
    let last = summary(&json);
    assert_eq!(
        (&last["missing"], &last["counted"]),
        (&2.into(), &16.into())
    );
    assert!(json.stdout.contains("6 should stand there, 4 do"));
}

#[test]
fn a_sample_is_read_and_the_rest_is_counted() {
    let (job, _, new, mails) = copied("verify-sample", "", 60);
    let json = verify(&job, &["--json", "--sample", "20%"]).exits(0);
    let last = summary(&json);
    let (equal, counted) = (last["equal"].as_u64(), last["counted"].as_u64());
    assert_eq!(equal.zip(counted).map(|(a, b)| a + b), Some(180));
    assert!(equal.is_some_and(|n| (15..60).contains(&n)), "{last}");
    let least = summary(&verify(&job, &["--json", "--sample", "0.0001%"]).exits(0));
    assert_eq!(least["equal"], 3, "one of each folder: {least}");
    // Everything altered: so is all of the sample.
    let mut imap = Imap::login(shared().imap, &new);
    imap.expunge("INBOX", "1:*");
    let twisted: Vec<Mail> = mails[..60].iter().cloned().map(longer).collect();
    imap.append("INBOX", &twisted);
    let again = summary(&verify(&job, &["--json", "--sample", "20%"]).exits(4));
    let both = again["equal"].as_u64().zip(again["altered"].as_u64());
    assert_eq!(both.map(|(a, b)| a + b), equal);
    assert!(again["altered"].as_u64() > Some(0));
    verify(&job, &["--sample", "20%", "--level", "headers"]).exits(2);
}

fn longer(mut mail: Mail) -> Mail {
    mail.bytes.extend(b"and more\r\n");
    mail
}

#[test]
fn what_the_job_leaves_out_is_not_missing() {
    let top = "";
    let (old, new) = (fresh_user("verify-skip"), fresh_user("verify-skip-new"));
    let mut mails = distinct(&old, 10);
    mails[3].date = 1_000_000_000;
    mails[4].flags = vec!["\\Deleted".into()];
    Imap::login(shared().imap, &old).append("INBOX", &mails);
    let filter = "[filter]\nsince = 2005-01-01\n";
    let (source, to) = (End::imap(shared(), &old), End::imap(shared(), &new));
    let job = Job::new(top, &source, &to, filter);
    run(&job).exits(0);
    for level in ["count", "headers", "content"] {
        let json = verify(&job, &["--json", "--level", level]).exits(0);
        assert_eq!(summary(&json)["skipped"], 2);
    }
}

#[test]
fn merged_and_collapsed_folders() {
    let (old, new) = (fresh_user("verify-merge"), fresh_user("verify-merge-new"));
    let mails = distinct(&old, 10);
    let mut imap = Imap::login(shared().imap, &old);
    imap.append("INBOX", &mails[..6]);
    imap.create("Other");
    imap.append("Other", &mails[4..]);
    imap.append("Other", &mails[9..]);
    let (source, to) = (End::imap(shared(), &old), End::imap(shared(), &new));
    let job = Job::new(
        "collapse = true\n",
        &source,
        &to,
        "[folders]\nflatten = true\n",
    );
    run(&job).exits(0);
    assert_eq!(Imap::login(shared().imap, &new).count("INBOX"), 10);
    for level in ["count", "headers", "content"] {
        let json = verify(&job, &["--json", "--level", level]).exits(0);
        let last = summary(&json);
        assert_eq!(
            (&last["source"], &last["duplicate"]),
            (&13.into(), &3.into())
        );
        assert_eq!(last["equal"], 10, "{}", json.stdout);
    }
    Imap::login(shared().imap, &new).expunge("INBOX", "5");
    let json = verify(&job, &["--json"]).exits(4);
    // Both folders had it, and nothing stands for either.
    assert_eq!(summary(&json)["missing"], 2);
}

#[test]
fn pop3_with_routes() {
    let (old, new) = (fresh_user("verify-pop"), fresh_user("verify-pop-new"));
    maildir::fill(shared(), &old, &distinct(&old, 30));
    let routes = "[[route]]\nfrom = \"writer3@*\"\nfolder = \"Three\"\n[[route]]\nfrom = \"writer4@*\"\nfolder = \"Four\"\n";
    let (source, to) = (End::pop3(shared(), &old), End::imap(shared(), &new));
    let job = Job::new("", &source, &to, routes);
    run(&job).exits(0);
    let mut imap = Imap::login(shared().imap, &new);
    assert!(imap.count("Three") > 0 && imap.count("Four") > 0);
    for level in ["count", "headers", "content"] {
        let json = verify(&job, &["--json", "--level", level]).exits(0);
        let last = summary(&json);
        assert_eq!((&last["source"], &last["equal"]), (&30.into(), &30.into()));
    }
    imap.expunge("Four", "1");
    let json = verify(&job, &["--json"]).exits(4);
    let kinds: Vec<String> = differences(&json).into_iter().map(|d| d.0).collect();
    assert_eq!(kinds, ["missing"]);
}

#[test]
fn a_job_that_never_ran_has_everything_missing() {
    let (old, new) = (fresh_user("verify-none"), fresh_user("verify-none-new"));
    let mut imap = Imap::login(shared().imap, &old);
    imap.create("Empty");
    imap.append("INBOX", &distinct(&old, 3));
    let (source, to) = (End::imap(shared(), &old), End::imap(shared(), &new));
    let job = Job::new("", &source, &to, "");
    let run = verify(&job, &[]).exits(4);
    assert!(
        run.stdout.contains("the job has not been run"),
        "{}",
        run.stdout
    );
    assert!(run.stdout.contains("the destination has no folder Empty"));
    assert!(!job.dir().join("job.state").exists());
    let nowhere = || End::at("imap", "127.0.0.1", 9, "nobody").line("security = \"plain\"");
    job.rewrite("", &source, &nowhere(), "");
    verify(&job, &[]).exits(11);
    job.rewrite("", &nowhere(), &to, "");
    verify(&job, &[]).exits(10);
}

/// The files of a Maildir's `cur`, by name.
fn kept(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir.join("cur")).expect("cur");
    let mut paths: Vec<PathBuf> = entries.map(|e| e.expect("an entry").path()).collect();
    paths.sort();
    paths
}

#[test]
fn files_at_either_end() {
    let user = fresh_user("verify-files");
    Imap::login(shared().imap, &user).append("INBOX", &distinct(&user, 12));
    let dir = tempfile::tempdir().expect("a directory");
    let tree = dir.path().join("tree");
    let files = || End::files("maildir", &tree);
    let there = Job::new("", &End::imap(shared(), &user), &files(), "");
    run(&there).exits(0);
    let new = fresh_user("verify-files-new");
    let back = Job::new("", &files(), &End::imap(shared(), &new), "");
    run(&back).exits(0);
    for level in ["count", "headers", "content"] {
        for job in [&there, &back] {
            let json = verify(job, &["--json", "--level", level]).exits(0);
            assert!(differences(&json).is_empty(), "{}", json.stdout);
        }
    }
    let paths = kept(&tree);
    assert_eq!(paths.len(), 12);
    std::fs::remove_file(&paths[2]).expect("removed");
    let mut bytes = std::fs::read(&paths[5]).expect("read");
    bytes.extend(b"rot\n");
    std::fs::write(&paths[5], bytes).expect("written");
    for job in [&there, &back] {
        let json = verify(job, &["--json"]).exits(4);
        let kinds: Vec<String> = differences(&json).into_iter().map(|d| d.0).collect();
        let other = if std::ptr::eq(job, &there) {
            "missing"
        } else {
            "extra"
        };
        assert_eq!(kinds, ["altered", other], "{}", json.stdout);
    }
    let path = there.path();
    let undone = mailhaul(&[
        "undo".as_ref(),
        path.as_os_str(),
        "--run=1".as_ref(),
        "--yes".as_ref(),
    ]);
    let undone = undone.exits(0).stdout;
    assert!(
        undone.contains("12 messages added = 10 taken back + 2 left"),
        "{undone}"
    );
    assert_eq!(kept(&tree).len(), 1);
}
