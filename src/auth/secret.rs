//! Where secrets come from. What is read on the way is wiped.

use super::unsafe_in_line;
use crate::error::{Code, Error, Kind, Result};
use crate::message::text::safe;
use secrecy::SecretString;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use zeroize::Zeroizing;

/// No secret is longer; a wrong path or a chatty command is not read to its end.
const LONGEST: usize = 64 * 1024;

/// Where a secret is to be had; a job file never holds the secret itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// The first line of a file (its final line end taken off).
    File(PathBuf),
    /// The first line that a command (run by `sh -c`, in the job file's directory) writes to stdout.
    Command {
        command: String,
        dir: PathBuf,
        /// Environment variables that it does not get: they hold other secrets.
        without: Vec<String>,
    },
    /// The entry of this name in the system's keyring, of the service `mailhaul`.
    Keyring(String),
    /// Asked at the terminal, without echo.
    Prompt,
}

impl SecretRef {
    /// Gets the secret. `who` (`budi at imap.example:993`) is for prompts and errors. Errors: `Code::Secret`, never with the secret in it.
    /// A secret with CR, LF or NUL inside is refused, an empty one too.
    pub fn resolve(&self, who: &str) -> Result<SecretString> {
        let secret = match self {
            SecretRef::Env(name) => from_env(name),
            SecretRef::File(path) => from_file(path),
            SecretRef::Command {
                command,
                dir,
                without,
            } => from_command(command, dir, without),
            SecretRef::Keyring(name) => from_keyring(name),
            SecretRef::Prompt => from_prompt(who),
        }
        .map_err(|e| named(e, who))?;
        if secret.is_empty() {
            return Err(named(failed("it is empty"), who));
        }
        if unsafe_in_line(&secret) {
            return Err(named(failed("it holds a line end or a NUL"), who));
        }
        Ok(SecretString::from(secret.as_str()))
    }
}

fn failed(why: impl Into<String>) -> Error {
    Error::new(Kind::Account, Code::Secret, why)
}

fn named(mut e: Error, who: &str) -> Error {
    e.what = format!("the password of {who} cannot be had: {}", e.what);
    e
}

fn from_env(name: &str) -> Result<Zeroizing<String>> {
    use std::env::VarError;
    match std::env::var(name) {
        Ok(secret) => Ok(Zeroizing::new(secret)),
        Err(VarError::NotPresent) => Err(failed(format!(
            "the environment variable {name} is not set"
        ))
        .hint(format!("set {name} before starting mailhaul"))),
        // The error itself would show the value.
        Err(VarError::NotUnicode(_)) => Err(failed(format!(
            "the environment variable {name} is not UTF-8"
        ))),
    }
}

fn from_file(path: &Path) -> Result<Zeroizing<String>> {
    let shown = path.display();
    let refused =
        |e: &io::Error| failed(format!("the file {shown} cannot be read")).words(e.to_string());
    let file = File::open(path).map_err(|e| refused(&e))?;
    let bytes = read_some(file).map_err(|e| refused(&e))?;
    first_line(&bytes).map_err(|why| failed(format!("the file {shown} {why}")))
}

fn from_command(command: &str, dir: &Path, without: &[String]) -> Result<Zeroizing<String>> {
    let refused = |e: &io::Error| {
        failed(format!("the command `{command}` cannot be run")).words(e.to_string())
    };
    // A file takes what the command complains of, however much, without a second reader.
    let mut complaint = tempfile::tempfile().map_err(|e| refused(&e))?;
    let mut shell = Command::new("sh");
    for name in without {
        shell.env_remove(name);
    }
    let mut child = shell
        .arg("-c")
        .arg(command)
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(complaint.try_clone().map_err(|e| refused(&e))?)
        .spawn()
        .map_err(|e| refused(&e))?;
    let bytes = child.stdout.take().map(read_some).transpose();
    let status = child.wait().map_err(|e| refused(&e))?;
    let bytes = bytes.map_err(|e| refused(&e))?.unwrap_or_default();
    if status.success() {
        return first_line(&bytes)
            .map_err(|why| failed(format!("what the command `{command}` writes {why}")));
    }
    let e = failed(format!("the command `{command}` failed ({status})"));
    Err(match complaint_of(&mut complaint) {
        Some(words) => e.words(words),
        None => e,
    })
}

fn complaint_of(stderr: &mut File) -> Option<String> {
    stderr.rewind().ok()?;
    let bytes = read_some(stderr).ok()?;
    let words = safe(bytes.trim_ascii(), 300);
    (!words.is_empty()).then_some(words)
}

fn from_prompt(who: &str) -> Result<Zeroizing<String>> {
    if !io::stdin().is_terminal() {
        return Err(failed("there is no terminal to ask at")
            .hint("use password = { env = \"…\" }, { file = \"…\" } or { command = \"…\" }"));
    }
    let question = format!("Password of {}: ", safe(who.as_bytes(), 200));
    rpassword::prompt_password(question)
        .map(Zeroizing::new)
        .map_err(|e| failed("the terminal cannot be asked").words(e.to_string()))
}

#[cfg(not(feature = "keyring"))]
fn from_keyring(name: &str) -> Result<Zeroizing<String>> {
    let why = format!("this mailhaul was built without a keyring, so {name} cannot be looked up");
    Err(failed(why).hint("build it with --features keyring, or use env, file or command"))
}

#[cfg(feature = "keyring")]
fn from_keyring(name: &str) -> Result<Zeroizing<String>> {
    let refused = |e: keyring::Error| {
        failed(format!("the keyring gives nothing for {name}"))
            .words(e.to_string())
            .hint(format!(
                "secret-tool store --label mailhaul service mailhaul username {name}"
            ))
    };
    let entry = keyring::Entry::new("mailhaul", name).map_err(refused)?;
    entry.get_password().map(Zeroizing::new).map_err(refused)
}

/// At most [`LONGEST`] bytes, into room made at once: a buffer that grows leaves copies behind.
fn read_some(from: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
    from.take(LONGEST as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn first_line(bytes: &[u8]) -> Result<Zeroizing<String>, &'static str> {
    let line = match memchr::memchr(b'\n', bytes) {
        Some(end) => &bytes[..end],
        None if bytes.len() == LONGEST => return Err("is too long for a password"),
        None => bytes,
    };
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let text = std::str::from_utf8(line).map_err(|_| "is not UTF-8")?;
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;
    use std::io::Write;

    fn file(content: &[u8]) -> (tempfile::NamedTempFile, SecretRef) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        let secret = SecretRef::File(file.path().into());
        (file, secret)
    }

    fn command(command: &str) -> SecretRef {
        SecretRef::Command {
            command: command.into(),
            dir: std::env::temp_dir(),
            without: vec!["HOME".into()],
        }
    }

    fn told(secret: &SecretRef) -> Error {
        let e = secret.resolve("budi at pop.example:995").unwrap_err();
        assert_eq!((e.code, e.kind), (Code::Secret, Kind::Account));
        assert!(e.what.contains("budi at pop.example:995"), "{e:?}");
        assert!(!format!("{e:?}").contains("canary"), "{e:?}");
        e
    }

    #[test]
    fn the_first_line_of_a_file() {
        for content in [&b"pa ss"[..], b"pa ss\n", b"pa ss\r\n", b"pa ss\nuser: x\n"] {
            let (_file, secret) = file(content);
            assert_eq!(secret.resolve("me").unwrap().expose_secret(), "pa ss");
        }
    }

    #[test]
    fn files_that_hold_no_secret() {
        for content in [
            &b""[..],
            b"\ncanary",
            b"canary\0",
            b"can\rcanary",
            b"canary\xff",
        ] {
            let (_file, secret) = file(content);
            told(&secret);
        }
        let (_file, secret) = file(&vec![b'x'; LONGEST + 10]);
        assert!(told(&secret).what.contains("too long"));
        assert!(
            told(&SecretRef::File("/nonexistent/x".into()))
                .what
                .contains("cannot be read")
        );
    }

    #[test]
    fn the_first_line_of_a_command() {
        let secret = command("read x; echo one$x$HOME; echo two; echo noise >&2");
        assert_eq!(secret.resolve("me").unwrap().expose_secret(), "one");
    }

    #[test]
    fn a_failed_command_tells_its_complaint_and_nothing_of_its_output() {
        let e = told(&command(
            "printf 'can%s\\n' ary; printf 'no\\033key\\n' >&2; exit 3",
        ));
        let words = e.words.unwrap();
        assert!(
            words.contains("key") && !words.contains('\u{1b}'),
            "{words}"
        );
        assert!(e.what.contains("exit status: 3"), "{}", e.what);
    }

    #[test]
    fn an_unset_variable_is_named() {
        assert!(
            told(&SecretRef::Env("MAILHAUL_NOT_SET".into()))
                .what
                .contains("MAILHAUL_NOT_SET")
        );
        let path = SecretRef::Env("PATH".into()).resolve("me").unwrap();
        assert_eq!(path.expose_secret(), std::env::var("PATH").unwrap());
    }
}
