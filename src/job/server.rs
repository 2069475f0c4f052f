//! What sources and destinations have in common: a server, how it is reached, who logs in.

use super::error::{Faults, nearest, quoted};
use super::fill::first_column;
use super::local::Word;
use super::oauth::Around;
use super::providers::{Book, Door, Preset, Provider};
use super::secret;
use super::section::{Section, as_text};
use super::spec::Protocol;
use super::store::{LocalFormat, Server};
use crate::auth::{Mechanism, Proof};
use crate::error::End;
use crate::net::{Endpoint, Security, Trace, Trust};
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(300);

/// What a server's table is checked against besides itself.
pub(super) struct Context<'a> {
    pub(super) end: End,
    /// The job file's directory.
    pub(super) dir: &'a Path,
    pub(super) book: &'a Book,
    /// The directory of tokens.
    pub(super) tokens: &'a Path,
    /// Has the job a CSV? If not, a `{column}` is a mistake.
    pub(super) columns: bool,
}

/// Checks all keys of a server. `None` after telling what is wrong; every key is looked at all the same.
pub(super) fn server(
    section: &Section<'_>,
    protocol: Option<Protocol>,
    context: &Context<'_>,
    faults: &mut Faults,
) -> Option<Server> {
    let preset = preset(section, context.book, faults);
    let door = preset
        .as_ref()
        .zip(protocol)
        .and_then(|(p, protocol)| p.door(protocol));
    let security = security(section, door, faults);
    let host = host(section, door, context, faults);
    let port = section.number("port", 1..=65535, faults);
    let user = user(section, context, faults);
    let master_user = master_user(section, context, faults);
    let around = Around {
        context,
        authorization: preset
            .as_ref()
            .and_then(|preset| preset.provider().authorization.as_deref()),
        mailbox: format!("{user:?}\0{host:?}"),
    };
    let password = secret::password(section, &around, faults);
    let mechanism = mechanism(section, protocol, password.as_ref(), faults);
    let trust = trust(section, security, context.dir, faults);
    let timeout = timeout(section, faults);
    let minimum_rate = minimum_rate(section, faults);
    let connections = connections(section, preset.as_ref().zip(protocol), faults);
    let (protocol, security, preset) = (protocol?, security?, preset.as_ref()?);
    let usual = door
        .filter(|door| door.security() == security)
        .and_then(|door| door.port)
        .unwrap_or(protocol.port(security));
    let password = password?;
    no_master_with_token(section, &password, faults);
    Some(Server {
        protocol,
        endpoint: Endpoint {
            end: context.end,
            host: host?,
            port: port.map_or(usual, |port| u16::try_from(port).unwrap_or(usual)),
            security,
            trust: trust?,
            timeout: timeout?,
            trace: Trace::default(),
            minimum_rate: minimum_rate?,
        },
        preset: preset.clone(),
        user: user?,
        master_user,
        password,
        mechanism,
        connections: connections?,
    })
}

/// What the end is; faults told.
pub(super) fn protocol(section: &Section<'_>, end: End, faults: &mut Faults) -> Option<Word> {
    let words = [
        ("imap", Some(Word::Server(Protocol::Imap))),
        ("pop3", Some(Word::Server(Protocol::Pop3))),
        ("maildir", Some(Word::Local(LocalFormat::Maildir))),
        ("mbox", Some(Word::Local(LocalFormat::Mbox))),
        ("eml", Some(Word::Local(LocalFormat::Eml))),
        ("archive", Some(Word::Local(LocalFormat::Archive))),
    ];
    if section.get("protocol").is_none() {
        let hint = r#"protocol = "imap""#;
        let what = r#""imap", "pop3", "maildir", "mbox", "eml" or "archive""#;
        section.missing("protocol", what, hint, faults);
        return None;
    }
    let protocol = section.choice("protocol", &words, faults)?;
    if matches!(protocol, Word::Server(Protocol::Pop3)) && end == End::Destination {
        let node = section.get("protocol")?;
        let message = r#"expected "imap", "maildir", "mbox" or "archive", found "pop3": POP3 can only fetch mail"#;
        faults.add(&node.place, &section.key("protocol"), message);
        return None;
    }
    Some(protocol)
}

/// Named by the job, or recognised by the host.
fn preset(section: &Section<'_>, book: &Book, faults: &mut Faults) -> Option<Preset> {
    let Some(node) = section.get("preset") else {
        let host = section.get("host").and_then(as_text);
        let found = host.and_then(|host| book.at(host));
        return Some(found.map_or_else(Preset::default, |p| Preset::new(p.clone(), true)));
    };
    let known = book.providers.iter();
    let mut words: Vec<(&str, Option<Option<&Provider>>)> =
        known.map(|p| (p.name.as_str(), Some(Some(p)))).collect();
    words.insert(0, ("generic", Some(None)));
    let text = as_text(node).unwrap_or_default();
    if words.iter().any(|(word, _)| *word == text) || as_text(node).is_none() {
        let found = section.choice("preset", &words, faults)?;
        return Some(found.map_or_else(Preset::default, |p| Preset::new(p.clone(), false)));
    }
    let near = nearest(
        &text.to_ascii_lowercase(),
        words.iter().map(|(word, _)| *word),
    );
    let message = format!("no provider of this name is known: {}", quoted(text));
    let hint = match near {
        Some(word) => format!("did you mean {}?", quoted(word)),
        None => "docs/providers.md lists them; preset = \"generic\" is any server".to_owned(),
    };
    faults.add_try(&node.place, &section.key("preset"), message, hint);
    None
}

fn security(section: &Section<'_>, door: Option<&Door>, faults: &mut Faults) -> Option<Security> {
    let words = [
        ("tls", Some(Security::Tls)),
        ("starttls", Some(Security::StartTls)),
        ("plain", Some(Security::Plain)),
    ];
    match section.get("security") {
        None => Some(door.map_or(Security::Tls, Door::security)),
        Some(_) => section.choice("security", &words, faults),
    }
}

fn host(
    section: &Section<'_>,
    door: Option<&Door>,
    context: &Context<'_>,
    faults: &mut Faults,
) -> Option<String> {
    let what = "the name or address of a server";
    let Some(node) = section.get("host") else {
        if let Some(door) = door {
            return Some(door.host.clone());
        }
        section.missing("host", what, r#"host = "imap.example.org""#, faults);
        return None;
    };
    let text = section.text("host", what, faults)?;
    if !no_column(section, "host", text, context, faults) {
        return None;
    }
    if is_host(text) {
        return Some(text.to_owned());
    }
    // What was found is not repeated: a URL may hold a password.
    let message = format!("expected {what} alone, without imap://, user or port");
    faults.add_try(
        &node.place,
        &section.key("host"),
        message,
        r#"host = "imap.example.org""#,
    );
    None
}

fn is_host(text: &str) -> bool {
    let name = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    text.len() <= 253 && (text.chars().all(name) || text.parse::<IpAddr>().is_ok())
}

fn user(section: &Section<'_>, context: &Context<'_>, faults: &mut Faults) -> Option<String> {
    let what = "the name to log in with";
    if section.get("user").is_none() {
        section.missing("user", what, r#"user = "budi@example.org""#, faults);
        return None;
    }
    let text = section.text("user", what, faults)?;
    no_column(section, "user", text, context, faults).then(|| text.to_owned())
}

fn master_user(
    section: &Section<'_>,
    context: &Context<'_>,
    faults: &mut Faults,
) -> Option<String> {
    let text = section.text("master-user", "the name of who signs in", faults)?;
    no_column(section, "master-user", text, context, faults).then(|| text.to_owned())
}

fn mechanism(
    section: &Section<'_>,
    protocol: Option<Protocol>,
    proof: Option<&Proof>,
    faults: &mut Faults,
) -> Option<Mechanism> {
    let token = proof.map(|proof| matches!(proof, Proof::Token(_)));
    let fits = |m: &Mechanism| {
        (*m != Mechanism::Apop || protocol != Some(Protocol::Imap))
            && token.is_none_or(|token| token == m.takes_token())
    };
    let all = Mechanism::ALL.into_iter().filter(fits);
    let words: Vec<(&str, Option<Mechanism>)> = all.map(|m| (m.word(), Some(m))).collect();
    section.choice("mechanism", &words, faults)
}

fn no_master_with_token(section: &Section<'_>, proof: &Proof, faults: &mut Faults) {
    if let (Some(node), Proof::Token(_)) = (section.get("master-user"), proof) {
        let message = "a token names who signs in: `user` is the mailbox that it opens";
        faults.add(&node.place, &section.key("master-user"), message);
    }
}

/// Without a CSV, `{user}` is no value.
pub(super) fn no_column(
    section: &Section<'_>,
    key: &str,
    text: &str,
    context: &Context<'_>,
    faults: &mut Faults,
) -> bool {
    let (Some(column), false) = (first_column(text), context.columns) else {
        return true;
    };
    if let Some(node) = section.get(key) {
        let message = format!(
            "{} is a column, and the job has no accounts",
            quoted(column)
        );
        let hint = r#"accounts = "users.csv" at the top of the job"#;
        faults.add_try(&node.place, &section.key(key), message, hint);
    }
    false
}

fn trust(
    section: &Section<'_>,
    security: Option<Security>,
    dir: &Path,
    faults: &mut Faults,
) -> Option<Trust> {
    let (file, pin) = (section.get("ca-file"), section.get("pin-sha256"));
    let Some(node) = pin.or(file) else {
        return Some(Trust::System);
    };
    let key = if pin.is_some() {
        "pin-sha256"
    } else {
        "ca-file"
    };
    if pin.is_some() && file.is_some() {
        let message = "expected ca-file or pin-sha256, found both";
        faults.add(&node.place, &section.key(key), message);
        return None;
    }
    if security == Some(Security::Plain) {
        let message = r#"security = "plain" has no certificate to check"#;
        let hint = r#"security = "tls" or "starttls", or leave this key out"#;
        faults.add_try(&node.place, &section.key(key), message, hint);
        return None;
    }
    if key == "ca-file" {
        let path = section.text(key, "the path of a PEM file", faults)?;
        return Some(Trust::CaFile(dir.join(path)));
    }
    let text = section.text(key, "64 hexadecimal digits", faults)?;
    let digest = sha256(text);
    if digest.is_none() {
        let what = "64 hexadecimal digits (colons allowed)";
        section.expected(key, node, what, faults);
    }
    digest.map(Trust::Pin)
}

/// A SHA-256 as people copy it: 64 hex digits, with or without colons.
fn sha256(text: &str) -> Option<[u8; 32]> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .filter(|c| *c != ':')
        .map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok()))
        .collect();
    let bytes: Vec<u8> = digits?
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => high << 4 | low,
            other => other.iter().sum(),
        })
        .collect();
    let whole = text.chars().filter(|c| *c != ':').count() == 64;
    bytes.try_into().ok().filter(|_| whole)
}

fn timeout(section: &Section<'_>, faults: &mut Faults) -> Option<Duration> {
    let Some(node) = section.get("timeout") else {
        return Some(DEFAULT_TIMEOUT);
    };
    let longest = Duration::from_secs(24 * 60 * 60);
    let parsed = as_text(node).and_then(|text| humantime::parse_duration(text).ok());
    let fits = parsed.filter(|t| (Duration::from_secs(1)..=longest).contains(t));
    if fits.is_none() {
        let what = r#"a time from "1s" to "24h", such as "5m" (minutes)"#;
        section.expected("timeout", node, what, faults);
    }
    fits
}

fn minimum_rate(section: &Section<'_>, faults: &mut Faults) -> Option<u64> {
    if section.get("minimum-rate").is_none() {
        return Some(Endpoint::MINIMUM_RATE);
    }
    let rate = section.number("minimum-rate", 0..=1_000_000, faults)?;
    u64::try_from(rate).ok()
}

fn connections(
    section: &Section<'_>,
    provider: Option<(&Preset, Protocol)>,
    faults: &mut Faults,
) -> Option<usize> {
    let node = section.get("connections");
    let (preset, protocol) = provider?;
    let Some(node) = node else {
        return Some(protocol.usual_connections());
    };
    let most = preset.most_connections(protocol);
    let number = match protocol {
        Protocol::Imap => section.number("connections", 1..=i64::try_from(most).ok()?, faults)?,
        Protocol::Pop3 => {
            let one = section.number("connections", 1..=32, faults)?;
            if one > 1 {
                let message =
                    format!("expected 1, found {one}: a POP3 maildrop takes one session at a time");
                faults.add(&node.place, &section.key("connections"), message);
                return None;
            }
            one
        }
    };
    usize::try_from(number).ok()
}

/// Is this host this machine itself?
pub(super) fn is_loopback(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
