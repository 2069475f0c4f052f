//! Builds job files in a directory of their own.

use super::Dovecot;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// One end of a job, on a server of the tests.
pub struct End {
    text: String,
}

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Security {
    Plain,
    Starttls,
    Tls,
}

impl End {
    pub fn imap(server: &Dovecot, user: &str) -> End {
        End::on(server, "imap", user, Security::Plain)
    }

    pub fn pop3(server: &Dovecot, user: &str) -> End {
        End::on(server, "pop3", user, Security::Plain)
    }

    pub fn on(server: &Dovecot, protocol: &str, user: &str, security: Security) -> End {
        let (plain, tls) = match protocol {
            "imap" => (server.imap, server.imaps),
            _ => (server.pop3, server.pop3s),
        };
        let (host, port, word) = match security {
            Security::Plain => ("127.0.0.1", plain, "plain"),
            Security::Starttls => ("localhost", plain, "starttls"),
            Security::Tls => ("localhost", tls, "tls"),
        };
        let mut end = End::at(protocol, host, port, user).line(&format!("security = \"{word}\""));
        if security != Security::Plain {
            end = end.line(&format!("ca-file = {:?}", server.ca()));
        }
        end
    }

    /// Any server, such as a scripted one; its security is to be added.
    pub fn at(protocol: &str, host: &str, port: u16, user: &str) -> End {
        End {
            text: format!(
                "protocol = \"{protocol}\"\nhost = \"{host}\"\nport = {port}\nuser = \"{user}\"\n\
                 password = {{ env = \"TEST_PASSWORD\" }}\n"
            ),
        }
    }

    /// Files of this machine.
    pub fn files(protocol: &str, path: &Path) -> End {
        End {
            text: format!("protocol = \"{protocol}\"\npath = {path:?}\n"),
        }
    }

    /// Another password than the servers' own, as the job writes it.
    #[must_use]
    pub fn password(mut self, reference: &str) -> End {
        self.text = self.text.replace("{ env = \"TEST_PASSWORD\" }", reference);
        self
    }

    /// One more line of this table.
    #[must_use]
    pub fn line(mut self, line: &str) -> End {
        self.text.push_str(line);
        self.text.push('\n');
        self
    }
}

/// A job file that stands alone in a temporary directory, where its archive goes too.
pub struct Job {
    dir: tempfile::TempDir,
}

impl Job {
    /// `top` are keys before the tables, `rest` whole tables.
    pub fn new(top: &str, source: &End, destination: &End, rest: &str) -> Job {
        let job = Job {
            dir: tempfile::tempdir().expect("a directory"),
        };
        job.rewrite(top, source, destination, rest);
        job
    }

    /// A job with several destinations.
    pub fn with_destinations(top: &str, source: &End, destinations: &[End], rest: &str) -> Job {
        let job = Job {
            dir: tempfile::tempdir().expect("a directory"),
        };
        let mut text = format!("version = 1\n{top}\n[source]\n{}", source.text);
        for end in destinations {
            write!(text, "[[destination]]\n{}", end.text).expect("a string");
        }
        std::fs::write(job.path(), text + rest).expect("write");
        job
    }

    /// A job with several sources.
    pub fn with_sources(top: &str, sources: &[End], destination: &End, rest: &str) -> Job {
        let job = Job {
            dir: tempfile::tempdir().expect("a directory"),
        };
        let tables: Vec<String> = sources
            .iter()
            .map(|end| format!("[[source]]\n{}", end.text))
            .collect();
        job.write(top, &tables.join("\n"), destination, rest);
        job
    }

    /// The same job with another text: a person edits it between two runs.
    pub fn rewrite(&self, top: &str, source: &End, destination: &End, rest: &str) {
        let source = format!("[source]\n{}", source.text);
        self.write(top, &source, destination, rest);
    }

    /// A job without a destination: its archive is where the mail goes.
    pub fn backup(top: &str, source: &End, rest: &str) -> Job {
        let job = Job {
            dir: tempfile::tempdir().expect("a directory"),
        };
        let text = format!("version = 1\n{top}\n[source]\n{}\n{rest}", source.text);
        std::fs::write(job.path(), text).expect("write");
        job
    }

    fn write(&self, top: &str, sources: &str, destination: &End, rest: &str) {
        let mut text = format!("version = 1\n{top}\n{sources}\n");
        write!(text, "[destination]\n{}\n", destination.text).expect("a string");
        text.push_str(rest);
        std::fs::write(self.path(), text).expect("write");
    }

    pub fn path(&self) -> PathBuf {
        self.dir().join("job.toml")
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Where the journal stands: the archive that `rest` names as `box.archive`, else beside the job.
    pub fn journal(&self) -> PathBuf {
        let archive = self.dir().join("box.archive");
        let state = if archive.exists() {
            archive
        } else {
            self.dir().join("job.state")
        };
        state.join("journal.db")
    }
}

/// The `[archive]` table of a job with kept mail.
pub const ARCHIVE: &str = "[archive]\npath = \"box.archive\"\n";
