//! What is known of providers: hosts, limits and what a user has to know beforehand.

use super::spec::{Preset, Protocol};
use crate::net::Security;

impl Preset {
    /// The provider's server for a protocol; `None`: the job has to name it.
    #[must_use]
    pub fn host(self, protocol: Protocol) -> Option<&'static str> {
        match (self, protocol) {
            (Preset::Gmail, Protocol::Imap) => Some("imap.gmail.com"),
            (Preset::Gmail, Protocol::Pop3) => Some("pop.gmail.com"),
            (Preset::Generic, _) => None,
        }
    }

    /// The most connections the provider allows at once. A POP3 maildrop takes one session (RFC 1939 §8).
    #[must_use]
    pub fn most_connections(self, protocol: Protocol) -> usize {
        match (self, protocol) {
            (_, Protocol::Pop3) => 1,
            (Preset::Gmail, Protocol::Imap) => 15,
            (Preset::Generic, Protocol::Imap) => 32,
        }
    }

    /// About how many messages one POP3 session lists before the rest comes in the next one; `None`: all.
    #[must_use]
    pub fn pop3_lists_at_most(self) -> Option<u32> {
        match self {
            Preset::Gmail => Some(300),
            Preset::Generic => None,
        }
    }

    /// Does the provider take `Sent` and `SENT` for one folder?
    #[must_use]
    pub fn folders_ignore_case(self) -> bool {
        self == Preset::Gmail
    }

    /// What `plan` tells about a source of this kind, a sentence each.
    #[must_use]
    pub fn notes(self, protocol: Protocol) -> &'static [&'static str] {
        match (self, protocol) {
            (Preset::Generic, Protocol::Imap) => &[],
            (Preset::Gmail, Protocol::Imap) => &[
                "Gmail's labels appear as folders: a message with two labels is copied into two folders.",
                "Mail that was archived and has no label stands only in All Mail: name that folder in [folders] include to copy it too.",
            ],
            (Preset::Generic, Protocol::Pop3) => &[
                "POP3 shows the inbox alone: no other folders, no flags; read and unread are not known. Dates are taken from the messages' own headers.",
            ],
            (Preset::Gmail, Protocol::Pop3) => &[
                "Gmail's POP3 shows no folders, no flags and no labels; over IMAP they would come along.",
                "Gmail's POP3 lists about 250 to 300 messages a session, oldest first; mailhaul opens sessions until one lists nothing new.",
                "What Gmail does with mail that POP3 has fetched (keep, mark read, archive, delete) is a setting of the account there; look at it first.",
            ],
        }
    }
}

impl Protocol {
    /// The word of a job, and the scheme of an address.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Protocol::Pop3 => "pop3",
            Protocol::Imap => "imap",
        }
    }

    /// The registered port (RFC 8314 §3, RFC 9051 §2.1, RFC 1939 §3).
    #[must_use]
    pub fn port(self, security: Security) -> u16 {
        match (self, security) {
            (Protocol::Imap, Security::Tls) => 993,
            (Protocol::Imap, _) => 143,
            (Protocol::Pop3, Security::Tls) => 995,
            (Protocol::Pop3, _) => 110,
        }
    }

    /// Connections at once where the job does not say.
    #[must_use]
    pub fn usual_connections(self) -> usize {
        match self {
            Protocol::Imap => 4,
            Protocol::Pop3 => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_follow_protocol_and_security() {
        use Protocol::{Imap, Pop3};
        use Security::{Plain, StartTls, Tls};
        let ports = [(Imap, Tls, 993), (Imap, StartTls, 143), (Imap, Plain, 143)];
        let pop_ports = [(Pop3, Tls, 995), (Pop3, StartTls, 110), (Pop3, Plain, 110)];
        for (protocol, security, port) in ports.into_iter().chain(pop_ports) {
            assert_eq!(protocol.port(security), port);
        }
    }

    #[test]
    fn gmail_over_pop3_tells_what_it_hides() {
        let notes = Preset::Gmail.notes(Protocol::Pop3).join(" ");
        assert!(notes.contains("no labels") && notes.contains("250 to 300"));
        assert!(Preset::Generic.notes(Protocol::Imap).is_empty());
    }
}
