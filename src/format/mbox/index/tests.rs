use super::*;
use crate::spool::{Body, Budget};
use std::io::{Read, Write};

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Place {
            dir: tempfile::tempdir().unwrap(),
        };
        place.write(b"");
        place
    }

    fn mbox(&self) -> PathBuf {
        self.dir.path().join("x.mbox")
    }

    fn sidecar(&self) -> PathBuf {
        sidecar_of(self.dir.path(), &self.mbox()).unwrap()
    }

    fn index(&self) -> Index {
        Index::open(&self.mbox(), &self.sidecar(), "x").unwrap()
    }

    fn write(&self, bytes: &[u8]) {
        fs::persist(&self.mbox(), |f| f.write_all(bytes)).unwrap();
    }

    fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.mbox()).unwrap()
    }

    fn texts(&self, index: &Index) -> Vec<String> {
        let read = |m: &Indexed| {
            let body = m.record.read(&self.mbox(), &Budget::new(1 << 20)).unwrap();
            assert_eq!(body.digests().exact, m.digest);
            let mut text = String::new();
            body.reader().read_to_string(&mut text).unwrap();
            text
        };
        index.messages().iter().map(read).collect()
    }
}

fn body(raw: &str) -> Body {
    let mut writer = Budget::new(1 << 20).body(9).unwrap();
    writer.push(raw.as_bytes()).unwrap();
    writer.finish().unwrap()
}

fn deliver(index: &mut Index, raws: &[&str]) -> u32 {
    let bodies: Vec<Body> = raws.iter().map(|raw| body(raw)).collect();
    let flags = Flags::from_text("\\Seen work");
    let date = Some(InternalDate {
        epoch: 915_539_696,
        offset_minutes: 120,
    });
    let mailings: Vec<Mailing<'_>> = bodies
        .iter()
        .map(|body| Mailing {
            post: Post { body, date },
            flags: &flags,
        })
        .collect();
    index.deliver(&mailings).unwrap()
}

const THEIRS: &str = "From c@d Wed Jan  6 12:34:56 1999\nStatus: RO\nSubject: theirs\n\ny\n\n";

#[test]
fn what_is_delivered_is_known_again() {
    let place = Place::new();
    let mut index = place.index();
    assert_eq!(
        deliver(&mut index, &["A: 1\r\n\r\nno end", "A: 2\r\n\r\nx\r\n"]),
        1
    );
    assert_eq!(deliver(&mut index, &["A: 3\r\n"]), 3);
    let again = place.index();
    assert_eq!(again.messages(), index.messages());
    assert_eq!((again.validity(), again.next()), (index.validity(), 4));
    assert_eq!(again.messages()[0].flags.to_text(), "\\Seen work");
    assert_eq!(again.messages()[0].date.unwrap().offset_minutes, 120);
    assert_eq!(
        place.texts(&again),
        ["A: 1\r\n\r\nno end", "A: 2\r\n\r\nx\r\n", "A: 3\r\n"]
    );
    assert_eq!(again.range(2, u32::MAX).len(), 2);
    assert!(again.is_current().unwrap());
}

/// The order is sidecar, mbox, seal: every state that a kill between or within them leaves.
#[test]
fn a_kill_at_any_byte_leaves_whole_messages_and_nothing_lost() {
    let place = Place::new();
    let mut index = place.index();
    deliver(&mut index, &["A: 1\r\n\r\none\r\n"]);
    let (mbox, sidecar) = (place.bytes(), std::fs::read(place.sidecar()).unwrap());
    deliver(
        &mut index,
        &["B: 2\r\n\r\nFrom two", "C: 3\r\n\r\nthree\r\n"],
    );
    let (whole, lines) = (place.bytes(), std::fs::read(place.sidecar()).unwrap());
    let ends: Vec<usize> = index
        .messages()
        .iter()
        .map(|m| m.record.end() as usize)
        .collect();
    let seal = lines[..lines.len() - 1]
        .iter()
        .rposition(|&b| b == b'\n')
        .unwrap()
        + 1;
    for cut in mbox.len()..=whole.len() {
        place.write(&whole[..cut]);
        fs::persist(&place.sidecar(), |f| f.write_all(&lines[..seal])).unwrap();
        let again = place.index();
        let there = ends.iter().filter(|&&end| end <= cut).count();
        assert_eq!(again.messages(), &index.messages()[..there], "{cut}");
        assert_eq!((again.validity(), again.next()), (index.validity(), 4));
        assert_eq!(place.bytes(), whole[..ends[there - 1]]);
        let torn = cut > ends[there - 1];
        assert_eq!(again.set_aside().len(), usize::from(torn), "{cut}");
        if let [aside] = again.set_aside() {
            assert_eq!(std::fs::read(aside).unwrap(), &whole[ends[there - 1]..cut]);
        }
        // What was cut off comes again, under UIDs that no message had.
        let mut again = place.index();
        assert_eq!(deliver(&mut again, &["B: 2\r\n"]), 4);
        assert_eq!(place.texts(&place.index()).len(), there + 1);
    }
    // The mbox itself untouched, its time too.
    place.write(&mbox);
    fs::persist(&place.sidecar(), |f| f.write_all(&sidecar)).unwrap();
    drop(place.index());
    let sealed = std::fs::read(place.sidecar()).unwrap();
    let new = &lines[sidecar.len()..seal];
    for cut in 0..=new.len() {
        fs::persist(&place.sidecar(), |f| {
            f.write_all(&sealed)?;
            f.write_all(&new[..cut])
        })
        .unwrap();
        assert_eq!(place.texts(&place.index()), ["A: 1\r\n\r\none\r\n"]);
    }
    for cut in sidecar.len()..lines.len() {
        place.write(&mbox);
        fs::persist(&place.sidecar(), |f| f.write_all(&lines[..cut])).unwrap();
        assert_eq!(place.texts(&place.index()), ["A: 1\r\n\r\none\r\n"]);
    }
}

#[test]
fn mail_that_others_add_gets_the_next_uids() {
    let place = Place::new();
    let mut index = place.index();
    deliver(&mut index, &["A: 1\r\n\r\nno end"]);
    let bytes = [&place.bytes()[..], THEIRS.as_bytes()].concat();
    place.write(&bytes);
    let again = place.index();
    assert_eq!(again.validity(), index.validity());
    let uids: Vec<u32> = again.messages().iter().map(|m| m.uid).collect();
    assert_eq!(uids, [1, 2]);
    assert_eq!(again.messages()[1].flags.to_text(), "\\Seen");
    assert_eq!(again.messages()[1].date.unwrap().epoch, 915_626_096);
    // Found also by somebody who had it open.
    let more = [&place.bytes()[..], THEIRS.as_bytes()].concat();
    place.write(&more);
    assert_eq!(deliver(&mut index, &["A: 4\r\n"]), 4);
    assert_eq!(place.texts(&place.index()).len(), 4);
    assert!(place.bytes().starts_with(&more));
}

#[test]
fn a_rewritten_mbox_gets_another_validity_and_keeps_what_is_known() {
    let place = Place::new();
    let mut index = place.index();
    deliver(
        &mut index,
        &["A: 1\r\n\r\nx\r\n", "A: 2\r\n\r\nno end", "A: 3\r\n"],
    );
    let (first, rest) = (index.messages()[0].record.length as usize, place.bytes());
    place.write(&[THEIRS.as_bytes(), &rest[first..]].concat());
    let again = place.index();
    assert!(again.validity() > index.validity());
    let texts = [
        "Status: RO\r\nSubject: theirs\r\n\r\ny\r\n",
        "A: 2\r\n\r\nno end",
        "A: 3\r\n",
    ];
    assert_eq!(place.texts(&again), texts);
    assert_eq!(again.messages()[1].flags.to_text(), "\\Seen work");
    assert_eq!(again.messages()[1].date, index.messages()[1].date);
    assert_eq!(place.index().messages(), again.messages());
    assert_eq!(std::fs::read_dir(place.dir.path()).unwrap().count(), 2);
}

#[test]
fn an_mbox_of_others_is_indexed_and_added_to() {
    let place = Place::new();
    place.write(THEIRS.trim_end().as_bytes());
    let mut index = place.index();
    assert_eq!(
        place.texts(&index),
        ["Status: RO\r\nSubject: theirs\r\n\r\ny"]
    );
    deliver(&mut index, &["A: 2\r\n"]);
    let again = place.index();
    assert_eq!(
        (again.messages().len(), again.validity()),
        (2, index.validity())
    );
}

#[test]
fn flags_and_removals() {
    let place = Place::new();
    let mut index = place.index();
    deliver(&mut index, &["A: 1\r\n", "A: 2\r\n", "A: 3\r\n"]);
    index
        .set_flags(&[(2, Flags::from_text("\\Flagged")), (9, Flags::default())])
        .unwrap();
    assert_eq!(place.index().messages()[1].flags.to_text(), "\\Flagged");
    index.remove(&[1, 7]).unwrap();
    let again = place.index();
    assert_eq!(again.messages(), index.messages());
    assert_eq!((again.validity(), again.next()), (index.validity(), 4));
    assert_eq!(place.texts(&again), ["A: 2\r\n", "A: 3\r\n"]);
    assert_eq!(again.range(1, 2)[0].uid, 2);
    assert_eq!(deliver(&mut index, &["A: 4\r\n"]), 4);
    assert_eq!(place.texts(&place.index()).len(), 3);
}

#[test]
fn a_removal_takes_nothing_but_the_message() {
    let place = Place::new();
    let theirs = THEIRS.trim_end();
    place.write(theirs.as_bytes());
    let mut index = place.index();
    deliver(&mut index, &["A: 2\r\n\r\nx\r\n"]);
    let before = place.bytes();
    deliver(&mut index, &["A: 3\r\n"]);
    index.remove(&[3]).unwrap();
    assert_eq!(place.bytes(), before);
    assert_eq!(place.index().messages(), index.messages());
    let texts = [
        "Status: RO\r\nSubject: theirs\r\n\r\ny",
        "A: 2\r\n\r\nx\r\n",
    ];
    assert_eq!(place.texts(&index), texts);
    index.remove(&[2]).unwrap();
    assert_eq!(place.bytes(), [theirs.as_bytes(), b"\n\n"].concat());
    deliver(&mut index, &["A: 4\r\n"]);
    assert_eq!(place.texts(&place.index())[1], "A: 4\r\n");
}

/// Where a message that has no empty line behind it stays, the one of the message behind it is needed.
#[test]
fn a_removal_leaves_every_other_message_its_own() {
    let dense = "From a@b Tue Jan  5 12:34:56 1999\nA: 1\n\nx\n\
        From a@b Tue Jan  5 12:34:56 1999\nA: 2\n\nx\n\n\
        From a@b Tue Jan  5 12:34:56 1999\nno field\n\n";
    let place = Place::new();
    place.write(dense.as_bytes());
    let mut index = place.index();
    index.remove(&[2]).unwrap();
    let left = ["A: 1\r\n\r\nx\r\n", "no field\r\n"];
    assert_eq!(place.texts(&index), left);
    std::fs::remove_file(place.sidecar()).unwrap();
    assert_eq!(place.texts(&place.index()), left);
}

#[test]
fn a_message_that_was_read_by_half_is_read_again_and_kept_whole() {
    let place = Place::new();
    let mut index = place.index();
    deliver(&mut index, &["A: 1\r\n"]);
    let (half, rest) = THEIRS.split_at(THEIRS.len() - 5);
    let known = place.bytes();
    place.write(&[&known, half.as_bytes()].concat());
    let mut early = place.index();
    let validity = early.validity();
    let whole = [&known, half.as_bytes(), rest.as_bytes()].concat();
    place.write(&whole);
    let first = early.messages()[0].uid;
    assert!(!early.remove(&[first]).unwrap(), "UIDs of the old index");
    assert_eq!(place.bytes(), whole);
    let mut late = place.index();
    assert!(late.validity() > validity);
    let texts = ["A: 1\r\n", "Status: RO\r\nSubject: theirs\r\n\r\ny\r\n"];
    assert_eq!(place.texts(&late), texts);
    let first = late.messages()[0].uid;
    late.remove(&[first]).unwrap();
    assert_eq!(place.bytes(), THEIRS.as_bytes());
}

#[test]
fn a_writer_that_holds_the_lock_is_waited_for() {
    let place = Place::new();
    drop(place.index());
    let (half, rest) = THEIRS.split_at(THEIRS.len() - 5);
    let mut theirs = fs::open_or_create(&place.mbox()).unwrap();
    theirs.lock().unwrap();
    theirs.write_all(half.as_bytes()).unwrap();
    let (told, heard) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let place = &place;
        scope.spawn(move || told.send(place.index().messages().len()));
        let early = heard.recv_timeout(std::time::Duration::from_millis(300));
        assert!(early.is_err(), "opened while it was locked");
        theirs.write_all(rest.as_bytes()).unwrap();
        theirs.unlock().unwrap();
        assert_eq!(heard.recv().unwrap(), 1);
    });
    let text = "Status: RO\r\nSubject: theirs\r\n\r\ny\r\n";
    assert_eq!(place.texts(&place.index()), [text]);
    assert_eq!(place.index().messages()[0].uid, 1);
}

#[test]
fn without_its_sidecar_nothing_but_flags_is_lost() {
    let place = Place::new();
    let mut index = place.index();
    deliver(&mut index, &["A: 1\r\n\r\nx\r\n", "A: 2\r\n\r\nFrom y\r\n"]);
    std::fs::remove_file(place.sidecar()).unwrap();
    assert!(
        Index::peek(&place.mbox(), &place.sidecar())
            .unwrap()
            .is_none()
    );
    let again = place.index();
    assert_eq!(place.texts(&again), place.texts(&index));
}
