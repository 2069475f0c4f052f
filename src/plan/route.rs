//! `[[route]]`: which folder a message of a source without folders goes to.

use super::address::addresses;
use crate::job::Route;
use crate::message::{Folder, InternalDate, header};
use chrono::Datelike;
use globset::GlobMatcher;

/// The folder of the first route whose conditions all hold; `None`: none does, the message stays in INBOX. `head` is raw:
/// a message or its header, CRLF or LF.
#[must_use]
pub fn route(routes: &[Route], head: &[u8], date: Option<InternalDate>) -> Option<Folder> {
    if routes.is_empty() {
        return None;
    }
    let traits = Traits::of(head, date);
    routes
        .iter()
        .filter(|route| traits.fit(route))
        .find_map(|route| traits.folder(route))
}

/// What routes look at.
#[derive(Default)]
struct Traits {
    from: Vec<String>,
    to: Vec<String>,
    list_ids: Vec<String>,
    year: Option<i32>,
}

impl Traits {
    fn of(head: &[u8], date: Option<InternalDate>) -> Self {
        let mut traits = Traits {
            year: date.and_then(year),
            ..Traits::default()
        };
        for field in header::fields(head) {
            let name = field.name.to_ascii_lowercase();
            match name.as_slice() {
                b"from" => traits.from.extend(addresses(field.value)),
                b"to" | b"cc" | b"delivered-to" => traits.to.extend(addresses(field.value)),
                b"list-id" => traits.list_ids.extend(list_id(field.value)),
                _ => {}
            }
        }
        traits
    }

    fn fit(&self, route: &Route) -> bool {
        any(route.from.as_ref(), &self.from)
            && any(route.to.as_ref(), &self.to)
            && any(route.list_id.as_ref(), &self.list_ids)
            && (route.year.is_none() || route.year == self.year)
    }

    /// `None` where the folder needs a year and the message has none.
    fn folder(&self, route: &Route) -> Option<Folder> {
        if !route.folder.contains("{year}") {
            return Folder::parse(&route.folder);
        }
        let year = format!("{:04}", self.year?);
        Folder::parse(&route.folder.replace("{year}", &year))
    }
}

fn any(glob: Option<&GlobMatcher>, texts: &[String]) -> bool {
    glob.is_none_or(|glob| texts.iter().any(|text| glob.is_match(text)))
}

fn year(date: InternalDate) -> Option<i32> {
    chrono::DateTime::from_timestamp(date.epoch, 0).map(|at| at.year())
}

/// What stands between the last `<` and `>` of a List-Id (RFC 2919 §3), lower case; the whole value where there are none.
fn list_id(value: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(value);
    let inside = text.rsplit_once('<').map_or(text.as_ref(), |(_, rest)| {
        rest.split('>').next().unwrap_or(rest)
    });
    let plain: String = inside.chars().filter(|c| !c.is_whitespace()).collect();
    (!plain.is_empty()).then(|| plain.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use globset::GlobBuilder;

    const HEAD: &[u8] = b"From: Me <Me@Example.org>\r\nTo: a@x,\r\n b@y\r\nCc: c@z\r\nList-Id: News <news.example.org>\r\n\r\nFrom: body@x\r\n";

    fn glob(text: &str) -> Option<GlobMatcher> {
        let mut builder = GlobBuilder::new(text);
        let glob = builder.case_insensitive(true).build().unwrap();
        Some(glob.compile_matcher())
    }

    fn to(folder: &str) -> Route {
        Route {
            from: None,
            to: None,
            list_id: None,
            year: None,
            folder: folder.into(),
        }
    }

    fn in_2015() -> Option<InternalDate> {
        Some(InternalDate {
            epoch: 1_420_070_400,
            offset_minutes: -300,
        })
    }

    fn goes(rule: Route, date: Option<InternalDate>) -> Option<String> {
        route(&[rule], HEAD, date).map(|folder| folder.to_string())
    }

    #[test]
    fn each_condition() {
        let from = |text| Route {
            from: glob(text),
            ..to("A")
        };
        assert_eq!(goes(from("ME@example.org"), None).as_deref(), Some("A"));
        assert_eq!(goes(from("*@example.org"), None).as_deref(), Some("A"));
        assert_eq!(goes(from("body@x"), None), None);
        let cc = Route {
            to: glob("c@z"),
            ..to("A")
        };
        assert_eq!(goes(cc, None).as_deref(), Some("A"));
        let folded = Route {
            to: glob("b@y"),
            ..to("A")
        };
        assert_eq!(goes(folded, None).as_deref(), Some("A"));
        let list = Route {
            list_id: glob("news.example.org"),
            ..to("A")
        };
        assert_eq!(goes(list, None).as_deref(), Some("A"));
    }

    #[test]
    fn all_conditions_must_hold() {
        let rule = Route {
            from: glob("me@example.org"),
            to: glob("nobody@x"),
            ..to("A")
        };
        assert_eq!(goes(rule, None), None);
    }

    #[test]
    fn the_year_is_that_of_the_date_in_utc() {
        let rule = || Route {
            year: Some(2015),
            ..to("Old/{year}")
        };
        assert_eq!(goes(rule(), in_2015()).as_deref(), Some("Old/2015"));
        assert_eq!(goes(rule(), None), None);
        assert_eq!(
            goes(
                Route {
                    from: glob("me@*"),
                    ..to("{year}")
                },
                None
            ),
            None
        );
    }

    #[test]
    fn the_first_route_that_matches_decides() {
        let first = Route {
            from: glob("nobody@x"),
            ..to("A")
        };
        let second = Route {
            from: glob("me@*"),
            ..to("B")
        };
        let third = Route {
            from: glob("me@*"),
            ..to("C")
        };
        let found = route(&[first, second, third], HEAD, None);
        assert_eq!(found, Folder::parse("B"));
        assert_eq!(route(&[], HEAD, None), None);
    }
}
