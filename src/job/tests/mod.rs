//! Whole jobs, right and wrong.

mod accounts;
mod files;

use super::*;
use crate::auth::{Proof, SecretRef};
use crate::message::Folder;
use crate::net::{Security, Trust};
use std::time::Duration;

const SOURCE: &str = "[source]\nprotocol = \"pop3\"\nhost = \"pop.old.example\"\nuser = \"budi\"\npassword = { env = \"OLD\" }\n";
const IMAP_SOURCE: &str = "[source]\nprotocol = \"imap\"\nhost = \"imap.old.example\"\nuser = \"budi\"\npassword = { env = \"OLD\" }\n";
const DESTINATION: &str = "[destination]\nprotocol = \"imap\"\nhost = \"imap.new.example\"\nuser = \"new\"\npassword = { env = \"NEW\" }\n";

/// Loads a job of that text from a directory of its own, with a CSV beside it.
fn load_with(text: &str, csv: &str, set: &[(&str, &str)]) -> Result<Job, Vec<String>> {
    let dir = tempfile::tempdir().unwrap();
    put(&dir.path().join("job.toml"), text);
    put(&dir.path().join("users.csv"), csv);
    let pairs = set.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    let overrides: Vec<_> = pairs.collect();
    let prefix = format!("{}/", dir.path().display());
    let loaded = Job::load(&dir.path().join("job.toml"), &overrides);
    loaded.map_err(|errors| {
        let texts = errors.iter().map(|e| e.to_string().replace(&prefix, ""));
        texts.collect()
    })
}

fn put(path: &Path, text: &str) {
    use std::io::Write;
    let mut file = std::fs::File::create(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn load_text(text: &str) -> Result<Job, Vec<String>> {
    load_with(text, "", &[])
}

/// A job with additions to the top, the source and the end.
fn job(top: &str, source: &str, rest: &str) -> String {
    format!("version = 1\n{top}\n{SOURCE}{source}\n{DESTINATION}{rest}\n")
}

fn imap_job(source: &str, rest: &str) -> String {
    format!("version = 1\n{IMAP_SOURCE}{source}\n{DESTINATION}{rest}\n")
}

fn only_error(text: &str) -> String {
    let errors = load_text(text).unwrap_err();
    assert_eq!(errors.len(), 1, "{errors:#?}");
    errors[0].clone()
}

#[test]
fn defaults() {
    let job = load_text(&job("", "", "")).unwrap();
    assert_eq!((job.budget, job.parallel_accounts), (16 << 20, 4));
    assert!(job.warnings.is_empty(), "{:?}", job.warnings);
    let account = &job.accounts[0];
    assert_eq!(account.name, "job");
    assert!(!account.archive.keep_mail);
    assert!(account.archive.path.is_absolute() && account.archive.path.ends_with("job.state"));
    let (source, destination) = (&account.sources[0], &account.destinations[0]);
    assert_eq!(source.store.server().unwrap().endpoint.port, 995);
    assert_eq!(source.store.server().unwrap().connections, 1);
    assert_eq!(source.after, After::Keep);
    assert_eq!(destination.store.server().unwrap().endpoint.port, 993);
    assert_eq!(destination.store.server().unwrap().connections, 4);
    assert_eq!(
        destination.store.server().unwrap().endpoint.timeout,
        Duration::from_secs(300)
    );
    assert_eq!(
        destination.store.server().unwrap().endpoint.trust,
        Trust::System
    );
    assert!(destination.keep_order && account.folders.special_use && account.folders.subscribe);
}

#[test]
fn values_arrive() {
    let pin = "AB:".repeat(31) + "cd";
    let source = format!(
        "security = \"starttls\"\ntimeout = \"90s\"\npin-sha256 = \"{pin}\"\nseen = true\nafter = \"delete\""
    );
    let rest = "order = \"any\"\n[archive]\npath = \"./a.archive\"\nlayout = \"fs\"\n[filter]\nsince = 2015-01-01\nmax-size = \"1 kB\"\n[folders]\nmap = [[\"a(.*)\", \"b$1\"]]";
    let job = load_text(&job(
        "budget = 2000000\ndedup = \"off\"\nverify = \"all\"",
        &source,
        rest,
    ))
    .unwrap();
    assert_eq!(job.budget, 2_000_000);
    let account = &job.accounts[0];
    assert_eq!((account.dedup, account.verify), (Dedup::Off, Verify::All));
    let source = &account.sources[0];
    assert_eq!(
        source.store.server().unwrap().endpoint.security,
        Security::StartTls
    );
    assert_eq!(source.store.server().unwrap().endpoint.port, 110);
    assert_eq!(
        source.store.server().unwrap().endpoint.timeout,
        Duration::from_secs(90)
    );
    let mut digest = [0xab; 32];
    digest[31] = 0xcd;
    assert_eq!(
        source.store.server().unwrap().endpoint.trust,
        Trust::Pin(digest)
    );
    assert!(source.seen && source.after == After::Delete);
    assert_eq!(account.archive.layout, Layout::Fs);
    assert!(account.archive.keep_mail && account.archive.path.ends_with("a.archive"));
    assert!(!account.archive.path.to_string_lossy().contains("/./"));
    assert_eq!(account.filter.since, Some(1_420_070_400));
    assert_eq!(account.filter.max_size, Some(1000));
    assert_eq!(account.folders.map[0].0.as_str(), "^(?:a(.*))$");
    assert!(!account.destinations[0].keep_order);
}

#[test]
fn after_of_an_imap_source() {
    let after = |text: &str| {
        load_text(&imap_job(text, "")).unwrap().accounts[0].sources[0]
            .after
            .clone()
    };
    assert_eq!(after("after = \"mark-read\""), After::MarkRead);
    assert_eq!(
        after("after = { delete-after-days = 30 }"),
        After::DeleteAfterDays(30)
    );
    let moved = After::MoveTo(Folder::parse("Old/Mail").unwrap());
    assert_eq!(after("after = { move-to = \"Old/Mail\" }"), moved);
    let error = only_error(&imap_job("after = \"move-to\"", ""));
    assert!(
        error.contains("try: after = { move-to = \"Archive\" }"),
        "{error}"
    );
    assert!(
        only_error(&imap_job("after = { move-to = \"a//b\" }", "")).contains("name of a folder")
    );
}

#[test]
fn what_means_nothing_for_the_protocol_is_refused() {
    for key in [
        "after = \"mark-read\"",
        "deleted = \"copy\"",
        "shared = true",
    ] {
        let error = only_error(&job("", key, ""));
        assert!(error.contains("for IMAP sources only"), "{error}");
    }
    assert!(only_error(&imap_job("seen = true", "")).contains("for POP3 sources only"));
}

#[test]
fn a_preset_gives_host_and_limits() {
    let gmail = IMAP_SOURCE.replace("host = \"imap.old.example\"", "preset = \"gmail\"");
    let text = |more: &str| format!("version = 1\n{gmail}{more}\n{DESTINATION}");
    let job = load_text(&text("connections = 15")).unwrap();
    let server = &job.accounts[0].sources[0].store.server().unwrap();
    assert_eq!(
        (server.endpoint.host.as_str(), server.endpoint.port),
        ("imap.gmail.com", 993)
    );
    let error = only_error(&text("connections = 16"));
    assert!(error.contains("from 1 to 15, found 16"), "{error}");
}

#[test]
fn plain_is_warned_about_unless_loopback() {
    let plain = job("", "security = \"plain\"", "");
    let warnings = load_text(&plain).unwrap().warnings;
    assert!(warnings[0].contains("pop.old.example"), "{warnings:?}");
    let here = load_with(&plain, "", &[("source.host", "127.0.0.1")]).unwrap();
    assert!(here.warnings.is_empty(), "{:?}", here.warnings);
}

#[test]
fn a_provider_is_recognised_and_generic_assumes_nothing() {
    let source = |more: &str| {
        let host = IMAP_SOURCE.replace("imap.old.example", "IMAP.gmail.com");
        let job = load_text(&format!("version = 1\n{host}{more}\n{DESTINATION}")).unwrap();
        job.accounts[0].sources[0].store.clone()
    };
    let notes = source("").notes();
    assert!(notes[0].contains("taken for Gmail"), "{notes:?}");
    assert!(source("").folders_ignore_case());
    assert!(!source("preset = \"generic\"").folders_ignore_case());
    let error = only_error(&imap_job("preset = \"gmial\"", ""));
    assert!(error.contains("did you mean \"gmail\"?"), "{error}");
}

const OAUTH2: &str =
    "{ oauth2 = { provider = \"microsoft\", client-id = \"c\", tenant = \"x.example\" } }";

#[test]
fn tokens_by_reference() {
    let with = |way: &str| imap_job("", "").replace("{ env = \"OLD\" }", way);
    let job = load_text(&with(OAUTH2)).unwrap();
    let server = job.accounts[0].sources[0].store.server().unwrap();
    let Proof::Token(token) = &server.password else {
        panic!("{server:?}");
    };
    assert!(token.endpoints.token_url.contains("/x.example/oauth2"));
    assert!(token.tokens.parent().unwrap().ends_with("job.tokens"));
    for (wrong, words) in [
        ("client-id = \"c\"", "expected the id of the client"),
        ("x.example", "expected the directory's domain"),
        (
            "provider = \"microsoft\", ",
            "an authorization server, found nothing",
        ),
    ] {
        let replaced = if wrong == "x.example" { "a/b" } else { "" };
        let text = with(&OAUTH2.replace(wrong, replaced).replace(", , ", ", "));
        let errors = load_text(&text).unwrap_err();
        assert!(errors.iter().any(|e| e.contains(words)), "{errors:?}");
    }
    let plain = OAUTH2.replace(
        "tenant = \"x.example\"",
        "token-url = \"http://a.example/t\"",
    );
    assert!(only_error(&with(&plain)).contains("begins with https://"));
    let master = with(OAUTH2).replace("user = \"budi\"", "user = \"budi\"\nmaster-user = \"a\"");
    assert!(only_error(&master).contains("a token names who signs in"));
    let mechanism =
        with(OAUTH2).replace("user = \"budi\"", "user = \"budi\"\nmechanism = \"plain\"");
    assert!(only_error(&mechanism).contains("oauthbearer"));
}

#[test]
fn set_wins_over_the_file_and_is_checked_alike() {
    let set = [
        ("source.port", "1100"),
        ("source.user", "123"),
        ("archive.path", "x"),
    ];
    let loaded = load_with(&job("", "port = 995", ""), "", &set).unwrap();
    let account = &loaded.accounts[0];
    assert_eq!(
        account.sources[0].store.server().unwrap().endpoint.port,
        1100
    );
    assert_eq!(account.sources[0].store.server().unwrap().user, "123");
    assert!(account.archive.path.ends_with("x"));
    let wrong = load_with(
        &job("", "", ""),
        "",
        &[("source.port", "abc"), ("source.prt", "1")],
    );
    let errors = wrong.unwrap_err();
    assert_eq!(
        errors[0],
        "--set source.port: expected a number from 1 to 65535, found \"abc\""
    );
    assert_eq!(
        errors[1],
        "--set source.prt: unknown key\n  try: did you mean `port`?"
    );
}

#[test]
fn a_password_is_nowhere_in_an_error() {
    let secret = "hunter2!";
    let ways = [
        "\"hunter2!\"",
        "{ env = \"hunter2!\" }",
        "{ evn = \"hunter2!\" }",
        "[\"hunter2!\"]",
        "{ prompt = \"hunter2!\" }",
        "{ file = [\"hunter2!\"] }",
        "{ oauth2 = \"hunter2!\" }",
        "\"hunter2!",
        "hunter2!",
    ];
    for way in ways {
        let text = job("", "", "").replace("{ env = \"OLD\" }", way);
        let errors = load_text(&text).unwrap_err();
        assert!(
            errors.iter().all(|e| !e.contains(secret)),
            "{way}: {errors:#?}"
        );
    }
    let set = load_with(&job("", "", ""), "", &[("source.password", secret)]);
    let errors = set.unwrap_err();
    assert!(errors[0].contains("does not stand in a job") && !errors[0].contains(secret));
}

#[test]
fn secrets_by_reference() {
    let secret = |way: &str| {
        let text = job("", "", "").replace("{ env = \"OLD\" }", way);
        let job = load_text(&text).unwrap();
        let server = job.accounts[0].sources[0].store.server().unwrap();
        match &server.password {
            Proof::Password(reference) => reference.clone(),
            Proof::Token(token) => panic!("{token:?}"),
        }
    };
    assert_eq!(
        secret("{ keyring = \"k\" }"),
        SecretRef::Keyring("k".into())
    );
    assert_eq!(secret("{ env = \"A_1\" }"), SecretRef::Env("A_1".into()));
    assert_eq!(secret("{ prompt = true }"), SecretRef::Prompt);
    assert!(
        matches!(secret("{ file = \"p.txt\" }"), SecretRef::File(p) if p.is_absolute() && p.ends_with("p.txt"))
    );
    assert!(
        matches!(secret("{ command = \"x y\" }"), SecretRef::Command { command, dir, .. } if command == "x y" && dir.is_absolute())
    );
}

#[test]
fn the_same_mailbox_is_refused() {
    let one = |source: &str, destination: &str| {
        let text = format!(
            "version = 1\n[source]\nprotocol = \"pop3\"\n{source}\npassword = {{ env = \"A\" }}\n[destination]\nprotocol = \"imap\"\n{destination}\npassword = {{ env = \"B\" }}\n"
        );
        load_text(&text)
    };
    let refused = [
        (
            "host = \"mail.x.org\"\nuser = \"Budi\"",
            "host = \"MAIL.x.org.\"\nuser = \"budi\"",
        ),
        (
            "preset = \"gmail\"\nuser = \"recent:budi@gmail.com\"",
            "preset = \"gmail\"\nuser = \"budi\"",
        ),
        (
            "host = \"::1\"\nuser = \"b\"\nport = 9",
            "host = \"::1\"\nuser = \"b\"\nport = 9",
        ),
    ];
    for (source, destination) in refused {
        let errors = one(source, destination).unwrap_err();
        assert!(
            errors[0].contains("may not be the same mailbox"),
            "{errors:?}"
        );
    }
    let apart = one(
        "host = \"127.0.0.1\"\nuser = \"b\"",
        "host = \"127.0.0.1\"\nuser = \"b\"",
    );
    assert!(apart.is_ok());
    let near = one(
        "host = \"pop.x.org\"\nuser = \"b\"",
        "host = \"imap.x.org\"\nuser = \"b\"",
    );
    assert!(near.unwrap().warnings[0].contains("may be the same server"));
}

#[test]
fn a_source_twice_is_refused() {
    let text =
        format!("version = 1\n{SOURCE}{SOURCE}{DESTINATION}").replace("[source]", "[[source]]");
    assert!(only_error(&text).contains("the same mailbox is a source twice"));
}

#[test]
fn a_job_that_cannot_be_read_is_told() {
    let errors = Job::load(Path::new("no/such/job.toml"), &[]).unwrap_err();
    assert!(
        errors[0]
            .to_string()
            .starts_with("no/such/job.toml: cannot read the job")
    );
    let error = one_error(&errors);
    assert_eq!(error.kind, crate::error::Kind::Job);
}

#[test]
fn text_that_is_not_utf8_is_told_with_its_line() {
    use std::io::Write;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"version = 1\n# \xe9t\xe9\n").unwrap();
    let errors = Job::load(file.path(), &[]).unwrap_err();
    assert_eq!(errors[0].place, Place::At { line: 2, column: 3 });
}

#[test]
fn a_misspelt_key_is_told_once() {
    let error = only_error(&job("", "", "").replacen("password", "pasword", 1));
    assert!(error.contains("source.pasword: unknown key"), "{error}");
}

#[test]
fn a_job_without_a_destination_is_a_backup() {
    let archive =
        "[archive]\npath = \"a\"\nformat = \"mbox\"\non-vanish = \"trash\"\ngrace-days = 7\n";
    let job = load_text(&format!("version = 1\n{IMAP_SOURCE}{archive}")).unwrap();
    let account = &job.accounts[0];
    assert!(account.destinations[0].store.is_archive());
    assert_eq!(account.archive.format, MailFormat::Mbox);
    assert_eq!(account.archive.on_vanish, OnVanish::Trash);
    assert_eq!(account.archive.grace_days, 7);

    let named = "[destination]\nprotocol = \"archive\"\npath = \"a\"\n";
    let job = load_text(&format!("version = 1\n{IMAP_SOURCE}{named}")).unwrap();
    let account = &job.accounts[0];
    assert!(account.archive.keep_mail && account.archive.path.ends_with("a"));
}

#[test]
fn vanished_mail_is_taken_out_of_backups_alone() {
    let rule = "[archive]\npath = \"a\"\non-vanish = \"delete\"\n";
    let error = only_error(&imap_job("", rule));
    assert!(error.contains("has to be the job's destination"), "{error}");
    let error = only_error(&format!(
        "version = 1\n{IMAP_SOURCE}after = \"delete\"\n{rule}"
    ));
    assert!(error.contains("do not go together"), "{error}");
}

#[test]
fn files_that_would_be_read_and_written_are_refused() {
    let ends = "[source]\nprotocol = \"maildir\"\npath = \"m\"\n[destination]\nprotocol = \"mbox\"\npath = \"m/b\"\n";
    let error = only_error(&format!("version = 1\n{ends}"));
    assert!(error.contains("same mailbox"), "{error}");
}

#[test]
fn a_dialect_is_for_mbox_files_that_are_read() {
    let job = |source: &str, destination: &str| {
        format!(
            "version = 1\n[source]\n{source}\npath = \"a\"\n[destination]\n{destination}\npath = \"b\"\n"
        )
    };
    let (mbox, maildir) = ("protocol = \"mbox\"", "protocol = \"maildir\"");
    let rd = format!("{mbox}\ndialect = \"mboxrd\"");
    let dialect = |text: &str| {
        let account = load_text(&job(text, maildir)).unwrap().accounts.remove(0);
        account.sources[0].store.local().unwrap().dialect
    };
    assert_eq!(dialect(&rd), Some(crate::format::mbox::Dialect::Mboxrd));
    assert_eq!(dialect(&format!("{mbox}\ndialect = \"auto\"")), None);
    assert_eq!(dialect(mbox), None);
    let error = only_error(&job(&format!("{maildir}\ndialect = \"mboxrd\""), mbox));
    assert!(error.contains("is for mbox files"), "{error}");
    let error = only_error(&job(&format!("{mbox}\ndialect = \"mmdf\""), maildir));
    assert!(error.contains("mboxcl2"), "{error}");
    let error = only_error(&job(maildir, "protocol = \"eml\""));
    assert!(error.contains("only read"), "{error}");
}
