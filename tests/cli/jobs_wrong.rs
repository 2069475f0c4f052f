//! Wrong job files: every one refused before anything connects, each fault with its place, its key and a way out.

use super::run_in;
use std::path::Path;

fn names() -> Vec<String> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/jobs_wrong");
    let entries = std::fs::read_dir(dir).expect("the wrong jobs are there");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("a readable entry").file_name())
        .filter_map(|name| name.to_str()?.strip_suffix(".toml").map(str::to_owned))
        .collect();
    names.sort();
    names
}

#[test]
fn each_wrong_job_is_refused_with_words() {
    let names = names();
    assert!(names.len() >= 15, "{names:?}");
    for name in names {
        let shown = run_in("jobs_wrong", &["plan", &format!("{name}.toml")]);
        assert!(
            shown.contains("--- exit 2\n--- stdout\n--- stderr\nerror[job]: "),
            "{shown}"
        );
        insta::assert_snapshot!(format!("job-{name}"), shown);
    }
}

#[test]
fn the_faults_are_json_too() {
    let shown = run_in("jobs_wrong", &["plan", "many-at-once.toml", "--json"]);
    insta::assert_snapshot!("job-many-at-once-json", shown);
}

#[test]
fn a_literal_password_is_never_repeated() {
    let shown = run_in("jobs_wrong", &["plan", "password-literal.toml"]);
    let job = include_str!("jobs_wrong/password-literal.toml");
    let secret = job
        .lines()
        .filter_map(|line| line.strip_prefix("password = \"")?.strip_suffix('"'))
        .next()
        .expect("the job holds a password");
    assert!(!shown.contains(secret), "{shown}");
}
