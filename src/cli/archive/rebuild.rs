//! `mailhaul archive rebuild PATH`.

use super::Shelf;
use super::bar::Bar;
use crate::archive;
use crate::cli::exit_codes::ExitCode;
use crate::cli::terminal::Terminal;
use crate::render;
use crate::render::json;

pub(super) fn run(shelf: &Shelf, terminal: &Terminal) -> ExitCode {
    let bar = Bar::new(terminal);
    let result = archive::rebuild(&shelf.root, &shelf.sources, &|step| bar.step(step));
    bar.end();
    let rebuilt = match result {
        Ok(rebuilt) => rebuilt,
        Err(error) => return terminal.fail(&error),
    };
    let whole = rebuilt.left_out.is_empty();
    if terminal.json {
        terminal.data(&json::archive::rebuilt(&rebuilt));
    } else if !(terminal.quiet && whole) {
        terminal.lines(&render::archive::rebuilt(&rebuilt, terminal.out));
    }
    if whole {
        ExitCode::Done
    } else {
        ExitCode::Differs
    }
}
