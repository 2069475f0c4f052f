//! Delivering into a Maildir, killed at every step; at every other one Dovecot looks at the Maildir before mailhaul goes on,
//! and numbers what it finds.

use super::kills::{fill, mails};
use super::steps::{each, killed, passed, resumed, same};
use crate::support::{End, Job, Snapshot, fresh_user, maildir, pop3, shared};
use std::path::Path;

fn copy(name: &str, source: &End, want: &Snapshot, uidls: &[String]) {
    let server = shared();
    let home = |user: &str| server.home(user).join("Maildir");
    let job = |path: &Path| {
        let files = End::files("maildir", path).line("layout = \"fs\"");
        Job::new("", source, &files, "")
    };
    let steps = passed(&job(&home(&fresh_user("steps"))));
    each(name, &steps, |n| {
        let user = fresh_user("crash-maildir");
        let job = job(&home(&user));
        let was_killed = killed(&job, n);
        let seen = || Snapshot::of(server.imap, &user).without_empty();
        if n % 2 == 0 {
            seen();
        }
        let right = || {
            same(&seen(), want)?;
            if !uidls.is_empty() {
                let mut have = pop3::unique_ids(server.pop3, &user);
                have.sort();
                if have != uidls {
                    return Err(format!("unique-ids {have:?}, should be {uidls:?}"));
                }
            }
            nothing_left_in_tmp(&home(&user))
        };
        resumed(&job, &right).map(|()| was_killed)
    });
}

fn nothing_left_in_tmp(maildir: &Path) -> Result<(), String> {
    let left = std::fs::read_dir(maildir.join("tmp")).map_err(|e| e.to_string())?;
    let names: Vec<_> = left.flatten().map(|entry| entry.file_name()).collect();
    let lock = maildir.join("dovecot-uidlist.lock");
    (names.is_empty() && !lock.exists())
        .then_some(())
        .ok_or_else(|| format!("left behind: {names:?}, or the lock"))
}

#[test]
fn pop3_to_maildir() {
    let server = shared();
    let old = fresh_user("crash-pop-maildir");
    let mails = mails(false);
    maildir::fill(server, &old, &mails);
    let want = Snapshot::one("INBOX", &mails);
    let mut uidls = pop3::unique_ids(server.pop3, &old);
    uidls.sort();
    copy("POP3 to Maildir", &End::pop3(server, &old), &want, &uidls);
}

#[test]
fn imap_to_maildir() {
    let server = shared();
    let old = fresh_user("crash-imap-maildir");
    fill(server, &old);
    let want = Snapshot::of(server.imap, &old).without_empty();
    copy("IMAP to Maildir", &End::imap(server, &old), &want, &[]);
}
