//! What several types of lines share, and what stands inside one.

use crate::error::Error;
use crate::message::Folder;
use crate::outcome::{Counts, Outcome, Spent, Trouble, Wait};
use crate::plan::{Step, Work};
use crate::render::plan::waiting;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

#[derive(Serialize)]
pub(super) struct Left {
    pub(super) low: u64,
    pub(super) high: u64,
}

#[derive(Serialize)]
pub(super) struct Undid {
    pub(super) run: i64,
    pub(super) messages: u64,
}

#[derive(Serialize)]
pub(super) struct LeftOut<'a> {
    #[serde(serialize_with = "shown")]
    pub(super) folder: &'a Folder,
    pub(super) why: &'a str,
}

fn shown<S: Serializer>(folder: &&Folder, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(folder)
}

#[derive(Serialize)]
pub(super) struct ErrorJson<'a> {
    code: &'static str,
    end: Option<&'static str>,
    what: &'a str,
    words: Option<&'a str>,
    r#try: Option<&'a str>,
}

impl<'a> ErrorJson<'a> {
    pub(super) fn new(error: &'a Error) -> Self {
        ErrorJson {
            code: error.code.as_str(),
            end: error.end.map(|end| match end {
                crate::error::End::Source => "source",
                crate::error::End::Destination => "destination",
            }),
            what: &error.what,
            words: error.words.as_deref(),
            r#try: error.hint.as_deref(),
        }
    }
}

/// The balance sheet: `source` = all of `outcomes` together + `unaccounted`.
#[derive(Serialize)]
pub(super) struct Balance<'a> {
    source: u64,
    outcomes: CountsJson<'a>,
    unaccounted: i64,
}

impl<'a> Balance<'a> {
    pub(super) fn new(source: u64, counts: &'a Counts) -> Self {
        let unaccounted = i128::from(source) - i128::from(counts.total());
        Balance {
            source,
            outcomes: CountsJson(std::borrow::Cow::Borrowed(counts)),
            unaccounted: i64::try_from(unaccounted).unwrap_or(i64::MAX),
        }
    }

    pub(super) fn owned(source: u64, counts: Counts) -> Balance<'static> {
        let unaccounted = Balance::new(source, &counts).unaccounted;
        Balance {
            source,
            outcomes: CountsJson(std::borrow::Cow::Owned(counts)),
            unaccounted,
        }
    }
}

struct CountsJson<'a>(std::borrow::Cow<'a, Counts>);

impl Serialize for CountsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(Outcome::ALL.len()))?;
        for outcome in Outcome::ALL {
            map.serialize_entry(outcome.as_str(), &self.0.of(outcome))?;
        }
        map.end()
    }
}

#[derive(Serialize)]
pub(super) struct TroubleJson<'a> {
    account: &'a str,
    folder: &'a str,
    key: &'a str,
    message_id: Option<&'a str>,
    outcome: Outcome,
    words: &'a str,
}

impl<'a> TroubleJson<'a> {
    pub(super) fn new(account: &'a str, trouble: &'a Trouble) -> Self {
        TroubleJson {
            account,
            folder: &trouble.folder,
            key: &trouble.key,
            message_id: Some(trouble.message_id.as_str()).filter(|id| !id.is_empty()),
            outcome: trouble.outcome,
            words: &trouble.words,
        }
    }
}

#[derive(Serialize)]
pub(super) struct StepJson<'a> {
    account: &'a str,
    folder: &'a str,
    to: &'a str,
    work: &'static str,
    messages: u32,
    waiting: u64,
    create: bool,
    subscribe: bool,
    special_use: Option<&'static str>,
    why: Option<&'a str>,
}

impl<'a> StepJson<'a> {
    pub(super) fn new(account: &'a str, folder: &'a str, to: &'a str, step: &'a Step) -> Self {
        let (work, messages, why) = match &step.work {
            Work::CopyWhole { messages } => ("copy-whole", *messages, None),
            Work::Match { messages, .. } => ("match", *messages, None),
            Work::Update { messages, .. } => ("update", *messages, None),
            Work::Unchanged { messages } => ("unchanged", *messages, None),
            Work::Refused { messages, why, .. } => ("refused", *messages, Some(why.as_str())),
        };
        StepJson {
            account,
            folder,
            to,
            work,
            messages,
            waiting: waiting(&step.work),
            create: step.target.standing.is_none() && why.is_none(),
            subscribe: step.target.subscribe && why.is_none(),
            special_use: step.target.special_use.map(|special| special.attribute()),
            why,
        }
    }
}

/// Where the seconds went.
#[derive(Serialize)]
pub(super) struct TimeJson {
    /// By the words of [`Wait::as_str`].
    #[serde(flatten)]
    waits: BTreeMap<&'static str, f64>,
    processor: f64,
    source_connections: u64,
    destination_connections: u64,
}

impl TimeJson {
    pub(super) fn new(spent: Spent) -> Self {
        let seconds = |wait: Wait| (wait.as_str(), spent.on(wait).as_secs_f64());
        TimeJson {
            waits: Wait::ALL.into_iter().map(seconds).collect(),
            processor: spent.processor.as_secs_f64(),
            source_connections: spent.sources,
            destination_connections: spent.destinations,
        }
    }
}
