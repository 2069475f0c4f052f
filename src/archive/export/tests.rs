use super::*;
use crate::archive::sample::{self, Sample, inbox, overwrite, work};
use crate::error::Code;
use crate::format::maildir;
use crate::format::mbox::{LineEnds, MboxFile};
use crate::job::MailFormat;
use std::path::PathBuf;

fn out(sample: &Sample, to: &str, shape: Shape, selection: &Selection) -> Result<Exported> {
    export(
        &sample.root(),
        selection,
        &sample.beside(to),
        shape,
        &|_| (),
    )
}

fn whole(sample: &Sample, to: &str, shape: Shape) -> Exported {
    out(sample, to, shape, &Selection::default()).unwrap()
}

fn sorted(mut all: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    all.sort();
    all
}

fn raws(from: u32, to: u32) -> Vec<Vec<u8>> {
    sorted((from..to).map(sample::raw).collect())
}

fn bytes(body: &Body) -> Vec<u8> {
    let mut bytes = Vec::new();
    body.write_to(&mut bytes).unwrap();
    bytes
}

/// What our own reader finds; a final line end that the mbox had to add is there.
fn mbox(path: &Path) -> Vec<Vec<u8>> {
    let file = MboxFile::open(path, None).unwrap();
    let budget = Budget::new(1 << 20);
    let read = |at| bytes(&file.read(at, LineEnds::default(), &budget).unwrap());
    sorted(file.messages().iter().map(read).collect())
}

fn ended(all: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let end = |mut one: Vec<u8>| {
        if !one.ends_with(b"\r\n") {
            one.extend_from_slice(b"\r\n");
        }
        one
    };
    all.into_iter().map(end).collect()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found.sort();
    found
}

#[test]
fn eml_files_have_the_canonical_bytes() {
    let sample = Sample::new();
    let exported = whole(&sample, "out", Shape::Eml);
    assert_eq!(exported.folders, [(inbox(), 30), (work(), 10)]);
    let dir = sample.beside("out");
    let read = |part: &str| {
        let paths = files(&dir.join(part));
        sorted(paths.iter().map(|p| std::fs::read(p).unwrap()).collect())
    };
    assert_eq!(read("INBOX"), raws(0, 30));
    assert_eq!(read("Work/Grüße"), raws(30, 40));
    assert!(dir.join("INBOX/1970-01-03-number-2.eml").is_file());
    assert_eq!(
        exported.bytes,
        raws(0, 40).iter().map(|r| r.len() as u64).sum::<u64>()
    );
}

#[test]
fn mbox_files_are_one_a_folder_or_one_for_all() {
    let sample = Sample::new();
    assert_eq!(whole(&sample, "out", Shape::Mbox).messages(), 40);
    let dir = sample.beside("out");
    let names = [dir.join("INBOX.mbox"), dir.join("Work/Grüße.mbox")];
    assert_eq!(files(&dir), names);
    assert_eq!(mbox(&names[0]), ended(raws(0, 30)));
    assert_eq!(mbox(&names[1]), ended(raws(30, 40)));
    whole(&sample, "all.mbox", Shape::Mbox);
    assert_eq!(mbox(&sample.beside("all.mbox")), ended(raws(0, 40)));
}

#[test]
fn a_maildir_has_flags_and_dates() {
    let sample = Sample::new();
    whole(&sample, "out", Shape::Maildir);
    let tree = sample.beside("out");
    let scan = maildir::scan(&tree, None).unwrap();
    let folders: Vec<_> = scan.folders.iter().map(|f| f.folder.clone()).collect();
    assert_eq!(folders, [inbox(), work()]);
    let mails = maildir::list(&tree).unwrap();
    assert_eq!(mails.len(), 30);
    let mut told: Vec<_> = mails
        .iter()
        .map(|m| (m.date.epoch, m.flags.to_text()))
        .collect();
    told.sort();
    let expected: Vec<_> = (0..30)
        .map(|n| (sample::date(n).epoch, sample::flags(n).to_text()))
        .collect();
    assert_eq!(told, expected);
}

#[test]
fn a_selection_narrows() {
    let sample = Sample::new();
    let selection = Selection::default()
        .folders(&["Work*".to_owned()])
        .and_then(|s| s.search(Some("subject:number from:j35")))
        .unwrap();
    let exported = out(&sample, "out", Shape::Eml, &selection).unwrap();
    assert_eq!(exported.folders, [(work(), 1)]);
    assert_eq!(files(&sample.beside("out")).len(), 1);
}

#[test]
fn nothing_is_overwritten_or_added_to() {
    let sample = Sample::new();
    whole(&sample, "out", Shape::Eml);
    whole(&sample, "all.mbox", Shape::Mbox);
    std::os::unix::fs::symlink("nowhere", sample.beside("link.mbox")).unwrap();
    let before = files(&sample.beside("out"));
    let tries = [
        ("out", Shape::Eml),
        ("out", Shape::Maildir),
        ("out", Shape::Mbox),
        ("all.mbox", Shape::Mbox),
        ("link.mbox", Shape::Mbox),
    ];
    for (to, shape) in tries {
        let refused = out(&sample, to, shape, &Selection::default()).unwrap_err();
        assert_eq!(refused.code, Code::Usage, "{to} {refused}");
    }
    assert!(out(&sample, "all.mbox", Shape::Eml, &Selection::default()).is_err());
    assert_eq!(files(&sample.beside("out")), before);
}

#[test]
fn a_spoilt_message_is_named_and_the_others_are_written() {
    let sample = Sample::new();
    overwrite(&sample.file(1), |bytes| bytes[60] ^= 1);
    std::fs::remove_file(sample.file(2)).unwrap();
    let exported = whole(&sample, "out", Shape::Eml);
    assert_eq!(exported.messages(), 38);
    let whys: Vec<&str> = exported
        .failed
        .iter()
        .map(|(_, why)| why.as_str())
        .collect();
    assert_eq!(whys, ["changed", "missing"]);
    assert_eq!(exported.failed[0].0, sample.places[1].path);
}

#[test]
fn mail_without_a_line_is_counted_by_name() {
    for format in [MailFormat::Maildir, MailFormat::Mbox] {
        let sample = Sample::of(format);
        let mail = sample.root().join("mail");
        let (strange, stray) = match format {
            MailFormat::Maildir => (mail.join("new/1.a.b"), mail.join(".Foo/cur/1.a.b:2,")),
            MailFormat::Mbox => (mail.join("INBOX.mbox"), mail.join("Foo.mbox")),
        };
        let text = b"From a Thu Jan  1 00:00:00 1970\nSubject: own\n\nown\n\n";
        for path in [&strange, &stray] {
            crate::fs::private_dir(path.parent().unwrap()).unwrap();
            let mut bytes = std::fs::read(path).unwrap_or_default();
            bytes.extend(text);
            crate::fs::persist(path, |to| std::io::Write::write_all(to, &bytes)).unwrap();
        }
        let exported = whole(&sample, "out", Shape::Eml);
        assert_eq!(exported.messages(), 40);
        assert_eq!(exported.failed.len(), 2, "{:?}", exported.failed);
        assert!(
            exported.failed[1].0.contains("Foo"),
            "{:?}",
            exported.failed
        );
        assert!(exported.failed.iter().all(|(_, why)| why.ends_with(": 1")));
    }
}
