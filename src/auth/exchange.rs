//! One run of a SASL mechanism: challenges in, answers out, no I/O. SCRAM, OAUTHBEARER and XOAUTH2 are `rsasl`'s.

use super::{Credentials, Mechanism, sasl};
use crate::error::{Code, Error, Kind, Result};
use rsasl::callback::{Context, Request, SessionCallback, SessionData};
use rsasl::prelude::{Mechname, SASLClient, SASLConfig, Session, SessionError};
use rsasl::property::{AuthId, AuthzId, OAuthBearerKV, OAuthBearerToken, Password};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

/// A server that names more rounds of SCRAM than this (an honest one names some 10,000) would only burn time.
const MOST_ROUNDS: u32 = 5_000_000;

/// Bytes to send, not yet in base64.
type Message = Zeroizing<Vec<u8>>;

/// What is said to a challenge.
#[derive(Debug)]
pub enum Answer {
    Send(Message),
    /// The exchange is to be cancelled (`*` in IMAP and POP3), for this reason.
    Cancel(String),
}

/// A mechanism at work.
pub struct Exchange {
    mechanism: Mechanism,
    names: Names,
    secret: SecretString,
    /// Of `rsasl`'s mechanisms.
    session: Option<Session>,
    /// Challenges answered so far.
    answered: u32,
    /// SCRAM: the server has shown that it knows the password too.
    proved: bool,
    /// What the server told about a refused token: JSON (RFC 7628 §3.2.2).
    told: Option<String>,
}

#[derive(Clone)]
struct Names {
    user: String,
    master: Option<String>,
    host: String,
    port: String,
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange")
            .field("mechanism", &self.mechanism)
            .finish_non_exhaustive()
    }
}

impl Exchange {
    /// `mechanism` is a SASL mechanism, not `Apop` or `UserPass`; `server`: the host and port that the job names.
    pub fn start(
        mechanism: Mechanism,
        credentials: &Credentials,
        secret: &SecretString,
        server: (&str, u16),
    ) -> Result<Self> {
        let names = Names {
            user: credentials.user.clone(),
            master: credentials.master.clone(),
            host: server.0.to_owned(),
            port: server.1.to_string(),
        };
        let session = match mechanism {
            Mechanism::ScramSha256
            | Mechanism::ScramSha1
            | Mechanism::OAuthBearer
            | Mechanism::XOAuth2 => Some(session(mechanism, &names, secret)?),
            _ => None,
        };
        Ok(Exchange {
            mechanism,
            names,
            secret: secret.clone(),
            session,
            answered: 0,
            proved: false,
            told: None,
        })
    }

    /// What the client says unasked; `None` where the server speaks first.
    pub fn first(&mut self) -> Result<Option<Message>> {
        match self.mechanism {
            Mechanism::CramMd5 | Mechanism::Login => Ok(None),
            Mechanism::Plain => {
                let (user, master) = (&self.names.user, self.names.master.as_deref());
                Ok(Some(sasl::plain(user, master, &self.secret)))
            }
            _ => self.step(None).map(|(message, _)| Some(message)),
        }
    }

    /// The answer to a challenge (out of base64).
    pub fn answer(&mut self, challenge: &[u8]) -> Answer {
        self.answered += 1;
        match self.mechanism {
            Mechanism::CramMd5 => self.cram(challenge),
            Mechanism::Login => self.login(),
            Mechanism::OAuthBearer | Mechanism::XOAuth2 => self.refused_token(challenge),
            Mechanism::ScramSha256 | Mechanism::ScramSha1 => self.scram(challenge),
            _ => self.unexpected(),
        }
    }

    /// The server has said that the client is in. Error: it has not shown that it knows the password (SCRAM), so it may be
    /// anybody.
    pub fn finish(&self) -> Result<()> {
        let scram = matches!(
            self.mechanism,
            Mechanism::ScramSha256 | Mechanism::ScramSha1
        );
        if !scram || self.proved {
            return Ok(());
        }
        let what = format!(
            "the server did not prove by {} that it knows the password: it may not be the right one",
            self.mechanism.name()
        );
        Err(Error::new(Kind::Account, Code::Auth, what))
    }

    /// What the server told of a token that it refused, raw.
    #[must_use]
    pub fn told(&self) -> Option<&str> {
        self.told.as_deref()
    }

    fn unexpected(&self) -> Answer {
        let name = self.mechanism.name();
        Answer::Cancel(format!("the server asks for more than {name} has"))
    }

    fn cram(&self, challenge: &[u8]) -> Answer {
        if self.answered > 1 {
            return self.unexpected();
        }
        Answer::Send(sasl::cram_md5(challenge, &self.names.user, &self.secret))
    }

    /// Servers word the two questions as they like: what counts is their order.
    fn login(&self) -> Answer {
        let bytes = match self.answered {
            1 => self.names.user.as_bytes(),
            2 => self.secret.expose_secret().as_bytes(),
            _ => return self.unexpected(),
        };
        Answer::Send(Zeroizing::new(bytes.to_vec()))
    }

    /// A challenge to a token is its refusal; an answer without content ends the exchange (RFC 7628 §3.2.3).
    fn refused_token(&mut self, challenge: &[u8]) -> Answer {
        if self.answered > 1 {
            return self.unexpected();
        }
        self.told = Some(String::from_utf8_lossy(challenge).into_owned());
        let empty: &[u8] = match self.mechanism {
            Mechanism::OAuthBearer => b"\x01",
            _ => b"",
        };
        Answer::Send(Zeroizing::new(empty.to_vec()))
    }

    fn scram(&mut self, challenge: &[u8]) -> Answer {
        if self.answered > 2 {
            return self.unexpected();
        }
        if rounds(challenge).is_some_and(|n| n > MOST_ROUNDS) {
            return Answer::Cancel("the server asks for too many rounds of SCRAM".to_owned());
        }
        match self.step(Some(challenge)) {
            Ok((message, done)) => {
                self.proved = done;
                Answer::Send(message)
            }
            Err(error) => Answer::Cancel(error.words.unwrap_or(error.what)),
        }
    }

    /// One step of `rsasl`: the message, and whether the exchange is complete.
    fn step(&mut self, input: Option<&[u8]>) -> Result<(Message, bool)> {
        // Taken: after an error `rsasl` panics at the next step.
        let Some(mut session) = self.session.take() else {
            return Err(broken(self.mechanism, &"the exchange is over"));
        };
        let mut message = Zeroizing::new(Vec::with_capacity(8 * 1024));
        let state = session
            .step(input, &mut *message)
            .map_err(|e| broken(self.mechanism, &e))?;
        let done = state.is_finished();
        self.session = (!done).then_some(session);
        Ok((message, done))
    }
}

/// The iteration count of a server's first message (RFC 5802 §5.1).
fn rounds(challenge: &[u8]) -> Option<u32> {
    let mut fields = challenge.split(|b| *b == b',');
    let digits = fields.find_map(|field| field.strip_prefix(b"i="))?;
    let digits = std::str::from_utf8(digits).ok()?;
    // Too long for a number is too many.
    Some(digits.parse().unwrap_or(u32::MAX))
}

fn broken(mechanism: Mechanism, why: &dyn std::fmt::Display) -> Error {
    let what = format!("signing in by {} does not go on", mechanism.name());
    Error::new(Kind::Account, Code::Auth, what).words(why.to_string())
}

fn session(mechanism: Mechanism, names: &Names, secret: &SecretString) -> Result<Session> {
    let failed = |e: &dyn std::fmt::Display| broken(mechanism, e);
    let name = Mechname::parse(mechanism.name().as_bytes()).map_err(|e| failed(&e))?;
    let callback = Facts {
        names: names.clone(),
        secret: secret.clone(),
        token: mechanism.takes_token(),
    };
    let config = SASLConfig::builder()
        .with_default_mechanisms()
        .with_callback(callback)
        .map_err(|e| failed(&e))?;
    SASLClient::new(config)
        .start_suggested_iter([name])
        .map_err(|e| failed(&e))
}

/// What `rsasl` may ask for.
struct Facts {
    names: Names,
    secret: SecretString,
    token: bool,
}

impl SessionCallback for Facts {
    fn callback(
        &self,
        _session: &SessionData,
        _context: &Context<'_>,
        request: &mut Request<'_>,
    ) -> Result<(), SessionError> {
        let names = &self.names;
        let master = names.master.as_deref();
        let signs_in = master.unwrap_or(&names.user);
        request
            .satisfy::<AuthId>(signs_in)?
            .satisfy::<Password>(self.secret.expose_secret().as_bytes())?
            .satisfy::<OAuthBearerToken>(self.secret.expose_secret())?
            .satisfy::<OAuthBearerKV>(&[("host", &names.host), ("port", &names.port)])?;
        // OAUTHBEARER names the mailbox nowhere else (RFC 7628 §3.1); SCRAM has to where it is another's.
        if self.token || master.is_some() {
            request.satisfy::<AuthzId>(&names.user)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(mechanism: Mechanism, credentials: &Credentials) -> Exchange {
        let secret = "geheim".into();
        Exchange::start(mechanism, credentials, &secret, ("imap.example", 993)).unwrap()
    }

    fn budi() -> Credentials {
        Credentials::with_password("budi", "geheim")
    }

    fn first(mechanism: Mechanism, credentials: &Credentials) -> String {
        let message = start(mechanism, credentials).first().unwrap().unwrap();
        String::from_utf8_lossy(&message).into_owned()
    }

    fn sent(answer: Answer) -> String {
        match answer {
            Answer::Send(message) => String::from_utf8_lossy(&message).into_owned(),
            Answer::Cancel(why) => panic!("{why}"),
        }
    }

    #[test]
    fn tokens_as_their_specifications_say() {
        let oauth = first(Mechanism::OAuthBearer, &budi());
        // RFC 7628 §4.1.
        assert_eq!(
            oauth,
            "n,a=budi,\x01host=imap.example\x01port=993\x01auth=Bearer geheim\x01\x01"
        );
        let google = first(Mechanism::XOAuth2, &budi());
        assert_eq!(google, "user=budi\x01auth=Bearer geheim\x01\x01");
    }

    #[test]
    fn a_refused_token_is_answered_and_told() {
        let json = br#"{"status":"invalid_token","scope":"https://mail.example/"}"#;
        for (mechanism, empty) in [(Mechanism::OAuthBearer, "\x01"), (Mechanism::XOAuth2, "")] {
            let mut exchange = start(mechanism, &budi());
            exchange.first().unwrap();
            assert_eq!(sent(exchange.answer(json)), empty);
            assert!(exchange.told().unwrap().contains("invalid_token"));
            assert!(matches!(exchange.answer(json), Answer::Cancel(_)));
        }
    }

    #[test]
    fn scram_names_both_and_wants_proof() {
        let mut credentials = budi();
        assert!(first(Mechanism::ScramSha256, &credentials).starts_with("n,,n=budi,r="));
        credentials.master = Some("adm,in".into());
        let mut exchange = start(Mechanism::ScramSha1, &credentials);
        let message = exchange.first().unwrap().unwrap();
        let message = String::from_utf8_lossy(&message).into_owned();
        assert!(message.starts_with("n,a=budi,n=adm=2Cin,r="), "{message}");
        let nonce = message.rsplit_once("r=").unwrap().1;
        let rounds = format!("r={nonce}xyz,s=QSXCR+Q6sek8bf92,i=4096");
        let proof = sent(exchange.answer(rounds.as_bytes()));
        assert!(proof.contains(",p="), "{proof}");
        assert!(exchange.finish().is_err());
        let forged = exchange.answer(b"v=AAAAAAAAAAAAAAAAAAAAAAAAAAA=");
        assert!(matches!(forged, Answer::Cancel(_)) && exchange.finish().is_err());
        // Nothing panics afterwards.
        assert!(matches!(exchange.answer(b""), Answer::Cancel(_)));
    }

    #[test]
    fn scram_does_not_burn_time_for_a_server() {
        for rounds in ["4000000000", "99999999999999999999"] {
            let mut exchange = start(Mechanism::ScramSha256, &budi());
            let message = exchange.first().unwrap().unwrap();
            let message = String::from_utf8_lossy(&message).into_owned();
            let nonce = message.rsplit_once("r=").unwrap().1;
            let challenge = format!("r={nonce}x,s=QSXCR+Q6sek8bf92,i={rounds}");
            let answer = exchange.answer(challenge.as_bytes());
            assert!(matches!(answer, Answer::Cancel(why) if why.contains("too many")));
        }
    }

    #[test]
    fn two_questions_and_no_third() {
        let mut exchange = start(Mechanism::Login, &budi());
        assert!(exchange.first().unwrap().is_none());
        assert_eq!(sent(exchange.answer(b"Username:")), "budi");
        assert_eq!(sent(exchange.answer(b"Password:")), "geheim");
        assert!(matches!(exchange.answer(b"PIN:"), Answer::Cancel(_)));
    }
}
