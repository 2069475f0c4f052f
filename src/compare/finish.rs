//! Pairs what did not meet its equal while both ends were read.

use super::Row;
use super::kin::{alike, head_key, same_date, same_size, says_nothing};
use super::pairing::{Found, Pair, Pairing, Rules, Step, flag_change, whole};
use crate::message::{Digest, FlagChange, SourceKey};
use std::collections::{HashMap, HashSet};

/// Where a run delivered a source message, by step and key: the UID in the folder that is compared.
pub type Delivered<'a> = &'a dyn Fn(usize, &SourceKey) -> Option<u32>;

/// How alike a pair has to be; each grade is tried for all messages before the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grade {
    /// In flags and date too.
    Whole,
    Date,
    Content,
    /// It stands for a message of another source folder already.
    Shared,
}

const GRADES: [Grade; 4] = [Grade::Whole, Grade::Date, Grade::Content, Grade::Shared];

impl Pairing {
    /// Pairs the rest. `delivered` names the place of a message whose bytes and headers may both have changed.
    #[must_use]
    pub fn finish(self, delivered: Delivered<'_>) -> Found {
        let standing = self.standing.into_rows().into_iter().map(|(_, row)| row);
        let mut rest = Rest {
            rules: self.rules,
            table: Table::new(standing.collect(), self.rules.content),
            found: self.found,
        };
        let mut by_step: Vec<Vec<Row>> = self.steps.iter().map(|_| Vec::new()).collect();
        for (step, row) in self.sources.into_rows() {
            by_step[step].push(row);
        }
        for (step, (rules, rows)) in self.steps.iter().zip(by_step).enumerate() {
            rest.table.taken.clear();
            let rows = match rest.rules.collapse {
                true => rest.collapsed(step, *rules, rows),
                false => rows,
            };
            let left = rest.pair_equals(step, *rules, rows);
            rest.pair_altered(step, *rules, left, delivered);
        }
        rest.leave()
    }
}

/// What stands in the destination folder.
struct Table {
    rows: Vec<Row>,
    /// Stands for some message.
    used: Vec<bool>,
    /// Stands for one of the source folder that is being paired.
    taken: HashSet<usize>,
    by_exact: HashMap<Digest, Vec<usize>>,
    by_loose: HashMap<Digest, Vec<usize>>,
    by_head: HashMap<Vec<u8>, Vec<usize>>,
    by_uid: HashMap<u32, usize>,
    content: bool,
}

impl Table {
    fn new(rows: Vec<Row>, content: bool) -> Self {
        let mut table = Table {
            used: vec![false; rows.len()],
            taken: HashSet::new(),
            by_exact: HashMap::new(),
            by_loose: HashMap::new(),
            by_head: HashMap::new(),
            by_uid: HashMap::new(),
            rows: Vec::new(),
            content,
        };
        for (at, row) in rows.iter().enumerate() {
            if let Some(digests) = row.digests {
                table.by_exact.entry(digests.exact).or_default().push(at);
                table.by_loose.entry(digests.loose).or_default().push(at);
            }
            if let Some(key) = table.key(row) {
                table.by_head.entry(key).or_default().push(at);
            }
            table.by_uid.extend(row.uid().map(|uid| (uid, at)));
        }
        table.rows = rows;
        table
    }

    /// Those that may equal the source's message in what decides: bytes, or headers and size.
    fn equals(&self, source: &Row, loose: bool) -> Vec<usize> {
        let none = Vec::new();
        if self.content {
            let Some(digests) = source.digests else {
                return none;
            };
            let found = match loose {
                true => self.by_loose.get(&digests.loose),
                false => self.by_exact.get(&digests.exact),
            };
            return found.cloned().unwrap_or_default();
        }
        let same = |at: &usize| same_size(source, &self.rows[*at], loose);
        self.kin(source).into_iter().filter(same).collect()
    }

    /// By what a message is found by its header. Where only headers are known, one that says nothing is found by its size.
    fn key(&self, row: &Row) -> Option<Vec<u8>> {
        match says_nothing(&row.header) {
            false => Some(head_key(&row.header)),
            true if self.content => None,
            true => Some(format!("n{}", row.size?).into_bytes()),
        }
    }

    /// Those with the same identity headers.
    fn kin(&self, source: &Row) -> Vec<usize> {
        let key = self.key(source);
        let found = key.and_then(|key| self.by_head.get(&key));
        let alike = |at: &&usize| alike(source, &self.rows[**at]);
        found.into_iter().flatten().filter(alike).copied().collect()
    }

    fn free(&self, at: usize) -> bool {
        !self.used[at]
    }
}

struct Rest {
    rules: Rules,
    table: Table,
    found: Found,
}

impl Rest {
    /// Copies within a folder become one, with all their flags.
    fn collapsed(&mut self, step: usize, rules: Step, rows: Vec<Row>) -> Vec<Row> {
        let mut firsts: HashMap<_, usize> = HashMap::new();
        let mut kept: Vec<Row> = Vec::new();
        for row in rows {
            let what = row.digests.map(|digests| digests.exact);
            let size = row.size.filter(|_| what.is_none());
            let key = (row.header.message_id.clone(), what, size);
            // Without bytes and an id nothing says that two are copies.
            let known = what.is_some() || row.header.message_id.is_some();
            match firsts.get(&key).filter(|_| known) {
                Some(&at) => {
                    kept[at].flags.unite(&row.flags);
                    self.found.duplicates[step] += 1;
                    let digest = row.digest(rules.loose);
                    self.found.source_digests.extend(digest);
                    self.found.standing_digests.extend(digest);
                }
                None => {
                    firsts.insert(key, kept.len());
                    kept.push(row);
                }
            }
        }
        kept
    }

    /// Gives back what found no equal.
    fn pair_equals(&mut self, step: usize, rules: Step, mut rows: Vec<Row>) -> Vec<Row> {
        for grade in GRADES {
            let mut left = Vec::new();
            for row in rows {
                match self.equal(rules, &row, grade) {
                    Some(at) => self.pair(step, rules, row, at, false),
                    None => left.push(row),
                }
            }
            rows = left;
        }
        rows
    }

    fn equal(&self, rules: Step, row: &Row, grade: Grade) -> Option<usize> {
        let table = &self.table;
        let fits = |at: &usize| {
            let standing = &table.rows[*at];
            match grade {
                Grade::Whole => table.free(*at) && whole(rules, row, standing),
                Grade::Date => table.free(*at) && same_date(row, standing),
                Grade::Content => table.free(*at),
                Grade::Shared => self.rules.shared && !table.taken.contains(at),
            }
        };
        table.equals(row, rules.loose).into_iter().find(fits)
    }

    /// What was delivered as this message, or has its headers, though the bytes are others.
    fn pair_altered(&mut self, step: usize, rules: Step, rows: Vec<Row>, delivered: Delivered<'_>) {
        let mut left = Vec::new();
        for row in rows {
            let uid = delivered(step, &row.key);
            let place = uid.and_then(|uid| self.table.by_uid.get(&uid).copied());
            match place.filter(|&at| self.table.free(at)) {
                Some(at) => self.pair(step, rules, row, at, true),
                None => left.push(row),
            }
        }
        for row in left {
            let kin = self.table.kin(&row).into_iter();
            match kin.filter(|&at| self.table.free(at)).min() {
                Some(at) => self.pair(step, rules, row, at, true),
                None => {
                    self.found.source_digests.extend(row.digest(rules.loose));
                    self.found.missing.push((step, row));
                }
            }
        }
    }

    fn pair(&mut self, step: usize, rules: Step, source: Row, at: usize, altered: bool) {
        let shared = !self.table.free(at);
        self.table.used[at] = true;
        self.table.taken.insert(at);
        let standing = &self.table.rows[at];
        self.found.source_digests.extend(source.digest(rules.loose));
        self.found
            .standing_digests
            .extend(standing.digest(rules.loose));
        if shared {
            self.found.duplicates[step] += 1;
            return;
        }
        let flags = match rules.flags {
            true => flag_change(&source, standing),
            false => FlagChange::default(),
        };
        let date = !same_date(&source, standing);
        if altered || date || !flags.is_empty() {
            self.found.pairs.push(Pair {
                step,
                source,
                standing: standing.clone(),
                altered,
                flags,
                date,
            });
        } else {
            self.found.equal[step] += 1;
        }
    }

    /// What stands for nothing is left.
    fn leave(mut self) -> Found {
        let known: HashSet<Digest> = self.found.standing_digests.iter().copied().collect();
        let equals_one = |row: &Row| {
            let digests = row.digests.map(|d| [d.exact, d.loose]);
            digests.is_some_and(|both| both.iter().any(|digest| known.contains(digest)))
        };
        let rows = self.table.rows.into_iter().zip(self.table.used);
        self.found.spare = rows
            .filter(|(_, used)| !used)
            .map(|(row, _)| {
                let double = equals_one(&row);
                (row, double)
            })
            .collect();
        self.found
            .pairs
            .sort_by(|a, b| (a.step, &a.source.key).cmp(&(b.step, &b.source.key)));
        self.found
            .missing
            .sort_by(|a, b| (a.0, &a.1.key).cmp(&(b.0, &b.1.key)));
        self.found
    }
}
