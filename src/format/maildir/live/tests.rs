use super::super::{Layout, Letter, Maildir};
use super::*;
use crate::message::Folder;
use crate::spool::{Body, Budget};
use std::io::Write;

fn body(raw: &[u8]) -> Body {
    let mut writer = Budget::new(1 << 20).body(raw.len() as u64).unwrap();
    writer.push(raw).unwrap();
    writer.finish().unwrap()
}

fn inbox(root: &Path) -> MaildirFolder {
    let tree = Maildir::open(root, Layout::PlusPlus).unwrap();
    tree.folder(&Folder::inbox()).unwrap();
    MaildirFolder::shared(root).unwrap()
}

fn stage(folder: &mut MaildirFolder, flags: &[&str]) -> Vec<(String, Option<Vec<u8>>)> {
    let body = body(b"A: b\r\n\r\nc\r\n");
    let flags: Vec<Flags> = flags.iter().map(|text| Flags::from_text(text)).collect();
    let letter = |flags| Letter {
        body: &body,
        flags,
        date: None,
    };
    let letters: Vec<Letter<'_>> = flags.iter().map(letter).collect();
    let names = folder.stage(&letters).unwrap();
    names.into_iter().map(|name| (name, None)).collect()
}

fn put(path: &Path, text: &str) {
    fs::persist(path, |f| f.write_all(text.as_bytes())).unwrap();
}

#[test]
fn what_is_delivered_is_numbered_in_order() {
    let root = tempfile::tempdir().unwrap();
    let mut folder = inbox(root.path());
    assert!(Live::peek(root.path()).unwrap().is_none());
    let before = Live::look(root.path()).unwrap();
    assert_eq!((before.next(), before.files()), (1, 0));
    let mut staged = stage(&mut folder, &["\\Seen", "Work"]);
    staged[1].1 = Some(b"uidl-1".to_vec());
    let (validity, uids) = folder.publish_numbered(&staged).unwrap();
    assert_eq!((validity, uids), (before.validity(), vec![1, 2]));
    let mut after = Live::look(root.path()).unwrap();
    assert_eq!((after.next(), after.files()), (3, 2));
    let (uid, base) = after.range(2, u32::MAX)[0].clone();
    assert!(
        uid == 2
            && after
                .places()
                .find(&base)
                .unwrap()
                .unwrap()
                .ends_with(&staged[1].0)
    );
    let list = std::fs::read_to_string(root.path().join("dovecot-uidlist")).unwrap();
    assert!(list.contains("2 Puidl-1 :"), "{list}");
    assert!(after.range(3, 2).is_empty());
}

#[test]
fn what_was_published_without_a_number_gets_one_above_the_floor() {
    let root = tempfile::tempdir().unwrap();
    let mut folder = inbox(root.path());
    let first = stage(&mut folder, &[""]);
    folder.publish_numbered(&first).unwrap();
    let floor = Live::look(root.path()).unwrap().next();
    let staged = stage(&mut folder, &["", ""]);
    let names: Vec<String> = staged.into_iter().map(|(name, _)| name).collect();
    folder.publish(&names).unwrap();
    put(&root.path().join("new/99.other"), "x\n");
    let peeked = Live::peek(root.path()).unwrap().unwrap();
    assert_eq!((peeked.files(), peeked.range(0, 99).len()), (4, 1));
    let looked = Live::look(root.path()).unwrap();
    let uids: Vec<u32> = looked
        .range(floor, u32::MAX)
        .iter()
        .map(|(uid, _)| *uid)
        .collect();
    assert_eq!(uids, [2, 3, 4]);
    assert_eq!(looked.validity(), peeked.validity());
}

#[test]
fn flags_change_and_letters_of_others_stay() {
    let root = tempfile::tempdir().unwrap();
    let mut folder = inbox(root.path());
    put(&root.path().join("new/1.a"), "x\n");
    put(&root.path().join("cur/2.b:2,PQS"), "x\n");
    put(&root.path().join("cur/3.c;2,"), "x\n");
    let mut places = Places::open(root.path()).unwrap();
    let change =
        Flags::from_text("\\Seen $Forwarded").change_to(&Flags::from_text("\\Flagged New"));
    for base in [&b"1.a"[..], b"2.b", b"3.c"] {
        assert!(folder.change_flags(&mut places, base, &change).unwrap());
        // Once more changes nothing.
        assert!(folder.change_flags(&mut places, base, &change).unwrap());
    }
    assert!(!folder.change_flags(&mut places, b"4.d", &change).unwrap());
    folder.sync().unwrap();
    let letter = ["1.a:2,Fa", "2.b:2,FQa", "3.c;2,Fa"];
    for name in letter {
        assert!(root.path().join("cur").join(name).exists(), "{name}");
    }
    let keywords = std::fs::read_to_string(root.path().join("dovecot-keywords")).unwrap();
    assert!(keywords.starts_with("0 New\n"), "{keywords}");
}

#[test]
fn keywords_that_others_add_meanwhile_are_kept() {
    let root = tempfile::tempdir().unwrap();
    let mut folder = inbox(root.path());
    put(&root.path().join("dovecot-keywords"), "0 Theirs\n");
    let staged = stage(&mut folder, &["Ours"]);
    assert!(staged[0].0.ends_with(":2,b"), "{}", staged[0].0);
    let text = std::fs::read_to_string(root.path().join("dovecot-keywords")).unwrap();
    assert_eq!(text, "0 Theirs\n1 Ours\n");
    let all: Vec<String> = (0..26).map(|n| format!("{n} k{n}\n")).collect();
    put(&root.path().join("dovecot-keywords"), &all.concat());
    assert_eq!(
        MaildirFolder::shared(root.path())
            .unwrap()
            .unfit(&Flags::from_text("k3 More \\Seen")),
        ["More"]
    );
}

#[test]
fn the_leavings_of_dead_runs_are_swept() {
    let root = tempfile::tempdir().unwrap();
    let mut folder = inbox(root.path());
    let mut child = std::process::Command::new("true").spawn().unwrap();
    let dead = child.id();
    child.wait().unwrap();
    let own = stage(&mut folder, &[""]);
    let host = own[0]
        .0
        .split_once('.')
        .unwrap()
        .1
        .split_once('.')
        .unwrap()
        .1;
    let host = host.split_once(",S=").unwrap().0;
    let left = |pid: u32, host: &str| format!("tmp/1.M0123456789abcdefP{pid}Q0.{host}");
    let alive = std::process::id();
    for name in [
        left(dead, host),
        left(dead, "elsewhere"),
        left(alive, host),
        "tmp/1.x".into(),
    ] {
        put(&root.path().join(name), "x\n");
    }
    folder.sweep().unwrap();
    assert!(!root.path().join(left(dead, host)).exists());
    assert_eq!(
        std::fs::read_dir(root.path().join("tmp")).unwrap().count(),
        4
    );
    assert!(folder.publish_numbered(&own).is_ok());
}

/// Published and killed; then numbered by mailhaul, or by Dovecot, which knows nothing of unique-ids.
#[test]
fn a_unique_id_survives_a_kill_before_the_numbering() {
    for by_dovecot in [false, true] {
        let root = tempfile::tempdir().unwrap();
        let mut folder = inbox(root.path());
        let mut staged = stage(&mut folder, &["", ""]);
        staged[0].1 = Some(b"uidl-0".to_vec());
        staged[1].1 = Some(b"uidl-1".to_vec());
        promise::make(root.path(), &staged).unwrap();
        let names: Vec<String> = staged.iter().map(|(name, _)| name.clone()).collect();
        folder.publish(&names).unwrap();
        if by_dovecot {
            let lines = names.iter().enumerate();
            let lines = lines.map(|(n, name)| format!("{} W9 :{}\n", n + 1, name::base(name)));
            let text = "3 V5 N1 Gx\n".to_owned() + &lines.collect::<String>();
            put(&root.path().join("dovecot-uidlist"), &text);
        }
        let live = Live::look(root.path()).unwrap();
        assert_eq!((live.files(), live.next()), (2, 3));
        let list = std::fs::read_to_string(root.path().join("dovecot-uidlist")).unwrap();
        for (n, name) in names.iter().enumerate() {
            let fields = if by_dovecot { " W9" } else { "" };
            let line = format!(" Puidl-{n}{fields} :{}\n", name::base(name));
            assert!(list.contains(&line), "{line} not in {list}");
        }
        assert!(!promise::stands(root.path()));
    }
}
