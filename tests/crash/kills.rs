//! Copying, killed at every step: the next run makes it what an uninterrupted one would have made, and a third does nothing.

use super::steps::{each, killed, killed_with, passed, passed_with, resumed, same};
use crate::support::job::ARCHIVE;
use crate::support::proxy::{Fault, Proxy, Side};
use crate::support::{
    Corpus, Dovecot, End, Imap, Job, Mail, Snapshot, fresh_user, maildir, shared,
};
use std::time::Duration;

const MULTIAPPEND: &str = "capability=IMAP4rev1 LITERAL+ NAMESPACE UNSELECT MULTIAPPEND";
const UIDPLUS: &str = "capability=IMAP4rev1 LITERAL+ NAMESPACE UNSELECT UIDPLUS";
const NEITHER: &str = "capability=IMAP4rev1 NAMESPACE UNSELECT";

/// Six messages, the same each time: three of them equal, one without a Message-ID, one large enough to be sent in pieces.
pub fn mails(flags: bool) -> Vec<Mail> {
    let mut corpus = Corpus::new("crash", 77);
    corpus.flags = flags;
    let mut mails = vec![corpus.mail(); 3];
    let mut nameless = corpus.mail();
    nameless.bytes = String::from_utf8_lossy(&nameless.bytes)
        .replace("Message-ID", "X-Was-ID")
        .into_bytes();
    mails.push(nameless);
    corpus.median_size = 150_000.0;
    mails.push(corpus.mail());
    corpus.median_size = 300.0;
    mails.push(corpus.mail());
    for mail in &mut mails {
        mail.bytes.extend(b"the end\r\n");
    }
    mails
}

/// An IMAP account with them in two folders.
pub fn fill(server: &Dovecot, user: &str) {
    let mails = mails(true);
    let mut imap = Imap::login(server.imap, user);
    imap.append("INBOX", &mails[..4]);
    imap.create("Other/Deep");
    imap.append("Other/Deep", &mails[4..]);
}

fn copy(name: &str, source: &End, new: &Dovecot, rest: &str, want: &Snapshot) {
    let job = |user: &str| Job::new("", source, &End::imap(new, user), rest);
    let steps = passed(&job(&fresh_user("steps")));
    each(name, &steps, |n| {
        let user = fresh_user("crash-new");
        let job = job(&user);
        let was_killed = killed(&job, n);
        let right = || same(&Snapshot::of(new.imap, &user).without_empty(), want);
        resumed(&job, &right).map(|()| was_killed)
    });
}

fn pop3(name: &str, new: &Dovecot, rest: &str) {
    let server = shared();
    let old = fresh_user("crash-pop");
    let mails = mails(false);
    maildir::fill(server, &old, &mails);
    let want = Snapshot::one("INBOX", &mails);
    copy(name, &End::pop3(server, &old), new, rest, &want);
}

fn imap(name: &str, new: &Dovecot) {
    let server = shared();
    let old = fresh_user("crash-imap");
    fill(server, &old);
    let want = Snapshot::of(server.imap, &old).without_empty();
    copy(name, &End::imap(server, &old), new, "", &want);
}

#[test]
fn pop3_to_imap_through_the_archive() {
    pop3("POP3 to IMAP", shared(), ARCHIVE);
}

#[test]
fn pop3_to_imap_through_an_archive_of_mbox_files() {
    let rest = format!("{ARCHIVE}format = \"mbox\"\n");
    pop3("POP3 to IMAP, kept as mbox", shared(), &rest);
}

#[test]
fn pop3_to_an_imap_server_that_can_little() {
    pop3(
        "POP3 to IMAP, no UIDPLUS, no MULTIAPPEND",
        &Dovecot::start(&[NEITHER]),
        ARCHIVE,
    );
}

#[test]
fn imap_to_imap() {
    imap("IMAP to IMAP", shared());
}

#[test]
fn imap_to_imap_without_uidplus() {
    imap("IMAP to IMAP, no UIDPLUS", &Dovecot::start(&[MULTIAPPEND]));
}

#[test]
fn imap_to_imap_without_multiappend() {
    imap("IMAP to IMAP, no MULTIAPPEND", &Dovecot::start(&[UIDPLUS]));
}

/// Batches of two messages whose answers take a while: at most steps several are under way, with copies of each other in them.
#[test]
fn imap_to_imap_with_several_batches_under_way() {
    let server = shared();
    let old = fresh_user("crash-way");
    fill(server, &old);
    Imap::login(server.imap, &old).append("INBOX", &mails(true));
    let want = Snapshot::of(server.imap, &old).without_empty();
    let late = |_| vec![Fault::Delay(Side::Down, Duration::from_millis(30))];
    let proxy = Proxy::start(server.imap, late);
    let job = |user: &str| {
        let new = End::at("imap", "127.0.0.1", proxy.port, user).line("security = \"plain\"");
        Job::new("", &End::imap(server, &old), &new, "")
    };
    let small = [("MAILHAUL_FAIL_BATCH", "2".as_ref())];
    let steps = passed_with(&job(&fresh_user("steps")), &small);
    each("IMAP to IMAP, several batches under way", &steps, |n| {
        let user = fresh_user("crash-new");
        let job = job(&user);
        let was_killed = killed_with(&job, n, &small);
        let right = || same(&Snapshot::of(server.imap, &user).without_empty(), &want);
        resumed(&job, &right).map(|()| was_killed)
    });
}
