//! A look at a POP3 server.

use super::estimate::Measured;
use super::{Survey, Topic};
use crate::auth::Credentials;
use crate::error::Result;
use crate::job::Server;
use crate::job::providers::Size;
use crate::pop3::{Capabilities, Expire, Session};
use bytesize::ByteSize;

impl Survey {
    pub(super) fn pop3(&mut self, server: &Server, login: &Credentials) -> Result<()> {
        let mut session = Session::open(&server.endpoint, login)?;
        self.signed_in(login, Some(session.signed_in_by()));
        let capabilities = session.capabilities().clone();
        self.tell(Topic::Can, words(&capabilities).join("; "));
        let (messages, bytes) = session.stat()?;
        let text = format!(
            "the inbox alone, with {messages} messages, {}",
            ByteSize(bytes)
        );
        self.tell(Topic::Folders, text);
        self.measured = Some(Measured {
            messages: u64::from(messages),
            bytes: Some(bytes),
            connections: server.connections,
            daily: server.daily_limit(),
            limits: server.limits,
            ..Measured::default()
        });
        self.pop3_limits(server, &capabilities);
        if server.preset.provider().imap.is_some() {
            self.advise(
                "protocol = \"imap\": this provider has it, and folders and flags would come along",
            );
        }
        // Nothing was marked, so QUIT deletes nothing.
        session.quit()
    }

    fn pop3_limits(&mut self, server: &Server, capabilities: &Capabilities) {
        let provider = server.preset.provider();
        let mut limits = Vec::new();
        if let Some(wait) = capabilities.login_delay {
            let wait = humantime::format_duration(wait);
            limits.push(format!("{wait} between two logins"));
        }
        if let Some(most) = provider.pop3_lists_at_most {
            limits.push(format!("about {most} messages a session"));
        }
        limits.extend(
            server
                .daily_limit()
                .map(|bytes| format!("{} a day", Size(bytes))),
        );
        match capabilities.expire {
            Some(Expire::Days(0)) => {
                limits.push("may drop mail once it was fetched".to_owned());
                self.advise("keep-mail = true in [archive]: this server may drop what was fetched");
            }
            Some(Expire::Days(days)) => limits.push(format!("keeps mail for {days} days")),
            Some(Expire::Never) | None => {}
        }
        if !limits.is_empty() {
            self.tell(Topic::Limits, limits.join("; "));
        }
    }
}

fn words(capabilities: &Capabilities) -> Vec<&'static str> {
    if !capabilities.known {
        return vec!["does not say what it can do"];
    }
    let told = [
        (
            capabilities.uidl,
            "name messages for good (UIDL)",
            "cannot name messages for good (no UIDL)",
        ),
        (
            capabilities.top,
            "show headers alone (TOP)",
            "cannot show headers alone",
        ),
        (
            capabilities.pipelining,
            "be asked without waiting",
            "has to be asked one by one",
        ),
    ];
    let word = |(can, yes, no): &(bool, &'static str, &'static str)| if *can { *yes } else { *no };
    told.iter().map(word).collect()
}
