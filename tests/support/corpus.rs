//! Made-up mail with the habits of real mail; the same seed gives the same messages.

use super::Random;

/// A message on its way into a test server.
#[derive(Debug, Clone)]
pub struct Mail {
    /// CRLF, unless a test wants it otherwise.
    pub bytes: Vec<u8>,
    /// As IMAP writes them: `\Seen`, `$Forwarded`.
    pub flags: Vec<String>,
    /// INTERNALDATE, epoch seconds.
    pub date: i64,
}

/// What POP3 makes of them: it has no way to say that a last line has no end, so that Dovecot adds one.
pub fn popped(mails: &[Mail]) -> Vec<Mail> {
    let mut mails = mails.to_vec();
    for mail in &mut mails {
        if !mail.bytes.ends_with(b"\r\n") {
            mail.bytes.extend(b"\r\n");
        }
    }
    mails
}

/// A generator; fields can be set before it is asked for mail.
pub struct Corpus {
    random: Random,
    next: u32,
    name: String,
    /// Bytes; half of the messages are smaller.
    pub median_size: f64,
    /// Some bytes 0 in some bodies. Dovecot's APPEND changes them; a Maildir keeps them.
    pub nul: bool,
    /// IMAP flags and keywords, or none.
    pub flags: bool,
}

const SUBJECTS: [&str; 6] = [
    "Rapat besok pagi",
    "Invoice 2041",
    "=?UTF-8?Q?Gr=C3=BC=C3=9Fe_aus_K=C3=B6ln?=",
    "Re: la r\u{e9}union",
    "=?ISO-2022-JP?B?GyRCJDMkcyRLJEEkTxsoQg==?=",
    "Fwd: \u{43f}\u{440}\u{438}\u{432}\u{435}\u{442}",
];
const KEYWORDS: [&str; 6] = [
    "$Forwarded",
    "$MDNSent",
    "work",
    "todo",
    "$label1",
    "NonJunk",
];
const SYSTEM: [&str; 4] = ["\\Seen", "\\Answered", "\\Flagged", "\\Draft"];
/// 2010-01-01 and 15 years.
const FIRST_DATE: i64 = 1_262_304_000;
const SPAN: u64 = 15 * 365 * 86_400;

impl Corpus {
    pub fn new(name: &str, seed: u64) -> Corpus {
        Corpus {
            random: Random::new(seed),
            next: 0,
            name: name.to_owned(),
            median_size: 3_000.0,
            nul: false,
            flags: true,
        }
    }

    /// `count` messages; now and then one has no Message-ID, or is an exact copy of the one before.
    pub fn mails(&mut self, count: usize) -> Vec<Mail> {
        let mut out: Vec<Mail> = Vec::with_capacity(count);
        while out.len() < count {
            let copy = out.last().filter(|_| self.random.once_in(60)).cloned();
            let mail = copy.unwrap_or_else(|| self.mail());
            out.push(mail);
        }
        out
    }

    pub fn mail(&mut self) -> Mail {
        self.next += 1;
        let date = FIRST_DATE + self.random.below(SPAN) as i64;
        let mut bytes = self.header(date).into_bytes();
        self.body(&mut bytes);
        Mail {
            bytes,
            flags: if self.flags {
                self.some_flags()
            } else {
                vec![]
            },
            date,
        }
    }

    fn header(&mut self, date: i64) -> String {
        let when = chrono::DateTime::from_timestamp(date, 0).expect("a date");
        let (n, name) = (self.next, &self.name);
        let received = when.format("%a, %d %b %Y %H:%M:%S +0000");
        let written = (when - chrono::Duration::minutes(3)).format("%a, %d %b %Y %H:%M:%S +0000");
        let id = if self.random.once_in(80) {
            String::new()
        } else {
            format!("Message-ID: <{name}.{n}@example.org>\r\n")
        };
        let subject = self.random.pick(&SUBJECTS);
        format!(
            "Received: from mx.example.net (mx.example.net [192.0.2.{}])\r\n\tby mail.example.org with ESMTP id {n:06};\r\n\t{received}\r\n\
             From: Writer {} <writer{}@example.net>\r\nTo: budi@example.org\r\nSubject: {subject} {n}\r\nDate: {written}\r\n{id}\
             MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
            n % 250 + 1,
            n % 17,
            n % 17,
        )
    }

    fn body(&mut self, out: &mut Vec<u8>) {
        let size = self.random.log_normal(self.median_size, 1.2).min(2e6) as usize;
        let end = out.len() + size;
        while out.len() < end {
            match self.random.below(40) {
                0 => out.extend(b".\r\n"),
                1 => out.extend(b"..a line that starts with dots\r\n"),
                2 => out.extend(b"From the start of a line\r\n"),
                3 => out.extend(
                    "Gr\u{fc}\u{df}e, \u{3053}\u{3093}\u{306b}\u{3061}\u{306f}\r\n".bytes(),
                ),
                4 => out.extend(b"latin \xe9\xe8\xfc\r\n"),
                5 if self.nul => out.extend(b"a \0 byte\r\n"),
                _ => self.line(out),
            }
        }
        if self.random.once_in(50) {
            out.extend(b"no line end at the end");
        }
    }

    fn line(&mut self, out: &mut Vec<u8>) {
        for _ in 0..4 + self.random.below(8) {
            out.extend(format!("{:x} ", self.random.next()).bytes());
        }
        out.extend(b"\r\n");
    }

    fn some_flags(&mut self) -> Vec<String> {
        let mut flags = Vec::new();
        for (list, rarity) in [(&SYSTEM[..], 3), (&KEYWORDS[..], 8)] {
            for flag in list {
                if self.random.once_in(rarity) {
                    flags.push((*flag).to_owned());
                }
            }
        }
        flags
    }
}

#[test]
fn a_seed_gives_the_same_mail() {
    let (a, b) = (Corpus::new("x", 1).mails(50), Corpus::new("x", 1).mails(50));
    assert!(
        a.iter()
            .zip(&b)
            .all(|(a, b)| a.bytes == b.bytes && a.date == b.date)
    );
    let c = Corpus::new("x", 2).mails(50);
    assert!(a.iter().zip(&c).any(|(a, c)| a.bytes != c.bytes));
}
