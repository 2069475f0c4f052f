//! From pairs and what is left over to differences with names and words.

use super::Audit;
use super::history::Place;
use super::source::Told as SourceTold;
use super::standing::Standing;
use crate::compare::{Difference, FolderCheck, Found, Kind, Level, Name, Pair, Row};
use crate::engine::link::SinkLink;
use crate::error::Result;
use crate::journal::FolderId;
use crate::message::{Digest, Flags, InternalDate, SourceKey};
use crate::plan::{Step, Target};
use std::collections::HashMap;

/// Differences of one folder that are told one by one.
const TOLD: usize = 10_000;
/// Missing messages of one folder that are looked for elsewhere.
const SEARCHED: usize = 10_000;

/// What is to be told one by one.
#[derive(Debug, Default)]
pub(super) struct List {
    pub(super) list: Vec<Difference>,
    pub(super) untold: u64,
}

impl List {
    pub(super) fn add(&mut self, difference: Difference) {
        match self.list.len() < TOLD {
            true => self.list.push(difference),
            false => self.untold += 1,
        }
    }
}

/// A missing message that may stand in another folder.
#[derive(Debug)]
pub(super) struct Lost {
    pub(super) row: Row,
    pub(super) loose: bool,
    pub(super) folder: String,
    pub(super) words: String,
}

/// One destination folder, compared.
#[derive(Debug)]
pub(super) struct Checked {
    /// Its first step's place in the plan.
    pub(super) order: usize,
    /// Wire name at the destination.
    pub(super) name: Vec<u8>,
    pub(super) folder: FolderCheck,
    pub(super) told: List,
    pub(super) missing: Vec<Lost>,
    /// UIDs that stand for nothing.
    pub(super) spare: HashMap<u32, Kind>,
}

impl Checked {
    /// Tells of the messages that were found nowhere, and puts all in order: what weighs most first.
    pub(super) fn tell_missing(&mut self) {
        for lost in std::mem::take(&mut self.missing) {
            self.told.add(Difference {
                kind: Kind::Missing,
                folder: lost.folder,
                to: self.folder.to.clone(),
                source: Some(Name::of(&lost.row)),
                standing: None,
                words: lost.words,
            });
        }
        self.told.list.sort_by_key(|told| told.kind);
    }
}

/// What is judged.
pub(super) struct Case<'a> {
    pub(super) audit: &'a Audit<'a>,
    pub(super) level: Level,
    /// The plan's steps that deliver here, each with its place there and its number in the journal.
    pub(super) steps: Vec<(usize, &'a Step, Option<FolderId>)>,
    pub(super) target: &'a Target,
    pub(super) standing: Standing,
}

impl Case<'_> {
    /// Judges what was found; `told` is what the source folders held beside it, `rows` how many of their messages were compared here.
    ///
    /// # Errors
    /// Of the journal; of the destination, which may be asked which keywords it can hold.
    pub(super) fn judge(
        &self,
        found: Found,
        told: &SourceTold,
        rows: u64,
        link: &mut SinkLink<'_>,
    ) -> Result<Checked> {
        let mut checked = self.blank();
        let tally = &mut checked.folder.tally;
        tally.source = rows + told.skipped + told.counted + told.unread.len() as u64;
        tally.equal = found.equal.iter().sum();
        tally.duplicate = found.duplicates.iter().sum();
        tally.skipped = told.skipped;
        tally.counted = told.counted;
        tally.unread = told.unread.len() as u64;
        tally.there = self.standing.messages;
        if self.level == Level::Content {
            let of = |digests: &[Digest]| fingerprint(digests.to_vec());
            checked.folder.fingerprints =
                Some((of(&found.source_digests), of(&found.standing_digests)));
        }
        for (name, words) in &told.unread {
            let difference = self.difference(0, Kind::Unread, Some(name.clone()), None);
            checked.told.add(Difference {
                words: words.clone(),
                ..difference
            });
        }
        for pair in found.pairs {
            self.pair(pair, link, &mut checked)?;
        }
        for (step, row) in found.missing {
            self.missing(step, row, &mut checked)?;
        }
        if self.level == Level::Count || self.audit.order.sample.is_some() {
            self.by_number(&mut checked);
        } else {
            self.spare(found.spare, &mut checked)?;
        }
        Ok(checked)
    }

    pub(super) fn blank(&self) -> Checked {
        let mut names: Vec<String> = self
            .steps
            .iter()
            .map(|(_, step, _)| step.source.folder.to_string())
            .collect();
        names.dedup();
        Checked {
            order: self.steps.first().map_or(0, |(order, _, _)| *order),
            name: self.target.name.clone(),
            folder: FolderCheck {
                folder: names.join(", "),
                to: self.target.folder.to_string(),
                ..FolderCheck::default()
            },
            told: List::default(),
            missing: Vec::new(),
            spare: HashMap::new(),
        }
    }

    fn difference(
        &self,
        step: usize,
        kind: Kind,
        source: Option<Name>,
        standing: Option<Name>,
    ) -> Difference {
        let folder =
            |(_, step, _): &(usize, &Step, Option<FolderId>)| step.source.folder.to_string();
        Difference {
            kind,
            folder: source
                .as_ref()
                .and_then(|_| self.steps.get(step).map(folder))
                .unwrap_or_default(),
            to: self.target.folder.to_string(),
            source,
            standing,
            words: String::new(),
        }
    }

    fn pair(&self, mut pair: Pair, link: &mut SinkLink<'_>, checked: &mut Checked) -> Result<()> {
        self.overlook_unfit(&mut pair, link)?;
        let both = |kind, words: String| Difference {
            words,
            ..self.difference(
                pair.step,
                kind,
                Some(Name::of(&pair.source)),
                Some(Name::of(&pair.standing)),
            )
        };
        let unread = self.level == Level::Content && pair.standing.digests.is_none();
        let tally = &mut checked.folder.tally;
        if pair.altered && unread {
            tally.unread += 1;
            let words = "the destination lists it but does not give it".to_owned();
            checked.told.add(both(Kind::Unread, words));
        } else if pair.altered {
            tally.altered += 1;
            checked
                .told
                .add(both(Kind::Altered, self.how_altered(&pair)?));
        } else if pair.date || !pair.flags.is_empty() {
            tally.changed += 1;
        } else {
            tally.equal += 1;
        }
        if !pair.flags.is_empty() {
            let words = flag_words(&pair.flags.remove, &pair.flags.add);
            checked.told.add(both(Kind::Flags, words));
        }
        if pair.date {
            let shown = |date: Option<InternalDate>| {
                date.map_or_else(
                    || "none".to_owned(),
                    |date| date.to_imap().trim().to_owned(),
                )
            };
            let (ours, theirs) = (shown(pair.source.date), shown(pair.standing.date));
            let words = format!("{ours} at the source, {theirs} at the destination");
            checked.told.add(both(Kind::Date, words));
        }
        Ok(())
    }

    /// Keywords that the folder cannot hold are known, and no difference.
    fn overlook_unfit(&self, pair: &mut Pair, link: &mut SinkLink<'_>) -> Result<()> {
        if pair.flags.remove.keywords.is_empty() {
            return Ok(());
        }
        let lacking = pair.flags.remove.clone();
        let unfit = link.retry(|sink| sink.unfit_keywords(&self.target.name, &lacking))?;
        pair.flags
            .remove
            .keywords
            .retain(|keyword| !unfit.contains(keyword));
        Ok(())
    }

    fn how_altered(&self, pair: &Pair) -> Result<String> {
        let bytes = |row: &Row| {
            row.size
                .map_or_else(|| "?".to_owned(), |size| size.to_string())
        };
        let (ours, theirs) = (bytes(&pair.source), bytes(&pair.standing));
        let loose = |row: &Row| row.digests.map(|digests| digests.loose);
        let how = match loose(&pair.source).zip(loose(&pair.standing)) {
            Some((a, b)) if a == b => "only the line ends at its very end differ".to_owned(),
            None if ours == theirs => "other headers".to_owned(),
            _ if ours == theirs => format!("{ours} bytes at both ends, and not the same"),
            _ => format!("{ours} bytes at the source, {theirs} at the destination"),
        };
        let (_, _, folder) = self.steps[pair.step];
        let known = self.audit.history.delivery(folder, &pair.source.key)?;
        Ok(match self.audit.history.why_altered(known.as_ref()) {
            Some(why) => format!("{how}; {why}"),
            None => how,
        })
    }

    fn missing(&self, step: usize, row: Row, checked: &mut Checked) -> Result<()> {
        checked.folder.tally.missing += 1;
        if checked.missing.len() >= SEARCHED {
            checked.told.untold += 1;
            return Ok(());
        }
        let (_, of, folder) = self.steps[step];
        let known = self.audit.history.delivery(folder, &row.key)?;
        let loose = self.audit.context.sources[of.source.source as usize]
            .0
            .store
            .is_pop3();
        checked.missing.push(Lost {
            row,
            loose,
            folder: of.source.folder.to_string(),
            words: self.audit.history.why_missing(known.as_ref()),
        });
        Ok(())
    }

    /// What the destination has besides.
    fn spare(&self, spare: Vec<(Row, bool)>, checked: &mut Checked) -> Result<()> {
        if spare.is_empty() {
            return Ok(());
        }
        let validity = self.standing.uid_validity;
        let place = self.audit.history.place(&self.target.name, validity)?;
        for (row, double) in spare {
            let SourceKey::Uid(uid) = row.key else {
                continue;
            };
            let (kind, words) = besides(&place, uid, double);
            match kind {
                Kind::Doubled => checked.folder.tally.doubled += 1,
                _ => checked.folder.tally.extra += 1,
            }
            checked.spare.insert(uid, kind);
            checked.told.add(Difference {
                words,
                ..self.difference(0, kind, None, Some(Name::of(&row)))
            });
        }
        Ok(())
    }

    /// Where not every message was compared, numbers tell whether any is missing.
    fn by_number(&self, checked: &mut Checked) {
        let tally = &mut checked.folder.tally;
        let expected = tally.equal + tally.changed + tally.altered + tally.counted;
        tally.extra = tally.there.saturating_sub(expected);
        let short = expected.saturating_sub(tally.there).min(tally.counted);
        if short > 0 {
            tally.counted -= short;
            tally.missing += short;
            let words = format!("{expected} should stand there, {} do", tally.there);
            let difference = self.difference(0, Kind::Missing, None, None);
            checked.told.add(Difference {
                folder: checked.folder.folder.clone(),
                words,
                ..difference
            });
        }
    }
}

/// What a message is that stands for none of the source's.
fn besides(place: &Place, uid: u32, double: bool) -> (Kind, String) {
    if place.own.contains(&uid) {
        let words = "the destination's own; a run found it there".to_owned();
        return (Kind::Extra, words);
    }
    if double && !place.unknown {
        let words = match place.delivered.get(&uid) {
            Some(run) => {
                format!("a copy of a message that stands there too; delivered in run {run}")
            }
            None => "a copy of a message that stands there too".to_owned(),
        };
        return (Kind::Doubled, words);
    }
    let words = match place.delivered.get(&uid) {
        Some(run) => {
            format!("delivered in run {run}; gone from the source since, or changed there")
        }
        None => "the destination's own".to_owned(),
    };
    (Kind::Extra, words)
}

fn flag_words(lacks: &Flags, has: &Flags) -> String {
    let part = |what: &str, flags: &Flags| {
        let labels = flags.labels.iter().map(|label| format!("label {label}"));
        let words: Vec<String> = flags.atoms().into_iter().chain(labels).collect();
        (!words.is_empty()).then(|| format!("{what} {}", words.join(" ")))
    };
    let parts = [part("without", lacks), part("with", has)];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    format!("at the destination {}", parts.join(" and "))
}

/// BLAKE3 over the sorted digests.
fn fingerprint(mut digests: Vec<Digest>) -> Digest {
    digests.sort_unstable();
    let mut hasher = blake3::Hasher::new();
    digests.iter().for_each(|digest| {
        hasher.update(&digest.0);
    });
    Digest(*hasher.finalize().as_bytes())
}
