//! `mailhaul init`: from addresses to a job that runs.

use crate::support::{Corpus, Dovecot, Imap, fresh_user, mailhaul, shared};
use std::path::Path;

fn init(file: &Path, more: &[&str]) -> crate::support::Run {
    let file = file.to_string_lossy();
    mailhaul(&[&["init", &file], more].concat())
}

#[test]
fn a_job_is_written_that_runs_at_once() {
    let server = shared();
    let (user, to) = (
        fresh_user("init") + "@old.example",
        fresh_user("init-new") + "@new.example",
    );
    Imap::login(server.imap, &user).append("INBOX", &Corpus::new(&user, 3).mails(5));
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("budi.toml");
    let (from_server, to_server) = (
        format!("localhost:{}", server.pop3s),
        format!("localhost:{}", server.imap),
    );
    let ca = server.ca().to_string_lossy().into_owned();
    let flags = [
        "--from",
        &user,
        "--from-protocol",
        "pop3",
        "--from-server",
        &from_server,
        "--from-password-env",
        "TEST_PASSWORD",
        "--to",
        &to,
        "--to-server",
        &to_server,
        "--to-security",
        "starttls",
        "--to-password-env",
        "TEST_PASSWORD",
        "--ca-file",
        &ca,
    ];
    let said = init(&file, &flags).exits(0);
    assert!(
        said.stderr.contains("the inbox with 5 messages"),
        "{said:?}"
    );
    let text = std::fs::read_to_string(&file).expect("a job");
    assert!(
        !text.contains("secret") && text.contains("{ env = \"TEST_PASSWORD\" }"),
        "{text}"
    );
    assert!(!dir.path().join("budi.state").exists());
    mailhaul(&["check".as_ref(), file.as_os_str()]).exits(0);
    let run = mailhaul(&["run".as_ref(), file.as_os_str()]).exits(0);
    assert_eq!(run.balance().part("copied"), 5);
    // What stands there is left alone.
    let again = init(&file, &flags).exits(2);
    assert!(again.stderr.contains("is there already"), "{again:?}");
    assert_eq!(std::fs::read_to_string(&file).expect("a job"), text);
}

#[test]
fn a_refused_sign_in_writes_nothing() {
    let server = shared();
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("budi.toml");
    let at = format!("127.0.0.1:{}", server.imap);
    let user = fresh_user("init-wrong") + "@old.example";
    let flags = [
        "--from",
        &user,
        "--from-server",
        &at,
        "--from-security",
        "plain",
        "--from-password-env",
        "PATH",
        "--to",
        &user,
        "--to-server",
        &at,
    ];
    let refused = init(&file, &flags).exits(10);
    assert!(refused.stderr.contains("error[auth]"), "{refused:?}");
    assert!(!file.exists());
}

#[test]
fn a_provider_without_passwords_gets_a_job_to_be_filled_in() {
    let server = shared();
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("budi.toml");
    // Nothing but this machine is asked: a provider of one's own whose server is here.
    let own = format!(
        "version = 1\n[[provider]]\nname = \"here\"\ntitle = \"Here\"\ndomains = [\"here.example\"]\nsecret = \"oauth2\"\n\
         authorization = \"google\"\nimap = {{ host = \"127.0.0.1\", port = {}, security = \"starttls\" }}\n",
        server.imap
    );
    std::fs::write(dir.path().join("providers.toml"), own).expect("write");
    let flags = ["--from", "budi@here.example", "--to", "ani@here.example"];
    let said = init(&file, &flags).exits(0);
    assert!(said.stderr.contains("takes no password"), "{said:?}");
    let text = std::fs::read_to_string(&file).expect("a job");
    assert!(text.contains("preset = \"here\""), "{text}");
    assert!(text.contains("client-id"), "{text}");
    let nobody = init(&dir.path().join("x.toml"), &[]).exits(2);
    assert!(nobody.stderr.contains("no terminal to ask"), "{nobody:?}");
}

/// Nothing listens at the server that is named: whoever connected would fail.
#[test]
fn without_signing_in_nothing_connects() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("budi.toml");
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    let at = format!("127.0.0.1:{}", port.local_addr().expect("address").port());
    drop(port);
    let flags = [
        "--json",
        "--no-sign-in",
        "--from",
        "budi@old.invalid",
        "--from-server",
        &at,
        "--to",
        "budi@new.invalid",
    ];
    let said = init(&file, &flags).exits(0);
    let line: serde_json::Value = serde_json::from_str(said.stdout.trim()).expect("JSON");
    assert_eq!(line["type"], "written", "{line}");
    assert_eq!(
        line["destination"],
        "imap://budi@new.invalid@imap.new.invalid:993"
    );
    assert_eq!(said.stderr, "");
    let text = std::fs::read_to_string(&file).expect("a job");
    assert!(text.contains("host = \"imap.new.invalid\""), "{text}");
}

#[test]
fn one_address_at_both_ends_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("budi.toml");
    let flags = [
        "--no-sign-in",
        "--from",
        "budi@old.invalid",
        "--to",
        "Budi@old.invalid",
    ];
    let said = init(&file, &flags).exits(2);
    assert!(said.stderr.contains("at both ends"), "{said:?}");
    assert!(!file.exists());
}

#[test]
fn folders_of_one_use_are_mapped_in_the_job() {
    let german = Dovecot::start(&["special=german"]);
    let english = shared();
    let (user, to) = (
        fresh_user("mapped") + "@old.example",
        fresh_user("mapped-new") + "@new.example",
    );
    let mut imap = Imap::login(german.imap, &user);
    imap.create("Gesendet");
    Imap::login(english.imap, &to).command("CREATE Sent");
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("budi.toml");
    let (from_server, to_server) = (
        format!("127.0.0.1:{}", german.imap),
        format!("127.0.0.1:{}", english.imap),
    );
    let flags = [
        "--from",
        &user,
        "--from-server",
        &from_server,
        "--from-security",
        "plain",
        "--from-password-env",
        "TEST_PASSWORD",
        "--to",
        &to,
        "--to-server",
        &to_server,
        "--to-security",
        "plain",
        "--to-password-env",
        "TEST_PASSWORD",
    ];
    let said = init(&file, &flags).exits(0);
    let text = std::fs::read_to_string(&file).expect("a job");
    assert!(text.contains("#   \"Gesendet\" -> \"Sent\"\n"), "{text}");
    assert!(text.contains("preset = \"dovecot\""), "{text}");
    assert!(said.stderr.contains("recognised by its"), "{said:?}");
}
