//! `plan`, `run` and `status` on a real Dovecot, as a person meets them.

use crate::support::job::{ARCHIVE, Security};
use crate::support::normal::normal;
use crate::support::{Corpus, Dovecot, End, Imap, Job, Mail, Run, maildir, mailhaul, shared};
use regex::Regex;

/// What was said and how it ended; ports, paths, times and rates are words, and lines that only slow machines see are gone.
fn shown(job: &Job, args: &[&str], run: &Run) -> String {
    let code = run.code.map_or("by a signal".to_owned(), |c| c.to_string());
    let text = format!(
        "$ mailhaul {} job.toml\n--- exit {code}\n--- stdout\n{}--- stderr\n{}",
        args.join(" "),
        run.stdout,
        run.stderr
    );
    let mut text = normal(&text, job.dir());
    for (pattern, word) in [
        (
            r#""(seconds|high_water|started|ended|bytes_per_second)":\d[\d.]*"#,
            r#""$1":0"#,
        ),
        (r"\{\x22type\x22:\x22progress\x22.*\n", ""),
        (r"[\d.]+ [KM]i?B in ", "SIZE in "),
        (r"\bprocess \d+", "process PID"),
        (r"in \d+(\.\d+)? (s|min)\b( \d+ s)?", "in DURATION"),
        (r"waiting \d+(\.\d+)? s", "waiting DURATION"),
        (r"(?m)^\d+(\.\d+)? s job: .*\n", ""),
        (r"(?m)^job: waiting .*\n", ""),
        (r" \([\d.]+ [KMG]?i?B/s\)| \(RATE\)", ""),
        (r"[0-9a-f]{64}", "FINGERPRINT"),
        (r"error:[0-9A-F]{8}:[^()]*", "SSL "),
    ] {
        let regex = Regex::new(pattern).expect("a pattern");
        text = regex.replace_all(&text, word).into_owned();
    }
    text
}

pub(super) fn tell(job: &Job, args: &[&str]) -> String {
    let path = job.path();
    let path = path.to_string_lossy();
    let mut all = args.to_vec();
    all.push(&path);
    shown(job, args, &mailhaul(&all))
}

pub(super) fn mails(user: &str, count: usize) -> Vec<Mail> {
    Corpus::new(user, 77).mails(count)
}

/// Two folders with mail, one without.
pub(super) fn account(server: &Dovecot, user: &str) {
    let mut imap = Imap::login(server.imap, user);
    let mails = mails(user, 15);
    imap.append("INBOX", &mails[..9]);
    imap.create("Work/2019");
    imap.append("Work/2019", &mails[9..]);
    imap.create("Empty");
}

pub(super) fn imap_job(user: &str, rest: &str) -> Job {
    let server = shared();
    let new = format!("{user}-new");
    Job::new("", &End::imap(server, user), &End::imap(server, &new), rest)
}

#[test]
fn the_life_of_a_job() {
    account(shared(), "live");
    let job = imap_job("live", "");
    insta::assert_snapshot!("live-status-before", tell(&job, &["status"]));
    insta::assert_snapshot!("live-plan", tell(&job, &["plan"]));
    insta::assert_snapshot!("live-run", tell(&job, &["run"]));
    insta::assert_snapshot!("live-plan-after", tell(&job, &["plan"]));
    insta::assert_snapshot!("live-run-again", tell(&job, &["run"]));
    insta::assert_snapshot!("live-run-quiet", tell(&job, &["run", "--quiet"]));
    insta::assert_snapshot!("live-status", tell(&job, &["status"]));
    insta::assert_snapshot!("live-status-failed", tell(&job, &["status", "--failed"]));
}

#[test]
fn the_life_of_a_job_in_json() {
    // One folder: several are worked on side by side, and their lines mix.
    Imap::login(shared().imap, "live-json").append("INBOX", &mails("live-json", 8));
    let job = imap_job("live-json", "");
    for (name, command) in [
        ("plan", "plan"),
        ("run", "run"),
        ("run-again", "run"),
        ("status", "status"),
    ] {
        insta::assert_snapshot!(format!("json-{name}"), tell(&job, &[command, "--json"]));
    }
}

#[test]
fn wrong_passwords_and_wrong_servers() {
    let server = shared();
    let wrong = "{ command = \"echo wrong\" }";
    for protocol in ["imap", "pop3"] {
        let source = End::on(server, protocol, "nobody", Security::Plain).password(wrong);
        let job = Job::new("", &source, &End::imap(server, "nobody-new"), "");
        insta::assert_snapshot!(format!("refused-{protocol}"), tell(&job, &["run"]));
    }
    let end = End::imap(server, "nobody-new").password(wrong);
    let job = Job::new("", &End::imap(server, "nobody"), &end, "");
    insta::assert_snapshot!("refused-destination", tell(&job, &["run"]));
    insta::assert_snapshot!("refused-destination-json", tell(&job, &["plan", "--json"]));
}

#[test]
fn nothing_listens() {
    let server = shared();
    let plain = "security = \"plain\"";
    let nowhere = || End::at("imap", "127.0.0.1", 9, "nobody").line(plain);
    let job = Job::new("", &End::imap(server, "nobody"), &nowhere(), "");
    insta::assert_snapshot!("nothing-listens-destination", tell(&job, &["run"]));
    let job = Job::new("", &nowhere(), &End::imap(server, "nobody"), "");
    insta::assert_snapshot!("nothing-listens-source", tell(&job, &["run"]));
    let pop = End::at("imap", "127.0.0.1", server.pop3, "nobody").line(plain);
    let job = Job::new("", &pop, &End::imap(server, "other"), "");
    insta::assert_snapshot!("another-protocol", tell(&job, &["plan"]));
}

#[test]
fn certificates_that_are_not_to_be_trusted() {
    let server = shared();
    let to = || End::imap(server, "nobody");
    let at = |host| End::at("imap", host, server.imaps, "other").line("security = \"tls\"");
    let unknown = Job::new("", &at("localhost"), &to(), "");
    let hide = |text: String| {
        let regex = Regex::new(r"\(tried [^)]*\)").expect("a pattern");
        regex.replace_all(&text, "(tried ADDRESSES)").into_owned()
    };
    insta::assert_snapshot!("unknown-authority", hide(tell(&unknown, &["run"])));
    let ca = format!("ca-file = {:?}", server.ca());
    // The same machine under a name that is not in the certificate.
    let name = Job::new("", &at("127.1").line(&ca), &to(), "");
    insta::assert_snapshot!("wrong-host-name", hide(tell(&name, &["plan"])));
}

#[test]
fn archives_in_use_and_of_others() {
    let server = shared();
    Imap::login(server.imap, "own").append("INBOX", &mails("own", 3));
    let job = imap_job("own", ARCHIVE);
    mailhaul(&["run".as_ref(), job.path().as_os_str()]).exits(0);
    let held = std::fs::File::open(job.dir().join("box.archive/lock")).expect("the lock");
    held.lock().expect("nobody else holds it");
    insta::assert_snapshot!("locked", tell(&job, &["run"]));
    drop(held);
    let (other, new) = (End::imap(server, "other"), End::imap(server, "own-new"));
    job.rewrite("", &other, &new, ARCHIVE);
    for command in ["run", "status"] {
        insta::assert_snapshot!(format!("foreign-{command}"), tell(&job, &[command]));
    }
    let twice = Job::new("", &End::imap(server, "own"), &End::imap(server, "own"), "");
    insta::assert_snapshot!("same-mailbox", tell(&twice, &["run"]));
    let hidden = End::on(server, "imap", "own", Security::Starttls);
    let twice = Job::new("", &End::imap(server, "own"), &hidden, "");
    insta::assert_snapshot!("same-mailbox-other-name", tell(&twice, &["run"]));
}

#[test]
fn a_destination_without_room() {
    let full = Dovecot::start(&["quota=20K"]);
    Imap::login(shared().imap, "much").append("INBOX", &mails("much", 40));
    let source = End::imap(shared(), "much");
    let job = Job::new("", &source, &End::imap(&full, "little"), "");
    let run = mailhaul(&["run".as_ref(), job.path().as_os_str()]).exits(13);
    assert!(run.stderr.contains("error[full]"), "{}", run.stderr);
    run.balance();
    let again = mailhaul(&["run".as_ref(), job.path().as_os_str()]).exits(13);
    let there = Imap::login(full.imap, "little").count("INBOX") as u64;
    assert!(
        again.balance().part("already there") <= there,
        "{}",
        again.stdout
    );
}

#[test]
fn messages_that_do_not_arrive_as_they_were() {
    let server = shared();
    let mut odd = mails("odd", 3);
    odd[0].bytes =
        b"Message-ID: <nul@example.org>\r\nSubject: a nul\r\n\r\none \0 byte\r\n".to_vec();
    odd[1].bytes = Vec::new();
    maildir::fill(server, "odd", &odd);
    let job = Job::new(
        "",
        &End::pop3(server, "odd"),
        &End::imap(server, "odd-new"),
        ARCHIVE,
    );
    insta::assert_snapshot!("altered", tell(&job, &["run", "--strict"]));
    insta::assert_snapshot!("altered-status", tell(&job, &["status"]));
    insta::assert_snapshot!("altered-failed", tell(&job, &["status", "--failed"]));
    insta::assert_snapshot!(
        "altered-failed-json",
        tell(&job, &["status", "--failed", "--json"])
    );
}

#[test]
fn strict_with_nothing_but_altered_mail() {
    let server = shared();
    let mut odd = mails("strict", 1);
    odd[0].bytes =
        b"Message-ID: <nul@example.org>\r\nSubject: a nul\r\n\r\none \0 byte\r\n".to_vec();
    maildir::fill(server, "strict", &odd);
    let to = End::imap(server, "strict-new");
    let job = Job::new("", &End::pop3(server, "strict"), &to, ARCHIVE);
    insta::assert_snapshot!("strict", tell(&job, &["run", "--strict"]));
}

#[test]
fn a_folder_that_cannot_be_made() {
    let server = shared();
    account(server, "long");
    let name = "n".repeat(400);
    let map = format!("[folders]\nmap = [[\"Work/2019\", \"{name}\"]]\n");
    let job = imap_job("long", &map);
    insta::assert_snapshot!("folder-refused", tell(&job, &["run"]));
    insta::assert_snapshot!("folder-refused-again", tell(&job, &["run"]));
}
