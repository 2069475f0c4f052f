//! What an account holds, read by the tests' own client, and a difference that a person can read.

use super::canonical::{digest, message_id};
use super::{Imap, Mail};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    pub digest: String,
    pub flags: BTreeSet<String>,
    /// INTERNALDATE, epoch seconds.
    pub date: i64,
    pub message_id: Option<String>,
}

/// Folder (as on the wire) → its messages in the order of their UIDs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot(pub BTreeMap<String, Vec<Entry>>);

impl Snapshot {
    pub fn of(port: u16, user: &str) -> Snapshot {
        let mut imap = Imap::login(port, user);
        let folders = imap.folders();
        let read = |name: String| {
            let entries = imap.fetch(&name).into_iter();
            let entries = entries.map(|f| entry(&f.bytes, &f.flags, f.date)).collect();
            (name, entries)
        };
        Snapshot(folders.into_iter().map(read).collect())
    }

    /// What should be there: `mails` in one folder.
    pub fn one(folder: &str, mails: &[Mail]) -> Snapshot {
        let entries = mails.iter().map(|m| entry(&m.bytes, &m.flags, m.date));
        Snapshot(BTreeMap::from([(folder.to_owned(), entries.collect())]))
    }

    /// The same with other folder names; folders that fall together are joined.
    pub fn renamed(&self, name: impl Fn(&str) -> String) -> Snapshot {
        let mut out = Snapshot::default();
        for (folder, entries) in &self.0 {
            out.0
                .entry(name(folder))
                .or_default()
                .extend(entries.clone());
        }
        out
    }

    /// Folders without mail left out: not every end keeps an empty one.
    pub fn without_empty(mut self) -> Snapshot {
        self.0.retain(|_, entries| !entries.is_empty());
        self
    }

    /// All flags forgotten: POP3 has none.
    pub fn without_flags(mut self) -> Snapshot {
        self.0.values_mut().flatten().for_each(|e| e.flags.clear());
        self
    }

    pub fn total(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// Digest → how often it stands anywhere.
    pub fn digests(&self) -> BTreeMap<String, usize> {
        let mut out = BTreeMap::new();
        for e in self.0.values().flatten() {
            *out.entry(e.digest.clone()).or_insert(0) += 1;
        }
        out
    }

    /// One line for each thing that differs from `expected`; order within a folder counts only where `ordered`.
    pub fn differences(&self, expected: &Snapshot, ordered: bool) -> Vec<String> {
        let names: BTreeSet<&String> = self.0.keys().chain(expected.0.keys()).collect();
        let mut out = Vec::new();
        for name in names {
            match (expected.0.get(name), self.0.get(name)) {
                (Some(_), None) => out.push(format!("folder {name:?} is missing")),
                (None, Some(_)) => out.push(format!("folder {name:?} is too many")),
                (Some(want), Some(have)) => folder(name, want, have, ordered, &mut out),
                (None, None) => {}
            }
        }
        out
    }

    /// Panics with the first differences, if there are any.
    pub fn assert_same(&self, expected: &Snapshot) {
        check(&self.differences(expected, false));
    }

    /// The same, and the messages stand in the same order.
    pub fn assert_same_order(&self, expected: &Snapshot) {
        check(&self.differences(expected, true));
    }
}

fn check(differences: &[String]) {
    let shown = differences[..differences.len().min(20)].join("\n  ");
    assert!(
        differences.is_empty(),
        "{} differences:\n  {shown}",
        differences.len()
    );
}

fn entry(bytes: &[u8], flags: &[String], date: i64) -> Entry {
    Entry {
        digest: digest(bytes),
        flags: flags.iter().cloned().collect(),
        date,
        message_id: message_id(bytes),
    }
}

fn folder(name: &str, want: &[Entry], have: &[Entry], ordered: bool, out: &mut Vec<String>) {
    let digests = |list: &[Entry]| list.iter().map(|e| e.digest.clone()).collect::<Vec<_>>();
    if ordered && digests(want) != digests(have) {
        out.push(format!("{name:?}: another order, or other messages"));
    }
    let (mut want, mut have) = (want.to_vec(), have.to_vec());
    want.sort();
    have.sort();
    let (mut w, mut h) = (want.into_iter().peekable(), have.into_iter().peekable());
    loop {
        let order = match (w.peek(), h.peek()) {
            (None, None) => return,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(a), Some(b)) => a.digest.cmp(&b.digest),
        };
        match order {
            std::cmp::Ordering::Less => out.extend(w.next().map(|e| told(name, "missing", &e))),
            std::cmp::Ordering::Greater => out.extend(h.next().map(|e| told(name, "too many", &e))),
            std::cmp::Ordering::Equal => {
                if let (Some(a), Some(b)) = (w.next(), h.next()) {
                    out.extend(changed(name, &a, &b));
                }
            }
        }
    }
}

fn told(folder: &str, what: &str, e: &Entry) -> String {
    let id = e.message_id.as_deref().unwrap_or("no Message-ID");
    format!("{folder:?}: {what}: {id}, digest {}", &e.digest[..12])
}

fn changed(folder: &str, want: &Entry, have: &Entry) -> Option<String> {
    if want.flags == have.flags && want.date == have.date {
        return None;
    }
    let what = format!(
        "flags {:?}, should be {:?}; date {}, should be {}",
        have.flags, want.flags, have.date, want.date
    );
    Some(told(folder, &what, want))
}

#[test]
fn finds_every_kind_of_difference() {
    let mail = |text: &str, date: i64| Mail {
        bytes: format!("Message-ID: <{text}>\r\n\r\n{text}\r\n").into_bytes(),
        flags: vec![],
        date,
    };
    let want = Snapshot::one("INBOX", &[mail("a", 1), mail("b", 2), mail("b", 2)]);
    assert!(want.differences(&want, true).is_empty());
    let mut have = Snapshot::one("INBOX", &[mail("b", 2), mail("a", 9), mail("c", 3)]);
    have.0.insert("Extra".into(), vec![]);
    let told = have.differences(&want, true).join("\n");
    for part in [
        "\"Extra\" is too many",
        "another order",
        "missing: <b>",
        "too many: <c>",
        "date 9, should be 1",
    ] {
        assert!(told.contains(part), "{part} not in:\n{told}");
    }
    let swapped = Snapshot::one("INBOX", &[mail("b", 2), mail("a", 1), mail("b", 2)]);
    assert!(swapped.differences(&want, false).is_empty());
    assert_eq!(swapped.differences(&want, true).len(), 1);
}
