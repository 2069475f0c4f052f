//! GETQUOTAROOT (RFC 9208 §4.3): how much room there is.

use super::link::Each;
use super::quote::Command;
use super::response::Line;
use super::scan::{Scanner, Value};
use super::session::Session;
use crate::error::{Kind, Result};

/// Room for mail, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    pub used: u64,
    pub limit: u64,
}

/// What stands behind `* QUOTA`; `None` where it limits something else than storage. The wire counts units of 1024 bytes.
fn parse(scanner: &mut Scanner<'_>) -> Option<Quota> {
    scanner.skip()?;
    if scanner.value()? != Value::Open {
        return None;
    }
    while let Value::Atom(resource) = scanner.value()? {
        let used: u64 = scanner.value()?.number()?;
        let limit: u64 = scanner.value()?.number()?;
        if resource.eq_ignore_ascii_case(b"STORAGE") {
            return Some(Quota {
                used: used.checked_mul(1024)?,
                limit: limit.checked_mul(1024)?,
            });
        }
    }
    None
}

impl Session {
    /// The room of INBOX; the tightest where there are several. `None` where the server has no such limit, or does not tell.
    pub fn quota(&mut self) -> Result<Option<Quota>> {
        if !self
            .capabilities
            .all
            .iter()
            .any(|name| name == "QUOTA" || name.starts_with("QUOTA="))
        {
            return Ok(None);
        }
        let mut found: Option<Quota> = None;
        let mut gate = self.gate();
        gate.link.doing = "GETQUOTAROOT";
        let mut gather = Each(|line: &Line<'_>| {
            if let Line::Data(kind, scanner) = line
                && kind.eq_ignore_ascii_case(b"QUOTA")
                && let Some(quota) = parse(&mut scanner.clone())
            {
                let left = |quota: &Quota| quota.limit.saturating_sub(quota.used);
                found = found.into_iter().chain([quota]).min_by_key(left);
            }
            Ok(())
        });
        let command = Command::new("GETQUOTAROOT \"INBOX\"");
        let answer = gate.link.run(&command, &mut gather)?;
        if answer.is_ok() {
            return Ok(found);
        }
        Err(gate
            .link
            .peer
            .refused(&answer, "GETQUOTAROOT", Kind::Folder))
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::{open, server};

    #[test]
    fn the_tightest_room_counts_and_other_limits_do_not() {
        let (endpoint, thread) = server(|peer| {
            peer.welcome("QUOTA");
            peer.answer(
                "GETQUOTAROOT",
                "* QUOTAROOT INBOX \"a b\" c\r\n* QUOTA \"a b\" (MESSAGE 3 100 STORAGE 10 512)\r\n\
                 * QUOTA c (STORAGE 100 200)\r\n* QUOTA d (MESSAGE 1 2)\r\n* QUOTA e (STORAGE x)\r\n{tag} OK\r\n",
            );
        });
        let quota = open(&endpoint).unwrap().quota().unwrap().unwrap();
        assert_eq!((quota.used, quota.limit), (100 << 10, 200 << 10));
        thread.join().unwrap();
        let (endpoint, thread) = server(|peer| peer.welcome(""));
        assert_eq!(open(&endpoint).unwrap().quota().unwrap(), None);
        thread.join().unwrap();
    }
}
