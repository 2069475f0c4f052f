//! A POP3 maildrop as a source: one folder, INBOX (RFC 1939).

use super::{AfterMessage, Arrival, Heading, Listed, Opened, Source, Traces, Wanted};
use crate::auth::Credentials;
use crate::error::{Code, End, Error, Kind, Result};
use crate::failpoint;
use crate::job::{After, Preset, Server, SourceSpec};
use crate::message::{Digest, Flags, Folder, SourceKey, canonical, header};
use crate::net::Flow;
use crate::plan::SourceFolder;
use crate::pop3::Session;
use crate::spool::Budget;
use std::collections::HashMap;

/// Headers longer than this are compared up to here.
const HEAD_MAX: usize = 1 << 20;

/// One message as this session numbers it.
#[derive(Debug, Clone)]
struct Entry {
    number: u32,
    size: u64,
    key: SourceKey,
}

pub(super) struct Pop3Source {
    session: Session,
    index: u32,
    flags: Flags,
    preset: Preset,
    /// The listing of this session: message numbers mean nothing in another.
    maildrop: Option<Vec<Entry>>,
}

impl Pop3Source {
    pub(super) fn open(
        spec: &SourceSpec,
        server: &Server,
        index: u32,
        login: &Credentials,
    ) -> Result<Self> {
        let session = Session::open(&server.endpoint, login)?;
        let flags = Flags {
            seen: spec.seen,
            ..Flags::default()
        };
        Ok(Pop3Source {
            session,
            index,
            flags,
            preset: server.preset.clone(),
            maildrop: None,
        })
    }

    fn maildrop(&mut self) -> Result<&[Entry]> {
        let entries = match self.maildrop.take() {
            Some(entries) => entries,
            None => self.read_maildrop()?,
        };
        Ok(self.maildrop.insert(entries))
    }

    fn read_maildrop(&mut self) -> Result<Vec<Entry>> {
        let sizes = self.session.list()?;
        let uidls: HashMap<u32, Vec<u8>> = self
            .session
            .uidl()?
            .unwrap_or_default()
            .into_iter()
            .collect();
        let mut shared: HashMap<Vec<u8>, u32> = HashMap::new();
        for uidl in uidls.values() {
            *shared.entry(uidl.clone()).or_default() += 1;
        }
        let mut ordinals: HashMap<Vec<u8>, u32> = HashMap::new();
        let mut entries = Vec::with_capacity(sizes.len());
        for (number, size) in sizes {
            let name = match uidls.get(&number) {
                Some(uidl) if shared.get(uidl) == Some(&1) => uidl.clone(),
                other => self.name_by_header(number, size, other.map_or(&[][..], Vec::as_slice))?,
            };
            let ordinal = ordinals.entry(name.clone()).or_default();
            let key = SourceKey::Name {
                name: name.into_boxed_slice(),
                ordinal: *ordinal,
            };
            *ordinal += 1;
            entries.push(Entry { number, size, key });
        }
        Ok(entries)
    }

    /// A name for a message whose unique-id is missing or stands on several: the unique-id, a space (which none can
    /// hold), and a digest of the header and size. Servers without TOP give only the size.
    fn name_by_header(&mut self, number: u32, size: u64, uidl: &[u8]) -> Result<Vec<u8>> {
        let mut hasher = size.to_string().into_bytes();
        if self.session.capabilities().top {
            hasher.extend_from_slice(&self.head(number)?);
        }
        let digest = Digest::of(&hasher).to_string();
        Ok([uidl, b" ", &digest.as_bytes()[..32]].concat())
    }

    fn head(&mut self, number: u32) -> Result<Vec<u8>> {
        let mut head = canonical::canonical(&self.session.top(number, 0, HEAD_MAX)?);
        head.truncate(header::head_len(&head).min(HEAD_MAX));
        Ok(head)
    }

    fn numbers(&mut self, wanted: Wanted<'_>) -> Result<Vec<Entry>> {
        let all = self.maildrop()?;
        Ok(match wanted {
            Wanted::Whole => all.to_vec(),
            Wanted::Keys(listed) => {
                let by_key = by_key(all);
                listed
                    .iter()
                    .filter_map(|l| found(&by_key, &l.key))
                    .collect()
            }
        })
    }

    /// Is the message with this number still the one that was read? Answered by its header where TOP is offered, else by
    /// all its bytes.
    fn is_still(&mut self, entry: &Entry, message: &AfterMessage) -> Result<bool> {
        if self.session.capabilities().top {
            return Ok(Digest::of(&self.head(entry.number)?) == message.head_digest);
        }
        let budget = Budget::new(entry.size.max(1 << 20));
        let mut same = false;
        self.session
            .retrieve(&[(entry.number, entry.size)], &budget, &mut |_, body| {
                same = body.is_ok_and(|body| body.digests().exact == message.digest);
                Ok(Flow::Continue)
            })?;
        Ok(same)
    }
}

impl Source for Pop3Source {
    fn folders(&mut self) -> Result<Vec<SourceFolder>> {
        let messages = u32::try_from(self.maildrop()?.len()).unwrap_or(u32::MAX);
        Ok(vec![SourceFolder {
            source: self.index,
            folder: Folder::inbox(),
            name: b"INBOX".to_vec(),
            special_use: None,
            subscribed: true,
            uid_validity: 0,
            uid_next: None,
            messages,
            highest_modseq: None,
            labelled: false,
        }])
    }

    fn list(
        &mut self,
        _: &SourceFolder,
        on: &mut dyn FnMut(Listed) -> Result<()>,
    ) -> Result<Opened> {
        let flags = self.flags.clone();
        let entries = self.maildrop()?;
        for entry in entries {
            on(Listed {
                key: entry.key.clone(),
                flags: flags.clone(),
                date: None,
                size: Some(entry.size),
            })?;
        }
        Ok(opened(entries.len()))
    }

    fn fetch(
        &mut self,
        _: &SourceFolder,
        wanted: Wanted<'_>,
        budget: &Budget,
        on_open: &mut dyn FnMut(&Opened) -> Result<Flow>,
        on: &mut dyn FnMut(Arrival) -> Result<Flow>,
    ) -> Result<()> {
        let entries = self.numbers(wanted)?;
        let total = self.maildrop()?.len();
        if matches!(on_open(&opened(total))?, Flow::Stop) {
            return Ok(());
        }
        let by_number: HashMap<u32, &SourceKey> = entries
            .iter()
            .map(|entry| (entry.number, &entry.key))
            .collect();
        let numbers: Vec<(u32, u64)> = entries
            .iter()
            .map(|entry| (entry.number, entry.size))
            .collect();
        let flags = self.flags.clone();
        self.session.retrieve(
            &numbers,
            budget,
            &mut |number, body| match by_number.get(&number) {
                Some(&key) => on(Arrival {
                    key: key.clone(),
                    flags: flags.clone(),
                    date: None,
                    body,
                }),
                None => Ok(Flow::Continue),
            },
        )?;
        Ok(())
    }

    fn headings(
        &mut self,
        _: &SourceFolder,
        _: &mut dyn FnMut(Heading) -> Result<()>,
    ) -> Result<Option<Opened>> {
        // TOP is optional and costs a round trip or a command each: reading the messages themselves is as fast.
        Ok(None)
    }

    fn after(
        &mut self,
        folder: &SourceFolder,
        after: &After,
        messages: &[AfterMessage],
    ) -> Result<Vec<SourceKey>> {
        if !matches!(after, After::Delete | After::DeleteAfterDays(_)) {
            let what = format!(
                "a POP3 server can only delete, not what `after` asks for in {}",
                folder.folder
            );
            return Err(Error::new(Kind::Account, Code::Job, what).at(End::Source));
        }
        let entries = self.maildrop()?.to_vec();
        let entries = by_key(&entries);
        let mut done = Vec::new();
        for message in messages {
            let Some(entry) = found(&entries, &message.key) else {
                continue;
            };
            if self.is_still(&entry, message)? {
                failpoint::pass("source: before DELE");
                self.session.dele(entry.number)?;
                done.push(message.key.clone());
            }
        }
        Ok(done)
    }

    fn may_hold_back(&self) -> bool {
        self.preset.provider().pop3_lists_at_most.is_some()
    }

    fn peer(&self) -> Option<std::net::SocketAddr> {
        self.session.peer()
    }

    fn traces(&mut self) -> Result<Traces> {
        let uidls = self
            .maildrop()?
            .iter()
            .take(50)
            .filter_map(|entry| match &entry.key {
                SourceKey::Name { name, .. } => Some(name.to_vec()),
                SourceKey::Uid(_) => None,
            });
        Ok(Traces {
            inbox: None,
            uidls: uidls.collect(),
        })
    }

    fn close(self: Box<Self>) -> Result<()> {
        failpoint::pass("source: before QUIT");
        self.session.quit()?;
        failpoint::pass("source: after QUIT");
        Ok(())
    }
}

fn by_key(entries: &[Entry]) -> HashMap<&SourceKey, &Entry> {
    entries.iter().map(|entry| (&entry.key, entry)).collect()
}

/// The message of a key. An id that was given again has a later ordinal in the journal than it has here, where it stands alone.
fn found(by_key: &HashMap<&SourceKey, &Entry>, key: &SourceKey) -> Option<Entry> {
    let entry = by_key.get(key).or_else(|| match key {
        SourceKey::Name { name, ordinal } if *ordinal > 0 => by_key.get(&SourceKey::Name {
            name: name.clone(),
            ordinal: 0,
        }),
        _ => None,
    })?;
    Some(Entry {
        key: key.clone(),
        ..(*entry).clone()
    })
}

fn opened(messages: usize) -> Opened {
    let messages = u32::try_from(messages).unwrap_or(u32::MAX);
    Opened {
        uid_validity: 0,
        messages,
        uid_next: None,
        highest_modseq: None,
    }
}
