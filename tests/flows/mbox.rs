//! mbox at either end of a job: what mail programs and Google leave behind is imported; what we write goes back unchanged.

use super::{assert_nothing_left, run};
use crate::support::canonical::digest;
use crate::support::dovecot::PASSWORD;
use crate::support::run::spawn_as;
use crate::support::snapshot::Entry;
use crate::support::{
    Corpus, End, Imap, Job, Run, Snapshot, fresh_user, names, python, real, root, shared,
};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

fn write(root: &Path, path: &str, content: &[u8]) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().expect("a directory")).expect("mkdir");
    std::fs::write(path, content).expect("write");
}

/// A message with a head of its own, LF, a blank line behind it.
fn message(from: &str, head: &str, name: &str) -> String {
    format!(
        "{from}\n{head}Message-ID: <{name}@example.org>\nSubject: {name}\n\nThis is {name}.\n\n"
    )
}

/// What a message is, without its From_ line and the blank line behind it.
fn body(text: &str) -> String {
    let (_, rest) = text.split_once('\n').expect("a From_ line");
    rest.strip_suffix('\n').expect("a blank line").to_owned()
}

/// Folder → digests with flags, of what stands at a user.
fn standing(user: &str) -> BTreeMap<String, BTreeSet<(String, String)>> {
    let there = Snapshot::of(shared().imap, user).without_empty();
    let shown = |e: &Entry| {
        let flags: Vec<&str> = e.flags.iter().map(String::as_str).collect();
        (e.digest.clone(), flags.join(" "))
    };
    let folder =
        |(name, list): (&String, &Vec<Entry>)| (name.clone(), list.iter().map(shown).collect());
    there.0.iter().map(folder).collect()
}

fn expect(folders: &[(&str, &[(&str, &str)])]) -> BTreeMap<String, BTreeSet<(String, String)>> {
    let folder = |(name, list): &(&str, &[(&str, &str)])| {
        let shown = list
            .iter()
            .map(|(text, flags)| (digest(body(text).as_bytes()), (*flags).to_owned()));
        ((*name).to_owned(), shown.collect())
    };
    folders.iter().map(folder).collect()
}

const NETSCAPE: &str = "From - Tue Jan 05 12:34:56 1999";

#[test]
fn a_thunderbird_profile_is_imported() {
    let dir = tempfile::tempdir().expect("a directory");
    let with = |status: &str, keys: &str, name: &str| {
        let head = format!(
            "X-Mozilla-Status: {status}\nX-Mozilla-Status2: 00000000\nX-Mozilla-Keys: {keys}\n"
        );
        message(NETSCAPE, &head, name)
    };
    let (read, starred) = (
        with("0001", "", "read"),
        with("1005", "$label1 work", "starred"),
    );
    let (gone, new) = (with("0009", "", "gone"), with("0000", "", "new"));
    let sent = with("0001", "", "sent");
    write(
        dir.path(),
        "Inbox",
        format!("{read}{gone}{starred}").as_bytes(),
    );
    write(
        dir.path(),
        "Inbox.msf",
        b"// <!-- <mdb:mork:z v=\"1.4\"/> -->",
    );
    write(dir.path(), "Inbox.sbd/Entw\u{fc}rfe 2024", new.as_bytes());
    write(dir.path(), "Sent-1", b"");
    write(dir.path(), "Sent", sent.as_bytes());
    write(dir.path(), "msgFilterRules.dat", b"version=\"9\"\n");
    let user = fresh_user("thunderbird");
    let job = Job::new(
        "",
        &End::files("mbox", dir.path()),
        &End::imap(shared(), &user),
        "",
    );
    let done = run(&job).exits(0);
    let balance = done.balance();
    balance.assert_adds_up();
    assert_eq!(
        (balance.part("copied"), balance.part("skipped")),
        (4, 1),
        "{}",
        done.stdout
    );
    let want = expect(&[
        (
            "INBOX",
            &[
                (&read, "\\Seen"),
                (&starred, "$Forwarded $label1 \\Flagged \\Seen work"),
            ],
        ),
        ("INBOX/Entw&APw-rfe 2024", &[(&new, "")]),
        ("Sent", &[(&sent, "\\Seen")]),
    ]);
    assert_eq!(standing(&user), want);
    let dates: Vec<i64> = Imap::login(shared().imap, &user)
        .fetch("INBOX")
        .iter()
        .map(|m| m.date)
        .collect();
    assert_eq!(dates, [915_539_696; 2]);
    assert_nothing_left(&job);
    // Thunderbird compacts the file, and marks a message as answered: no new message, the flag follows.
    let read = read.replace("X-Mozilla-Status: 0001", "X-Mozilla-Status: 0003");
    write(dir.path(), "Inbox", format!("{starred}{read}").as_bytes());
    let again = run(&job).exits(0);
    assert_eq!(again.balance().part("copied"), 0, "{}", again.stdout);
    let flags: Vec<Vec<String>> = Imap::login(shared().imap, &user)
        .fetch("INBOX")
        .into_iter()
        .map(|m| m.flags)
        .collect();
    assert!(flags[0].contains(&"\\Answered".to_owned()), "{flags:?}");
}

#[test]
fn labels_of_a_takeout_are_folders() {
    let dir = tempfile::tempdir().expect("a directory");
    let with = |labels: &str, name: &str| {
        message(
            "From 1521@xxx Tue Jan 05 12:34:56 +0000 1999",
            &format!("X-Gmail-Labels: {labels}\n"),
            name,
        )
    };
    let both = with("Inbox,Opened,\"Bills, paid\",Starred", "both");
    let nested = with("=?UTF-8?Q?Work/Caf=C3=A9,Unread?=", "nested");
    let sent = with("Sent,Opened", "sent");
    let bare = with("Archived,Opened", "bare");
    let all = [&both[..], &nested, &sent, &bare].concat();
    write(
        dir.path(),
        "All mail Including Spam and Trash.mbox",
        all.as_bytes(),
    );
    let user = fresh_user("takeout");
    let path = dir.path().join("All mail Including Spam and Trash.mbox");
    let job = Job::new(
        "",
        &End::files("mbox", &path),
        &End::imap(shared(), &user),
        "",
    );
    let done = run(&job).exits(0);
    done.balance().assert_adds_up();
    assert_eq!(done.balance().part("copied"), 5, "{}", done.stdout);
    let want = expect(&[
        ("INBOX", &[(&both, "\\Flagged \\Seen")]),
        ("Bills, paid", &[(&both, "\\Flagged \\Seen")]),
        ("Work/Caf&AOk-", &[(&nested, "")]),
        ("Sent", &[(&sent, "\\Seen")]),
        ("Archive", &[(&bare, "\\Seen")]),
    ]);
    assert_eq!(standing(&user), want);
    assert_nothing_left(&job);
}

#[test]
fn packed_files_and_dialects_are_read() {
    let dir = tempfile::tempdir().expect("a directory");
    let plain = message(NETSCAPE, "", "plain");
    write(dir.path(), "plain.mbox", plain.as_bytes());
    let one = message(NETSCAPE, "", "one") + &message(NETSCAPE, "", "two");
    let gz = {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut gz, one.as_bytes()).expect("gzip");
        gz.finish().expect("gzip")
    };
    write(dir.path(), "old/one.mbox.gz", &gz);
    write(
        dir.path(),
        "old/two.zst",
        &zstd::encode_all(one.as_bytes(), 1).expect("zstd"),
    );
    // Unquoted, what looks like a message inside a message: only the lengths tell.
    let inner = format!("Forwarded:\n\n{plain}");
    let outer = format!("Content-Length: {}\nSubject: outer\n\n{inner}", inner.len());
    let last = "Content-Length: 2\nSubject: last\n\nx\n";
    write(
        dir.path(),
        "cl2",
        format!("{NETSCAPE}\n{outer}\n{NETSCAPE}\n{last}\n").as_bytes(),
    );
    let user = fresh_user("packed");
    let job = Job::new(
        "",
        &End::files("mbox", dir.path()),
        &End::imap(shared(), &user),
        "",
    );
    let done = run(&job).exits(0);
    assert_eq!(done.balance().part("copied"), 7, "{}", done.stdout);
    let there = Snapshot::of(shared().imap, &user);
    let digests: BTreeSet<&String> = there.0["cl2"].iter().map(|e| &e.digest).collect();
    let want = [digest(outer.as_bytes()), digest(last.as_bytes())];
    assert_eq!(digests, want.iter().collect());
    assert_eq!(there.0["old/one"].len() + there.0["old/two"].len(), 4);
    assert_nothing_left(&job);
    // Said otherwise, the file splits otherwise.
    let user = fresh_user("as-mboxo");
    let source = End::files("mbox", &dir.path().join("cl2")).line("dialect = \"mboxo\"");
    let job = Job::new("", &source, &End::imap(shared(), &user), "");
    let done = run(&job).exits(0);
    assert_eq!(done.balance().part("copied"), 3, "{}", done.stdout);
}

#[test]
fn one_bad_file_fails_its_folder_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path(), "good", message(NETSCAPE, "", "good").as_bytes());
    write(dir.path(), "bad.gz", b"\x1f\x8b\x08\x00nonsense");
    std::os::unix::fs::symlink(dir.path().join("good"), dir.path().join("link")).expect("link");
    let user = fresh_user("bad-file");
    let job = Job::new(
        "",
        &End::files("mbox", dir.path()),
        &End::imap(shared(), &user),
        "",
    );
    let done = run(&job).exits(3);
    assert!(
        done.stderr.contains("bad.gz") && done.stderr.contains("link"),
        "{}",
        done.stderr
    );
    assert_eq!(Snapshot::of(shared().imap, &user).0["good"].len(), 1);
}

#[test]
fn a_directory_of_eml_files_is_imported() {
    let dir = tempfile::tempdir().expect("a directory");
    let dated = "Date: Tue, 5 Jan 1999 12:34:56 +0000\nSubject: a\n\nFrom me\n";
    write(dir.path(), "a.eml", dated.as_bytes());
    write(
        dir.path(),
        "Clients/Caf\u{e9}/b.EML",
        b"Subject: b\r\n\r\nno end",
    );
    write(dir.path(), "Clients/notes.txt", b"no mail");
    std::os::unix::fs::symlink(dir.path().join("a.eml"), dir.path().join("z.eml")).expect("link");
    let user = fresh_user("eml");
    let job = Job::new(
        "",
        &End::files("eml", dir.path()),
        &End::imap(shared(), &user),
        "",
    );
    let done = run(&job).exits(3);
    done.balance().assert_adds_up();
    assert_eq!(done.balance().part("copied"), 2, "{}", done.stdout);
    assert!(
        done.stderr.contains("z.eml") || done.stdout.contains("z.eml"),
        "{}",
        done.stderr
    );
    let there = Snapshot::of(shared().imap, &user);
    assert_eq!(there.0["INBOX"][0].digest, digest(dated.as_bytes()));
    assert_eq!(there.0["INBOX"][0].date, 915_539_696);
    assert_eq!(there.0["Clients/Caf&AOk-"].len(), 1);
    std::fs::remove_file(dir.path().join("z.eml")).expect("remove");
    let again = run(&job).exits(0);
    assert_eq!(again.balance().part("copied"), 0, "{}", again.stdout);
}

#[test]
fn another_message_under_the_name_of_an_eml_file_is_copied() {
    let dir = tempfile::tempdir().expect("a directory");
    let mail = |n: u8| format!("Message-ID: <{n}@example.org>\nSubject: {n}\n\nnumber {n}\n");
    let unnamed = "Subject: c\n\nno Message-ID\n";
    write(dir.path(), "a.eml", mail(1).as_bytes());
    write(dir.path(), "b@home.eml", mail(2).as_bytes());
    write(dir.path(), "c.eml", unnamed.as_bytes());
    let user = fresh_user("eml-replaced");
    let job = Job::new(
        "",
        &End::files("eml", dir.path()),
        &End::imap(shared(), &user),
        "",
    );
    run(&job).exits(0);
    // Of the same size. The others are only marked and touched.
    std::fs::remove_file(dir.path().join("a.eml")).expect("remove");
    write(dir.path(), "a.eml", mail(3).as_bytes());
    let read = format!("Status: RO\n{}", mail(2));
    for (name, mail) in [("b@home.eml", read.as_str()), ("c.eml", unnamed)] {
        write(dir.path(), name, mail.as_bytes());
    }
    let again = run(&job).exits(0);
    assert_eq!(again.balance().part("copied"), 1, "{}", again.stdout);
    let there = Snapshot::of(shared().imap, &user);
    let digests: BTreeSet<&str> = there.0["INBOX"].iter().map(|e| e.digest.as_str()).collect();
    let all = [mail(1), mail(2), mail(3), unnamed.to_owned()].map(|m| digest(m.as_bytes()));
    assert_eq!(digests, all.iter().map(String::as_str).collect());
    assert_eq!(there.0["INBOX"].len(), 4);
    assert_nothing_left(&job);
}

/// Folders with difficult names, flags, keywords; returns what stands there.
fn account(user: &str, messages: u32) -> Snapshot {
    let mut imap = Imap::login(shared().imap, user);
    let mut corpus = Corpus::new(user, 41);
    for name in names::sixty() {
        imap.create(&name);
        imap.append(&name, &corpus.mails(messages as usize));
    }
    imap.append("INBOX", &corpus.mails(60));
    Snapshot::of(shared().imap, user)
}

#[test]
fn an_account_goes_to_mbox_files_and_back() {
    let (old, new) = (fresh_user("to-mbox"), fresh_user("from-mbox"));
    let before = account(&old, 6);
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("mail");
    let out = Job::new(
        "",
        &End::imap(shared(), &old),
        &End::files("mbox", &path),
        "",
    );
    run(&out).exits(0).balance().assert_adds_up();
    assert_nothing_left(&out);
    let back = Job::new(
        "",
        &End::files("mbox", &path),
        &End::imap(shared(), &new),
        "",
    );
    run(&back).exits(0).balance().assert_adds_up();
    Snapshot::of(shared().imap, &new).assert_same_order(&before);
    assert_nothing_left(&back);
    // Flags follow, through the files, and new mail does.
    let mut imap = Imap::login(shared().imap, &old);
    imap.store("INBOX", "3", "+FLAGS", "\\Flagged later");
    imap.store("INBOX", "4:9", "-FLAGS", "\\Seen");
    imap.append("INBOX", &Corpus::new("more", 2).mails(2));
    assert_eq!(run(&out).exits(0).balance().part("copied"), 2);
    assert_eq!(run(&back).exits(0).balance().part("copied"), 2);
    let now = Snapshot::of(shared().imap, &old);
    Snapshot::of(shared().imap, &new).assert_same_order(&now);
}

#[test]
fn mail_that_others_deliver_meanwhile_stays() {
    let old = fresh_user("mbox-shared");
    Imap::login(shared().imap, &old).append("INBOX", &Corpus::new("a", 3).mails(5));
    let dir = tempfile::tempdir().expect("a directory");
    let job = Job::new(
        "",
        &End::imap(shared(), &old),
        &End::files("mbox", dir.path()),
        "",
    );
    run(&job).exits(0);
    let inbox = dir.path().join("INBOX.mbox");
    let theirs = message(NETSCAPE, "", "theirs");
    let mut bytes = std::fs::read(&inbox).expect("read");
    bytes.extend(theirs.as_bytes());
    std::fs::write(&inbox, &bytes).expect("write");
    Imap::login(shared().imap, &old).append("INBOX", &Corpus::new("b", 4).mails(5));
    assert_eq!(run(&job).exits(0).balance().part("copied"), 5);
    assert!(std::fs::read(&inbox).expect("read").starts_with(&bytes));
    // Another program throws one away and the file is written anew: nothing comes twice.
    let all = std::fs::read(&inbox).expect("read");
    let second = all
        .windows(7)
        .position(|w| w == b"\n\nFrom ")
        .expect("a second")
        + 2;
    std::fs::write(&inbox, &all[second..]).expect("write");
    let again = run(&job).exits(0);
    again.balance().assert_adds_up();
    assert_eq!(again.balance().part("copied"), 0, "{}", again.stdout);
    assert_eq!(std::fs::read(&inbox).expect("read"), &all[second..]);
}

/// The whole real corpus: Maildir to mbox to Maildir, byte by byte.
#[test]
fn real_mail_goes_through_mbox_files_unchanged() {
    let (Some(mails), Some(archives)) = (real::messages(), real::mboxes()) else {
        return;
    };
    let dir = tempfile::tempdir().expect("a directory");
    let at = |name: &str| dir.path().join(name);
    for part in ["old/cur", "old/new", "old/tmp"] {
        std::fs::create_dir_all(at(part)).expect("mkdir");
    }
    for (i, mail) in mails.iter().enumerate() {
        let path = at(&format!(
            "old/cur/1000000000.M{i:08}P1.test:2,{}",
            ["", "S"][i % 2]
        ));
        std::fs::write(path, &mail.bytes).expect("write");
    }
    // The archives of mailing lists beside it, each a folder of the same name.
    for (name, bytes) in archives
        .iter()
        .filter(|(name, _)| name.starts_with("pipermail/"))
    {
        write(dir.path(), name, bytes);
    }
    let same = "dedup = \"off\"";
    let sources = [
        End::files("maildir", &at("old")),
        End::files("mbox", &at("pipermail")),
    ];
    let out = Job::with_sources(same, &sources, &End::files("mbox", &at("mbox")), "");
    let back = Job::new(
        same,
        &End::files("mbox", &at("mbox")),
        &End::files("maildir", &at("new")),
        "",
    );
    for job in [&out, &back] {
        let done = run(job).exits(0);
        done.balance().assert_adds_up();
        assert_eq!(
            done.balance().part("copied"),
            mails.len() as u64 + 2711,
            "{}",
            done.stdout
        );
    }
    let mut want: Vec<(String, bool)> = mails
        .iter()
        .enumerate()
        .map(|(i, m)| (digest(&m.bytes), i % 2 == 1))
        .collect();
    let mut have: Vec<(String, bool)> = std::fs::read_dir(at("new/cur"))
        .expect("new/cur")
        .map(|entry| {
            let path = entry.expect("an entry").path();
            (
                digest(&std::fs::read(&path).expect("read")),
                path.to_string_lossy().ends_with(":2,S"),
            )
        })
        .collect();
    want.sort();
    have.sort();
    assert!(want == have, "{} and {} messages", want.len(), have.len());
    for name in archives
        .iter()
        .filter_map(|(name, _)| name.strip_prefix("pipermail/"))
    {
        let folder = name.trim_end_matches(".mbox");
        let count = std::fs::read_dir(at(&format!("new/.{folder}/cur")))
            .expect("a folder")
            .count();
        let theirs = python::mbox(&at(&format!("mbox/{name}"))).len();
        assert_eq!(count, theirs, "{name}");
    }
}

/// A job of `sample-jobs/`, run where its paths lead to something, against a server of the tests.
fn sample(name: &str, dir: &Path, user: &str) -> Run {
    let text =
        std::fs::read_to_string(root().join("sample-jobs").join(name)).expect("a sample job");
    let path = dir.join(name);
    std::fs::write(&path, text).expect("write");
    let port = format!("destination.port={}", shared().imap);
    let user = format!("destination.user={user}");
    let set = [
        "destination.host=127.0.0.1",
        &port,
        "destination.security=plain",
        &user,
    ];
    let mut arguments: Vec<&OsStr> = vec!["run".as_ref(), path.as_os_str()];
    for value in set {
        arguments.extend([OsStr::new("--set"), OsStr::new(value)]);
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailhaul"));
    command.args(arguments);
    spawn_as(command, &[("NEW_PASSWORD", OsStr::new(PASSWORD))]).wait()
}

#[test]
fn the_sample_jobs_import() {
    let dir = tempfile::tempdir().expect("a directory");
    let with = |head: &str, name: &str| message(NETSCAPE, head, name);
    let kept = with("X-Mozilla-Status: 0001\n", "kept");
    write(
        dir.path(),
        "Mail/Local Folders/Inbox.sbd/Work",
        kept.as_bytes(),
    );
    write(
        dir.path(),
        "Mail/Local Folders/Trash",
        with("", "thrown").as_bytes(),
    );
    let user = fresh_user("sample-thunderbird");
    sample("08-import-thunderbird.toml", dir.path(), &user).exits(0);
    let want = expect(&[("Thunderbird/Inbox/Work", &[(&kept, "\\Seen")])]);
    assert_eq!(standing(&user), want);

    let labelled = with("X-Gmail-Labels: Inbox,Family,Unread\n", "labelled");
    let spam = with("X-Gmail-Labels: Spam\n", "spam");
    let path = "Takeout/Mail/All mail Including Spam and Trash.mbox";
    write(dir.path(), path, (labelled.clone() + &spam).as_bytes());
    let user = fresh_user("sample-takeout");
    sample("09-import-takeout.toml", dir.path(), &user).exits(0);
    let want = expect(&[
        ("INBOX", &[(&labelled, "")]),
        ("Family", &[(&labelled, "")]),
    ]);
    assert_eq!(standing(&user), want);
}
