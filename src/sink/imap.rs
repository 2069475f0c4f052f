//! An IMAP account as a sink.

mod answers;
mod labels;
mod opening;

use super::{BatchLimit, Content, Delivery, Door, Removed, Report, Sink, StandingHead};
use crate::auth::Credentials;
use crate::error::{Code, End, Error, Kind, Result};
use crate::imap::{self, Append, Making, PermanentFlags, Selected, Session};
use crate::job::providers::{Behaviour, Preset};
use crate::job::{Protocol, Server};
use crate::message::{FlagChange, Flags, UidRanges};
use crate::net::Flow;
use crate::plan::{Holds, Naming, SinkFolder, Target};
use crate::source::Traces;
use crate::spool::{Body, Budget};
use answers::stored;
use opening::seen_door;
use std::collections::{HashMap, HashSet};

/// One MULTIAPPEND at most. Several are under way at once, so a round trip costs nothing whatever their size: large enough that the
/// journal's commits do not count, small enough that the first bytes leave soon and that little is sent again after a loss.
const BATCH_MESSAGES: usize = 100;
const BATCH_BYTES: u64 = 1 << 20;

pub(super) struct ImapSink {
    session: Session,
    preset: Preset,
    /// What each folder seen in this session lets a client store for good.
    permanent: HashMap<Vec<u8>, Option<PermanentFlags>>,
    /// The label that each folder is, of a server that has labels.
    own: HashMap<Vec<u8>, Option<String>>,
    /// Labels that are there, as far as is known.
    made: HashSet<String>,
    /// One folder lets a client store any keyword: then the others are believed to, for asking each costs a round trip.
    any_keyword: bool,
    /// Folders as they were when they were made, to be told once.
    prepared: HashMap<Vec<u8>, Door>,
}

impl ImapSink {
    pub(super) fn open(server: &Server, login: &Credentials, cautious: bool) -> Result<Self> {
        let mut session = Session::open(&server.endpoint, login)?;
        session.set_synchronising(cautious);
        Ok(ImapSink {
            preset: server.preset.after_hearing(session.introduction()),
            session,
            permanent: HashMap::new(),
            own: HashMap::new(),
            made: HashSet::new(),
            any_keyword: false,
            prepared: HashMap::new(),
        })
    }
}

/// Letters, digits and `$ _ -`: what every server takes in a keyword.
fn is_plain(keyword: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '$' | '_' | '-');
    keyword.chars().all(plain)
}

impl Sink for ImapSink {
    fn folders(&mut self) -> Result<(Naming, Vec<SinkFolder>)> {
        let personal = self.session.personal().clone();
        let mut folders = Vec::new();
        let mailboxes = self.session.list(false)?;
        let named = imap::folders(&mailboxes, &personal.prefix);
        for (mailbox, folder) in mailboxes.into_iter().zip(named) {
            let Some(folder) = folder else {
                continue;
            };
            let Some(status) = mailbox.status.filter(|_| mailbox.selectable) else {
                continue;
            };
            folders.push(SinkFolder {
                folder,
                name: mailbox.name,
                special_use: mailbox.special_use,
                subscribed: mailbox.subscribed,
                uid_validity: status.uid_validity,
                uid_next: status.uid_next,
                messages: status.messages,
            });
        }
        Ok((
            Naming {
                separator: personal.separator,
                prefix: personal.prefix,
                as_shown: false,
                holds: match self.session.capabilities().gmail {
                    true => Holds::Labels,
                    false => Holds::Nothing,
                },
            },
            folders,
        ))
    }

    fn prepare(&mut self, targets: &[&Target]) -> Result<Vec<Result<()>>> {
        let mailboxes: Vec<Making<'_>> = targets
            .iter()
            .map(|target| {
                let missing = target.standing.is_none() && !target.folder.is_inbox();
                Making {
                    name: &target.name,
                    create: missing.then_some(target.special_use),
                    subscribe: target.subscribe,
                }
            })
            .collect();
        let made = self.session.make(&mailboxes)?;
        for (target, made) in targets.iter().zip(&made) {
            let door = made.status.as_ref().and_then(seen_door);
            self.prepared
                .extend(door.map(|door| (target.name.clone(), door)));
        }
        Ok(made.into_iter().map(|made| made.created).collect())
    }

    fn door(&mut self, name: &[u8]) -> Result<Door> {
        let status = match self.session.status(&[name])?.into_iter().next() {
            Some(status) => status?,
            None => return self.select_afresh(name),
        };
        match seen_door(&status) {
            Some(door) => Ok(door),
            None => self.select_afresh(name),
        }
    }

    fn doors(&mut self, names: &[&[u8]]) -> Result<Vec<Option<Door>>> {
        let mut doors: Vec<Option<Door>> = names
            .iter()
            .map(|name| self.prepared.remove(*name))
            .collect();
        let unseen: Vec<usize> = (0..names.len()).filter(|&at| doors[at].is_none()).collect();
        if unseen.is_empty() {
            return Ok(doors);
        }
        let asked: Vec<&[u8]> = unseen.iter().map(|&at| names[at]).collect();
        for (at, status) in unseen.into_iter().zip(self.session.status(&asked)?) {
            doors[at] = status.ok().as_ref().and_then(seen_door);
        }
        Ok(doors)
    }

    fn heads(
        &mut self,
        name: &[u8],
        uids: (u32, u32),
        on: &mut dyn FnMut(StandingHead) -> Result<()>,
    ) -> Result<()> {
        let door = self.open_afresh(name)?;
        if door.messages == 0 {
            return Ok(());
        }
        self.session.headers(&[uids], &mut |item| {
            // A range up to `*` always holds the last message, however low its UID.
            if !(uids.0..=uids.1).contains(&item.uid) {
                return Ok(());
            }
            on(StandingHead {
                uid: item.uid,
                size: item.size,
                head: item.head,
            })
        })
    }

    fn bodies(
        &mut self,
        name: &[u8],
        uids: &[(u32, u32)],
        budget: &Budget,
        on: &mut dyn FnMut(u32, Result<Body>) -> Result<Flow>,
    ) -> Result<bool> {
        if uids.is_empty() {
            return Ok(true);
        }
        let wanted = |uid: u32| {
            uids.iter()
                .any(|&(first, last)| (first..=last).contains(&uid))
        };
        // One round trip; where the folder turns out to be empty, so is the answer.
        let mut go_on = |_: &Selected| Ok(Flow::Continue);
        let streamed =
            self.session
                .examine_and_bodies(name, uids, budget, &mut go_on, &mut |fetched| {
                    if !wanted(fetched.uid) {
                        return Ok(Flow::Continue);
                    }
                    on(fetched.uid, fetched.body.ok_or_else(no_body))
                })?;
        // Some servers refuse any FETCH of an empty folder.
        Ok(streamed.refused.is_none() || streamed.exists == 0)
    }

    fn bodies_of(
        &mut self,
        folders: &[(&[u8], UidRanges)],
        budget: &Budget,
        on: &mut dyn FnMut(usize, u32, Result<Body>) -> Result<Flow>,
    ) -> Result<Vec<Result<bool>>> {
        let results = self.session.tour(folders, budget, &mut |at, fetched| {
            on(at, fetched.uid, fetched.body.ok_or_else(no_body))
        })?;
        Ok(results
            .into_iter()
            .map(|result| result.map(|refused| refused.is_none()))
            .collect())
    }

    fn deliver(&mut self, name: &[u8], batch: &[Delivery<'_>]) -> Report {
        let told = self.submit(name, batch).or_else(|| self.collect(true));
        told.unwrap_or_else(|| Report::untold(batch.len()))
    }

    fn only_reads(&self, name: &[u8]) -> bool {
        let selected = self.session.selected();
        selected.is_some_and(|(selected, writable)| selected == name && !writable)
    }

    fn leave_reading(&mut self, name: &[u8]) -> Result<()> {
        match self.select_afresh(name) {
            // Whatever is wrong with the folder, the server says it to the APPEND too.
            Err(error) if self.session.is_usable() && error.kind == Kind::Folder => Ok(()),
            other => other.map(drop),
        }
    }

    fn submit(&mut self, name: &[u8], batch: &[Delivery<'_>]) -> Option<Report> {
        let atoms: Vec<Vec<String>> = batch
            .iter()
            .map(|delivery| delivery.flags.atoms())
            .collect();
        let appends: Vec<Append<'_>> = batch
            .iter()
            .zip(&atoms)
            .map(|(delivery, flags)| Append {
                flags,
                date: delivery.date,
                body: delivery.body,
            })
            .collect();
        self.session.submit(name, &appends);
        None
    }

    fn collect(&mut self, wait: bool) -> Option<Report> {
        let report = self.session.collect(wait)?;
        Some(Report {
            stored: report.results.into_iter().map(stored).collect(),
            lost: report.lost,
            cautious: report.literal_plus_refused,
        })
    }

    fn batch_limit(&self) -> BatchLimit {
        let told = self.session.capabilities().append_limit;
        let message_bytes = told.or(self.preset.provider().append_limit.map(|size| size.0));
        BatchLimit {
            messages: BATCH_MESSAGES,
            bytes: BATCH_BYTES,
            message_bytes,
        }
    }

    fn change_flags(
        &mut self,
        name: &[u8],
        uid_validity: u32,
        uids: &[u32],
        change: &FlagChange,
    ) -> Result<bool> {
        if self.select_afresh(name)?.uid_validity != uid_validity {
            return Ok(false);
        }
        let set: Vec<(u32, u32)> = uids.iter().map(|&uid| (uid, uid)).collect();
        self.session.store(&set, &change.add, &change.remove)?;
        if self.session.capabilities().gmail {
            self.make_labels(&change.add.labels)?;
            let (add, remove) = (&change.add.labels, &change.remove.labels);
            self.session.store_labels(&set, add, remove)?;
        }
        Ok(true)
    }

    fn knows_keywords(&self, name: &[u8]) -> bool {
        self.any_keyword || self.permanent.contains_key(name)
    }

    fn unfit_keywords(&mut self, name: &[u8], flags: &Flags) -> Result<Vec<String>> {
        if flags.keywords.is_empty() {
            return Ok(Vec::new());
        }
        if !self.knows_keywords(name) {
            self.select(name)?;
        }
        let permanent = self.permanent.get(name).and_then(Option::as_ref);
        self.any_keyword |= permanent.is_some_and(|permanent| permanent.any_keyword);
        let plain_only = self.preset.has(Behaviour::PlainKeywordsOnly);
        let kept = |keyword: &str| {
            permanent.is_none_or(|permanent| {
                let mut known = permanent.flags.keywords.iter();
                permanent.any_keyword || known.any(|known| known.eq_ignore_ascii_case(keyword))
            })
        };
        let holds = |keyword: &str| kept(keyword) && (!plain_only || is_plain(keyword));
        Ok(flags
            .keywords
            .iter()
            .filter(|keyword| !holds(keyword))
            .cloned()
            .collect())
    }

    fn contents(&mut self, name: &[u8], on: &mut dyn FnMut(Content) -> Result<()>) -> Result<Door> {
        let own = self.own_label(name)?;
        let door = self.examine_afresh(name)?;
        if door.messages > 0 {
            self.session.listing(&[(1, u32::MAX)], &mut |mut item| {
                item.flags.labels.extend(own.clone());
                on(Content {
                    uid: item.uid,
                    flags: item.flags,
                    date: item.date,
                    size: item.size,
                })
            })?;
        }
        Ok(door)
    }

    fn remove(&mut self, name: &[u8], uid_validity: u32, uids: &[u32]) -> Result<Removed> {
        if self.select_afresh(name)?.uid_validity != uid_validity {
            return Ok(Removed::OtherFolder);
        }
        let set: Vec<(u32, u32)> = uids.iter().map(|&uid| (uid, uid)).collect();
        let deleted = Flags {
            deleted: true,
            ..Flags::default()
        };
        self.session.store(&set, &deleted, &Flags::default())?;
        if !self.session.capabilities().uidplus {
            return Ok(Removed::Marked);
        }
        self.session.uid_expunge(&set)?;
        Ok(Removed::Gone)
    }

    fn idle(&mut self) -> Result<()> {
        self.session.noop()
    }

    fn assumed(&self) -> Vec<String> {
        self.preset.heard(Protocol::Imap, End::Destination)
    }

    fn peer(&self) -> Option<std::net::SocketAddr> {
        self.session.peer()
    }

    fn traces(&mut self) -> Result<Traces> {
        let status = self
            .session
            .status(&[b"INBOX"])?
            .into_iter()
            .flatten()
            .next();
        Ok(Traces {
            inbox: status.map(|status| (status.uid_validity, status.uid_next)),
            uidls: Vec::new(),
        })
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.session.logout()
    }
}

fn no_body() -> Error {
    Error::new(Kind::Message, Code::Refused, "the destination gave no body").at(End::Destination)
}
