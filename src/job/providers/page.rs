//! docs/providers.md, from the same data that the program uses.

use super::{Behaviour, Book, Door, Provider, Wanted};
use crate::job::Protocol;

const HEAD: &str = "# Providers

This page is made from the file that is compiled into mailhaul ([providers.toml](../src/job/providers/providers.toml)); a test holds both equal.
Hosts and limits are the providers' own words or public reports.

`preset = \"NAME\"` in `[source]` or `[destination]` takes host, port, security, limits and habits from here; what the job says itself wins. Without
`preset` a provider is recognised by the host, else by the server's greeting or its answer to ID (RFC 2971), and the plan says what was assumed;
`preset = \"generic\"` assumes nothing. A greeting is heard too late for what holds from the start: how many connections are made, whether letters' case counts in folder
names, what is read back. For those the job names the preset, as `mailhaul check JOB` advises.

How to get what you sign in with: [accounts.md](accounts.md).

| preset | who | IMAP | POP3 | sign in with |
|---|---|---|---|---|
";

const OWN: &str = "
## Your own

A file `providers.toml` beside the job has the same form, and its entries win over those above:

    version = 1

    [[provider]]
    name = \"university\"                       # preset = \"university\"
    title = \"University mail\"
    recognise = [\"imap.university.example\"]   # taken for it where the job names no preset
    domains = [\"university.example\"]          # for mailhaul init
    imap = { host = \"imap.university.example\" }   # port and security where they are not 993 and \"tls\"
    secret = \"password\"                       # or \"app-password\", \"oauth2\"
    connections = 8
    separator = \".\"
    says = [\"University IMAP\"]         # recognised by its greeting, or by the name that it answers to ID
    destination-notes = [\"…\"]           # sentences for the plan; imap-notes and pop3-notes are about a source
    append-limit = \"50 MB\"

";

const EVERYWHERE: &str = "
What is coped with whoever the server is, for nobody can know where it is met next:

- mail is looked for by UID FETCH, never by SEARCH, whose index lags (QQ, Yandex); sets of UIDs always ascend (QQ)
- bodies come by BODY.PEEK[], never by RFC822 or by what needs BODYSTRUCTURE (iCloud, Exchange, mail.ru); an OK without one is asked again
- what the server refuses to give is asked for in ever smaller parts, until what it never gives is alone and told (Yahoo, AOL)
- ID is said to every server that offers it, before a folder is opened, and never empty (163, GMX)
- a number, a space or a text that is missing or too many in STATUS, COPYUID, APPENDUID, PERMANENTFLAGS and HIGHESTMODSEQ is passed over (Exchange, Fastmail, Gmail)
- folders with SPECIAL-USE are matched by their use, whatever they are called; `Inbox` in any case is the inbox (Gmail, Exchange)
- flags with a backslash that are none of IMAP's are left out (Dovecot); a keyword or date that is refused is left out at a second try, and told (iCloud, Zimbra)
- CONDSTORE is used and QRESYNC is not: what it saves is small, and servers differ in it
- a server without NAMESPACE is asked for its separator by LIST (hMailServer)
- \"Suggested Backoff Time\" and the codes of RFC 5530 are heeded (Exchange); a connection that is dropped without a word means fewer connections (Courier)
- mail is matched by Message-ID with what else is known, so that rewritten headers do not double it (Domino, DBMail, SmarterMail)
";

/// The whole page, in Markdown.
#[must_use]
pub fn page(book: &Book) -> String {
    let mut page = HEAD.to_owned();
    for provider in &book.providers {
        page.push_str(&row(provider));
    }
    page.push_str("\n## Limits and habits\n\n");
    for provider in &book.providers {
        let facts = facts(provider);
        if !facts.is_empty() {
            line(
                &mut page,
                &format!("- **{}**: {}", provider.name, facts.join("; ")),
            );
        }
    }
    page.push_str("\nNamed habits, and what mailhaul does about them:\n\n");
    for behaviour in Behaviour::ALL {
        line(&mut page, &format!("- {}", behaviour.meaning()));
    }
    page.push_str(EVERYWHERE);
    page.push_str("\n## Authorization servers\n\n");
    for server in &book.authorizations {
        let scopes: Vec<String> = server.scopes.iter().map(|s| format!("`{s}`")).collect();
        let device = server
            .device_url
            .as_ref()
            .map_or("browser only", |_| "browser or device code");
        line(
            &mut page,
            &format!(
                "- **{}**: {device}; scopes {}",
                server.name,
                scopes.join(", ")
            ),
        );
    }
    page.push_str(OWN);
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

fn line(page: &mut String, text: &str) {
    page.push_str(text);
    page.push('\n');
}

fn row(provider: &Provider) -> String {
    let door = |door: &Option<Door>, protocol: Protocol| match door {
        None => "–".to_owned(),
        Some(door) => {
            let port = door.port.unwrap_or(protocol.port(door.security()));
            format!("{}:{port}", door.host)
        }
    };
    let secret = match (provider.secret, &provider.authorization) {
        (Wanted::Password, _) => "password",
        (Wanted::AppPassword, None) => "app password",
        (Wanted::AppPassword, Some(_)) => "app password or OAuth 2.0",
        (Wanted::Oauth2, _) => "OAuth 2.0",
    };
    format!(
        "| `{}` | {} | {} | {} | {secret} |\n",
        provider.name,
        provider.title,
        door(&provider.imap, Protocol::Imap),
        door(&provider.pop3, Protocol::Pop3),
    )
}

fn facts(provider: &Provider) -> Vec<String> {
    let daily = &provider.daily;
    let a_day = |size: Option<super::Size>, what: &str| size.map(|s| format!("{s} a day {what}"));
    let mut facts: Vec<String> = [
        provider
            .connections
            .map(|n| format!("at most {n} connections")),
        provider.append_limit.map(|s| format!("messages up to {s}")),
        provider
            .separator
            .map(|c| format!("folder names are separated by `{c}`")),
        a_day(daily.imap_down, "read by IMAP"),
        a_day(daily.imap_up, "stored by IMAP"),
        a_day(daily.pop3_down, "read by POP3"),
        provider
            .pop3_lists_at_most
            .map(|n| format!("a POP3 session lists about {n} messages")),
    ]
    .into_iter()
    .flatten()
    .collect();
    for behaviour in &provider.behaviours {
        let name = behaviour.meaning().split(':').next().unwrap_or_default();
        facts.push(name.to_owned());
    }
    facts
}
