//! Ctrl-C: what is in flight is finished, the exit code says so, and the next run goes on.

use super::{assert_nothing_left, run};
use crate::support::run::spawn;
use crate::support::{Corpus, End, Imap, Job, Snapshot, fresh_user, shared};
use std::time::{Duration, Instant};

#[test]
fn one_ctrl_c_stops_and_the_next_run_goes_on() {
    let server = shared();
    let (old, new) = (fresh_user("int-old"), fresh_user("int-new"));
    let mut corpus = Corpus::new(&old, 31);
    corpus.median_size = 20_000.0;
    Imap::login(server.imap, &old).append("INBOX", &corpus.mails(1_500));
    let job = Job::new("", &End::imap(server, &old), &End::imap(server, &new), "");
    let stopped = interrupt(&job, server.imap, &new);
    assert_eq!(stopped, Some(130));
    run(&job).exits(0);
    Snapshot::of(server.imap, &new).assert_same_order(&Snapshot::of(server.imap, &old));
    assert_nothing_left(&job);
}

/// Sends SIGINT as soon as the first message has arrived; the exit code.
fn interrupt(job: &Job, port: u16, new: &str) -> Option<i32> {
    let mut running = spawn(&["run".as_ref(), job.path().as_os_str()]);
    let mut imap = Imap::login(port, new);
    let started = Instant::now();
    while imap.count("INBOX") == 0 && !running.ended() {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "nothing arrives"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
    running.signal("INT");
    running.wait().code
}
