//! The file of providers: its page is made from it, and nothing in it is without effect.

use crate::support::root;
use mailhaul::job::providers::{Behaviour, Book, page};
use std::collections::BTreeSet;
use std::path::Path;

const FILE: &str = include_str!("../../src/job/providers/providers.toml");

#[test]
fn the_page_is_the_files() {
    let book = Book::load(Path::new("/nonexistent")).expect("the built-in file");
    let path = root().join("docs/providers.md");
    if std::env::var_os("WRITE_PAGES").is_some() {
        std::fs::write(&path, page(&book)).expect("write");
    }
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        text == page(&book),
        "docs/providers.md is not what providers.toml says; to write it anew:\n\
         WRITE_PAGES=1 cargo test --features failpoints --test all the_page_is_the_files"
    );
}

/// Every Rust file but the page's, which only shows what others use.
fn code() -> String {
    fn walk(dir: &Path, out: &mut String) {
        for entry in std::fs::read_dir(dir).expect("a directory") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy();
            if path.is_dir() {
                walk(&path, out);
            } else if name.ends_with(".rs") && name != "page.rs" && !name.contains("tests") {
                let text = std::fs::read_to_string(&path).expect("a source file");
                out.push_str(text.split("#[cfg(test)]\nmod tests").next().unwrap_or(""));
            }
        }
    }
    let mut out = String::new();
    walk(&root().join("src"), &mut out);
    out
}

#[test]
fn every_field_is_used() {
    let code: String = code().split_whitespace().collect();
    let file: toml::Table = FILE.parse().expect("TOML");
    let mut keys = BTreeSet::new();
    for table in ["provider", "authorization"] {
        let entries = file[table].as_array().expect("tables");
        for entry in entries.iter().filter_map(toml::Value::as_table) {
            keys.extend(entry.keys().cloned());
            for inner in ["daily", "imap", "pop3"] {
                let inner = entry.get(inner).and_then(toml::Value::as_table);
                keys.extend(inner.into_iter().flat_map(toml::Table::keys).cloned());
            }
        }
    }
    assert!(keys.len() > 20, "{keys:?}");
    for key in keys {
        let field = format!(".{}", key.replace('-', "_"));
        assert!(
            code.contains(&field),
            "nothing reads {key} of providers.toml"
        );
    }
}

#[test]
fn every_behaviour_is_somebodys_and_has_an_effect() {
    let code = code();
    for behaviour in Behaviour::ALL {
        let asked = format!("has(Behaviour::{behaviour:?})");
        assert!(code.contains(&asked), "nothing asks {asked}");
        let name = behaviour.meaning().split('`').nth(1).expect("a name");
        assert!(FILE.contains(&format!("\"{name}\"")), "nobody has {name}");
    }
}
