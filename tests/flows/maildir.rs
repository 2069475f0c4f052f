//! Maildir at either end: written for a Dovecot that serves it as it lies, read as a Dovecot has written it.

use super::{assert_nothing_left, run};
use crate::support::canonical::digest;
use crate::support::{
    Corpus, Dovecot, End, Imap, Job, Snapshot, fresh_user, maildir, names, pop3, popped, real,
    shared,
};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

const LAYOUTS: [&str; 2] = ["fs", "maildir++"];

/// A server that shows every name, whatever its characters.
fn server(layout: &str) -> Dovecot {
    Dovecot::start(&[&format!("layout={layout}"), "escape=yes"])
}

fn tree(server: &Dovecot, user: &str) -> PathBuf {
    server.home(user).join("Maildir")
}

fn files(server: &Dovecot, user: &str, layout: &str) -> End {
    End::files("maildir", &tree(server, user)).line(&format!("layout = \"{layout}\""))
}

/// Difficult names, flags, keywords; every third folder subscribed.
fn account(server: &Dovecot, user: &str, messages: u32) {
    let mut imap = Imap::login(server.imap, user);
    let mut corpus = Corpus::new(user, 31);
    let names = names::sixty();
    for (i, name) in names.iter().enumerate() {
        imap.create(name);
        if i % 3 == 0 {
            imap.subscribe(name);
        }
        imap.append(name, &corpus.mails(messages as usize / names.len()));
    }
    imap.append("INBOX", &corpus.mails(40));
}

fn subscribed(server: &Dovecot, user: &str) -> BTreeSet<String> {
    let listed = Imap::login(server.imap, user).list().into_iter();
    let on = listed.filter(|l| l.attributes.iter().any(|a| a == "\\subscribed"));
    on.map(|l| l.name).collect()
}

#[test]
fn dovecot_serves_what_was_written() {
    let old_server = shared();
    let old = fresh_user("to-maildir");
    account(old_server, &old, 600);
    for layout in LAYOUTS {
        let before = Snapshot::of(old_server.imap, &old);
        let new_server = server(layout);
        let job = Job::new(
            "",
            &End::imap(old_server, &old),
            &files(&new_server, &old, layout),
            "",
        );
        run(&job).exits(0).balance().assert_adds_up();
        Snapshot::of(new_server.imap, &old).assert_same_order(&before);
        assert_eq!(subscribed(&new_server, &old), subscribed(old_server, &old));
        assert_nothing_left(&job);
        // A flag changed at the source arrives under the very UID.
        let first = Imap::login(new_server.imap, &old).fetch("INBOX");
        let mut imap = Imap::login(old_server.imap, &old);
        imap.store("INBOX", "3", "+FLAGS", "\\Flagged \\Seen later");
        imap.store("INBOX", "4", "-FLAGS", "\\Seen");
        run(&job).exits(0);
        let now = Snapshot::of(new_server.imap, &old);
        now.assert_same_order(&Snapshot::of(old_server.imap, &old));
        let uids =
            |list: &[crate::support::imap::Fetched]| list.iter().map(|f| f.uid).collect::<Vec<_>>();
        assert_eq!(
            uids(&Imap::login(new_server.imap, &old).fetch("INBOX")),
            uids(&first)
        );
        assert!(!new_server.log().contains("Error"), "{}", new_server.log());
        imap.store("INBOX", "3", "-FLAGS", "\\Flagged \\Seen later");
        run(&job).exits(0);
        Snapshot::of(new_server.imap, &old).assert_same_order(&Snapshot::of(old_server.imap, &old));
    }
}

#[test]
fn what_dovecot_wrote_is_read() {
    for layout in LAYOUTS {
        let old_server = server(layout);
        let old = fresh_user("from-maildir");
        account(&old_server, &old, 300);
        let before = Snapshot::of(old_server.imap, &old);
        let new_server = Dovecot::start(&["escape=yes"]);
        // The layout is found out.
        let source = End::files("maildir", &tree(&old_server, &old));
        let job = Job::new("", &source, &End::imap(&new_server, &old), "");
        run(&job).exits(0).balance().assert_adds_up();
        Snapshot::of(new_server.imap, &old).assert_same_order(&before);
        assert_eq!(subscribed(&new_server, &old), subscribed(&old_server, &old));
        assert_nothing_left(&job);
        let mut imap = Imap::login(old_server.imap, &old);
        imap.store("INBOX", "2:9", "+FLAGS", "\\Answered other");
        imap.append("INBOX", &Corpus::new("new", 1).mails(2));
        let third = run(&job).exits(0);
        assert_eq!(third.balance().part("copied"), 2);
        Snapshot::of(new_server.imap, &old).assert_same_order(&Snapshot::of(old_server.imap, &old));
    }
}

/// The old server's own unique-ids, as no Dovecot would form them.
fn named_maildrop(server: &Dovecot, user: &str, count: usize) {
    let mut corpus = Corpus::new(user, 5);
    corpus.flags = false;
    let mails: Vec<_> = popped(&corpus.mails(count));
    maildir::fill(server, user, &mails);
    let mut list = String::from("3 V1234567890 N1 G00000000000000000000000000000042\n");
    for n in 0..count {
        list.push_str(&format!(
            "{} Pold.{n}~id :1000000000.M{n:08}P1.test\n",
            n + 1
        ));
    }
    let path = tree(server, user).join("dovecot-uidlist");
    std::fs::write(&path, list).expect("write");
    chown(&path, Some(server.uid), Some(server.gid)).expect("chown");
}

/// How many messages fetchmail downloads: it keeps all at the server and remembers their unique-ids.
fn fetchmail(dir: &Path, server: &Dovecot, user: &str) -> usize {
    let (rc, mail) = (dir.join("fetchmailrc"), dir.join("mail"));
    let text = format!(
        "poll 127.0.0.1 protocol pop3 port {} uidl auth password\n\
         user \"{user}\" password \"secret\" keep no rewrite sslproto ''\n\
         mda \"cat >>{}\"\n",
        server.pop3,
        mail.display()
    );
    std::fs::write(&rc, text).expect("write");
    // It reads no file that others could.
    std::fs::set_permissions(&rc, PermissionsExt::from_mode(0o600)).expect("chmod");
    let downloaded = || {
        let text = std::fs::read(&mail).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        text.matches("with POP3 (fetchmail-").count()
    };
    let before = downloaded();
    let out = Command::new("fetchmail")
        .arg("--nosyslog")
        .args(["-f".as_ref(), rc.as_os_str()])
        .args(["-i".as_ref(), dir.join("ids").as_os_str()])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", dir)
        .output()
        .expect("fetchmail starts");
    // 0: mail was there; 1: none was.
    let told = String::from_utf8_lossy(&out.stderr);
    assert!(matches!(out.status.code(), Some(0 | 1)), "{told}");
    downloaded() - before
}

#[test]
fn pop3_clients_download_nothing_again() {
    let old_server = shared();
    let old = fresh_user("pop-uidl");
    named_maildrop(old_server, &old, 25);
    let dir = tempfile::tempdir().expect("a directory");
    assert_eq!(fetchmail(dir.path(), old_server, &old), 25);
    assert_eq!(fetchmail(dir.path(), old_server, &old), 0);

    let new_server = server("maildir++");
    let job = Job::new(
        "",
        &End::pop3(old_server, &old),
        &files(&new_server, &old, "maildir++"),
        "",
    );
    run(&job).exits(0).balance().assert_adds_up();
    let there = pop3::unique_ids(new_server.pop3, &old);
    assert_eq!(there, pop3::unique_ids(old_server.pop3, &old));
    assert_eq!(there[3], "old.3~id");
    assert_eq!(fetchmail(dir.path(), &new_server, &old), 0);
    assert_eq!(
        pop3::retrieve(new_server.pop3, &old),
        pop3::retrieve(old_server.pop3, &old)
    );
    assert_nothing_left(&job);
    // What comes in later is downloaded, once.
    Imap::login(new_server.imap, &old).append("INBOX", &Corpus::new("later", 1).mails(1));
    assert_eq!(fetchmail(dir.path(), &new_server, &old), 1);
}

#[test]
fn delivered_while_dovecot_serves_it() {
    let old_server = shared();
    let (old, new_server) = (fresh_user("live"), server("fs"));
    let mut corpus = Corpus::new(&old, 9);
    corpus.median_size = 400.0;
    Imap::login(old_server.imap, &old).append("INBOX", &corpus.mails(1_600));
    let own = Corpus::new("own", 3).mails(120);
    let (first, rest) = own.split_at(20);
    Imap::login(new_server.imap, &old).append("INBOX", first);
    let job = Job::new(
        "",
        &End::imap(old_server, &old),
        &files(&new_server, &old, "fs"),
        "",
    );
    std::thread::scope(|scope| {
        let (server, user) = (&new_server, &old);
        scope.spawn(move || {
            // A session that sees all that comes in, and delivers and marks meanwhile.
            let mut imap = Imap::login(server.imap, user);
            for (n, mail) in rest.iter().enumerate() {
                imap.append("INBOX", std::slice::from_ref(mail));
                imap.store(
                    "INBOX",
                    "1:5",
                    if n % 2 == 0 { "+FLAGS" } else { "-FLAGS" },
                    "\\Flagged fresh",
                );
            }
        });
        run(&job).exits(0).balance().assert_adds_up();
    });
    let there = Imap::login(new_server.imap, &old).fetch("INBOX");
    let uids: BTreeSet<u32> = there.iter().map(|f| f.uid).collect();
    assert_eq!((there.len(), uids.len()), (1_720, 1_720));
    let mut want = Snapshot::one("INBOX", &own);
    want.0.entry("INBOX".into()).or_default().extend(
        Snapshot::of(old_server.imap, &old)
            .0
            .remove("INBOX")
            .expect("INBOX"),
    );
    let have = Snapshot::of(new_server.imap, &old);
    assert_eq!(have.without_flags().digests(), want.digests());
    let log = new_server.log();
    let bad = log.lines().find(|line| {
        ["Error", "Warning", "Panic"]
            .iter()
            .any(|word| line.contains(word))
    });
    assert_eq!(bad, None);
    assert_nothing_left(&job);
}

#[test]
fn python_reads_what_was_written() {
    let server = shared();
    let old = fresh_user("python");
    let mut imap = Imap::login(server.imap, &old);
    let mails = Corpus::new(&old, 2).mails(12);
    imap.append("INBOX", &mails[..7]);
    imap.create("Work/2024");
    imap.append("Work/2024", &mails[7..]);
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path().join("mail");
    let job = Job::new(
        "",
        &End::imap(server, &old),
        &End::files("maildir", &root),
        "",
    );
    run(&job).exits(0);
    let script = "import mailbox,sys\nroot=mailbox.Maildir(sys.argv[1],create=False)\n\
        print(len(root),root.list_folders(),len(root.get_folder('Work.2024')))\n\
        seen=sum('S' in m.get_flags() for m in root)\nprint(seen)";
    let out = Command::new("python3")
        .arg("-c")
        .arg(script)
        .arg(&root)
        .output()
        .expect("python3");
    let seen = mails[..7]
        .iter()
        .filter(|m| m.flags.iter().any(|f| f == "\\Seen"))
        .count();
    let told = String::from_utf8_lossy(&out.stdout).into_owned();
    assert_eq!(
        told,
        format!("7 ['Work.2024'] 5\n{seen}\n"),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
}

#[test]
fn the_very_maildir_that_a_server_serves_is_refused() {
    let server = shared();
    let user = fresh_user("same-maildir");
    Imap::login(server.imap, &user).append("INBOX", &Corpus::new(&user, 1).mails(3));
    let before = Snapshot::of(server.imap, &user);
    let own = || files(server, &user, "fs");
    for (source, destination) in [
        (End::imap(server, &user), own()),
        (End::pop3(server, &user), own()),
        (own(), End::imap(server, &user)),
    ] {
        let job = Job::new("", &source, &destination, "");
        for _ in 0..2 {
            let refused = run(&job).exits(2);
            let words = refused.stderr;
            assert!(words.contains("same mailbox"), "{words}");
        }
    }
    assert_eq!(Snapshot::of(server.imap, &user), before);
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_is_copied() {
    let root = tempfile::tempdir().expect("a directory");
    let put = |path: &str, text: &str| {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("mkdir");
        std::fs::write(path, text).expect("write");
    };
    put("cur/1.a:2,S", "Message-ID: <1@x>\n\none\n");
    put("new/2.b", "Message-ID: <2@x>\n\ntwo\n");
    put(".Good/cur/3.c:2,", "Message-ID: <3@x>\n\nthree\n");
    put(".Bad/cur", "no directory");
    put(".Bad/new/4.d", "Message-ID: <4@x>\n\nfour\n");
    std::os::unix::fs::symlink("/etc/hostname", root.path().join("cur/5.e:2,")).expect("link");
    std::os::unix::fs::symlink(root.path().join(".Good"), root.path().join(".Link")).expect("link");
    let server = shared();
    let user = fresh_user("unreadable");
    let source = End::files("maildir", root.path());
    let job = Job::new("", &source, &End::imap(server, &user), "");
    let done = run(&job).exits(3);
    let told = done.stdout + &done.stderr;
    for words in ["Bad/cur", "5.e", "Link is a symbolic link"] {
        assert!(told.contains(words), "{words} not in:\n{told}");
    }
    let there = Snapshot::of(server.imap, &user).without_empty();
    let count = |name: &str| there.0.get(name).map_or(0, Vec::len);
    assert_eq!((count("INBOX"), count("Good"), there.total()), (2, 1, 3));
}

#[test]
fn unique_ids_beside_mail_that_pop3_has_shown() {
    let old_server = shared();
    let old = fresh_user("pop-live");
    named_maildrop(old_server, &old, 6);
    let new_server = server("fs");
    let mut imap = Imap::login(new_server.imap, &old);
    imap.append("INBOX", &Corpus::new("own", 3).mails(4));
    let own = pop3::unique_ids(new_server.pop3, &old);
    let job = Job::new(
        "",
        &End::pop3(old_server, &old),
        &files(&new_server, &old, "fs"),
        "",
    );
    run(&job).exits(0).balance().assert_adds_up();
    let there = pop3::unique_ids(new_server.pop3, &old);
    assert_eq!(there[..4], own);
    assert_eq!(there[4..], pop3::unique_ids(old_server.pop3, &old));
}

#[test]
fn the_27th_keyword_is_told() {
    let server = shared();
    let user = fresh_user("keywords");
    let mut mails = Corpus::new(&user, 4).mails(30);
    for (n, mail) in mails.iter_mut().enumerate() {
        mail.flags = vec!["\\Seen".into(), format!("key{n:02}")];
    }
    Imap::login(server.imap, &user).append("INBOX", &mails);
    let new_server = self::server("maildir++");
    let job = Job::new(
        "",
        &End::imap(server, &user),
        &files(&new_server, &user, "maildir++"),
        "",
    );
    run(&job).exits(0);
    let journal = rusqlite::Connection::open(job.journal()).expect("a journal");
    let told: u32 = journal
        .query_row(
            "SELECT count(*) FROM outcome WHERE words LIKE 'stored without keyword key2_'",
            [],
            |row| row.get(0),
        )
        .expect("a count");
    assert_eq!(told, 4);
    let there = Imap::login(new_server.imap, &user).fetch("INBOX");
    let with = |n: usize| {
        there
            .iter()
            .filter(|f| f.flags.contains(&format!("key{n:02}")))
            .count()
    };
    assert_eq!((0..26).map(with).sum::<usize>(), 26);
    assert_eq!((26..30).map(with).sum::<usize>(), 0);
    assert!(there.iter().all(|f| f.flags.contains(&"\\Seen".to_owned())));
}

#[test]
fn a_tree_is_not_copied_into_itself() {
    let root = tempfile::tempdir().expect("a directory");
    let (tree, link) = (root.path().join("tree"), root.path().join("link"));
    std::fs::create_dir_all(tree.join("cur")).expect("mkdir");
    std::fs::write(tree.join("cur/1.a:2,"), "Message-ID: <1@x>\n\none\n").expect("write");
    std::os::unix::fs::symlink(&tree, &link).expect("link");
    for path in [link.clone(), link.join("below")] {
        let (from, to) = (End::files("maildir", &tree), End::files("maildir", &path));
        let refused = run(&Job::new("", &from, &to, "")).exits(2);
        assert!(
            refused.stderr.contains("same mailbox"),
            "{}",
            refused.stderr
        );
    }
    assert_eq!(std::fs::read_dir(&tree).expect("the tree").count(), 1);
}

/// Digest → how often it stands in `cur/`.
fn digests(maildir: &Path) -> BTreeMap<String, u32> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(maildir.join("cur")).expect("cur/") {
        let bytes = std::fs::read(entry.expect("an entry").path()).expect("read");
        *found.entry(digest(&bytes)).or_default() += 1;
    }
    found
}

#[test]
fn real_mail_through_a_maildir() {
    let Some(mails) = real::messages() else {
        return;
    };
    let root = tempfile::tempdir().expect("a directory");
    let (old, new) = (root.path().join("old"), root.path().join("new"));
    std::fs::create_dir_all(old.join("cur")).expect("mkdir");
    for (n, mail) in mails.iter().enumerate() {
        std::fs::write(old.join(format!("cur/{n}.real:2,S")), &mail.bytes).expect("write");
    }
    let (from, to) = (End::files("maildir", &old), End::files("maildir", &new));
    let job = Job::new("", &from, &to, "");
    let done = run(&job).exits(0);
    assert_eq!(done.balance().part("copied") as usize, mails.len());
    assert_eq!(digests(&new), digests(&old));
    assert_nothing_left(&job);
}
