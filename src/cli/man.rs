//! `mailhaul man [COMMAND]`: manual pages from the definition of the arguments and of the exit codes.

use super::args::{Args, ManArgs};
use super::exit_codes::ExitCode;
use super::terminal::Terminal;
use crate::error::{Code, Error, Kind};
use clap::CommandFactory;
use clap_mangen::Man;
use std::io::{self, Write};

pub(super) fn run(args: &ManArgs, terminal: &Terminal) -> ExitCode {
    let mut page = Vec::new();
    match render(args.page.as_deref(), &mut page) {
        Ok(()) => {
            terminal.bytes(&page);
            ExitCode::Done
        }
        Err(e) => {
            let error = Error::new(
                Kind::Internal,
                Code::Internal,
                "cannot write the manual page",
            );
            terminal.fail(&error.words(e.to_string()))
        }
    }
}

fn render(page: Option<&str>, out: &mut dyn Write) -> io::Result<()> {
    let mut main = Args::command().disable_help_subcommand(true);
    main.build();
    let mut command = main;
    for name in page.unwrap_or_default().split('-') {
        if let Some(sub) = command.find_subcommand(name) {
            command = sub.clone();
        }
    }
    let example = command.get_after_help().map(ToString::to_string);
    let title = command
        .get_bin_name()
        .unwrap_or("mailhaul")
        .replace(' ', "-");
    let has_commands = command.has_subcommands();
    let man = Man::new(command.display_name(title));
    man.render_title(out)?;
    man.render_name_section(out)?;
    man.render_synopsis_section(out)?;
    man.render_description_section(out)?;
    man.render_options_section(out)?;
    if has_commands {
        man.render_subcommands_section(out)?;
    }
    show_example(example.as_deref().unwrap_or_default(), out)?;
    exit_status(out)?;
    files(out)
}

/// The lines below `Example:` of a command's help, as they stand.
fn show_example(help: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, ".SH EXAMPLE\n.nf")?;
    let lines = help.lines().skip(1);
    lines
        .map(str::trim)
        .try_for_each(|line| writeln!(out, "{}", plain(line)))?;
    writeln!(out, ".fi")
}

fn exit_status(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, ".SH \"EXIT STATUS\"")?;
    let mut codes = ExitCode::ALL;
    codes.sort_by_key(|code| code.number());
    codes.iter().try_for_each(|code| {
        writeln!(
            out,
            ".TP\n\\fB{}\\fR\n{}",
            code.number(),
            plain(code.meaning())
        )
    })
}

const FILES: [(&str, &str); 5] = [
    ("JOB", "The job file (TOML): from where, to where, and how."),
    (
        "JOB.state/",
        "The journal of a job without [archive], beside the job file. Needed to go on and to never deliver twice: keep it.",
    ),
    (
        "ARCHIVE/",
        "The directory that [archive] names: journal.db, and the mail itself under mail/ unless the job says keep-mail = false.",
    ),
    (
        "JOB.tokens/",
        "What mailhaul login keeps: tokens of OAuth 2.0. Whoever has them can read the mail.",
    ),
    (
        "providers.toml",
        "Providers of your own, beside the job file.",
    ),
];

fn files(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, ".SH FILES")?;
    FILES
        .iter()
        .try_for_each(|(name, what)| writeln!(out, ".TP\n\\fI{}\\fR\n{}", plain(name), plain(what)))
}

/// Text in roff: a hyphen is written so that it stays one that can be searched and copied.
fn plain(text: &str) -> String {
    text.replace('\\', "\\\\").replace('-', "\\-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(name: Option<&str>) -> String {
        let mut out = Vec::new();
        render(name, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_main_page_has_commands_exit_codes_and_files() {
        let page = page(None);
        for part in [
            ".TH mailhaul 1",
            "mailhaul\\-run(1)",
            "EXIT STATUS",
            "\\fB130\\fR",
            ".SH FILES",
            "JOB.state/",
        ] {
            assert!(page.contains(part), "{part} is not in:\n{page}");
        }
    }

    #[test]
    fn a_command_has_its_own_page() {
        let page = page(Some("run"));
        assert!(page.contains(".TH mailhaul-run 1"), "{page}");
        assert!(page.contains("\\-\\-strict"));
        assert!(
            page.contains(".SH EXAMPLE\n.nf\nmailhaul run budi.toml"),
            "{page}"
        );
    }
}
