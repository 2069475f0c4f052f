//! Mailboxes that change while a run is going on, or between two.

use super::{assert_arrived, before, filled, mail, open_intents, run, small_mails, through};
use crate::support::proxy::{Fault, Proxy, Rewrite, Side};
use crate::support::run::spawn;
use crate::support::{Corpus, End, Imap, Job, Mail, Snapshot, fresh_user, shared};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

fn job_through(proxy: &Proxy, old: &str, new: &str) -> Job {
    let source = through("imap", proxy.port, old);
    Job::new("", &source, &End::imap(shared(), new), "")
}

/// A folder with these messages; one of this name that was there is deleted first.
fn make_anew(user: &str, folder: &str, mails: &[Mail]) {
    let mut imap = Imap::login(shared().imap, user);
    if imap.folders().iter().any(|name| name == folder) {
        imap.command(&format!("DELETE {folder}"));
    }
    imap.create(folder);
    imap.append(folder, mails);
}

/// The body of one UID comes as NIL.
fn without_body(uid: u32) -> Rewrite {
    let mark = format!("UID {uid} ");
    let mut skip = 0;
    Box::new(move |line| {
        if skip > 0 {
            let skipped = skip.min(line.len());
            skip -= skipped;
            return line[skipped..].to_vec();
        }
        let text = String::from_utf8_lossy(&line).into_owned();
        let Some(at) = text.find("BODY[] {").filter(|_| text.contains(&mark)) else {
            return line;
        };
        let digits = text[at + 8..].trim_end().trim_end_matches('}');
        skip = digits.parse().expect("a size");
        format!("{}BODY[] NIL", &text[..at]).into_bytes()
    })
}

#[test]
fn a_fetch_without_a_body_is_not_done() {
    let mails = small_mails("nil", 1, 7);
    let (old, new) = (filled(shared(), "nil-old", &mails), fresh_user("nil"));
    let (proxy, health) = Proxy::until_well(shared().imap, |_| {
        vec![Fault::Lines(Side::Down, without_body(3))]
    });
    let job = job_through(&proxy, &old, &new);
    let balance = run(&job).exits(3).balance();
    balance.assert_adds_up();
    assert_eq!((balance.part("copied"), balance.part("not copied")), (6, 1));
    health.store(true, Ordering::SeqCst);
    assert_eq!(run(&job).exits(0).balance().part("copied"), 1);
    assert_arrived(shared(), &new, &mails, &job);
}

#[test]
fn expunged_between_listing_and_fetch() {
    let mails = small_mails("expunged", 2, 8);
    let (old, new) = (
        filled(shared(), "expunged-old", &mails[..3]),
        fresh_user("expunged"),
    );
    let user = old.clone();
    let active = Arc::new(AtomicBool::new(false));
    let state = Arc::clone(&active);
    let proxy = Proxy::start(shared().imap, move |_| {
        let (user, state) = (user.clone(), Arc::clone(&state));
        let expunge = move || {
            if state.swap(false, Ordering::SeqCst) {
                Imap::login(shared().imap, &user).expunge("INBOX", "6");
            }
        };
        vec![Fault::Lines(Side::Up, before("BODY.PEEK[]", expunge))]
    });
    let job = job_through(&proxy, &old, &new);
    run(&job).exits(0);
    Imap::login(shared().imap, &old).append("INBOX", &mails[3..]);
    active.store(true, Ordering::SeqCst);
    let balance = run(&job).exits(0).balance();
    balance.assert_adds_up();
    assert_eq!(
        (balance.part("copied"), balance.part("vanished")),
        (4, 1),
        "{balance:?}"
    );
    let left: Vec<Mail> = [&mails[..5], &mails[6..]].concat();
    assert_arrived(shared(), &new, &left, &job);
}

#[test]
fn a_source_folder_deleted_meanwhile_fails_alone() {
    let mails = small_mails("deleted", 3, 6);
    let (old, new) = (
        filled(shared(), "deleted-old", &mails[..3]),
        fresh_user("deleted"),
    );
    make_anew(&old, "Bygone", &mails[3..]);
    let user = old.clone();
    let proxy = Proxy::start(shared().imap, move |_| {
        let user = user.clone();
        let delete = move || {
            Imap::login(shared().imap, &user).command("DELETE Bygone");
        };
        // The connection that opens the folder is the only one.
        vec![Fault::Lines(Side::Up, before("EXAMINE \"Bygone\"", delete))]
    });
    let source = through("imap", proxy.port, &old).line("connections = 1");
    let job = Job::new("", &source, &End::imap(shared(), &new), "");
    let done = run(&job).exits(3);
    done.balance().assert_adds_up();
    assert_eq!(done.balance().part("copied"), 3);
    let said = done.stdout + &done.stderr;
    assert!(said.contains("Bygone"), "{said}");
    Snapshot::of(shared().imap, &new)
        .without_empty()
        .assert_same(&Snapshot::one("INBOX", &mails[..3]));
}

/// With three identical copies among them.
fn with_triplets(name: &str, seed: u64) -> Vec<Mail> {
    let head = "From: a@example.org\r\nMessage-ID: <same@example.org>\r\nSubject: same";
    let mut mails = small_mails(name, seed, 6);
    mails.extend(vec![mail(head, "same"); 3]);
    mails
}

#[test]
fn another_uidvalidity_at_the_source_doubles_nothing() {
    let mails = with_triplets("validity", 4);
    let (old, new) = (fresh_user("validity-old"), fresh_user("validity"));
    make_anew(&old, "A", &mails);
    let job = Job::new(
        "",
        &End::imap(shared(), &old),
        &End::imap(shared(), &new),
        "",
    );
    run(&job).exits(0);
    std::thread::sleep(Duration::from_millis(1_100));
    make_anew(&old, "A", &mails);
    let balance = run(&job).exits(0).balance();
    balance.assert_adds_up();
    assert_eq!(
        (balance.part("copied"), balance.part("already there")),
        (0, 9),
        "{balance:?}"
    );
    Snapshot::of(shared().imap, &new)
        .without_empty()
        .assert_same(&Snapshot::one("A", &mails));
}

#[test]
fn another_uidvalidity_at_the_destination_doubles_nothing() {
    let mails = with_triplets("anew", 5);
    let more = small_mails("more", 6, 2);
    let (old, new) = (fresh_user("anew-old"), fresh_user("anew"));
    make_anew(&old, "A", &mails);
    let job = Job::new(
        "",
        &End::imap(shared(), &old),
        &End::imap(shared(), &new),
        "",
    );
    run(&job).exits(0);
    std::thread::sleep(Duration::from_millis(1_100));
    make_anew(&new, "A", &mails);
    Imap::login(shared().imap, &old).append("A", &more);
    let balance = run(&job).exits(0).balance();
    balance.assert_adds_up();
    assert_eq!(balance.part("copied"), 2, "{balance:?}");
    let all = [mails, more].concat();
    Snapshot::of(shared().imap, &new)
        .without_empty()
        .assert_same(&Snapshot::one("A", &all));
}

/// The connection is lost, and when mailhaul is back the folder has other UIDs: what they were is not taken for what they are.
#[test]
fn another_uidvalidity_within_a_run() {
    let mails = small_mails("within", 7, 8);
    let (old, new) = (fresh_user("within-old"), fresh_user("within"));
    make_anew(&old, "A", &mails);
    let mut turned = mails.clone();
    turned.reverse();
    let user = old.clone();
    let proxy = Proxy::start(shared().imap, move |n| {
        if n == 1 {
            std::thread::sleep(Duration::from_millis(1_100));
            make_anew(&user, "A", &turned);
        }
        match n {
            0 => vec![Fault::CutAt(Side::Down, "UID 5 ")],
            _ => vec![],
        }
    });
    let job = job_through(&proxy, &old, &new);
    run(&job).exits(3).balance().assert_adds_up();
    run(&job).exits(0).balance().assert_adds_up();
    Snapshot::of(shared().imap, &new)
        .without_empty()
        .assert_same(&Snapshot::one("A", &mails));
    assert_eq!(open_intents(&job), 0);
}

#[test]
fn sigterm_in_the_middle_of_a_stalled_destination() {
    let mut corpus = Corpus::new("term", 8);
    corpus.median_size = 20_000.0;
    let mails = corpus.mails(200);
    let (old, new) = (filled(shared(), "term-old", &mails), fresh_user("term"));
    let proxy = Proxy::start(shared().imap, |n| match n {
        0 => vec![Fault::Throttle(Side::Up, 400_000)],
        _ => vec![],
    });
    let sink = through("imap", proxy.port, &new);
    let job = Job::new("", &End::imap(shared(), &old), &sink, "");
    let mut running = spawn(&["run".as_ref(), job.path().as_os_str()]);
    let started = Instant::now();
    let mut imap = Imap::login(shared().imap, &new);
    while imap.count("INBOX") == 0 && !running.ended() {
        assert!(started.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(2));
    }
    running.signal("TERM");
    let asked = Instant::now();
    running.wait().exits(130);
    assert!(asked.elapsed() < Duration::from_secs(60));
    assert!((imap.count("INBOX") as usize) < mails.len(), "it was done");
    run(&job).exits(0).balance().assert_adds_up();
    assert_arrived(shared(), &new, &mails, &job);
}
