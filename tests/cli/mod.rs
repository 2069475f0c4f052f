//! The command line as a person meets it: stdout, stderr and exit code in one snapshot.
//!
//! After a wanted change: `INSTA_UPDATE=always cargo test --test all cli`, then read the diff.

mod archive;
mod ends;
mod explain;
mod help;
mod jobs_wrong;
mod live;
mod proof;
mod usage;

use std::path::Path;
use std::process::Command;

/// Runs mailhaul in `tests/cli/DIR` with an empty environment.
fn run_in(dir: &str, args: &[&str]) -> String {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/cli")
        .join(dir);
    let output = Command::new(env!("CARGO_BIN_EXE_mailhaul"))
        .args(args)
        .current_dir(home)
        .env_clear()
        .output()
        .expect("mailhaul starts");
    format!(
        "$ mailhaul {}\n--- exit {}\n--- stdout\n{}--- stderr\n{}",
        args.join(" "),
        output
            .status
            .code()
            .map_or("by a signal".to_owned(), |code| code.to_string()),
        text(&output.stdout),
        text(&output.stderr),
    )
}

fn run(args: &[&str]) -> String {
    run_in(".", args)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("all output is UTF-8")
}
