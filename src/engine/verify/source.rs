//! One source folder, read for comparison.

use super::Audit;
use crate::compare::{Level, Name, Row, key_words};
use crate::engine::arrival::{changed_validity, unwanted, unwanted_read};
use crate::engine::link::SourceLink;
use crate::error::{Code, Error, Kind, Result};
use crate::job::Protocol;
use crate::journal::key_text;
use crate::message::{InternalDate, SourceKey};
use crate::net::Flow;
use crate::outcome::Event;
use crate::plan::labels::{self, Part};
use crate::plan::{SourceFolder, Step, Target, map, route};
use crate::source::{Arrival, Listed, Source, Wanted};
use std::collections::HashMap;

/// Where a message goes by the job's routes or by its labels; `None`: to its folder's target.
pub(super) type Routed = Option<Target>;

/// Takes the rows of a folder as they come.
pub(super) type Take<'t> = &'t mut dyn FnMut(Row, Routed);

/// What a folder held beside the rows.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Messages that it holds.
    pub(super) listed: u64,
    pub(super) skipped: u64,
    /// Not in the sample.
    pub(super) counted: u64,
    /// Listed, and not given.
    pub(super) unread: Vec<(Name, String)>,
}

/// One folder being read.
pub(super) struct Reading<'a, 'b> {
    pub(super) audit: &'a Audit<'a>,
    pub(super) step: &'b Step,
    pub(super) folder: &'b SourceFolder,
    /// What is compared of it: the order's level, or a higher one where that alone can answer.
    pub(super) level: Level,
}

impl Reading<'_, '_> {
    /// Reads the folder.
    ///
    /// # Errors
    /// Those of the source; `Kind::Folder` where this folder alone cannot be read.
    pub(super) fn read(&self, link: &mut SourceLink<'_>, take: Take<'_>) -> Result<Told> {
        let listing = link.retry(|source| self.list(source))?;
        let labels = self.audit.context.labels();
        let (mut told, mut wanted) = (Told::default(), Vec::new());
        for listed in listing {
            let left_out = match labels.part(self.step, &listed.flags) {
                Part::Elsewhere => continue,
                part => part == Part::LeftOut,
            };
            told.listed += 1;
            if left_out || unwanted(self.audit.context, &listed, self.deleted_too()).is_some() {
                told.skipped += 1;
            } else {
                wanted.push(listed);
            }
        }
        if let Some(share) = self.audit.order.sample {
            let folder = self.folder.name.escape_ascii().to_string();
            let all = wanted.len();
            share.choose(&mut wanted, |listed| {
                format!("{folder} {}", key_text(&listed.key))
            });
            told.counted += (all - wanted.len()) as u64;
        }
        match self.level {
            Level::Count => told.counted += wanted.len() as u64,
            Level::Headers if self.has_headings() => {
                self.headings(link, wanted, take, &mut told)?
            }
            _ => self.bodies(link, wanted, take, &mut told)?,
        }
        Ok(told)
    }

    fn list(&self, source: &mut dyn Source) -> Result<Vec<Listed>> {
        let mut listing = Vec::new();
        let opened = source.list(self.folder, &mut |listed| {
            listing.push(listed);
            Ok(())
        })?;
        self.check_validity(opened.uid_validity)?;
        Ok(listing)
    }

    fn check_validity(&self, uid_validity: u32) -> Result<()> {
        match uid_validity == self.folder.uid_validity {
            true => Ok(()),
            false => Err(changed_validity(&self.folder.folder.to_string())),
        }
    }

    fn deleted_too(&self) -> bool {
        self.audit.context.sources[self.folder.source as usize]
            .0
            .copy_deleted
    }

    /// Only an IMAP server gives headers without bodies; routes and searches look at more of a header than its identity.
    fn has_headings(&self) -> bool {
        let context = self.audit.context;
        let server = context.sources[self.folder.source as usize]
            .0
            .store
            .server();
        context.account.routes.is_empty()
            && context.account.filter.search.is_none()
            && server.is_some_and(|server| server.protocol == Protocol::Imap)
    }

    fn headings(
        &self,
        link: &mut SourceLink<'_>,
        wanted: Vec<Listed>,
        take: Take<'_>,
        told: &mut Told,
    ) -> Result<()> {
        let mut heads: HashMap<SourceKey, Vec<u8>> = HashMap::new();
        link.retry(|source| {
            let opened = source.headings(self.folder, &mut |heading| {
                heads.insert(heading.listed.key, heading.head);
                Ok(())
            })?;
            opened.map_or(Ok(()), |opened| self.check_validity(opened.uid_validity))
        })?;
        for listed in wanted {
            match heads.remove(&listed.key) {
                Some(head) => {
                    self.advance(0);
                    let routed = self.labelled_target(&listed);
                    take(self.row_of(listed, &head), routed);
                }
                // Expunged between the two looks.
                None => told.listed -= 1,
            }
        }
        Ok(())
    }

    fn bodies(
        &self,
        link: &mut SourceLink<'_>,
        wanted: Vec<Listed>,
        take: Take<'_>,
        told: &mut Told,
    ) -> Result<()> {
        let mut left: HashMap<SourceKey, Listed> = wanted
            .iter()
            .map(|listed| (listed.key.clone(), listed.clone()))
            .collect();
        let mut refused = HashMap::new();
        self.fetch(link, wanted, &mut left, &mut refused, take, told)?;
        if left.is_empty() {
            return Ok(());
        }
        let there = link.retry(|source| self.list(source))?;
        let held_back: Vec<Listed> = there
            .into_iter()
            .filter(|listed| left.contains_key(&listed.key))
            .collect();
        told.listed -= (left.len() - held_back.len()) as u64;
        // One by one: what a server refuses must not hide its neighbours.
        for listed in held_back {
            let key = listed.key.clone();
            self.fetch(link, vec![listed], &mut left, &mut refused, take, told)?;
            if left.contains_key(&key) {
                let words = refused.remove(&key);
                let words =
                    words.unwrap_or_else(|| "the source lists it but does not give it".into());
                let name = Name {
                    key: key_words(&key),
                    ..Name::default()
                };
                told.unread.push((name, words));
            }
        }
        Ok(())
    }

    /// Fetches what is `left` of these, over as many connections as it takes.
    fn fetch(
        &self,
        link: &mut SourceLink<'_>,
        mut wanted: Vec<Listed>,
        left: &mut HashMap<SourceKey, Listed>,
        refused: &mut HashMap<SourceKey, String>,
        take: Take<'_>,
        told: &mut Told,
    ) -> Result<()> {
        while !wanted.is_empty() {
            let before = left.len();
            let source = link.get()?;
            match self.stream(source, &wanted, left, refused, take, told) {
                Ok(()) => return self.audit.context.check_stop(),
                Err(error) if error.is_transient() => {
                    link.drop_connection();
                    if left.len() < before {
                        link.patience.refill();
                    }
                    link.patience.wait(self.audit.context, error)?;
                }
                Err(error) if error.kind == Kind::Folder && error.code == Code::Refused => {
                    return alone(&wanted, error, refused);
                }
                Err(error) => return Err(error),
            }
            wanted.retain(|listed| left.contains_key(&listed.key));
        }
        Ok(())
    }

    fn stream(
        &self,
        source: &mut dyn Source,
        wanted: &[Listed],
        left: &mut HashMap<SourceKey, Listed>,
        refused: &mut HashMap<SourceKey, String>,
        take: Take<'_>,
        told: &mut Told,
    ) -> Result<()> {
        let context = self.audit.context;
        let go_on = || match context.stop.asked() {
            true => Flow::Stop,
            false => Flow::Continue,
        };
        source.fetch(
            self.folder,
            Wanted::Keys(wanted),
            &context.budget,
            &mut |opened| {
                self.check_validity(opened.uid_validity)?;
                Ok(go_on())
            },
            &mut |arrival| {
                self.arrived(arrival, left, refused, take, told);
                Ok(go_on())
            },
        )
    }

    fn arrived(
        &self,
        arrival: Arrival,
        left: &mut HashMap<SourceKey, Listed>,
        refused: &mut HashMap<SourceKey, String>,
        take: Take<'_>,
        told: &mut Told,
    ) {
        let body = match arrival.body {
            Ok(body) => body,
            Err(error) => {
                refused.insert(arrival.key, error.to_string());
                return;
            }
        };
        let Some(mut listed) = left.remove(&arrival.key) else {
            return;
        };
        self.advance(body.size());
        listed.size = Some(body.size());
        let of_header = || InternalDate::from_headers(body.head());
        listed.date = listed.date.or(arrival.date).or_else(of_header);
        let deleted_too = self.deleted_too();
        if unwanted_read(self.audit.context, &listed, body.head(), deleted_too).is_some() {
            told.skipped += 1;
            return;
        }
        let context = self.audit.context;
        let below = |folder| context.target(&map::below(&context.account.folders, folder));
        let routed = route::route(&context.account.routes, body.head(), listed.date).map(below);
        let routed = routed.or_else(|| self.labelled_target(&listed));
        let mut row = self.row_of(listed, body.head());
        row.digests = (self.level == Level::Content).then(|| body.digests());
        take(row, routed);
    }

    fn labelled_target(&self, listed: &Listed) -> Routed {
        let labels = self.audit.context.labels();
        (self.step.take == labels::Take::Routed).then(|| labels.target(self.step, &listed.flags))
    }

    /// A message with the flags that it is delivered with.
    fn row_of(&self, listed: Listed, head: &[u8]) -> Row {
        let labels = self.audit.context.labels();
        Row {
            key: listed.key,
            flags: labels.carried(self.folder, &listed.flags),
            date: listed.date,
            size: listed.size,
            digests: None,
            header: Row::identity(head),
        }
    }

    fn advance(&self, bytes: u64) {
        self.audit.context.tell(Event::Advanced {
            account: self.audit.context.account.name.clone(),
            folder: self.folder.folder.to_string(),
            messages: 1,
            bytes,
        });
    }
}

/// A refusal of one message is that message's; one of several says nothing of any yet.
fn alone(wanted: &[Listed], error: Error, refused: &mut HashMap<SourceKey, String>) -> Result<()> {
    if let [listed] = wanted {
        refused.insert(listed.key.clone(), error.to_string());
    }
    Ok(())
}
