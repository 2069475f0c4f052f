//! Folder names, free of any server's separator and encoding.

pub use super::special_use::SpecialUse;
use super::{twins::text, utf7};
use std::fmt::{self, Write};

/// A folder as a path of names, each decoded text, none empty; `INBOX` (any case) alone is normalised to upper case.
///
/// Shown and matched as the names joined with `/`; a `/` or `\` inside a name is written `\/` or `\\`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Folder(Vec<String>);

impl Folder {
    /// `None` if there is no name or one of them is empty.
    #[must_use]
    pub fn new(names: Vec<String>) -> Option<Self> {
        if names.is_empty() || names.iter().any(String::is_empty) {
            return None;
        }
        if all_inbox(&names) && names.len() == 1 {
            return Some(Folder::inbox());
        }
        Some(Folder(names))
    }

    #[must_use]
    pub fn inbox() -> Self {
        Folder(vec!["INBOX".to_owned()])
    }

    /// Parses what `Display` writes. `None` as in [`Folder::new`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut names = vec![String::new()];
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let c = match (c, chars.peek()) {
                ('/', _) => {
                    names.push(String::new());
                    continue;
                }
                ('\\', Some('/' | '\\')) => chars.next().unwrap_or(c),
                _ => c,
            };
            if let Some(name) = names.last_mut() {
                name.push(c);
            }
        }
        Folder::new(names)
    }

    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.0
    }

    #[must_use]
    pub fn is_inbox(&self) -> bool {
        self.0.len() == 1 && self.0[0] == "INBOX"
    }

    /// From a server's wire name: split at `separator` (where there is one), each name decoded from modified UTF-7
    /// (kept as it stands where it cannot be, 8-bit bytes that are no UTF-8 as U+FFFD), `prefix` (the personal namespace, wire form, separator
    /// included) taken off first unless that leaves nothing. A name with empty
    /// parts (`a//b`) stays whole. `None` for an empty name.
    #[must_use]
    pub fn from_wire(wire: &[u8], separator: Option<u8>, prefix: &[u8]) -> Option<Self> {
        let parts = Folder::components(wire, separator, prefix);
        Folder::new(parts.into_iter().map(text).collect())
    }

    /// What [`Folder::from_wire`] makes names of; one that is empty for an empty name.
    pub(super) fn components<'a>(
        wire: &'a [u8],
        separator: Option<u8>,
        prefix: &[u8],
    ) -> Vec<&'a [u8]> {
        let split = |wire: &'a [u8]| -> Vec<&'a [u8]> {
            match separator {
                Some(separator) => wire.split(|&b| b == separator).collect(),
                None => vec![wire],
            }
        };
        let is_inbox = |part: &&[u8]| part.eq_ignore_ascii_case(b"INBOX");
        let inner = without_prefix(wire, prefix).map(split);
        // What would become INBOX itself (`INBOX.INBOX`) keeps its prefix, or two folders became one.
        let inner = inner.filter(|parts| !parts.iter().all(is_inbox));
        let parts = inner.unwrap_or_else(|| split(wire));
        match parts.iter().any(|part| part.is_empty()) {
            true => vec![wire],
            false => parts,
        }
    }

    /// The wire name at a server. A separator inside a name becomes `_` (the caller tells about it through [`Folder::fits`]).
    /// INBOX gets no prefix (nor does `INBOX.INBOX`, which is no folder below the prefix). A server without a separator (`None`) gets the names joined by `_`.
    #[must_use]
    pub fn to_wire(&self, separator: Option<u8>, prefix: &[u8]) -> Vec<u8> {
        let separator_char = separator.map(char::from);
        let names: Vec<String> = self
            .0
            .iter()
            .map(|name| match separator_char {
                Some(c) => utf7::encode(&name.replace(c, "_")),
                None => utf7::encode(name),
            })
            .collect();
        let joint = separator_char.map_or("_".to_owned(), String::from);
        let prefix = if all_inbox(&self.0) { b"" } else { prefix };
        [prefix, names.join(&joint).as_bytes()].concat()
    }

    /// Can this server hold the name unchanged?
    #[must_use]
    pub fn fits(&self, separator: Option<u8>) -> bool {
        match separator.map(char::from) {
            Some(c) => !self.0.iter().any(|name| name.contains(c)),
            None => self.0.len() == 1,
        }
    }
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, name) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_char('/')?;
            }
            for c in name.chars() {
                if matches!(c, '/' | '\\') {
                    f.write_char('\\')?;
                }
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}

fn all_inbox(names: &[String]) -> bool {
    names.iter().all(|name| name.eq_ignore_ascii_case("INBOX"))
}

/// What stands behind the prefix, if that is more than nothing. `INBOX` in a prefix has no case.
fn without_prefix<'a>(wire: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = wire.split_at_checked(prefix.len())?;
    let no_case = prefix
        .get(..5)
        .is_some_and(|p| p.eq_ignore_ascii_case(b"INBOX"));
    let same = start == prefix
        || no_case && start[..5].eq_ignore_ascii_case(b"INBOX") && start[5..] == prefix[5..];
    (same && !rest.is_empty()).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn folder(names: &[&str]) -> Folder {
        Folder::new(names.iter().map(|n| (*n).to_owned()).collect()).unwrap()
    }

    #[test]
    fn wire_names_known_answers() {
        let from = |wire: &[u8], prefix: &[u8]| Folder::from_wire(wire, Some(b'.'), prefix);
        assert_eq!(from(b"inbox", b"INBOX."), Some(Folder::inbox()));
        assert_eq!(
            from(b"Inbox.Entw&APw-rfe", b"INBOX."),
            Some(folder(&["Entwürfe"]))
        );
        assert_eq!(
            from(b"INBOX.INBOX", b"INBOX."),
            Some(folder(&["INBOX", "INBOX"]))
        );
        assert_eq!(from(b"INBOX.a.b", b""), Some(folder(&["INBOX", "a", "b"])));
        assert_eq!(from(b"a..b", b""), Some(folder(&["a..b"])));
        assert_eq!(from(b"", b""), None);
        assert_eq!(from(b"Foo & Bar", b""), Some(folder(&["Foo & Bar"])));
        assert_eq!(from(b"caf\xe9", b""), Some(folder(&["caf\u{fffd}"])));
        assert_eq!(Folder::from_wire(b"a/b", None, b""), Some(folder(&["a/b"])));
    }

    #[test]
    fn separators_inside_names() {
        let odd = folder(&["a.b", "c/d"]);
        assert_eq!(odd.to_wire(Some(b'.'), b"INBOX."), b"INBOX.a_b.c/d");
        assert_eq!(odd.to_wire(Some(b'/'), b""), b"a.b/c_d");
        assert_eq!(odd.to_wire(None, b""), b"a.b_c/d");
        assert!(!odd.fits(Some(b'.')) && !odd.fits(Some(b'/')) && !odd.fits(None));
        assert!(odd.fits(Some(b'^')));
        assert_eq!(Folder::inbox().to_wire(Some(b'.'), b"INBOX."), b"INBOX");
    }

    #[test]
    fn display_escapes_and_parse_is_kind() {
        assert_eq!(folder(&["a/b\\", " c "]).to_string(), "a\\/b\\\\/ c ");
        assert_eq!(Folder::parse("a\\b\\"), Some(folder(&["a\\b\\"])));
        assert_eq!(Folder::parse("Inbox"), Some(Folder::inbox()));
        for text in ["", "/", "a//b", "a/"] {
            assert_eq!(Folder::parse(text), None);
        }
    }

    fn any_folder() -> impl Strategy<Value = Folder> {
        let name = prop_oneof![
            "[ -~]{1,12}",
            "\\PC{1,200}",
            Just("INBOX".to_owned()),
            Just("inbox".to_owned())
        ];
        prop::collection::vec(name, 1..5).prop_filter_map("empty", Folder::new)
    }

    proptest! {
        #[test]
        fn display_survives(folder in any_folder()) {
            prop_assert_eq!(Folder::parse(&folder.to_string()), Some(folder));
        }

        #[test]
        fn the_wire_survives(folder in any_folder(), separator in "[./^|]", prefixed: bool) {
            let separator = separator.as_bytes()[0];
            let prefix = if prefixed { [b"INBOX", &[separator][..]].concat() } else { Vec::new() };
            let wire = folder.to_wire(Some(separator), &prefix);
            prop_assert!(wire.iter().all(|b| (0x20..0x7f).contains(b)));
            if folder.fits(Some(separator)) {
                prop_assert_eq!(Folder::from_wire(&wire, Some(separator), &prefix), Some(folder));
            }
        }
    }
}
