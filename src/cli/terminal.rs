//! The only writer to the terminal: stdout is data, stderr talks.

use super::exit_codes::ExitCode;
use super::options::Options;
use crate::error::{Code, Error, Kind, Result};
use crate::render::{Paint, errors, json};
use std::cell::Cell;
use std::io::{IsTerminal, Write};

/// Writes lines. A reader that went away (`mailhaul plan … | head`) is no reason to stop or to fail: the mail matters more
/// than what is told about it, so that errors of writing are dropped here, on purpose and nowhere else; that data was lost is remembered
/// for the end ([`Terminal::is_complete`]).
#[derive(Debug)]
pub(crate) struct Terminal {
    pub(crate) json: bool,
    pub(crate) quiet: bool,
    /// Colours for stdout.
    pub(crate) out: Paint,
    /// Colours for stderr.
    pub(crate) err: Paint,
    /// May progress bars be drawn?
    pub(crate) bars: bool,
    /// Data could not be written, and somebody may still read it.
    lost: Cell<bool>,
}

impl Terminal {
    pub(crate) fn new(options: &Options) -> Self {
        let talks = std::io::stderr().is_terminal();
        Terminal {
            json: options.json,
            quiet: options.quiet,
            out: Paint::new(options.colour && !options.json && std::io::stdout().is_terminal()),
            err: Paint::new(options.colour && talks),
            bars: talks && !options.json && !options.quiet,
            lost: Cell::new(false),
        }
    }

    /// Before the options are known.
    pub(crate) fn plain() -> Self {
        Terminal {
            json: false,
            quiet: false,
            out: Paint::PLAIN,
            err: Paint::PLAIN,
            bars: false,
            lost: Cell::new(false),
        }
    }

    /// A line, or several, of data.
    pub(crate) fn data(&self, text: &str) {
        self.note(writeln!(std::io::stdout().lock(), "{text}"));
    }

    fn note(&self, written: std::io::Result<()>) {
        let lost = |e: std::io::Error| e.kind() != std::io::ErrorKind::BrokenPipe;
        if written.is_err_and(lost) {
            self.lost.set(true);
        }
    }

    /// Was all data written, as far as somebody reads it?
    pub(crate) fn is_complete(&self) -> bool {
        self.note(std::io::stdout().lock().flush());
        !self.lost.get()
    }

    pub(crate) fn lines(&self, lines: &[String]) {
        lines.iter().for_each(|line| self.data(line));
    }

    /// Bytes of data as they are.
    pub(crate) fn bytes(&self, bytes: &[u8]) {
        let mut out = std::io::stdout().lock();
        self.note(out.write_all(bytes).and_then(|()| out.flush()));
    }

    /// Data in large pieces, by whoever has them. Whether all of it was written matters here: what is half is told, unless nobody
    /// reads it any more.
    pub(crate) fn stream(
        &self,
        write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
    ) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        match write(&mut out).and_then(|()| out.flush()) {
            Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }

    /// Does a person look at stdout?
    pub(crate) fn is_terminal(&self) -> bool {
        std::io::stdout().is_terminal()
    }

    /// A line, or several, for the person in front.
    pub(crate) fn say(&self, text: &str) {
        drop(writeln!(std::io::stderr().lock(), "{text}"));
    }

    /// Asks the person in front. Error: there is nobody.
    pub(crate) fn ask_text(&self, question: &str) -> Result<String> {
        let nobody = || {
            let what = format!("there is no terminal to ask at: {question}?");
            Error::new(Kind::Job, Code::Usage, what).hint("mailhaul init --help shows the flags")
        };
        if !std::io::stdin().is_terminal() {
            return Err(nobody());
        }
        let mut err = std::io::stderr().lock();
        drop(write!(err, "{question}: ").and_then(|()| err.flush()));
        let mut line = String::new();
        match std::io::stdin().read_line(&mut line) {
            Ok(read) if read > 0 => Ok(line.trim().to_owned()),
            _ => Err(nobody()),
        }
    }

    /// Asks a question that only `y` or `yes` answers with yes. `None`: nobody is there to answer.
    pub(crate) fn ask(&self, question: &str) -> Option<bool> {
        let input = std::io::stdin();
        if !input.is_terminal() || !std::io::stderr().is_terminal() {
            return None;
        }
        let mut err = std::io::stderr().lock();
        drop(write!(err, "{question} [y/N] ").and_then(|()| err.flush()));
        let mut answer = String::new();
        input.read_line(&mut answer).ok()?;
        Some(matches!(answer.trim(), "y" | "Y" | "yes"))
    }

    pub(crate) fn warn(&self, text: &str) {
        if self.json {
            self.data(&json::warning(text));
        } else {
            self.say(&errors::warning(text, self.err));
        }
    }

    /// Tells an error and gives back the exit code that it leads to.
    pub(crate) fn fail(&self, error: &Error) -> ExitCode {
        self.fail_for(None, error)
    }

    /// The same for an error that concerns one account.
    pub(crate) fn fail_for(&self, account: Option<&str>, error: &Error) -> ExitCode {
        match account {
            _ if self.json => self.data(&json::error(account, error)),
            Some(account) => self.say(&errors::account_error(account, error, self.err)),
            None => self.say(&errors::error(error, self.err)),
        }
        ExitCode::of_error(error)
    }
}
