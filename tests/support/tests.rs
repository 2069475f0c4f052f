//! The tests' own tools on a real Dovecot: a reader that misses something would prove nothing.

use super::*;
use std::collections::BTreeSet;

#[test]
fn what_is_appended_is_read_back() {
    let server = shared();
    let user = fresh_user("self");
    let mails = Corpus::new(&user, 5).mails(150);
    let mut imap = Imap::login(server.imap, &user);
    imap.append("INBOX", &mails);
    assert_eq!(imap.count("INBOX"), 150);
    let read = Snapshot::of(server.imap, &user);
    read.assert_same_order(&Snapshot::one("INBOX", &mails));
    imap.expunge("INBOX", "3");
    let told = Snapshot::of(server.imap, &user).differences(&read, false);
    assert_eq!(told.len(), 1, "{told:?}");
}

#[test]
fn a_filled_maildir_is_read_back_in_order() {
    let server = shared();
    let user = fresh_user("self-maildir");
    let mut corpus = Corpus::new(&user, 6);
    corpus.flags = false;
    let mails = corpus.mails(120);
    maildir::fill(server, &user, &mails[..100]);
    let first = Snapshot::of(server.imap, &user);
    first.assert_same_order(&Snapshot::one("INBOX", &mails[..100]));
    maildir::fill(server, &user, &mails[100..]);
    let all = Snapshot::of(server.imap, &user);
    all.assert_same_order(&Snapshot::one("INBOX", &mails));
    let popped: Vec<String> = pop3::retrieve(server.pop3, &user)
        .iter()
        .map(|m| canonical::digest(m))
        .collect();
    let sent = corpus::popped(&mails);
    let different = popped
        .iter()
        .zip(&sent)
        .filter(|(p, s)| **p != canonical::digest(&s.bytes))
        .count();
    assert_eq!((popped.len(), different), (120, 0));
}

#[test]
fn sixty_names_are_accepted_and_listed() {
    let server = shared();
    let user = fresh_user("self-names");
    let mut imap = Imap::login(server.imap, &user);
    let mut names: BTreeSet<String> = names::sixty().into_iter().collect();
    assert_eq!(names.len(), 59);
    for name in &names {
        imap.create(name);
        imap.subscribe(name);
    }
    names.insert("INBOX".into());
    assert_eq!(imap.folders().into_iter().collect::<BTreeSet<_>>(), names);
    let listed = imap.list();
    let sent = listed.iter().find(|l| l.name == "Sent").expect("Sent");
    assert_eq!(sent.attributes.len(), 2, "{sent:?}");
    assert!(sent.attributes.contains(&"\\sent".to_owned()));
    assert!(sent.attributes.contains(&"\\subscribed".to_owned()));
}

#[test]
fn every_option_of_the_server_works() {
    let options = [
        "format=sdbox",
        "separator=.",
        "prefix=INBOX.",
        "special=german",
        "capability=IMAP4rev1 LIST-EXTENDED SPECIAL-USE LITERAL+",
        "quota=50K",
    ];
    let server = Dovecot::start(&options);
    let mut imap = Imap::login(server.imap, "u");
    imap.create("INBOX.Gesendet");
    let listed = imap.list();
    let sent = listed.iter().find(|l| l.name == "INBOX.Gesendet");
    assert!(
        sent.expect("listed")
            .attributes
            .contains(&"\\sent".to_owned())
    );
    let capability = String::from_utf8(imap.command("CAPABILITY").concat()).expect("text");
    assert!(!capability.contains("UIDPLUS"), "{capability}");
    let big = format!("APPEND INBOX {{60000+}}\r\n{}", "x".repeat(60_000));
    let words = imap.try_command(big.as_bytes()).expect_err("no room");
    assert!(words.contains("OVERQUOTA"), "{words}");
    let dir = server.dir.clone();
    drop(server);
    assert!(!dir.exists(), "{} is left behind", dir.display());
}
