//! The policy about dependencies of `docs/dependencies.md`, held against what is really built in: licences, origin, crates that are
//! not to come back.

use crate::support::root;
use std::process::Command;

/// Licences under which a crate may be used, as SPDX names them. All let mailhaul be given away as it is.
const LICENCES: [&str; 9] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Zlib",
];

/// The only place that crates come from.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Crates that may not be built in, however deep, and why.
const BANNED: [(&str, &str); 10] = [
    ("async-std", "mailhaul has threads"),
    ("backoff", "unmaintained, RUSTSEC-2025-0012"),
    ("instant", "unmaintained, RUSTSEC-2024-0384"),
    ("mbox-reader", "loses the last message of a file"),
    ("memmap", "unmaintained, RUSTSEC-2020-0077"),
    (
        "openssl-src",
        "the system's OpenSSL gets its updates, one built in does not",
    ),
    ("pop3", "panics, and refuses mail that is not UTF-8"),
    ("serde_yaml", "unmaintained"),
    ("smol", "mailhaul has threads"),
    ("tokio", "mailhaul has threads"),
];

/// Is the expression (`MIT OR (Apache-2.0 AND Zlib)`, or with the old `/`) fulfilled by these licences alone?
fn allowed(expression: &str) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    any(&mut words) && words.next().is_none()
}

type Words<'a, 'b> = &'b mut std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any(words: Words<'_, '_>) -> bool {
    let mut fulfilled = all(words);
    while words.next_if_eq(&"OR").is_some() {
        fulfilled |= all(words);
    }
    fulfilled
}

fn all(words: Words<'_, '_>) -> bool {
    let mut fulfilled = one(words);
    while words.next_if_eq(&"AND").is_some() {
        fulfilled &= one(words);
    }
    fulfilled
}

fn one(words: Words<'_, '_>) -> bool {
    if words.next_if_eq(&"(").is_some() {
        let inner = any(words);
        return inner & words.next_if_eq(&")").is_some();
    }
    let mut licence = words.next().unwrap_or_default().to_owned();
    if words.next_if_eq(&"WITH").is_some() {
        licence = format!("{licence} WITH {}", words.next().unwrap_or_default());
    }
    LICENCES.contains(&licence.as_str())
}

/// What cargo knows of the crates that are built here; they have been downloaded for that.
fn built() -> Vec<serde_json::Value> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let output = Command::new(cargo)
        .args(["metadata", "--format-version=1", "--locked", "--offline"])
        .args(["--filter-platform", &target])
        .current_dir(root())
        .output()
        .expect("cargo");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}");
    let mut known: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let nodes = known["resolve"]["nodes"].take();
    let used: Vec<&str> = nodes
        .as_array()
        .expect("nodes")
        .iter()
        .filter_map(|node| node["id"].as_str())
        .collect();
    let packages = known["packages"].take();
    let packages = packages.as_array().expect("packages").iter();
    let built =
        packages.filter(|package| package["id"].as_str().is_some_and(|id| used.contains(&id)));
    built.cloned().collect()
}

#[test]
fn every_licence_is_on_the_list() {
    let built = built();
    assert!(built.len() > 50, "only {} crates", built.len());
    let wrong: Vec<String> = built
        .iter()
        .filter(|package| !package["license"].as_str().is_some_and(allowed))
        .map(|package| format!("{} {}", package["name"], package["license"]))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_banned_crate_is_built_in() {
    let built = built();
    let names: Vec<&str> = built
        .iter()
        .filter_map(|package| package["name"].as_str())
        .collect();
    let found: Vec<_> = BANNED
        .iter()
        .filter(|(name, _)| names.contains(name))
        .collect();
    assert!(
        names.contains(&"native-tls") && found.is_empty(),
        "{found:#?}"
    );
}

/// Of all platforms, as Cargo.lock has them.
#[test]
fn every_crate_comes_from_the_registry() {
    let text = std::fs::read_to_string(root().join("Cargo.lock")).expect("Cargo.lock");
    let lock: toml::Table = text.parse().expect("TOML");
    let packages = lock["package"].as_array().expect("packages");
    let mut wrong = Vec::new();
    for package in packages {
        let name = package["name"].as_str().expect("a name");
        match package.get("source").and_then(toml::Value::as_str) {
            Some(REGISTRY) => {}
            None if name == "mailhaul" => {}
            source => wrong.push(format!("{name} comes from {source:?}")),
        }
    }
    assert!(packages.len() > 50 && wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn expressions_are_understood() {
    for good in [
        "MIT",
        "MIT/Apache-2.0",
        "GPL-3.0-only OR MIT",
        "(MIT OR GPL-2.0-only) AND Unicode-3.0",
        "Apache-2.0 WITH LLVM-exception",
    ] {
        assert!(allowed(good), "{good}");
    }
    for bad in [
        "",
        "GPL-3.0-only",
        "MIT AND GPL-3.0-only",
        "(MIT",
        "GPL-2.0-only WITH Classpath-exception-2.0",
        "MIT MIT",
    ] {
        assert!(!allowed(bad), "{bad}");
    }
}
