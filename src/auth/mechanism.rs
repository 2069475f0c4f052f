//! Ways to sign in, and which of them are tried in which order.

use super::{Credentials, Secret};

/// A way to sign in: a SASL mechanism, or a command of the protocol's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// RFC 7677.
    ScramSha256,
    /// RFC 5802.
    ScramSha1,
    /// RFC 2195.
    CramMd5,
    /// POP3's own challenge (RFC 1939 §7).
    Apop,
    /// RFC 4616.
    Plain,
    /// No RFC; the password in base64.
    Login,
    /// IMAP's LOGIN, POP3's USER and PASS: the password as it is.
    UserPass,
    /// RFC 7628: a token of OAuth 2.0.
    OAuthBearer,
    /// Google's and Microsoft's own form of the same.
    XOAuth2,
}

impl Mechanism {
    /// The strongest first.
    pub const ALL: [Mechanism; 9] = [
        Mechanism::OAuthBearer,
        Mechanism::XOAuth2,
        Mechanism::ScramSha256,
        Mechanism::ScramSha1,
        Mechanism::CramMd5,
        Mechanism::Apop,
        Mechanism::Plain,
        Mechanism::Login,
        Mechanism::UserPass,
    ];

    /// The name as servers tell it, in upper case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Mechanism::ScramSha256 => "SCRAM-SHA-256",
            Mechanism::ScramSha1 => "SCRAM-SHA-1",
            Mechanism::CramMd5 => "CRAM-MD5",
            Mechanism::Apop => "APOP",
            Mechanism::Plain => "PLAIN",
            Mechanism::Login => "LOGIN",
            Mechanism::UserPass => "USER-PASS",
            Mechanism::OAuthBearer => "OAUTHBEARER",
            Mechanism::XOAuth2 => "XOAUTH2",
        }
    }

    /// The name as a job writes it, in lower case.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Mechanism::ScramSha256 => "scram-sha-256",
            Mechanism::ScramSha1 => "scram-sha-1",
            Mechanism::CramMd5 => "cram-md5",
            Mechanism::Apop => "apop",
            Mechanism::Plain => "plain",
            Mechanism::Login => "login",
            Mechanism::UserPass => "user-pass",
            Mechanism::OAuthBearer => "oauthbearer",
            Mechanism::XOAuth2 => "xoauth2",
        }
    }

    /// Does it carry a token instead of a password?
    #[must_use]
    pub fn takes_token(self) -> bool {
        matches!(self, Mechanism::OAuthBearer | Mechanism::XOAuth2)
    }

    /// Does it carry the mailbox apart from whose password it is (RFC 4422 §3.4.1)?
    #[must_use]
    pub fn carries_master(self) -> bool {
        matches!(
            self,
            Mechanism::ScramSha256 | Mechanism::ScramSha1 | Mechanism::Plain
        )
    }

    /// Is the password never sent, so that a server which only keeps a hash of another kind cannot check it?
    fn only_proves(self) -> bool {
        matches!(
            self,
            Mechanism::ScramSha256 | Mechanism::ScramSha1 | Mechanism::CramMd5 | Mechanism::Apop
        )
    }

    /// May it be spoken where others could listen and nobody has proved who the server is?
    fn needs_privacy(self) -> bool {
        self.takes_token()
    }
}

/// What a server offers on this connection.
#[derive(Debug, Clone, Copy)]
pub struct Offer<'a> {
    /// Names of SASL mechanisms, upper case.
    pub sasl: &'a [String],
    /// POP3's greeting had a timestamp.
    pub apop: bool,
    /// The protocol's own command with the password as it is is not forbidden.
    pub user_pass: bool,
    /// TLS, or this very machine: nobody listens.
    pub private: bool,
}

impl Offer<'_> {
    fn has(&self, mechanism: Mechanism) -> bool {
        match mechanism {
            Mechanism::Apop => self.apop,
            Mechanism::UserPass => self.user_pass,
            other => self.sasl.iter().any(|name| name == other.name()),
        }
    }

    /// The ways that both sides have, the strongest first; one alone where the job forces it. Empty where there is none:
    /// [`Offer::why_none`] then says why.
    #[must_use]
    pub fn ways(&self, credentials: &Credentials) -> Vec<Mechanism> {
        let fits = |m: &Mechanism| {
            credentials.mechanism.is_none_or(|forced| forced == *m)
                && m.takes_token() == matches!(credentials.secret, Secret::Token(_))
                && (credentials.master.is_none() || m.carries_master())
                && (self.private || !m.needs_privacy())
        };
        let all = Mechanism::ALL.into_iter();
        let mut ways: Vec<Mechanism> = all.filter(|m| self.has(*m)).filter(fits).collect();
        if self.private {
            // Where nobody listens its MD5 protects nothing, and many servers show a timestamp without taking APOP.
            ways.sort_by_key(|m| match m {
                Mechanism::Apop => 1,
                Mechanism::UserPass => 2,
                _ => 0,
            });
        }
        ways
    }

    /// The way to try after `tried` was refused: a server that keeps hashes offers proofs which it cannot check, so the
    /// password itself is sent once, where nobody listens and the job forces nothing.
    #[must_use]
    pub fn after_refusal(&self, tried: Mechanism, ways: &[Mechanism]) -> Option<Mechanism> {
        if !self.private || !tried.only_proves() {
            return None;
        }
        let behind = ways.iter().skip_while(|m| **m != tried).skip(1);
        behind.copied().find(|m| !m.only_proves())
    }

    /// One sentence and a hint, for an error where [`Offer::ways`] is empty.
    #[must_use]
    pub fn why_none(&self, credentials: &Credentials) -> (String, &'static str) {
        let offered = match self.sasl {
            [] => "no mechanism".to_owned(),
            names => names.join(", "),
        };
        let token = matches!(credentials.secret, Secret::Token(_));
        if token && !self.private {
            let what = "a token is not sent over an unencrypted connection";
            return (what.to_owned(), "security = \"tls\" or \"starttls\"");
        }
        if let Some(forced) = credentials.mechanism {
            let what = format!(
                "{} is not to be had here: the server offers {offered}",
                forced.name()
            );
            return (what, "leave `mechanism` out, or name one that is offered");
        }
        if token {
            let what = format!("the server takes no token: it offers {offered}");
            return (what, "password = { prompt = true } or another password");
        }
        if credentials.master.is_some() {
            let what = format!("no way to sign in for somebody else: the server offers {offered}");
            return (
                what,
                "leave `master-user` out; for Dovecot user = \"budi*admin\" may do",
            );
        }
        let what = format!(
            "the server offers no way to log in that mailhaul knows here: it offers {offered}"
        );
        (
            what,
            "security = \"tls\" or \"starttls\", or OAuth 2.0 (password = { oauth2 = … })",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer<'a>(sasl: &'a [String], private: bool) -> Offer<'a> {
        Offer {
            sasl,
            apop: true,
            user_pass: true,
            private,
        }
    }

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    fn budi() -> Credentials {
        Credentials::with_password("budi", "geheim")
    }

    #[test]
    fn the_strongest_of_both_sides_comes_first() {
        let sasl = names(&[
            "PLAIN",
            "XOAUTH2",
            "CRAM-MD5",
            "SCRAM-SHA-1",
            "SCRAM-SHA-256",
        ]);
        let ways = offer(&sasl, true).ways(&budi());
        use Mechanism::{Apop, CramMd5, Plain, ScramSha1, ScramSha256, UserPass};
        let private = [ScramSha256, ScramSha1, CramMd5, Plain, Apop, UserPass];
        assert_eq!(ways, private);
        let ways = offer(&sasl, false).ways(&budi());
        assert_eq!(ways[3..], [Apop, Plain, UserPass]);
    }

    #[test]
    fn a_refused_proof_is_followed_by_the_password_once_and_only_in_private() {
        let sasl = names(&["PLAIN", "SCRAM-SHA-256", "CRAM-MD5"]);
        let private = offer(&sasl, true);
        let ways = private.ways(&budi());
        let next = private.after_refusal(Mechanism::ScramSha256, &ways);
        assert_eq!(next, Some(Mechanism::Plain));
        assert_eq!(private.after_refusal(Mechanism::Plain, &ways), None);
        let open = offer(&sasl, false);
        let ways = open.ways(&budi());
        assert_eq!(open.after_refusal(Mechanism::ScramSha256, &ways), None);
    }

    #[test]
    fn a_master_needs_a_mechanism_that_carries_two_names() {
        let sasl = names(&["CRAM-MD5", "LOGIN", "PLAIN"]);
        let mut credentials = budi();
        credentials.master = Some("admin".into());
        let all = offer(&sasl, true);
        assert_eq!(all.ways(&credentials), [Mechanism::Plain]);
        let none = offer(&sasl[..2], true);
        assert!(none.ways(&credentials).is_empty());
        assert!(none.why_none(&credentials).0.contains("CRAM-MD5, LOGIN"));
    }

    #[test]
    fn a_forced_one_is_the_only_one() {
        let sasl = names(&["PLAIN", "CRAM-MD5"]);
        let mut credentials = budi();
        credentials.mechanism = Some(Mechanism::Plain);
        let all = offer(&sasl, true);
        assert_eq!(all.ways(&credentials), [Mechanism::Plain]);
        credentials.mechanism = Some(Mechanism::ScramSha1);
        assert!(all.ways(&credentials).is_empty());
        let (what, _) = all.why_none(&credentials);
        assert!(
            what.contains("SCRAM-SHA-1") && what.contains("PLAIN"),
            "{what}"
        );
    }

    #[test]
    fn words_and_names_are_one() {
        for mechanism in Mechanism::ALL {
            assert_eq!(mechanism.word().to_ascii_uppercase(), mechanism.name());
        }
    }
}
