//! IMAP → IMAP: folders, flags, dates, special use, subscriptions, and what later runs carry.

use super::{assert_nothing_left, run};
use crate::support::{
    Corpus, Dovecot, End, Imap, Job, Mail, Random, Snapshot, fresh_user, names, shared,
};

/// Sixty folders and 2,000 messages, every third folder subscribed.
pub(super) fn large_account(server: &Dovecot, user: &str) {
    let mut imap = Imap::login(server.imap, user);
    let mut random = Random::new(60);
    let mut corpus = Corpus::new(user, 2_000);
    let names = names::sixty();
    let mut left = 2_000;
    for (i, name) in names.iter().enumerate() {
        imap.create(name);
        if i % 3 == 0 {
            imap.subscribe(name);
        }
        let count = random.below(60) as usize;
        imap.append(name, &corpus.mails(count));
        left -= count;
    }
    imap.append("INBOX", &corpus.mails(left));
}

pub(super) fn subscribed(server: &Dovecot, user: &str) -> Vec<String> {
    let listed = Imap::login(server.imap, user).list();
    let on = listed
        .into_iter()
        .filter(|l| l.attributes.iter().any(|a| a == "\\subscribed"));
    let mut names: Vec<String> = on.map(|l| l.name).collect();
    names.sort();
    names
}

#[test]
fn sixty_folders_with_difficult_names() {
    let server = shared();
    let (old, new) = (fresh_user("sixty-old"), fresh_user("sixty-new"));
    large_account(server, &old);
    let before = Snapshot::of(server.imap, &old);
    assert_eq!((before.0.len(), before.total()), (60, 2_000));
    let job = Job::new("", &End::imap(server, &old), &End::imap(server, &new), "");
    let done = run(&job).exits(0);
    assert_eq!(done.balance().part("copied"), 2_000);
    done.balance().assert_adds_up();
    Snapshot::of(server.imap, &new).assert_same_order(&before);
    assert_eq!(subscribed(server, &new), subscribed(server, &old));
    assert_eq!(
        Snapshot::of(server.imap, &old),
        before,
        "the source was changed"
    );
    assert_nothing_left(&job);
    Snapshot::of(server.imap, &new).assert_same_order(&before);
}

fn small_account(
    server: &Dovecot,
    stem: &str,
    folders: &[&str],
    each: usize,
) -> (String, Vec<Mail>) {
    let user = fresh_user(stem);
    let mut imap = Imap::login(server.imap, &user);
    let mails = Corpus::new(&user, each as u64).mails(each * folders.len());
    for (folder, part) in folders.iter().zip(mails.chunks(each)) {
        if *folder != "INBOX" {
            imap.create(folder);
        }
        imap.append(folder, part);
    }
    (user, mails)
}

#[test]
fn another_separator_prefix_and_language() {
    let new_server = Dovecot::start(&["separator=.", "prefix=INBOX.", "special=german"]);
    let (old, _) = small_account(
        shared(),
        "sep",
        &["INBOX", "Sent", "Work/2024", "Drafts"],
        10,
    );
    let new = fresh_user("sep-new");
    // This server names a special use only where the folder exists.
    let mut imap = Imap::login(new_server.imap, &new);
    imap.create("INBOX.Gesendet");
    imap.create("INBOX.Entw&APw-rfe");
    let source = End::imap(shared(), &old);
    let job = Job::new("", &source, &End::imap(&new_server, &new), "");
    run(&job).exits(0);
    let names = |name: &str| match name {
        "INBOX" => "INBOX".to_owned(),
        "Sent" => "INBOX.Gesendet".to_owned(),
        "Drafts" => "INBOX.Entw&APw-rfe".to_owned(),
        other => format!("INBOX.{}", other.replace('/', ".")),
    };
    let expected = Snapshot::of(shared().imap, &old).without_empty();
    Snapshot::of(new_server.imap, &new)
        .without_empty()
        .assert_same_order(&expected.renamed(names));
    assert_nothing_left(&job);
}

#[test]
fn a_server_without_uidplus_and_multiappend() {
    let plain = "capability=IMAP4rev1 SASL-IR IDLE NAMESPACE UNSELECT CHILDREN";
    let server = Dovecot::start(&[plain]);
    let (old, _) = small_account(shared(), "old-server", &["INBOX", "A"], 30);
    let new = fresh_user("old-server-new");
    let source = End::imap(shared(), &old);
    let job = Job::new("", &source, &End::imap(&server, &new), "");
    run(&job).exits(0);
    Snapshot::of(server.imap, &new).assert_same_order(&Snapshot::of(shared().imap, &old));
    assert_nothing_left(&job);
}

#[test]
fn tls_at_both_ends() {
    use crate::support::job::Security;
    let server = shared();
    for security in [Security::Starttls, Security::Tls] {
        let (old, _) = small_account(server, "tls", &["INBOX", "B"], 15);
        let new = fresh_user("tls-new");
        let end = |user| End::on(server, "imap", user, security);
        run(&Job::new("", &end(&old), &end(&new), "")).exits(0);
        Snapshot::of(server.imap, &new).assert_same_order(&Snapshot::of(server.imap, &old));
    }
}

#[test]
fn mail_that_is_already_there_is_adopted() {
    let server = shared();
    let (old, mails) = small_account(server, "adopt", &["INBOX"], 50);
    let new = fresh_user("adopt-new");
    Imap::login(server.imap, &new).append("INBOX", &mails[..20]);
    let job = Job::new("", &End::imap(server, &old), &End::imap(server, &new), "");
    let balance = run(&job).exits(0).balance();
    assert_eq!(
        (balance.part("copied"), balance.part("already there")),
        (30, 20)
    );
    balance.assert_adds_up();
    Snapshot::of(server.imap, &new).assert_same(&Snapshot::one("INBOX", &mails));
    assert_nothing_left(&job);
}

#[test]
fn moved_and_deleted_mail_stays_moved_and_deleted() {
    let server = shared();
    let (old, _) = small_account(server, "moved", &["INBOX"], 30);
    let new = fresh_user("moved-new");
    let job = Job::new("", &End::imap(server, &old), &End::imap(server, &new), "");
    run(&job).exits(0);
    let mut imap = Imap::login(server.imap, &new);
    imap.create("Elsewhere");
    imap.command("SELECT INBOX");
    imap.command("UID MOVE 1:10 Elsewhere");
    imap.expunge("INBOX", "11:15");
    assert_nothing_left(&job);
    assert_eq!((imap.count("INBOX"), imap.count("Elsewhere")), (15, 10));
}

#[test]
fn only_the_change_of_flags_is_carried() {
    let server = shared();
    let old = fresh_user("flags-old");
    let new = fresh_user("flags-new");
    let mut corpus = Corpus::new(&old, 11);
    corpus.flags = false;
    let mut source = Imap::login(server.imap, &old);
    source.append("INBOX", &corpus.mails(10));
    let job = Job::new("", &End::imap(server, &old), &End::imap(server, &new), "");
    run(&job).exits(0);
    source.store("INBOX", "1:3", "+FLAGS", "\\Seen todo");
    let mut destination = Imap::login(server.imap, &new);
    destination.store("INBOX", "2:5", "+FLAGS", "\\Flagged");
    run(&job).exits(0);
    let flags: Vec<String> = destination
        .fetch("INBOX")
        .into_iter()
        .map(|f| {
            let mut flags = f.flags;
            flags.sort();
            flags.join(" ")
        })
        .collect();
    let mut expected = vec![
        "\\Seen todo",
        "\\Flagged \\Seen todo",
        "\\Flagged \\Seen todo",
    ];
    expected.extend(["\\Flagged", "\\Flagged", "", "", "", "", ""]);
    assert_eq!(flags, expected);
    source.store("INBOX", "2", "-FLAGS", "\\Seen");
    run(&job).exits(0);
    let second = &destination.fetch("INBOX")[1];
    assert!(
        !second.flags.contains(&"\\Seen".to_owned()),
        "{:?}",
        second.flags
    );
    assert!(
        second.flags.contains(&"\\Flagged".to_owned()),
        "{:?}",
        second.flags
    );
}

#[test]
fn the_same_mailbox_at_both_ends_is_refused() {
    let server = shared();
    let (user, _) = small_account(server, "same", &["INBOX"], 3);
    let before = Snapshot::of(server.imap, &user);
    let job = Job::new("", &End::imap(server, &user), &End::imap(server, &user), "");
    assert_ne!(run(&job).code, Some(0));
    assert_eq!(Snapshot::of(server.imap, &user), before);
}
