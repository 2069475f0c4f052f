//! Looks in the destination's other folders for what is missing in its own: somebody may have moved it.

use super::Audit;
use super::judge::{Checked, Lost};
use super::standing::{Folder, Want};
use crate::compare::{Difference, Kind, Level, Name, Row, head_key, key_words};
use crate::engine::link::SinkLink;
use crate::error::Result;
use crate::message::{Digest, SourceKey};
use crate::plan::SinkFolder;
use std::collections::{BTreeMap, HashSet};

/// A message found in a folder where it does not belong.
struct Hit {
    row: Row,
    /// The entry of the results whose missing message it is, and which of these.
    checked: usize,
    lost: usize,
}

/// Turns *missing* into *moved* where the message stands in another folder.
///
/// # Errors
/// Those of the destination, but for a folder that cannot be read: then nothing is found there.
pub(super) fn look(audit: &Audit<'_>, checked: &mut [Checked]) -> Result<()> {
    if audit.order.level == Level::Count {
        return Ok(());
    }
    let landscape = audit.context.landscape();
    let mut link = SinkLink::new(audit.context, None);
    for folder in landscape
        .folders
        .iter()
        .filter(|folder| folder.messages > 0)
    {
        audit.context.check_stop()?;
        let keys = wanted(checked, &folder.name);
        if keys.is_empty() {
            continue;
        }
        match in_folder(audit, &mut link, folder, &keys, checked) {
            Err(error) if error.kind == crate::error::Kind::Folder => {
                audit
                    .context
                    .warn(format!("not looked for what was moved: {error}"));
            }
            other => other?,
        }
    }
    drop(link.close());
    Ok(())
}

/// Header keys of what is missing in other folders than this one.
fn wanted(checked: &[Checked], name: &[u8]) -> HashSet<Vec<u8>> {
    checked
        .iter()
        .filter(|one| one.name != name)
        .flat_map(|one| &one.missing)
        .map(|lost| head_key(&lost.row.header))
        .collect()
}

fn in_folder(
    audit: &Audit<'_>,
    link: &mut SinkLink<'_>,
    folder: &SinkFolder,
    keys: &HashSet<Vec<u8>>,
    checked: &mut [Checked],
) -> Result<()> {
    // In a folder that was compared only what stands for nothing is free.
    let spare: Option<HashSet<u32>> = checked
        .iter()
        .find(|one| one.name == folder.name)
        .map(|one| one.spare.keys().copied().collect());
    if spare.as_ref().is_some_and(|spare| spare.is_empty()) && audit.order.sample.is_none() {
        return Ok(());
    }
    let place = Folder {
        audit,
        name: &folder.name,
        level: audit.order.level,
    };
    let mut rows = Vec::new();
    place.read(link, Want::Heads(keys), &mut |row| {
        rows.push(row);
    })?;
    rows.retain(|row| match (&spare, uid(row)) {
        (Some(spare), Some(uid)) => spare.contains(&uid),
        _ => true,
    });
    for hit in pair(rows, checked, &folder.name) {
        moved(hit, folder, checked);
    }
    Ok(())
}

fn uid(row: &Row) -> Option<u32> {
    match row.key {
        SourceKey::Uid(uid) => Some(uid),
        SourceKey::Name { .. } => None,
    }
}

/// One to one, by what decides: the digest, or else header and size.
fn pair(rows: Vec<Row>, checked: &[Checked], name: &[u8]) -> Vec<Hit> {
    let mut lost: BTreeMap<Vec<u8>, Vec<(usize, usize)>> = BTreeMap::new();
    let others = checked
        .iter()
        .enumerate()
        .filter(|(_, one)| one.name != name);
    for (at, one) in others {
        for (nth, missing) in one.missing.iter().enumerate() {
            if let Some(key) = decides(&missing.row, missing.loose) {
                lost.entry(key).or_default().push((at, nth));
            }
        }
    }
    let mut taken: HashSet<(usize, usize)> = HashSet::new();
    let mut hits = Vec::new();
    for row in rows {
        let keys = [decides(&row, false), decides(&row, true)]
            .into_iter()
            .flatten();
        let free = keys
            .filter_map(|key| lost.get(&key))
            .flatten()
            .find(|place| !taken.contains(*place))
            .copied();
        if let Some((checked, lost)) = free {
            taken.insert((checked, lost));
            hits.push(Hit { row, checked, lost });
        }
    }
    // From the back, so that taking one out moves no other.
    hits.sort_by_key(|hit| std::cmp::Reverse((hit.checked, hit.lost)));
    hits
}

fn decides(row: &Row, loose: bool) -> Option<Vec<u8>> {
    let mark = |kind: u8, digest: Digest| [&[kind][..], &digest.0].concat();
    match (row.digests, loose) {
        (Some(digests), true) => Some(mark(b'l', digests.loose)),
        (Some(digests), false) => Some(mark(b'e', digests.exact)),
        (None, _) => {
            let key = head_key(&row.header);
            Some([b"h", key.as_slice(), row.size?.to_string().as_bytes()].concat())
        }
    }
}

fn moved(hit: Hit, folder: &SinkFolder, checked: &mut [Checked]) {
    let one = &mut checked[hit.checked];
    let lost: Lost = one.missing.remove(hit.lost);
    one.folder.tally.missing -= 1;
    one.folder.tally.moved += 1;
    let difference = Difference {
        kind: Kind::Moved,
        folder: lost.folder,
        to: folder.folder.to_string(),
        source: Some(Name::of(&lost.row)),
        standing: Some(Name::of(&hit.row)),
        words: format!("stands in {}, not in {}", folder.folder, one.folder.to),
    };
    one.told.add(difference);
    no_longer_spare(&hit.row, folder, checked);
}

/// What is told as moved is not told as extra too.
fn no_longer_spare(row: &Row, folder: &SinkFolder, checked: &mut [Checked]) {
    let place = checked.iter_mut().find(|one| one.name == folder.name);
    let Some((one, uid)) = place.zip(uid(row)) else {
        return;
    };
    match one.spare.remove(&uid) {
        Some(Kind::Doubled) => one.folder.tally.doubled -= 1,
        Some(_) => one.folder.tally.extra -= 1,
        None => return,
    }
    let key = key_words(&row.key);
    one.told.list.retain(|told| {
        let spare = matches!(told.kind, Kind::Extra | Kind::Doubled);
        !(spare && told.standing.as_ref().is_some_and(|name| name.key == key))
    });
}
