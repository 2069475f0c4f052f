//! What goes wrong between mailhaul and its servers: nothing is lost, nothing doubled, every message has one outcome.

mod append;
mod bounds;
mod changes;
mod cuts;
mod hostile;
mod maildrop;
mod proof;
mod refusals;
mod secrets;
mod session;
mod tls;
mod trace;
#[cfg(feature = "failpoints")]
mod under_way;

use crate::support::proxy::Rewrite;
use crate::support::{Corpus, Dovecot, End, Imap, Job, Mail, Run, Snapshot, fresh_user, mailhaul};
use rusqlite::{Connection, OpenFlags};

fn run(job: &Job) -> Run {
    mailhaul(&["run".as_ref(), job.path().as_os_str()])
}

/// One end by way of a proxy.
fn through(protocol: &str, port: u16, user: &str) -> End {
    End::at(protocol, "127.0.0.1", port, user).line("security = \"plain\"")
}

fn small_mails(name: &str, seed: u64, count: usize) -> Vec<Mail> {
    let mut corpus = Corpus::new(name, seed);
    corpus.median_size = 1_500.0;
    corpus.mails(count)
}

/// A fresh user with these messages in INBOX.
fn filled(server: &Dovecot, stem: &str, mails: &[Mail]) -> String {
    let user = fresh_user(stem);
    Imap::login(server.imap, &user).append("INBOX", mails);
    user
}

/// A message as short as can be.
fn mail(head: &str, body: &str) -> Mail {
    Mail {
        bytes: format!("{head}\r\n\r\n{body}\r\n").into_bytes(),
        flags: vec![],
        date: 1_700_000_000,
    }
}

/// `user` holds exactly these; the journal has no batch left whose end is not known; the next run copies nothing.
#[track_caller]
fn assert_arrived(server: &Dovecot, user: &str, mails: &[Mail], job: &Job) {
    let expected = Snapshot::one("INBOX", mails);
    let arrived = || Snapshot::of(server.imap, user).without_empty();
    arrived().assert_same(&expected);
    assert_eq!(open_intents(job), 0);
    let again = run(job).exits(0);
    assert_eq!(again.balance().part("copied"), 0, "{}", again.stdout);
    again.balance().assert_adds_up();
    arrived().assert_same(&expected);
}

fn open_intents(job: &Job) -> u32 {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let journal = Connection::open_with_flags(job.journal(), flags).expect("a journal");
    let count = "SELECT count(*) FROM intent WHERE settled IS NULL";
    journal
        .query_row(count, [], |row| row.get(0))
        .expect("a count")
}

/// Lines in which `from` becomes `to`.
fn replacing(from: &'static str, to: &'static str) -> Rewrite {
    Box::new(move |line| match find(&line, from) {
        Some(at) => [&line[..at], to.as_bytes(), &line[at + from.len()..]].concat(),
        None => line,
    })
}

/// Does something before the first line with this text goes on.
fn before(text: &'static str, act: impl FnOnce() + Send + 'static) -> Rewrite {
    let mut act = Some(act);
    Box::new(move |line| {
        if find(&line, text).is_some()
            && let Some(act) = act.take()
        {
            act();
        }
        line
    })
}

fn find(line: &[u8], text: &str) -> Option<usize> {
    line.windows(text.len())
        .position(|part| part == text.as_bytes())
}
