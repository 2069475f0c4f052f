//! What a server says it can (CAPA, RFC 2449).

use std::time::Duration;

/// How long mail stays at the server after it was retrieved (RFC 2449 §6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expire {
    Never,
    /// Whole days; 0 means that retrieved mail may be gone after QUIT.
    Days(u32),
}

/// The answer to CAPA, as it stood after login.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Did the server answer CAPA at all? If not, everything else is unknown.
    pub known: bool,
    pub pipelining: bool,
    pub top: bool,
    pub uidl: bool,
    pub user: bool,
    pub stls: bool,
    pub response_codes: bool,
    pub expire: Option<Expire>,
    /// The least time between two logins.
    pub login_delay: Option<Duration>,
    /// SASL mechanisms, in upper case.
    pub sasl: Vec<String>,
    /// The server's own name for itself: raw, escape it before showing.
    pub implementation: Option<String>,
}

impl Capabilities {
    /// From the lines of the answer, without their line ends. What is not understood is passed over.
    pub(super) fn parse(lines: &[Vec<u8>]) -> Self {
        let mut found = Capabilities {
            known: true,
            ..Capabilities::default()
        };
        for line in lines {
            found.take(&String::from_utf8_lossy(line));
        }
        found
    }

    /// What counts after login. Dovecot then no longer lists what only matters before; the two limits hold in any case.
    pub(super) fn over(self, before: Self) -> Self {
        if !self.known {
            return before;
        }
        Capabilities {
            expire: self.expire.or(before.expire),
            login_delay: self.login_delay.or(before.login_delay),
            ..self
        }
    }

    fn take(&mut self, line: &str) {
        let mut words = line.split_ascii_whitespace();
        let name = words.next().unwrap_or_default().to_ascii_uppercase();
        match name.as_str() {
            "PIPELINING" => self.pipelining = true,
            "TOP" => self.top = true,
            "UIDL" => self.uidl = true,
            "USER" => self.user = true,
            "STLS" => self.stls = true,
            "RESP-CODES" => self.response_codes = true,
            "SASL" => self.sasl = words.map(str::to_ascii_uppercase).collect(),
            "EXPIRE" => self.expire = words.next().and_then(expire),
            "LOGIN-DELAY" => {
                let seconds = words.next().and_then(|w| w.parse::<u32>().ok());
                self.login_delay = seconds.map(|s| Duration::from_secs(s.into()));
            }
            "IMPLEMENTATION" => self.implementation = Some(words.collect::<Vec<_>>().join(" ")),
            _ => {}
        }
    }
}

fn expire(word: &str) -> Option<Expire> {
    if word.eq_ignore_ascii_case("NEVER") {
        return Some(Expire::Never);
    }
    word.parse().ok().map(Expire::Days)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Capabilities {
        let lines: Vec<Vec<u8>> = text.lines().map(|l| l.as_bytes().to_vec()).collect();
        Capabilities::parse(&lines)
    }

    #[test]
    fn gmail() {
        let found = parse(
            "USER\nRESP-CODES\nEXPIRE 0\nLOGIN-DELAY 300\nTOP\nUIDL\nX-GOOGLE-RICO\nSASL PLAIN XOAUTH2 OAUTHBEARER",
        );
        assert_eq!(found.expire, Some(Expire::Days(0)));
        assert_eq!(found.login_delay, Some(Duration::from_secs(300)));
        assert!(found.user && found.top && found.uidl && found.response_codes);
        assert!(!found.pipelining && !found.stls);
        assert_eq!(found.sasl, ["PLAIN", "XOAUTH2", "OAUTHBEARER"]);
    }

    #[test]
    fn limits_told_before_login_hold_after_it() {
        let before = parse("SASL PLAIN\nEXPIRE 7\nLOGIN-DELAY 5");
        let both = parse("PIPELINING\nEXPIRE 9").over(before.clone());
        assert_eq!(both.expire, Some(Expire::Days(9)));
        assert_eq!(both.login_delay, Some(Duration::from_secs(5)));
        assert!(both.pipelining && both.sasl.is_empty());
        assert_eq!(Capabilities::default().over(before.clone()), before);
    }

    #[test]
    fn odd_lines_are_passed_over() {
        let found =
            parse("\n  \nEXPIRE\nLOGIN-DELAY 99999999999999 USER\nsasl plain\nEXPIRE never");
        assert_eq!(found.expire, Some(Expire::Never));
        assert_eq!(found.login_delay, None);
        assert!(found.sasl == ["PLAIN"] && found.known);
    }
}
