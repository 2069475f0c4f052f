//! Labels of what is delivered: which go along, and setting those that a destination keeps beside its messages.
//!
//! A message is stored first and labelled after it, and both are one delivery: the intent stays open until the labels are on, and
//! who finds the message of an open intent puts them on again, which changes nothing where they are on already.

use super::cargo::FlagWork;
use super::context::Context;
use super::deliver::{Decided, Deliverer};
use super::link::SinkLink;
use super::reading::Reading;
use crate::error::{Kind, Result};
use crate::failpoint;
use crate::journal::{Delivered, FolderId, IntentMessage, MessageRow, OpenIntent};
use crate::message::{FlagChange, Flags};
use crate::outcome::Outcome;
use crate::plan::labels::{self, Part, Take};
use crate::plan::{Holds, SourceFolder, Target};
use crate::source::{Listed, Source};
use std::collections::{BTreeMap, HashMap};

/// Where labels are to be set: a destination folder (wire name) and its UIDVALIDITY.
pub(super) type Place<'a> = (&'a [u8], u32);

/// Sets what the destination holds of these messages' labels; of those that it refuses, gives the UIDs and what they go without.
/// `messages`: UIDs, and the flags as they are at the source.
pub(super) fn set(
    context: &Context,
    link: &mut SinkLink<'_>,
    (name, uid_validity): Place<'_>,
    folder: &SourceFolder,
    messages: &[(u32, &Flags)],
) -> Result<HashMap<u32, Vec<String>>> {
    let mut refused = HashMap::new();
    if context.labels().holds() != Holds::Labels {
        return Ok(refused);
    }
    // One label after another: one that is refused takes no other with it.
    let mut alike: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for (uid, flags) in messages {
        for label in context.labels().carried(folder, flags).labels {
            alike.entry(label).or_default().push(*uid);
        }
    }
    for (label, uids) in alike {
        failpoint::pass("labels: stored, not labelled");
        let change = FlagChange {
            add: Flags {
                labels: [label.clone()].into(),
                ..Flags::default()
            },
            remove: Flags::default(),
        };
        match link.retry(|sink| sink.change_flags(name, uid_validity, &uids, &change)) {
            Ok(_) => {}
            Err(error) if matches!(error.kind, Kind::Folder | Kind::Message) => {
                let without = format!("label {label} ({})", error.words.unwrap_or(error.what));
                for uid in uids {
                    let words: &mut Vec<String> = refused.entry(uid).or_default();
                    words.push(without.clone());
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(refused)
}

/// A change of flags as the destination is to be told it.
pub(super) fn carried(context: &Context, folder: &SourceFolder, work: &FlagWork) -> FlagChange {
    let labels = context.labels();
    let Some(now) = &work.now else {
        return FlagChange {
            add: labels.carried(folder, &work.change.add),
            remove: labels.carried(folder, &work.change.remove),
        };
    };
    // From the whole of both: a label and a keyword may be one there, and either alone keeps it.
    let before = now.changed(&FlagChange {
        add: work.change.remove.clone(),
        remove: work.change.add.clone(),
    });
    labels
        .carried(folder, &before)
        .change_to(&labels.carried(folder, now))
}

/// The same for messages that stand there already.
pub(super) fn set_decided(deliverer: &mut Deliverer<'_>) -> Result<()> {
    let mut places: HashMap<Delivered, Vec<(u32, &Flags)>> = HashMap::new();
    let standing = |one: &&Decided| matches!(one.outcome, Outcome::Present | Outcome::Duplicate);
    for one in deliverer.decided.iter().filter(standing) {
        if let Some((delivered, uid)) = one.delivered.and_then(|at| Some((at, at.uid?)))
            && !one.seen.flags.labels.is_empty()
        {
            let place = Delivered {
                uid: None,
                ..delivered
            };
            places
                .entry(place)
                .or_default()
                .push((uid, &one.seen.flags));
        }
    }
    if places.is_empty() {
        return Ok(());
    }
    let source = deliverer.step()?.step.source.clone();
    let (context, link) = (deliverer.context, &mut deliverer.link);
    for (place, messages) in places {
        let id = place.folder;
        let name = context
            .ledger
            .ask(move |journal| journal.sink_folder_name(id))?;
        let Some(name) = name else { continue };
        let at = (name.as_slice(), place.uid_validity);
        for (_, without) in set(context, link, at, &source, &messages)? {
            let without = without.join(", ");
            context.warn(format!("{}: stored without {without}", source.folder));
        }
    }
    Ok(())
}

/// The same for messages of an open intent that were found: whoever sent them may have ended before they were labelled.
pub(super) fn set_found(
    context: &Context,
    link: &mut SinkLink<'_>,
    intent: &OpenIntent,
    found: &[(&IntentMessage, u32)],
) -> Result<()> {
    let mut folders: HashMap<FolderId, Vec<(MessageRow, u32, &Flags)>> = HashMap::new();
    for (message, uid) in found {
        if !message.flags.labels.is_empty() {
            let folder = folders.entry(message.folder).or_default();
            folder.push((message.row, *uid, &message.flags));
        }
    }
    for messages in folders.into_values() {
        let Some(&(row, ..)) = messages.first() else {
            continue;
        };
        let named = context.ledger.ask(move |journal| journal.folder_of(row))?;
        let labels = context.labels();
        let Some(folder) = named.and_then(|(source, name)| labels.source_folder(source, &name))
        else {
            continue;
        };
        let at = (intent.name.as_slice(), intent.uid_validity);
        let messages: Vec<(u32, &Flags)> = messages
            .into_iter()
            .map(|(_, uid, flags)| (uid, flags))
            .collect();
        for (_, without) in set(context, link, at, folder, &messages)? {
            let without = without.join(", ");
            context.warn(format!("{}: stored without {without}", folder.folder));
        }
    }
    Ok(())
}

impl Reading<'_> {
    /// Takes off a listing what another step takes.
    pub(super) fn keep_part(&self, listing: &mut Vec<Listed>) {
        if matches!(self.run.step.take, Take::Unfiled | Take::First) {
            let all = self.context.labels();
            listing.retain(|listed| all.part(&self.run.step, &listed.flags) != Part::Elsewhere);
        }
    }

    /// Why a message of this step is not wanted.
    pub(super) fn unwanted_label(&self, flags: &Flags) -> Option<&'static str> {
        let part = self.context.labels().part(&self.run.step, flags);
        (part == Part::LeftOut).then_some(labels::LEFT_OUT)
    }

    /// Fetches these, those of one destination folder after those of another: a batch goes into one folder.
    pub(super) fn fetch_by_place(
        &mut self,
        source: &mut dyn Source,
        wanted: Vec<Listed>,
    ) -> Result<()> {
        if self.run.step.take != Take::Routed {
            return self.fetch_all(source, wanted);
        }
        let all = self.context.labels();
        let mut places: BTreeMap<Vec<u8>, Vec<Listed>> = BTreeMap::new();
        for listed in wanted {
            let target = all.target(&self.run.step, &listed.flags);
            places.entry(target.name).or_default().push(listed);
        }
        places
            .into_values()
            .try_for_each(|wanted| self.fetch_all(source, wanted))
    }
}

impl Deliverer<'_> {
    /// Where the labels of a message send it.
    pub(super) fn labelled_target(&self, flags: &Flags) -> Result<Target> {
        let run = self.step()?;
        Ok(self.context.labels().target(&run.step, flags))
    }
}
