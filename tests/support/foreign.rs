//! Servers that nobody here wrote beside Dovecot: started by a script of `tests/support` and ended by closing its standard input.

use super::{End, root, tell};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

/// A running server; dropping it ends the server and removes its directory.
pub struct Foreign {
    child: Child,
    pub imap: u16,
    /// 0 where it speaks no POP3.
    pub pop3: u16,
}

/// What the scripts say with when a server cannot be had on this machine; the reason stands on stderr.
const CANNOT: i32 = 3;

impl Foreign {
    /// `tests/support/NAME OPTIONS…`; `None`, with the reason printed, outside of `tests/run --all` and where it cannot be had.
    pub fn start(name: &str, options: &[&str]) -> Option<Foreign> {
        if std::env::var_os("MAILHAUL_ALL").is_none() {
            tell(&format!("{name}: for tests/run --all"));
            return None;
        }
        let script = root().join("tests/support").join(name);
        let mut child = Command::new(&script)
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{}: {e}", script.display()));
        let mut line = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        if !line.starts_with("ready ") {
            let mut why = String::new();
            let mut stderr = child.stderr.take().expect("piped");
            stderr.read_to_string(&mut why).expect("words");
            let code = child.wait().expect("wait").code();
            assert_eq!(code, Some(CANNOT), "{name} did not start: {why}");
            tell(&format!("{name}: {}", why.trim()));
            return None;
        }
        let words: HashMap<&str, &str> = line
            .split_whitespace()
            .filter_map(|w| w.split_once('='))
            .collect();
        let port = |key: &str| words.get(key).map_or(0, |p| p.parse().expect("a port"));
        Some(Foreign {
            imap: port("imap"),
            pop3: port("pop3"),
            child,
        })
    }

    pub fn imap_end(&self, user: &str) -> End {
        End::at("imap", "127.0.0.1", self.imap, user).line("security = \"plain\"")
    }

    pub fn pop3_end(&self, user: &str) -> End {
        End::at("pop3", "127.0.0.1", self.pop3, user).line("security = \"plain\"")
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // Nothing can be done about a failure here, and the test's own result counts.
        let _ = self.child.wait();
    }
}
