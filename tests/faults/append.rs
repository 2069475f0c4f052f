//! APPEND whose end nobody saw, and servers that tell too little or something else about it.

use super::{assert_arrived, filled, mail, replacing, run, small_mails, through};
use crate::support::proxy::{Fault, Proxy, Side};
use crate::support::{Dovecot, End, Job, Mail, fresh_user, shared};
use std::time::Duration;

/// Runs a job through a sink whose connections have these faults, to its end in one run, and looks at everything.
fn deliver(server: &Dovecot, mails: &[Mail], faults: fn(usize) -> Vec<Fault>) -> u64 {
    deliver_and_wait(server, mails, faults, Duration::ZERO)
}

/// The same, looking only after a while.
fn deliver_and_wait(
    server: &Dovecot,
    mails: &[Mail],
    faults: fn(usize) -> Vec<Fault>,
    wait: Duration,
) -> u64 {
    let (old, new) = (filled(shared(), "append-old", mails), fresh_user("append"));
    let proxy = Proxy::start(server.imap, faults);
    let sink = through("imap", proxy.port, &new);
    let job = Job::new("", &End::imap(shared(), &old), &sink, "");
    let balance = run(&job).exits(0).balance();
    balance.assert_adds_up();
    std::thread::sleep(wait);
    assert_arrived(server, &new, mails, &job);
    balance.part("copied")
}

fn first(n: usize, fault: Fault) -> Vec<Fault> {
    if n == 0 { vec![fault] } else { vec![] }
}

/// Two without Message-ID that differ in their bodies only, and are equally long.
fn twins() -> Vec<Mail> {
    let head = "From: a@example.org\r\nDate: Tue, 14 Nov 2023 22:13:20 +0000\r\nSubject: twin";
    vec![mail(head, "one"), mail(head, "two")]
}

fn triplets() -> Vec<Mail> {
    let head = "From: a@example.org\r\nMessage-ID: <three@example.org>\r\nSubject: triplet";
    vec![mail(head, "same"); 3]
}

#[test]
fn stored_but_the_answer_is_lost() {
    for mails in [small_mails("lost", 1, 5), twins(), triplets()] {
        let lose = |n| first(n, Fault::CutAt(Side::Down, "APPENDUID"));
        let copied = deliver(shared(), &mails, lose);
        assert_eq!(copied, mails.len() as u64);
    }
}

#[test]
fn not_stored_and_the_connection_lost() {
    std::thread::scope(|scope| {
        for mails in [small_mails("away", 2, 5), twins(), triplets()] {
            scope.spawn(move || {
                let lose = |n| first(n, Fault::CutAt(Side::Up, "APPEND "));
                let copied = deliver(shared(), &mails, lose);
                assert_eq!(copied, mails.len() as u64);
            });
        }
    });
}

#[test]
fn stored_after_the_client_came_back() {
    std::thread::scope(|scope| {
        for mails in [small_mails("late", 3, 5), twins(), triplets()] {
            scope.spawn(move || {
                let late = |n| first(n, Fault::Hold("APPEND ", Duration::from_secs(5)));
                // A run that did not wait would be over before the bytes are let go.
                let wait = Duration::from_secs(7);
                let copied = deliver_and_wait(shared(), &mails, late, wait);
                assert_eq!(copied, mails.len() as u64);
            });
        }
    });
}

#[test]
fn appenduid_stripped() {
    let strip = |_| {
        vec![Fault::Lines(
            Side::Down,
            replacing("[APPENDUID ", "[X-NOTHING "),
        )]
    };
    for mails in [small_mails("strip", 4, 12), triplets()] {
        assert_eq!(deliver(shared(), &mails, strip), mails.len() as u64);
    }
}

/// Believed, such UIDs would have later batches looked for where nothing can stand.
#[test]
fn appenduid_mangled() {
    let mangle = |n| {
        let mut faults = vec![Fault::Lines(Side::Down, higher(9_000))];
        if n == 0 {
            faults.push(Fault::Cut(Side::Up, 4_000));
        }
        faults
    };
    let mails = small_mails("mangle", 5, 12);
    assert_eq!(deliver(shared(), &mails, mangle), 12);
}

/// Told a little too high, they are plausible until a connection is lost and the folder's next UID says otherwise.
#[test]
fn appenduid_a_little_off() {
    let mangle = |n| {
        let mut faults = vec![Fault::Lines(Side::Down, higher(40))];
        if n == 0 {
            faults.push(Fault::CutAt(Side::Down, "APPENDUID"));
        }
        faults
    };
    let mails = small_mails("off", 6, 12);
    let (old, new) = (filled(shared(), "off-old", &mails), fresh_user("off"));
    let proxy = Proxy::start(shared().imap, mangle);
    let sink = through("imap", proxy.port, &new);
    // What is read back at such UIDs is not there: only whether all arrived is asked here.
    let job = Job::new("verify = \"none\"", &End::imap(shared(), &old), &sink, "");
    run(&job).exits(0).balance().assert_adds_up();
    assert_arrived(shared(), &new, &mails, &job);
}

/// `APPENDUID VALIDITY UIDS` with every UID so much higher.
fn higher(by: u32) -> crate::support::proxy::Rewrite {
    Box::new(move |line| {
        let text = String::from_utf8_lossy(&line).into_owned();
        let Some((before, rest)) = text.split_once("[APPENDUID ") else {
            return line;
        };
        let (inside, after) = rest.split_once(']').expect("an end");
        let (validity, uids) = inside.split_once(' ').expect("two words");
        let raised: String = uids
            .split_inclusive([':', ','])
            .map(|part| {
                let digits = part.trim_end_matches([':', ',']);
                let number = digits.parse::<u32>().expect("a UID") + by;
                format!("{number}{}", &part[digits.len()..])
            })
            .collect();
        format!("{before}[APPENDUID {validity} {raised}]{after}").into_bytes()
    })
}

#[test]
fn servers_that_can_less() {
    for capability in [
        "IMAP4rev1 NAMESPACE LITERAL+ MULTIAPPEND",
        "IMAP4rev1 NAMESPACE LITERAL+ UIDPLUS",
        "IMAP4rev1 NAMESPACE UIDPLUS MULTIAPPEND",
        "IMAP4rev1 NAMESPACE",
    ] {
        let server = Dovecot::start(&[&format!("capability={capability}")]);
        for faults in [(|_| vec![]) as fn(usize) -> Vec<Fault>, |n| {
            first(n, Fault::CutAt(Side::Down, "APPENDUID"))
        }] {
            let mails = small_mails("less", 7, 8);
            assert_eq!(deliver(&server, &mails, faults), 8, "{capability}");
        }
    }
}

#[test]
fn a_destination_that_alters_bytes() {
    let alter = |_| {
        vec![Fault::Lines(
            Side::Up,
            replacing("plain words", "p1ain words"),
        )]
    };
    let head = "From: a@example.org\r\nMessage-ID: <altered@example.org>\r\nSubject: altered";
    let mails = [mail(head, "plain words"), mail("Subject: other", "kept")];
    let (old, new) = (filled(shared(), "alter-old", &mails), fresh_user("alter"));
    let proxy = Proxy::start(shared().imap, alter);
    let sink = through("imap", proxy.port, &new);
    let job = Job::new("verify = \"all\"", &End::imap(shared(), &old), &sink, "");
    let balance = run(&job).exits(0).balance();
    balance.assert_adds_up();
    assert_eq!((balance.part("altered"), balance.part("copied")), (1, 1));
    let again = run(&job).exits(0).balance();
    assert_eq!((again.total, again.part("copied")), (2, 0));
}

/// Altered and its answer lost: found again by its header.
#[test]
fn altered_bytes_in_doubt() {
    let alter = |n| {
        let mut faults = vec![Fault::Lines(
            Side::Up,
            replacing("plain words", "p1ain words"),
        )];
        if n == 0 {
            faults.push(Fault::CutAt(Side::Down, "APPENDUID"));
        }
        faults
    };
    let head = "From: a@example.org\r\nMessage-ID: <doubt@example.org>\r\nSubject: altered";
    let mails = [mail(head, "plain words")];
    let (old, new) = (filled(shared(), "alter2-old", &mails), fresh_user("alter2"));
    let proxy = Proxy::start(shared().imap, alter);
    let sink = through("imap", proxy.port, &new);
    let job = Job::new("", &End::imap(shared(), &old), &sink, "");
    assert_eq!(run(&job).exits(0).balance().part("altered"), 1);
    assert_eq!(crate::support::Snapshot::of(shared().imap, &new).total(), 1);
}

/// A server that will not show what it stored is no proof that it lost it: nothing is sent twice.
#[test]
fn refused_when_read_back() {
    let mails = small_mails("unshown", 9, 6);
    let (old, new) = (
        filled(shared(), "unshown-old", &mails),
        fresh_user("unshown"),
    );
    let refuse = |_| {
        let mut hide = replacing(" FETCH (", " XETCH (");
        let mut refuse = replacing(" OK Fetch", " NO [UNAVAILABLE] Fetch");
        let both = Box::new(move |line: Vec<u8>| refuse(hide(line)));
        vec![Fault::Lines(Side::Down, both)]
    };
    let proxy = Proxy::start(shared().imap, refuse);
    let sink = through("imap", proxy.port, &new);
    let job = Job::new("verify = \"all\"", &End::imap(shared(), &old), &sink, "");
    run(&job).exits(0).balance().assert_adds_up();
    assert_arrived(shared(), &new, &mails, &job);
}
