//! The second stage of the arguments: checked, and joined with the environment.

use super::args::Globals;
use crate::error::{Code, Error, Kind, Result};
use crate::net::Trace;
use std::ffi::OsString;

/// What all commands share.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) json: bool,
    pub(crate) quiet: bool,
    /// Are colours allowed? Whether they are used depends on the terminal too.
    pub(crate) colour: bool,
    /// `--set`: job keys and their values.
    pub(crate) overrides: Vec<(String, String)>,
    /// `--account`; empty: all.
    pub(crate) accounts: Vec<String>,
    /// `--trace`, begun.
    pub(crate) trace: Trace,
}

impl Options {
    pub(crate) fn new(globals: &Globals) -> Result<Self> {
        Options::with_env(globals, |name| std::env::var_os(name))
    }

    fn with_env(globals: &Globals, env: impl Fn(&str) -> Option<OsString>) -> Result<Self> {
        let no_color = env("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = env("TERM").is_some_and(|value| value == "dumb");
        let overrides = globals.set.iter().map(|set| assignment(set));
        Ok(Options {
            json: globals.json,
            quiet: globals.quiet,
            colour: !(globals.no_color || no_color || dumb),
            overrides: overrides.collect::<Result<_>>()?,
            accounts: globals.account.clone(),
            trace: match &globals.trace {
                Some(path) => Trace::to(path)?,
                None => Trace::default(),
            },
        })
    }
}

/// `KEY=VALUE` at its first `=`. The value is not repeated in the error: somebody may have written a secret there.
fn assignment(set: &str) -> Result<(String, String)> {
    let (key, value) = set.split_once('=').unwrap_or((set, ""));
    let key = key.trim();
    if key.is_empty() || key.len() == set.trim().len() {
        return Err(Error::new(Kind::Job, Code::Usage, "--set wants KEY=VALUE")
            .hint("--set source.port=995"));
    }
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn globals(set: &[&str]) -> Globals {
        Globals {
            json: false,
            quiet: false,
            no_color: false,
            set: set.iter().map(|&s| s.to_owned()).collect(),
            account: Vec::new(),
            trace: None,
        }
    }

    #[test]
    fn assignments_split_at_the_first_equals_sign() {
        let options = Options::with_env(&globals(&["a.b = x=y", "c="]), |_| None).unwrap();
        let expected = [("a.b", " x=y"), ("c", "")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(options.overrides, expected);
    }

    #[test]
    fn a_set_without_key_or_value_is_wrong_usage() {
        for wrong in ["", "=", "=x", "source.port"] {
            let error = Options::with_env(&globals(&[wrong]), |_| None).unwrap_err();
            assert_eq!(error.code, Code::Usage, "{wrong}");
        }
    }

    #[test]
    fn the_environment_can_forbid_colours() {
        let colour = |name: &'static str, value: &'static str| {
            let env = move |asked: &str| (asked == name).then(|| value.into());
            Options::with_env(&globals(&[]), env).unwrap().colour
        };
        assert!(!colour("NO_COLOR", "1"));
        assert!(colour("NO_COLOR", ""));
        assert!(!colour("TERM", "dumb"));
    }
}
