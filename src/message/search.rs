//! A search on headers: `from:budi subject:"two words" bill`. All terms must be found.

use super::decoded::decoded;
use super::header;

/// Where a term without a field looks.
const COMMON: [&str; 4] = ["From", "To", "Cc", "Subject"];

/// Terms of which a message's header must hold every one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    text: String,
    terms: Vec<Term>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    /// A header's name; `None`: those of [`COMMON`].
    field: Option<String>,
    /// In lower case, never empty.
    text: String,
}

impl Search {
    /// Terms are separated by spaces. `NAME:TEXT` looks in every header field of that name, text alone in From, To, Cc and Subject;
    /// quotes hold spaces and colons (`subject:"two words"`, `"re: rent"`).
    ///
    /// # Errors
    /// A sentence about what is wrong: no term, a name without a text, a quote that is not closed.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut terms = Vec::new();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let (term, after) = term(rest)?;
            terms.push(term);
            rest = after.trim_start();
        }
        if terms.is_empty() {
            return Err("a search needs something to look for, such as from:budi".to_owned());
        }
        Ok(Search {
            text: text.trim().to_owned(),
            terms,
        })
    }

    /// The search as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Does the header (a whole message, or its head alone; CRLF or LF) hold every term? Case is ignored, encoded words are decoded.
    #[must_use]
    pub fn matches(&self, head: &[u8]) -> bool {
        self.terms.iter().all(|term| term.is_in(head))
    }
}

impl Term {
    fn is_in(&self, head: &[u8]) -> bool {
        header::fields(head)
            .filter(|field| self.looks_at(field.name))
            .any(|field| decoded(field.value).to_lowercase().contains(&self.text))
    }

    fn looks_at(&self, name: &[u8]) -> bool {
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted.as_bytes());
        match &self.field {
            Some(field) => is(field),
            None => COMMON.iter().any(|common| is(common)),
        }
    }
}

/// The first term, and what follows it.
fn term(text: &str) -> Result<(Term, &str), String> {
    let (field, text) = match text.split_once(':') {
        Some((name, rest)) if is_name(name) => (Some(name), rest),
        _ => (None, text),
    };
    let (wanted, rest) = match text.strip_prefix('"') {
        Some(quoted) => quoted
            .split_once('"')
            .ok_or_else(|| format!("the quote is not closed: \"{quoted}"))?,
        None => text.split_at(text.find(char::is_whitespace).unwrap_or(text.len())),
    };
    let wanted = wanted.split_whitespace().collect::<Vec<_>>().join(" ");
    if wanted.is_empty() {
        return Err(match field {
            Some(name) => format!(
                "{name}: has no text behind it: write {name}:TEXT, or put all of it in quotes"
            ),
            None => "a quote with nothing in it".to_owned(),
        });
    }
    let term = Term {
        field: field.map(str::to_owned),
        text: wanted.to_lowercase(),
    };
    Ok((term, rest))
}

/// A header's name (RFC 5322 §2.2) of the kind that people write; `10:30` has none.
fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAIL: &[u8] = b"From: =?utf-8?q?J=C3=B6rg_Budi?= <budi@example.org>\r\n\
        To: a@example.org,\r\n b@example.org\r\nX-Tag: one\r\nX-Tag: two\r\n\
        Subject: Re: the  rent,\r\n\t10:30\r\n\r\nCc: not a header\r\n";

    fn finds(search: &str) -> bool {
        Search::parse(search).unwrap().matches(MAIL)
    }

    #[test]
    fn fields_and_common_headers() {
        for hit in [
            "budi",
            "FROM:jörg",
            "from:JÖRG to:b@example.org",
            "x-tag:two",
            "rent 10:30",
            "subject:\"the rent\"",
            "\"re: the rent,\"",
            "  from:\"Jörg  Budi\"  ",
        ] {
            assert!(finds(hit), "{hit}");
        }
        for miss in [
            "from:rent",
            "two",
            "cc:not",
            "not",
            "budi tono",
            "x-tag:three",
            "body:x",
        ] {
            assert!(!finds(miss), "{miss}");
        }
    }

    #[test]
    fn what_makes_no_search() {
        for (wrong, word) in [
            ("", "needs something"),
            ("  ", "needs something"),
            ("from: budi", "from:TEXT"),
            ("subject:\"open", "not closed"),
            ("\"\"", "nothing in it"),
            ("a to:\"  \"", "to:TEXT"),
        ] {
            let refused = Search::parse(wrong).unwrap_err();
            assert!(refused.contains(word), "{wrong}: {refused}");
        }
    }

    proptest! {
        #[test]
        fn never_panics_and_finds_what_stands_there(text in "\\PC{0,30}", word in "[a-z]{1,12}") {
            let found = Search::parse(&text).is_ok_and(|search| search.matches(MAIL));
            prop_assert!(!found || !text.trim().is_empty());
            let mail = format!("Subject: x {word} y\r\n\r\n");
            let search = Search::parse(&format!("subject:{word}")).unwrap();
            prop_assert!(search.matches(mail.as_bytes()));
        }
    }
}
