//! `mailhaul archive …` on archives that runs made: what is broken is named, what is lost is rebuilt, what is exported is read by others.

use super::backup::{FORMATS, archive, backup, format};
use super::incremental::{listening, taken};
use super::{assert_nothing_left, run};
use crate::support::{Corpus, End, Imap, Job, Mail, Run, Snapshot, fresh_user, mailhaul, shared};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

fn told(command: &str, path: &Path, more: &[&str]) -> Run {
    let mut args = vec!["archive".as_ref(), command.as_ref(), path.as_os_str()];
    args.extend(more.iter().map(std::ffi::OsStr::new));
    mailhaul(&args)
}

/// Two folders, 30 and 10 messages.
fn account(user: &str) -> Vec<Mail> {
    let mut imap = Imap::login(shared().imap, user);
    let mails = Corpus::new(user, 12).mails(40);
    imap.append("INBOX", &mails[..30]);
    imap.create("Work/2024");
    imap.append("Work/2024", &mails[30..]);
    mails
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found.sort();
    found
}

fn messages(archive: &Path) -> Vec<PathBuf> {
    let is_message = |path: &PathBuf| path.parent().is_some_and(|dir| dir.ends_with("cur"));
    let all = files(&archive.join("mail"));
    all.into_iter().filter(is_message).collect()
}

fn lose_the_journal(archive: &Path) {
    for name in ["journal.db", "journal.db-wal", "journal.db-shm"] {
        let path = archive.join(name);
        if path.exists() {
            std::fs::remove_file(path).expect("remove");
        }
    }
}

#[test]
fn twenty_flipped_bytes_are_twenty_names_and_nothing_else() {
    let old = fresh_user("rot");
    account(&old);
    let job = backup(&End::imap(shared(), &old), "");
    run(&job).exits(0);
    let archive = archive(&job);
    let clean = told("check", &archive, &[]).exits(0);
    assert!(
        clean.stdout.contains("40 messages in 2 folders"),
        "{}",
        clean.stdout
    );
    let mut names = BTreeSet::new();
    for path in messages(&archive).iter().step_by(2) {
        let mut bytes = std::fs::read(path).expect("read");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x20;
        std::fs::write(path, bytes).expect("write");
        let name = path.strip_prefix(&archive).expect("inside");
        names.insert(name.to_str().expect("UTF-8").to_owned());
    }
    assert_eq!(names.len(), 20);
    let checked = told("check", &archive, &["--json"]).exits(4);
    let lines: Vec<serde_json::Value> = checked
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let (sum, findings) = lines.split_last().expect("lines");
    assert_eq!(
        (&sum["type"], &sum["findings"]),
        (&"archive-checked".into(), &20.into())
    );
    assert!(
        findings
            .iter()
            .all(|f| f["type"] == "archive-finding" && f["wrong"] == "changed")
    );
    let found = findings
        .iter()
        .map(|f| f["path"].as_str().expect("a path").to_owned());
    assert_eq!(found.collect::<BTreeSet<_>>(), names);
    assert_eq!(findings.len(), 20);
}

#[test]
fn a_backup_goes_on_after_its_journal_was_lost() {
    for kind in FORMATS {
        let old = fresh_user("rebuilt");
        account(&old);
        let (proxy, lines) = listening(shared().imap);
        let end = End::at("imap", "127.0.0.1", proxy.port, &old).line("security = \"plain\"");
        let job = backup(&end, &format(kind));
        run(&job).exits(0);
        let archive = archive(&job);
        let before = files(&archive.join("mail"));
        lose_the_journal(&archive);
        let rebuilt = told("rebuild", &archive, &[]).exits(0);
        assert!(
            rebuilt.stdout.contains("40 messages in 2 folders"),
            "{}",
            rebuilt.stdout
        );
        told("check", &archive, &[]).exits(0);
        assert!(
            taken(&lines)
                .iter()
                .any(|line| line.contains("BODY.PEEK[]"))
        );
        assert_nothing_left(&job);
        let asked = taken(&lines);
        assert!(
            !asked.iter().any(|line| line.contains("BODY.PEEK[]")),
            "{asked:?}"
        );
        assert_eq!(files(&archive.join("mail")), before);
        assert_nothing_left(&job);

        let mut source = Imap::login(shared().imap, &old);
        source.append("INBOX", &Corpus::new(&old, 99).mails(1));
        assert_eq!(run(&job).exits(0).balance().part("copied"), 1);
        told("check", &archive, &[]).exits(0);
    }
}

#[test]
fn a_job_with_an_archive_adopts_its_destination_after_a_rebuild() {
    let (old, new) = (fresh_user("adopts"), fresh_user("adopted"));
    account(&old);
    let (proxy, lines) = listening(shared().imap);
    let from = End::at("imap", "127.0.0.1", proxy.port, &old).line("security = \"plain\"");
    let to = End::imap(shared(), &new);
    let job = Job::new("", &from, &to, crate::support::job::ARCHIVE);
    run(&job).exits(0);
    let before = Snapshot::of(shared().imap, &new);
    let archive = archive(&job);
    let kept = files(&archive.join("mail"));
    // Once with the old journal in its place, damaged; once without.
    std::fs::write(archive.join("journal.db"), b"no database").expect("write");
    let refused = run(&job);
    assert!(
        refused.stderr.contains("archive rebuild"),
        "{}",
        refused.stderr
    );
    let rebuilt = told("rebuild", &job.path(), &[]).exits(0);
    assert!(
        rebuilt.stdout.contains("journal.db.before-rebuild-1"),
        "{}",
        rebuilt.stdout
    );
    let old_one = std::fs::read(archive.join("journal.db.before-rebuild-1")).expect("read");
    assert_eq!(old_one, b"no database");
    for _ in 0..2 {
        taken(&lines);
        let again = run(&job).exits(0);
        assert_eq!(again.balance().part("copied"), 0, "{}", again.stdout);
        assert_eq!(again.balance().part("already there"), 40);
        again.balance().assert_adds_up();
        let asked = taken(&lines);
        assert!(
            !asked.iter().any(|line| line.contains("BODY.PEEK[]")),
            "{asked:?}"
        );
        assert_eq!(files(&archive.join("mail")), kept);
        lose_the_journal(&archive);
        told("rebuild", &job.path(), &[]).exits(0);
    }
    Snapshot::of(shared().imap, &new).assert_same(&before);
    told("check", &job.path(), &[]).exits(0);
}

#[test]
fn a_spoilt_message_comes_back_from_its_source() {
    let old = fresh_user("spoilt");
    account(&old);
    let from = End::imap(shared(), &old);
    let to = End::imap(shared(), &fresh_user("spoilt-new"));
    let jobs = [
        backup(&from, ""),
        Job::new("", &from, &to, crate::support::job::ARCHIVE),
    ];
    for job in jobs {
        run(&job).exits(0);
        let archive = archive(&job);
        let files = messages(&archive);
        std::fs::write(&files[7], b"spoilt").expect("write");
        told("check", &archive, &[]).exits(4);
        std::fs::rename(&files[7], job.dir().join("moved-away")).expect("rename");
        let rebuilt = told("rebuild", &archive, &[]).exits(4);
        assert!(
            rebuilt.stdout.contains("39 messages in 2 folders"),
            "{}",
            rebuilt.stdout
        );
        let again = run(&job).exits(0);
        again.balance().assert_adds_up();
        assert_eq!(messages(&archive).len(), 40);
        told("check", &archive, &[]).exits(0);
        assert_nothing_left(&job);
    }
}

#[test]
fn a_message_shown_raw_is_the_one_that_was_stored() {
    for kind in FORMATS {
        let old = fresh_user("raw");
        let mails = account(&old);
        let job = backup(&End::imap(shared(), &old), &format(kind));
        run(&job).exits(0);
        let listed = told("list", &archive(&job), &["--folder", "Work/2024", "--json"]).exits(0);
        let numbers = listed.stdout.lines().map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
            line["number"].to_string()
        });
        let numbers: Vec<String> = numbers.collect();
        assert_eq!(numbers.len(), 10);
        for (number, mail) in numbers.iter().zip(&mails[30..]) {
            let out = Command::new(env!("CARGO_BIN_EXE_mailhaul"))
                .args(["archive", "show", "--raw"])
                .arg(archive(&job))
                .args(["Work/2024", number])
                .env_clear()
                .output()
                .expect("mailhaul");
            assert_eq!(out.status.code(), Some(0));
            assert_eq!(out.stdout, mail.bytes);
        }
    }
}

#[test]
fn a_bare_name_is_a_file_in_the_working_directory() {
    let old = fresh_user("bare");
    account(&old);
    let job = backup(&End::imap(shared(), &old), "");
    run(&job).exits(0);
    let out = Command::new(env!("CARGO_BIN_EXE_mailhaul"))
        .args([
            "archive",
            "export",
            "box.archive",
            "--format",
            "mbox",
            "--to",
            "all.mbox",
        ])
        .current_dir(job.dir())
        .env_clear()
        .output()
        .expect("mailhaul");
    assert_eq!(
        out.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let found = python("print(len(mailbox.mbox(p)))", &job.dir().join("all.mbox"));
    assert_eq!(found, "40\n");
}

/// What Python finds in an export: how many messages, and their Message-IDs.
fn python(script: &str, path: &Path) -> String {
    let out = Command::new("python3")
        .args([
            "-c",
            &format!("import mailbox,sys,glob,email;p=sys.argv[1];{script}"),
        ])
        .arg(path)
        .output()
        .expect("python3");
    let errors = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success(), "{errors}");
    String::from_utf8(out.stdout).expect("UTF-8")
}

#[test]
fn exports_are_read_by_python() {
    let old = fresh_user("exports");
    account(&old);
    let ids = "print(len(r),sorted(str(m['Message-ID']).strip() for m in r))";
    let scripts = [
        ("mbox", "all.mbox", format!("r=list(mailbox.mbox(p));{ids}")),
        (
            "maildir",
            "tree",
            format!(
                "t=mailbox.Maildir(p,create=False);r=list(t)+list(t.get_folder('Work.2024'));{ids}"
            ),
        ),
        (
            "eml",
            "files",
            format!(
                "r=[email.message_from_binary_file(open(f,'rb')) for f in glob.glob(p+'/**/*.eml',recursive=True)];{ids}"
            ),
        ),
    ];
    let mut told_by_python = Vec::new();
    for kind in FORMATS {
        let job = backup(&End::imap(shared(), &old), &format(kind));
        run(&job).exits(0);
        for (shape, name, script) in &scripts {
            let to = job.dir().join(name);
            let to_text = to.to_string_lossy();
            let args = ["--format", shape, "--to", &to_text];
            let out = told("export", &archive(&job), &args).exits(0);
            assert!(
                out.stdout.starts_with("40 messages of 2 folders"),
                "{}",
                out.stdout
            );
            let again = told("export", &archive(&job), &args).exits(2);
            assert!(
                again.stderr.contains("nothing is overwritten"),
                "{}",
                again.stderr
            );
            told_by_python.push(python(script, &to));
        }
    }
    assert!(
        told_by_python[0].starts_with("40 ["),
        "{}",
        told_by_python[0]
    );
    assert!(
        told_by_python.iter().all(|one| *one == told_by_python[0]),
        "{told_by_python:#?}"
    );
}
