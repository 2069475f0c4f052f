//! One destination folder: what still is as it was delivered is removed, the rest is told.

use super::{Left, Undo};
use crate::compare::{Name, key_words};
use crate::engine::link::SinkLink;
use crate::error::{Kind, Result};
use crate::failpoint;
use crate::journal::{ABOUT, Added, UNDONE};
use crate::message::{Digests, Flags, SourceKey, header};
use crate::net::Flow;
use crate::outcome::Event;
use crate::sink::{Content, Removed};
use std::collections::HashMap;

/// Messages that are read, and removed, at once.
const CHUNK: usize = 200;

/// What a message at the destination is now.
struct Now {
    digests: Digests,
    message_id: Option<Vec<u8>>,
}

impl Undo<'_> {
    /// Gives how many messages the folder holds afterwards; `None` where it could not be looked at.
    pub(super) fn one_folder(
        &mut self,
        link: &mut SinkLink<'_>,
        name: &[u8],
        uid_validity: u32,
        shown: &str,
        added: Vec<Added>,
    ) -> Result<Option<u64>> {
        let mut contents: HashMap<u32, Content> = HashMap::new();
        let looked = link.retry(|sink| {
            contents.clear();
            sink.contents(name, &mut |content| {
                contents.insert(content.uid, content);
                Ok(())
            })
        });
        let why = match looked {
            Ok(door) if door.uid_validity == uid_validity => None,
            Ok(_) => Some("the folder was made anew since".to_owned()),
            Err(error) if error.kind == Kind::Folder => {
                Some(format!("the folder is gone: {error}"))
            }
            Err(error) => return Err(error),
        };
        if let Some(why) = why {
            added.iter().for_each(|one| self.leave(shown, one, &why));
            return Ok(None);
        }
        let before = self.report.taken_back;
        let (candidates, gone_before) = self.as_delivered(shown, added, &contents);
        self.settle_gone(&gone_before)?;
        for chunk in candidates.chunks(CHUNK) {
            self.context.check_stop()?;
            self.chunk(link, name, shown, chunk)?;
        }
        let taken = self.report.taken_back - before - gone_before.len() as u64;
        Ok(Some((contents.len() as u64).saturating_sub(taken)))
    }

    /// Those with the flags that they were delivered with, and those that an `undo` that was killed removed. The rest stays, and is told.
    fn as_delivered(
        &mut self,
        shown: &str,
        added: Vec<Added>,
        contents: &HashMap<u32, Content>,
    ) -> (Vec<Added>, Vec<Added>) {
        let (mut candidates, mut gone) = (Vec::new(), Vec::new());
        for one in added {
            let begun = one.words.as_deref() == Some(ABOUT);
            let standing = one.delivered.uid.and_then(|uid| contents.get(&uid));
            let why = match standing {
                _ if one.outcome == UNDONE => format!("taken back already, in run {}", one.run),
                _ if !one.stands => format!("run {} found the message in another place", one.run),
                _ if one.only_copy => {
                    "it is gone from the source: this may be the only copy".to_owned()
                }
                _ if one.delivered.uid.is_none() => "the server never told its UID".to_owned(),
                None if begun => {
                    gone.push(one);
                    continue;
                }
                None => "gone already".to_owned(),
                Some(content) if !same_flags(&one, &content.flags, begun) => {
                    let now = content.flags.to_text();
                    format!(
                        "its flags were changed since: ({now}), delivered with ({})",
                        one.flags.to_text()
                    )
                }
                Some(_) => {
                    candidates.push(one);
                    continue;
                }
            };
            self.leave(shown, &one, &why);
        }
        (candidates, gone)
    }

    fn chunk(
        &mut self,
        link: &mut SinkLink<'_>,
        name: &[u8],
        shown: &str,
        chunk: &[Added],
    ) -> Result<()> {
        let now = self.read(link, name, chunk)?;
        let mut wanted = Vec::new();
        for one in chunk {
            match one.delivered.uid.and_then(|uid| now.get(&uid)) {
                None => self.leave(shown, one, "the destination does not give its bytes"),
                Some(now) if !is_as_delivered(one, now) => {
                    self.leave(shown, one, "its content is not what was delivered");
                }
                Some(_) => wanted.push(one.clone()),
            }
        }
        self.remove(link, name, shown, &wanted)
    }

    fn read(
        &self,
        link: &mut SinkLink<'_>,
        name: &[u8],
        chunk: &[Added],
    ) -> Result<HashMap<u32, Now>> {
        let mut now = HashMap::new();
        let uids: Vec<(u32, u32)> = chunk
            .iter()
            .filter_map(|one| one.delivered.uid)
            .map(|uid| (uid, uid))
            .collect();
        link.retry(|sink| {
            sink.bodies(name, &uids, &self.context.budget, &mut |uid, body| {
                if let Ok(body) = body {
                    let message_id = header::message_id(body.head());
                    let digests = body.digests();
                    now.insert(
                        uid,
                        Now {
                            digests,
                            message_id,
                        },
                    );
                }
                Ok(Flow::Continue)
            })
        })?;
        Ok(now)
    }

    /// Written down, removed, written down.
    fn remove(
        &mut self,
        link: &mut SinkLink<'_>,
        name: &[u8],
        shown: &str,
        wanted: &[Added],
    ) -> Result<()> {
        let Some(run) = self.run.filter(|_| !wanted.is_empty()) else {
            self.report.taken_back += wanted.len() as u64;
            return Ok(());
        };
        let sink = self.context.sink;
        self.journal.about_to_take_back(run, sink, wanted)?;
        failpoint::pass("undo: before the destination is touched");
        let uids: Vec<u32> = wanted.iter().filter_map(|one| one.delivered.uid).collect();
        let validity = wanted.first().map_or(0, |one| one.delivered.uid_validity);
        let removed = link.retry(|sink| sink.remove(name, validity, &uids))?;
        failpoint::pass("undo: removed, not written down");
        if removed == Removed::OtherFolder {
            let why = "the folder was made anew just now";
            wanted.iter().for_each(|one| self.leave(shown, one, why));
            return Ok(());
        }
        let gone = removed == Removed::Gone;
        self.journal
            .taken_back(run, sink, wanted, self.of_run, gone)?;
        self.report.taken_back += wanted.len() as u64;
        self.report.marked += if gone { 0 } else { wanted.len() as u64 };
        self.context.tell(Event::Advanced {
            account: self.context.account.name.clone(),
            folder: shown.to_owned(),
            messages: wanted.len() as u64,
            bytes: 0,
        });
        Ok(())
    }

    /// An earlier `undo` was killed behind the removal: only the journal lacks it.
    fn settle_gone(&mut self, gone: &[Added]) -> Result<()> {
        if let Some(run) = self.run.filter(|_| !gone.is_empty()) {
            let sink = self.context.sink;
            self.journal
                .taken_back(run, sink, gone, self.of_run, true)?;
        }
        self.report.taken_back += gone.len() as u64;
        Ok(())
    }

    fn leave(&mut self, folder: &str, one: &Added, why: &str) {
        let key = one.delivered.uid.map(|uid| key_words(&SourceKey::Uid(uid)));
        let id = one.message_id.as_deref().unwrap_or_default();
        self.report.left.push(Left {
            folder: folder.to_owned(),
            name: Name {
                key: key.unwrap_or_default(),
                message_id: String::from_utf8_lossy(id).into_owned(),
                date: one.date.map(|date| date.epoch),
                subject: String::new(),
            },
            why: why.to_owned(),
        });
    }
}

/// `begun`: an `undo` that was killed may have marked it as deleted.
fn same_flags(one: &Added, now: &Flags, begun: bool) -> bool {
    let mut now = now.unlabelled();
    now.deleted &= !begun || one.flags.deleted;
    one.flags.unlabelled() == now
}

/// Byte for byte; of what the server altered on its way in, only the Message-ID is known, and that a UID's bytes never change.
fn is_as_delivered(one: &Added, now: &Now) -> bool {
    match one.outcome.as_str() {
        "altered" => one.message_id == now.message_id,
        _ => one
            .digests
            .is_some_and(|digests| digests.exact == now.digests.exact),
    }
}
