//! How many bytes mailboxes hold, where the server tells that without listing them (STATUS=SIZE, RFC 8438).

use super::link::Each;
use super::quote::Command;
use super::response::Line;
use super::scan::{Scanner, Value};
use super::session::Session;
use crate::error::Result;

/// The SIZE in what stands behind `* STATUS`.
fn parse(scanner: &mut Scanner<'_>) -> Option<u64> {
    scanner.value()?.string()?;
    if scanner.value()? != Value::Open {
        return None;
    }
    while let Value::Atom(item) = scanner.value()? {
        if item.eq_ignore_ascii_case(b"SIZE") {
            return scanner.value()?.number();
        }
        scanner.skip()?;
    }
    None
}

impl Session {
    /// Bytes in these mailboxes (names as on the wire) together, pipelined. `None`: the server does not tell, or not of each.
    pub fn bytes_in(&mut self, names: &[&[u8]]) -> Result<Option<u64>> {
        let told = ["STATUS=SIZE", "IMAP4REV2"];
        if !told
            .iter()
            .any(|name| self.capabilities.all.contains(*name))
        {
            return Ok(None);
        }
        let (mut sum, mut count) = (0u64, 0);
        let mut gate = self.gate();
        gate.link.doing = "STATUS";
        let commands = names
            .iter()
            .map(|name| Command::new("STATUS ").string(name).text(" (SIZE)"));
        let mut gather = Each(|line: &Line<'_>| {
            if let Line::Data(kind, scanner) = line
                && kind.eq_ignore_ascii_case(b"STATUS")
                && let Some(size) = parse(&mut scanner.clone())
            {
                sum = sum.saturating_add(size);
                count += 1;
            }
            Ok(())
        });
        gate.link.pipeline(commands, &mut gather)?;
        Ok((count == names.len()).then_some(sum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_stands_anywhere_among_the_items() {
        let of = |line: &str| parse(&mut Scanner::new(line.as_bytes(), &[]));
        assert_eq!(of(r#" "a b" (SIZE 99)"#), Some(99));
        assert_eq!(of(" INBOX (MESSAGES 2 X (1 (2)) size 7 ) "), Some(7));
        for line in [
            " INBOX (MESSAGES 2)",
            " INBOX ()",
            " INBOX",
            "",
            " INBOX (SIZE x)",
        ] {
            assert_eq!(of(line), None, "{line}");
        }
    }
}
