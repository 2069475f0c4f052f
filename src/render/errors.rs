//! Errors and warnings as people read them.

use super::{Paint, own, text};
use crate::error::Error;

/// `error[auth]: cannot log in: the server's words`, then `try: …` on a line of its own.
#[must_use]
pub fn error(error: &Error, paint: Paint) -> String {
    let label = paint.bad(&format!("error[{}]", error.code.as_str()));
    with_hint(format!("{label}: {}", sentence(error)), error, paint)
}

/// The same, with the account it happened to in front.
#[must_use]
pub fn account_error(account: &str, error: &Error, paint: Paint) -> String {
    let label = paint.bad(&format!("error[{}]", error.code.as_str()));
    let line = format!("{label}: {}: {}", text(account), sentence(error));
    with_hint(line, error, paint)
}

/// What happened and the server's words, in one line, without code and hint.
#[must_use]
pub fn sentence(error: &Error) -> String {
    match error.words.as_deref().map(str::trim) {
        None | Some("") => own(&error.what),
        Some(words) => format!("{}: {}", own(&error.what), text(words)),
    }
}

fn with_hint(mut line: String, error: &Error, paint: Paint) -> String {
    if let Some(hint) = &error.hint {
        line.push('\n');
        line.push_str(&attempt(&own(hint), paint));
    }
    line
}

/// `try: …`, a thing to do now.
#[must_use]
pub fn attempt(what: &str, paint: Paint) -> String {
    format!("{}: {what}", paint.strong("try"))
}

/// `warning: …`.
#[must_use]
pub fn warning(what: &str, paint: Paint) -> String {
    format!("{}: {}", paint.dubious("warning"), own(what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Code, Kind};

    fn refused() -> Error {
        Error::new(
            Kind::Account,
            Code::Auth,
            "cannot log in to imap.example:993 as budi",
        )
        .words("NO [AUTH\x1b[2J] no\r\n")
        .hint("check the password")
    }

    #[test]
    fn an_error_has_code_words_and_hint() {
        let shown = error(&refused(), Paint::PLAIN);
        let lines: Vec<&str> = shown.lines().collect();
        assert!(
            lines[0]
                .starts_with("error[auth]: cannot log in to imap.example:993 as budi: NO [AUTH")
        );
        assert_eq!(lines[1], "try: check the password");
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn nothing_of_a_server_reaches_the_terminal_raw() {
        for shown in [
            error(&refused(), Paint::PLAIN),
            account_error("a\x1b]0;x\x07", &refused(), Paint::PLAIN),
            warning("two\nlines\u{202e}", Paint::PLAIN),
        ] {
            let bad = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            assert!(!shown.contains(bad), "{shown:?}");
        }
    }

    #[test]
    fn empty_words_add_nothing() {
        let error = Error::new(Kind::Account, Code::Connect, "lost").words(" ");
        assert_eq!(sentence(&error), "lost");
    }
}
