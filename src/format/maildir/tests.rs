use super::*;
use crate::message::Folder;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

fn body(raw: &[u8]) -> Body {
    let mut writer = Budget::new(1 << 20).body(raw.len() as u64).unwrap();
    writer.push(raw).unwrap();
    writer.finish().unwrap()
}

fn date(epoch: i64) -> Option<InternalDate> {
    Some(InternalDate {
        epoch,
        offset_minutes: 60,
    })
}

#[test]
fn a_batch_appears_whole_with_dates_sizes_and_flags() {
    let dir = tempfile::tempdir().unwrap();
    let tree = Maildir::open(&dir.path().join("mail"), Layout::PlusPlus).unwrap();
    let name = Folder::new(vec!["A".into(), "B.c".into()]).unwrap();
    let mut folder = tree.folder(&name).unwrap();
    let flags = Flags {
        seen: true,
        keywords: ["Work".to_owned()].into(),
        ..Flags::default()
    };
    let bodies = [body(b"A: b\r\n\r\nx\r\n"), body(b"odd\r\r\nend")];
    let letters: Vec<Letter<'_>> = bodies
        .iter()
        .map(|body| Letter {
            body,
            flags: &flags,
            date: date(837_596_665),
        })
        .collect();
    let names = folder.stage(&letters).unwrap();
    assert_eq!(folder.bases().unwrap().len(), 0);
    let mut left = folder.leftovers().unwrap();
    assert!(left.take(&names[0]) && !left.take(&names[0]));
    folder.publish(&names).unwrap();
    folder.publish(&names).unwrap();
    assert!(names[0].ends_with(",S=8,W=11:2,Sa"), "{}", names[0]);
    assert!(names[1].ends_with(",S=9,W=9:2,Sa"), "{}", names[1]);

    for (name, body) in names.iter().zip(&bodies) {
        let path = folder.find(name).unwrap().unwrap();
        let meta = std::fs::metadata(&path).unwrap();
        assert_eq!(meta.mtime(), 837_596_665);
        assert_eq!(meta.permissions().mode() & 0o777, 0o600);
        let back = read(&path, &Budget::new(1 << 20)).unwrap();
        assert_eq!(back.digests(), body.digests());
    }
    assert_eq!(folder.bases().unwrap().len(), 2);
    let at = dir.path().join("mail/.A.B\\2ec");
    assert!(at.join("maildirfolder").exists());
}

#[test]
fn flags_change_by_renaming_and_the_old_name_still_finds_it() {
    let dir = tempfile::tempdir().unwrap();
    let tree = Maildir::open(dir.path(), Layout::Fs).unwrap();
    let mut folder = tree.folder(&Folder::inbox()).unwrap();
    let body = body(b"x\r\n");
    let flags = Flags::default();
    let letter = Letter {
        body: &body,
        flags: &flags,
        date: None,
    };
    let names = folder.stage(&[letter]).unwrap();
    folder.publish(&names).unwrap();
    let seen = Flags {
        seen: true,
        ..Flags::default()
    };
    let renamed = folder.set_flags(&names[0], &seen).unwrap();
    assert!(renamed.ends_with(":2,S"));
    let found = folder.find(&names[0]).unwrap().unwrap();
    assert!(found.ends_with(&renamed));
    std::fs::remove_file(found).unwrap();
    assert_eq!(folder.find(&names[0]).unwrap(), None);
    assert!(folder.set_flags(&renamed, &seen).is_err());
}

#[test]
fn discarding_leaves_the_files_of_others() {
    let dir = tempfile::tempdir().unwrap();
    let tree = Maildir::open(dir.path(), Layout::PlusPlus).unwrap();
    let mut folder = tree.folder(&Folder::inbox()).unwrap();
    let (body, flags) = (body(b"x\r\n"), Flags::default());
    let letter = Letter {
        body: &body,
        flags: &flags,
        date: date(1),
    };
    folder.stage(&[letter]).unwrap();
    fs::persist(&dir.path().join("tmp/1700000000.M1P2.host"), |_| Ok(())).unwrap();
    folder.discard(&folder.leftovers().unwrap()).unwrap();
    assert!(folder.leftovers().unwrap().is_empty());
    assert_eq!(
        std::fs::read_dir(dir.path().join("tmp")).unwrap().count(),
        1
    );
}

#[test]
fn a_long_name_is_told_inside() {
    let dir = tempfile::tempdir().unwrap();
    let tree = Maildir::open(dir.path(), Layout::PlusPlus).unwrap();
    let name = Folder::new(vec!["ü".repeat(150), "x".into()]).unwrap();
    tree.folder(&name).unwrap();
    let inside = dir
        .path()
        .join(tree.location(&name))
        .join("mailhaul-folder");
    assert_eq!(std::fs::read_to_string(inside).unwrap(), name.to_string());
}

#[test]
fn a_link_planted_for_a_folder_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let tree = Maildir::open(&dir.path().join("mail"), Layout::PlusPlus).unwrap();
    std::os::unix::fs::symlink(dir.path(), dir.path().join("mail/.A")).unwrap();
    let name = Folder::new(vec!["A".into()]).unwrap();
    assert!(tree.folder(&name).is_err());
}
