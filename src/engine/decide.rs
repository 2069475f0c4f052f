//! What need not be delivered: it stands there already, or another copy stands for it.

use super::cargo::{FlagWork, Load};
use super::deliver::{Decided, Deliverer, seen};
use super::finish;
use super::look::Looker;
use super::target;
use crate::error::Result;
use crate::identity::{Claim, Known};
use crate::job::Dedup;
use crate::journal::{Delivered, MessageRow, Seen};
use crate::message::{Digest, Flags};
use crate::outcome::Outcome;
use crate::plan::{Target, map, route};
use crate::source::Listed;
use crossbeam_channel::Sender;

/// A first copy that later ones fold into (`collapse = true`).
pub(super) struct First {
    pub(super) row: Option<MessageRow>,
    delivered: Option<Delivered>,
    flags: Flags,
}

impl Deliverer<'_> {
    /// Which folder the message goes to: the step's, or what a route says.
    pub(super) fn target_of(&self, load: &Load) -> Result<Target> {
        let routed = route::route(&self.context.account.routes, load.body.head(), load.date);
        Ok(match routed {
            Some(folder) => {
                let rules = &self.context.account.folders;
                self.context.target(&map::below(rules, folder))
            }
            None => self.labelled_target(&load.flags)?,
        })
    }

    pub(super) fn claim(&mut self, target: &Target, load: &Load) -> Result<Claim> {
        let known = Known {
            header: &load.header,
            digests: Some(load.body.digests()),
            size: Some(load.body.size()),
        };
        self.claim_known(target, known)
    }

    pub(super) fn claim_known(&mut self, target: &Target, known: Known<'_>) -> Result<Claim> {
        let claimant = target::claimant(self.step()?.folder);
        let landing = self.landings.get(self.context, &mut self.link, target)?;
        let mut looker = Looker {
            link: &mut self.link,
            name: &target.name,
        };
        landing.index.claim(claimant, known, &mut looker)
    }

    /// A message that need not be delivered: it stands there.
    pub(super) fn standing_already(
        &mut self,
        target: &Target,
        load: Load,
        uid: Option<u32>,
        row: Option<MessageRow>,
    ) -> Result<()> {
        let seen = seen(&load);
        let decided = self.present(target, seen, uid, row)?;
        self.decide(decided)
    }

    pub(super) fn present(
        &mut self,
        target: &Target,
        seen: Seen,
        uid: Option<u32>,
        row: Option<MessageRow>,
    ) -> Result<Decided> {
        let landing = self.landings.get(self.context, &mut self.link, target)?;
        let delivered = Delivered {
            folder: landing.id,
            uid_validity: landing.door.uid_validity,
            uid,
        };
        // Another message of this job that was delivered makes this one a duplicate; mail of the destination's own, or the
        // same message under an older UIDVALIDITY of its folder, makes it present.
        let duplicate = match row {
            Some(row) => finish::is_of_other_folder(self.context, row, self.step()?.as_ref())?,
            None => false,
        };
        let outcome = if duplicate {
            Outcome::Duplicate
        } else {
            Outcome::Present
        };
        Ok(Decided {
            seen,
            outcome,
            words: format!("stands in {}", target.folder),
            delivered: Some(delivered),
            same_as: row.filter(|_| duplicate),
        })
    }

    /// With `collapse`, a copy that equals one of the same folder in Message-ID and digest is not delivered; its flags are
    /// united with the first's. Gives the load back if it is a first.
    pub(super) fn folded(&mut self, load: Load) -> Result<Option<Load>> {
        if !self.context.account.collapse || self.context.account.dedup == Dedup::Off {
            return Ok(Some(load));
        }
        let key = (load.header.message_id.clone(), load.body.digests().exact);
        if !self.firsts.contains_key(&key) && !self.find_first(&load, &key)? {
            self.firsts.insert(
                key,
                First {
                    row: None,
                    delivered: None,
                    flags: load.flags.clone(),
                },
            );
            return Ok(Some(load));
        }
        // The first may still be under way: it needs a row before another can name it.
        self.finish()?;
        if self
            .firsts
            .get(&key)
            .is_none_or(|first| first.row.is_none())
            && !self.find_first(&load, &key)?
        {
            return Ok(Some(load));
        }
        let Some(first) = self.firsts.get_mut(&key) else {
            return Ok(Some(load));
        };
        let mut united = first.flags.clone();
        united.unite(&load.flags);
        let change = first.flags.change_to(&united);
        if let (Some(row), Some(delivered), false) =
            (first.row, &first.delivered, change.is_empty())
        {
            self.flags.push(FlagWork {
                row,
                delivered: *delivered,
                change,
                now: None,
            });
            first.flags = united;
        }
        let (delivered, same_as) = (first.delivered, first.row);
        let words =
            "equal in Message-ID and content to another message of the same folder".to_owned();
        self.decide(Decided {
            seen: seen(&load),
            outcome: Outcome::Duplicate,
            words,
            delivered,
            same_as,
        })?;
        Ok(None)
    }

    /// Looks a first copy up in the journal.
    pub(super) fn find_first(
        &mut self,
        load: &Load,
        key: &(Option<Vec<u8>>, Digest),
    ) -> Result<bool> {
        let (folder, sink, digest, own) = (
            self.step()?.folder,
            self.context.sink,
            key.1,
            load.key.clone(),
        );
        let found = self
            .context
            .ledger
            .ask(move |journal| journal.copy_of(folder, sink, &digest, &own))?;
        let Some(found) = found else { return Ok(false) };
        let first = First {
            row: Some(found.row),
            delivered: found.delivered,
            flags: found.flags,
        };
        self.firsts.insert(key.clone(), first);
        Ok(true)
    }

    /// Adopts by header what stands at the destination; what does not goes back to be fetched.
    pub(super) fn answer_headings(&mut self, reply: &Sender<Vec<Listed>>) -> Result<()> {
        // What is under way may be what stands for them.
        self.finish()?;
        let mut wanted = Vec::new();
        for (listed, header) in std::mem::take(&mut self.headings) {
            let known = Known {
                header: &header,
                digests: None,
                size: listed.size,
            };
            let target = self.labelled_target(&listed.flags)?;
            match self.claim_known(&target, known)? {
                Claim::Same { uid, source_row } => {
                    let seen = Seen {
                        key: listed.key,
                        digests: None,
                        message_id: header.message_id,
                        size: listed.size.unwrap_or(0),
                        flags: listed.flags,
                        date: listed.date,
                        place: None,
                    };
                    let decided = self.present(&target, seen, uid, source_row)?;
                    self.decide(decided)?;
                }
                _ => wanted.push(listed),
            }
        }
        self.flush()?;
        // The reading side may be gone; then nobody needs the answer.
        drop(reply.send(wanted));
        Ok(())
    }
}
