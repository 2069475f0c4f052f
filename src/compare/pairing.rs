//! Pairs messages of both ends while they are read.

use super::Row;
use super::kin::same_date;
use crate::message::{Digest, FlagChange};
use std::collections::HashMap;

/// What holds for a whole job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Bytes were read and decide; else headers and sizes do.
    pub content: bool,
    /// A message at the destination may stand for one of each source folder (any `dedup` but `off`).
    pub shared: bool,
    /// Copies within a source folder are delivered once, their flags united (`collapse`).
    pub collapse: bool,
}

/// What holds for one source folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The source has flags.
    pub flags: bool,
    /// The source cannot tell how many line ends a message ends with (POP3).
    pub loose: bool,
}

/// Two messages that belong together and differ.
#[derive(Debug, Clone)]
pub struct Pair {
    /// Which of the source folders.
    pub step: usize,
    pub source: Row,
    pub standing: Row,
    /// Other bytes (or, where only headers were read, another size).
    pub altered: bool,
    /// From the source's flags to the destination's.
    pub flags: FlagChange,
    pub date: bool,
}

/// What came of one destination folder.
#[derive(Debug, Default)]
pub struct Found {
    /// Equal in all that was compared, by source folder.
    pub equal: Vec<u64>,
    /// Another message stands for these: of another source folder, or a copy in their own.
    pub duplicates: Vec<u64>,
    pub pairs: Vec<Pair>,
    /// The source folder, and its message that nothing stands for.
    pub missing: Vec<(usize, Row)>,
    /// Messages at the destination that stand for none, and whether their bytes are those of one that does.
    pub spare: Vec<(Row, bool)>,
    /// Of every message of the source that was read, in no order.
    pub source_digests: Vec<Digest>,
    /// Of what stands for each of them.
    pub standing_digests: Vec<Digest>,
}

/// One destination folder and all source folders that go there, being compared.
#[derive(Debug)]
pub struct Pairing {
    pub(super) rules: Rules,
    pub(super) steps: Vec<Step>,
    pub(super) sources: Waiting,
    pub(super) standing: Waiting,
    pub(super) found: Found,
}

/// Messages that have met no other yet, by digest; those without one at the end.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    by_digest: HashMap<Digest, Vec<(usize, Row)>>,
    rest: Vec<(usize, Row)>,
}

impl Waiting {
    fn put(&mut self, digest: Option<Digest>, step: usize, row: Row) {
        match digest {
            Some(digest) => self.by_digest.entry(digest).or_default().push((step, row)),
            None => self.rest.push((step, row)),
        }
    }

    /// Takes one with this digest that `fits`.
    fn take(&mut self, digest: Option<Digest>, fits: impl Fn(&Row) -> bool) -> Option<Row> {
        let digest = digest?;
        let rows = self.by_digest.get_mut(&digest)?;
        let at = rows.iter().position(|(_, row)| fits(row))?;
        let (_, row) = rows.remove(at);
        if rows.is_empty() {
            self.by_digest.remove(&digest);
        }
        Some(row)
    }

    /// All of them, in the order of their keys.
    pub(super) fn into_rows(self) -> Vec<(usize, Row)> {
        let mut rows = self.rest;
        rows.extend(self.by_digest.into_values().flatten());
        rows.sort_by(|(a, x), (b, y)| (a, &x.key).cmp(&(b, &y.key)));
        rows
    }
}

impl Pairing {
    #[must_use]
    pub fn new(rules: Rules, steps: Vec<Step>) -> Self {
        let found = Found {
            equal: vec![0; steps.len()],
            duplicates: vec![0; steps.len()],
            ..Found::default()
        };
        Pairing {
            rules,
            steps,
            sources: Waiting::default(),
            standing: Waiting::default(),
            found,
        }
    }

    /// May equal messages go as soon as they meet, so that memory does not grow with the folder? Not where one may have to stand for
    /// several.
    fn settles_early(&self) -> bool {
        self.rules.content && self.steps.len() == 1 && !self.rules.collapse
    }

    /// A message of the source, of the step with that number.
    pub fn source(&mut self, step: usize, row: Row) {
        let rules = self.steps[step];
        let digest = row.digest(rules.loose);
        if self.settles_early() {
            let met = self
                .standing
                .take(digest, |standing| whole(rules, &row, standing));
            if met.is_some() {
                return self.settle(digest);
            }
        }
        self.sources.put(digest, step, row);
    }

    /// A message at the destination.
    pub fn standing(&mut self, row: Row) {
        let rules = self.steps.first().copied();
        let digest = row.digest(rules.is_some_and(|rules| rules.loose));
        if let Some(rules) = rules.filter(|_| self.settles_early()) {
            let met = self
                .sources
                .take(digest, |source| whole(rules, source, &row));
            if met.is_some() {
                return self.settle(digest);
            }
        }
        self.standing.put(digest, 0, row);
    }

    fn settle(&mut self, digest: Option<Digest>) {
        self.found.equal[0] += 1;
        self.found.source_digests.extend(digest);
        self.found.standing_digests.extend(digest);
    }
}

/// Equal in flags and date too.
pub(super) fn whole(rules: Step, source: &Row, standing: &Row) -> bool {
    same_date(source, standing) && (!rules.flags || flag_change(source, standing).is_empty())
}

/// From the source's flags to the destination's. Labels that the destination has beside the source's are its own business: it
/// gives some itself, and the folder that a message stands in is one.
pub(super) fn flag_change(source: &Row, standing: &Row) -> FlagChange {
    let mut change = source.flags.change_to(&standing.flags);
    change.add.labels.clear();
    change
}
