//! Two ends that are one mailbox would copy mail onto itself; such a job is refused.

use super::context::Context;
use super::link::{SinkLink, SourceLink};
use crate::error::{Code, Error, Kind, Result};
use crate::job::{LocalFormat, Store};
use crate::source::Traces;
use std::path::{Path, PathBuf};

/// Looks at both ends, as far as they show what they are, before anything is written.
pub(super) fn refuse_same_mailbox(context: &Context, sink: &mut SinkLink<'_>) -> Result<()> {
    for index in 0..context.sources.len() {
        if one_place(context, index) {
            return Err(refused(context));
        }
        let files = files_of_a_server(context, index) && is_first(context, index)?;
        if !files && !same_user(context, index) {
            continue;
        }
        let (peer, there) = sink.retry(|sink| Ok((sink.peer(), sink.traces()?)))?;
        let mut link = SourceLink::new(context, index);
        let (own, here) = link.retry(|source| Ok((source.peer(), source.traces()?)))?;
        link.give_back();
        let same_host = own
            .zip(peer)
            .is_some_and(|(own, peer)| own.ip() == peer.ip());
        let same_door = own.zip(peer).is_some_and(|(own, peer)| own == peer);
        if same_door || ((files || same_host) && same_traces(&here, &there)) {
            return Err(refused(context));
        }
    }
    Ok(())
}

/// Are both ends files, one within the other, whatever symbolic links lead there? Then what is written would be read again.
fn one_place(context: &Context, index: usize) -> bool {
    let source = context.sources[index].0.store.local();
    let destination = context.destination.0.store.local();
    source
        .zip(destination)
        .is_some_and(|(source, destination)| {
            let (source, destination) = (real(&source.path), real(&destination.path));
            source.starts_with(&destination) || destination.starts_with(&source)
        })
}

/// The path without symbolic links, as far as it exists.
fn real(path: &Path) -> PathBuf {
    match (std::fs::canonicalize(path), path.parent(), path.file_name()) {
        (Ok(real), ..) => real,
        (Err(_), Some(above), Some(name)) => real(above).join(name),
        _ => path.to_owned(),
    }
}

/// Has nothing of this source been begun yet? Later a faithful copy may show the very numbers of its original, and no address
/// tells the two apart.
fn is_first(context: &Context, index: usize) -> Result<bool> {
    let source = index as u32;
    let known = context.ledger.ask(move |journal| journal.folders(source))?;
    Ok(known.is_empty())
}

/// Is one end a server and the other a Maildir, which that server may serve?
fn files_of_a_server(context: &Context, index: usize) -> bool {
    let ends = [
        &context.sources[index].0.store,
        &context.destination.0.store,
    ];
    let maildir = |store: &Store| {
        store
            .local()
            .is_some_and(|local| local.format == LocalFormat::Maildir)
    };
    ends.iter().any(|store| maildir(store)) && ends.iter().any(|store| store.server().is_some())
}

fn same_user(context: &Context, index: usize) -> bool {
    let source = context.sources[index].0.store.server();
    let destination = context.destination.0.store.server();
    source
        .zip(destination)
        .is_some_and(|(source, destination)| source.user.eq_ignore_ascii_case(&destination.user))
}

/// Do both ends show one INBOX? By UIDVALIDITY and UIDNEXT over IMAP; over POP3 by unique-ids that hold the UIDVALIDITY, as many servers
/// form them.
fn same_traces(source: &Traces, destination: &Traces) -> bool {
    let Some((validity, next)) = destination.inbox else {
        return false;
    };
    match source.inbox {
        Some(inbox) => inbox == (validity, next),
        None => {
            let hex = format!("{validity:08x}");
            !source.uidls.is_empty()
                && source.uidls.iter().all(|uidl| {
                    let text = String::from_utf8_lossy(uidl).to_ascii_lowercase();
                    text.contains(&hex) || text.contains(&validity.to_string())
                })
        }
    }
}

fn refused(context: &Context) -> Error {
    let destination = &context.destination.0.store;
    let what = format!("both ends of the job are the same mailbox ({destination})");
    Error::new(Kind::Account, Code::SameMailbox, what)
        .hint("name another account as the destination")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inbox(validity: u32, next: u32) -> Traces {
        Traces {
            inbox: Some((validity, Some(next))),
            uidls: Vec::new(),
        }
    }

    fn uidls(uidls: &[&str]) -> Traces {
        Traces {
            inbox: None,
            uidls: uidls.iter().map(|uidl| uidl.as_bytes().to_vec()).collect(),
        }
    }

    #[test]
    fn links_lead_to_the_real_place() {
        let dir = tempfile::tempdir().unwrap();
        let root = real(dir.path());
        std::fs::create_dir(root.join("a")).unwrap();
        std::os::unix::fs::symlink(root.join("a"), root.join("l")).unwrap();
        assert_eq!(real(&root.join("l/new/er")), root.join("a/new/er"));
    }

    #[test]
    fn one_inbox_is_known_by_its_numbers() {
        assert!(same_traces(&inbox(7, 3), &inbox(7, 3)));
        assert!(!same_traces(&inbox(7, 3), &inbox(8, 3)));
    }

    #[test]
    fn unique_ids_tell_the_uidvalidity() {
        let there = inbox(0x6561_2345, 3);
        assert!(same_traces(
            &uidls(&["0000000165612345", "0000000265612345"]),
            &there
        ));
        assert!(!same_traces(&uidls(&["0000000165619999"]), &there));
        assert!(!same_traces(&uidls(&[]), &there));
    }
}
