//! Servers from an e-mail address: a provider that is known, what the domain itself says (Thunderbird's autoconfig), then
//! common names. Only what answers with a trusted certificate is taken.

use crate::error::{Code, End, Error, Kind, Result};
use crate::job::Protocol;
use crate::job::providers::{Book, Provider, Wanted};
use crate::net::{Endpoint, Security, Trace, Trust, connect, http};
use std::time::Duration;

/// How long one server, or one description, is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where a mailbox may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub protocol: Protocol,
    pub host: String,
    pub port: u16,
    pub security: Security,
    /// Who signs in.
    pub user: String,
    /// The `preset` of a known provider.
    pub preset: Option<String>,
    pub wanted: Wanted,
    /// How it was found, in words.
    pub found: &'static str,
}

/// An address in its two parts, the domain in lower case.
///
/// # Errors
/// `Code::Usage` where it is none.
pub fn parts(address: &str) -> Result<(&str, String)> {
    let plain = |c: char| c.is_ascii_graphic() && !"\"'<>,;:\\/%".contains(c);
    let split = address.trim().rsplit_once('@');
    match split {
        Some((local, domain))
            if !local.is_empty() && domain.contains('.') && address.trim().chars().all(plain) =>
        {
            Ok((local, domain.to_ascii_lowercase()))
        }
        _ => {
            let what = format!("{address:?} is no e-mail address");
            Err(Error::new(Kind::Job, Code::Usage, what).hint("budi@example.org"))
        }
    }
}

/// Where to look, the best first; nothing is tried yet but the domain's own description. `fetch` gets what stands at an
/// https address.
pub fn candidates(
    address: &str,
    protocols: &[Protocol],
    book: &Book,
    fetch: &mut dyn FnMut(&str) -> Option<String>,
) -> Result<Vec<Candidate>> {
    let (local, domain) = parts(address)?;
    if let Some(provider) = book.of_domain(&domain) {
        return Ok(of_provider(provider, address.trim(), protocols));
    }
    let described = described(address.trim(), local, &domain, fetch);
    let mut found: Vec<Candidate> = described
        .into_iter()
        .filter(|c| protocols.contains(&c.protocol))
        .collect();
    for protocol in protocols {
        found.extend(common(address.trim(), &domain, *protocol));
    }
    // Mail that a provider keeps for other domains has the provider's habits.
    for candidate in &mut found {
        if let Some(provider) = book.at(&candidate.host) {
            candidate.preset = Some(provider.name.clone());
            candidate.wanted = provider.secret;
        }
    }
    Ok(found)
}

fn of_provider(provider: &Provider, address: &str, protocols: &[Protocol]) -> Vec<Candidate> {
    let of = |protocol: &Protocol| {
        let door = provider.door(*protocol)?;
        let security = door.security();
        Some(Candidate {
            protocol: *protocol,
            host: door.host.clone(),
            port: door.port.unwrap_or(protocol.port(security)),
            security,
            user: address.to_owned(),
            preset: Some(provider.name.clone()),
            wanted: provider.secret,
            found: "a provider that is known",
        })
    };
    protocols.iter().filter_map(of).collect()
}

/// What the domain says of itself: both places that Thunderbird looks at, by https alone, since whoever could change it on
/// the way would get the password.
fn described(
    address: &str,
    local: &str,
    domain: &str,
    fetch: &mut dyn FnMut(&str) -> Option<String>,
) -> Vec<Candidate> {
    let places = [
        format!("https://autoconfig.{domain}/mail/config-v1.1.xml?emailaddress={address}"),
        format!("https://{domain}/.well-known/autoconfig/mail/config-v1.1.xml"),
    ];
    let text = places.iter().find_map(|place| fetch(place));
    text.map_or_else(Vec::new, |text| autoconfig(&text, address, local, domain))
}

/// The incoming servers of a description, in its order; plain ones are passed over.
fn autoconfig(xml: &str, address: &str, local: &str, domain: &str) -> Vec<Candidate> {
    let Ok(document) = roxmltree::Document::parse(xml) else {
        return Vec::new();
    };
    let fill = |text: &str| {
        text.replace("%EMAILADDRESS%", address)
            .replace("%EMAILLOCALPART%", local)
            .replace("%EMAILDOMAIN%", domain)
    };
    let server = |node: roxmltree::Node<'_, '_>| {
        let text = |name: &str| {
            let child = node.children().find(|child| child.has_tag_name(name))?;
            child.text().map(|text| text.trim().to_owned())
        };
        let host = fill(&text("hostname")?);
        let is_host = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
        if host.is_empty() || !host.chars().all(is_host) {
            return None;
        }
        Some(Candidate {
            protocol: match node.attribute("type")? {
                "imap" => Protocol::Imap,
                "pop3" => Protocol::Pop3,
                _ => return None,
            },
            host,
            port: text("port")?.parse().ok()?,
            security: match text("socketType")?.as_str() {
                "SSL" => Security::Tls,
                "STARTTLS" => Security::StartTls,
                _ => return None,
            },
            user: text("username").map_or(address.to_owned(), |user| fill(&user)),
            preset: None,
            wanted: Wanted::Password,
            found: "what the domain says of itself",
        })
    };
    let servers = document.descendants();
    servers
        .filter(|node| node.has_tag_name("incomingServer"))
        .filter_map(server)
        .collect()
}

fn common(address: &str, domain: &str, protocol: Protocol) -> Vec<Candidate> {
    let names = match protocol {
        Protocol::Imap => ["imap", "mail"],
        Protocol::Pop3 => ["pop", "mail"],
    };
    let of = |name: &str| Candidate {
        protocol,
        host: format!("{name}.{domain}"),
        port: protocol.port(Security::Tls),
        security: Security::Tls,
        user: address.to_owned(),
        preset: None,
        wanted: Wanted::Password,
        found: "a common name",
    };
    names.iter().map(|name| of(name)).collect()
}

impl Candidate {
    #[must_use]
    pub fn endpoint(&self, end: End) -> Endpoint {
        Endpoint {
            end,
            host: self.host.clone(),
            port: self.port,
            security: self.security,
            trust: Trust::System,
            timeout: PATIENCE,
            trace: Trace::default(),
            minimum_rate: Endpoint::MINIMUM_RATE,
        }
    }
}

/// The first that answers, with a trusted certificate where it has TLS from the first byte; else why the last one did not.
pub fn first_answering(candidates: Vec<Candidate>, end: End) -> Result<Candidate> {
    let what = format!("no server was found for the {end}");
    let mut failure = Error::new(Kind::Account, Code::Connect, what).at(end);
    for candidate in candidates {
        match connect(&candidate.endpoint(end)) {
            Ok(_) => return Ok(candidate),
            Err(e) => failure = e,
        }
    }
    let flag = match end {
        End::Source => "--from-server",
        End::Destination => "--to-server",
    };
    Err(failure.hint(format!("name the server: {flag} imap.example.org")))
}

/// What stands at an https address.
#[must_use]
pub fn fetch(url: &str) -> Option<String> {
    http::get(url, PATIENCE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    const XML: &str = r#"<?xml version="1.0"?>
<clientConfig version="1.1"><emailProvider id="u.example">
 <incomingServer type="pop3"><hostname>pop.%EMAILDOMAIN%</hostname><port>995</port><socketType>SSL</socketType><username>%EMAILADDRESS%</username></incomingServer>
 <incomingServer type="imap"><hostname>plain.u.example</hostname><port>143</port><socketType>plain</socketType></incomingServer>
 <incomingServer type="imap"><hostname>mx.u.example</hostname><port>143</port><socketType>STARTTLS</socketType><username>%EMAILLOCALPART%</username></incomingServer>
 <incomingServer type="imap"><hostname>a b"c</hostname><port>143</port><socketType>SSL</socketType></incomingServer>
</emailProvider></clientConfig>"#;

    fn found(
        address: &str,
        protocols: &[Protocol],
        xml: Option<&str>,
    ) -> (Vec<Candidate>, Vec<String>) {
        let book = Book::load(Path::new("/nonexistent")).unwrap();
        let mut asked = Vec::new();
        let mut fetch = |url: &str| {
            asked.push(url.to_owned());
            xml.map(str::to_owned)
        };
        let found = candidates(address, protocols, &book, &mut fetch).unwrap();
        (found, asked)
    }

    #[test]
    fn a_known_provider_needs_no_asking() {
        let (found, asked) = found("Budi@Gmail.com", &[Protocol::Imap], None);
        assert!(asked.is_empty());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].host, "imap.gmail.com");
        assert_eq!(found[0].preset.as_deref(), Some("gmail"));
        assert_eq!(found[0].wanted, Wanted::AppPassword);
    }

    #[test]
    fn the_domain_is_asked_by_https_and_plain_servers_are_passed_over() {
        let both = [Protocol::Imap, Protocol::Pop3];
        let (found, asked) = found("budi@u.example", &both, Some(XML));
        assert_eq!(asked.len(), 1);
        assert!(asked[0].starts_with("https://autoconfig.u.example/"));
        let shown: Vec<String> = found
            .iter()
            .map(|c| format!("{}:{} {}", c.host, c.port, c.user))
            .collect();
        assert_eq!(shown[0], "pop.u.example:995 budi@u.example");
        assert_eq!(shown[1], "mx.u.example:143 budi");
        assert_eq!(found[1].security, Security::StartTls);
        assert_eq!(shown[2], "imap.u.example:993 budi@u.example");
        assert_eq!(shown.len(), 6);
    }

    #[test]
    fn without_a_description_common_names_remain() {
        for xml in [None, Some("<html>"), Some("")] {
            let (found, _) = found("budi@u.example", &[Protocol::Pop3], xml);
            let hosts: Vec<&str> = found.iter().map(|c| c.host.as_str()).collect();
            assert_eq!(hosts, ["pop.u.example", "mail.u.example"]);
        }
    }

    #[test]
    fn what_is_no_address_is_told() {
        for bad in [
            "budi",
            "@u.example",
            "budi@localhost",
            "a b@u.example",
            "a@u.example/x",
        ] {
            assert_eq!(parts(bad).unwrap_err().code, Code::Usage, "{bad}");
        }
    }
}
