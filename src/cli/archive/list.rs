//! `mailhaul archive list PATH`.

use super::{Shelf, selection};
use crate::archive::{self, Selection};
use crate::cli::args::{Choice, ListArgs};
use crate::cli::exit_codes::ExitCode;
use crate::cli::terminal::Terminal;
use crate::error::Result;
use crate::message::Folder;
use crate::render;
use crate::render::json;

pub(super) fn run(args: &ListArgs, shelf: &Shelf, terminal: &Terminal) -> ExitCode {
    let listed = selection(&args.choice).and_then(|selection| {
        if args.messages || narrows(&args.choice) {
            messages(shelf, &selection, terminal)
        } else {
            folders(shelf, &selection, terminal)
        }
    });
    match listed {
        Ok(()) => ExitCode::Done,
        Err(error) => terminal.fail(&error),
    }
}

fn narrows(choice: &Choice) -> bool {
    let Choice {
        folder,
        since,
        before,
        search,
    } = choice;
    !folder.is_empty() || since.is_some() || before.is_some() || search.is_some()
}

fn folders(shelf: &Shelf, selection: &Selection, terminal: &Terminal) -> Result<()> {
    let totals = archive::totals(&shelf.root, selection)?;
    if terminal.json {
        totals
            .iter()
            .for_each(|total| terminal.data(&json::archive::total(total)));
    } else {
        terminal.lines(&render::archive::totals(&totals, terminal.out));
    }
    Ok(())
}

/// A line as soon as it is known, each folder's under its name.
fn messages(shelf: &Shelf, selection: &Selection, terminal: &Terminal) -> Result<()> {
    let mut current: Option<Folder> = None;
    let mut found = false;
    archive::list(&shelf.root, selection, &mut |message| {
        found = true;
        if terminal.json {
            terminal.data(&json::archive::listed(&message));
            return;
        }
        if current.as_ref() != Some(&message.folder) {
            let name = render::text(&message.folder.to_string());
            terminal.data(&terminal.out.strong(&name));
            current = Some(message.folder.clone());
        }
        terminal.data(&render::archive::listed(&message, terminal.out));
    })?;
    if !found && !terminal.json && !terminal.quiet {
        terminal.say(match archive::totals(&shelf.root, selection)?.is_empty() {
            true => "no such folder",
            false => "no message matches",
        });
    }
    Ok(())
}
