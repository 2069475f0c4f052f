//! `mailhaul check`: what it tells of real servers, and that it changes nothing.

use crate::support::job::Security;
use crate::support::{Corpus, Dovecot, End, Imap, Job, Run, Snapshot, fresh_user, mailhaul};

fn check(job: &Job, more: &[&str]) -> Run {
    let path = job.path();
    mailhaul(&[&["check"], more, &[&path.to_string_lossy()]].concat())
}

#[test]
fn both_ends_are_described_and_left_as_they_were() {
    let server = Dovecot::start(&["quota=2M"]);
    let user = fresh_user("checked");
    Imap::login(server.imap, &user).append("INBOX", &Corpus::new(&user, 3).mails(7));
    let before = Snapshot::of(server.imap, &user);
    let source = End::on(&server, "imap", &user, Security::Tls);
    let to = End::on(&server, "imap", &format!("{user}-new"), Security::Starttls);
    let job = Job::new("", &source, &to, "");
    let said = check(&job, &[]).exits(0).stdout;
    for part in [
        &format!("source imap://{user}@localhost"),
        "SHA-256 ",
        &format!("as {user} by SCRAM-SHA-256"),
        "with 7 messages",
        "take many messages in one command",
        "of 2.0 MiB used",
        "days left; from CN=mailhaul test CA",
        "Dovecot, recognised by its",
        "'/' between folders",
        "for all 7 messages",
    ] {
        assert!(said.contains(part), "{part} is not in:\n{said}");
    }
    Snapshot::of(server.imap, &user).assert_same(&before);
    assert!(
        !job.dir().join("job.state").exists(),
        "something was written"
    );
}

#[test]
fn pop3_and_what_fails_are_told_and_the_other_end_still_looked_at() {
    let server = crate::support::shared();
    let user = fresh_user("checked-pop3");
    Imap::login(server.imap, &user).append("INBOX", &Corpus::new(&user, 3).mails(4));
    let source = End::pop3(server, &user);
    let to = End::imap(server, &user).password("{ command = \"echo wrong\" }");
    let to = to.line("mechanism = \"plain\"");
    let job = Job::new("", &source, &to, "[folders]\nmap = [[\"INBOX\", \"Old\"]]");
    let run = check(&job, &["--json"]).exits(11);
    let lines: Vec<serde_json::Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .filter(|line: &serde_json::Value| line["type"] == "survey")
        .collect();
    assert_eq!(lines.len(), 2, "{}", run.stdout);
    let folders = lines[0]["facts"]["folders"].as_str().unwrap_or_default();
    assert!(folders.contains("4 messages"), "{}", lines[0]);
    assert_eq!(lines[1]["error"]["code"], "auth", "{}", lines[1]);
}

#[test]
fn a_habit_named_by_the_preset_is_heeded() {
    let server = crate::support::shared();
    let (user, to) = (fresh_user("habit"), fresh_user("habit-new"));
    let mut imap = Imap::login(server.imap, &user);
    imap.append("INBOX", &Corpus::new(&user, 3).mails(1));
    imap.store("INBOX", "1", "+FLAGS", "with:colon $Plain");
    let source = End::imap(server, &user);
    let destination = End::imap(server, &to).line("preset = \"zimbra\"");
    let job = Job::new("", &source, &destination, "");
    mailhaul(&["run".as_ref(), job.path().as_os_str()]).exits(0);
    let mail = Imap::login(server.imap, &to).fetch("INBOX");
    let flags = format!("{:?}", mail[0].flags);
    assert!(
        flags.contains("$Plain") && !flags.contains("with:colon"),
        "{flags}"
    );
}

#[test]
fn a_source_of_files_is_opened_and_listed_as_plan_does_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("mail.mbox");
    let mail = "From a@b.example Tue Jan  2 03:04:05 2024\nSubject: one\n\nbody\n";
    std::fs::write(&file, mail).expect("an mbox");
    let of = |path: &std::path::Path| {
        let to = End::files("maildir", &dir.path().join("to"));
        Job::new("", &End::files("mbox", path), &to, "")
    };
    let said = check(&of(&file), &[]).exits(0).stdout;
    assert!(said.contains("1 with 1 messages"), "{said}");
    let lost = of(&dir.path().join("lost.mbox"));
    let plan = mailhaul(&["plan".as_ref(), lost.path().as_os_str()]);
    let run = check(&lost, &[]);
    assert!(plan.code != Some(0) && run.code == plan.code, "{run:?}");
    let said = run.stdout;
    let error = plan.stderr.lines().next().unwrap_or_default();
    let words = error.splitn(3, ": ").nth(2).unwrap_or_default();
    assert!(!words.is_empty() && said.contains(words), "{said}\n{error}");
}
