//! Wrong usage: told on stderr, exit code 2, nothing on stdout.

use super::{run, run_in};

#[test]
fn wrong_usage() {
    let cases: [(&str, &[&str]); 10] = [
        ("nothing", &[]),
        ("unknown-command", &["rnu"]),
        ("unknown-option", &["run", "a.toml", "--stict"]),
        ("no-job", &["run"]),
        ("two-jobs", &["run", "a.toml", "b.toml"]),
        ("no-such-job", &["run", "no-such.toml"]),
        ("no-such-job-json", &["run", "no-such.toml", "--json"]),
        (
            "set-without-value",
            &["plan", "a.toml", "--set", "source.port"],
        ),
        ("unknown-shell", &["completions", "tcsh"]),
        ("unknown-page", &["man", "check-mail"]),
    ];
    for (name, args) in cases {
        let shown = run(args);
        assert!(shown.contains("--- exit 2\n--- stdout\n"), "{shown}");
        insta::assert_snapshot!(format!("usage-{name}"), shown);
    }
}

#[test]
fn an_account_that_the_job_does_not_have() {
    let args = [
        "status",
        "../../../sample-jobs/05-many-accounts.toml",
        "--account",
        "nobody",
    ];
    insta::assert_snapshot!("usage-unknown-account", run_in("jobs_wrong", &args));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    use std::process::{Command, Stdio};
    let mut child = Command::new(env!("CARGO_BIN_EXE_mailhaul"))
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("mailhaul starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("mailhaul ends");
    assert_eq!(
        (output.status.code(), output.stderr.as_slice()),
        (Some(0), &b""[..])
    );
}
