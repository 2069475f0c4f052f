//! The journal is lost: what was delivered is adopted, whatever its headers are like.

use super::adopt::{WAYS, filled, imap, mail, runs_to, snapshot, survives_without_journal};
use super::run;
use crate::support::{Corpus, Dovecot, End, Job, Mail, fresh_user, maildir, real, shared};

/// Bytes ≥ 0x80 in Subject and Message-ID, with and without an id, and headers that say next to nothing.
fn strange_headers() -> Vec<Mail> {
    let mut mails: Vec<Mail> = (0..10)
        .map(|n| mail(n, (n == 8).then_some("eight"), "S", "text"))
        .collect();
    for (n, mail) in mails.iter_mut().enumerate() {
        let head = format!("Subject: gr{n} ").into_bytes();
        let head = [&head[..], b"\xfc\xdfe \xe2\x82\xac\r\n", &mail.bytes].concat();
        mail.bytes = head;
    }
    // Headers too poor to tell who they are; two of them as long as each other.
    for text in [
        "Subject: a\r\n\r\nsame length 1\r\n",
        "Subject: a\r\n\r\nsame length 2\r\n",
        "Date: Mon, 06 Jan 2020 00:00:00 +0000\r\n\r\nno sender\r\n",
        "no header at all\r\n",
    ] {
        mails.push(Mail {
            bytes: text.as_bytes().to_vec(),
            ..mails[0].clone()
        });
    }
    mails.push(mail(30, Some("\u{e9}t\u{e9}"), "8-bit id", "text"));
    mails
}

#[test]
fn a_lost_journal_doubles_nothing() {
    for way in WAYS {
        let name = fresh_user("lost");
        let mut mails = Corpus::new(&name, 77).mails(300);
        mails.extend(strange_headers());
        let count = mails.len() as u64;
        let old = filled("lost-old", &[("INBOX", &mails)]);
        let new = fresh_user("lost-new");
        let job = Job::new("", &imap(&old), &imap(&new), way);
        runs_to(&job, &new, (count, 0, 0));
        survives_without_journal(&job, &new, count);
    }
}

#[test]
fn a_lost_journal_doubles_nothing_from_pop3() {
    let server: &Dovecot = shared();
    let mut mails = Corpus::new("lost-pop", 78).mails(100);
    mails.extend(strange_headers());
    let count = mails.len() as u64;
    let old = fresh_user("lost-pop");
    maildir::fill(server, &old, &mails);
    let new = fresh_user("lost-pop-new");
    let job = Job::new("", &End::pop3(server, &old), &imap(&new), "");
    runs_to(&job, &new, (count, 0, 0));
    survives_without_journal(&job, &new, count);
}

#[test]
fn a_lost_journal_with_real_mail() {
    let Some(mails) = real::messages() else {
        return;
    };
    let old = fresh_user("lost-real");
    maildir::fill(shared(), &old, &mails);
    let new = fresh_user("lost-real-new");
    let job = Job::new("", &imap(&old), &imap(&new), "");
    let first = run(&job);
    let before = snapshot(&new).total();
    let state = job.journal();
    std::fs::remove_dir_all(state.parent().expect("a directory")).expect("the journal's directory");
    let second = run(&job);
    println!("{:?}\n{:?}", first.balance(), second.balance());
    assert_eq!(snapshot(&new).total(), before, "{}", second.stderr);
}
