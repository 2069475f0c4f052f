//! `mailhaul archive show PATH FOLDER MESSAGE`.

use super::Shelf;
use crate::archive::{self, Wanted};
use crate::cli::args::ShowArgs;
use crate::cli::exit_codes::ExitCode;
use crate::cli::terminal::Terminal;
use crate::error::{Code, Error, Kind, Result};
use crate::message::{Folder, Readable};
use crate::render;
use crate::render::json;
use crate::spool::{Body, Budget};

/// A message over a quarter of it goes through a temporary file.
const BUDGET: u64 = 64 << 20;

pub(super) fn run(args: &ShowArgs, shelf: &Shelf, terminal: &Terminal) -> ExitCode {
    match read(args, shelf).and_then(|body| show(args, &body, terminal)) {
        Ok(()) => ExitCode::Done,
        Err(error) => terminal.fail(&error),
    }
}

fn read(args: &ShowArgs, shelf: &Shelf) -> Result<Body> {
    let folder = Folder::parse(&args.folder).ok_or_else(|| {
        let what = format!("{:?} is no folder", args.folder);
        Error::new(Kind::Job, Code::Usage, what)
    })?;
    let wanted = Wanted::parse(&args.message);
    archive::message(&shelf.root, &folder, &wanted, &Budget::new(BUDGET))
}

fn show(args: &ShowArgs, body: &Body, terminal: &Terminal) -> Result<()> {
    if args.raw {
        return raw(body, terminal);
    }
    let mut bytes = Vec::new();
    body.write_to(&mut bytes).map_err(|e| {
        let error = Error::new(Kind::Internal, Code::Disk, "cannot read the message");
        error.words(e.to_string())
    })?;
    let message = Readable::new(&bytes);
    if terminal.json {
        terminal.data(&json::archive::readable(&message, !args.headers));
    } else if args.headers {
        terminal.lines(&render::archive::headers(&message, terminal.out));
    } else {
        terminal.lines(&render::archive::readable(&message, terminal.out));
    }
    Ok(())
}

/// What a stranger wrote must not steer the terminal.
fn raw(body: &Body, terminal: &Terminal) -> Result<()> {
    if terminal.is_terminal() {
        let what = "a message's own bytes could steer the terminal, so they are not written to one";
        return Err(Error::new(Kind::Job, Code::Usage, what)
            .hint("send them to a file or a program: --raw > message.eml"));
    }
    terminal.stream(|out| body.write_to(out)).map_err(|e| {
        let error = Error::new(
            Kind::Internal,
            Code::Disk,
            "cannot write the message to stdout",
        );
        error.words(e.to_string())
    })
}
