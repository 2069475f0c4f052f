//! A server with X-GM-EXT-1 in the small: folders are views of labelled messages, an APPEND of what is there gives what is there.
//!
//! It speaks as much of IMAP as a migration needs, and refuses what Gmail refuses.

use super::{Mail, Talk, Talker};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

const ROOT: &str = "[Gmail]";
/// The server's own folders: name, use, label; the last two hold what All Mail does not.
const OWN: [(&str, &str, &str); 8] = [
    ("INBOX", "", "\\Inbox"),
    ("[Gmail]/All Mail", "\\All", ""),
    ("[Gmail]/Drafts", "\\Drafts", "\\Draft"),
    ("[Gmail]/Important", "\\Important", "\\Important"),
    ("[Gmail]/Sent Mail", "\\Sent", "\\Sent"),
    ("[Gmail]/Starred", "\\Flagged", "\\Starred"),
    ("[Gmail]/Spam", "\\Junk", "\\Spam"),
    ("[Gmail]/Trash", "\\Trash", "\\Trash"),
];

#[derive(Debug, Clone)]
pub struct Message {
    pub bytes: Vec<u8>,
    /// As INTERNALDATE has it.
    pub date: String,
    pub flags: BTreeSet<String>,
    /// As on the wire: `\Inbox`, `Gr&APY-sse`.
    pub labels: BTreeSet<String>,
}

impl Message {
    fn has(&self, label: &str) -> bool {
        match label {
            "\\Starred" => self.flags.contains("\\Flagged"),
            _ => self.labels.contains(label),
        }
    }

    fn is_in(&self, folder: &str) -> bool {
        let apart = ["\\Spam", "\\Trash"].iter().find(|apart| self.has(apart));
        let label = label_of(folder);
        match apart {
            Some(apart) => *apart == label,
            None => label.is_empty() || self.has(&label),
        }
    }
}

/// The label that a folder shows; empty for All Mail.
fn label_of(folder: &str) -> String {
    let own = OWN.iter().find(|(name, ..)| *name == folder);
    own.map_or(folder, |(.., label)| label).to_owned()
}

#[derive(Debug, Default)]
pub struct Account {
    pub messages: Vec<Message>,
    /// The user's, on the wire.
    pub labels: BTreeSet<String>,
    /// Folders that IMAP does not show.
    pub hidden: BTreeSet<String>,
    /// UIDs and places among the messages, and the next UID.
    views: BTreeMap<String, (Vec<(u32, usize)>, u32)>,
    /// Of every folder: two servers are not one mailbox.
    validity: u32,
}

impl Account {
    fn folders(&self) -> Vec<String> {
        let own = OWN.iter().map(|(name, ..)| (*name).to_owned());
        let all = own.chain(self.labels.iter().cloned());
        all.filter(|name| !self.hidden.contains(name)).collect()
    }

    /// Brings the views up to date.
    fn settle(&mut self) {
        for folder in self.folders() {
            let (view, next) = self.views.entry(folder.clone()).or_insert((Vec::new(), 1));
            view.retain(|(_, at)| self.messages[*at].is_in(&folder));
            for (at, message) in self.messages.iter().enumerate() {
                if message.is_in(&folder) && !view.iter().any(|(_, there)| *there == at) {
                    view.push((*next, at));
                    *next += 1;
                }
            }
        }
    }

    /// The view of a folder and the next UID; `None` where there is no such folder.
    fn view(&mut self, folder: &str) -> Option<(Vec<(u32, usize)>, u32)> {
        self.settle();
        let shown = self.folders().iter().any(|name| name == folder);
        self.views.get(folder).filter(|_| shown).cloned()
    }

    fn append(&mut self, folder: &str, mut message: Message) -> Option<u32> {
        self.view(folder)?;
        let known = self
            .messages
            .iter()
            .position(|old| old.bytes == message.bytes);
        let label = label_of(folder);
        let at = known.unwrap_or(self.messages.len());
        match known {
            // With the flags and the date that it has.
            Some(at) => drop(self.messages[at].labels.insert(label)),
            None => {
                message.labels.insert(label);
                self.messages.push(message);
            }
        }
        self.messages[at].labels.remove("");
        let (view, _) = self.view(folder)?;
        view.iter()
            .find(|(_, there)| *there == at)
            .map(|(uid, _)| *uid)
    }
}

/// A running server with one account. Every login is taken.
pub struct Gmail {
    talker: Talker,
    account: Arc<Mutex<Account>>,
}

impl Gmail {
    pub fn start() -> Gmail {
        let account = Arc::new(Mutex::new(Account::default()));
        let served = Arc::clone(&account);
        let talker = Talker::start(move |talk| session(talk, &served));
        account.lock().expect("a lock").validity = u32::from(talker.port);
        Gmail { talker, account }
    }

    pub fn port(&self) -> u16 {
        self.talker.port
    }

    pub fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().expect("a lock")
    }

    /// Puts a message there; labels that are not the server's own come to be.
    pub fn put(&self, mail: &Mail, labels: &[&str]) {
        let date = chrono::DateTime::from_timestamp(mail.date, 0).expect("a date");
        let mut account = self.account();
        let user = labels.iter().filter(|label| !label.starts_with('\\'));
        account.labels.extend(user.map(|label| (*label).to_owned()));
        account.messages.push(Message {
            bytes: mail.bytes.clone(),
            date: date.format("%d-%b-%Y %H:%M:%S +0000").to_string(),
            flags: mail.flags.iter().cloned().collect(),
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        });
    }

    /// The labels of the message with these bytes, in order; panics unless there is one and no other.
    #[track_caller]
    pub fn labels(&self, bytes: &[u8]) -> Vec<String> {
        let account = self.account();
        let found: Vec<&Message> = account
            .messages
            .iter()
            .filter(|m| m.bytes == bytes)
            .collect();
        assert_eq!(found.len(), 1, "copies of a message");
        found[0].labels.iter().cloned().collect()
    }
}

/// A command in one line, and the bytes of its last literal.
fn command(talk: &mut Talk) -> Option<(String, String, Vec<u8>)> {
    let line = talk.line()?;
    let (tag, rest) = line.split_once(' ')?;
    let (tag, mut text, mut literal) = (tag.to_owned(), rest.to_owned(), Vec::new());
    while let Some((before, size)) = text.strip_suffix('}').and_then(|t| t.rsplit_once('{')) {
        let before = before.to_owned();
        let size = size.parse().ok()?;
        talk.say("+ go on\r\n");
        literal = talk.bytes(size)?;
        text = before + &talk.line()?;
    }
    Some((tag, text, literal))
}

fn session(talk: &mut Talk, account: &Mutex<Account>) {
    talk.say("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR UIDPLUS MOVE SPECIAL-USE X-GM-EXT-1] Gimap ready\r\n");
    let mut selected = String::new();
    while let Some((tag, text, literal)) = command(talk) {
        let (out, answer) = {
            let mut account = account.lock().expect("a lock");
            answer(&text, &literal, &mut account, &mut selected)
        };
        talk.say(out);
        talk.say(format!("{tag} {answer}\r\n"));
        if text == "LOGOUT" {
            return;
        }
    }
}

fn ok() -> String {
    "OK Success".to_owned()
}

/// Untagged responses, and the tagged one without its tag.
fn answer(
    text: &str,
    literal: &[u8],
    account: &mut Account,
    selected: &mut String,
) -> (Vec<u8>, String) {
    let words = words(text);
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    let upper = word(0).to_ascii_uppercase();
    let no = |why: &str| (Vec::new(), format!("NO {why}"));
    match upper.as_str() {
        "CAPABILITY" => (
            b"* CAPABILITY IMAP4rev1 UIDPLUS MOVE SPECIAL-USE X-GM-EXT-1\r\n".to_vec(),
            ok(),
        ),
        "LIST" if word(2).is_empty() => (b"* LIST (\\Noselect) \"/\" \"/\"\r\n".to_vec(), ok()),
        "LIST" | "LSUB" => (list(&upper, account).into_bytes(), ok()),
        "STATUS" => match account.view(word(1)) {
            None => no("[NONEXISTENT] Unknown Mailbox (Failure)"),
            Some((view, next)) => {
                let (name, count) = (quoted(word(1)), view.len());
                let validity = account.validity;
                let status = format!(
                    "* STATUS {name} (MESSAGES {count} UIDNEXT {next} UIDVALIDITY {validity})\r\n"
                );
                (status.into_bytes(), ok())
            }
        },
        "SELECT" | "EXAMINE" => match account.view(word(1)) {
            None => no("[NONEXISTENT] Unknown Mailbox (Failure)"),
            Some((view, next)) => {
                *selected = word(1).to_owned();
                let validity = account.validity;
                let (count, mode) = (view.len(), if upper == "SELECT" { "WRITE" } else { "ONLY" });
                let out = format!(
                    "* FLAGS (\\Answered \\Flagged \\Draft \\Deleted \\Seen)\r\n\
                     * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Draft \\Deleted \\Seen \\*)] ok\r\n\
                     * OK [UIDVALIDITY {validity}] ok\r\n* {count} EXISTS\r\n* OK [UIDNEXT {next}] ok\r\n"
                );
                (out.into_bytes(), format!("OK [READ-{mode}] done"))
            }
        },
        "CREATE" => create(word(1), account),
        "APPEND" => append(&words, literal, account),
        "UID" => uid(&words, account, selected),
        "LOGOUT" => (b"* BYE\r\n".to_vec(), ok()),
        _ => (Vec::new(), ok()),
    }
}

/// Atoms, quoted strings (taken out of their quotes) and parentheses.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut chars) = (Vec::new(), text.chars().peekable());
    while let Some(c) = chars.next() {
        match c {
            ' ' => {}
            '(' | ')' => words.push(c.to_string()),
            '"' => {
                let mut word = String::new();
                while let Some(c) = chars.next().filter(|c| *c != '"') {
                    word.push(if c == '\\' {
                        chars.next().unwrap_or(c)
                    } else {
                        c
                    });
                }
                words.push(word);
            }
            _ => {
                let mut word = c.to_string();
                while let Some(c) = chars.next_if(|c| !" ()".contains(*c)) {
                    word.push(c);
                }
                words.push(word);
            }
        }
    }
    words
}

fn quoted(text: &str) -> String {
    super::imap::quote(text)
}

fn list(verb: &str, account: &Account) -> String {
    let mut out = format!("* {verb} (\\HasChildren \\Noselect) \"/\" \"{ROOT}\"\r\n");
    for name in account.folders() {
        let own = OWN.iter().find(|(own, ..)| *own == name);
        let special = own.map_or("", |(_, special, _)| special);
        out.push_str(&format!(
            "* {verb} (\\HasNoChildren {special}) \"/\" {}\r\n",
            quoted(&name)
        ));
    }
    out
}

fn create(name: &str, account: &mut Account) -> (Vec<u8>, String) {
    let reserved = [
        "inbox",
        "sent",
        "drafts",
        "trash",
        "spam",
        "starred",
        "important",
    ];
    let answer = if account.labels.contains(name) {
        "NO [ALREADYEXISTS] Duplicate folder name (Failure)".to_owned()
    } else if reserved.contains(&name.to_ascii_lowercase().as_str()) || name.starts_with(ROOT) {
        "NO [CANNOT] Invalid folder name (Failure)".to_owned()
    } else {
        account.labels.insert(name.to_owned());
        ok()
    };
    (Vec::new(), answer)
}

fn append(words: &[String], literal: &[u8], account: &mut Account) -> (Vec<u8>, String) {
    let mut rest = words[2..].iter();
    let mut flags = BTreeSet::new();
    let mut date = "01-Jan-2020 00:00:00 +0000".to_owned();
    while let Some(word) = rest.next() {
        match word.as_str() {
            "(" => flags.extend(rest.by_ref().take_while(|w| *w != ")").cloned()),
            other => date = other.to_owned(),
        }
    }
    let message = Message {
        bytes: literal.to_vec(),
        date,
        flags,
        labels: BTreeSet::new(),
    };
    let answer = match account.append(&words[1], message) {
        Some(uid) => format!("OK [APPENDUID {} {uid}] (Success)", account.validity),
        None => "NO [TRYCREATE] No folder (Failure)".to_owned(),
    };
    (Vec::new(), answer)
}

fn within(set: &str, uid: u32) -> bool {
    let number = |word: &str| word.parse().unwrap_or(u32::MAX);
    set.split(',').any(|part| {
        let (first, last) = part.split_once(':').unwrap_or((part, part));
        (number(first)..=number(last)).contains(&uid)
    })
}

fn uid(words: &[String], account: &mut Account, selected: &str) -> (Vec<u8>, String) {
    let (verb, set) = (words[1].to_ascii_uppercase(), &words[2]);
    let Some((view, _)) = account.view(selected) else {
        return (Vec::new(), "BAD nothing is selected".to_owned());
    };
    let chosen = (1u32..).zip(view).filter(|(_, (uid, _))| within(set, *uid));
    let chosen: Vec<(u32, (u32, usize))> = chosen.collect();
    match verb.as_str() {
        "FETCH" => {
            let items = words[3..].join(" ");
            let one = |&(number, (uid, at)): &(u32, (u32, usize))| {
                fetched(number, uid, &account.messages[at], &items, selected)
            };
            (chosen.iter().flat_map(one).collect(), ok())
        }
        "STORE" => {
            let list: Vec<&String> = words[4..]
                .iter()
                .filter(|w| !"()".contains(w.as_str()))
                .collect();
            let plus = words[3].starts_with('+');
            let labels = words[3].contains("X-GM-LABELS");
            let unknown = |label: &&String| match label.strip_prefix('\\') {
                Some(own) => !["Inbox", "Important", "Starred", "Trash", "Spam"].contains(&own),
                None => !account.labels.contains(*label),
            };
            if labels && list.iter().any(unknown) {
                return (Vec::new(), format!("NO no such label: {list:?}"));
            }
            for (_, (_, at)) in &chosen {
                let message = &mut account.messages[*at];
                let of = if labels {
                    &mut message.labels
                } else {
                    &mut message.flags
                };
                for word in &list {
                    match plus {
                        true => drop(of.insert((*word).clone())),
                        false => drop(of.remove(*word)),
                    }
                }
            }
            (Vec::new(), ok())
        }
        _ => (Vec::new(), "BAD not here".to_owned()),
    }
}

fn fetched(number: u32, uid: u32, message: &Message, items: &str, selected: &str) -> Vec<u8> {
    let flags: Vec<&str> = message.flags.iter().map(String::as_str).collect();
    let mut out = format!(
        "* {number} FETCH (UID {uid} FLAGS ({}) INTERNALDATE \"{}\" RFC822.SIZE {}",
        flags.join(" "),
        message.date,
        message.bytes.len()
    )
    .into_bytes();
    if items.contains("X-GM-LABELS") {
        // Not the one of the folder that is selected.
        let shown = message
            .labels
            .iter()
            .filter(|label| **label != label_of(selected));
        let shown: Vec<String> = shown.map(|label| quoted(label)).collect();
        out.extend(format!(" X-GM-LABELS ({})", shown.join(" ")).bytes());
    }
    if items.contains("BODY.PEEK") {
        let whole = items.contains("BODY.PEEK[]");
        let head = message
            .bytes
            .windows(4)
            .position(|part| part == b"\r\n\r\n");
        let end = head.map_or(message.bytes.len(), |at| at + 4);
        let (name, bytes) = match whole {
            true => ("BODY[]", &message.bytes[..]),
            false => (
                "BODY[HEADER.FIELDS (MESSAGE-ID DATE FROM SUBJECT)]",
                &message.bytes[..end],
            ),
        };
        out.extend(format!(" {name} {{{}}}\r\n", bytes.len()).bytes());
        out.extend(bytes);
    }
    out.extend(b")\r\n");
    out
}
