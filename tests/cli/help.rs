//! `--help`, `--version`, completions and manual pages.

use super::run;

#[test]
fn main_help() {
    insta::assert_snapshot!("help", run(&["--help"]));
    insta::assert_snapshot!("help-short", run(&["-h"]));
}

#[test]
fn help_of_each_command() {
    for command in [
        "run",
        "plan",
        "status",
        "verify",
        "undo",
        "explain",
        "completions",
        "man",
    ] {
        insta::assert_snapshot!(format!("help-{command}"), run(&[command, "--help"]));
    }
}

#[test]
fn version() {
    let expected = concat!("mailhaul ", env!("CARGO_PKG_VERSION"), "\n");
    assert!(run(&["--version"]).contains(expected));
}

#[test]
fn manual_pages() {
    for page in [
        "run",
        "plan",
        "status",
        "verify",
        "undo",
        "explain",
        "completions",
        "man",
    ] {
        let shown = run(&["man", page]);
        assert!(shown.contains("--- exit 0") && shown.contains(&format!(".TH mailhaul-{page} 1")));
    }
    insta::assert_snapshot!(
        "man",
        run(&["man"]).replace(env!("CARGO_PKG_VERSION"), "VERSION")
    );
}

#[test]
fn completions_of_each_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let shown = run(&["completions", shell]);
        assert!(shown.contains("--- exit 0"), "{shown}");
        assert!(
            shown.contains("strict") && shown.contains("failed"),
            "{shell}"
        );
    }
}
