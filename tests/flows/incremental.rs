//! Later runs: they ask for what has changed and see all of it.

use super::{assert_nothing_left, run};
use crate::support::proxy::{Fault, Proxy, Side};
use crate::support::{Corpus, End, Imap, Job, Snapshot, fresh_user, shared};
use std::sync::{Arc, Mutex};

/// A proxy that keeps every line that mailhaul sends.
pub(super) fn listening(port: u16) -> (Proxy, Arc<Mutex<Vec<String>>>) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&lines);
    let proxy = Proxy::start(port, move |_| {
        let kept = Arc::clone(&kept);
        let keep = move |line: Vec<u8>| {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            kept.lock().expect("the lines").push(text);
            line
        };
        vec![Fault::Lines(Side::Up, Box::new(keep))]
    });
    (proxy, lines)
}

pub(super) fn taken(lines: &Mutex<Vec<String>>) -> Vec<String> {
    std::mem::take(&mut *lines.lock().expect("the lines"))
}

fn listings(lines: &[String]) -> (usize, usize) {
    let all: Vec<&String> = lines
        .iter()
        .filter(|line| line.contains("RFC822.SIZE)"))
        .collect();
    let changes = all.iter().filter(|line| line.contains("CHANGEDSINCE"));
    let changes = changes.count();
    (all.len() - changes, changes)
}

#[test]
fn changes_alone_are_asked_for_until_something_has_gone() {
    let server = shared();
    let (old, new) = (fresh_user("since-old"), fresh_user("since-new"));
    let mut corpus = Corpus::new(&old, 5);
    let mut source = Imap::login(server.imap, &old);
    source.append("INBOX", &corpus.mails(30));
    let (proxy, lines) = listening(server.imap);
    let end = End::at("imap", "127.0.0.1", proxy.port, &old).line("security = \"plain\"");
    let job = Job::new("", &end, &End::imap(server, &new), "");
    run(&job).exits(0);
    taken(&lines);

    source.append("INBOX", &corpus.mails(3));
    source.store("INBOX", "4:6", "+FLAGS", "\\Flagged later");
    let balance = run(&job).exits(0).balance();
    assert_eq!(
        (balance.part("copied"), balance.part("already there")),
        (3, 30)
    );
    balance.assert_adds_up();
    assert_eq!(listings(&taken(&lines)), (0, 1));
    let want = Snapshot::of(server.imap, &old);
    Snapshot::of(server.imap, &new).assert_same_order(&want);

    // As many gone as have come: the number of messages alone would hide it.
    source.append("INBOX", &corpus.mails(2));
    source.expunge("INBOX", "1:2");
    let balance = run(&job).exits(0).balance();
    assert_eq!((balance.total, balance.part("copied")), (33, 2));
    balance.assert_adds_up();
    assert_eq!(listings(&taken(&lines)), (1, 1));
    assert_eq!(Imap::login(server.imap, &new).count("INBOX"), 35);

    source.expunge("INBOX", "3");
    run(&job).exits(0).balance().assert_adds_up();
    assert_nothing_left(&job);
}

#[test]
fn a_change_of_flags_reaches_every_destination() {
    let server = shared();
    let old = fresh_user("flags-several");
    let new = [fresh_user("flags-several-a"), fresh_user("flags-several-b")];
    let mut corpus = Corpus::new(&old, 6);
    let mut source = Imap::login(server.imap, &old);
    source.append("INBOX", &corpus.mails(8));
    let ends: Vec<End> = new.iter().map(|user| End::imap(server, user)).collect();
    let job = Job::with_destinations("", &End::imap(server, &old), &ends, "");
    run(&job).exits(0);
    source.store("INBOX", "2:3", "+FLAGS", "\\Answered todo");
    source.store("INBOX", "2:8", "-FLAGS", "\\Seen");
    run(&job).exits(0);
    let want = Snapshot::of(server.imap, &old);
    for user in &new {
        Snapshot::of(server.imap, user).assert_same_order(&want);
    }
    let again = run(&job).exits(0);
    assert!(!again.stdout.contains("flags"), "{}", again.stdout);
}
