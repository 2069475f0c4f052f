//! The job files that come with mailhaul.

use super::super::{Job, keys};
use std::path::{Path, PathBuf};

fn files(dir: &str) -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join(dir);
    let entries = std::fs::read_dir(dir).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|p| p.extension().is_some_and(|e| e == "toml"))
        .collect()
}

#[test]
fn every_sample_job_is_right() {
    let files = files("sample-jobs");
    assert!(files.len() >= 6);
    for file in files {
        let job = Job::load(&file, &[]);
        assert!(job.is_ok(), "{job:#?}");
    }
}

/// Every key has to stand in the sample that claims to show them all.
#[test]
fn the_full_sample_names_every_key() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-jobs/full.toml");
    let text = std::fs::read_to_string(path).unwrap();
    let tables = [
        keys::TOP,
        keys::SOURCE,
        keys::DESTINATION,
        keys::PASSWORD,
        keys::OAUTH2,
        keys::AFTER,
        keys::ARCHIVE,
        keys::LIMITS,
        keys::PER_HOST,
        keys::FOLDERS,
        keys::FILTER,
        keys::ROUTE,
    ];
    for key in tables.concat() {
        assert!(text.contains(key), "{key}");
    }
}

#[test]
fn every_wrong_job_is_told_with_its_place() {
    let files = files("tests/cli/jobs_wrong");
    assert!(files.len() >= 18);
    for file in files {
        let errors = Job::load(&file, &[]).unwrap_err();
        assert!(!errors.is_empty(), "{}", file.display());
        for error in &errors {
            let text = error.to_string();
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}
