//! mbox files that others wrote split where their messages begin, and files of ours that others read.

use crate::support::canonical::canonical;
use crate::support::python::mbox as python;
use crate::support::{Corpus, real, tell};
use mailhaul::format::mbox::{Appender, Dialect, LineEnds, MboxFile, Post, Record};
use mailhaul::spool::{Body, Budget};
use std::io::Read;
use std::path::Path;

/// What `docs/mbox.md` says of the real files: messages, and lines in bodies that a looser rule takes for separators.
const PIPERMAIL: [(&str, usize, usize); 11] = [
    ("r-announce-1997", 20, 0),
    ("r-announce-2004", 13, 0),
    ("r-devel-1997-August", 582, 0),
    ("r-devel-1998-June", 297, 0),
    ("r-devel-2001-February", 402, 0),
    ("r-devel-2007-April", 412, 0),
    ("r-devel-2012-January", 241, 2),
    ("r-devel-2015-July", 110, 0),
    ("r-devel-2016-March", 133, 0),
    ("r-package-devel-2017q4", 292, 2),
    ("r-package-devel-2022q1", 209, 0),
];

fn budget() -> Budget {
    Budget::new(8 << 20)
}

fn bytes(body: &Body) -> Vec<u8> {
    let mut out = Vec::new();
    body.reader().read_to_end(&mut out).expect("read");
    out
}

fn body(raw: &[u8]) -> Body {
    let mut writer = budget().body(raw.len() as u64).expect("budget");
    writer.push(raw).expect("push");
    writer.finish().expect("finish")
}

fn write(path: &Path, raws: &[Vec<u8>]) -> Vec<Record> {
    let bodies: Vec<Body> = raws.iter().map(|raw| body(raw)).collect();
    let posts: Vec<Post<'_>> = bodies
        .iter()
        .map(|body| Post { body, date: None })
        .collect();
    let mut appender = Appender::open(path).expect("open");
    posts
        .chunks(500)
        .flat_map(|batch| appender.append(batch).expect("append"))
        .collect()
}

#[test]
fn real_archives_split_where_their_messages_begin() {
    let Some(files) = real::mboxes() else {
        return;
    };
    let dir = tempfile::tempdir().expect("a directory");
    let mut messages = 0;
    for (name, count, sentences) in PIPERMAIL {
        let file = format!("pipermail/{name}.mbox");
        let found = files.iter().find(|(path, _)| *path == file);
        let (_, content) = found.unwrap_or_else(|| panic!("{file} is not in the corpus"));
        let path = dir.path().join(name);
        std::fs::write(&path, content).expect("write");
        let mbox = MboxFile::open(&path, None).expect("an mbox");
        assert_eq!(mbox.messages().len(), count, "{name}");
        assert_eq!(python(&path).len(), count + sentences, "{name}");
        for at in mbox.messages() {
            let from = mbox.from_line(at).expect("a From_ line");
            assert!(from.date.is_some(), "{name}");
            let head = mbox.head(at, 1 << 16).expect("a head");
            assert!(head.starts_with(b"From: "), "{name} at {}", at.offset);
        }
        messages += rewritten(&mbox, dir.path());
    }
    // Its separators have no date; formail makes one message of the three.
    let undated = files
        .iter()
        .find(|(path, _)| path == "edge/gmime/mbox/input/substring.mbox");
    let path = dir.path().join("undated");
    std::fs::write(&path, &undated.expect("substring.mbox").1).expect("write");
    assert_eq!(
        MboxFile::open(&path, None)
            .expect("an mbox")
            .messages()
            .len(),
        3
    );
    tell(&format!("pipermail: {messages} messages"));
    assert_eq!(messages, 2711);
}

/// Writes all messages to another mbox and reads them back from there; tells how many.
fn rewritten(mbox: &MboxFile, dir: &Path) -> usize {
    let read = |at| bytes(&mbox.read(at, LineEnds::default(), &budget()).expect("read"));
    let raws: Vec<Vec<u8>> = mbox.messages().iter().map(read).collect();
    let path = dir.join("copy");
    let records = write(&path, &raws);
    for (record, raw) in records.iter().zip(&raws) {
        let back = record.read(&path, &budget()).expect("read");
        assert_eq!(bytes(&back), *raw);
    }
    std::fs::remove_file(&path).expect("remove");
    raws.len()
}

/// Every single message of the corpus, malformed ones too: from our file back, byte for byte.
#[test]
fn real_messages_come_back_from_an_mbox() {
    let Some(mails) = real::messages() else {
        return;
    };
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("all.mbox");
    let raws: Vec<Vec<u8>> = mails.into_iter().map(|mail| mail.bytes).collect();
    let records = write(&path, &raws);
    for (record, raw) in records.iter().zip(&raws) {
        let back = record.read(&path, &budget()).expect("read");
        assert_eq!(bytes(&back), canonical(raw));
    }
    // And whoever looks for separators finds the same messages.
    let mbox = MboxFile::open(&path, Some(Dialect::Mboxrd)).expect("an mbox");
    let places: Vec<u64> = mbox.messages().iter().map(|m| m.offset).collect();
    let written: Vec<u64> = records.iter().map(|r| r.offset).collect();
    assert_eq!(places, written);
    tell(&format!("real messages through an mbox: {}", raws.len()));
}

#[test]
fn python_reads_what_we_write_to_the_same_bytes() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("x.mbox");
    let mut corpus = Corpus::new("python", 11);
    corpus.nul = true;
    let mut raws: Vec<Vec<u8>> = corpus.mails(400).into_iter().map(|m| m.bytes).collect();
    raws.push(b"A: 1\r\n\r\n\r\nFrom x Tue Jan  5 12:34:56 1999\r\n\r\n>From y\r\n".to_vec());
    raws.push(b"A: a\r\r\n\r\nFrom x\r\n".to_vec());
    write(&path, &raws);
    let read = python(&path);
    assert_eq!(read.len(), raws.len());
    for (theirs, ours) in read.iter().zip(&raws) {
        let mut ours = ours.clone();
        // What only the record knows.
        if !ours.ends_with(b"\n") {
            ours.extend(b"\r\n");
        }
        assert_eq!(canonical(theirs), canonical(&ours));
    }
}
