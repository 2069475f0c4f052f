//! IMAP servers that are broken or mean. mailhaul keeps its memory and its files in order, and what it says clean; once the server
//! comes to its senses everything arrives.

use super::{assert_arrived, filled, mail, open_intents, run, small_mails, through};
use crate::support::fake::{self, Twist, first_times};
use crate::support::job::ARCHIVE;
use crate::support::proxy::{Fault, Proxy, Rewrite, Side};
use crate::support::run::spawn_as;
use crate::support::{End, Job, Mail, Run, Snapshot, fresh_user, shared};
use std::path::{Path, PathBuf};
use std::process::Command;

/// With an address space that is far too small for what the servers here announce.
fn confined(job: &Job) -> Run {
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -v 1000000; exec \"$@\"", "sh"])
        .arg(env!("CARGO_BIN_EXE_mailhaul"))
        .arg("run")
        .arg(job.path());
    let run = spawn_as(command, &[("MAILHAUL_FAIL_WAIT", "1".as_ref())]).wait();
    let said = format!("{}{}", run.stdout, run.stderr);
    assert!(run.code.is_some() && !said.contains("panicked"), "{run:?}");
    let raw = |c: char| c.is_control() && c != '\n' || "\u{202e}\u{2066}".contains(c);
    assert!(!said.contains(raw), "{said:?}");
    run
}

fn three() -> Vec<Mail> {
    let one = |n: u32| {
        let head = format!("From: a@example.org\r\nMessage-ID: <{n}@example.org>\r\nSubject: {n}");
        mail(&head, "text")
    };
    (1..=3).map(one).collect()
}

fn inbox() -> Vec<Vec<u8>> {
    vec![b"INBOX".to_vec()]
}

fn source(port: u16) -> End {
    through("imap", port, "budi").line("timeout = \"5s\"")
}

/// Twisted as long as `times` says, everything arrives all the same in one run.
#[track_caller]
fn assert_survived(name: &str, twist: Twist) {
    let server = fake::imap(inbox(), three(), twist);
    let new = fresh_user("survived");
    let job = Job::new("", &source(server.port), &End::imap(shared(), &new), "");
    let run = confined(&job);
    assert_eq!(run.code, Some(0), "{name}: {run:?}");
    run.balance().assert_adds_up();
    let expected = Snapshot::one("INBOX", &three());
    let arrived = Snapshot::of(shared().imap, &new).without_empty();
    assert_eq!(arrived.differences(&expected, false), [""; 0], "{name}");
    assert_eq!(open_intents(&job), 0, "{name}");
}

const FETCH: &str = "UID FETCH";

/// Answers that are no IMAP, or too much of it.
#[test]
fn nonsense_is_left_behind() {
    let lines = |line: &str, end: &str| format!("{line}{end}");
    let done = "{tag} OK done\r\n";
    let cases: Vec<(&str, &str, Vec<u8>)> = vec![
        ("a literal of 4 GiB", FETCH, b"* 1 FETCH (UID 1 BODY[] {4294967295}\r\n".to_vec()),
        ("a literal beyond 64 bits", FETCH, b"* 1 FETCH (UID 1 BODY[] {99999999999999999999}\r\n".to_vec()),
        ("a negative literal", FETCH, lines("* 1 FETCH (UID 1 BODY[] {-1}\r\n", done).into()),
        ("a literal name of 3 GiB", "LIST \"\" \"*\"", b"* LIST () \"/\" {3000000000}\r\n".to_vec()),
        ("a line without end", FETCH, [&b"* 1 FETCH ("[..], &vec![b'x'; 3 << 20]].concat()),
        ("a million parentheses", FETCH, [&b"* 1 FETCH "[..], &vec![b'('; 1_000_000], b"\r\n", done.as_bytes()].concat()),
        ("responses without end", FETCH, [b"* 1 RECENT\r\n".repeat(1_100_000), done.into()].concat()),
        ("folders without end", "LIST \"\" \"*\"", endless_list()),
        ("the answer to something else", FETCH, b"m99999 OK what\r\n".to_vec()),
        ("an empty line", FETCH, b"\r\n".to_vec()),
        ("another protocol", FETCH, b"HTTP/1.1 400 Bad Request\r\n".to_vec()),
        ("bytes", FETCH, vec![0xff, 0, 0x80, b'\r', b'\n']),
        ("no capabilities", "AUTHENTICATE", b"{tag} OK [CAPABILITY] in\r\n".to_vec()),
        ("odd capabilities", "AUTHENTICATE", b"{tag} OK [CAPABILITY IMAP4rev1 = AUTH= APPENDLIMIT=-1 \xff\x00 ]\r\n".to_vec()),
        ("a bracket in flags and no text", "EXAMINE", b"* 3 EXISTS\r\n* OK [PERMANENTFLAGS (a]b \\*)]\r\n* OK [UIDVALIDITY 7]\r\n* OK [UIDNEXT 4] \r\n{tag} OK\r\n".to_vec()),
        ("a bare plus", "EXAMINE", b"+\r\n+ \r\n* 3 EXISTS\r\n* OK [UIDVALIDITY 7]\r\n+\r\n{tag} OK [READ-ONLY]\r\n".to_vec()),
    ];
    std::thread::scope(|scope| {
        for (name, command, instead) in cases {
            scope.spawn(move || assert_survived(name, first_times(1, command, instead)));
        }
    });
}

/// Messages that the server counts but never lists have failed; they are not taken for gone, nor the folder for done.
#[test]
fn a_listing_that_comes_short() {
    for (command, instead) in [
        (FETCH, "{tag} OK done\r\n"),
        (
            FETCH,
            "* 9 FETCH (UID 4000000000 BODY[] {2}\r\nxx)\r\n{tag} OK done\r\n",
        ),
        (
            FETCH,
            "* 1 FETCH (UID 0 BODY[] {2}\r\nxx)\r\n* 2 FETCH (UID 99999999999 BODY[] {2}\r\nxx)\r\n{tag} OK done\r\n",
        ),
        (
            FETCH,
            "* 1 FETCH (UID 1 FLAGS () RFC822.SIZE 9)\r\n{tag} OK done\r\n",
        ),
        (
            "EXAMINE",
            "* 4294967295 EXISTS\r\n* OK [UIDVALIDITY 7]\r\n{tag} OK\r\n",
        ),
    ] {
        let server = fake::imap(inbox(), three(), first_times(2, command, instead));
        let new = fresh_user("short");
        let job = Job::new("", &source(server.port), &End::imap(shared(), &new), "");
        let first = confined(&job).exits(3);
        first.balance().assert_adds_up();
        assert!(
            first.balance().part("not copied") >= 2,
            "{instead}: {first:?}"
        );
        assert_eq!(first.balance().part("vanished"), 0, "{instead}: {first:?}");
        let second = confined(&job).exits(0);
        second.balance().assert_adds_up();
        let arrived = crate::support::Imap::login(shared().imap, &new).fetch("INBOX");
        for mail in three() {
            let copies = arrived.iter().filter(|have| have.bytes == mail.bytes);
            assert_eq!(copies.count(), 1, "{instead}: {second:?}");
        }
    }
}

/// A message listed twice is one message.
#[test]
fn a_listing_that_repeats_itself() {
    let lines: String = [1, 2, 2, 3, 1]
        .map(|n| format!("* {n} FETCH (UID {n} FLAGS () RFC822.SIZE 90)\r\n"))
        .concat();
    let list: Twist = Box::new(move |command| {
        let is_listing = command.starts_with(FETCH) && command.contains("RFC822.SIZE)");
        is_listing.then(|| format!("{lines}{{tag}} OK done\r\n").into_bytes())
    });
    let server = fake::imap(inbox(), three(), list);
    let new = fresh_user("repeats");
    // A filter has mailhaul list before it reads.
    let job = Job::new(
        "",
        &source(server.port),
        &End::imap(shared(), &new),
        "[filter]\nsince = 1990-01-01\n",
    );
    for copied in [3, 0] {
        let done = confined(&job).exits(0);
        done.balance().assert_adds_up();
        assert_eq!(done.balance().part("copied"), copied);
    }
    assert_eq!(Snapshot::of(shared().imap, &new).total(), 3);
}

/// 90 names of 900 kB.
fn endless_list() -> Vec<u8> {
    let name = "n".repeat(900_000);
    let line = |n: u32| format!("* LIST () \"/\" \"{n}{name}\"\r\n");
    let lines: Vec<String> = (0..90).map(line).collect();
    (lines.concat() + "{tag} OK done\r\n").into_bytes()
}

/// A server that never stops it: the run ends, with a reason, and nothing is doubled when it is over.
#[test]
fn nonsense_for_ever_ends_the_run() {
    std::thread::scope(|scope| {
        for (command, instead) in [
            (FETCH, "* 1 FETCH (UID 1 BODY[] {4294967295}\r\n"),
            (FETCH, "* BYE \u{1b}]0;pwned\u{7}go away\r\n"),
            ("LIST \"\" \"*\"", "HTTP/1.1 400\r\n"),
            (
                "AUTHENTICATE",
                "+ \r\n+ \r\n+ \r\n+ \r\n+ \r\n+ \r\n+ \r\n+ \r\n+ \r\n+ \r\n",
            ),
            (
                "EXAMINE",
                "{tag} NO \u{1b}[31mred\u{1b}[0m \u{202e}desrever\r\n",
            ),
            ("", "\u{1b}c not a greeting\r\n"),
        ] {
            scope.spawn(move || {
                let server =
                    fake::imap(inbox(), three(), first_times(usize::MAX, command, instead));
                let new = fresh_user("forever");
                let job = Job::new("", &source(server.port), &End::imap(shared(), &new), "");
                let run = confined(&job);
                assert!(matches!(run.code, Some(3 | 10)), "{instead}: {run:?}");
                assert!(run.stderr.contains("error["), "{instead}: {run:?}");
                assert_eq!(Snapshot::of(shared().imap, &new).total(), 0);
            });
        }
    });
}

/// Folder names to climb out with, to clash with, and to write on the terminal with.
#[test]
fn folder_names_stay_inside_the_archive() {
    let quoted = [
        "..",
        "../..",
        "../../../escape",
        "/etc/cron.d/x",
        "a/../../b",
        ".",
        "./x",
        "CON",
        "nul.txt",
        "a.",
        "a ",
        " a",
        "Foo",
        "foo",
        "FOO",
        "&AOQ-",
        "a&AMwIAA-",
        "a&AwgDCAA",
        "&",
        "&AAAA",
        "&2D0-",
        "x\\\\y",
        "x\\\"y",
        "cur",
        "new",
        "tmp",
        ".cur",
        "INBOX/new",
        "mail",
        "dovecot-uidlist",
        ".journal.db",
        "~",
        "~root",
        "-rf",
        "*",
        "%",
        "x%00y",
    ];
    let mut names: Vec<Vec<u8>> = quoted
        .iter()
        .map(|name| format!("\"{name}\"").into_bytes())
        .collect();
    for raw in [
        &b"nul\0byte"[..],
        b"\x1b[2Jclear",
        b"line\r\nend",
        b"\xff\xfe",
        b"r\xe9sum\xe9",
        "\u{202e}live".as_bytes(),
        b"",
        b"\x7f",
    ] {
        names.push([format!("{{{}}}\r\n", raw.len()).as_bytes(), raw].concat());
    }
    names.push(format!("\"{}\"", "n".repeat(300)).into_bytes());
    names.push(format!("\"{}\"", "d/".repeat(200)).into_bytes());
    let count = names.len();
    for format in [
        "maildir\"\nlayout = \"maildir++",
        "maildir\"\nlayout = \"fs",
    ] {
        let server = fake::imap(names.clone(), three()[..1].to_vec(), Box::new(|_| None));
        let new = fresh_user("names");
        // Whatever the folder is called at the source, the destination can make one.
        let map = "[folders]\nmerge = true\nmap = [[\"(?s)^.*$\", \"INBOX\"]]\n";
        let rest = format!("{ARCHIVE}format = \"{format}\"\n{map}");
        let job = Job::new(
            "dedup = \"off\"",
            &source(server.port),
            &End::imap(shared(), &new),
            &rest,
        );
        let run = confined(&job);
        assert_eq!(run.code, Some(0), "{run:?}");
        run.balance().assert_adds_up();
        let mut beside: Vec<PathBuf> = tree(job.dir(), 1);
        beside.sort();
        let expected = ["box.archive", "job.toml"].map(|name| job.dir().join(name));
        assert_eq!(beside, expected, "{format}");
        let kept = tree(&job.dir().join("box.archive/mail"), usize::MAX);
        let kept: Vec<&PathBuf> = kept.iter().filter(|path| path.is_file()).collect();
        let mut places: Vec<&Path> = kept.iter().filter_map(|path| mailbox(path)).collect();
        let messages = places.len();
        places.sort();
        places.dedup();
        assert_eq!(
            places.len(),
            messages,
            "two folders in one place: {places:?}"
        );
        // The empty name is no folder.
        assert_eq!(messages, count - 1, "{}", run.stdout);
        println!("{messages} of {count} names kept");
    }
}

/// The directory whose `cur` or `new` holds this file.
fn mailbox(path: &Path) -> Option<&Path> {
    let parent = path.parent()?;
    let is_mail = ["cur", "new"].contains(&parent.file_name()?.to_str()?);
    let is_message = path.file_name()?.to_str()?.contains("S=");
    (is_mail && is_message).then(|| parent.parent())?
}

/// What is below, to this depth; links are not followed.
fn tree(path: &Path, depth: usize) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
        found.push(entry.path());
        if depth > 1 && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(tree(&entry.path(), depth - 1));
        }
    }
    found
}

/// What the destination says about where mail went is checked before it is believed.
#[test]
fn malformed_appenduids() {
    let cases = [
        "[APPENDUID]",
        "[APPENDUID 0 0]",
        "[APPENDUID x y]",
        "[APPENDUID 1]",
        "[APPENDUID 1 1:4294967295]",
        "[APPENDUID 1 5:1]",
        "[APPENDUID 99999999999 99999999999]",
        "[APPENDUID 1 *]",
        "[APPENDUID (1 (2",
        "[APPENDUID 1 1,,2]",
        "[COPYUID 1 1:3 4:6]",
    ];
    std::thread::scope(|scope| {
        for instead in cases {
            scope.spawn(move || {
                let mails = small_mails("appenduid", 1, 5);
                let (old, new) = (
                    filled(shared(), "appenduid-old", &mails),
                    fresh_user("appenduid"),
                );
                let proxy = Proxy::start(shared().imap, move |_| {
                    vec![Fault::Lines(Side::Down, appenduid(instead))]
                });
                let sink = through("imap", proxy.port, &new);
                let job = Job::new("", &End::imap(shared(), &old), &sink, "");
                confined(&job).exits(0).balance().assert_adds_up();
                assert_arrived(shared(), &new, &mails, &job);
            });
        }
    });
}

/// The response code becomes another.
fn appenduid(instead: &'static str) -> Rewrite {
    Box::new(move |line| {
        let text = String::from_utf8_lossy(&line).into_owned();
        match text
            .split_once("[APPENDUID ")
            .and_then(|(before, rest)| Some((before, rest.split_once(']')?.1)))
        {
            Some((before, after)) => format!("{before}{instead}{after}").into_bytes(),
            None => line,
        }
    })
}

/// The server's words reach the terminal, the JSON and the journal, but as text.
#[test]
fn words_cannot_act() {
    let words = "{tag} NO \u{1b}]52;c;aGk=\u{7} \u{9b}2J \u{202e}x \u{0}\u{8}\r\n";
    let server = fake::imap(inbox(), three(), first_times(usize::MAX, FETCH, words));
    let new = fresh_user("words");
    let job = Job::new("", &source(server.port), &End::imap(shared(), &new), "");
    let first = confined(&job);
    assert!(matches!(first.code, Some(3 | 10)), "{first:?}");
    let status = crate::support::mailhaul(&[
        "status".as_ref(),
        "--failed".as_ref(),
        job.path().as_os_str(),
    ]);
    assert!(
        !status
            .stdout
            .contains(|c: char| c.is_control() && c != '\n'),
        "{status:?}"
    );
    run(&job);
}

/// A folder is in the run though the server would not tell of it beforehand; one that cannot be opened fails by name.
#[test]
fn a_folder_without_a_status_is_not_left_out() {
    let names: Vec<Vec<u8>> = ["INBOX", "Work", "Closed"].map(Into::into).to_vec();
    for refusal in ["{tag} NO no status\r\n", "{tag} OK but nothing told\r\n"] {
        let twist: Twist = Box::new(move |command| {
            let refused = command.starts_with("STATUS") && !command.contains("INBOX");
            let closed = command.starts_with("EXAMINE") && command.contains("Closed");
            match (refused, closed) {
                (true, _) => Some(refusal.into()),
                (_, true) => Some(b"{tag} NO [NOPERM] not for you\r\n".to_vec()),
                _ => None,
            }
        });
        let server = fake::imap(names.clone(), three(), twist);
        let new = fresh_user("status");
        let job = Job::new(
            "dedup = \"off\"",
            &source(server.port),
            &End::imap(shared(), &new),
            "",
        );
        let run = confined(&job).exits(3);
        run.balance().assert_adds_up();
        assert_eq!(run.balance().part("copied"), 6, "{run:?}");
        let told = run.stderr.contains("Closed") && run.stderr.contains("not for you");
        assert!(told, "{}", run.stderr);
    }
}
