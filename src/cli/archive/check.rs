//! `mailhaul archive check PATH`.

use super::Shelf;
use super::bar::Bar;
use crate::archive;
use crate::cli::exit_codes::ExitCode;
use crate::cli::terminal::Terminal;
use crate::render;
use crate::render::json;

pub(super) fn run(shelf: &Shelf, terminal: &Terminal) -> ExitCode {
    let bar = Bar::new(terminal);
    let result = archive::check(&shelf.root, &|step| bar.step(step));
    let elapsed = bar.end();
    let checked = match result {
        Ok(checked) => checked,
        Err(error) => return terminal.fail(&error),
    };
    let clean = checked.findings.is_empty();
    if terminal.json {
        terminal.lines(&json::archive::checked(&checked, elapsed));
    } else if !(terminal.quiet && clean) {
        terminal.lines(&render::archive::checked(&checked, elapsed, terminal.out));
    }
    if clean {
        ExitCode::Done
    } else {
        ExitCode::Differs
    }
}
