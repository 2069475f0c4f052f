//! Unique-ids of POP3 that stand on another message than the one that the journal knows by them.
//!
//! A server may give an id again once its message is gone (RFC 1939 §7 forbids it, and some do so all the same). The new message would be
//! taken for the known one and never be copied. What gives it away is its size: where the listed size is not that of the known message, it
//! is read and compared. Another message gets the next ordinal of its id, which in the journal is a message of its own. Servers whose sizes
//! are wrong throughout are believed.

use super::context::Context;
use super::reading::Reading;
use crate::error::Result;
use crate::journal::{FolderId, Journal};
use crate::message::text::safe;
use crate::message::{Digests, SourceKey};
use crate::net::Flow;
use crate::source::{Listed, Source, Wanted};
use std::collections::{HashMap, HashSet};

/// So many messages of another size are compared, or a tenth of those known; where there are more, the server's sizes are wrong.
const COMPARED: usize = 20;

/// A message that the journal knows by an id.
#[derive(Debug, Clone, PartialEq)]
struct Known {
    ordinal: u32,
    size: u64,
    digests: Digests,
}

/// What the journal knows by the ids of a listing.
#[derive(Debug, Default)]
struct Ids {
    known: usize,
    /// By the id, in the order of ordinals: only those for which the listing shows another size than the first one's.
    other_size: HashMap<Box<[u8]>, Vec<Known>>,
}

impl Reading<'_> {
    /// Gives the keys of a POP3 listing the ordinals under which the journal has, or will have, their messages.
    pub(super) fn tell_reused_apart(
        &self,
        source: &mut dyn Source,
        listing: &mut [Listed],
    ) -> Result<()> {
        if !self.is_pop3() {
            return Ok(());
        }
        let sizes: HashMap<Box<[u8]>, u64> = listing.iter().filter_map(id_and_size).collect();
        let (folder, sink) = (self.run.folder, self.context.sink);
        let ids = self
            .context
            .ledger
            .ask(move |journal| look_up(journal, folder, sink, &sizes))?;
        let lies = ids.other_size.len() > COMPARED.max(ids.known / 10);
        for listed in listing {
            let Some((id, size)) = id_and_size(listed) else {
                continue;
            };
            let Some(known) = ids.other_size.get(&id) else {
                continue;
            };
            let ordinal = match by_size(known, size) {
                Some(ordinal) => ordinal,
                None if lies => known.last().map_or(0, |known| known.ordinal),
                None => self.compared(source, listed, known)?,
            };
            listed.key = SourceKey::Name { name: id, ordinal };
        }
        Ok(())
    }

    fn is_pop3(&self) -> bool {
        let index = self.run.step.source.source as usize;
        self.context.sources[index].0.store.is_pop3()
    }

    /// Does the source list this key? Its own listing knows nothing of ids that were given again.
    pub(super) fn is_among(&self, listed: &HashSet<SourceKey>, key: &SourceKey) -> bool {
        let first = || match key {
            SourceKey::Name { name, .. } if self.is_pop3() => listed.contains(&SourceKey::Name {
                name: name.clone(),
                ordinal: 0,
            }),
            _ => false,
        };
        listed.contains(key) || first()
    }

    /// Reads the message and finds out which one it is.
    fn compared(&self, source: &mut dyn Source, listed: &Listed, known: &[Known]) -> Result<u32> {
        let newest = known.last().map_or(0, |known| known.ordinal);
        let Some(digests) = self.digests(source, listed)? else {
            return Ok(newest);
        };
        let same = |known: &&Known| {
            known.digests.exact == digests.exact || known.digests.loose == digests.loose
        };
        if let Some(known) = known.iter().rev().find(same) {
            return Ok(known.ordinal);
        }
        warn(self.context, listed);
        Ok(newest + 1)
    }

    /// `None`: the server does not give the message now; fetching it will tell why.
    fn digests(&self, source: &mut dyn Source, listed: &Listed) -> Result<Option<Digests>> {
        let mut digests = None;
        let (folder, budget) = (&self.run.step.source, &self.context.budget);
        source.fetch(
            folder,
            Wanted::Keys(std::slice::from_ref(listed)),
            budget,
            &mut |_| Ok(Flow::Continue),
            &mut |arrival| {
                digests = arrival.body.ok().map(|body| body.digests());
                Ok(Flow::Continue)
            },
        )?;
        Ok(digests)
    }
}

fn warn(context: &Context, listed: &Listed) {
    let SourceKey::Name { name, .. } = &listed.key else {
        return;
    };
    context.warn(format!(
        "the server has given the unique-id {} of an earlier message to another one, which counts as new",
        safe(name, 70)
    ));
}

/// The unique-id and the size, of a message that is known by its unique-id alone.
fn id_and_size(listed: &Listed) -> Option<(Box<[u8]>, u64)> {
    match &listed.key {
        // Names with a space are made of the message itself.
        SourceKey::Name { name, ordinal: 0 } if !name.contains(&b' ') => {
            Some((name.clone(), listed.size?))
        }
        _ => None,
    }
}

fn look_up(
    journal: &mut Journal,
    folder: FolderId,
    sink: u32,
    sizes: &HashMap<Box<[u8]>, u64>,
) -> Result<Ids> {
    let mut ids = Ids::default();
    let mut all: HashMap<Box<[u8]>, Vec<Known>> = HashMap::new();
    journal.for_each_message(folder, sink, &mut |row| {
        let SourceKey::Name { name, ordinal } = row.key else {
            return;
        };
        // What was never read tells nothing.
        let (Some(&size), Some(digests)) = (sizes.get(&name), row.digests) else {
            return;
        };
        ids.known += usize::from(ordinal == 0);
        // One of the size that is listed, and no other, is most of them: nothing is kept of those.
        if ordinal > 0 || !is_of_size(row.size, size) {
            all.entry(name).or_default().push(Known {
                ordinal,
                size: row.size,
                digests,
            });
        }
    })?;
    all.retain(|_, known| known.first().is_some_and(|first| first.ordinal == 0));
    ids.other_size = all;
    Ok(ids)
}

/// Does a message of this size, as it was read, fit the size that is listed? A last line without an end is listed without, and sent with one.
fn is_of_size(read: u64, listed: u64) -> bool {
    read == listed || read == listed + 2
}

/// The newest of this size.
fn by_size(known: &[Known], size: u64) -> Option<u32> {
    let mut newest_first = known.iter().rev();
    let same = newest_first.find(|known| is_of_size(known.size, size));
    same.map(|known| known.ordinal)
}
