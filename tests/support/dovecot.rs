//! Dovecot instances, started by `tests/support/dovecot` and ended by closing its standard input.

use super::root;
use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The password of every user.
pub const PASSWORD: &str = "secret";

/// A running server; dropping it ends the server and removes its directory.
pub struct Dovecot {
    child: Child,
    pub dir: PathBuf,
    pub imap: u16,
    pub imaps: u16,
    pub pop3: u16,
    pub pop3s: u16,
    /// Owner of the mail: what a test writes into a Maildir must belong to it.
    pub uid: u32,
    pub gid: u32,
}

impl Dovecot {
    /// `options` are those of `tests/support/dovecot`, such as `format=sdbox`.
    pub fn start(options: &[&str]) -> Dovecot {
        let script = root().join("tests/support/dovecot");
        let mut child = Command::new(&script)
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{}: {e}", script.display()));
        let mut line = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let words: HashMap<&str, &str> = line
            .split_whitespace()
            .filter_map(|w| w.split_once('='))
            .collect();
        assert!(line.starts_with("ready "), "Dovecot did not start: {line}");
        let number = |key: &str| words[key].parse::<u32>().expect("a number");
        let port = |key: &str| u16::try_from(number(key)).expect("a port");
        Dovecot {
            dir: PathBuf::from(words["dir"]),
            imap: port("imap"),
            imaps: port("imaps"),
            pop3: port("pop3"),
            pop3s: port("pop3s"),
            uid: number("uid"),
            gid: number("gid"),
            child,
        }
    }

    /// The CA of the server's certificate, PEM.
    pub fn ca(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// The user's home; it exists only after a login or after mail was written there.
    pub fn home(&self, user: &str) -> PathBuf {
        self.dir.join("home").join(user)
    }

    /// What the server logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // Nothing can be done about a failure here, and the test's own result counts.
        let _ = self.child.wait();
    }
}

/// The instance that most tests share, each with users of its own: Maildir, separator `/`, English special folders.
/// It ends with the test process, whose end closes the pipe.
pub fn shared() -> &'static Dovecot {
    static SHARED: OnceLock<Dovecot> = OnceLock::new();
    SHARED.get_or_init(|| Dovecot::start(&[]))
}

/// A name that no other test in this process has.
pub fn fresh_user(stem: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("{stem}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}
