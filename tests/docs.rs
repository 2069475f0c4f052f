//! What the documents name exists: files, tests, dependencies, command lines, jobs.

use crate::support::root;
use clap::Parser;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// README, CHANGELOG and everything in `docs/`, each with its text.
fn documents() -> Vec<(PathBuf, String)> {
    let docs = std::fs::read_dir(root().join("docs")).expect("docs");
    let mut paths: Vec<PathBuf> = docs.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.extend(["README.md", "CHANGELOG.md"].map(|name| root().join(name)));
    paths.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("UTF-8");
        (path, text)
    };
    paths.into_iter().map(read).collect()
}

/// What stands between `open` and the next `close`, each time.
fn between<'a>(text: &'a str, open: &str, close: char) -> Vec<&'a str> {
    let parts = text.split(open).skip(1);
    parts
        .filter_map(|part| Some(part.split_once(close)?.0))
        .collect()
}

fn nothing(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// The file that a link means, `None` for an address elsewhere or a heading of the same page.
fn linked(document: &Path, link: &str) -> Option<PathBuf> {
    let file = link.split('#').next().unwrap_or(link);
    if file.is_empty() || link.contains("://") {
        return None;
    }
    Some(document.parent().expect("a directory").join(file))
}

#[test]
fn every_linked_file_exists() {
    let (mut faults, mut seen) = (Vec::new(), 0);
    for (path, text) in documents() {
        for link in between(&text, "](", ')') {
            let Some(file) = linked(&path, link) else {
                continue;
            };
            seen += 1;
            if !file.exists() {
                faults.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(seen > 20, "only {seen} links");
    nothing(&faults);
}

/// `[name](../file.rs)`: the name, where it is one, has to be a test of that file.
#[test]
fn every_test_that_guarantees_names_exists() {
    let path = root().join("docs/guarantees.md");
    let text = std::fs::read_to_string(&path).expect("guarantees");
    let (mut faults, mut seen) = (Vec::new(), 0);
    for part in text.split("[`").skip(1) {
        let Some((name, rest)) = part.split_once("`](") else {
            faults.push(format!("not a link: {}", part.lines().next().unwrap_or("")));
            continue;
        };
        let file = rest.split(')').next().unwrap_or("");
        seen += 1;
        let code = std::fs::read_to_string(path.with_file_name(file)).unwrap_or_default();
        if !has_test(&code, name) {
            faults.push(format!("{file} has no test {name}"));
        }
    }
    assert!(seen > 20, "only {seen} tests named");
    nothing(&faults);
}

/// Is there a function of this name under a `#[test]`? Within proptest! the body's parentheses hold arguments.
fn has_test(code: &str, name: &str) -> bool {
    code.split("#[test]").skip(1).any(|after| {
        let start = after.find("fn ").map_or("", |at| &after[at + 3..]);
        start
            .strip_prefix(name)
            .is_some_and(|rest| rest.starts_with('('))
    })
}

#[test]
fn a_test_is_told_from_what_is_none() {
    assert!(has_test("#[test]\nfn a() {}", "a"));
    assert!(!has_test("#[test]\nfn ab() {}\nfn a() {}", "a"));
}

/// Every `mailhaul …` in code: lines of fenced and indented blocks, and code words within a line.
fn command_lines(text: &str) -> Vec<String> {
    let fenced = fenced(text);
    let indented = text.lines().filter_map(|line| line.strip_prefix("    "));
    let lines = fenced.lines().chain(indented);
    let blocks = lines.filter(|line| line.starts_with("mailhaul "));
    let inline = between(text, "`mailhaul ", '`');
    let inline = inline.into_iter().map(|rest| format!("mailhaul {rest}"));
    blocks.map(str::to_owned).chain(inline).collect()
}

/// The text of all fenced blocks.
fn fenced(text: &str) -> String {
    let parts = text.split("```").skip(1).step_by(2);
    parts.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_command_line_is_one_that_mailhaul_takes() {
    let (mut faults, mut seen) = (Vec::new(), 0);
    for (path, text) in documents() {
        for line in command_lines(&text) {
            seen += 1;
            let bare = line.split(['#', '|', '>']).next().unwrap_or(&line);
            if let Err(error) = mailhaul::cli::Args::try_parse_from(bare.split_whitespace()) {
                faults.push(format!("{}: {line}: {error}", path.display()));
            }
        }
    }
    assert!(seen > 3, "only {seen} command lines");
    nothing(&faults);
}

/// Blocks marked ```` ```toml job ````.
#[test]
fn every_job_in_the_documents_is_valid() {
    let (mut faults, mut seen) = (Vec::new(), 0);
    for (path, text) in documents() {
        for block in text.split("```toml job\n").skip(1) {
            seen += 1;
            let toml = block.split("```").next().unwrap_or("");
            let dir = tempfile::tempdir().expect("a directory");
            let file = dir.path().join("job.toml");
            std::fs::write(&file, toml).expect("write");
            if let Err(errors) = mailhaul::job::Job::load(&file, &[]) {
                faults.push(format!("{}: {errors:?}", path.display()));
            }
        }
    }
    assert!(seen > 0, "no job in the documents");
    nothing(&faults);
}

#[test]
fn every_dependency_has_its_reason_and_no_other_has() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).expect("manifest");
    let manifest: toml::Table = manifest.parse().expect("TOML");
    let names = ["dependencies", "dev-dependencies"].map(|table| {
        let table = manifest.get(table).and_then(toml::Value::as_table);
        table.into_iter().flat_map(toml::Table::keys).cloned()
    });
    let used: BTreeSet<String> = names.into_iter().flatten().collect();
    let text = std::fs::read_to_string(root().join("docs/dependencies.md")).expect("page");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    let told: BTreeSet<String> = rows
        .filter_map(|row| {
            let (name, reason) = row.split_once("` | ")?;
            (reason.len() > 12).then(|| name.to_owned())
        })
        .collect();
    assert_eq!(told, used);
}
