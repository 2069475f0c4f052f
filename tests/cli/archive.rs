//! `mailhaul archive …` as a person meets it.

use crate::support::job::ARCHIVE;
use crate::support::normal::normal;
use crate::support::{End, Imap, Job, Mail, mailhaul, shared};
use regex::Regex;

/// Names of files, sizes of journals and speeds are not the same twice.
fn tell(job: &Job, args: &[&str]) -> String {
    let archive = job.dir().join("box.archive");
    let archive = archive.to_string_lossy();
    let real: Vec<&str> = args
        .iter()
        .map(|a| if *a == "ARCHIVE" { &archive } else { *a })
        .collect();
    let run = mailhaul(&[&["archive"], &real[..]].concat());
    let code = run.code.map_or("by a signal".to_owned(), |c| c.to_string());
    let mut text = format!(
        "$ mailhaul archive {}\n--- exit {code}\n--- stdout\n{}--- stderr\n{}",
        args.join(" "),
        run.stdout,
        run.stderr
    );
    for (pattern, word) in [
        (
            r"\d+\.M[0-9a-f]{16}P\d+Q\d+\.[\w.-]+,S=\d+,W=\d+:2,",
            "FILE:2,",
        ),
        (r" read, [\d.]+ [KMG]?i?B/s", " read"),
        (r#""seconds":[\d.e-]+"#, r#""seconds":0"#),
    ] {
        let regex = Regex::new(pattern).expect("a pattern");
        text = regex.replace_all(&text, word).into_owned();
    }
    normal(&text, job.dir())
}

fn mail(id: &str, head: &str, body: &str) -> Mail {
    let text = format!("Message-ID: <{id}@example.org>\r\n{head}\r\n\r\n{body}");
    let mut mail = crate::support::Corpus::new(id, 1).mail();
    mail.bytes = text.into_bytes();
    mail.flags = vec!["\\Seen".to_owned(), "Rent".to_owned()];
    mail.date = 981_147_906;
    mail
}

fn job(user: &str) -> Job {
    let server = shared();
    let mut imap = Imap::login(server.imap, user);
    let first = mail(
        "one",
        "Date: Sat, 3 Feb 2001 04:05:06 +0700\r\nFrom: =?utf-8?q?J=C3=B6rg_Budi?= <budi@example.org>\r\n\
         To: tono@example.org\r\nSubject: =?iso-8859-1?q?Gr=FC=DFe?= \x1b[2J and =?utf-8?q?=E2=80=AE?= tricks\r\n\
         Content-Type: multipart/mixed; boundary=b",
        "--b\r\n\r\nplain\x1b]0;title\x07\ttext\r\n--b\r\nContent-Type: application/pdf; name=\"a\x1b.pdf\"\r\n\
         Content-Transfer-Encoding: base64\r\n\r\nAAEC\r\n--b--\r\n",
    );
    let second = mail(
        "two",
        "From: tono@example.org\r\nSubject: the rent\r\nContent-Type: text/html",
        "<p>one &amp; two</p>\r\n",
    );
    imap.append("INBOX", &[first]);
    imap.create("Work/2024");
    imap.append("Work/2024", &[second]);
    let job = Job::backup("", &End::imap(server, user), ARCHIVE);
    mailhaul(&["run".as_ref(), job.path().as_os_str()]).exits(0);
    job
}

#[test]
fn lists_and_messages() {
    let job = job("archive-shown");
    for (name, args) in [
        ("list", &["list", "ARCHIVE"][..]),
        ("list-json", &["list", "ARCHIVE", "--json"]),
        ("list-messages", &["list", "ARCHIVE", "--messages"]),
        (
            "list-messages-json",
            &["list", "ARCHIVE", "--messages", "--json"],
        ),
        (
            "list-search",
            &[
                "list",
                "ARCHIVE",
                "--search",
                "from:tono rent",
                "--since",
                "2001-01-01",
            ],
        ),
        (
            "list-nothing-matches",
            &["list", "ARCHIVE", "--search", "subject:nowhere"],
        ),
        (
            "list-no-folder",
            &["list", "ARCHIVE", "--folder", "Nowhere"],
        ),
        (
            "list-wrong-day",
            &["list", "ARCHIVE", "--since", "yesterday"],
        ),
        (
            "list-wrong-search",
            &["list", "ARCHIVE", "--search", "from: tono"],
        ),
        ("show", &["show", "ARCHIVE", "INBOX", "1"]),
        ("show-json", &["show", "ARCHIVE", "INBOX", "1", "--json"]),
        (
            "show-headers",
            &["show", "ARCHIVE", "INBOX", "<one@example.org>", "--headers"],
        ),
        (
            "show-html",
            &["show", "ARCHIVE", "Work/2024", "two@example.org"],
        ),
        ("show-no-message", &["show", "ARCHIVE", "INBOX", "7"]),
        ("show-no-folder", &["show", "ARCHIVE", "Nowhere", "1"]),
    ] {
        let shown = tell(&job, args);
        let bad = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!shown.contains(bad), "{shown:?}");
        insta::assert_snapshot!(format!("archive-{name}"), shown);
    }
}

#[test]
fn checked_and_rebuilt() {
    let job = job("archive-checked");
    let archive = job.dir().join("box.archive");
    insta::assert_snapshot!("archive-check", tell(&job, &["check", "ARCHIVE"]));
    insta::assert_snapshot!("archive-rebuild", tell(&job, &["rebuild", "ARCHIVE"]));
    let cur = archive.join("mail/cur");
    let file = std::fs::read_dir(&cur)
        .expect("cur")
        .next()
        .expect("a file")
        .expect("a file");
    let mut bytes = std::fs::read(file.path()).expect("read");
    bytes[60] ^= 1;
    std::fs::write(file.path(), bytes).expect("write");
    std::fs::write(cur.join("1.foreign\x1b[2J:2,S"), b"A: b\n").expect("write");
    std::fs::write(archive.join("mail/tmp/2.half"), b"A").expect("write");
    insta::assert_snapshot!("archive-check-wrong", tell(&job, &["check", "ARCHIVE"]));
    insta::assert_snapshot!(
        "archive-check-wrong-json",
        tell(&job, &["check", "ARCHIVE", "--json"])
    );
    insta::assert_snapshot!("archive-rebuild-wrong", tell(&job, &["rebuild", "ARCHIVE"]));
    insta::assert_snapshot!(
        "archive-rebuild-json",
        tell(&job, &["rebuild", "ARCHIVE", "--json"])
    );
    let to = job.dir().join("out");
    let to = to.to_string_lossy();
    let args = ["export", "ARCHIVE", "--format", "eml", "--to", &to];
    insta::assert_snapshot!(
        "archive-export-wrong",
        tell(&job, &args).replace(&*to, "DIR/out")
    );
    insta::assert_snapshot!(
        "archive-export-again",
        tell(&job, &args).replace(&*to, "DIR/out")
    );
}

#[test]
fn what_is_no_archive() {
    let job = job("archive-none");
    let none = job.dir().to_string_lossy();
    insta::assert_snapshot!("archive-none", tell(&job, &["check", &none]));
    insta::assert_snapshot!(
        "archive-no-file",
        tell(&job, &["list", "/nowhere/box.archive"])
    );
    insta::assert_snapshot!(
        "archive-account-of-a-directory",
        tell(&job, &["list", "ARCHIVE", "--account", "budi"])
    );
}
