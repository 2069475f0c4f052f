//! The job file that `init` writes: commented, valid, and no secret in it.

use super::find::Candidate;
use super::mapping::{Folders, renamed};
use crate::error::End;
use crate::job::providers::Wanted;
use crate::net::Security;
use std::fmt::Write;

/// One end of a job to be.
#[derive(Debug, Clone)]
pub struct Side {
    pub server: Candidate,
    /// The `password` of the job, as TOML.
    pub password: String,
    /// A PEM file whose certificates are trusted.
    pub ca_file: Option<String>,
    /// Empty where nobody looked.
    pub folders: Folders,
}

/// The whole file.
#[must_use]
pub fn draft(from: &Side, to: &Side, name: &str) -> String {
    let mut out = String::from(
        "# Written by mailhaul init. docs/jobs.md says what else can stand here.\nversion = 1\n\n",
    );
    end(&mut out, from, End::Source);
    out.push_str(
        "after = \"keep\"                  # nothing is deleted there; \"delete\" only once it is safe elsewhere\n\n",
    );
    end(&mut out, to, End::Destination);
    let archive = text(&format!("{name}.archive"));
    let more = format!(
        "\n# To keep a copy of all mail here too:\n# [archive]\n# path = {archive}\n\n\
         # Folders keep their names; sent mail, drafts, trash and junk go to the destination's folders for those.\n"
    );
    out.push_str(&more);
    out.push_str(&mapping(from, to));
    out.push_str(
        "[folders]\n# exclude = [\"Trash\", \"Junk\"]\n# map = [[\"INBOX\\\\.(.+)\", \"$1\"]]\n",
    );
    out
}

/// What that means with the folders that both ends have now, as comments.
fn mapping(from: &Side, to: &Side) -> String {
    let renamed = renamed(&from.folders, &to.folders);
    if renamed.is_empty() {
        return String::new();
    }
    let line = |(from, to): &(String, String)| format!("#   {} -> {}\n", text(from), text(to));
    let lines: String = renamed.iter().map(line).collect();
    format!(
        "# As both ends are today:\n{lines}# mailhaul plan shows it afresh; map puts any of them elsewhere.\n"
    )
}

fn end(out: &mut String, side: &Side, end: End) {
    let server = &side.server;
    let mut line = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    line(format!("{:31} # {}", format!("[{end}]"), server.found));
    line(format!("protocol = {}", text(server.protocol.as_str())));
    if let Some(preset) = &server.preset {
        line(format!("preset = {}", text(preset)));
    }
    line(format!("host = {}", text(&server.host)));
    line(format!("port = {}", server.port));
    let security = match server.security {
        Security::Tls => "tls",
        Security::StartTls => "starttls",
        Security::Plain => "plain",
    };
    line(format!("security = {}", text(security)));
    if let Some(file) = &side.ca_file {
        line(format!("ca-file = {}", text(file)));
    }
    line(format!("user = {}", text(&server.user)));
    line(format!(
        "password = {}{}",
        side.password,
        about(server.wanted)
    ));
}

fn about(wanted: Wanted) -> &'static str {
    match wanted {
        Wanted::Password => "",
        Wanted::AppPassword => "   # an app password: docs/accounts.md",
        Wanted::Oauth2 => "   # docs/accounts.md says how to get a client id; then mailhaul login",
    }
}

/// A TOML string.
fn text(raw: &str) -> String {
    let mut out = String::from("\"");
    for c in raw.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                // Writing to a String cannot fail.
                if write!(out, "\\u{:04X}", u32::from(c)).is_err() {
                    out.push('?');
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Job, Protocol};
    use std::io::Write as _;

    fn side(protocol: Protocol, preset: Option<&str>, wanted: Wanted) -> Side {
        Side {
            server: Candidate {
                protocol,
                host: format!("{}.example.org", protocol.as_str()),
                port: 993,
                security: Security::StartTls,
                user: "bu\"di\\".into(),
                preset: preset.map(str::to_owned),
                wanted,
                found: "a common name",
            },
            password: match wanted {
                Wanted::Oauth2 => "{ oauth2 = { client-id = \"x\" } }".into(),
                _ => "{ prompt = true }".into(),
            },
            ca_file: Some("a \"b\".pem".into()),
            folders: Folders::default(),
        }
    }

    #[test]
    fn what_is_written_is_a_valid_job_with_the_same_values() {
        let from = side(Protocol::Pop3, None, Wanted::AppPassword);
        let to = side(Protocol::Imap, Some("outlook"), Wanted::Oauth2);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("job.toml");
        let toml = draft(&from, &to, "a\"b");
        crate::fs::persist(&path, |file| file.write_all(toml.as_bytes())).unwrap();
        let job = Job::load(&path, &[]).unwrap_or_else(|e| panic!("{e:?}\n{toml}"));
        let source = job.accounts[0].sources[0].store.server().unwrap();
        assert_eq!(source.user, "bu\"di\\");
        assert_eq!(source.endpoint.port, 993);
        let to = job.accounts[0].destinations[0].store.server().unwrap();
        assert_eq!(to.preset.provider().name, "outlook");
        // What is commented out is valid too.
        let all: String = toml
            .lines()
            .map(|line| {
                let open = ["# [archive]", "# path", "# exclude", "# map"]
                    .iter()
                    .any(|s| line.starts_with(s));
                format!("{}\n", if open { &line[2..] } else { line })
            })
            .collect();
        crate::fs::persist(&path, |file| file.write_all(all.as_bytes())).unwrap();
        let job = Job::load(&path, &[]).unwrap_or_else(|e| panic!("{e:?}\n{all}"));
        assert_eq!(job.accounts[0].folders.map.len(), 1);
    }
}
