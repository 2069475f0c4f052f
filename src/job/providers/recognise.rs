//! Whose server is it? By its host's name before anything connects, by what it says of itself afterwards.

use super::{Book, Preset, Provider};
use crate::imap::Introduction;
use std::sync::Arc;

/// How it became known whose server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Known {
    /// The job names it.
    #[default]
    Named,
    ByHost,
    ByGreeting,
    /// By its answer to ID (RFC 2971).
    ById,
}

impl Known {
    /// How a sentence goes on after "recognised".
    #[must_use]
    pub fn how(self) -> &'static str {
        match self {
            Known::Named => "by the job",
            Known::ByHost => "by its host",
            Known::ByGreeting => "by its greeting",
            Known::ById => "by its answer to ID",
        }
    }
}

/// The providers whose servers can be told by what they say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Voices(Arc<[Arc<Provider>]>);

impl Voices {
    pub(super) fn of(book: &Book) -> Self {
        let speaking = book.providers.iter().filter(|p| !p.says.is_empty());
        Voices(speaking.cloned().map(Arc::new).collect())
    }

    /// Whose voice is it? What the answer to ID says counts for more: a greeting can be set by whoever runs the server.
    fn heard(&self, said: &Introduction) -> Option<(Arc<Provider>, Known)> {
        let by = |text: &str| self.0.iter().find(|p| p.speaks(text)).map(Arc::clone);
        let by_id = said.name.as_deref().and_then(by);
        by_id
            .map(|provider| (provider, Known::ById))
            .or_else(|| by(&said.greeting).map(|provider| (provider, Known::ByGreeting)))
    }
}

impl Provider {
    /// Does a greeting, or a name that ID told, hold one of its words?
    fn speaks(&self, text: &str) -> bool {
        let text = text.to_ascii_lowercase();
        self.says
            .iter()
            .any(|word| text.contains(&word.to_ascii_lowercase()))
    }
}

impl Preset {
    /// For a server of which the job says nothing and whose host is not known: what it says of itself is listened to.
    #[must_use]
    pub fn unknown(book: &Book) -> Self {
        Preset {
            voices: Voices::of(book),
            ..Preset::default()
        }
    }

    /// The preset that holds once the server has introduced itself: this one, unless nothing was known and its voice is.
    #[must_use]
    pub fn after_hearing(&self, said: &Introduction) -> Self {
        match self.voices.heard(said) {
            Some((provider, known)) => Preset {
                provider,
                known,
                voices: Voices::default(),
            },
            None => self.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(greeting: &str, name: Option<&str>) -> (String, Known) {
        let book = Book::load(std::path::Path::new("/nonexistent")).unwrap();
        let preset = Preset::unknown(&book).after_hearing(&Introduction {
            greeting: greeting.into(),
            name: name.map(str::to_owned),
        });
        (preset.provider().name.clone(), preset.known())
    }

    #[test]
    fn a_voice_is_known_by_greeting_or_id_and_an_unknown_one_stays_unknown() {
        let courier = heard("Courier-IMAP ready. Copyright 1998-2019", None);
        assert_eq!(courier, ("courier".into(), Known::ByGreeting));
        assert_eq!(heard("[CAPABILITY x] Dovecot ready.", None).0, "dovecot");
        let cyrus = heard("Dovecot ready.", Some("Cyrus IMAPD"));
        assert_eq!(cyrus, ("cyrus".into(), Known::ById));
        assert_eq!(heard("IMAP4rev1 Service Ready", Some("X")).0, "");
    }

    #[test]
    fn what_the_job_names_is_not_overruled() {
        let said = Introduction {
            greeting: "Courier-IMAP ready".into(),
            name: None,
        };
        assert_eq!(Preset::default().after_hearing(&said), Preset::default());
    }
}
