//! The job file: read, checked whole, turned into values that cannot be wrong.
//!
//! Two stages: the file (and `--set`, and the CSV of accounts) becomes a tree of values that know their places;
//! then the tree is checked, every fault of it told at once. Nothing connects, and no secret is asked for.

mod accounts;
mod check;
mod ends;
mod error;
mod fill;
mod keys;
mod local;
mod oauth;
pub mod providers;
mod rules;
mod same;
mod secret;
mod section;
mod server;
mod set;
mod spec;
mod store;
#[cfg(test)]
mod tests;
mod tree;

pub use error::{JobError, Place, one_error};
pub use providers::Preset;
pub use spec::*;
pub use store::{Local, LocalFormat, Server, Store};

use crate::auth::SecretRef;
use crate::net::Trace;
use check::JobFile;
use error::Faults;
use std::path::{Component, Path, PathBuf};

impl Job {
    /// Reads and checks a job file (TOML, UTF-8); `overrides` are the pairs of `--set KEY=VALUE`, in order.
    ///
    /// Paths in the job are relative to its directory and come back absolute; a `~` is a character like any other.
    /// Errors: all that is wrong with the job, in the order of the file; see [`one_error`] for one of them all.
    pub fn load(path: &Path, overrides: &[(String, String)]) -> Result<Job, Vec<JobError>> {
        let mut faults = Faults::new(path);
        let job = load(path, overrides, &mut faults);
        match job {
            Some(mut job) if faults.is_empty() => {
                job.keep_secrets_apart();
                Ok(job)
            }
            _ => Err(faults.into_errors()),
        }
    }

    /// What is said to servers is written down.
    pub fn watch(&mut self, trace: &Trace) {
        self.servers()
            .for_each(|server| server.endpoint.trace = trace.clone());
    }

    fn servers(&mut self) -> impl Iterator<Item = &mut Server> {
        let stores = self.accounts.iter_mut().flat_map(|account| {
            let sources = account.sources.iter_mut().map(|source| &mut source.store);
            let destinations = account.destinations.iter_mut().map(|end| &mut end.store);
            sources.chain(destinations)
        });
        stores.filter_map(|store| match store {
            Store::Server(server) => Some(&mut **server),
            Store::Local(_) => None,
        })
    }

    /// A command that gives one secret does not get those that stand in the environment.
    fn keep_secrets_apart(&mut self) {
        let variables: Vec<String> = self
            .servers()
            .filter_map(|server| server.password.references())
            .filter_map(|reference| match reference {
                SecretRef::Env(name) => Some(name.clone()),
                _ => None,
            })
            .collect();
        for reference in self
            .servers()
            .filter_map(|server| server.password.references())
        {
            if let SecretRef::Command { without, .. } = reference {
                without.clone_from(&variables);
            }
        }
    }

    /// What servers rejected in earlier runs is tried again.
    pub fn retry_rejected(&mut self) {
        for account in &mut self.accounts {
            account.retry_rejected = true;
        }
    }

    /// Keeps the accounts of these names (`--account`), all where there are none. Errors: one for each unknown name.
    pub fn select(mut self, names: &[String]) -> Result<Job, Vec<JobError>> {
        let known: Vec<&str> = self.accounts.iter().map(|a| a.name.as_str()).collect();
        let unknown = names.iter().filter(|name| !known.contains(&name.as_str()));
        let errors: Vec<JobError> = unknown
            .map(|name| accounts::unknown_account(&self.path, name, &known))
            .collect();
        if !errors.is_empty() {
            return Err(errors);
        }
        if !names.is_empty() {
            self.accounts.retain(|a| names.contains(&a.name));
        }
        Ok(self)
    }
}

/// A job's text, whose paths are those of a `job.toml` here: is it valid? For the fuzzer.
#[cfg(feature = "failpoints")]
pub(crate) fn check_text(text: &str) {
    let path = Path::new("job.toml");
    let mut faults = Faults::new(path);
    let job = locate(path, &mut faults)
        .and_then(|file| Some((file, tree::parse(text, &mut faults)?)))
        .and_then(|(file, root)| check::job(&file, &root, None, &mut faults));
    assert!(job.is_some() || !faults.is_empty());
}

fn load(path: &Path, overrides: &[(String, String)], faults: &mut Faults) -> Option<Job> {
    let file = locate(path, faults)?;
    let text = read(path, faults)?;
    let mut root = tree::parse(&text, faults)?;
    set::apply(&mut root, overrides, faults);
    let Some(node) = root.get("accounts") else {
        return check::job(&file, &root, None, faults);
    };
    let place = node.place.clone();
    let csv = section::as_text(node).filter(|text| !text.is_empty());
    let Some(csv) = csv else {
        let message = format!("expected the path of a CSV file, found {}", node.found());
        faults.add(&place, "accounts", message);
        return None;
    };
    let rows = accounts::read(&beside(path, csv), &place, faults);
    let job = check::job(&file, &root, Some(&rows), faults)?;
    let archive = root.get("archive").map_or(&place, |node| &node.place);
    check::distinct_archives(&job, &rows, archive, faults);
    Some(job)
}

/// A path of the job as an error shows it: relative to where the job was named from.
fn beside(job: &Path, path: &str) -> PathBuf {
    job.parent().unwrap_or(Path::new("")).join(path)
}

fn locate(path: &Path, faults: &mut Faults) -> Option<JobFile> {
    let absolute = match std::path::absolute(path) {
        Ok(absolute) => absolute,
        Err(e) => {
            faults.add(&Place::Whole, "", format!("cannot read the job: {e}"));
            return None;
        }
    };
    let stem = absolute.file_stem().unwrap_or_default();
    let dir = plain_path(absolute.parent().unwrap_or(Path::new("/")));
    let book = match providers::Book::load(&dir) {
        Ok(book) => book,
        Err(e) => {
            faults.add(
                &Place::Whole,
                "",
                format!("cannot take the file of providers: {e}"),
            );
            return None;
        }
    };
    Some(JobFile {
        path: path.to_owned(),
        dir,
        book,
        stem: stem.to_string_lossy().into_owned(),
    })
}

fn read(path: &Path, faults: &mut Faults) -> Option<String> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) => {
            faults.add(&Place::Whole, "", format!("cannot read the job: {e}"));
            return None;
        }
    };
    match String::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(e) => {
            let good = &e.as_bytes()[..e.utf8_error().valid_up_to()];
            let line = 1 + memchr::memchr_iter(b'\n', good).count();
            let start = memchr::memrchr(b'\n', good).map_or(0, |at| at + 1);
            let column = 1 + String::from_utf8_lossy(&good[start..]).chars().count();
            let place = Place::At { line, column };
            faults.add(&place, "", "expected UTF-8, found another byte");
            None
        }
    }
}

/// A path without `.`: so that two plain writings of one archive are seen to be one. `..` stays: behind a symbolic
/// link it leads elsewhere.
fn plain_path(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}
