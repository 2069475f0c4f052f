//! `dovecot-uidlist`: which UID each file of a Maildir has, as Dovecot 2.3 writes it.
//!
//! ```text
//! 3 V1700000000 N12 G0123456789abcdef0123456789abcdef
//! 7 P000a4f5d :1700000000.M1P2.host,S=10,W=11
//! ```
//!
//! A header with version, UIDVALIDITY (`V`), next UID (`N`) and GUID; a line a message with its UID, fields that begin with a
//! capital (`P`: its POP3 unique-id), and the base of its file's name. New lines are appended without touching the header, so the
//! next UID is behind the last line's at least.

use super::name;
use crate::error::{Error, Result};
use crate::failpoint;
use crate::fs;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::io::{self, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const FILE: &str = "dovecot-uidlist";
/// Dovecot takes no UID above.
const HIGHEST: u32 = u32::MAX - 2;

/// The file of the Maildir at `dir`; what its dot lock guards too.
pub(super) fn path(dir: &Path) -> PathBuf {
    dir.join(FILE)
}

/// A Maildir's UIDs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UidList {
    validity: u32,
    next: u32,
    /// What else the header holds: the GUID, and what later versions add.
    header: Vec<String>,
    /// By UID, ascending.
    records: Vec<Record>,
}

/// UIDs by the names of files.
pub(super) struct Uids<'l>(HashMap<Cow<'l, [u8]>, u32>);

impl Uids<'_> {
    /// Of the file with this name, or of the message that is called so, its file having another name now.
    pub(super) fn of(&self, called: &[u8], file: &[u8]) -> Option<u32> {
        let exact = self.0.get(dovecots_base(file));
        exact.or_else(|| self.0.get(called)).copied()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Record {
    uid: u32,
    /// As they stand, such as `P1 W20`; empty, or without spaces at the ends.
    fields: Vec<u8>,
    /// The file's name up to the colon, as Dovecot compares it.
    file: Vec<u8>,
}

fn is_uidl(uidl: &[u8]) -> bool {
    !uidl.is_empty() && uidl.iter().all(u8::is_ascii_graphic)
}

impl Record {
    fn has_uidl(&self) -> bool {
        self.fields
            .split(|&b| b == b' ')
            .any(|field| field.starts_with(b"P"))
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        write!(out, "{} ", self.uid)?;
        if !self.fields.is_empty() {
            out.write_all(&self.fields)?;
            out.write_all(b" ")?;
        }
        out.write_all(b":")?;
        out.write_all(&self.file)?;
        out.write_all(b"\n")
    }

    /// The file's name without its flags, however they are set apart.
    fn base(&self) -> &[u8] {
        name::parts(&self.file).0
    }
}

impl UidList {
    /// A list of nothing yet.
    pub(super) fn new(validity: u32) -> Self {
        let guid: u128 = rand_bits();
        UidList {
            validity,
            next: 1,
            header: vec![format!("G{guid:032x}")],
            records: Vec::new(),
        }
    }

    /// Reads the list; `None` where there is none, or its header cannot be understood: then UIDs begin anew, as Dovecot has
    /// them begin. A damaged line counts for nothing, and its file gets a new UID.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub fn load(dir: &Path) -> Result<Option<Self>> {
        Ok(Self::load_told(dir)?.map(|(list, _)| list))
    }

    /// The same, and whether the file is whole: of version 3, no line damaged, the last one ended.
    pub(super) fn load_told(dir: &Path) -> Result<Option<(Self, bool)>> {
        let path = path(dir);
        match std::fs::symlink_metadata(&path) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            _ => {}
        }
        let mut bytes = Vec::new();
        fs::open(&path)?
            .read_to_end(&mut bytes)
            .map_err(|e| Error::disk("read", &path, &e))?;
        Ok(Self::parse_told(&bytes))
    }

    fn parse_told(bytes: &[u8]) -> Option<(Self, bool)> {
        let mut lines = bytes.split(|&b| b == b'\n');
        let mut lines_seen = 0;
        let mut list = header(std::str::from_utf8(lines.next()?).ok()?)?;
        for line in lines.filter(|line| !line.is_empty()) {
            lines_seen += 1;
            if let Some(record) = record(line, bytes.starts_with(b"1 ")) {
                list.next = list.next.max(record.uid.saturating_add(1));
                list.records.push(record);
            } else {
                // Whatever UID a damaged line was about is not given again.
                list.next = list.next.max(leading_uid(line).saturating_add(1));
            }
        }
        list.settle();
        let whole =
            bytes.starts_with(b"3 ") && bytes.ends_with(b"\n") && lines_seen == list.records.len();
        Some((list, whole))
    }

    /// Each UID and each file once; of a file's two lines the later counts.
    fn settle(&mut self) {
        self.records.sort_by_key(|record| record.uid);
        self.records.dedup_by_key(|record| record.uid);
        let last: HashMap<&[u8], u32> = self
            .records
            .iter()
            .map(|record| (record.file.as_slice(), record.uid))
            .collect();
        if last.len() < self.records.len() {
            let keep: Vec<bool> = self
                .records
                .iter()
                .map(|record| last.get(record.file.as_slice()) == Some(&record.uid))
                .collect();
            let mut keep = keep.into_iter();
            self.records.retain(|_| keep.next().unwrap_or(true));
        }
    }

    #[must_use]
    pub fn validity(&self) -> u32 {
        self.validity
    }

    /// The UID that the next message gets.
    #[must_use]
    pub fn next(&self) -> u32 {
        self.next
    }

    /// The UIDs of files. The list may know files that are gone.
    pub(super) fn uids(&self) -> Uids<'_> {
        let mut by_name: HashMap<Cow<'_, [u8]>, u32> = HashMap::new();
        for record in &self.records {
            by_name.insert(Cow::Borrowed(&record.file), record.uid);
        }
        for record in &self.records {
            let lasting = name::lasting(record.base());
            if lasting != record.file {
                by_name.entry(Cow::Owned(lasting)).or_insert(record.uid);
            }
        }
        Uids(by_name)
    }

    /// The unique-ids that POP3 is to show.
    pub(super) fn uidls(&self) -> HashSet<Vec<u8>> {
        let fields = self
            .records
            .iter()
            .filter(|record| !record.fields.is_empty());
        let words = fields.flat_map(|record| record.fields.split(|&b| b == b' '));
        words
            .filter_map(|word| Some(word.strip_prefix(b"P")?.to_vec()))
            .collect()
    }

    /// Gives a file that is not in the list the next UID, and with it the unique-id that Dovecot's POP3 is to show (printable
    /// ASCII without spaces, RFC 1939 §7; another is left out). `None`: no UIDs are left.
    pub(super) fn add(&mut self, file: &[u8], uidl: Option<&[u8]>) -> Option<u32> {
        let uid = self.next;
        if uid > HIGHEST {
            return None;
        }
        self.next = uid + 1;
        let uidl = uidl.filter(|uidl| is_uidl(uidl));
        self.records.push(Record {
            uid,
            fields: uidl.map(|uidl| [b"P", uidl].concat()).unwrap_or_default(),
            file: dovecots_base(file).to_vec(),
        });
        Some(uid)
    }

    /// Gives a file that has none its unique-id. `false`: the file is not in the list, or has one.
    pub(super) fn set_uidl(&mut self, base: &[u8], uidl: &[u8]) -> bool {
        let mut newest = self.records.iter_mut().rev();
        match newest.find(|record| record.file == base) {
            Some(record) if !record.has_uidl() && is_uidl(uidl) => {
                let rest = std::mem::take(&mut record.fields);
                record.fields = [b"P", uidl, b" ", &rest].concat().trim_ascii().to_vec();
                true
            }
            _ => false,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// Adds the lines behind the first `written` to a file that is whole. The caller holds its dot lock.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub(super) fn append(&self, dir: &Path, written: usize) -> Result<()> {
        let mut lines = Vec::new();
        let path = path(dir);
        let broken = |e: io::Error| Error::disk("write", &path, &e);
        for record in self.records.iter().skip(written) {
            record.write(&mut lines).map_err(broken)?;
        }
        let mut file = fs::open_or_create(&path)?;
        file.seek(SeekFrom::End(0)).map_err(broken)?;
        failpoint::pass("uidlist to be appended to");
        file.write_all(&lines).map_err(broken)?;
        failpoint::pass("uidlist appended to, not durable");
        file.sync_all().map_err(broken)
    }

    /// Replaces the file. The caller holds its dot lock.
    ///
    /// # Errors
    /// `Code::Disk`.
    pub(super) fn save(&self, dir: &Path) -> Result<()> {
        failpoint::pass("uidlist to be written");
        fs::persist(&path(dir), |file| {
            fs::inherit(file, dir)?;
            let mut out = BufWriter::new(file);
            self.write(&mut out)?;
            out.flush()
        })
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        write!(out, "3 V{} N{}", self.validity, self.next)?;
        for field in &self.header {
            write!(out, " {field}")?;
        }
        out.write_all(b"\n")?;
        self.records.iter().try_for_each(|record| record.write(out))
    }
}

/// Version 3, or version 1 as Dovecot's first releases and Courier write it: `1 VALIDITY NEXT`.
fn header(line: &str) -> Option<UidList> {
    let mut words = line.split(' ').filter(|word| !word.is_empty());
    let mut list = UidList::default();
    match words.next()? {
        "1" => {
            list.validity = words.next()?.parse().ok()?;
            list.next = words.next()?.parse().ok()?;
            list.header = UidList::new(1).header;
        }
        "3" => {
            for word in words {
                match word.split_at_checked(1)? {
                    ("V", value) => list.validity = value.parse().ok()?,
                    ("N", value) => list.next = value.parse().ok()?,
                    _ => list.header.push(word.to_owned()),
                }
            }
        }
        _ => return None,
    }
    (list.validity != 0 && list.next != 0).then_some(list)
}

/// `plain`: of version 1, without fields and colon.
fn record(line: &[u8], plain: bool) -> Option<Record> {
    let uid = leading_uid(line);
    if uid == 0 {
        return None;
    }
    let rest = line.strip_prefix(uid.to_string().as_bytes())?;
    let rest = rest.strip_prefix(b" ")?.trim_ascii_start();
    let (fields, file) = match plain {
        true => (Vec::new(), rest),
        false => fields(rest)?,
    };
    let file = dovecots_base(file);
    let good = !file.is_empty() && !file.contains(&b'/') && !file.contains(&b'\r');
    good.then(|| Record {
        uid,
        fields,
        file: file.to_vec(),
    })
}

pub(super) fn dovecots_base(file: &[u8]) -> &[u8] {
    &file[..memchr::memchr(b':', file).unwrap_or(file.len())]
}

/// The fields, and what stands behind their colon. What does not begin with a capital is no field, and left out as Dovecot does.
fn fields(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut fields: Vec<&[u8]> = Vec::new();
    loop {
        if let Some(file) = rest.strip_prefix(b":") {
            return Some((fields.join(&b' '), file));
        }
        let end = memchr::memchr(b' ', rest)?;
        if rest[0].is_ascii_uppercase() {
            fields.push(&rest[..end]);
        }
        rest = rest[end..].trim_ascii_start();
    }
}

/// The number that a line begins with; 0 for none, the highest for one too large.
fn leading_uid(line: &[u8]) -> u32 {
    let digits = line.iter().take_while(|b| b.is_ascii_digit());
    let uid = digits.fold(0u64, |n, b| {
        n.saturating_mul(10).saturating_add(u64::from(b - b'0'))
    });
    // What a damaged line claims must not use up all UIDs.
    u32::try_from(uid)
        .ok()
        .filter(|&uid| uid <= HIGHEST)
        .unwrap_or(0)
}

fn rand_bits() -> u128 {
    use std::hash::{BuildHasher, Hasher};
    let bits = || std::hash::RandomState::new().build_hasher().finish();
    u128::from(bits()) << 64 | u128::from(bits())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    impl UidList {
        fn parse(bytes: &[u8]) -> Option<Self> {
            Self::parse_told(bytes).map(|(list, _)| list)
        }
    }

    #[test]
    fn only_what_is_whole_is_appended_to() {
        let whole = |bytes: &[u8]| UidList::parse_told(bytes).unwrap().1;
        assert!(whole(b"3 V5 N2 Gx\n1 :a\n"));
        for bytes in [
            &b"3 V5 N2 Gx\n1 :a"[..],
            b"3 V5 N2 Gx\n1 :a\n1 :b\n",
            b"1 5 2\n1 a\n",
            b"3 V5 N2\nx\n",
        ] {
            assert!(!whole(bytes), "{}", bytes.escape_ascii());
        }
        let dir = tempfile::tempdir().unwrap();
        let mut list = UidList::new(9);
        list.add(b"a", None);
        list.save(dir.path()).unwrap();
        list.add(b"b", Some(b"id"));
        list.append(dir.path(), 1).unwrap();
        let (back, whole) = UidList::load_told(dir.path()).unwrap().unwrap();
        assert!(whole && back.records == list.records && back.next() == 3);
    }

    fn text(list: &UidList) -> String {
        let mut out = Vec::new();
        list.write(&mut out).unwrap();
        String::from_utf8_lossy(&out).into_owned()
    }

    fn uids(bytes: &[u8]) -> Vec<(u32, String)> {
        let list = UidList::parse(bytes).unwrap();
        let pair = |r: &Record| (r.uid, String::from_utf8_lossy(&r.file).into_owned());
        list.records.iter().map(pair).collect()
    }

    #[test]
    fn dovecots_own_text_survives() {
        let written = "3 V1700000000 N12 G0123456789abcdef0123456789abcdef\n\
            3 :1.a\n7 P0042 W12 :2.b,S=1,W=2\n11 Ga:b O1 :3.c\n";
        let mut list = UidList::parse(written.as_bytes()).unwrap();
        assert_eq!((list.validity(), list.next()), (1_700_000_000, 12));
        assert_eq!(text(&list), written);
        assert_eq!(list.add(b"4.d", Some(b"id-9")), Some(12));
        assert_eq!(list.add(b"5.e", Some(b"two words")), Some(13));
        assert!(text(&list).ends_with("12 Pid-9 :4.d\n13 :5.e\n"));
        assert!(text(&list).starts_with("3 V1700000000 N14 G0"));
        assert_eq!(list.uids().of(b"1.a", b"1.a:2,S"), Some(3));
        assert_eq!(list.uids().of(b"1.a", b"1.a,U=4:2,S"), Some(3));
        assert_eq!(list.uids().of(b"9.z", b"9.z"), None);
    }

    #[test]
    fn what_was_appended_moves_the_next_uid() {
        let list = UidList::parse(b"3 V5 N2 Gx\n1 :a\n9 :b\n").unwrap();
        assert_eq!(list.next(), 10);
        let one = UidList::parse(b"1 123 9\n4 1.a:2,S\n5 2.b\n").unwrap();
        assert_eq!((one.validity(), one.next()), (123, 9));
        assert!(text(&one).contains(" G") && text(&one).ends_with("4 :1.a\n5 :2.b\n"));
    }

    #[test]
    fn damage_costs_the_damaged_lines_alone() {
        let seen = uids(b"3 V5 N2 Gx\n1 :a\nrubbish\n4 :x/y\n2 :b\n2 :c\n0 :d\n99999999999 :e\n7 P\n6 :a\n8 low P1 :to");
        let names: Vec<_> = seen
            .iter()
            .map(|(uid, base)| (*uid, base.as_str()))
            .collect();
        assert_eq!(names, [(2, "b"), (6, "a"), (8, "to")]);
        let list = UidList::parse(b"3 V5 N2 Gx\n1 :a\n7 P\n").unwrap();
        assert_eq!(list.next(), 8);
        for bad in [
            &b""[..],
            b"2 V5 N2\n",
            b"3 V0 N2\n",
            b"3 V5\n",
            b"3 Vx N2\n",
            b"\xff\n",
            b"1 5\n",
        ] {
            assert_eq!(UidList::parse(bad), None, "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn uids_run_out_with_words() {
        let mut list = UidList::new(1);
        list.next = HIGHEST;
        assert_eq!(list.add(b"a", None), Some(HIGHEST));
        assert_eq!(list.add(b"b", None), None);
    }

    #[test]
    fn saved_and_loaded() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(UidList::load(dir.path()).unwrap(), None);
        let mut list = UidList::new(77);
        list.add(b"\xff.odd", None);
        list.save(dir.path()).unwrap();
        assert_eq!(UidList::load(dir.path()).unwrap(), Some(list));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_and_what_is_written_reads_back(bytes in prop::collection::vec(any::<u8>(), 0..200), lines in "([0-9]{1,3} ([A-Z][a-z]{0,2} ){0,2}:?[a-z:/]{0,3}\n){0,9}") {
            UidList::parse(&bytes);
            let text = [b"3 V1 N1 Gx\n", lines.as_bytes()].concat();
            let list = UidList::parse(&text).unwrap();
            let mut out = Vec::new();
            list.write(&mut out).unwrap();
            prop_assert_eq!(UidList::parse(&out), Some(list));
        }
    }
}
