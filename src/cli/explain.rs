//! `mailhaul explain FILE FILE`, `mailhaul explain CODE`.

use super::args::ExplainArgs;
use super::exit_codes::ExitCode;
use super::terminal::Terminal;
use crate::error::{Code, Error, Kind, Result};
use crate::identity;
use crate::message::canonical::canonical;
use crate::render::{explain, json};
use std::io::Read;
use std::path::Path;

pub(super) fn run(args: &ExplainArgs, terminal: &Terminal) -> ExitCode {
    let told = match args.what.as_slice() {
        [first, second] => messages(first, second, terminal),
        [word] => code(&word.to_string_lossy(), terminal),
        _ => Err(Error::new(
            Kind::Job,
            Code::Usage,
            "explain wants two files, or one error code",
        )),
    };
    match told {
        Ok(()) => ExitCode::Done,
        Err(error) => terminal.fail(&error),
    }
}

fn messages(first: &Path, second: &Path, terminal: &Terminal) -> Result<()> {
    let input = Path::new("-");
    if first == input && second == input {
        let what = "only one of the two messages can come from standard input";
        return Err(Error::new(Kind::Job, Code::Usage, what));
    }
    let explained = identity::explain(&read(first)?, &read(second)?);
    match terminal.json {
        true => terminal.data(&json::explanation(&explained)),
        false => terminal.lines(&explain::lines(&explained, terminal.out)),
    }
    Ok(())
}

/// A message in canonical form.
fn read(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let done = match path == Path::new("-") {
        true => std::io::stdin().lock().read_to_end(&mut bytes).map(drop),
        false => std::fs::read(path).map(|read| bytes = read),
    };
    done.map_err(|e| {
        let what = format!("cannot read {}", path.display());
        Error::new(Kind::Job, Code::Usage, what).words(e.to_string())
    })?;
    Ok(canonical(&bytes))
}

fn code(word: &str, terminal: &Terminal) -> Result<()> {
    let code = Code::from_word(word).ok_or_else(|| {
        let what = format!("{word} is no error code");
        let hint = format!("one of {}; or two files", explain::known_codes());
        Error::new(Kind::Job, Code::Usage, what).hint(hint)
    })?;
    match terminal.json {
        true => terminal.data(&json::explained_code(code)),
        false => terminal.lines(&explain::code(code, terminal.out)),
    }
    Ok(())
}
