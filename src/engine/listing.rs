//! What a folder holds now: listed by the source, or made of the journal and of what has changed since.

use super::context::lock;
use super::known;
use super::reading::Reading;
use crate::error::Result;
use crate::outcome::Outcome;
use crate::source::{Listed, Opened, Source};

impl Reading<'_> {
    pub(super) fn whole_listing(&self, source: &mut dyn Source) -> Result<(Opened, Vec<Listed>)> {
        let mut listing = Vec::new();
        let opened = source.list(&self.run.step.source, &mut |listed| {
            listing.push(listed);
            Ok(())
        })?;
        Ok((opened, listing))
    }

    /// The listing made of what the journal knows and what the source says has changed since; `None` where that does not come to the
    /// number of messages that the folder has: then something has gone, and only a listing tells what.
    pub(super) fn since_last_run(
        &self,
        source: &mut dyn Source,
    ) -> Result<Option<(Opened, Vec<Listed>)>> {
        // A run to several destinations works through the folder's changes once for each.
        if self.listed || self.run.again || self.context.destinations.len() > 1 {
            return Ok(None);
        }
        let (folder, sink) = (self.run.folder, self.context.sink);
        let known = self
            .context
            .ledger
            .ask(move |journal| known::when_done(journal, folder, sink))?;
        let Some((since, mut listing)) = known else {
            return Ok(None);
        };
        let opened = source.changes(&self.run.step.source, since, &mut |changed| {
            match listing.binary_search_by(|listed| listed.key.cmp(&changed.key)) {
                Ok(at) => listing[at] = changed,
                Err(at) => listing.insert(at, changed),
            }
            Ok(())
        })?;
        let whole = |opened: &Opened| listing.len() as u64 == u64::from(opened.messages);
        Ok(opened.filter(whole).map(|opened| (opened, listing)))
    }

    /// Every message that was ever shown in this run counts: those gone by now are *vanished*. `missing`: those that the server
    /// counts without showing them.
    pub(super) fn count_listing(&mut self, listing: &[Listed], missing: u64, first: bool) {
        if self.run.again {
            return;
        }
        let fresh = listing
            .iter()
            .filter(|listed| !self.seen.contains(&listed.key))
            .count();
        let there = (self.seen.len() + fresh) as u64 + self.vanished + missing;
        let before = if first && self.seen.is_empty() {
            there
        } else {
            self.run.report().source_count
        };
        self.run.report().source_count = there.max(before);
        if before > there {
            self.vanished += before - there;
            self.run
                .count(self.context, Outcome::Vanished, before - there, 0);
        }
    }

    /// At the end of a run only what was in doubt is sent once more; of that, what is gone by now has vanished.
    pub(super) fn only_resent(&mut self, listing: &mut Vec<Listed>) {
        let resend = lock(&self.context.resend)
            .remove(&self.run.folder)
            .unwrap_or_default();
        let (wanted, others): (Vec<_>, Vec<_>) = std::mem::take(listing)
            .into_iter()
            .partition(|listed| resend.contains(&listed.key));
        self.seen
            .extend(others.into_iter().map(|listed| listed.key));
        let gone = resend.len().saturating_sub(wanted.len()) as u64;
        if gone > 0 {
            self.run.count(self.context, Outcome::Vanished, gone, 0);
        }
        *listing = wanted;
    }
}
