use super::*;
use crate::fs;
use crate::message::canonical::canonical;
use crate::message::{Digest, InternalDate};
use crate::spool::{Body, Budget};
use proptest::prelude::*;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

const DATED: &str = "From a@b Tue Jan  5 12:34:56 1999\n";

fn budget() -> Budget {
    Budget::new(1 << 20)
}

fn body(raw: &[u8]) -> Body {
    let mut writer = budget().body(raw.len() as u64).unwrap();
    writer.push(raw).unwrap();
    writer.finish().unwrap()
}

fn bytes(body: &Body) -> Vec<u8> {
    let mut out = Vec::new();
    body.reader().read_to_end(&mut out).unwrap();
    out
}

fn file(dir: &Path, content: &[u8]) -> PathBuf {
    let path = dir.join("x");
    fs::persist(&path, |f| f.write_all(content)).unwrap();
    path
}

/// All messages, with LF, and the dialect they were found to be in.
fn split(content: &[u8], dialect: Option<Dialect>) -> (Vec<String>, Dialect) {
    let dir = tempfile::tempdir().unwrap();
    let mbox = MboxFile::open(&file(dir.path(), content), dialect).unwrap();
    (texts(&mbox), mbox.dialect())
}

fn texts(mbox: &MboxFile) -> Vec<String> {
    let read = |at| mbox.read(at, LineEnds::default(), &budget()).unwrap();
    let text = |body: Body| {
        String::from_utf8(bytes(&body))
            .unwrap()
            .replace("\r\n", "\n")
    };
    mbox.messages().iter().map(read).map(text).collect()
}

/// `%` stands for a dated From_ line.
fn auto(content: &str) -> Vec<String> {
    split(content.replace('%', DATED).as_bytes(), None).0
}

#[test]
fn separators_follow_an_empty_line_or_stand_before_a_field() {
    assert_eq!(
        auto("%A: 1\n\nx\n\n%B: 2\n\ny\n\n"),
        ["A: 1\n\nx\n", "B: 2\n\ny\n"]
    );
    assert_eq!(auto("%A: 1\n\nx\n%B: 2\n\ny"), ["A: 1\n\nx\n", "B: 2\n\ny"]);
    assert_eq!(
        auto("%A: 1\n\nx\n%no field\n"),
        [format!("A: 1\n\nx\n{DATED}no field\n")]
    );
    assert_eq!(
        auto("%A: 1\n\nx\n\n%no field\n\n"),
        ["A: 1\n\nx\n", "no field\n"]
    );
}

#[test]
fn undated_lines_are_sentences_unless_the_file_begins_with_one() {
    let text = "%A: 1\n\nx\n\nFrom my view:\njhm:doc johnm$ ls\n\n";
    assert_eq!(
        auto(text),
        ["A: 1\n\nx\n\nFrom my view:\njhm:doc johnm$ ls\n"]
    );
    assert_eq!(
        auto(
            "From - \nA: 1\n\nx\n\nFrom -\nB: 2\n\nFrom my view:\njhm:doc\n\nFrom x\nno field\n\n"
        ),
        [
            "A: 1\n\nx\n",
            "B: 2\n\nFrom my view:\njhm:doc\n\nFrom x\nno field\n"
        ]
    );
}

#[test]
fn undated_lines_without_an_empty_line_before_them_say_the_same() {
    let text = "From - \nA: 1\n\nx\nFrom -\nB: 2\nFrom x\nC: 3\n";
    assert_eq!(auto(text), ["A: 1\n\nx\n", "B: 2\nFrom x\nC: 3\n"]);
}

#[test]
fn empty_lines_before_and_in_messages() {
    assert_eq!(auto("\n\n%A: 1\n\n"), ["A: 1\n"]);
    assert_eq!(auto("%\n%\n\n%%A: 1\n\n\n\n"), ["", "\n", "", "A: 1\n\n\n"]);
    assert_eq!(
        auto("%A: 1\r\n\r\nx\r\n\r\n%B: 2\r\n\r\n"),
        ["A: 1\n\nx\n", "B: 2\n"]
    );
    assert!(auto("").is_empty() && auto("\n\n").is_empty());
    assert_eq!(auto("From"), [] as [&str; 0]);
    assert_eq!(auto(DATED.trim_end()), [""]);
}

#[test]
fn what_is_no_mbox_has_no_messages() {
    let dir = tempfile::tempdir().unwrap();
    let mbox = MboxFile::open(&file(dir.path(), b"Subject: x\n\nbody\n"), None).unwrap();
    assert_eq!((mbox.messages().len(), mbox.before()), (0, 17));
    let late = format!("note\n\n{DATED}A: 1\n\n");
    let mbox = MboxFile::open(&file(dir.path(), late.as_bytes()), None).unwrap();
    assert_eq!((mbox.messages().len(), mbox.before()), (1, 6));
}

#[test]
fn dialects_by_their_evidence() {
    let find = |text: &str| split(text.replace('%', DATED).as_bytes(), None);
    let (texts, dialect) = find("%A: 1\n\n>From x\n\n");
    assert_eq!(
        (&texts[0][..], dialect),
        ("A: 1\n\nFrom x\n", Dialect::Mboxo)
    );
    let (texts, dialect) = find("%A: 1\n\n>From x\n>>From y\n\n");
    let want = "A: 1\n\nFrom x\n>From y\n";
    assert_eq!((&texts[0][..], dialect), (want, Dialect::Mboxrd));
    // The body of the first is 40 bytes; what looks like a message in it is none.
    let inner = format!("see:\n\n{DATED}");
    let cl2 = format!(
        "%Content-Length: {}\n\n{inner}\n%Content-Length: 3\n\n>F\n\n%Content-Length: 1\n\nx\n\n",
        inner.len()
    );
    let (texts, dialect) = find(&cl2);
    assert_eq!((texts.len(), dialect), (3, Dialect::Mboxcl2));
    assert!(texts[0].ends_with(&inner) && texts[2].ends_with("\n\nx"));
    let cl = "%Content-Length: 8\n\n>From x\n\n%Content-Length: 2\n\ny\n\n";
    let (texts, dialect) = find(cl);
    assert_eq!(
        (texts[0].ends_with("\n\nFrom x\n"), dialect),
        (true, Dialect::Mboxcl)
    );
}

#[test]
fn a_length_that_swallows_the_next_message_is_not_believed() {
    let rest = format!("x\n\n{DATED}A: 1\n\ny\n");
    let content = format!("{DATED}Content-Length: {}\n\n{rest}\n", rest.len());
    let (texts, dialect) = split(content.as_bytes(), None);
    assert_eq!((texts.len(), dialect), (2, Dialect::Mboxrd));
    let (texts, _) = split(content.as_bytes(), Some(Dialect::Mboxcl2));
    assert_eq!(texts.len(), 1);
    let wrong = content.replace("Content-Length: ", "Content-Length: 1");
    assert_eq!(split(wrong.as_bytes(), Some(Dialect::Mboxcl2)).0.len(), 2);
}

/// What is appended, and how much of it is written yet, must not change the messages before it.
#[test]
fn lengths_still_count_when_more_is_appended() {
    let inner = format!("see:\n\n{DATED}A: inner\n\nx\n");
    let old = format!(
        "{DATED}Content-Length: {}\n\n{inner}\n{DATED}Content-Length: 2\n\ny\n\n\
        {DATED}Content-Length: 3\n\n>F\n\n",
        inner.len()
    );
    let (before, dialect) = split(old.as_bytes(), None);
    assert_eq!((before.len(), dialect), (3, Dialect::Mboxcl2));
    for new in ["A: 4\n\nplain\n\n", "Content-Length: 12\n\n3456789012\n\n"] {
        let new = format!("{DATED}{new}");
        for written in 0..=new.len() {
            let (texts, dialect) = split(format!("{old}{}", &new[..written]).as_bytes(), None);
            assert_eq!(dialect, Dialect::Mboxcl2, "{:?}", &new[..written]);
            assert_eq!(texts[..2], before[..2], "{:?}", &new[..written]);
        }
        let (texts, _) = split(format!("{old}{new}").as_bytes(), None);
        assert_eq!((&texts[..3], texts.len()), (&before[..], 4));
    }
}

#[test]
fn a_length_that_came_with_the_mail_is_no_dialect() {
    let quoted = format!("{DATED}A: 1\n\n>>From x\n\n");
    let stray = format!("{DATED}Content-Length: 2\n\ny\n\n");
    for (content, quoted) in [
        (format!("{stray}{quoted}"), 1),
        (format!("{quoted}{stray}"), 0),
    ] {
        let (texts, dialect) = split(content.as_bytes(), None);
        assert_eq!(dialect, Dialect::Mboxrd);
        assert_eq!(texts[quoted], "A: 1\n\n>From x\n");
    }
}

#[test]
fn a_dialect_that_is_given_counts() {
    let content = format!("{DATED}A: 1\n\n>From x\n>>From y\n\n");
    let read = |dialect| split(content.as_bytes(), Some(dialect)).0.remove(0);
    assert_eq!(read(Dialect::Mboxo), "A: 1\n\nFrom x\n>>From y\n");
    assert_eq!(read(Dialect::Mboxrd), "A: 1\n\nFrom x\n>From y\n");
    assert_eq!(read(Dialect::Mboxcl2), "A: 1\n\n>From x\n>>From y\n");
}

#[test]
fn packed_files_are_unpacked() {
    let content = format!(
        "{DATED}A: 1\n\n{}\n\n{DATED}B: 2\n\n",
        "line\n".repeat(20_000)
    );
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(content.as_bytes()).unwrap();
    let gz = gz.finish().unwrap();
    let zst = zstd::encode_all(content.as_bytes(), 1).unwrap();
    for packed in [&gz, &zst] {
        assert_eq!(split(packed, None).0, split(content.as_bytes(), None).0);
    }
    let dir = tempfile::tempdir().unwrap();
    let torn = MboxFile::open(&file(dir.path(), &gz[..gz.len() / 2]), None).unwrap_err();
    assert!(torn.what.contains("x"), "{torn}");
}

#[test]
fn a_message_across_many_chunks_is_one() {
    let line = "From time to time a line\n>From here\n";
    let long = line.repeat(60_000);
    let content = format!("{DATED}A: 1\n\n{long}\n{DATED}B: 2\n\n{DATED}C: 3\n\n{long}\n");
    let (texts, _) = split(content.as_bytes(), Some(Dialect::Mboxcl2));
    assert_eq!(
        texts,
        [
            format!("A: 1\n\n{long}"),
            "B: 2\n".into(),
            format!("C: 3\n\n{long}")
        ]
    );
}

#[test]
fn a_file_changed_meanwhile_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(
        dir.path(),
        format!("{DATED}A: 1\n\n{DATED}B: 2\n\n").as_bytes(),
    );
    let mbox = MboxFile::open(&path, None).unwrap();
    let at = mbox.messages()[1];
    std::fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(10)
        .unwrap();
    let gone = mbox.read(&at, LineEnds::default(), &budget()).unwrap_err();
    assert_eq!(gone.kind, crate::error::Kind::Message);
}

fn append(path: &Path, raws: &[&[u8]]) -> Vec<Record> {
    let bodies: Vec<Body> = raws.iter().map(|raw| body(raw)).collect();
    let posts: Vec<Post<'_>> = bodies
        .iter()
        .map(|body| Post { body, date: None })
        .collect();
    let mut appender = Appender::open(path).unwrap();
    let planned = appender.plan(&posts).unwrap();
    let written = appender.append(&posts).unwrap();
    assert_eq!(planned, written);
    written
}

#[test]
fn what_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x");
    let date = Some(InternalDate {
        epoch: 915_539_696,
        offset_minutes: 120,
    });
    let first = body(b"From: c@d\r\n\r\nFrom x\r\n>From y\r\n");
    let posts = [Post { body: &first, date }];
    Appender::open(&path).unwrap().append(&posts).unwrap();
    append(&path, &[b"A: 1\r\n\r\nno end", b"", b"a\r\r\nFrom b\r\n"]);
    let want = "From c@d Tue Jan  5 12:34:56 1999\nFrom: c@d\n\n>From x\n>>From y\n\n\
        From MAILER-DAEMON Thu Jan  1 00:00:00 1970\nA: 1\n\nno end\n\n\
        From MAILER-DAEMON Thu Jan  1 00:00:00 1970\n\n\
        From MAILER-DAEMON Thu Jan  1 00:00:00 1970\na\r\r\n>From b\r\n\n";
    assert_eq!(
        String::from_utf8(std::fs::read(&path).unwrap()).unwrap(),
        want
    );
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn mail_of_others_gets_the_line_ends_it_lacks() {
    for (theirs, gap) in [
        ("x\n\n", ""),
        ("x\n", "\n"),
        ("x", "\n\n"),
        ("x\r\n\r\n", ""),
        ("\n", ""),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let before = format!("{DATED}{theirs}");
        let path = file(dir.path(), before.as_bytes());
        let records = append(&path, &[b"A: 1\r\n"]);
        assert_eq!(
            records[0].offset,
            (before.len() + gap.len()) as u64,
            "{theirs:?}"
        );
        assert_eq!(MboxFile::open(&path, None).unwrap().messages().len(), 2);
    }
}

#[test]
fn links_are_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let real = file(dir.path(), b"");
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&real, &link).unwrap();
    assert!(Appender::open(&link).is_err());
    assert!(MboxFile::open(&link, None).is_err());
}

#[test]
fn a_tail_torn_at_any_byte_is_set_aside_and_never_lost() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x");
    append(&path, &[b"A: 1\r\n\r\none\r\n"]);
    let recorded = std::fs::metadata(&path).unwrap().len();
    append(&path, &[b"B: 2\r\n\r\nFrom two"]);
    let whole = std::fs::read(&path).unwrap();
    let at = usize::try_from(recorded).unwrap();
    for torn in at..=whole.len() {
        fs::persist(&path, |f| f.write_all(&whole[..torn])).unwrap();
        let aside = set_aside(&path, recorded).unwrap();
        assert_eq!(aside.is_some(), torn > at);
        if let Some(aside) = aside {
            assert_eq!(std::fs::read(&aside).unwrap(), &whole[at..torn]);
        }
        let records = append(&path, &[b"B: 2\r\n\r\nFrom two"]);
        assert_eq!(std::fs::read(&path).unwrap(), whole);
        assert_eq!(
            bytes(&records[0].read(&path, &budget()).unwrap()),
            b"B: 2\r\n\r\nFrom two"
        );
    }
    assert!(
        dir.path()
            .join(format!("x.torn-{}", whole.len() - at))
            .exists()
    );
}

#[test]
fn a_record_of_another_place_reads_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x");
    let record = append(&path, &[b"A: 1\r\n", b"B: 2\r\n"])[1];
    for (offset, length) in [
        (record.offset + 1, record.length - 1),
        (record.offset, record.length + 1),
        (record.offset, record.length - 1),
        (record.offset, 3),
        (u64::MAX, 9),
        (0, 0),
    ] {
        let wrong = Record {
            offset,
            length,
            ..record
        };
        assert!(wrong.read(&path, &budget()).is_err(), "{offset} {length}");
    }
}

fn any_message() -> impl Strategy<Value = Vec<u8>> {
    let parts = vec![
        "From ",
        DATED,
        ">",
        "\n",
        "\r\n",
        "\r",
        "Content-Length: 40\n",
        "A: b\n",
        "x",
        "\u{e9}",
        "\0",
    ];
    let real = prop::collection::vec(prop::sample::select(parts), 0..24)
        .prop_map(|parts| parts.concat().into_bytes());
    prop_oneof![4 => real, 1 => prop::collection::vec(any::<u8>(), 0..60)]
}

proptest! {
    #[test]
    fn any_messages_come_back_unchanged(
        raws in prop::collection::vec(any_message(), 0..8),
        batch in 1usize..4,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let canonical: Vec<Vec<u8>> = raws.iter().map(|raw| canonical(raw)).collect();
        let mut records = Vec::new();
        for some in canonical.chunks(batch) {
            let some: Vec<&[u8]> = some.iter().map(Vec::as_slice).collect();
            records.extend(append(&path, &some));
        }
        for (record, want) in records.iter().zip(&canonical) {
            let read = record.read(&path, &budget()).unwrap();
            prop_assert_eq!(&bytes(&read), want);
            prop_assert_eq!(read.digests().exact, Digest::of(want));
        }
        // The same by looking for separators, as any other program does.
        if !raws.is_empty() {
            let mbox = MboxFile::open(&path, Some(Dialect::Mboxrd)).unwrap();
            let places: Vec<(u64, u64)> = mbox.messages().iter().map(|m| (m.offset, m.length)).collect();
            let written: Vec<(u64, u64)> = records.iter().map(|r| (r.offset, r.length)).collect();
            prop_assert_eq!(places, written);
            for ((at, record), want) in mbox.messages().iter().zip(&records).zip(&canonical) {
                let read = mbox.read(at, record.line_ends, &budget()).unwrap();
                prop_assert_eq!(&bytes(&read), want);
            }
        }
    }

    #[test]
    fn no_file_is_too_strange(content in any_message(), more in any_message()) {
        let dir = tempfile::tempdir().unwrap();
        let path = file(dir.path(), &[&content[..], &more].concat());
        let mbox = MboxFile::open(&path, None).unwrap();
        let mut at = mbox.messages().first().map_or(0, |m| m.offset);
        for message in mbox.messages() {
            prop_assert_eq!(message.offset, at);
            at += message.length;
            prop_assert!(mbox.read(message, LineEnds::default(), &budget()).is_ok());
            prop_assert!(mbox.from_line(message).is_ok());
        }
        prop_assert!(mbox.messages().is_empty() || at == mbox.size());
    }
}
