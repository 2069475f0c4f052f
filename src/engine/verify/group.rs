//! The source folders that deliver into one destination folder (or, with routes, into several), compared.

use super::Audit;
use super::judge::{Case, Checked};
use super::source::{Reading, Told};
use super::standing::{Folder, Standing, Want};
use crate::compare::{
    Difference, Found, Kind, Level, Pairing, Row, Rules, Step as StepRules, head_key,
};
use crate::engine::context::lock;
use crate::engine::lane::join;
use crate::engine::link::{SinkLink, SourceLink};
use crate::error::Result;
use crate::job::Dedup;
use crate::journal::FolderId;
use crate::plan::labels::Take;
use crate::plan::{Plan, Step, Target, Work};
use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;

/// Connections of one worker, to each source and to the destination.
pub(super) struct Links<'a> {
    pub(super) sources: Vec<SourceLink<'a>>,
    pub(super) sink: SinkLink<'a>,
}

/// Places in the plan of steps that are compared together.
pub(super) type Group = Vec<usize>;

/// One destination folder while the source is read.
struct Part {
    target: Target,
    pairing: Pairing,
    /// Header keys of what has to be found there, where only a sample is read.
    keys: HashSet<Vec<u8>>,
    rows: u64,
}

/// A group being compared.
pub(super) struct Comparison<'a> {
    audit: &'a Audit<'a>,
    level: Level,
    /// Those that are read.
    steps: Vec<(usize, &'a Step, Option<FolderId>)>,
    refused: Vec<(usize, &'a Step)>,
}

impl<'a> Comparison<'a> {
    pub(super) fn new(audit: &'a Audit<'a>, plan: &'a Plan, group: &Group) -> Result<Self> {
        let all = group.iter().map(|&order| (order, &plan.steps[order]));
        let (refused, read): (Vec<_>, Vec<_>) =
            all.partition(|(_, step)| matches!(step.work, Work::Refused { .. }));
        let steps: Vec<_> = read
            .into_iter()
            .map(|(order, step)| Ok((order, step, audit.history.folder(&step.source)?)))
            .collect::<Result<_>>()?;
        Ok(Comparison {
            audit,
            level: level(audit, plan, steps.len()),
            steps,
            refused,
        })
    }

    /// Reads and compares. Several results with routes.
    ///
    /// # Errors
    /// Those of both ends; `Kind::Folder` where this group alone could not be compared.
    pub(super) fn compare(&self, links: &mut Links<'_>) -> Result<Vec<Checked>> {
        let mut checked = self.refused_steps();
        let Some((_, first, _)) = self.steps.first() else {
            return Ok(checked);
        };
        let by_labels = |(_, step, _): &(_, &Step, _)| step.take == Take::Routed;
        let one_place =
            self.audit.context.account.routes.is_empty() && !self.steps.iter().any(by_labels);
        if one_place && self.audit.order.sample.is_none() {
            checked.push(self.at_once(&first.target, links)?);
        } else {
            checked.extend(self.one_after_another(links)?);
        }
        Ok(checked)
    }

    /// Both ends are read at the same time.
    fn at_once(&self, target: &Target, links: &mut Links<'_>) -> Result<Checked> {
        let pairing = Mutex::new(self.pairing());
        let Links { sources, sink } = links;
        let (told, standing) = std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut told = Told::default();
                for at in 0..self.steps.len() {
                    let mut take = |row, _| lock(&pairing).source(at, row);
                    add(&mut told, self.read_step(at, sources, &mut take)?);
                }
                Ok(told)
            });
            let standing = self.read_standing(target, sink, Want::All, &mut |row| {
                lock(&pairing).standing(row);
            });
            (join(reader), standing)
        });
        let (told, standing) = (told?, standing?);
        let pairing = pairing.into_inner().unwrap_or_else(|e| e.into_inner());
        let compared = told.listed - told.skipped - told.counted - told.unread.len() as u64;
        self.finish(target, pairing, standing, &told, compared, sink)
    }

    /// First the source, which tells what is to be read at the destination.
    fn one_after_another(&self, links: &mut Links<'_>) -> Result<Vec<Checked>> {
        let mut parts: BTreeMap<Vec<u8>, Part> = BTreeMap::new();
        let mut told: BTreeMap<Vec<u8>, Told> = BTreeMap::new();
        for (at, (_, step, _)) in self.steps.iter().enumerate() {
            let name = step.target.name.clone();
            parts
                .entry(name.clone())
                .or_insert_with(|| self.part(step.target.clone()));
            let mut take = |row: Row, routed: Option<Target>| {
                let target = routed.unwrap_or_else(|| step.target.clone());
                let part = parts
                    .entry(target.name.clone())
                    .or_insert_with(|| self.part(target));
                part.keys.insert(head_key(&row.header));
                part.rows += 1;
                part.pairing.source(at, row);
            };
            let of = self.read_step(at, &mut links.sources, &mut take)?;
            add(told.entry(name).or_default(), of);
        }
        let sample = self.audit.order.sample.is_some();
        let mut checked = Vec::new();
        for (name, mut part) in parts {
            let want = match sample {
                true => Want::Heads(&part.keys),
                false => Want::All,
            };
            let pairing = &mut part.pairing;
            let standing = self.read_standing(&part.target, &mut links.sink, want, &mut |row| {
                pairing.standing(row);
            })?;
            let told = told.remove(&name).unwrap_or_default();
            let (pairing, rows) = (part.pairing, part.rows);
            checked.push(self.finish(
                &part.target,
                pairing,
                standing,
                &told,
                rows,
                &mut links.sink,
            )?);
        }
        Ok(checked)
    }

    fn part(&self, target: Target) -> Part {
        Part {
            target,
            pairing: self.pairing(),
            keys: HashSet::new(),
            rows: 0,
        }
    }

    fn pairing(&self) -> Pairing {
        let account = &self.audit.context.account;
        let rules = Rules {
            content: self.level == Level::Content,
            shared: account.dedup != Dedup::Off,
            collapse: account.collapse && account.dedup != Dedup::Off,
        };
        let steps = self.steps.iter().map(|(_, step, _)| {
            let store = &self.audit.context.sources[step.source.source as usize]
                .0
                .store;
            StepRules {
                flags: !store.is_pop3(),
                loose: store.is_pop3(),
            }
        });
        Pairing::new(rules, steps.collect())
    }

    fn read_step(
        &self,
        at: usize,
        sources: &mut [SourceLink<'_>],
        take: super::source::Take<'_>,
    ) -> Result<Told> {
        let (_, step, _) = self.steps[at];
        let reading = Reading {
            audit: self.audit,
            step,
            folder: &step.source,
            level: self.level,
        };
        reading.read(&mut sources[step.source.source as usize], take)
    }

    fn read_standing(
        &self,
        target: &Target,
        link: &mut SinkLink<'_>,
        want: Want<'_>,
        take: &mut dyn FnMut(Row),
    ) -> Result<Standing> {
        if target.standing.is_none() {
            return Ok(Standing::default());
        }
        let folder = Folder {
            audit: self.audit,
            name: &target.name,
            level: self.level,
        };
        folder.read(link, want, take)
    }

    fn finish(
        &self,
        target: &Target,
        pairing: Pairing,
        standing: Standing,
        told: &Told,
        rows: u64,
        link: &mut SinkLink<'_>,
    ) -> Result<Checked> {
        let found = self.pair(pairing, target, standing)?;
        let case = Case {
            audit: self.audit,
            level: self.level,
            steps: self.steps.clone(),
            target,
            standing,
        };
        let mut checked = case.judge(found, told, rows, link)?;
        // Files have no empty folders of their own.
        let server = !self.audit.context.destination.0.store.is_local();
        checked.folder.absent = target.standing.is_none() && server;
        Ok(checked)
    }

    /// Where the journal's word is needed for a pair, an error of it is kept and given back.
    fn pair(&self, pairing: Pairing, target: &Target, standing: Standing) -> Result<Found> {
        let failed = Mutex::new(None);
        let found = pairing.finish(&|step, key| {
            let (_, _, folder) = self.steps[step];
            match self.audit.history.delivery(folder, key) {
                Ok(found) => found
                    .filter(|found| found.folder.as_ref() == Some(&target.name))
                    .filter(|found| found.uid_validity == Some(standing.uid_validity))
                    .and_then(|found| found.uid),
                Err(error) => {
                    *lock(&failed) = Some(error);
                    None
                }
            }
        });
        let failed = lock(&failed).take();
        failed.map_or(Ok(found), Err)
    }

    /// Folders that the job cannot copy as it is written: all their messages are missing, and why.
    fn refused_steps(&self) -> Vec<Checked> {
        let one = |(order, step): &(usize, &'a Step)| {
            let Work::Refused { messages, why, .. } = &step.work else {
                return None;
            };
            let case = Case {
                audit: self.audit,
                level: self.level,
                steps: vec![(*order, step, None)],
                target: &step.target,
                standing: Standing::default(),
            };
            let mut checked = case.blank();
            checked.folder.tally.source = u64::from(*messages);
            checked.folder.tally.missing = u64::from(*messages);
            checked.told.add(Difference {
                kind: Kind::Missing,
                folder: step.source.folder.to_string(),
                to: step.target.folder.to_string(),
                source: None,
                standing: None,
                words: why.clone(),
            });
            Some(checked)
        };
        self.refused.iter().filter_map(one).collect()
    }
}

/// Numbers say nothing where one message may stand for several, or where only a header tells the folder.
fn level(audit: &Audit<'_>, plan: &Plan, steps: usize) -> Level {
    let account = &audit.context.account;
    let apart = account.dedup == Dedup::Off || steps < 2;
    let searched = account.filter.search.is_some();
    match audit.order.level {
        Level::Count if plan.routed || !apart || account.collapse || searched => Level::Headers,
        level => level,
    }
}

fn add(all: &mut Told, one: Told) {
    all.listed += one.listed;
    all.skipped += one.skipped;
    all.counted += one.counted;
    all.unread.extend(one.unread);
}
