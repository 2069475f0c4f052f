//! IMAP and POP3 → archive: everything is kept, later runs bring what has changed, other programs can read it.

use super::imap_to_imap::large_account;
use super::incremental::{listening, taken};
use super::{assert_nothing_left, run};
use crate::support::run::spawn_as;
use crate::support::{
    Corpus, Dovecot, End, Imap, Job, Snapshot, fresh_user, maildir, popped, root, shared,
};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(super) const FORMATS: [&str; 2] = ["maildir", "mbox"];

/// A job whose archive is where the mail goes; `more` are lines of `[archive]`.
pub(super) fn backup(source: &End, more: &str) -> Job {
    Job::backup(
        "",
        source,
        &format!("[archive]\npath = \"box.archive\"\n{more}"),
    )
}

pub(super) fn format(format: &str) -> String {
    format!("format = \"{format}\"\n")
}

pub(super) fn archive(job: &Job) -> PathBuf {
    job.dir().join("box.archive")
}

/// What the archive holds, by a restore into an account of its own.
fn restored(job: &Job) -> Snapshot {
    let new = fresh_user("restored");
    let back = Job::new(
        "",
        &End::files("archive", &archive(job)),
        &End::imap(shared(), &new),
        "",
    );
    run(&back).exits(0);
    Snapshot::of(shared().imap, &new)
}

/// A server that serves a copy of `ARCHIVE/mail` as its mail store.
fn served(job: &Job, layout: &str, user: &str) -> Dovecot {
    let server = Dovecot::start(&[&format!("layout={layout}"), "escape=yes"]);
    let home = server.home(user).join("Maildir");
    std::fs::create_dir_all(home.parent().expect("a home")).expect("a home");
    let script = "rm -rf \"$2\" && cp -a \"$1\" \"$2\" && { [ \"$(id -u)\" != 0 ] || chown -R \"$3\" \"$2\"; }";
    let done = Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(archive(job).join("mail"))
        .arg(&home)
        .arg(format!("{}:{}", server.uid, server.gid))
        .status();
    assert!(done.expect("sh").success());
    server
}

#[test]
fn dovecot_serves_the_archive() {
    let old = fresh_user("archived");
    large_account(shared(), &old);
    let before = Snapshot::of(shared().imap, &old);
    for layout in ["maildir++", "fs"] {
        let job = backup(
            &End::imap(shared(), &old),
            &format!("layout = \"{layout}\"\n"),
        );
        let done = run(&job).exits(0);
        assert_eq!(done.balance().part("copied"), 2_000);
        done.balance().assert_adds_up();
        let server = served(&job, layout, &old);
        Snapshot::of(server.imap, &old).assert_same(&before);
        assert_eq!(
            super::imap_to_imap::subscribed(&server, &old),
            super::imap_to_imap::subscribed(shared(), &old)
        );
        assert!(!server.log().contains("Error"), "{}", server.log());
    }
    assert_eq!(Snapshot::of(shared().imap, &old), before);
}

#[test]
fn a_run_with_nothing_new_asks_little_and_opens_no_folder() {
    let old = fresh_user("quiet");
    large_account(shared(), &old);
    let (proxy, lines) = listening(shared().imap);
    let end = End::at("imap", "127.0.0.1", proxy.port, &old).line("security = \"plain\"");
    for kind in FORMATS {
        let job = backup(&end, &format(kind));
        run(&job).exits(0);
        taken(&lines);
        // Whoever opens a folder makes what is missing in it; whoever reads `mail/` does not find it.
        let mail = archive(&job).join("mail");
        std::fs::rename(&mail, job.dir().join("hidden")).expect("rename");
        std::fs::create_dir(&mail).expect("an empty directory");
        assert_nothing_left(&job);
        assert_eq!(std::fs::read_dir(&mail).expect("mail").count(), 0);
        let asked = taken(&lines);
        assert!(asked.len() < 12, "{asked:?}");
    }
}

#[test]
fn later_runs_bring_mail_flags_and_what_has_gone_stays() {
    for kind in FORMATS {
        let old = fresh_user("later");
        let mut corpus = Corpus::new(&old, 77);
        let mut source = Imap::login(shared().imap, &old);
        source.append("INBOX", &corpus.mails(20));
        source.create("Work");
        source.append("Work", &corpus.mails(5));
        let job = backup(&End::imap(shared(), &old), &format(kind));
        run(&job).exits(0);
        source.append("INBOX", &corpus.mails(3));
        source.store("INBOX", "1:4", "+FLAGS", "\\Flagged todo");
        source.store("INBOX", "5:6", "-FLAGS", "\\Seen");
        source.create("New");
        source.append("New", &corpus.mails(2));
        let balance = run(&job).exits(0).balance();
        assert_eq!(balance.part("copied"), 5);
        balance.assert_adds_up();
        let want = Snapshot::of(shared().imap, &old);
        restored(&job)
            .without_empty()
            .assert_same_order(&want.clone().without_empty());
        source.expunge("INBOX", "7:9");
        run(&job).exits(0).balance().assert_adds_up();
        restored(&job)
            .without_empty()
            .assert_same_order(&want.without_empty());
        assert_nothing_left(&job);
    }
}

/// The files of a folder in the order in which they were stored.
fn stored(sidecar: &Path, cur: &Path) -> Vec<PathBuf> {
    let text = std::fs::read_to_string(sidecar).expect("a sidecar");
    let lines = text.lines().map(|line| {
        let json = line.split_once(' ').expect("a checksum").1;
        serde_json::from_str::<serde_json::Value>(json).expect("JSON")
    });
    lines
        .filter_map(|line| Some(cur.join(line["message"]["file"].as_str()?)))
        .collect()
}

#[test]
fn flags_that_another_program_changed_stay_and_come_along() {
    let old = fresh_user("touched");
    let mut source = Imap::login(shared().imap, &old);
    let mut corpus = Corpus::new(&old, 9);
    corpus.flags = false;
    source.append("INBOX", &corpus.mails(6));
    source.store("INBOX", "1", "+FLAGS", "\\Seen todo");
    let job = backup(&End::imap(shared(), &old), "");
    run(&job).exits(0);
    // As mutt does it: the second gets a flag, the first loses one, the third goes away, and one comes that is the user's own.
    let cur = archive(&job).join("mail/cur");
    let files = stored(&archive(&job).join("sidecar/INBOX.jsonl"), &cur);
    let renamed = |path: &Path, flags: &str| {
        let name = path.to_string_lossy().into_owned();
        let base = name.split(":2,").next().expect("a name");
        std::fs::rename(path, format!("{base}:2,{flags}")).expect("rename");
    };
    renamed(&files[0], "a");
    renamed(&files[1], "FS");
    std::fs::remove_file(&files[2]).expect("remove");
    std::fs::write(cur.join("1.own.host:2,S"), b"Subject: own\n\nmine\n").expect("write");
    source.store("INBOX", "2", "+FLAGS", "\\Answered");
    run(&job).exits(0);
    let back = restored(&job);
    let flags: Vec<String> = back.0["INBOX"]
        .iter()
        .map(|e| e.flags.iter().cloned().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        flags,
        ["todo", "\\Answered \\Flagged \\Seen", "", "", "", "\\Seen"]
    );
}

#[test]
fn pop3_mail_is_backed_up() {
    for kind in FORMATS {
        let old = fresh_user("pop-archive");
        let mails = popped(&Corpus::new(&old, 5).mails(40));
        maildir::fill(shared(), &old, &mails);
        let job = backup(&End::pop3(shared(), &old), &format(kind));
        let done = run(&job).exits(0);
        assert_eq!(done.balance().part("copied"), 40);
        restored(&job)
            .without_empty()
            .without_flags()
            .assert_same(&Snapshot::one("INBOX", &mails).without_flags());
        assert_nothing_left(&job);
    }
}

#[test]
fn python_reads_the_archive() {
    let old = fresh_user("archive-python");
    let mut imap = Imap::login(shared().imap, &old);
    let mails = Corpus::new(&old, 2).mails(12);
    imap.append("INBOX", &mails[..7]);
    imap.create("Work/2024");
    imap.append("Work/2024", &mails[7..]);
    let scripts = [
        "r=mailbox.Maildir(p,create=False);print(len(r),len(r.get_folder('Work.2024')),sorted(m['Message-ID'] or '' for m in r))",
        "r=mailbox.mbox(p+'/INBOX.mbox');print(len(r),len(mailbox.mbox(p+'/Work/2024.mbox')),sorted(m['Message-ID'] or '' for m in r))",
    ];
    let mut told = Vec::new();
    for (kind, script) in FORMATS.iter().zip(scripts) {
        let job = backup(&End::imap(shared(), &old), &format(kind));
        run(&job).exits(0);
        let out = Command::new("python3")
            .args(["-c", &format!("import mailbox,sys;p=sys.argv[1];{script}")])
            .arg(archive(&job).join("mail"))
            .output()
            .expect("python3");
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(
            text.starts_with("7 5 "),
            "{text}{}",
            String::from_utf8_lossy(&out.stderr)
        );
        told.push(text);
    }
    assert_eq!(told[0], told[1]);
}

/// How many files are in `cur` of a folder.
fn files(dir: &Path) -> usize {
    std::fs::read_dir(dir.join("cur")).map_or(0, Iterator::count)
}

#[test]
fn what_has_gone_is_taken_out_if_the_job_says_so() {
    let old = fresh_user("vanish");
    let mut source = Imap::login(shared().imap, &old);
    let mails = Corpus::new(&old, 30).mails(30);
    for rule in ["delete", "trash"] {
        source.expunge("INBOX", "1:*");
        source.append("INBOX", &mails);
        let more = format!("on-vanish = \"{rule}\"\ngrace-days = 0\n");
        let job = backup(&End::imap(shared(), &old), &more);
        run(&job).exits(0);
        let first = Imap::login(shared().imap, &old).fetch("INBOX")[0].uid;
        source.expunge("INBOX", &format!("{first}:{}", first + 4));
        run(&job).exits(0);
        let mail = archive(&job).join("mail");
        let set_aside = files(&mail.join(".Vanished.INBOX"));
        let want = if rule == "trash" { 5 } else { 0 };
        assert_eq!((files(&mail), set_aside), (25, want), "{rule}");
        let lines = std::fs::read_to_string(archive(&job).join("sidecar/INBOX.jsonl"));
        assert_eq!(lines.expect("a sidecar").matches("{\"gone\"").count(), 5);
        let back = restored(&job);
        assert_eq!(back.0["INBOX"].len(), 25);
        assert_nothing_left(&job);
    }
}

#[test]
fn without_its_journal_nothing_is_doubled() {
    for kind in FORMATS {
        let old = fresh_user("no-journal");
        let mut source = Imap::login(shared().imap, &old);
        let mails = Corpus::new(&old, 20).mails(20);
        source.append("INBOX", &mails);
        // The same once more: three of a kind stay three.
        source.append("INBOX", &mails[..3]);
        for rule in ["message-id", "content", "off"] {
            let top = format!("dedup = \"{rule}\"\n");
            let rest = format!("[archive]\npath = \"box.archive\"\n{}", format(kind));
            let job = Job::backup(&top, &End::imap(shared(), &old), &rest);
            run(&job).exits(0);
            for file in ["journal.db", "journal.db-wal", "journal.db-shm"] {
                let path = archive(&job).join(file);
                if path.exists() {
                    std::fs::remove_file(path).expect("remove");
                }
            }
            run(&job).exits(0).balance().assert_adds_up();
            let want = Snapshot::of(shared().imap, &old);
            let have = restored(&job);
            have.without_empty()
                .assert_same_order(&want.without_empty());
        }
    }
}

#[test]
fn the_sample_jobs_run() {
    let (old, new) = (fresh_user("sample"), fresh_user("sample-new"));
    let mails = Corpus::new(&old, 8).mails(8);
    Imap::login(shared().imap, &old).append("INBOX", &mails);
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("budi.archive");
    let server = |end: &str, user: &str| {
        vec![
            format!("{end}.host=127.0.0.1"),
            format!("{end}.port={}", shared().imap),
            format!("{end}.security=plain"),
            format!("{end}.user={user}"),
        ]
    };
    let run = |sample: &str, mut sets: Vec<String>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mailhaul"));
        // Beside the job its journal stands: the sample is copied.
        let copy = dir.path().join(sample);
        std::fs::copy(root().join("sample-jobs").join(sample), &copy).expect("copy");
        command.arg("run").arg(copy);
        for set in sets.drain(..) {
            command.arg("--set").arg(set);
        }
        let password: &OsStr = crate::support::dovecot::PASSWORD.as_ref();
        spawn_as(
            command,
            &[("MAIL_PASSWORD", password), ("NEW_PASSWORD", password)],
        )
        .wait()
        .exits(0)
    };
    let set = |key: &str| format!("{key}={}", path.display());
    let mut sets = server("source", &old);
    sets.push(set("archive.path"));
    run("06-backup.toml", sets);
    let mut sets = server("destination", &new);
    sets.push(set("source.path"));
    run("07-restore.toml", sets);
    Snapshot::of(shared().imap, &new).assert_same(&Snapshot::one("INBOX", &mails));
}
