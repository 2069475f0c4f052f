//! One destination folder, read for comparison.

use super::Audit;
use crate::compare::{Level, Row, head_key};
use crate::engine::link::SinkLink;
use crate::error::Result;
use crate::message::SourceKey;
use crate::net::Flow;
use crate::sink::{Content, Sink};
use std::collections::{BTreeMap, HashSet};

/// UIDs asked for in one command where not all are wanted.
const CHUNK: usize = 500;

/// What of a folder is read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Want<'a> {
    /// Every message.
    All,
    /// Those with one of these header keys.
    Heads(&'a HashSet<Vec<u8>>),
}

/// A destination folder as it was read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Standing {
    pub(super) uid_validity: u32,
    pub(super) messages: u64,
}

/// One folder being read.
pub(super) struct Folder<'a> {
    pub(super) audit: &'a Audit<'a>,
    /// Wire name.
    pub(super) name: &'a [u8],
    pub(super) level: Level,
}

impl Folder<'_> {
    /// Reads the folder, what is wanted of it one row a message.
    ///
    /// # Errors
    /// Those of the destination; `Kind::Folder` where this folder alone cannot be read.
    pub(super) fn read(
        &self,
        link: &mut SinkLink<'_>,
        want: Want<'_>,
        take: &mut dyn FnMut(Row),
    ) -> Result<Standing> {
        if self.level == Level::Count {
            let door = link.retry(|sink| sink.door(self.name))?;
            return Ok(Standing {
                uid_validity: door.uid_validity,
                messages: u64::from(door.messages),
            });
        }
        let (standing, mut contents) = link.retry(|sink| self.contents(sink))?;
        if self.level == Level::Headers && self.has_heads() {
            self.heads(link, &mut contents, want, take)?;
            return Ok(standing);
        }
        if let Want::Heads(keys) = want {
            let wanted = self.with_heads(link, keys)?;
            contents.retain(|uid, _| wanted.contains(uid));
        }
        self.bodies(link, contents, take)?;
        Ok(standing)
    }

    fn contents(&self, sink: &mut dyn Sink) -> Result<(Standing, BTreeMap<u32, Content>)> {
        let mut contents = BTreeMap::new();
        let door = sink.contents(self.name, &mut |content| {
            contents.insert(content.uid, content);
            Ok(())
        })?;
        let standing = Standing {
            uid_validity: door.uid_validity,
            messages: contents.len() as u64,
        };
        Ok((standing, contents))
    }

    /// A server's sizes can be compared with another server's; those of files are of what lies on disk.
    fn has_heads(&self) -> bool {
        !self.audit.context.destination.0.store.is_local()
    }

    fn heads(
        &self,
        link: &mut SinkLink<'_>,
        contents: &mut BTreeMap<u32, Content>,
        want: Want<'_>,
        take: &mut dyn FnMut(Row),
    ) -> Result<()> {
        link.retry(|sink| {
            sink.heads(self.name, (1, u32::MAX), &mut |head| {
                let header = Row::identity(&head.head);
                let wanted = match want {
                    Want::All => true,
                    Want::Heads(keys) => keys.contains(&head_key(&header)),
                };
                if let Some(content) = contents.remove(&head.uid).filter(|_| wanted) {
                    let size = head.size.or(content.size);
                    take(Row {
                        key: SourceKey::Uid(head.uid),
                        flags: content.flags,
                        date: content.date,
                        size,
                        digests: None,
                        header,
                    });
                }
                Ok(())
            })
        })
    }

    /// UIDs of the messages with one of these header keys.
    pub(super) fn with_heads(
        &self,
        link: &mut SinkLink<'_>,
        keys: &HashSet<Vec<u8>>,
    ) -> Result<HashSet<u32>> {
        let mut found = HashSet::new();
        link.retry(|sink| {
            sink.heads(self.name, (1, u32::MAX), &mut |head| {
                if keys.contains(&head_key(&Row::identity(&head.head))) {
                    found.insert(head.uid);
                }
                Ok(())
            })
        })?;
        Ok(found)
    }

    /// Reads these, over as many connections as it takes. What the server does not give has a row without digests, if it still stands.
    pub(super) fn bodies(
        &self,
        link: &mut SinkLink<'_>,
        mut left: BTreeMap<u32, Content>,
        take: &mut dyn FnMut(Row),
    ) -> Result<()> {
        loop {
            let before = left.len();
            let sets = ranges(&left);
            let mut again = None;
            for set in &sets {
                let sink = link.get()?;
                if let Err(error) = self.stream(sink, set, &mut left, take) {
                    again = Some(error);
                    break;
                }
                self.audit.context.check_stop()?;
            }
            match again {
                None if left.is_empty() => return Ok(()),
                // Refused in part, or gone meanwhile: asked for once more as long as that brings anything.
                None if left.len() < before => {}
                None => break,
                Some(error) if error.is_transient() => {
                    link.drop_connection();
                    if left.len() < before {
                        link.patience.refill();
                    }
                    link.patience.wait(self.audit.context, error)?;
                }
                Some(error) => return Err(error),
            }
        }
        self.unread(link, left, take)
    }

    fn stream(
        &self,
        sink: &mut dyn Sink,
        set: &[(u32, u32)],
        left: &mut BTreeMap<u32, Content>,
        take: &mut dyn FnMut(Row),
    ) -> Result<()> {
        let context = self.audit.context;
        let content_level = self.level == Level::Content;
        // A refusal of a part leaves its messages where they are: they are asked for again.
        sink.bodies(self.name, set, &context.budget, &mut |uid, body| {
            if let Some((body, content)) =
                body.ok().and_then(|body| Some((body, left.remove(&uid)?)))
            {
                take(Row {
                    key: SourceKey::Uid(uid),
                    flags: content.flags,
                    date: content.date,
                    size: Some(body.size()),
                    digests: content_level.then(|| body.digests()),
                    header: Row::identity(body.head()),
                });
            }
            Ok(match context.stop.asked() {
                true => Flow::Stop,
                false => Flow::Continue,
            })
        })
        .map(drop)
    }

    fn unread(
        &self,
        link: &mut SinkLink<'_>,
        left: BTreeMap<u32, Content>,
        take: &mut dyn FnMut(Row),
    ) -> Result<()> {
        let (_, there) = link.retry(|sink| self.contents(sink))?;
        for (uid, content) in left {
            if there.contains_key(&uid) {
                take(Row {
                    key: SourceKey::Uid(uid),
                    flags: content.flags,
                    date: content.date,
                    size: content.size,
                    digests: None,
                    header: Row::identity(b""),
                });
            }
        }
        Ok(())
    }
}

/// The UIDs as ranges, some at a time.
fn ranges(uids: &BTreeMap<u32, Content>) -> Vec<Vec<(u32, u32)>> {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for &uid in uids.keys() {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(uid) => *last = uid,
            _ => ranges.push((uid, uid)),
        }
    }
    ranges.chunks(CHUNK).map(<[_]>::to_vec).collect()
}
