//! mutt opens what an archive holds, in both formats: in batch, all messages copied out of it into a Maildir of mutt's own.

use super::backup::{FORMATS, archive, backup, format};
use super::run;
use crate::support::canonical::digest;
use crate::support::{Corpus, End, Imap, fresh_user, shared};
use std::path::Path;
use std::process::{Command, Stdio};

const SETTINGS: &str = "set confirmappend=no\nset confirmcreate=no\nset quit=yes\nset mbox_type=Maildir\n\
    set wait_key=no\nset delete=no\nset move=no\nset charset=utf-8\nset auto_tag=yes\n";

/// Copies every message of a mailbox into the Maildir `to`. mutt wants a terminal: `script` is one.
fn copied_by_mutt(mailbox: &Path, to: &Path, dir: &Path) -> Vec<Vec<u8>> {
    // Without a folder of its own mutt asks whether to make one, and takes the keys for the answer.
    let rc = format!("{SETTINGS}set folder={}\n", dir.display());
    std::fs::write(dir.join("rc"), rc).expect("write");
    let keys = format!(
        "<tag-pattern>~A<enter><copy-message>{}<enter><exit>",
        to.display()
    );
    let command = format!(
        "mutt -n -F {} -R -f {} -e 'push \"{keys}\"'",
        dir.join("rc").display(),
        mailbox.display()
    );
    let done = Command::new("timeout")
        .args(["60", "script", "-qec", &command, "/dev/null"])
        .env("TERM", "xterm")
        .env("HOME", dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status();
    assert!(done.expect("script").success());
    let mut messages = Vec::new();
    for part in ["new", "cur"] {
        for entry in std::fs::read_dir(to.join(part)).expect("mutt's copies") {
            messages.push(std::fs::read(entry.expect("an entry").path()).expect("read"));
        }
    }
    messages
}

/// Without the fields that mutt adds, and with the `>From ` of an mbox as it was.
fn plain(message: &[u8]) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let mut in_header = true;
    for line in message.split_inclusive(|b| *b == b'\n') {
        in_header &= line.trim_ascii() != b"";
        let added = [&b"Content-Length:"[..], b"Lines:", b"Status:"];
        if in_header && added.iter().any(|field| line.starts_with(field)) {
            continue;
        }
        lines.push(
            line.strip_prefix(b">")
                .filter(|l| l.starts_with(b"From "))
                .unwrap_or(line)
                .to_vec(),
        );
    }
    let mut plain = lines.concat();
    while plain.ends_with(b"\n") || plain.ends_with(b"\r") {
        plain.pop();
    }
    plain
}

#[test]
fn mutt_opens_the_archive() {
    let user = fresh_user("mutt");
    let mut corpus = Corpus::new(&user, 40);
    let mails = corpus.mails(40);
    Imap::login(shared().imap, &user).append("INBOX", &mails);
    let mut want: Vec<String> = mails.iter().map(|m| digest(&plain(&m.bytes))).collect();
    want.sort();
    for kind in FORMATS {
        let job = backup(&End::imap(shared(), &user), &format(kind));
        run(&job).exits(0);
        let mail = archive(&job).join("mail");
        let mailbox = match kind {
            "mbox" => mail.join("INBOX.mbox"),
            _ => mail,
        };
        let out = job.dir().join("mutt");
        let copies = copied_by_mutt(&mailbox, &out, job.dir());
        let mut have: Vec<String> = copies.iter().map(|m| digest(&plain(m))).collect();
        have.sort();
        assert_eq!(have.len(), want.len(), "{kind}");
        assert_eq!(have, want, "{kind}");
    }
}
