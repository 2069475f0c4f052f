//! The file of providers: the one compiled in, and a person's own.

use super::Provider;
use crate::auth::oauth::Authorization;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

const BUILT_IN: &str = include_str!("providers.toml");

/// A person's own file, beside the job.
pub(super) const OWN: &str = "providers.toml";

/// All that is known of providers and authorization servers.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Book {
    version: u32,
    #[serde(default, rename = "provider")]
    pub providers: Vec<Provider>,
    #[serde(default, rename = "authorization")]
    pub authorizations: Vec<AuthorizationServer>,
}

/// An authorization server as the file writes it; `{tenant}` in its URLs is the job's.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AuthorizationServer {
    pub name: String,
    pub token_url: String,
    pub authorization_url: Option<String>,
    pub device_url: Option<String>,
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Scopes for a client that asks in its own name.
    #[serde(default)]
    pub client_scopes: Vec<String>,
    #[serde(default)]
    pub extra: BTreeMap<String, String>,
    pub redirect_host: Option<String>,
}

impl Book {
    /// What is compiled in, and the own file of `dir`, whose entries win. Errors: the own file's, in one line.
    pub fn load(dir: &Path) -> Result<Self, String> {
        let mut book = Book::parse(BUILT_IN)?;
        let path = dir.join(OWN);
        let own = match std::fs::read_to_string(&path) {
            Ok(text) => Book::parse(&text).map_err(|e| format!("{}: {e}", path.display()))?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(book),
            Err(e) => return Err(format!("{}: {e}", path.display())),
        };
        book.providers.splice(0..0, own.providers);
        book.authorizations.splice(0..0, own.authorizations);
        Ok(book)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let book: Book = toml::from_str(text).map_err(|e| one_line(&e, text))?;
        if book.version != 1 {
            return Err(format!("version: expected 1, found {}", book.version));
        }
        Ok(book)
    }

    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Provider> {
        self.providers.iter().find(|p| p.name == name)
    }

    /// The provider of a server's name.
    #[must_use]
    pub fn at(&self, host: &str) -> Option<&Provider> {
        self.providers.iter().find(|p| p.is_at(host))
    }

    /// The provider of an address's domain.
    #[must_use]
    pub fn of_domain(&self, domain: &str) -> Option<&Provider> {
        let is = |d: &String| d.eq_ignore_ascii_case(domain);
        self.providers.iter().find(|p| p.domains.iter().any(is))
    }

    #[must_use]
    pub fn authorization(&self, name: &str) -> Option<&AuthorizationServer> {
        self.authorizations.iter().find(|a| a.name == name)
    }
}

impl AuthorizationServer {
    /// For a job's `tenant` (`common` where it has none), in a person's name or the client's own.
    #[must_use]
    pub fn endpoints(&self, tenant: &str, in_own_name: bool) -> Authorization {
        let of = |url: &String| url.replace("{tenant}", tenant);
        let scopes = if in_own_name {
            &self.client_scopes
        } else {
            &self.scopes
        };
        let extra = self.extra.iter();
        let host = self.redirect_host.as_deref().unwrap_or("127.0.0.1");
        Authorization {
            token_url: of(&self.token_url),
            authorization_url: self.authorization_url.as_ref().map(of),
            device_url: self.device_url.as_ref().map(of),
            scopes: scopes.clone(),
            extra: extra.map(|(k, v)| (k.clone(), v.clone())).collect(),
            redirect_host: host.to_owned(),
        }
    }
}

fn one_line(e: &toml::de::Error, text: &str) -> String {
    let line = e.span().map_or(1, |span| {
        let before = text.as_bytes().get(..span.start).unwrap_or_default();
        1 + memchr::memchr_iter(b'\n', before).count()
    });
    format!("line {line}: {}", e.message())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn names_hosts_and_domains_are_each_in_one_place() {
        let book = Book::load(Path::new("/nonexistent")).unwrap();
        let all = |of: fn(&Provider) -> Vec<String>| {
            let mut all: Vec<String> = book.providers.iter().flat_map(of).collect();
            let count = all.len();
            all.sort();
            all.dedup();
            assert_eq!(all.len(), count);
            count
        };
        assert!(all(|p| vec![p.name.clone()]) >= 20);
        assert!(all(|p| p.recognise.clone()) > 20);
        assert!(all(|p| p.domains.clone()) > 20);
        for provider in &book.providers {
            let name = provider.authorization.as_deref();
            assert!(name.is_none_or(|name| book.authorization(name).is_some()));
        }
        assert_eq!(book.at("IMAP.gmail.com").unwrap().name, "gmail");
        assert_eq!(book.of_domain("Hotmail.com").unwrap().name, "outlook");
        assert!(book.at("imap.example").is_none());
    }

    #[test]
    fn a_persons_own_file_adds_and_wins_and_its_faults_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let write = |text: &str| {
            let path = dir.path().join(OWN);
            crate::fs::persist(&path, |file| file.write_all(text.as_bytes())).unwrap();
        };
        write(
            "version = 1\n[[provider]]\nname = \"gmail\"\ntitle = \"Mine\"\nsecret = \"password\"\n",
        );
        let book = Book::load(dir.path()).unwrap();
        assert_eq!(book.named("gmail").unwrap().title, "Mine");
        assert!(book.named("yahoo").is_some());
        write(
            "version = 1\n[[provider]]\nname = \"x\"\ntitle = \"X\"\nsecret = \"password\"\nbehaviours = [\"fly\"]\n",
        );
        let e = Book::load(dir.path()).unwrap_err();
        assert!(e.contains("line 6") && e.contains("fly"), "{e}");
        write("version = 2\n");
        assert!(Book::load(dir.path()).unwrap_err().contains("expected 1"));
    }

    #[test]
    fn a_tenant_stands_in_the_urls() {
        let book = Book::load(Path::new("/nonexistent")).unwrap();
        let microsoft = book.authorization("microsoft").unwrap();
        let endpoints = microsoft.endpoints("contoso.example", true);
        assert!(endpoints.token_url.contains("/contoso.example/oauth2"));
        assert_eq!(endpoints.scopes, ["https://outlook.office365.com/.default"]);
        assert_eq!(endpoints.redirect_host, "localhost");
    }
}
