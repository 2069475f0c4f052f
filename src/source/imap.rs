//! An IMAP account as a source. EXAMINE and BODY.PEEK[] only; SELECT only for `after`.

mod removal;

use super::{AfterMessage, Arrival, Heading, Listed, Opened, Source, Traces, Wanted, foreign_key};
use crate::auth::Credentials;
use crate::error::{Code, End, Error, Kind, Result};
use crate::imap::{self, Fetched, Mailbox, Selected, Session, Status, Stretch};
use crate::job::{After, Preset, Protocol, Server, SourceSpec};
use crate::message::{Flags, Folder, SourceKey, labels};
use crate::net::Flow;
use crate::plan::SourceFolder;
use crate::spool::Budget;
use std::collections::{HashMap, HashSet};

/// Every UID of a folder.
const ALL: (u32, u32) = (1, u32::MAX);
/// Ranges of UIDs whose commands are few and short enough to be sent all at once.
const AT_ONCE: usize = 1000;

pub(super) struct ImapSource {
    session: Session,
    preset: Preset,
    shared: bool,
    index: u32,
}

impl ImapSource {
    pub(super) fn open(
        spec: &SourceSpec,
        server: &Server,
        index: u32,
        login: &Credentials,
    ) -> Result<Self> {
        let session = Session::open(&server.endpoint, login)?;
        Ok(ImapSource {
            preset: server.preset.after_hearing(session.introduction()),
            session,
            shared: spec.shared,
            index,
        })
    }

    /// The session, nothing under way.
    fn session(&mut self) -> Result<&mut Session> {
        self.session.forget_ahead()?;
        Ok(&mut self.session)
    }

    fn folder(&mut self, mailbox: Mailbox, folder: Option<Folder>) -> Result<Option<SourceFolder>> {
        let Some(folder) = folder.filter(|_| mailbox.selectable) else {
            return Ok(None);
        };
        let status = match mailbox.status {
            Some(status) => status,
            None => self.status_by_opening(&mailbox.name)?,
        };
        Ok(Some(SourceFolder {
            source: self.index,
            folder,
            name: mailbox.name,
            special_use: mailbox.special_use,
            subscribed: mailbox.subscribed,
            uid_validity: status.uid_validity,
            uid_next: status.uid_next,
            messages: status.messages,
            highest_modseq: status.highest_modseq,
            labelled: self.session.capabilities().gmail,
        }))
    }

    /// For a mailbox whose STATUS the server did not tell. One that cannot be opened either is not left out: it fails by name
    /// when it comes to it.
    fn status_by_opening(&mut self, name: &[u8]) -> Result<Status> {
        match self.session()?.examine(name) {
            Ok(selected) => Ok(Status {
                messages: selected.exists,
                uid_next: selected.uid_next,
                uid_validity: selected.uid_validity,
                highest_modseq: selected.highest_modseq,
            }),
            Err(error) if error.kind == Kind::Folder => Ok(Status::default()),
            Err(error) => Err(error),
        }
    }
}

impl Source for ImapSource {
    fn folders(&mut self) -> Result<Vec<SourceFolder>> {
        let shared = self.shared;
        let mailboxes = self.session()?.list(shared)?;
        let named = imap::folders(&mailboxes, &self.session.personal().prefix);
        let folders = mailboxes.into_iter().zip(named);
        folders
            .filter_map(|(mailbox, folder)| self.folder(mailbox, folder).transpose())
            .collect()
    }

    fn list(
        &mut self,
        folder: &SourceFolder,
        on: &mut dyn FnMut(Listed) -> Result<()>,
    ) -> Result<Opened> {
        let mut opened = opened(&self.session()?.examine(&folder.name)?);
        let mut shown = HashSet::new();
        let own = own_label(folder);
        if opened.messages > 0 {
            self.session.listing(&[ALL], &mut |item| {
                if shown.insert(item.uid) {
                    on(listed(item, &own))?;
                }
                Ok(())
            })?;
        }
        opened.messages = opened.messages.saturating_sub(self.session.expunged());
        Ok(opened)
    }

    fn changes(
        &mut self,
        folder: &SourceFolder,
        since: u64,
        on: &mut dyn FnMut(Listed) -> Result<()>,
    ) -> Result<Option<Opened>> {
        if !self.session.capabilities().condstore {
            return Ok(None);
        }
        let opened = opened(&self.session()?.examine(&folder.name)?);
        // A lower one: the server was set back, and its numbers mean something else now.
        if opened.highest_modseq.is_none_or(|now| now < since) {
            return Ok(None);
        }
        if opened.messages > 0 {
            let own = own_label(folder);
            self.session
                .changes(&[ALL], since, &mut |item| on(listed(item, &own)))?;
        }
        Ok(Some(opened))
    }

    fn fetch(
        &mut self,
        folder: &SourceFolder,
        wanted: Wanted<'_>,
        budget: &Budget,
        on_open: &mut dyn FnMut(&Opened) -> Result<Flow>,
        on: &mut dyn FnMut(Arrival) -> Result<Flow>,
    ) -> Result<()> {
        self.fetch_on(folder, wanted, budget, on_open, on, &mut |_| None)
    }

    fn fetch_on(
        &mut self,
        folder: &SourceFolder,
        wanted: Wanted<'_>,
        budget: &Budget,
        on_open: &mut dyn FnMut(&Opened) -> Result<Flow>,
        on: &mut dyn FnMut(Arrival) -> Result<Flow>,
        next: &mut dyn FnMut(usize) -> Option<SourceFolder>,
    ) -> Result<()> {
        let own = own_label(folder);
        let on_open = &mut |selected: &Selected| on_open(&opened(selected));
        let on = &mut |fetched| on(arrival(fetched, own.as_ref()));
        let alone = matches!(wanted, Wanted::Keys([_]));
        let stretch = stretch(folder, wanted)?;
        if stretch.uids.len() > AT_ONCE {
            self.session()?
                .examine_and_bodies(&folder.name, &stretch.uids, budget, on_open, on)?;
            return Ok(());
        }
        let next = &mut |n| next(n).map(|next| whole(&next));
        let streamed = self.session.stream(stretch, budget, on_open, on, next)?;
        match streamed.refused {
            // Of several, those that did not come are asked for again; of one, these are the words for its outcome.
            Some(words) if alone => {
                let what = "the source does not give the message";
                let error = Error::new(Kind::Folder, Code::Refused, what);
                Err(error.words(words).at(End::Source))
            }
            _ => Ok(()),
        }
    }

    fn is_divisible(&self) -> bool {
        true
    }

    fn fetch_range(
        &mut self,
        folder: &SourceFolder,
        uids: (u32, u32),
        budget: &Budget,
        on_open: &mut dyn FnMut(&Opened) -> Result<Flow>,
        on: &mut dyn FnMut(Arrival) -> Result<Flow>,
        next: &mut dyn FnMut(usize) -> Option<(u32, u32)>,
    ) -> Result<()> {
        let own = own_label(folder);
        self.session.stream(
            range(folder, uids),
            budget,
            &mut |selected| on_open(&opened(selected)),
            &mut |fetched| on(arrival(fetched, own.as_ref())),
            &mut |n| next(n).map(|uids| range(folder, uids)),
        )?;
        Ok(())
    }

    fn headings(
        &mut self,
        folder: &SourceFolder,
        on: &mut dyn FnMut(Heading) -> Result<()>,
    ) -> Result<Option<Opened>> {
        let mut listing = HashMap::new();
        let opened = self.list(folder, &mut |listed| {
            if let SourceKey::Uid(uid) = listed.key {
                listing.insert(uid, listed);
            }
            Ok(())
        })?;
        if opened.messages > 0 {
            self.session
                .headers(&[ALL], &mut |item| match listing.remove(&item.uid) {
                    Some(listed) => on(Heading {
                        listed,
                        head: item.head,
                    }),
                    None => Ok(()),
                })?;
        }
        // Listed, but its header was not given: nothing is known of it, so it is like nothing else.
        for listed in listing.into_values() {
            on(Heading {
                listed,
                head: Vec::new(),
            })?;
        }
        Ok(Some(opened))
    }

    fn after(
        &mut self,
        folder: &SourceFolder,
        after: &After,
        messages: &[AfterMessage],
    ) -> Result<Vec<SourceKey>> {
        let uids = ranges(messages.iter().map(|message| &message.key))?;
        if uids.is_empty() || *after == After::Keep {
            return Ok(Vec::new());
        }
        self.select(folder)?;
        match after {
            After::Keep => {}
            After::Delete | After::DeleteAfterDays(_) => self.remove(&uids)?,
            After::MarkRead => {
                let seen = Flags {
                    seen: true,
                    ..Flags::default()
                };
                self.session.store(&uids, &seen, &Flags::default())?;
            }
            After::MoveTo(target) => self.move_to(&uids, target)?,
        }
        Ok(messages.iter().map(|message| message.key.clone()).collect())
    }

    fn only_marks(&self, after: &After) -> bool {
        let can = self.session.capabilities();
        let moves = match after {
            After::Keep | After::MarkRead => return false,
            After::Delete | After::DeleteAfterDays(_) => self.deletes_through_trash(),
            After::MoveTo(_) => true,
        };
        !(can.uidplus || moves && can.move_)
    }

    fn assumed(&self) -> Vec<String> {
        self.preset.heard(Protocol::Imap, End::Source)
    }

    fn peer(&self) -> Option<std::net::SocketAddr> {
        self.session.peer()
    }

    fn traces(&mut self) -> Result<Traces> {
        let statuses = self.session()?.status(&[b"INBOX"])?;
        let inbox = statuses.into_iter().flatten().next();
        Ok(Traces {
            inbox: inbox.map(|status| (status.uid_validity, status.uid_next)),
            uidls: Vec::new(),
        })
    }

    fn close(self: Box<Self>) -> Result<()> {
        if self.session.is_ahead() {
            // Nobody waits for what still flows.
            return Ok(());
        }
        self.session.logout()
    }
}

/// The label that the folder is the view of: its messages have it, whether the server says so or not.
fn own_label(folder: &SourceFolder) -> Option<String> {
    let label = labels::of_folder(&folder.name, folder.special_use);
    // A star is a flag.
    label.filter(|label| folder.labelled && label != labels::STARRED)
}

/// `own`: the label that its folder is the view of.
fn arrival(fetched: Fetched, own: Option<&String>) -> Arrival {
    let uid = fetched.uid;
    let mut flags = fetched.flags;
    flags.labels.extend(own.cloned());
    Arrival {
        key: SourceKey::Uid(uid),
        flags,
        date: fetched.date,
        body: fetched.body.ok_or_else(|| no_body(uid)),
    }
}

fn whole(folder: &SourceFolder) -> Stretch {
    Stretch {
        mailbox: folder.name.clone(),
        uids: vec![ALL],
        messages: folder.messages,
    }
}

/// As many messages as there are in such a range if they lie evenly.
fn range(folder: &SourceFolder, uids: (u32, u32)) -> Stretch {
    let all = folder.uid_next.unwrap_or(u32::MAX).max(1);
    let part = uids.1.min(all) - uids.0.min(all) + 1;
    let messages = u64::from(folder.messages) * u64::from(part) / u64::from(all);
    Stretch {
        uids: vec![uids],
        messages: u32::try_from(messages).unwrap_or(u32::MAX),
        ..whole(folder)
    }
}

fn stretch(folder: &SourceFolder, wanted: Wanted<'_>) -> Result<Stretch> {
    let Wanted::Keys(listed) = wanted else {
        return Ok(whole(folder));
    };
    Ok(Stretch {
        uids: ranges(listed.iter().map(|listed| &listed.key))?,
        messages: u32::try_from(listed.len()).unwrap_or(u32::MAX),
        ..whole(folder)
    })
}

fn listed(mut item: crate::imap::Listed, own: &Option<String>) -> Listed {
    item.flags.labels.extend(own.clone());
    Listed {
        key: SourceKey::Uid(item.uid),
        flags: item.flags,
        date: item.date,
        size: item.size,
    }
}

fn opened(selected: &Selected) -> Opened {
    Opened {
        uid_validity: selected.uid_validity,
        messages: selected.exists,
        uid_next: selected.uid_next,
        highest_modseq: selected.highest_modseq,
    }
}

/// FETCH … OK without a body is real, and never "done".
fn no_body(uid: u32) -> Error {
    Error::new(
        Kind::Message,
        Code::Refused,
        format!("the source gave no body for UID {uid}"),
    )
    .at(End::Source)
}

/// UIDs as ranges, ascending: some servers refuse sets in another order.
fn ranges<'a>(keys: impl Iterator<Item = &'a SourceKey>) -> Result<Vec<(u32, u32)>> {
    let mut uids = keys
        .map(|key| match key {
            SourceKey::Uid(uid) => Ok(*uid),
            other => Err(foreign_key(other)),
        })
        .collect::<Result<Vec<u32>>>()?;
    uids.sort_unstable();
    uids.dedup();
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for uid in uids {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(uid) => *last = uid,
            _ => ranges.push((uid, uid)),
        }
    }
    Ok(ranges)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_become_ascending_ranges() {
        let keys = [9, 3, 1, 2, 3, 7, 8].map(SourceKey::Uid);
        assert_eq!(ranges(keys.iter()).unwrap(), [(1, 3), (7, 9)]);
    }

    #[test]
    fn a_pop3_key_is_refused() {
        let key = SourceKey::Name {
            name: b"x".to_vec().into_boxed_slice(),
            ordinal: 0,
        };
        assert!(ranges([key].iter()).is_err());
    }
}
