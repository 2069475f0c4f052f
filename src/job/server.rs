//! What sources and destinations have in common: a server, how it is reached, who logs in.

use super::error::{Faults, quoted};
use super::fill::first_column;
use super::local::Word;
use super::secret;
use super::section::{Section, as_text};
use super::spec::{Preset, Protocol};
use super::store::{LocalFormat, Server};
use crate::auth::Mechanism;
use crate::error::End;
use crate::net::{Endpoint, Security, Trust};
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(300);

/// What a server's table is checked against besides itself.
pub(super) struct Context<'a> {
    pub(super) end: End,
    /// The job file's directory.
    pub(super) dir: &'a Path,
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
    let preset = preset(section, faults);
    let security = security(section, faults);
    let host = host(section, preset.zip(protocol), context, faults);
    let port = section.number("port", 1..=65535, faults);
    let user = user(section, context, faults);
    let master_user = master_user(section, context, faults);
    let mechanism = mechanism(section, protocol, faults);
    let password = secret::password(section, context.dir, faults);
    let trust = trust(section, security, context.dir, faults);
    let timeout = timeout(section, faults);
    let connections = connections(section, preset.zip(protocol), faults);
    let (protocol, security) = (protocol?, security?);
    let usual = protocol.port(security);
    Some(Server {
        protocol,
        preset: preset?,
        endpoint: Endpoint {
            end: context.end,
            host: host?,
            port: port.map_or(usual, |port| u16::try_from(port).unwrap_or(usual)),
            security,
            trust: trust?,
            timeout: timeout?,
        },
        user: user?,
        master_user,
        password: password?,
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
        ("archive", Some(Word::Local(LocalFormat::Archive))),
    ];
    if section.get("protocol").is_none() {
        let hint = r#"protocol = "imap""#;
        let what = r#""imap", "pop3", "maildir", "mbox" or "archive""#;
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

fn preset(section: &Section<'_>, faults: &mut Faults) -> Option<Preset> {
    let words = [
        ("generic", Some(Preset::Generic)),
        ("gmail", Some(Preset::Gmail)),
    ];
    match section.get("preset") {
        None => Some(Preset::default()),
        Some(_) => section.choice("preset", &words, faults),
    }
}

fn security(section: &Section<'_>, faults: &mut Faults) -> Option<Security> {
    let words = [
        ("tls", Some(Security::Tls)),
        ("starttls", Some(Security::StartTls)),
        ("plain", Some(Security::Plain)),
    ];
    match section.get("security") {
        None => Some(Security::Tls),
        Some(_) => section.choice("security", &words, faults),
    }
}

fn host(
    section: &Section<'_>,
    provider: Option<(Preset, Protocol)>,
    context: &Context<'_>,
    faults: &mut Faults,
) -> Option<String> {
    let what = "the name or address of a server";
    let Some(node) = section.get("host") else {
        let (preset, protocol) = provider?;
        if let Some(host) = preset.host(protocol) {
            return Some(host.to_owned());
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
    faults: &mut Faults,
) -> Option<Mechanism> {
    let fits = |m: &Mechanism| *m != Mechanism::Apop || protocol != Some(Protocol::Imap);
    let all = Mechanism::ALL.into_iter().filter(fits);
    let words: Vec<(&str, Option<Mechanism>)> = all.map(|m| (m.word(), Some(m))).collect();
    section.choice("mechanism", &words, faults)
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

fn connections(
    section: &Section<'_>,
    provider: Option<(Preset, Protocol)>,
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
