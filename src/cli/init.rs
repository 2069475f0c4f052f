//! `mailhaul init FILE`: asks, or takes flags; finds servers; tries to sign in; writes a job.

use super::args::{InitArgs, InitProtocol, InitSecurity};
use super::exit_codes::ExitCode;
use super::terminal::Terminal;
use crate::auth::SecretRef;
use crate::error::{Code, End, Error, Kind, Result};
use crate::fs;
use crate::job::Protocol;
use crate::job::providers::{Book, Wanted};
use crate::net::Security;
use crate::render;
use crate::survey::draft::{Side, draft};
use crate::survey::find::{Candidate, candidates, fetch, first_answering, parts};
use crate::survey::mapping::Folders;
use crate::survey::{Glimpse, try_sign_in};
use std::io::Write;
use std::path::Path;

/// How often a person may mistype a password.
const TRIES: u32 = 3;

pub(super) fn run(args: &InitArgs, terminal: &Terminal) -> ExitCode {
    match write(args, terminal) {
        Ok(()) => ExitCode::Done,
        Err(error) => terminal.fail(&error),
    }
}

/// What was given, or has to be asked, of one end.
struct Given<'a> {
    end: End,
    address: Option<&'a str>,
    server: Option<&'a str>,
    protocol: InitProtocol,
    security: InitSecurity,
    password_env: Option<&'a str>,
    ca_file: Option<&'a Path>,
}

fn write(args: &InitArgs, terminal: &Terminal) -> Result<()> {
    if args.file.exists() {
        let what = format!(
            "{} is there already, and is left alone",
            args.file.display()
        );
        return Err(Error::new(Kind::Job, Code::Usage, what).hint("name another file"));
    }
    same_address(args)?;
    let dir = args.file.parent().unwrap_or(Path::new(""));
    let book = Book::load(dir).map_err(|e| Error::new(Kind::Job, Code::Job, e))?;
    let from = Given {
        end: End::Source,
        address: args.from.as_deref(),
        server: args.from_server.as_deref(),
        protocol: args.from_protocol,
        security: args.from_security,
        password_env: args.from_password_env.as_deref(),
        ca_file: args.ca_file.as_deref(),
    };
    let to = Given {
        end: End::Destination,
        address: args.to.as_deref(),
        server: args.to_server.as_deref(),
        protocol: InitProtocol::Imap,
        security: args.to_security,
        password_env: args.to_password_env.as_deref(),
        ca_file: args.ca_file.as_deref(),
    };
    let from = side(&from, &book, args.no_sign_in, terminal)?;
    let to = side(&to, &book, args.no_sign_in, terminal)?;
    two_mailboxes(&from, &to)?;
    let stem = args.file.file_stem().unwrap_or_default().to_string_lossy();
    let text = draft(&from, &to, &stem);
    fs::persist(&args.file, |file| file.write_all(text.as_bytes()))?;
    let shown = args.file.display().to_string();
    if terminal.json {
        terminal.data(&render::json::written(&shown, &from.server, &to.server));
        return Ok(());
    }
    let file = render::text(&shown);
    terminal.say(&format!("\n{file} is written. Next:"));
    for (command, what) in next(&from, &to) {
        terminal.say(&format!("  mailhaul {command} {file}    {what}"));
    }
    Ok(())
}

/// What to do with the job, in order.
fn next(from: &Side, to: &Side) -> Vec<(&'static str, &'static str)> {
    let token = |side: &Side| side.server.wanted == Wanted::Oauth2;
    let mut next = vec![
        (
            "check",
            "looks at both ends, and says how long it will take",
        ),
        ("plan ", "shows what would be done"),
        ("run  ", "does it"),
    ];
    if token(from) || token(to) {
        next.insert(0, ("login", "signs in, once your client id is in the file"));
    }
    next
}

/// Nothing moves from a mailbox into itself.
fn two_mailboxes(from: &Side, to: &Side) -> Result<()> {
    let who = |side: &Side| {
        (
            side.server.user.to_lowercase(),
            side.server.host.to_lowercase(),
        )
    };
    if who(from) != who(to) {
        return Ok(());
    }
    let what = format!("{} is the address at both ends", from.server.user);
    Err(Error::new(Kind::Job, Code::Usage, what).hint(
        "give --to the address of another mailbox, or --to-server where it is on another server",
    ))
}

/// Two addresses that are equal, with no server named for either, can be refused before anything is looked for.
fn same_address(args: &InitArgs) -> Result<()> {
    let servers = args.from_server.is_some() || args.to_server.is_some();
    match (&args.from, &args.to) {
        (Some(from), Some(to)) if from.eq_ignore_ascii_case(to) && !servers => {
            let what = format!("{from} is the address at both ends");
            Err(Error::new(Kind::Job, Code::Usage, what)
                .hint("give --to the address of another mailbox, or --to-server where it is on another server"))
        }
        _ => Ok(()),
    }
}

fn side(given: &Given<'_>, book: &Book, no_sign_in: bool, terminal: &Terminal) -> Result<Side> {
    let question = match given.end {
        End::Source => "E-mail address to move from",
        End::Destination => "E-mail address to move to",
    };
    let address = match given.address {
        Some(address) => address.to_owned(),
        None => terminal.ask_text(question)?,
    };
    let server = match given.server {
        Some(server) => named(given, server, &address)?,
        None => {
            let protocols = given.protocol.protocols();
            find(given, &address, protocols, book, no_sign_in)?
        }
    };
    tell(
        terminal,
        &format!(
            "{}: {} {}:{} ({})",
            given.end,
            server.protocol.as_str(),
            render::text(&server.host),
            server.port,
            server.found
        ),
    );
    // In the job it would be relative to the job.
    let absolute = given
        .ca_file
        .map(|path| std::path::absolute(path).unwrap_or(path.to_owned()));
    let ca_file = absolute.map(|path| path.display().to_string());
    let mut side = Side {
        server,
        password: password(given),
        ca_file,
        folders: Folders::default(),
    };
    if side.server.wanted == Wanted::Oauth2 && given.password_env.is_none() {
        side.password = "{ oauth2 = { client-id = \"put your client id here\" } }".to_owned();
        tell(
            terminal,
            "this provider takes no password: put a client id into the job, then mailhaul login (docs/accounts.md)",
        );
    } else if !no_sign_in {
        let glimpse = sign_in(given, &side, book, terminal)?;
        side.server.preset = side.server.preset.or(glimpse.preset);
        side.folders = glimpse.folders;
    }
    Ok(side)
}

/// The server of an address. Without signing in nothing connects: the domain is not asked, and what would come first is not tried.
fn find(
    given: &Given<'_>,
    address: &str,
    protocols: &[Protocol],
    book: &Book,
    no_sign_in: bool,
) -> Result<Candidate> {
    if !no_sign_in {
        let found = candidates(address, protocols, book, &mut fetch)?;
        return first_answering(found, given.end);
    }
    let mut found = candidates(address, protocols, book, &mut |_| None)?;
    let flag = match given.end {
        End::Source => "--from-server",
        End::Destination => "--to-server",
    };
    if found.is_empty() {
        let what = format!("no server is known for the {}", given.end);
        return Err(Error::new(Kind::Job, Code::Usage, what)
            .hint(format!("name it: {flag} imap.example.org")));
    }
    Ok(found.swap_remove(0))
}

/// Words for the person in front; JSON tells the end alone.
fn tell(terminal: &Terminal, line: &str) {
    if !terminal.json && !terminal.quiet {
        terminal.say(line);
    }
}

/// `HOST` or `HOST:PORT`, as the command line names it.
fn named(given: &Given<'_>, server: &str, address: &str) -> Result<Candidate> {
    let protocol = given.protocol.protocols()[0];
    let security = given.security.security();
    let (host, port) = match server.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()),
        None => (server, Some(protocol.port(security))),
    };
    let port = port.ok_or_else(|| {
        let what = format!("{server:?} is no HOST:PORT");
        Error::new(Kind::Job, Code::Usage, what)
    })?;
    Ok(Candidate {
        protocol,
        host: host.to_owned(),
        port,
        security,
        user: address.to_owned(),
        preset: None,
        wanted: Wanted::Password,
        found: "named on the command line",
    })
}

fn password(given: &Given<'_>) -> String {
    match given.password_env {
        Some(name) => format!("{{ env = {name:?} }}"),
        None => "{ prompt = true }".to_owned(),
    }
}

/// Signs in and out. At a terminal a person may try again; a password that was given is tried once.
fn sign_in(given: &Given<'_>, side: &Side, book: &Book, terminal: &Terminal) -> Result<Glimpse> {
    if side.server.wanted == Wanted::AppPassword {
        tell(
            terminal,
            "this provider wants an app password: docs/accounts.md says how to get one",
        );
    }
    let reference = match given.password_env {
        Some(name) => SecretRef::Env(name.to_owned()),
        None => SecretRef::Prompt,
    };
    let mut left = match reference {
        SecretRef::Prompt => TRIES,
        _ => 1,
    };
    loop {
        left -= 1;
        match try_sign_in(&side.server, given.end, given.ca_file, &reference, book) {
            Err(error) if error.code == Code::Auth && left > 0 => {
                terminal.say(&render::errors::error(&error, terminal.err));
            }
            Err(error) => return Err(error),
            Ok(glimpse) => {
                let told = render::text(&glimpse.told);
                tell(terminal, &format!("{}: signed in {told}", given.end));
                return Ok(glimpse);
            }
        }
    }
}

impl InitProtocol {
    fn protocols(self) -> &'static [Protocol] {
        match self {
            InitProtocol::Imap => &[Protocol::Imap],
            InitProtocol::Pop3 => &[Protocol::Pop3],
        }
    }
}

impl InitSecurity {
    fn security(self) -> Security {
        match self {
            InitSecurity::Tls => Security::Tls,
            InitSecurity::Starttls => Security::StartTls,
            InitSecurity::Plain => Security::Plain,
        }
    }
}

/// An address at the very start, so that a slip does not cost the whole conversation.
pub(super) fn address(text: &str) -> std::result::Result<String, String> {
    parts(text)
        .map(|_| text.trim().to_owned())
        .map_err(|e| e.what)
}
