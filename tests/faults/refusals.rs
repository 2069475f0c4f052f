//! A destination that says NO, in many ways, or closes the connection.

use super::{assert_arrived, before, filled, find, mail, open_intents, run, small_mails, through};
use crate::support::job::ARCHIVE;
use crate::support::proxy::{Fault, Proxy, Side};
use crate::support::run::Balance;
use crate::support::{Dovecot, End, Imap, Job, Snapshot, fresh_user, maildir, mailhaul, shared};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Dovecot refuses a message without a byte, and with it the whole MULTIAPPEND.
#[test]
fn one_culprit_in_a_batch_is_found_and_named() {
    let mut mails = small_mails("culprit", 1, 9);
    mails.iter_mut().for_each(|mail| mail.flags.clear());
    let (old, new) = (fresh_user("culprit-old"), fresh_user("culprit"));
    let mut with_empty = mails.clone();
    with_empty.insert(4, mail("", ""));
    with_empty[4].bytes.clear();
    maildir::fill(shared(), &old, &with_empty);
    let job = Job::new(
        "",
        &End::imap(shared(), &old),
        &End::imap(shared(), &new),
        "",
    );
    for copied in [9, 0] {
        let done = run(&job).exits(3);
        done.balance().assert_adds_up();
        let balance = done.balance();
        assert_eq!(
            (balance.part("copied"), balance.part("not copied")),
            (copied, 1)
        );
        if copied > 0 {
            let said = (done.stdout + &done.stderr).to_lowercase();
            assert!(said.contains("zero"), "the server's words:\n{said}");
        }
    }
    assert_eq!(Snapshot::of(shared().imap, &new).total(), 9);
    assert_eq!(open_intents(&job), 0);
}

#[test]
fn a_full_destination_has_its_own_exit_code() {
    let server = Dovecot::start(&["quota=60k"]);
    let mut mails = small_mails("quota", 2, 66);
    mails.sort_by(|a, b| a.bytes.cmp(&b.bytes));
    mails.dedup_by(|a, b| a.bytes == b.bytes);
    mails.truncate(60);
    assert_eq!(mails.len(), 60, "enough that differ");
    let total: usize = mails.iter().map(|mail| mail.bytes.len()).sum();
    assert!(total > 90_000, "{total}");
    let (old, new) = (filled(shared(), "quota-old", &mails), fresh_user("quota"));
    let sink = End::imap(&server, &new);
    let job = Job::new("", &End::imap(shared(), &old), &sink, "");
    run(&job).exits(13).balance().assert_adds_up();
    let mut arrived = std::collections::BTreeSet::new();
    // Somebody makes room, again and again: what was delivered does not come back.
    for _ in 0..60 {
        let mut imap = Imap::login(server.imap, &new);
        for message in imap.fetch("INBOX") {
            assert!(arrived.insert(message.bytes), "delivered twice");
        }
        if arrived.len() == 60 {
            break;
        }
        imap.expunge("INBOX", "1:*");
        let code = run(&job).code;
        assert!(code == Some(13) || code == Some(0), "{code:?}");
    }
    assert_eq!(arrived.len(), 60);
    assert_eq!(open_intents(&job), 0);
}

#[test]
fn a_folder_that_went_is_made_again() {
    let mails = small_mails("gone", 3, 12);
    let (old, new) = (fresh_user("gone-old"), fresh_user("gone"));
    let mut imap = Imap::login(shared().imap, &old);
    imap.create("A");
    imap.append("A", &mails);
    let user = new.clone();
    let proxy = Proxy::start(shared().imap, move |n| {
        let user = user.clone();
        let delete = move || {
            if n == 0 {
                Imap::login(shared().imap, &user).command("DELETE A");
            }
        };
        vec![Fault::Lines(Side::Up, before(" APPEND ", delete))]
    });
    let sink = through("imap", proxy.port, &new);
    let job = Job::new("", &End::imap(shared(), &old), &sink, "");
    run(&job).exits(0).balance().assert_adds_up();
    Snapshot::of(shared().imap, &new)
        .without_empty()
        .assert_same(&Snapshot::one("A", &mails));
    assert_eq!(open_intents(&job), 0);
}

#[test]
fn farewell_in_the_middle() {
    let mails = small_mails("bye", 4, 8);
    let (old, new) = (filled(shared(), "bye-old", &mails), fresh_user("bye"));
    let proxy = Proxy::start(shared().imap, |n| {
        let bye = move |line: Vec<u8>| match find(&line, "APPENDUID") {
            Some(_) if n == 0 => b"* BYE shutting down\r\n".to_vec(),
            _ => line,
        };
        vec![Fault::Lines(Side::Down, Box::new(bye))]
    });
    let sink = through("imap", proxy.port, &new);
    let job = Job::new("", &End::imap(shared(), &old), &sink, "");
    run(&job).exits(0).balance().assert_adds_up();
    assert_arrived(shared(), &new, &mails, &job);
}

/// Asked for patience, mailhaul waits once for a batch and not once for each of its messages.
#[test]
fn put_off_and_taken_later() {
    let mails = small_mails("later", 5, 30);
    let (old, new) = (filled(shared(), "later-old", &mails), fresh_user("later"));
    let refused = Arc::new(AtomicUsize::new(0));
    let proxy = Proxy::start(shared().imap, move |_| {
        let refused = Arc::clone(&refused);
        let astray = move |line: Vec<u8>| {
            let name = b" APPEND \"INBOX\"";
            let Some(at) = find(&line, " APPEND \"INBOX\"") else {
                return line;
            };
            if refused.fetch_add(1, Ordering::SeqCst) >= 3 {
                return line;
            }
            [&line[..at], b" APPEND \"AWAY\"", &line[at + name.len()..]].concat()
        };
        vec![
            Fault::Lines(Side::Up, Box::new(astray)),
            Fault::Lines(
                Side::Down,
                super::replacing("NO [TRYCREATE]", "NO [UNAVAILABLE]"),
            ),
        ]
    });
    let sink = through("imap", proxy.port, &new);
    let job = Job::new("", &End::imap(shared(), &old), &sink, "");
    let started = std::time::Instant::now();
    run(&job).exits(0).balance().assert_adds_up();
    assert!(started.elapsed().as_secs() < 40, "{:?}", started.elapsed());
    assert_arrived(shared(), &new, &mails, &job);
}

/// Every connection ends at one message: the others arrive, and that one has its outcome in bounded time.
#[test]
fn a_message_that_ends_every_connection() {
    let mut mails = small_mails("poison", 6, 5);
    let poison = "From: a@example.org\r\nMessage-ID: <poison@example.org>\r\nSubject: poison";
    let innocent = mails.clone();
    mails.insert(2, mail(poison, "x"));
    let (old, new) = (filled(shared(), "poison-old", &mails), fresh_user("poison"));
    let cut = |_| vec![Fault::CutAt(Side::Up, "Subject: poison")];
    let proxy = Proxy::start(shared().imap, cut);
    let sink = through("imap", proxy.port, &new);
    let job = Job::new("", &End::imap(shared(), &old), &sink, "");
    let balance = run(&job).exits(3).balance();
    balance.assert_adds_up();
    assert_eq!(
        (balance.part("copied"), balance.part("not copied")),
        (5, 1),
        "{balance:?}"
    );
    Snapshot::of(shared().imap, &new)
        .without_empty()
        .assert_same(&Snapshot::one("INBOX", &innocent));
    assert_eq!(open_intents(&job), 0);
}

/// A server that loses every connection at APPEND is unreachable; it does not have a mailbox rejected message by message.
#[test]
fn a_server_that_never_takes_anything() {
    let mails = small_mails("never", 7, 40);
    let (old, new) = (filled(shared(), "never-old", &mails), fresh_user("never"));
    let (proxy, health) =
        Proxy::until_well(shared().imap, |_| vec![Fault::CutAt(Side::Up, " APPEND ")]);
    let sink = through("imap", proxy.port, &new);
    let job = Job::new("", &End::imap(shared(), &old), &sink, "");
    let done = run(&job);
    assert!(matches!(done.code, Some(3 | 11)), "{done:?}");
    done.balance().assert_adds_up();
    assert_eq!(done.balance().part("copied"), 0);
    health.store(true, Ordering::SeqCst);
    run(&job).exits(0).balance().assert_adds_up();
    assert_arrived(shared(), &new, &mails, &job);
}

/// A server's rejection is for good, until somebody asks to try again.
#[test]
fn what_was_rejected_is_tried_again_when_asked() {
    for rest in ["", ARCHIVE] {
        let mails = small_mails("again", 8, 4);
        let (old, new) = (
            filled(shared(), "again-old", &mails[..3]),
            fresh_user("again"),
        );
        let mut imap = Imap::login(shared().imap, &old);
        imap.create("Odd");
        imap.append("Odd", &mails[3..]);
        let (proxy, health) = Proxy::until_well(shared().imap, |_| {
            let refused = |line: Vec<u8>| match find(&line, " APPEND \"Odd\"") {
                // Dovecot takes no such name.
                Some(at) => {
                    let name = format!(" APPEND \"{}\"", "x".repeat(300));
                    [&line[..at], name.as_bytes(), &line[at + 13..]].concat()
                }
                None => line,
            };
            vec![Fault::Lines(Side::Up, Box::new(refused))]
        });
        let sink = through("imap", proxy.port, &new);
        let job = Job::new("", &End::imap(shared(), &old), &sink, rest);
        let asked = |words: &[&str]| {
            let path = job.path();
            let path = path.to_str().expect("UTF-8");
            let run = mailhaul(&[words, &[path]].concat());
            (run.balance(), run)
        };
        let (balance, first) = asked(&["run"]);
        balance.assert_adds_up();
        let parts = |b: &Balance| (b.part("copied"), b.part("not copied"));
        assert_eq!(parts(&balance), (3, 1), "{first:?}");
        let (balance, again) = asked(&["run", "--retry-failed"]);
        assert_eq!(parts(&balance), (0, 1), "still refused: {again:?}");
        again.exits(3);
        health.store(true, Ordering::SeqCst);
        let (balance, not_asked) = asked(&["run"]);
        assert_eq!(parts(&balance), (0, 1), "{not_asked:?}");
        not_asked.exits(3);
        let (balance, tried) = asked(&["run", "--retry-failed"]);
        assert_eq!(parts(&balance), (1, 0), "{tried:?}");
        tried.exits(0);
        let (balance, last) = asked(&["run", "--retry-failed"]);
        assert_eq!(parts(&balance), (0, 0), "{last:?}");
        let arrived = Imap::login(shared().imap, &new).fetch("Odd");
        assert_eq!(arrived.len(), 1);
        assert_eq!(arrived[0].bytes, mails[3].bytes);
        assert_eq!(open_intents(&job), 0);
    }
}
