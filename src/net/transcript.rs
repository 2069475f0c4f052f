//! What is said on one connection, on its way to the trace: the lines, without mail and secrets.

use super::trace::{Tap, escaped};
use zeroize::Zeroizing;

/// Bytes of a line that are shown.
const LONGEST: usize = 2000;

/// Response codes that are shown though they stand in an answer to a secret: they cannot be one.
const CODES: [&str; 12] = [
    "ALERT",
    "AUTHENTICATIONFAILED",
    "AUTHORIZATIONFAILED",
    "CAPABILITY",
    "CONTACTADMIN",
    "EXPIRED",
    "IN-USE",
    "LIMIT",
    "LOGIN-DELAY",
    "PRIVACYREQUIRED",
    "SYS/TEMP",
    "UNAVAILABLE",
];

/// Takes both directions of a connection from whoever knows what the bytes are. Costs next to nothing where there is no trace.
#[derive(Default)]
pub struct Transcript(Option<Box<Pen>>);

struct Pen {
    tap: Tap,
    /// What was said of a line that has not ended, escaped.
    said: String,
    /// Bytes of mail that were said, and heard, since.
    mail_said: u64,
    mail_heard: u64,
    /// A server may repeat what it was told: its words are not shown.
    private: bool,
    /// No line that holds one of these is shown: servers were seen to repeat a password long after it was taken.
    hidden: Vec<Zeroizing<Vec<u8>>>,
}

impl Transcript {
    #[must_use]
    pub fn new(tap: Tap) -> Self {
        Transcript(tap.is_on().then(|| {
            Box::new(Pen {
                tap,
                said: String::new(),
                mail_said: 0,
                mail_heard: 0,
                private: false,
                hidden: Vec::new(),
            })
        }))
    }

    /// Bytes of commands, lines cut anywhere.
    pub fn said(&mut self, bytes: &[u8]) {
        if let Some(pen) = &mut self.0 {
            pen.said(bytes);
        }
    }

    /// Here something is said that nobody may see.
    pub fn said_elided(&mut self) {
        if let Some(pen) = &mut self.0 {
            // Whoever says it knows that its answer may be it; this is for the one who forgets.
            pen.private = true;
            pen.said_mail_told();
            pen.said.push_str("{elided}");
        }
    }

    /// So many bytes of mail were said.
    pub fn said_mail(&mut self, bytes: usize) {
        if let Some(pen) = &mut self.0 {
            pen.mail_said += bytes as u64;
        }
    }

    /// A secret in one of the forms that it takes on the wire: no line that repeats it is shown. An empty one is none.
    pub fn hide(&mut self, secret: &[u8]) {
        if let Some(pen) = &mut self.0
            && !secret.is_empty()
        {
            pen.hidden.push(Zeroizing::new(secret.to_vec()));
        }
    }

    /// A line, or the rest of one behind a literal, without its line end.
    pub fn heard(&mut self, line: &[u8]) {
        if let Some(pen) = &mut self.0 {
            pen.heard(line);
        }
    }

    /// So many bytes of mail were heard.
    pub fn heard_mail(&mut self, bytes: u64) {
        if let Some(pen) = &mut self.0 {
            pen.mail_heard += bytes;
        }
    }

    /// With `true` the server's words are elided until further notice: it has been told a secret.
    pub fn private(&mut self, private: bool) {
        if let Some(pen) = &mut self.0 {
            pen.private = private;
        }
    }
}

impl Pen {
    fn said(&mut self, bytes: &[u8]) {
        self.said_mail_told();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let text = piece.strip_suffix(b"\n").unwrap_or(piece);
            let whole = text.len() < piece.len();
            let text = if whole { text.trim_ascii_end() } else { text };
            self.said.push_str(&shown(text));
            if whole {
                self.tap.line('>', &self.said);
                self.said.clear();
            }
        }
    }

    fn said_mail_told(&mut self) {
        if self.mail_said > 0 {
            self.said.push_str(&format!("{{{} bytes}}", self.mail_said));
            self.mail_said = 0;
        }
    }

    fn heard(&mut self, line: &[u8]) {
        let mail = match std::mem::take(&mut self.mail_heard) {
            0 => String::new(),
            bytes => format!("{{{bytes} bytes}}"),
        };
        let holds = |secret: &Zeroizing<Vec<u8>>| memchr::memmem::find(line, secret).is_some();
        let text = match self.private || self.hidden.iter().any(holds) {
            true => discreet(line),
            false => shown(line),
        };
        self.tap.line('<', &format!("{mail}{text}"));
    }
}

impl Drop for Pen {
    /// What was under way when the connection ended.
    fn drop(&mut self) {
        self.said_mail_told();
        if !self.said.is_empty() {
            self.tap.line('>', &self.said);
        }
        if self.mail_heard > 0 {
            self.tap
                .line('<', &format!("{{{} bytes}}", self.mail_heard));
        }
    }
}

fn shown(text: &[u8]) -> String {
    let (first, rest) = text.split_at(text.len().min(LONGEST));
    let more = match rest.len() {
        0 => String::new(),
        more => format!(" {{{more} bytes more}}"),
    };
    escaped(first) + &more
}

/// Of an answer to a secret: what it is, and nothing that could be the secret.
fn discreet(line: &[u8]) -> String {
    let mut words = line.splitn(4, |byte| *byte == b' ').map(escaped);
    let mut text = match words.next() {
        Some(word) if is_start(&word) => word,
        _ => return "{elided}".to_owned(),
    };
    let mut next = words.next();
    let is_status = |word: &String| ["OK", "NO", "BAD", "BYE", "PREAUTH"].contains(&word.as_str());
    if let Some(status) = next.take_if(|word| is_status(word)) {
        text = format!("{text} {status}");
        next = words.next();
    }
    let code = next.as_deref().and_then(|word| word.strip_prefix('['));
    let code = code.map(|word| word.split(']').next().unwrap_or_default());
    if let Some(code) = code.filter(|code| CODES.contains(code)) {
        text = format!("{text} [{code}]");
    }
    text + " {elided}"
}

/// `*`, `+`, `+OK`, `-ERR`, or a tag of ours: a letter and a number.
fn is_start(word: &str) -> bool {
    let tag = word.strip_prefix(['a', 'm', 's']);
    let number = |rest: &str| rest.len() < 8 && rest.bytes().all(|b| b.is_ascii_digit());
    ["*", "+", "+OK", "-ERR"].contains(&word)
        || tag.is_some_and(|rest| !rest.is_empty() && number(rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::End;
    use crate::net::Trace;

    fn written(act: impl FnOnce(&mut Transcript)) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trace");
        let trace = Trace::to(&path).unwrap();
        let mut transcript = Transcript::new(trace.tap(End::Source));
        act(&mut transcript);
        drop(transcript);
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = text.lines().skip(1);
        lines
            .map(|line| {
                let (_, rest) = line.split_once(" source        1 ").unwrap();
                rest.to_owned()
            })
            .collect()
    }

    #[test]
    fn mail_is_a_number_and_secrets_are_nothing() {
        let lines = written(|t| {
            t.said(b"m1 LOGIN ");
            t.said_elided();
            t.private(false);
            t.said(b"\r\nm2 APP");
            t.said(b"END x {5}\r\n");
            t.said_mail(2);
            t.said_mail(3);
            t.said(b"\r\n");
            t.heard(b"* 1 FETCH (BODY[] {7}");
            t.heard_mail(7);
            t.heard(b" UID 3)");
            t.said(b"m3 NO");
            t.said_mail(9);
        });
        let expected = [
            "> m1 LOGIN {elided}",
            "> m2 APPEND x {5}",
            "> {5 bytes}",
            "< * 1 FETCH (BODY[] {7}",
            "< {7 bytes} UID 3)",
            "> m3 NO{9 bytes}",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_server_that_repeats_what_it_was_told_is_not_quoted() {
        let answers: [&[u8]; 9] = [
            b"m1 NO [AUTHENTICATIONFAILED] canary is wrong",
            b"m1 OK [CAPABILITY IMAP4rev1] canary",
            b"* BYE canary",
            b"canary",
            b"m1 LOGIN canary",
            b"+ canary",
            b"-ERR [canary] x",
            b"mcanary NO",
            b"+OK",
        ];
        let lines = written(|t| {
            t.private(true);
            answers.iter().for_each(|line| t.heard(line));
            t.private(false);
            t.heard(b"* OK \xff\x1b[2J");
            t.hide(b"canary");
            t.heard(b"* OK late canary");
        });
        let expected = [
            "< m1 NO [AUTHENTICATIONFAILED] {elided}",
            "< m1 OK [CAPABILITY] {elided}",
            "< * BYE {elided}",
            "< {elided}",
            "< m1 {elided}",
            "< + {elided}",
            "< -ERR {elided}",
            "< {elided}",
            "< +OK {elided}",
            "< * OK \\xff\\x1b[2J",
            "< * OK {elided}",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_long_line_is_cut() {
        let lines = written(|t| t.heard(&[b'x'; 2100]));
        assert!(lines[0].ends_with("xx {100 bytes more}"), "{lines:?}");
    }
}
