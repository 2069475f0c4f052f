use super::*;
use crate::archive::{self, FolderState, Keep, Kept};
use crate::fs;
use crate::message::{Flags, InternalDate};
use crate::net::Flow;
use crate::spool::Body;
use std::io::Write;

const FORMATS: [MailFormat; 2] = [MailFormat::Maildir, MailFormat::Mbox];

fn body(raw: &str) -> Body {
    let mut writer = Budget::new(1 << 20).body(raw.len() as u64).unwrap();
    writer.push(raw.as_bytes()).unwrap();
    writer.finish().unwrap()
}

fn folder(name: &str) -> Folder {
    Folder::parse(name).unwrap()
}

struct Box {
    dir: tempfile::TempDir,
    format: MailFormat,
}

impl Box {
    fn new(format: MailFormat) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Box { dir, format }
    }

    fn root(&self) -> &Path {
        self.dir.path()
    }

    fn open(&self) -> Shelves {
        Shelves::new(self.root(), self.format, Layout::MaildirPlusPlus)
    }

    fn make(&self, name: &str, special_use: Option<SpecialUse>, subscribe: bool) {
        let folder = folder(name);
        let making = Making {
            folder: &folder,
            special_use,
            subscribe,
        };
        self.open().prepare(&[making]).unwrap().remove(0).unwrap();
    }

    fn folders(&self) -> Vec<FolderState> {
        archive::folders(self.root()).unwrap()
    }

    fn kept(&self, name: &str) -> Vec<(Kept, Flags)> {
        let view = archive::view(self.root(), &folder(name)).unwrap().unwrap();
        let now = view.now().unwrap();
        let mut kept = Vec::new();
        view.each((0, u32::MAX), |one| {
            let at = view.find(&one)?.unwrap();
            view.read(&one, &at, &Budget::new(1 << 20))?;
            let flags = now.flags(&one, &at);
            kept.push((one, flags));
            Ok(Flow::Continue)
        })
        .unwrap();
        kept
    }

    fn uids(&self, name: &str) -> Vec<u32> {
        self.kept(name).iter().map(|(kept, _)| kept.uid).collect()
    }
}

fn add(shelves: &mut Shelves, name: &str, source: &str, flags: &str) -> u32 {
    let (body, flags) = (
        body(&format!("Subject: {source}\n\n{source}")),
        Flags::from_text(flags),
    );
    let item = Keep {
        body: &body,
        flags: &flags,
        date: Some(InternalDate {
            epoch: 837_596_665,
            offset_minutes: -420,
        }),
        source,
    };
    shelves.add(&folder(name), &[item]).unwrap().remove(0)
}

#[test]
fn uids_are_line_numbers_and_never_come_again() {
    for format in FORMATS {
        let archive = Box::new(format);
        archive.make("Work", None, false);
        let mut shelves = archive.open();
        let first = add(&mut shelves, "Work", "a", "");
        let second = add(&mut shelves, "Work", "b", "\\Seen");
        assert!(0 < first && first < second);
        assert_eq!(add(&mut shelves, "Work", "a", ""), first, "kept once");
        let validity = shelves.open(&folder("Work")).unwrap().unwrap().uid_validity;
        shelves
            .remove(&folder("Work"), &[second], "a test")
            .unwrap();
        shelves.close().unwrap();

        let mut shelves = archive.open();
        let door = shelves.open(&folder("Work")).unwrap().unwrap();
        assert_eq!((door.uid_validity, door.messages()), (validity, 1));
        assert!(door.next_uid() > second);
        let again = add(&mut shelves, "Work", "b", "");
        assert!(again > second, "what was removed can come once more");
        assert_eq!(archive.uids("Work"), [first, again]);
    }
}

#[test]
fn looking_writes_nothing() {
    let archive = Box::new(MailFormat::Maildir);
    let root = archive.root().join("nowhere");
    let mut shelves = Shelves::new(&root, MailFormat::Maildir, Layout::Fs);
    assert!(shelves.view(&folder("Work")).unwrap().is_none());
    assert!(shelves.open(&folder("Work")).unwrap().is_none());
    assert_eq!(archive::folders(&root).unwrap(), []);
    shelves.close().unwrap();
    assert!(!root.exists());
}

#[test]
fn flags_go_over_what_others_changed_and_no_keyword_is_lost() {
    let many: Vec<String> = (0..30).map(|n| format!("k{n:02}")).collect();
    for format in FORMATS {
        let archive = Box::new(format);
        archive.make("Work", None, false);
        let mut shelves = archive.open();
        let uid = add(&mut shelves, "Work", "a", &many.join(" "));
        let change = FlagChange {
            add: Flags::from_text("\\Seen new"),
            remove: Flags::from_text("k00 k29"),
        };
        shelves
            .change_flags(&folder("Work"), &[uid], &change)
            .unwrap();
        let want = format!("\\Seen {} new", many[1..29].join(" "));
        let (kept, now) = archive.kept("Work").remove(0);
        assert_eq!(now, Flags::from_text(&want));
        assert_eq!(kept.flags, now);
        let date = kept.date.unwrap();
        assert_eq!((date.epoch, date.offset_minutes), (837_596_665, -420));
    }
}

const OWN: &str = "From mutt Thu Jan  1 00:00:00 1970\nSubject: own\n\nown\n\n";

/// An mbox archive with `a`, then a batch of `b` and `c` without its lines: their announcement is all; and where `b` and `c` begin.
fn without_lines() -> (Box, [usize; 2]) {
    let archive = Box::new(MailFormat::Mbox);
    archive.make("Work", None, false);
    let mut shelves = archive.open();
    add(&mut shelves, "Work", "a", "");
    let text = "Subject: more\n\nof it\n";
    let (bodies, flags) = ([text; 2].map(body), Flags::default());
    let items: Vec<Keep<'_>> = bodies
        .iter()
        .zip(["b", "c"])
        .map(|(body, source)| Keep {
            body,
            flags: &flags,
            date: None,
            source,
        })
        .collect();
    shelves.add(&folder("Work"), &items).unwrap();
    drop(shelves);
    let kept = archive.kept("Work");
    let begins = [1, 2].map(|at| kept[at].0.file.parse().unwrap());
    let sidecar = folders::sidecar(archive.root(), &folder("Work"));
    crate::archive::sample::overwrite(sidecar.path(), |bytes| {
        let lines: Vec<&[u8]> = bytes.split_inclusive(|&b| b == b'\n').collect();
        *bytes = lines[..lines.len() - 2].concat();
    });
    (archive, begins)
}

fn change_mbox(archive: &Box, change: impl FnOnce(&mut Vec<u8>)) {
    let mbox = archive.root().join("mail/Work.mbox");
    crate::archive::sample::overwrite(&mbox, change);
}

fn sources(archive: &Box) -> Vec<String> {
    let kept = archive.kept("Work").into_iter();
    kept.map(|(kept, _)| kept.source).collect()
}

fn strangers(archive: &Box) -> usize {
    let view = archive::view(archive.root(), &folder("Work"))
        .unwrap()
        .unwrap();
    view.appended().unwrap().map_or(0, |(_, mails)| mails.len())
}

#[test]
fn whole_messages_of_a_killed_batch_get_their_lines_again() {
    let (archive, _) = without_lines();
    change_mbox(&archive, |bytes| bytes.extend(OWN.as_bytes()));
    let mut shelves = archive.open();
    add(&mut shelves, "Work", "b", "");
    assert_eq!(shelves.warnings(), [""; 0]);
    assert_eq!(sources(&archive), ["a", "b", "c", "b"]);
    assert_eq!(strangers(&archive), 1);
    assert!(!archive.root().join("mail/Work.mbox.torn-1").exists());
}

#[test]
fn half_a_message_at_the_end_goes_aside_and_is_told() {
    let (archive, [_, c]) = without_lines();
    for half in [c + 3, c + 20, c + 60] {
        let (archive, [_, c]) = without_lines();
        change_mbox(&archive, |bytes| bytes.truncate(half));
        let mut shelves = archive.open();
        add(&mut shelves, "Work", "d", "");
        assert_eq!(sources(&archive), ["a", "b", "d"], "{half}");
        assert_eq!(strangers(&archive), 0);
        let aside = archive.root().join("mail/Work.mbox.torn-1");
        assert_eq!(std::fs::read(&aside).unwrap().len(), half - c);
        let warnings = shelves.warnings();
        assert!(warnings[0].contains("Work.mbox.torn-1"), "{warnings:?}");
    }
    // Killed before the first byte: what others append at that place is not ours to cut.
    change_mbox(&archive, |bytes| {
        bytes.truncate(c);
        bytes.extend(OWN.trim_end().as_bytes());
    });
    add(&mut archive.open(), "Work", "d", "");
    assert_eq!(sources(&archive), ["a", "b", "d"]);
    assert_eq!(strangers(&archive), 1);
}

#[test]
fn mail_of_others_behind_half_a_message_stays() {
    for glue in ["", "\n", "\n\n"] {
        let (archive, [_, c]) = without_lines();
        change_mbox(&archive, |bytes| {
            bytes.truncate(c + 50);
            bytes.extend(glue.as_bytes());
            bytes.extend(OWN.as_bytes());
        });
        add(&mut archive.open(), "Work", "d", "");
        assert_eq!(sources(&archive), ["a", "b", "d"], "{glue:?}");
        let mbox = std::fs::read_to_string(archive.root().join("mail/Work.mbox")).unwrap();
        assert!(mbox.contains(OWN), "{glue:?}");
        assert!(strangers(&archive) > 0);
    }
}

#[test]
fn what_folders_are_for_is_remembered_and_counts_are_right() {
    for format in FORMATS {
        let archive = Box::new(format);
        archive.make("Sent", Some(SpecialUse::Sent), true);
        archive.make("SENT", None, false);
        let mut shelves = archive.open();
        add(&mut shelves, "Sent", "a", "");
        shelves.close().unwrap();
        let state = |name: &str| {
            let mut folders = archive.folders();
            folders.retain(|state| state.folder == folder(name));
            folders.remove(0)
        };
        assert_eq!(state("Sent").special_use, Some(SpecialUse::Sent));
        assert_eq!((state("Sent").messages, state("SENT").messages), (1, 0));
        assert!(state("Sent").subscribed && !state("SENT").subscribed);
        add(&mut archive.open(), "Sent", "b", "");
        assert_eq!(state("Sent").messages, 2, "counted anew");
        std::fs::remove_file(archive.root().join("folders.json")).unwrap();
        assert_eq!(state("Sent").special_use, None);
        assert_eq!(state("Sent").messages, 2);
    }
}

#[test]
fn an_archive_of_before_has_the_first_validity() {
    let archive = Box::new(MailFormat::Maildir);
    archive.make("Work", None, false);
    let json = br#"{"folder":{"version":1,"name":"Work","dir":".Work"}}"#;
    let sum = blake3::hash(json).to_hex();
    let path = archive.root().join("sidecar/Work.jsonl");
    fs::persist(&path, |file| {
        file.write_all(&sum.as_bytes()[..16])?;
        file.write_all(b" ")?;
        file.write_all(json)?;
        file.write_all(b"\n")
    })
    .unwrap();
    let mut shelves = archive.open();
    let door = shelves.open(&folder("Work")).unwrap().unwrap();
    assert_eq!((door.uid_validity, door.next_uid()), (1, 1));
    assert_eq!(add(&mut shelves, "Work", "a", ""), 1);
}

#[test]
fn another_format_is_refused() {
    let archive = Box::new(MailFormat::Maildir);
    archive.make("Work", None, false);
    let mut other = Shelves::new(archive.root(), MailFormat::Mbox, Layout::MaildirPlusPlus);
    let refused = other.open(&folder("Work")).map(drop).unwrap_err();
    assert_eq!(refused.code, Code::Foreign);
    assert!(!archive.root().join("mail/Work.mbox").exists());
}

#[test]
fn what_is_put_back_after_its_removal_stays() {
    let archive = Box::new(MailFormat::Maildir);
    archive.make("Work", None, false);
    let mut shelves = archive.open();
    let uid = add(&mut shelves, "Work", "a", "");
    let cur = archive.root().join("mail/.Work/cur");
    let file = || {
        std::fs::read_dir(&cur)
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path()
    };
    let (path, copy) = (file(), archive.root().join("copy"));
    std::fs::copy(&path, &copy).unwrap();
    shelves.remove(&folder("Work"), &[uid], "a test").unwrap();
    drop(shelves);
    assert!(!path.exists());
    std::fs::copy(&copy, &path).unwrap();
    archive.open().open(&folder("Work")).unwrap().unwrap();
    assert!(path.exists(), "nothing was written behind the removal");
    add(&mut archive.open(), "Work", "b", "");
    archive.open().open(&folder("Work")).unwrap().unwrap();
    assert!(path.exists());

    // Killed between the lines and the files.
    let base = crate::format::maildir::base_name(path.file_name().unwrap().to_str().unwrap());
    let line = crate::archive::sidecar::Line::Gone {
        file: base.to_owned(),
        at: 1,
        why: "a test".to_owned(),
    };
    let sidecar = folders::sidecar(archive.root(), &folder("Work"));
    sidecar.append(&[line]).unwrap();
    archive.open().open(&folder("Work")).unwrap().unwrap();
    assert!(!path.exists(), "finished");
    std::fs::copy(&copy, &path).unwrap();
    archive.open().open(&folder("Work")).unwrap().unwrap();
    assert!(path.exists(), "and done with");
}
