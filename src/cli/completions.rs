//! `mailhaul completions SHELL`.

use super::args::{Args, CompletionsArgs};
use super::exit_codes::ExitCode;
use super::terminal::Terminal;
use clap::CommandFactory;

pub(super) fn run(args: &CompletionsArgs, terminal: &Terminal) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "mailhaul", &mut script);
    terminal.bytes(&script);
    ExitCode::Done
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;
    use clap_complete::Shell;

    #[test]
    fn every_shell_completes_the_commands() {
        for shell in Shell::value_variants() {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Args::command(), "mailhaul", &mut script);
            let script = String::from_utf8(script).unwrap();
            assert!(
                script.contains("status") && script.contains("--strict") || *shell == Shell::Fish
            );
            assert!(script.contains("completions"), "{shell}");
        }
    }
}
