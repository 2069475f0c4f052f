//! `mailhaul archive export PATH --to DIR --format FORMAT`.

use super::bar::Bar;
use super::{Shelf, selection};
use crate::archive::{self, Shape};
use crate::cli::args::{ExportArgs, Format};
use crate::cli::exit_codes::ExitCode;
use crate::cli::terminal::Terminal;
use crate::render;
use crate::render::json;

pub(super) fn run(args: &ExportArgs, shelf: &Shelf, terminal: &Terminal) -> ExitCode {
    let shape = match args.format {
        Format::Mbox => Shape::Mbox,
        Format::Maildir => Shape::Maildir,
        Format::Eml => Shape::Eml,
    };
    let bar = Bar::new(terminal);
    let result = selection(&args.choice).and_then(|selection| {
        let watch = |step| bar.step(step);
        archive::export(&shelf.root, &selection, &args.to, shape, &watch)
    });
    bar.end();
    let exported = match result {
        Ok(exported) => exported,
        Err(error) => return terminal.fail(&error),
    };
    let whole = exported.failed.is_empty();
    if terminal.json {
        terminal.data(&json::archive::exported(&exported, &args.to));
    } else if !(terminal.quiet && whole) {
        terminal.lines(&render::archive::exported(
            &exported,
            &args.to,
            terminal.out,
        ));
    }
    if whole {
        ExitCode::Done
    } else {
        ExitCode::Trouble
    }
}
