//! `[folders]`, `[filter]`, `[[route]]` and `[archive]`.

use super::error::Faults;
use super::keys;
use super::local;
use super::section::{Section, as_text};
use super::spec::{
    ArchiveSpec, Filter, FolderRules, LabelRule, Layout, MailFormat, OnVanish, Route,
};
use super::tree::{Node, Value};
use crate::message::{Folder, Search};
use globset::{GlobBuilder, GlobMatcher};
use regex::Regex;
use std::path::Path;

/// `[folders]`; the defaults where there is none.
pub(super) fn folders(top: &Section<'_>, faults: &mut Faults) -> Option<FolderRules> {
    let Some(node) = top.get("folders") else {
        return Some(FolderRules {
            special_use: true,
            subscribe: true,
            ..FolderRules::default()
        });
    };
    let section = Section::open(node, "folders".into(), "folders", keys::FOLDERS, faults)?;
    Some(FolderRules {
        map: map(&section, faults),
        include: globs(&section, "include", faults),
        exclude: globs(&section, "exclude", faults),
        flatten: section.flag("flatten", false, faults),
        into: folder(&section, "into", faults),
        special_use: section.flag("special-use", true, faults),
        subscribe: section.flag("subscribe", true, faults),
        merge: section.flag("merge", false, faults),
        labels: labels(&section, faults),
        label_priority: label_priority(&section, faults),
    })
}

fn labels(section: &Section<'_>, faults: &mut Faults) -> LabelRule {
    let words = [
        ("folders", Some(LabelRule::Folders)),
        ("first", Some(LabelRule::First)),
        ("keywords", Some(LabelRule::Keywords)),
    ];
    match section.get("labels") {
        None => LabelRule::default(),
        Some(_) => section.choice("labels", &words, faults).unwrap_or_default(),
    }
}

fn label_priority(section: &Section<'_>, faults: &mut Faults) -> Vec<Folder> {
    let what = r#"a list of labels such as ["Work", "INBOX"]"#;
    let items = section.list("label-priority", what, faults);
    let named = items.iter().map(|(name, node)| {
        let folder = as_text(node).and_then(Folder::parse);
        if folder.is_none() {
            let message = format!("expected the name of a label, found {}", node.found());
            faults.add(&node.place, name, message);
        }
        folder
    });
    named.flatten().collect()
}

/// The name of a folder.
fn folder(section: &Section<'_>, key: &str, faults: &mut Faults) -> Option<Folder> {
    let node = section.get(key)?;
    let what = "the name of a folder";
    let folder = Folder::parse(section.text(key, what, faults)?);
    if folder.is_none() {
        section.expected(key, node, what, faults);
    }
    folder
}

const PAIR: &str = r#"a pair such as ["Old/(.*)", "New/$1"]"#;

fn map(section: &Section<'_>, faults: &mut Faults) -> Vec<(Regex, String)> {
    let what = r#"a list of pairs such as [["Old/(.*)", "New/$1"]]"#;
    let pairs = section.list("map", what, faults);
    let checked: Vec<_> = pairs
        .iter()
        .map(|(name, node)| pair(name, node, faults))
        .collect();
    checked.into_iter().flatten().collect()
}

fn pair(name: &str, node: &Node, faults: &mut Faults) -> Option<(Regex, String)> {
    let texts: Vec<&str> = match &node.value {
        Value::List(items) => items.iter().filter_map(as_text).collect(),
        _ => Vec::new(),
    };
    let (2, [pattern, replacement]) = (length(node), &texts[..]) else {
        let message = format!("expected {PAIR}, found {}", node.found());
        faults.add(&node.place, name, message);
        return None;
    };
    // The whole name has to match: half a match would cut names in two.
    let regex = match Regex::new(&format!("^(?:{pattern})$")) {
        Ok(regex) => regex,
        Err(e) => {
            let message = format!("not a regular expression: {}", regex_words(&e));
            faults.add(&node.place, name, message);
            return None;
        }
    };
    if let Some(group) = unknown_group(&regex, replacement) {
        let message = format!("${group} names no group of the pattern");
        let hint = "groups stand in parentheses and are $1, $2, …; $$ is a dollar sign, ${1}a keeps a letter apart";
        faults.add_try(&node.place, name, message, hint);
        return None;
    }
    Some((regex, (*replacement).to_owned()))
}

fn length(node: &Node) -> usize {
    match &node.value {
        Value::List(items) => items.len(),
        _ => 0,
    }
}

/// The last line of the crate's words, which is the reason; those before draw the pattern.
fn regex_words(e: &regex::Error) -> String {
    let text = e.to_string();
    let line = text.lines().last().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}

/// The first `$group` of a replacement that the pattern has not (it would become nothing, silently).
fn unknown_group(regex: &Regex, replacement: &str) -> Option<String> {
    let mut rest = replacement;
    while let Some(at) = rest.find('$') {
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            rest = after;
            continue;
        }
        let name = match rest.strip_prefix('{') {
            Some(braced) => braced.split('}').next().unwrap_or_default(),
            None => {
                let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
                &rest[..end.unwrap_or(rest.len())]
            }
        };
        if !name.is_empty() && !has_group(regex, name) {
            return Some(name.to_owned());
        }
    }
    None
}

fn has_group(regex: &Regex, name: &str) -> bool {
    match name.parse::<usize>() {
        Ok(number) => number < regex.captures_len(),
        Err(_) => regex.capture_names().flatten().any(|n| n == name),
    }
}

fn globs(section: &Section<'_>, key: &str, faults: &mut Faults) -> Vec<GlobMatcher> {
    let items = section.list(key, r#"a list of globs such as ["Work/*"]"#, faults);
    let checked: Vec<_> = items
        .iter()
        .map(|(name, node)| glob(name, node, false, faults))
        .collect();
    checked.into_iter().flatten().collect()
}

/// A glob whose `*` passes over `/` too.
fn glob(name: &str, node: &Node, any_case: bool, faults: &mut Faults) -> Option<GlobMatcher> {
    let Some(text) = as_text(node).filter(|text| !text.is_empty()) else {
        let message = format!("expected a glob such as \"Work/*\", found {}", node.found());
        faults.add(&node.place, name, message);
        return None;
    };
    let built = GlobBuilder::new(text)
        .literal_separator(false)
        .backslash_escape(true)
        .case_insensitive(any_case)
        .build();
    match built {
        Ok(glob) => Some(glob.compile_matcher()),
        Err(e) => {
            let message = format!("not a glob: {}, found {}", e.kind(), node.found());
            faults.add(&node.place, name, message);
            None
        }
    }
}

/// `[filter]`; everything passes where there is none.
pub(super) fn filter(top: &Section<'_>, faults: &mut Faults) -> Option<Filter> {
    let Some(node) = top.get("filter") else {
        return Some(Filter::default());
    };
    let section = Section::open(node, "filter".into(), "filter", keys::FILTER, faults)?;
    let filter = Filter {
        since: day(&section, "since", faults),
        before: day(&section, "before", faults),
        max_size: bytes(&section, "max-size", 1, faults),
        search: search(&section, faults),
    };
    if let (Some(since), Some(before)) = (filter.since, filter.before)
        && since >= before
    {
        let place = section.get("before").map_or(&node.place, |n| &n.place);
        let message = "expected a day after since: nothing would pass";
        faults.add(place, "filter.before", message);
    }
    Some(filter)
}

fn search(section: &Section<'_>, faults: &mut Faults) -> Option<Search> {
    let node = section.get("search")?;
    let text = section.text("search", r#"a search such as "from:budi""#, faults)?;
    match Search::parse(text) {
        Ok(search) => Some(search),
        Err(why) => {
            faults.add(&node.place, &section.key("search"), why);
            None
        }
    }
}

/// The first second (UTC) of a day, as epoch seconds.
fn day(section: &Section<'_>, key: &str, faults: &mut Faults) -> Option<i64> {
    let node = section.get(key)?;
    let text = match &node.value {
        Value::Date(date) => date.to_string(),
        _ => as_text(node).unwrap_or_default().to_owned(),
    };
    let day = chrono::NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok();
    let start = day.and_then(|day| day.and_hms_opt(0, 0, 0));
    if start.is_none() {
        section.expected(key, node, "a day such as 2015-01-31", faults);
    }
    start.map(|start| start.and_utc().timestamp())
}

/// A size: a number of bytes, or text such as `16 MiB`.
pub(super) fn bytes(
    section: &Section<'_>,
    key: &str,
    least: u64,
    faults: &mut Faults,
) -> Option<u64> {
    let node = section.get(key)?;
    let size = match &node.value {
        Value::Integer(number) => u64::try_from(*number).ok(),
        _ => as_text(node)
            .and_then(|text| text.parse::<bytesize::ByteSize>().ok())
            .map(|size| size.as_u64()),
    };
    let fits = size.filter(|size| (least..=1 << 50).contains(size));
    if fits.is_none() {
        let least = match least {
            0..=1 => String::new(),
            _ => format!(" of at least {}", bytesize::ByteSize(least)),
        };
        let what = format!("a size{least} such as \"25 MB\", or a number of bytes");
        section.expected(key, node, &what, faults);
    }
    fits
}

/// All `[[route]]`s, in order. `pop3`: has the job a POP3 source?
pub(super) fn routes(top: &Section<'_>, routable: bool, faults: &mut Faults) -> Vec<Route> {
    let Some(node) = top.get("route") else {
        return Vec::new();
    };
    if !routable {
        let message = "routes are for sources without folders: POP3 and files";
        let hint = "[folders] map = … says where the folders of an IMAP source go";
        faults.add_try(&node.place, "route", message, hint);
    }
    let items = top.list("route", "[[route]] with two brackets", faults);
    let checked: Vec<_> = items
        .into_iter()
        .map(|(name, node)| route(name, node, faults))
        .collect();
    checked.into_iter().flatten().collect()
}

fn route(name: String, node: &Node, faults: &mut Faults) -> Option<Route> {
    let section = Section::open(node, name, "route", keys::ROUTE, faults)?;
    let mut condition = |key| {
        let node = section.get(key)?;
        glob(&section.key(key), node, true, faults)
    };
    let (from, to, list_id) = (condition("from"), condition("to"), condition("list-id"));
    let year = section.number("year", 1..=9999, faults);
    let conditions = ["from", "to", "list-id", "year"];
    if conditions.iter().all(|key| section.get(key).is_none()) {
        let message = "expected a condition: from, to, list-id or year";
        faults.add(&section.place, &section.name, message);
    }
    Some(Route {
        from,
        to,
        list_id,
        year: year.and_then(|year| i32::try_from(year).ok()),
        folder: route_folder(&section, faults)?,
    })
}

fn route_folder(section: &Section<'_>, faults: &mut Faults) -> Option<String> {
    let what = "the name of a folder";
    let Some(node) = section.get("folder") else {
        section.missing("folder", what, r#"folder = "Sent""#, faults);
        return None;
    };
    let text = section.text("folder", what, faults)?;
    if Folder::parse(&text.replace("{year}", "2000")).is_none() {
        section.expected("folder", node, what, faults);
        return None;
    }
    Some(text.to_owned())
}

/// `[archive]`; `default` (the journal alone) where there is none.
pub(super) fn archive(
    top: &Section<'_>,
    dir: &Path,
    default: &Path,
    faults: &mut Faults,
) -> Option<ArchiveSpec> {
    let Some(node) = top.get("archive") else {
        return Some(ArchiveSpec {
            path: default.to_owned(),
            keep_mail: false,
            format: MailFormat::default(),
            layout: Layout::default(),
            on_vanish: OnVanish::default(),
            grace_days: 0,
            accept_deletions: None,
        });
    };
    let section = Section::open(node, "archive".into(), "archive", keys::ARCHIVE, faults)?;
    let format = local::mail_format(&section, faults);
    let layout = local::layout(&section, faults);
    let keep_mail = section.flag("keep-mail", true, faults);
    if section.get("path").is_none() {
        let hint = r#"path = "budi.archive" (relative to the job file)"#;
        section.missing("path", "the path of a directory", hint, faults);
    }
    let path = section.text("path", "the path of a directory", faults)?;
    Some(ArchiveSpec {
        path: super::plain_path(&dir.join(path)),
        keep_mail,
        format,
        layout: layout.unwrap_or_default(),
        on_vanish: on_vanish(&section, faults),
        grace_days: grace_days(&section, faults),
        accept_deletions: None,
    })
}

fn on_vanish(section: &Section<'_>, faults: &mut Faults) -> OnVanish {
    let words = [
        ("keep", Some(OnVanish::Keep)),
        ("trash", Some(OnVanish::Trash)),
        ("delete", Some(OnVanish::Delete)),
    ];
    match section.get("on-vanish") {
        None => OnVanish::default(),
        Some(_) => section
            .choice("on-vanish", &words, faults)
            .unwrap_or_default(),
    }
}

fn grace_days(section: &Section<'_>, faults: &mut Faults) -> u32 {
    let days = section.number("grace-days", 0..=36_500, faults);
    days.and_then(|days| u32::try_from(days).ok()).unwrap_or(0)
}
