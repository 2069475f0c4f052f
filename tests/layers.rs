//! The rules about what may stand where: imports go up the list in `src/lib.rs`, threads start in one place, one
//! module speaks to the terminal, files stay small, the top level stays tidy.

use crate::support::root;
use std::path::{Path, PathBuf};

/// A source file: its path below `src`, and its text.
struct File {
    path: String,
    text: String,
}

/// What may stand at the top level, beside dotfiles.
const TOP: [&str; 9] = [
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "docs",
    "sample-jobs",
    "src",
    "tests",
];

#[test]
fn imports_go_up_the_list() {
    let (order, files) = (order(), sources());
    assert!(
        order.len() > 10 && files.len() > 10,
        "sources were not found"
    );
    nothing(upward_only(&order, &files));
}

#[test]
fn threads_start_in_the_engine_and_words_leave_by_the_cli() {
    nothing(misplaced(&sources()));
}

#[test]
fn files_stay_small() {
    nothing(too_long(&sources()));
}

#[test]
fn the_top_level_is_tidy() {
    let entries = std::fs::read_dir(root()).expect("the project");
    let names = entries.map(|e| {
        e.expect("an entry")
            .file_name()
            .to_string_lossy()
            .into_owned()
    });
    // `target` is ignored by git, as is what a person's own runs leave behind.
    let ignored = |n: &str| n == "target" || n.ends_with(".archive") || n.ends_with(".state");
    let strange: Vec<String> = names
        .filter(|n| !n.starts_with('.') && !TOP.contains(&n.as_str()) && !ignored(n))
        .collect();
    nothing(strange);
}

#[test]
fn the_checks_find_what_they_look_for() {
    let file = |path: &str, text: &str| File {
        path: path.into(),
        text: text.into(),
    };
    let order = ["error", "imap", "engine", "cli"].map(String::from);
    let bad = [
        file("imap/a.rs", "use crate::engine::Stop;"),
        file("imap/b.rs", "use crate::{error, cli::{self, x}};"),
        file("error.rs", "fn f() { crate::imap::g(); }"),
        file("engine/c.rs", "use\n    crate::cli::X;"),
        file("new.rs", "use crate::error::Error;"),
    ];
    for one in bad {
        assert_eq!(upward_only(&order, &[one]).len(), 1);
    }
    let good = [
        file(
            "imap/a.rs",
            "use crate::error::Error; // not crate::cli::X\nuse crate::imap::b;",
        ),
        file(
            "engine/mod.rs",
            "use crate::{error::{Error, Kind}, imap};\nthread::scope(|s| {});",
        ),
        file("main.rs", "mailhaul::cli::main()"),
    ];
    let own_tests = [
        file("imap/mod.rs", "#[cfg(test)]\nmod script;\nmod fetch;"),
        file("imap/script.rs", "std::thread::spawn(f)"),
    ];
    nothing(misplaced(&own_tests));
    assert_eq!(
        test_files(&file("net.rs", "#[cfg(test)]\npub(crate) mod t;")),
        ["net/t.rs"]
    );
    nothing(upward_only(&order, &good));
    nothing(misplaced(&good));
    assert_eq!(
        misplaced(&[file("imap/a.rs", "std::thread::spawn(f)")]).len(),
        1
    );
    assert_eq!(
        misplaced(&[file("error.rs", "thread::Builder::new()")]).len(),
        1
    );
    assert_eq!(
        misplaced(&[file("engine/a.rs", "eprintln!(\"x\")")]).len(),
        1
    );
    assert_eq!(too_long(&[file("a.rs", &"\n".repeat(601))]).len(), 1);
}

#[track_caller]
fn nothing(found: Vec<String>) {
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// The modules of `src/lib.rs` in their order there; `//` comments beside them do not matter.
fn order() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("src/lib.rs")).expect("src/lib.rs");
    let module = |line: &str| {
        let rest = line
            .strip_prefix("pub mod ")
            .or(line.strip_prefix("mod "))?;
        Some(rest.split(';').next()?.to_owned())
    };
    text.lines().filter_map(module).collect()
}

fn sources() -> Vec<File> {
    let src = root().join("src");
    let mut paths = Vec::new();
    walk(&src, &mut paths);
    paths.sort();
    let read = |path: &PathBuf| File {
        path: path
            .strip_prefix(&src)
            .expect("below src")
            .to_string_lossy()
            .into_owned(),
        text: std::fs::read_to_string(path).expect("a source file"),
    };
    paths.iter().map(read).collect()
}

fn walk(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            walk(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

/// The module a file belongs to: the first part of its path.
fn module(path: &str) -> &str {
    let first = path.split('/').next().unwrap_or(path);
    first.strip_suffix(".rs").unwrap_or(first)
}

fn upward_only(order: &[String], files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        let own = module(&file.path);
        if own == "lib" || own == "main" {
            continue;
        }
        let Some(place) = order.iter().position(|m| m == own) else {
            found.push(format!("src/{}: {own} is not in src/lib.rs", file.path));
            continue;
        };
        for used in used(&file.text) {
            let above = order.iter().position(|m| *m == used);
            if above.is_some_and(|p| p > place) {
                found.push(format!(
                    "src/{}: {own} uses {used}, which stands below it",
                    file.path
                ));
            }
        }
    }
    found
}

/// The modules named after `crate::` in the code of a file, each once.
fn used(text: &str) -> Vec<String> {
    let code = without_comments(text);
    let mut out: Vec<String> = Vec::new();
    for part in code.split("crate::").skip(1) {
        if let Some(group) = part.strip_prefix('{') {
            out.extend(group_heads(group));
        } else {
            out.push(word(part));
        }
    }
    out.sort();
    out.dedup();
    out
}

/// The first word of each member of `{a::b, c::{d, e}}`.
fn group_heads(group: &str) -> Vec<String> {
    let (mut depth, mut start, mut out) = (0usize, 0, Vec::new());
    for (i, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            ',' | '}' if depth == 0 => {
                out.push(word(&group[start..i]));
                start = i + 1;
                if c == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    out
}

fn word(text: &str) -> String {
    let text = text.trim_start();
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    text[..end.unwrap_or(text.len())].to_owned()
}

/// Line comments go; a `//` inside a string takes the rest of its line along, which hides no import.
fn without_comments(text: &str) -> String {
    let cut = |line: &str| line.split("//").next().unwrap_or("").to_owned();
    text.lines().map(cut).collect::<Vec<_>>().join("\n")
}

fn misplaced(files: &[File]) -> Vec<String> {
    let tests: Vec<String> = files.iter().flat_map(test_files).collect();
    let mut found = Vec::new();
    for file in files.iter().filter(|f| !tests.contains(&f.path)) {
        let code = product_code(&file.text);
        let rules = [
            (
                "engine",
                &["thread::spawn", "thread::scope", "thread::Builder"][..],
            ),
            (
                "cli",
                &["println!", "eprintln!", "print!(", "eprint!(", "dbg!("][..],
            ),
        ];
        for (allowed, words) in rules {
            let hit = words.iter().find(|w| code.contains(**w));
            if let Some(hit) = hit.filter(|_| module(&file.path) != allowed) {
                found.push(format!("src/{}: {hit} belongs into {allowed}", file.path));
            }
        }
    }
    found
}

/// Without comments and without the tests at the end of a file, which may start servers of their own.
fn product_code(text: &str) -> String {
    let code = without_comments(text);
    let tests = code.find("#[cfg(test)]\nmod tests {");
    code[..tests.unwrap_or(code.len())].to_owned()
}

/// The files that a file takes in for its tests alone: `#[cfg(test)] mod name;`.
fn test_files(file: &File) -> Vec<String> {
    let stem = file.path.trim_end_matches(".rs");
    let dir = stem
        .strip_suffix("mod")
        .unwrap_or(stem)
        .trim_end_matches('/');
    let parts = file.text.split("#[cfg(test)]").skip(1);
    let name = |part: &str| {
        let declaration = part.trim_start().split(['{', ';']).next()?;
        let semicolon = part.trim_start()[declaration.len()..].starts_with(';');
        let (_, name) = declaration.split_once("mod ")?;
        semicolon.then(|| format!("{dir}/{name}.rs"))
    };
    parts.filter_map(name).collect()
}

fn too_long(files: &[File]) -> Vec<String> {
    let lines = |f: &&File| f.text.lines().count() > 600;
    let long = files.iter().filter(lines);
    long.map(|f| format!("src/{} has more than 600 lines", f.path))
        .collect()
}
