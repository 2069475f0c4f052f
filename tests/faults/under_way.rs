//! Several batches under way at once when something goes wrong: each message of each is accounted for.

use super::{assert_arrived, filled, find, mail, open_intents, small_mails, through};
use crate::support::proxy::{Fault, Proxy, Rewrite, Side};
use crate::support::run::spawn_as;
use crate::support::{Corpus, End, Imap, Job, Mail, Run, Snapshot, fresh_user, maildir, shared};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// So long every answer takes that the next batches leave before it is there.
const LATE: Duration = Duration::from_millis(150);

/// `mailhaul run JOB` with batches of two messages, and short waits for a server.
fn run(job: &Job) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailhaul"));
    command.arg("run").arg(job.path());
    let small = [("MAILHAUL_FAIL_WAIT", "2"), ("MAILHAUL_FAIL_BATCH", "2")];
    spawn_as(command, &small.map(|(key, value)| (key, value.as_ref()))).wait()
}

/// APPENDs that wait for their answer, and the most there ever were.
#[derive(Clone, Default)]
struct Waiting {
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Waiting {
    /// Counts the APPENDs that pass.
    fn sent(&self) -> Rewrite {
        let waiting = self.clone();
        Box::new(move |line| {
            if find(&line, " APPEND ").is_some() {
                let now = waiting.now.fetch_add(1, Ordering::SeqCst) + 1;
                waiting.most.fetch_max(now, Ordering::SeqCst);
            }
            line
        })
    }

    /// Counts the answers that pass; from answer `last` on the server says good-bye instead.
    fn answered(&self, last: usize) -> Rewrite {
        let waiting = self.clone();
        let mut answers = 0;
        Box::new(move |line| {
            if find(&line, " Append completed").is_none() && find(&line, " NO ").is_none() {
                return line;
            }
            std::thread::sleep(LATE);
            answers += 1;
            if answers >= last {
                return b"* BYE shutting down\r\n".to_vec();
            }
            waiting.now.fetch_sub(1, Ordering::SeqCst);
            line
        })
    }
}

/// Delivers over connections of which the first says good-bye instead of answer `last`, and ends after so many bytes.
fn deliver(mails: &[Mail], last: usize, cut: Option<u64>) {
    let (old, new) = (filled(shared(), "way-old", mails), fresh_user("way"));
    let waiting = Waiting::default();
    let counted = waiting.clone();
    let proxy = Proxy::start(shared().imap, move |n| {
        let mut faults = Vec::new();
        if n == 0 {
            faults.push(Fault::Lines(Side::Up, counted.sent()));
            faults.push(Fault::Lines(Side::Down, counted.answered(last)));
            faults.extend(cut.map(|at| Fault::Cut(Side::Up, at)));
        }
        faults
    });
    let sink = through("imap", proxy.port, &new);
    let job = Job::new("", &End::imap(shared(), &old), &sink, "");
    let balance = run(&job).exits(0).balance();
    balance.assert_adds_up();
    assert_eq!(balance.part("copied"), mails.len() as u64);
    assert_arrived(shared(), &new, mails, &job);
    let most = waiting.most.load(Ordering::SeqCst);
    assert!(most >= 2, "at most {most} under way");
}

/// Messages of which no digest tells one from the other, so that it must be counted how many there are.
fn copies() -> Vec<Mail> {
    let head = "From: a@example.org\r\nMessage-ID: <same@example.org>\r\nSubject: copy";
    vec![mail(head, "same"); 9]
}

/// Messages that are one by their headers and differ in their bodies.
fn lookalikes() -> Vec<Mail> {
    let head = "From: a@example.org\r\nMessage-ID: <like@example.org>\r\nSubject: alike";
    (0..9).map(|n| mail(head, &format!("body {n}"))).collect()
}

fn kinds() -> [Vec<Mail>; 3] {
    [small_mails("way", 21, 9), copies(), lookalikes()]
}

#[test]
fn the_answers_are_lost() {
    std::thread::scope(|scope| {
        for mails in kinds() {
            // The first answer is the proof of LITERAL+, which is waited for.
            for last in [2, 4] {
                let mails = mails.clone();
                scope.spawn(move || deliver(&mails, last, None));
            }
        }
    });
}

#[test]
fn the_connection_is_cut_in_a_later_batch() {
    std::thread::scope(|scope| {
        for (mails, cut) in kinds().into_iter().zip([12_000, 1_500, 1_500]) {
            scope.spawn(move || deliver(&mails, usize::MAX, Some(cut)));
        }
    });
}

/// Dovecot refuses a message without a byte, and with it its batch; the batches behind it are stored before that is known. What was
/// refused with it must not be taken for the message of another batch that looks like it.
#[test]
fn a_batch_is_refused_in_the_middle() {
    for like in [copies(), lookalikes()] {
        let mut mails = small_mails("middle", 22, 2);
        mails.extend(like);
        mails.extend(small_mails("behind", 23, 2));
        mails.iter_mut().for_each(|mail| mail.flags.clear());
        let mut with_empty = mails.clone();
        with_empty.insert(4, mail("", ""));
        with_empty[4].bytes.clear();
        let (old, new) = (fresh_user("middle-old"), fresh_user("middle"));
        maildir::fill(shared(), &old, &with_empty);
        let waiting = Waiting::default();
        let counted = waiting.clone();
        let proxy = Proxy::start(shared().imap, move |_| {
            vec![
                Fault::Lines(Side::Up, counted.sent()),
                Fault::Lines(Side::Down, counted.answered(usize::MAX)),
            ]
        });
        let sink = through("imap", proxy.port, &new);
        let job = Job::new("", &End::imap(shared(), &old), &sink, "");
        let balance = run(&job).exits(3).balance();
        balance.assert_adds_up();
        assert_eq!(
            (balance.part("copied"), balance.part("not copied")),
            (mails.len() as u64, 1)
        );
        Snapshot::of(shared().imap, &new)
            .without_empty()
            .assert_same(&Snapshot::one("INBOX", &mails));
        assert_eq!(open_intents(&job), 0);
        let most = waiting.most.load(Ordering::SeqCst);
        assert!(most >= 2, "at most {most} under way");
    }
}

/// No answer comes any more, and nobody reads on because the messages without one hold the whole budget.
#[test]
fn silence_is_noticed_while_nothing_else_happens() {
    let mut corpus = Corpus::new("silence", 24);
    corpus.median_size = 150_000.0;
    let mails = corpus.mails(24);
    let total: usize = mails.iter().map(|mail| mail.bytes.len()).sum();
    assert!(total > 3 << 20, "{total}");
    let (old, new) = (
        filled(shared(), "silence-old", &mails),
        fresh_user("silence"),
    );
    let proxy = Proxy::start(shared().imap, |n| {
        let mut answers = 0;
        let swallow = move |line: Vec<u8>| {
            answers += usize::from(find(&line, " Append completed").is_some());
            match n == 0 && answers >= 3 {
                true => Vec::new(),
                false => line,
            }
        };
        vec![Fault::Lines(Side::Down, Box::new(swallow))]
    });
    let sink = through("imap", proxy.port, &new).line("timeout = \"2s\"");
    let source = End::imap(shared(), &old);
    let job = Job::new("budget = \"1 MiB\"", &source, &sink, "");
    run(&job).exits(0).balance().assert_adds_up();
    assert_arrived(shared(), &new, &mails, &job);
}

/// Two folders are under way; the server calls a batch of the first refused which it has stored, and everything is looked at together.
/// What it changed in the second is told of the second.
#[test]
fn what_is_read_back_is_told_of_its_own_folder() {
    let (old, new) = (fresh_user("own-old"), fresh_user("own"));
    let mut imap = Imap::login(shared().imap, &old);
    for (folder, count) in [("A", 4), ("B", 2)] {
        let mails: Vec<Mail> = (0..count)
            .map(|n| {
                let head = format!("From: a@example.org\r\nMessage-ID: <{n}.{folder}@example.org>");
                mail(&head, &format!("body {folder}{n}"))
            })
            .collect();
        imap.create(folder);
        imap.append(folder, &mails);
    }
    let proxy = Proxy::start(shared().imap, |_| {
        let mut answers = 0;
        let change = |line: Vec<u8>| match line.starts_with(b"body B1") {
            true => b"BODY B1\r\n".to_vec(),
            false => line,
        };
        let refuse = move |line: Vec<u8>| {
            if find(&line, " Append completed").is_none() {
                return line;
            }
            std::thread::sleep(LATE);
            answers += 1;
            // Behind the proof of LITERAL+ and the rest of the first batch.
            match (answers, line.split(|b| *b == b' ').next()) {
                (3, Some(tag)) => [tag, b" NO [CANNOT] not these\r\n"].concat(),
                _ => line,
            }
        };
        vec![
            Fault::Lines(Side::Up, Box::new(change)),
            Fault::Lines(Side::Down, Box::new(refuse)),
        ]
    });
    let sink = through("imap", proxy.port, &new).line("connections = 1");
    let job = Job::new("verify = \"all\"", &End::imap(shared(), &old), &sink, "");
    let done = run(&job);
    let balance = done.balance();
    balance.assert_adds_up();
    assert_eq!(
        (balance.part("copied"), balance.part("altered")),
        (5, 1),
        "{}\n{}",
        done.stdout,
        done.stderr
    );
    let told = |line: &&str| line.contains("changed its bytes");
    let mut lines = done.stdout.lines().chain(done.stderr.lines());
    let line = lines.find(told).expect("a word of it");
    assert!(line.contains("B") && !line.contains("A "), "{line}");
}
