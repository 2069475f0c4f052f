//! The command line: arguments, one file a command, and the only writer to the terminal.

mod archive;
mod args;
mod bars;
mod check;
mod completions;
mod exit_codes;
mod explain;
mod init;
mod load;
mod login;
mod man;
mod options;
mod plan;
mod run;
mod status;
mod talk;
mod terminal;
mod undo;
mod verify;

pub use args::{Args, Command};
pub use exit_codes::ExitCode;

use clap::Parser;
use options::Options;
use std::ffi::OsString;
use terminal::Terminal;

/// Does what the arguments (the program's name first) say. Writes to stdout and stderr; never panics on what it is given.
#[must_use]
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    forbid_core_dumps();
    match Args::try_parse_from(args) {
        Ok(args) => dispatch(&args),
        Err(refusal) => tell(&refusal),
    }
}

/// A core dump would hold the passwords. Where the system refuses, it is as it was.
fn forbid_core_dumps() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    // Nothing depends on it, and lowering one's own limit is never refused.
    let _ = setrlimit(Resource::Core, none);
}

fn dispatch(args: &Args) -> ExitCode {
    let options = match Options::new(&args.globals) {
        Ok(options) => options,
        Err(error) => return Terminal::plain().fail(&error),
    };
    let terminal = Terminal::new(&options);
    let mut code = act(&args.command, &options, &terminal);
    if !terminal.is_complete() && (options.json || is_for_reading(&args.command)) {
        code = code.worst(ExitCode::Failed);
        terminal.say("error: what was to be told could not be written to stdout");
    }
    if let Some(why) = options.trace.failure() {
        terminal.warn(&format!("the trace ends early: {why}"));
    }
    code
}

/// Is what it writes to stdout all that it is for? The others do their work whether anybody reads of it or not.
fn is_for_reading(command: &Command) -> bool {
    !matches!(
        command,
        Command::Run(_) | Command::Undo(_) | Command::Init(_) | Command::Login(_)
    )
}

fn act(command: &Command, options: &Options, terminal: &Terminal) -> ExitCode {
    match command {
        Command::Run(run) => run::run(run, options, terminal),
        Command::Plan(plan) => plan::run(plan, options, terminal),
        Command::Status(status) => status::run(status, options, terminal),
        Command::Archive(archive) => archive::run(archive, options, terminal),
        Command::Verify(verify) => verify::run(verify, options, terminal),
        Command::Undo(undo) => undo::run(undo, options, terminal),
        Command::Explain(explain) => explain::run(explain, terminal),
        Command::Init(init) => init::run(init, terminal),
        Command::Check(check) => check::run(check, options, terminal),
        Command::Login(login) => login::run(login, options, terminal),
        Command::Completions(completions) => completions::run(completions, terminal),
        Command::Man(man) => man::run(man, terminal),
    }
}

/// Help and version are data and succeed; all else that clap has to say is wrong usage.
fn tell(refusal: &clap::Error) -> ExitCode {
    let terminal = Terminal::plain();
    let text = refusal.render().to_string();
    if refusal.use_stderr() {
        terminal.say(text.trim_end());
        ExitCode::Usage
    } else {
        terminal.data(text.trim_end());
        ExitCode::Done
    }
}
