//! Entries for the fuzzer (`tests/fuzz`) and its short run among the tests: each takes any bytes and panics where something is wrong.

use crate::format::mbox::{Dialect, MboxFile};
use crate::message::{folder, header, text, utf7};
use crate::{identity, imap, job, pop3};
use std::io::Write;

/// An entry and its name, which is that of its corpus in `tests/fuzz/corpus`.
pub type Target = (&'static str, fn(&[u8]));

pub const TARGETS: [Target; 6] = [
    ("imap_responses", imap_responses),
    ("pop3_answers", pop3_answers),
    ("utf7", modified_utf7),
    ("job_file", job_file),
    ("header", header_scan),
    ("mbox", mbox_reader),
];

/// Sizes of pieces, none empty, out of the first bytes; and the rest of the input.
fn pieces(input: &[u8]) -> (Vec<usize>, &[u8]) {
    let (head, rest) = input.split_at(input.len().min(4));
    let sizes: Vec<usize> = head.iter().map(|&b| usize::from(b % 61) + 1).collect();
    (if sizes.is_empty() { vec![1] } else { sizes }, rest)
}

/// Responses of an IMAP server, cut at random: they mean the same as uncut.
pub fn imap_responses(input: &[u8]) {
    let (sizes, rest) = pieces(input);
    imap::pieces::same_however_cut(rest, sizes);
}

/// Status lines, capabilities and messages of a POP3 server, cut at random.
pub fn pop3_answers(input: &[u8]) {
    let (sizes, rest) = pieces(input);
    pop3::pieces::same_however_cut(rest, &sizes);
}

/// A mailbox name: what is decoded is encoded to what it was, and no name breaks a folder.
pub fn modified_utf7(input: &[u8]) {
    if let Some(text) = utf7::decode(input) {
        assert_eq!(utf7::encode(&text).as_bytes(), input);
    }
    let text = String::from_utf8_lossy(input);
    let wire = utf7::encode(&text);
    assert!(wire.bytes().all(|b| (b' '..=b'~').contains(&b)));
    assert_eq!(utf7::decode(wire.as_bytes()).as_deref(), Some(&*text));
    for separator in [None, Some(b'/'), Some(b'.')] {
        let Some(folder) = folder::Folder::from_wire(input, separator, b"") else {
            continue;
        };
        assert_eq!(folder::Folder::parse(&folder.to_string()), Some(folder));
    }
}

/// A job file: it is valid, or there is an error.
pub fn job_file(input: &[u8]) {
    job::check_text(&String::from_utf8_lossy(input));
}

/// A message's header, and what mailhaul reads out of it.
pub fn header_scan(input: &[u8]) {
    let length = header::head_len(input);
    assert!(length <= input.len());
    let fields = header::fields(input).count();
    assert!(fields <= input.len());
    drop(header::message_id(input));
    // Of the head alone comes what comes of the whole.
    let (head, whole) = (
        identity::HeaderIdentity::of(&input[..length]),
        identity::HeaderIdentity::of(input),
    );
    assert_eq!(format!("{head:?}"), format!("{whole:?}"));
    let shown = text::safe(input, 200);
    assert!(!shown.contains(char::is_control));
}

/// An mbox file in each dialect: its messages stand one behind the other within the file, and each can be read.
pub fn mbox_reader(input: &[u8]) {
    let file = tempfile::NamedTempFile::new().and_then(|mut file| {
        file.write_all(input)?;
        Ok(file)
    });
    // A full disk is not what is looked for.
    let Ok(file) = file else { return };
    let dialects = [
        None,
        Some(Dialect::Mboxo),
        Some(Dialect::Mboxrd),
        Some(Dialect::Mboxcl2),
    ];
    for dialect in dialects {
        // Compressed and damaged is told.
        let Ok(mbox) = MboxFile::open(file.path(), dialect) else {
            continue;
        };
        let mut end = 0;
        for extent in mbox.messages() {
            assert!(extent.offset >= end && extent.length > 0);
            end = extent.offset + extent.length;
            assert!(mbox.from_line(extent).is_ok());
            let head = mbox.head(extent, 1 << 20);
            assert!(head.is_ok_and(|head| head.len() as u64 <= extent.length * 2));
        }
        assert!(end <= mbox.size() && mbox.before() <= mbox.size());
    }
}
