use super::*;
use crate::job::{MailFormat, OnVanish};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;

pub(super) fn budget() -> Budget {
    Budget::new(1 << 20)
}

fn body(raw: &[u8]) -> Body {
    let mut writer = budget().body(raw.len() as u64).unwrap();
    writer.push(raw).unwrap();
    writer.finish().unwrap()
}

fn keep(archive: &mut Archive, source: &str, raw: &[u8]) -> Place {
    keep_in(archive, &folder(), source, raw)
}

pub(super) fn keep_in(archive: &mut Archive, folder: &Folder, source: &str, raw: &[u8]) -> Place {
    let (body, flags) = (body(raw), Flags::default());
    let item = Keep {
        body: &body,
        flags: &flags,
        date: Some(InternalDate {
            epoch: 100,
            offset_minutes: 0,
        }),
        source,
    };
    archive.store(folder, &[item]).unwrap().remove(0)
}

fn folder() -> Folder {
    Folder::new(vec!["A".into(), "b".into()]).unwrap()
}

fn spec(dir: &Path, keep_mail: bool, layout: Layout) -> ArchiveSpec {
    ArchiveSpec {
        path: dir.to_owned(),
        keep_mail,
        layout,
        format: MailFormat::Maildir,
        on_vanish: OnVanish::Keep,
        grace_days: 0,
        accept_deletions: None,
    }
}

fn open(dir: &Path) -> Archive {
    Archive::open(&spec(dir, true, Layout::MaildirPlusPlus)).unwrap()
}

fn mail(dir: &Path, part: &str) -> Vec<PathBuf> {
    let dir = dir.join("mail/.A.b").join(part);
    let entries = std::fs::read_dir(dir).unwrap();
    entries.map(|e| e.unwrap().path()).collect()
}

#[test]
fn what_is_stored_is_read_back_by_another_run() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("budi.archive");
    let mut archive = open(&dir);
    let place = keep(&mut archive, "s 1", b"A: b\n\nx");
    assert_eq!(
        Archive::open(&spec(&dir, true, Layout::Fs))
            .map(|_| ())
            .unwrap_err()
            .code,
        Code::Locked
    );
    drop(archive);
    let archive = open(&dir);
    let back = archive.read(&place, &budget()).unwrap();
    assert_eq!(back.digests(), body(b"A: b\r\n\r\nx").digests());
    assert_eq!(archive.read_back(&place, &budget()).unwrap(), place.digest);
    for private in [dir.as_path(), &dir.join("mail"), &dir.join("sidecar")] {
        let mode = std::fs::metadata(private).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}

#[test]
fn a_directory_of_somebody_else_is_left_as_it_is() {
    let temp = tempfile::tempdir().unwrap();
    let shared = temp.path().join("shared");
    std::fs::create_dir(&shared).unwrap();
    let mode = || std::fs::metadata(&shared).unwrap().permissions().mode() & 0o7777;
    std::fs::set_permissions(&shared, PermissionsExt::from_mode(0o1777)).unwrap();
    let theirs = shared.join("theirs");
    fs::persist(&theirs, |f| f.write_all(b"x")).unwrap();
    let taken = Archive::open(&spec(&shared, true, Layout::Fs)).map(|_| ());
    assert_eq!(taken.unwrap_err().code, Code::Foreign);
    assert_eq!(mode(), 0o1777);
    assert_eq!(std::fs::read_dir(&shared).unwrap().count(), 1);

    std::fs::remove_file(theirs).unwrap();
    drop(open(&shared));
    assert_eq!(mode(), 0o700);
    fs::persist(&shared.join("notes"), |f| f.write_all(b"x")).unwrap();
    drop(open(&shared));
    // What is put back from a copy may be the mail alone.
    let copy = temp.path().join("copy");
    std::fs::create_dir_all(copy.join("mail/cur")).unwrap();
    std::fs::create_dir(copy.join("lost+found")).unwrap();
    drop(open(&copy));
}

#[test]
fn the_same_message_of_the_same_source_is_kept_once() {
    let temp = tempfile::tempdir().unwrap();
    let mut archive = open(temp.path());
    let place = keep(&mut archive, "s 1", b"one");
    assert_eq!(keep(&mut archive, "s 1", b"one"), place);
    assert_ne!(keep(&mut archive, "s 2", b"one"), place);
    drop(archive);
    let mut archive = open(temp.path());
    assert_eq!(keep(&mut archive, "s 1", b"one"), place);
    assert_eq!(mail(temp.path(), "cur").len(), 2);
    let orphans = archive.unjournaled(&folder(), &|p| *p == place).unwrap();
    assert_eq!(orphans.len(), 1);
    assert_eq!(orphans[0].0, "s 2");

    let file = temp.path().join(&place.path);
    std::fs::remove_file(file).unwrap();
    assert_ne!(keep(&mut archive, "s 1", b"one"), place);
}

#[test]
fn a_batch_killed_before_its_files_moved_is_finished() {
    let temp = tempfile::tempdir().unwrap();
    let mut archive = open(temp.path());
    let place = keep(&mut archive, "s 1", b"one");
    drop(archive);
    let file = temp.path().join(&place.path);
    let name = file.file_name().unwrap().to_str().unwrap();
    let staged = name.split(",S=").next().unwrap();
    let tmp = temp.path().join("mail/.A.b/tmp");
    fs::rename(&file, &tmp.join(staged)).unwrap();
    let unknown = tmp.join("7.M0123456789abcdefP1Q0.host");
    fs::persist(&unknown, |f| f.write_all(b"half")).unwrap();

    let mut archive = open(temp.path());
    assert_eq!(keep(&mut archive, "s 1", b"one"), place);
    assert_eq!(mail(temp.path(), "cur"), [file]);
    assert!(mail(temp.path(), "tmp").is_empty());
}

#[test]
fn a_spoilt_or_missing_file_is_one_bad_message() {
    let temp = tempfile::tempdir().unwrap();
    let mut archive = open(temp.path());
    let place = keep(&mut archive, "s 1", b"one");
    let file = temp.path().join(&place.path);
    fs::persist(&file, |f| f.write_all(b"two")).unwrap();
    let spoilt = archive.read(&place, &budget()).unwrap_err();
    assert_eq!(spoilt.kind, Kind::Message);
    assert!(spoilt.what.contains(file.to_str().unwrap()));
    std::fs::remove_file(&file).unwrap();
    assert_eq!(
        archive.read(&place, &budget()).unwrap_err().kind,
        Kind::Message
    );
}

#[test]
fn no_place_leads_outside() {
    let temp = tempfile::tempdir().unwrap();
    let mut archive = open(&temp.path().join("a"));
    let place = keep(&mut archive, "s 1", b"one");
    let digest = place.digest;
    fs::private_dir(&temp.path().join("out/cur")).unwrap();
    fs::persist(&temp.path().join("out/cur/x"), |f| f.write_all(b"one")).unwrap();
    std::os::unix::fs::symlink(temp.path().join("out"), temp.path().join("a/mail/.L")).unwrap();
    for path in ["../out/cur/x", "mail/.L/cur/x", "/etc/cur/passwd", "", "x"] {
        let path = path.to_owned();
        let refused = archive
            .read(&Place { path, digest }, &budget())
            .unwrap_err();
        assert_eq!(refused.kind, Kind::Message, "{refused}");
    }
    assert!(archive.read(&place, &budget()).is_ok());
}

#[test]
fn flags_follow_and_the_place_stays() {
    let temp = tempfile::tempdir().unwrap();
    let mut archive = open(temp.path());
    let place = keep(&mut archive, "s 1", b"one");
    let flags = Flags {
        seen: true,
        keywords: ["Work".to_owned()].into(),
        ..Flags::default()
    };
    archive.set_flags(&folder(), &place, &flags).unwrap();
    let file = mail(temp.path(), "cur").remove(0);
    assert!(file.to_str().unwrap().ends_with(":2,Sa"));
    assert!(archive.read(&place, &budget()).is_ok());
    archive
        .set_flags(&folder(), &place, &Flags::default())
        .unwrap();
    assert!(archive.read(&place, &budget()).is_ok());
}

#[test]
fn another_layout_is_refused_before_it_mixes() {
    let temp = tempfile::tempdir().unwrap();
    keep(&mut open(temp.path()), "s 1", b"one");
    let mut archive = Archive::open(&spec(temp.path(), true, Layout::Fs)).unwrap();
    let refused = archive.unjournaled(&folder(), &|_| false).unwrap_err();
    assert_eq!(refused.code, Code::Foreign);
}

#[test]
fn without_mail_there_is_only_the_lock() {
    let temp = tempfile::tempdir().unwrap();
    let mut archive = Archive::open(&spec(temp.path(), false, Layout::Fs)).unwrap();
    assert!(!archive.keeps_mail());
    assert!(archive.store(&folder(), &[]).unwrap().is_empty());
    assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 1);
}
