//! What is said before the first run: signing in, looking at servers.

use super::table::wrapped;
use super::{Paint, errors, text};
use crate::auth::oauth::Ask;
use crate::survey::Survey;

/// What a person has to do to sign in.
#[must_use]
pub fn ask(mailbox: &str, ask: &Ask<'_>, paint: Paint) -> String {
    let mailbox = text(mailbox);
    match ask {
        Ask::Device {
            url,
            code,
            complete,
            minutes,
        } => {
            let open = address(complete.unwrap_or(url));
            format!(
                "{mailbox}: open {open} on any device within {minutes} minutes and enter the code {}",
                paint.strong(&text(code))
            )
        }
        Ask::Browser { url } => format!(
            "{mailbox}: open this address in a browser of this machine, and sign in there:\n{}",
            address(url)
        ),
    }
}

/// Where the text of a fact begins.
const UNDER_FACTS: usize = 15;

/// What one end showed, a topic a line; on a terminal (`width` characters) a long one goes on below its beginning.
#[must_use]
pub fn survey(
    account: Option<&str>,
    survey: &Survey,
    paint: Paint,
    width: Option<usize>,
) -> Vec<String> {
    let of = account.map_or_else(String::new, |name| format!("{}: ", text(name)));
    let mailbox = paint.strong(&text(&survey.mailbox));
    let mut lines = vec![format!("{of}{} {mailbox}", survey.end)];
    for fact in &survey.facts {
        let line = format!("  {:12} {}", fact.topic.as_str(), text(&fact.text));
        lines.extend(match width {
            Some(width) => wrapped(&line, width, UNDER_FACTS),
            None => vec![line],
        });
    }
    if let Some(error) = &survey.error {
        let told = errors::error(error, paint);
        lines.extend(told.lines().map(|line| format!("  {line}")));
    }
    let advice = survey.advice.iter();
    lines.extend(advice.map(|advice| format!("  {}", errors::attempt(&text(advice), paint))));
    lines
}

/// A URL, whole however long: it is to be copied. What is no part of a URL is left out.
fn address(url: &str) -> String {
    url.chars().filter(char::is_ascii_graphic).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_whole_and_harmless() {
        let url = format!("https://a.example/?x={}\x1b[2J", "y".repeat(900));
        let shown = super::ask("imap://b@c", &Ask::Browser { url: &url }, Paint::PLAIN);
        assert!(shown.ends_with("yyy[2J") && shown.len() > 900, "{shown}");
        let device = Ask::Device {
            url: "https://a.example/d",
            code: "AB\x07CD",
            complete: None,
            minutes: 10,
        };
        let shown = super::ask("imap://b@c", &device, Paint::PLAIN);
        assert!(shown.contains("https://a.example/d") && !shown.contains('\x07'));
    }
}
