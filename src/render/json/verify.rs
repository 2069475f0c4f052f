//! The lines of `verify`.

use super::parts::ErrorJson;
use crate::compare::{AccountCheck, Difference, FolderCheck, Kind, Level, Name, Tally};
use serde::Serialize;

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(super) enum VerifyLine<'a> {
    VerifyDifference {
        account: &'a str,
        difference: Kind,
        folder: Option<&'a str>,
        to: &'a str,
        source: Option<NameJson<'a>>,
        standing: Option<NameJson<'a>>,
        words: &'a str,
    },
    VerifyFolder {
        account: &'a str,
        folder: &'a str,
        to: &'a str,
        #[serde(flatten)]
        tally: TallyJson,
        absent: bool,
        source_fingerprint: Option<String>,
        destination_fingerprint: Option<String>,
        error: Option<ErrorJson<'a>>,
    },
    Verify {
        account: &'a str,
        sources: &'a [String],
        destination: &'a str,
        level: Level,
        sample: Option<f64>,
        #[serde(flatten)]
        tally: TallyJson,
        untold: u64,
        differs: bool,
        seconds: f64,
        error: Option<ErrorJson<'a>>,
    },
}

#[derive(Serialize)]
pub(super) struct NameJson<'a> {
    key: &'a str,
    message_id: Option<&'a str>,
    date: Option<i64>,
    subject: &'a str,
}

impl<'a> NameJson<'a> {
    pub(super) fn new(name: &'a Name) -> Self {
        NameJson {
            key: &name.key,
            message_id: Some(name.message_id.as_str()).filter(|id| !id.is_empty()),
            date: name.date,
            subject: &name.subject,
        }
    }
}

/// As in `render::verify`: each message of the source is in one class.
#[derive(Serialize)]
pub(super) struct TallyJson {
    source: u64,
    equal: u64,
    changed: u64,
    altered: u64,
    moved: u64,
    missing: u64,
    unread: u64,
    duplicate: u64,
    skipped: u64,
    counted: u64,
    unaccounted: i64,
    there: u64,
    doubled: u64,
    extra: u64,
}

impl TallyJson {
    fn new(tally: &Tally) -> Self {
        TallyJson {
            source: tally.source,
            equal: tally.equal,
            changed: tally.changed,
            altered: tally.altered,
            moved: tally.moved,
            missing: tally.missing,
            unread: tally.unread,
            duplicate: tally.duplicate,
            skipped: tally.skipped,
            counted: tally.counted,
            unaccounted: i64::try_from(tally.unaccounted()).unwrap_or(i64::MAX),
            there: tally.there,
            doubled: tally.doubled,
            extra: tally.extra,
        }
    }
}

impl<'a> VerifyLine<'a> {
    /// All lines of one comparison; the last is the `verify` itself.
    pub(super) fn all(check: &'a AccountCheck, strict: bool) -> Vec<Self> {
        let account = check.account.as_str();
        let differences = check.differences.iter();
        let folders = check.folders.iter();
        differences
            .map(|one| VerifyLine::of_difference(account, one))
            .chain(folders.map(|one| VerifyLine::of_folder(account, one)))
            .chain(std::iter::once(VerifyLine::of_check(check, strict)))
            .collect()
    }

    fn of_difference(account: &'a str, one: &'a Difference) -> Self {
        VerifyLine::VerifyDifference {
            account,
            difference: one.kind,
            folder: Some(one.folder.as_str()).filter(|folder| !folder.is_empty()),
            to: &one.to,
            source: one.source.as_ref().map(NameJson::new),
            standing: one.standing.as_ref().map(NameJson::new),
            words: &one.words,
        }
    }

    fn of_folder(account: &'a str, one: &'a FolderCheck) -> Self {
        let prints = one.fingerprints;
        VerifyLine::VerifyFolder {
            account,
            folder: &one.folder,
            to: &one.to,
            tally: TallyJson::new(&one.tally),
            absent: one.absent,
            source_fingerprint: prints.map(|(source, _)| source.to_string()),
            destination_fingerprint: prints.map(|(_, standing)| standing.to_string()),
            error: one.error.as_ref().map(ErrorJson::new),
        }
    }

    fn of_check(check: &'a AccountCheck, strict: bool) -> Self {
        VerifyLine::Verify {
            account: &check.account,
            sources: &check.sources,
            destination: &check.destination,
            level: check.level,
            sample: check.sample,
            tally: TallyJson::new(&check.tally()),
            untold: check.untold,
            differs: check.differs(strict),
            seconds: check.elapsed.as_secs_f64(),
            error: check.error.as_ref().map(ErrorJson::new),
        }
    }
}
