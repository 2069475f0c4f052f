//! `verify` and `undo` over connections that end, and that `verify` asks for nothing that changes anything.

use super::{filled, run, small_mails, through};
use crate::support::proxy::{Fault, Proxy, Side};
use crate::support::{End, Imap, Job, Run, fresh_user, mailhaul, shared};
use std::sync::{Arc, Mutex};

const MESSAGES: usize = 30;

/// A job that ran, on its way through a proxy at one end from now on.
fn behind(proxy: &Proxy, source: bool, old: &str, new: &str, job: &Job) {
    let direct = |user| End::imap(shared(), user);
    let (from, to) = match source {
        true => (through("imap", proxy.port, old), direct(new)),
        false => (direct(old), through("imap", proxy.port, new)),
    };
    job.rewrite("", &from, &to, "");
}

fn copied() -> (Job, String, String) {
    let mails = small_mails("proof", 3, MESSAGES);
    let (old, new) = (
        filled(shared(), "proof-old", &mails),
        fresh_user("proof-new"),
    );
    let job = Job::new(
        "",
        &End::imap(shared(), &old),
        &End::imap(shared(), &new),
        "",
    );
    run(&job).exits(0);
    (job, old, new)
}

fn tell(job: &Job, args: &[&str]) -> Run {
    let path = job.path();
    let path = path.to_string_lossy();
    let mut all = args.to_vec();
    all.push(&path);
    mailhaul(&all)
}

#[test]
fn verify_goes_on_over_new_connections() {
    let (job, old, new) = copied();
    for source in [true, false] {
        for at in [1_500, 9_000, 30_000] {
            let cut = move |n: usize| match n {
                0 => vec![Fault::Cut(Side::Down, at)],
                1 => vec![Fault::Cut(Side::Down, at + 20_000)],
                _ => vec![],
            };
            let proxy = Proxy::start(shared().imap, cut);
            behind(&proxy, source, &old, &new, &job);
            let told = tell(&job, &["verify"]).exits(0);
            let balance = format!("{MESSAGES} = {MESSAGES} equal; unaccounted 0");
            assert!(told.stdout.contains(&balance), "{}", told.stdout);
            assert!(proxy.connections() > 1, "nothing was cut at {at}");
        }
    }
}

#[test]
fn verify_asks_for_nothing_that_changes_anything() {
    let (job, old, new) = copied();
    Imap::login(shared().imap, &new).expunge("INBOX", "3");
    for source in [true, false] {
        let said: Arc<Mutex<String>> = Arc::default();
        let heard = Arc::clone(&said);
        let proxy = Proxy::start(shared().imap, move |_| {
            let heard = Arc::clone(&heard);
            let keep = move |line: Vec<u8>| {
                let text = String::from_utf8_lossy(&line).to_uppercase();
                heard.lock().expect("no panic").push_str(&text);
                line
            };
            vec![Fault::Lines(Side::Up, Box::new(keep))]
        });
        behind(&proxy, source, &old, &new, &job);
        for level in ["count", "headers", "content"] {
            tell(&job, &["verify", "--level", level]).exits(4);
        }
        let said = said.lock().expect("no panic");
        assert!(
            said.contains("EXAMINE") && said.contains("BODY.PEEK"),
            "{said}"
        );
        let changes = [
            " SELECT ",
            " STORE ",
            " APPEND ",
            " CREATE ",
            "EXPUNGE",
            "SUBSCRIBE ",
            " BODY[",
        ];
        for word in changes {
            assert!(!said.contains(word), "{word} in {said}");
        }
    }
}

#[test]
fn undo_removes_once_whatever_becomes_of_the_connection() {
    for point in ["UID STORE", "UID EXPUNGE"] {
        let (job, old, new) = copied();
        Imap::login(shared().imap, &new).append("INBOX", &small_mails("own", 9, 2));
        let cut = move |n: usize| match n {
            0 => vec![Fault::CutAt(Side::Up, point)],
            _ => vec![],
        };
        let proxy = Proxy::start(shared().imap, cut);
        behind(&proxy, false, &old, &new, &job);
        let told = tell(&job, &["undo", "--run", "1", "--yes"]).exits(0);
        let words = format!("{MESSAGES} messages added = {MESSAGES} taken back + 0 left");
        assert!(told.stdout.contains(&words), "{}", told.stdout);
        assert!(proxy.connections() > 1, "nothing was cut at {point}");
        assert_eq!(Imap::login(shared().imap, &new).count("INBOX"), 2);
        assert_eq!(run(&job).exits(0).balance().part("copied"), MESSAGES as u64);
    }
}
