//! Getting bodies from a source, and what to do about those that do not come.

use super::arrival::{arrived, changed_validity};
use super::collect::lane_closed;
use super::reading::Reading;
use crate::error::{Code, Kind, Result};
use crate::net::Flow;
use crate::outcome::Outcome;
use crate::source::{Listed, Opened, Source, Wanted};
use std::collections::HashSet;

impl Reading<'_> {
    /// Fetches these, asks once more for those that did not come, and gives those that never come their outcome.
    pub(super) fn fetch_all(
        &mut self,
        source: &mut dyn Source,
        mut wanted: Vec<Listed>,
    ) -> Result<()> {
        if wanted.is_empty() {
            return Ok(());
        }
        self.try_fetch(source, &wanted, false)?;
        wanted.retain(|listed| !self.seen.contains(&listed.key));
        if wanted.is_empty() {
            return Ok(());
        }
        let mut there = HashSet::new();
        source.list(&self.run.step.source, &mut |listed| {
            there.insert(listed.key);
            Ok(())
        })?;
        let (held_back, gone): (Vec<_>, Vec<_>) = wanted
            .into_iter()
            .partition(|listed| self.is_among(&there, &listed.key));
        for listed in gone {
            self.verdict(
                &listed,
                Outcome::Vanished,
                "gone at the source before it was read",
            )?;
        }
        self.fetch_parts(source, held_back)
    }

    /// Asks for ever smaller parts of what the source lists but did not give, until what it never gives is alone.
    pub(super) fn fetch_parts(&mut self, source: &mut dyn Source, part: Vec<Listed>) -> Result<()> {
        self.next = None;
        let mut parts = vec![part];
        while let Some(mut part) = parts.pop().filter(|part| !part.is_empty()) {
            self.context.check_stop()?;
            let alone = part.len() == 1;
            let words = self.try_fetch(source, &part, alone)?;
            part.retain(|listed| !self.seen.contains(&listed.key));
            match part.as_slice() {
                [] => {}
                [listed] if alone => {
                    let words = words
                        .unwrap_or_else(|| "the source lists it but does not give it".to_owned());
                    self.verdict(listed, Outcome::Failed, &words)?;
                }
                _ => {
                    let rest = part.split_off(part.len().div_ceil(2));
                    parts.extend([rest, part].into_iter().filter(|part| !part.is_empty()));
                }
            }
        }
        Ok(())
    }

    /// Fetches these; that the server refuses is no error yet: its words.
    pub(super) fn try_fetch(
        &mut self,
        source: &mut dyn Source,
        wanted: &[Listed],
        last: bool,
    ) -> Result<Option<String>> {
        match self.fetch(source, Wanted::Keys(wanted), last) {
            Ok(_) => Ok(None),
            Err(error) if error.kind == Kind::Folder && error.code == Code::Refused => {
                Ok(Some(error.words.unwrap_or(error.what)))
            }
            Err(error) => Err(error),
        }
    }

    /// Streams messages down the lane. `last`: one that comes without a body is not asked for again.
    pub(super) fn fetch(
        &mut self,
        source: &mut dyn Source,
        wanted: Wanted<'_>,
        last: bool,
    ) -> Result<Option<Opened>> {
        let context = self.context;
        let validity = self.run.step.source.uid_validity;
        let mut state = None;
        let deleted_too = self.copies_deleted();
        let (lane, seen) = (self.lane, &mut self.seen);
        let name = self.run.step.source.folder.to_string();
        let mut nothing = |_| None;
        let next = match &mut self.next {
            Some(next) => &mut **next,
            None => &mut nothing,
        };
        source.fetch_on(
            &self.run.step.source,
            wanted,
            &context.budget,
            &mut |opened| {
                if opened.uid_validity != validity {
                    return Err(changed_validity(&name));
                }
                state = Some(*opened);
                Ok(if context.stop.asked() {
                    Flow::Stop
                } else {
                    Flow::Continue
                })
            },
            &mut |arrival| {
                if let Some(cargo) = arrived(context, arrival, seen, last, deleted_too)? {
                    lane.send(cargo).map_err(|_| lane_closed())?;
                }
                Ok(if context.stop.asked() {
                    Flow::Stop
                } else {
                    Flow::Continue
                })
            },
            next,
        )?;
        context.check_stop()?;
        Ok(state)
    }
}
