//! Mail with labels: from and to a server with X-GM-EXT-1, real runs with Dovecot or an archive at the other end.

use crate::support::gmail::Gmail;
use crate::support::proxy::{Fault, Proxy, Side};
use crate::support::run::spawn_as;
use crate::support::{
    Corpus, Dovecot, End, Imap, Job, Mail, Run, fresh_user, impatient, mailhaul, shared,
};
use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

/// Labels of the messages in [`mails`], in their order.
const LABELS: [&[&str]; 10] = [
    &["\\Inbox", "Work"],
    &["\\Inbox", "\\Important"],
    &["\\Sent", "Projects/Gr&APYA3w-e"],
    &[],
    &["Sent"],
    &["\\Spam"],
    &["\\Trash", "Work"],
    &["\\Draft"],
    &["\\Sent"],
    &["Work", "A b"],
];

fn mails() -> Vec<Mail> {
    let mut corpus = Corpus::new("labels", 5);
    corpus.flags = false;
    let mut mails: Vec<Mail> = LABELS.iter().map(|_| corpus.mail()).collect();
    mails[1].flags = vec!["\\Seen".to_owned(), "\\Flagged".to_owned()];
    mails
}

fn filled() -> (Gmail, Vec<Mail>) {
    let (server, mails) = (Gmail::start(), mails());
    for (mail, labels) in mails.iter().zip(LABELS) {
        server.put(mail, labels);
    }
    (server, mails)
}

fn end(server: &Gmail) -> End {
    let user = format!("budi-{}", server.port());
    End::at("imap", "127.0.0.1", server.port(), &user).line("security = \"plain\"")
}

/// A user at Dovecot whose special folders are there.
fn user(stem: &str) -> String {
    let user = fresh_user(stem);
    let mut imap = Imap::login(shared().imap, &user);
    for folder in ["Sent", "Drafts", "Trash", "Junk", "Archive"] {
        imap.create(folder);
    }
    user
}

fn run(job: &Job) -> Run {
    let run = mailhaul(&["run".as_ref(), job.path().as_os_str()]).exits(0);
    run.balance().assert_adds_up();
    run
}

fn verify(job: &Job) {
    let path = job.path();
    let path = path.to_str().expect("UTF-8");
    mailhaul(&["verify", "--level", "content", path]).exits(0);
}

/// Nothing is transferred by a run that comes after.
fn run_again(job: &Job) {
    assert_eq!(run(job).balance().part("copied"), 0);
}

/// Where each of the messages stands at Dovecot: folders, with the keywords there.
fn places(server: &Dovecot, user: &str, mails: &[Mail]) -> Vec<BTreeMap<String, Vec<String>>> {
    let mut imap = Imap::login(server.imap, user);
    let mut places = vec![BTreeMap::new(); mails.len()];
    for folder in imap.folders() {
        for fetched in imap.fetch(&folder) {
            let at = mails.iter().position(|mail| mail.bytes == fetched.bytes);
            let mut keywords = fetched.flags.clone();
            keywords.retain(|flag| !flag.starts_with('\\'));
            keywords.sort();
            let old = places[at.expect("one of ours")].insert(folder.clone(), keywords);
            assert_eq!(old, None, "twice in {folder}");
        }
    }
    places
}

fn names(places: &[BTreeMap<String, Vec<String>>]) -> Vec<String> {
    let joined =
        |place: &BTreeMap<_, _>| place.keys().cloned().collect::<Vec<String>>().join(" + ");
    places.iter().map(joined).collect()
}

const FIRST: [&str; 10] = [
    "INBOX",
    "INBOX",
    "Projects/Gr&APYA3w-e",
    "Archive",
    "Sent (label)",
    "Junk",
    "Trash",
    "Drafts",
    "Sent",
    "A b",
];

#[test]
fn each_message_goes_to_the_folder_of_its_first_label() {
    let (server, mails) = filled();
    let (new, user) = (shared(), user("labels-first"));
    let job = Job::new("", &end(&server), &End::imap(new, &user), "");
    let first = run(&job);
    assert_eq!(first.balance().part("copied"), 10);
    let found = places(new, &user, &mails);
    assert_eq!(names(&found), FIRST);
    assert!(found.iter().all(|place| place.values().all(Vec::is_empty)));
    verify(&job);
    run_again(&job);
}

#[test]
fn a_priority_list_comes_before_the_inbox() {
    let (server, mails) = filled();
    let (new, user) = (shared(), user("labels-priority"));
    let rest = "[folders]\nlabel-priority = [\"work\", \"INBOX\"]\nexclude = [\"A b\", \"Sent\"]\n";
    let job = Job::new("", &end(&server), &End::imap(new, &user), rest);
    let balance = run(&job).balance();
    let found = names(&places(new, &user, &mails));
    assert_eq!((found[0].as_str(), found[9].as_str()), ("Work", "Work"));
    assert_eq!((found[4].as_str(), balance.part("skipped")), ("", 1));
    verify(&job);
    run_again(&job);
}

#[test]
fn labels_as_keywords_follow_their_changes() {
    let (server, mails) = filled();
    let (new, user) = (shared(), user("labels-keywords"));
    let rest = "[folders]\nlabels = \"keywords\"\n";
    let job = Job::new("", &end(&server), &End::imap(new, &user), rest);
    run(&job);
    let found = places(new, &user, &mails);
    assert_eq!(names(&found), FIRST);
    assert_eq!(found[0]["INBOX"], ["Work"]);
    assert_eq!(found[1]["INBOX"], ["$Important"]);
    assert_eq!(
        found[2]["Projects/Gr&APYA3w-e"],
        ["Projects_2FGr_C3_B6_C3_9Fe"]
    );
    verify(&job);
    // The folder stays: what is delivered is not delivered again.
    let mut account = server.account();
    account.messages[0].labels = ["Work", "A b"].map(ToOwned::to_owned).into();
    account.messages[1].labels.remove("\\Important");
    drop(account);
    run_again(&job);
    let found = places(new, &user, &mails);
    assert_eq!(names(&found), FIRST);
    assert_eq!(found[0]["INBOX"], ["A_20b", "Work"]);
    assert!(found[1]["INBOX"].is_empty());
}

#[test]
fn a_copy_in_each_labels_folder() {
    let (server, mails) = filled();
    let (new, user) = (shared(), user("labels-folders"));
    let rest = "[folders]\nlabels = \"folders\"\nmap = [[\"Sent\", \"My Sent\"]]\n";
    let job = Job::new("", &end(&server), &End::imap(new, &user), rest);
    let balance = run(&job).balance();
    assert_eq!((balance.part("copied"), balance.total), (13, 13));
    let found = names(&places(new, &user, &mails));
    let want = [
        "INBOX + Work",
        "INBOX",
        "Projects/Gr&APYA3w-e + Sent",
        "Archive",
        "My Sent",
        "Junk",
        "Trash",
        "Drafts",
        "Sent",
        "A b + Work",
    ];
    assert_eq!(found, want);
    verify(&job);
    run_again(&job);
}

/// What a destination with labels should have of each message.
fn wanted() -> Vec<Vec<&'static str>> {
    let mut wanted: Vec<Vec<&str>> = LABELS.iter().map(|labels| labels.to_vec()).collect();
    wanted.iter_mut().for_each(|labels| labels.sort_unstable());
    // "Sent" cannot be made there: it is the name of the server's own.
    wanted[4] = vec!["Mine"];
    wanted
}

fn labelled(server: &Gmail, mails: &[Mail]) -> Vec<Vec<String>> {
    mails
        .iter()
        .map(|mail| server.labels(&mail.bytes))
        .collect()
}

const MINE: &str = "[folders]\nmap = [[\"Sent\", \"Mine\"]]\n";

#[test]
fn from_labels_to_labels() {
    let (old, mails) = filled();
    let new = Gmail::start();
    let job = Job::new("", &end(&old), &end(&new), MINE);
    assert_eq!(run(&job).balance().part("copied"), 10);
    assert_eq!(labelled(&new, &mails), wanted());
    assert!(
        new.account()
            .messages
            .iter()
            .any(|m| m.flags.contains("\\Flagged"))
    );
    verify(&job);
    run_again(&job);
    // Only what changes is changed: what somebody did there stays.
    let change = |server: &Gmail, add: &str, remove: &str| {
        let mut account = server.account();
        account.labels.insert(add.to_owned());
        let one = account
            .messages
            .iter_mut()
            .find(|m| m.bytes == mails[0].bytes);
        let one = one.expect("the message");
        one.labels.insert(add.to_owned());
        one.labels.remove(remove);
    };
    change(&new, "Theirs", "");
    change(&old, "More", "Work");
    run_again(&job);
    assert_eq!(new.labels(&mails[0].bytes), ["More", "Theirs", "\\Inbox"]);
    verify(&job);
}

#[test]
fn what_is_there_already_gets_its_labels() {
    let (old, mails) = filled();
    let new = Gmail::start();
    for mail in &mails[..5] {
        new.put(mail, &["Theirs"]);
    }
    let job = Job::new("", &end(&old), &end(&new), MINE);
    run(&job);
    let found = labelled(&new, &mails);
    assert_eq!(found[0], ["Theirs", "Work", "\\Inbox"]);
    assert_eq!(found[2], ["Projects/Gr&APYA3w-e", "Theirs", "\\Sent"]);
    assert_eq!(found[3], ["Theirs"]);
    run_again(&job);
}

#[test]
fn a_label_that_is_refused_takes_nothing_else_with_it() {
    let (old, mails) = filled();
    let new = Gmail::start();
    new.account().hidden.insert("[Gmail]/All Mail".to_owned());
    let job = Job::new("", &end(&old), &end(&new), "");
    assert_eq!(run(&job).balance().part("copied"), 10);
    let mut want = wanted();
    // Where no folder holds all mail, what has no label gets one.
    want[3] = vec!["Archive"];
    want[4] = vec!["Archive"];
    want[9] = vec!["A b", "Archive", "Work"];
    assert_eq!(labelled(&new, &mails), want);
    run_again(&job);
}

fn archived(server: &Gmail) -> Job {
    Job::backup("", &end(server), "[archive]\npath = \"box.archive\"\n")
}

#[test]
fn through_an_archive_and_back() {
    let (old, mails) = filled();
    let backup = archived(&old);
    assert_eq!(run(&backup).balance().part("copied"), 10);
    verify(&backup);
    run_again(&backup);
    let archive = End::files("archive", &backup.dir().join("box.archive"));
    let new = Gmail::start();
    let restore = Job::new("", &archive, &end(&new), MINE);
    assert_eq!(run(&restore).balance().part("copied"), 10);
    assert_eq!(labelled(&new, &mails), wanted());
    verify(&restore);
    run_again(&restore);
}

#[test]
fn through_an_archive_to_folders() {
    let (old, mails) = filled();
    let backup = archived(&old);
    run(&backup);
    let archive = End::files("archive", &backup.dir().join("box.archive"));
    let (new, user) = (shared(), user("labels-restore"));
    let restore = Job::new("", &archive, &End::imap(new, &user), "");
    assert_eq!(run(&restore).balance().part("copied"), 10);
    // The archive does not know what Sent is called at its source: the label goes where the mail it is for goes.
    assert_eq!(names(&places(new, &user, &mails)), FIRST);
    verify(&restore);
    run_again(&restore);
}

#[test]
fn without_the_folder_of_all_mail_each_message_still_comes_once() {
    let (old, mails) = filled();
    old.account().hidden.insert("[Gmail]/All Mail".to_owned());
    let (new, user) = (shared(), user("labels-hidden"));
    let rest = "[folders]\nmap = [[\"Sent\", \"Sent (label)\"]]\n";
    let job = Job::new("", &end(&old), &End::imap(new, &user), rest);
    let first = run(&job);
    assert!(first.stderr.contains("Show in IMAP"), "{}", first.stderr);
    let mut want = FIRST;
    // Nothing shows it.
    want[3] = "";
    assert_eq!(names(&places(new, &user, &mails)), want);
    assert_eq!(first.balance().total, 9);
    verify(&job);
    run_again(&job);
}

#[cfg(feature = "failpoints")]
#[test]
fn killed_between_storing_and_labelling() {
    let (old, mails) = filled();
    let steps = {
        let new = Gmail::start();
        crate::crash::passed(&Job::new("", &end(&old), &end(&new), MINE))
    };
    let labelling = (1..)
        .zip(&steps)
        .filter(|(_, step)| step.starts_with("labels:"));
    let mut killed = 0;
    for (step, _) in labelling {
        let new = Gmail::start();
        let job = Job::new("", &end(&old), &end(&new), MINE);
        let mut command = Command::new(env!("CARGO_BIN_EXE_mailhaul"));
        command.arg("run").arg(job.path());
        let at = step.to_string();
        let run = spawn_as(command, &[("MAILHAUL_FAIL_AT", at.as_ref())]).wait();
        killed += u32::from(run.code.is_none());
        impatient(&job).exits(0).balance().assert_adds_up();
        assert_eq!(labelled(&new, &mails), wanted(), "killed at step {step}");
        run_again(&job);
    }
    assert!(killed > 3, "{killed} of {steps:?}");
}

/// The next folder begins while the last messages of All Mail are under way: those that went elsewhere are read back all the same.
#[test]
fn every_folder_of_labels_is_read_back() {
    let server = Gmail::start();
    let mut corpus = Corpus::new("labels-back", 6);
    corpus.flags = false;
    for label in ["A", "B", "C", "\\Spam", "\\Trash"] {
        let mut mail = corpus.mail();
        mail.bytes
            .extend(format!("here it is: {label}\r\n").into_bytes());
        server.put(&mail, &[label]);
    }
    let (new, user) = (shared(), user("labels-back"));
    let from = Proxy::start(server.port(), |_| {
        vec![Fault::Delay(Side::Down, Duration::from_millis(50))]
    });
    let to = Proxy::start(new.imap, |_| {
        let change = |line: Vec<u8>| match line.starts_with(b"here it is: A") {
            true => b"here it IS: A\r\n".to_vec(),
            false => line,
        };
        vec![Fault::Lines(Side::Up, Box::new(change))]
    });
    let old = format!("budi-{}", server.port());
    let from = End::at("imap", "127.0.0.1", from.port, &old).line("security = \"plain\"");
    let to = End::at("imap", "127.0.0.1", to.port, &user)
        .line("security = \"plain\"")
        .line("connections = 1");
    let job = Job::new("verify = \"all\"", &from, &to, "");
    let done = mailhaul(&["run".as_ref(), job.path().as_os_str()]);
    let balance = done.balance();
    balance.assert_adds_up();
    let parts = (balance.part("copied"), balance.part("altered"));
    assert_eq!(parts, (4, 1), "{}", done.stderr);
}
