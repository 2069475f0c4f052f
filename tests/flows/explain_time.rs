//! `run --explain-time`: where the seconds went.

use super::run;
use crate::support::proxy::{Fault, Proxy, Side};
use crate::support::{Corpus, End, Imap, Job, Run, Snapshot, fresh_user, mailhaul, shared};
use serde_json::Value;
use std::time::Duration;

/// What a distant source adds to each of its answers.
const FAR: Duration = Duration::from_millis(200);

/// Twenty messages, and one connection to each end, the source's with a delay before every answer.
fn distant_source() -> (Job, Proxy, String, String) {
    let server = shared();
    let (old, new) = (fresh_user("time-old"), fresh_user("time-new"));
    Imap::login(server.imap, &old).append("INBOX", &Corpus::new(&old, 5).mails(20));
    let far = Proxy::start(server.imap, |_| vec![Fault::Delay(Side::Down, FAR)]);
    let source = End::at("imap", "localhost", far.port, &old)
        .line("security = \"plain\"")
        .line("connections = 1");
    let destination = End::imap(server, &new).line("connections = 1");
    (Job::new("", &source, &destination, ""), far, old, new)
}

fn explained(job: &Job, more: &str) -> Run {
    let path = job.path();
    mailhaul(&[
        "run".as_ref(),
        path.as_os_str(),
        "--explain-time".as_ref(),
        more.as_ref(),
    ])
    .exits(0)
}

#[test]
fn a_distant_source_shows_as_waits_for_the_source() {
    let (job, _far, old, new) = distant_source();
    let told = explained(&job, "--json");
    let last: Value =
        serde_json::from_str(told.stdout.lines().last().expect("a summary")).expect("JSON");
    let (time, elapsed) = (&last["time"], last["seconds"].as_f64().expect("seconds"));
    let of = |wait: &str| {
        time[wait]
            .as_f64()
            .unwrap_or_else(|| panic!("no {wait} in {time}"))
    };
    // Greeting, capabilities and login; then at least the list of folders and the messages.
    assert!(of("connecting") >= FAR.as_secs_f64(), "{time}");
    assert!(of("source") >= 2.0 * FAR.as_secs_f64(), "{time}");
    assert!(
        of("destination") > 0.0 && of("journal") > 0.0 && of("processor") > 0.0,
        "{time}"
    );
    assert!(of("source") > of("memory") + of("held_back"), "{time}");
    assert_eq!((of("archive"), of("pause")), (0.0, 0.0), "{time}");
    // One thread reads and one delivers: none of them waits longer than the run took.
    assert!(
        of("source") + of("memory") + of("held_back") <= elapsed,
        "{time} of {elapsed}"
    );
    assert!(of("destination") <= elapsed, "{time} of {elapsed}");
    assert_eq!(
        (
            &time["source_connections"],
            &time["destination_connections"]
        ),
        (&1.into(), &1.into())
    );
    let server = shared();
    Snapshot::of(server.imap, &new).assert_same_order(&Snapshot::of(server.imap, &old));
}

#[test]
fn the_summary_tells_it_only_when_asked() {
    let (job, _far, ..) = distant_source();
    let told = explained(&job, "--no-color");
    for words in [
        "where the time went: ",
        "; 1 connection to the source, 1 connection to the destination\n",
        " s  waiting for the source\n",
        " s  waiting for the destination\n",
        " s  mailhaul's own work, on all processors\n",
    ] {
        assert!(
            told.stdout.contains(words),
            "no {words:?} in:\n{}",
            told.stdout
        );
    }
    let again = run(&job).exits(0);
    assert!(!again.stdout.contains("time went"), "{}", again.stdout);
}
