//! A job's tree checked whole and turned into accounts.

use super::accounts::Row;
use super::error::{Faults, Place, quoted};
use super::fill::{fill, first_column};
use super::providers::Book;
use super::section::{Section, as_text};
use super::server::{Context, is_loopback};
use super::spec::{Account, After, ArchiveSpec, Dedup, DestinationSpec, Job, OnVanish, Verify};
use super::store::{Server, Store};
use super::tree::Table;
use super::{ends, rules, same};
use crate::error::End;
use crate::net::Security;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

const DEFAULT_BUDGET: u64 = 16 << 20;
const LEAST_BUDGET: u64 = 1 << 20;

/// Where the job stands.
pub(super) struct JobFile {
    /// As it was given.
    pub(super) path: PathBuf,
    /// Absolute.
    pub(super) dir: PathBuf,
    pub(super) book: Book,
    /// The file's name without `.toml`.
    pub(super) stem: String,
}

/// Everything but the accounts' own tables. `rows` are the CSV's, `None` where the job has none.
pub(super) fn job(
    file: &JobFile,
    root: &Table,
    rows: Option<&[Row]>,
    faults: &mut Faults,
) -> Option<Job> {
    let top = Section::top(root, faults);
    version(&top, faults);
    let parallel = top.number("parallel-accounts", 1..=256, faults);
    let budget = rules::bytes(&top, "budget", LEAST_BUDGET, faults);
    let mut warnings = Vec::new();
    let accounts: Vec<_> = match rows {
        None => vec![account(file, root, None, faults, &mut warnings)],
        Some(rows) => rows
            .iter()
            .map(|row| {
                let mut filled = root.clone();
                fill(&mut filled, row, faults);
                account(file, &filled, Some(row), faults, &mut warnings)
            })
            .collect(),
    };
    Some(Job {
        path: file.path.clone(),
        accounts: accounts.into_iter().collect::<Option<_>>()?,
        parallel_accounts: parallel.map_or(4, |n| usize::try_from(n).unwrap_or(4)),
        budget: budget.unwrap_or(DEFAULT_BUDGET),
        warnings,
    })
}

fn version(top: &Section<'_>, faults: &mut Faults) {
    if top.get("version").is_none() {
        top.missing("version", "1", "version = 1", faults);
        return;
    }
    if let Some(number) = top.number("version", 1..=i64::MAX, faults)
        && number != 1
        && let Some(node) = top.get("version")
    {
        let message = format!("expected 1, found {number}: a newer mailhaul's job");
        faults.add(&node.place, "version", message);
    }
}

fn account(
    file: &JobFile,
    root: &Table,
    row: Option<&Row>,
    faults: &mut Faults,
    warnings: &mut Vec<String>,
) -> Option<Account> {
    let top = Section::top(root, faults);
    let name = row.map_or(file.stem.as_str(), Row::account).to_owned();
    let tokens = file.dir.join(format!("{}.tokens", file.stem));
    let context = |end| Context {
        end,
        dir: &file.dir,
        book: &file.book,
        tokens: &tokens,
        columns: row.is_some(),
    };
    let before = faults.told();
    let sources = ends::sources(&top, &context(End::Source), faults);
    let mut destinations = ends::destinations(&top, &context(End::Destination), faults);
    let ends_are_whole = faults.told() == before;
    let state = file.dir.join(format!("{}.state", file.stem));
    let default = row.map_or(state.clone(), |_| state.join(&name));
    let archive = rules::archive(&top, &file.dir, &default, faults);
    let archive = archive.and_then(|spec| one_archive(&top, spec, &mut destinations, faults));
    if row.is_none() {
        no_column_in_path(root, faults);
    }
    // Without whole sources nobody can tell whether one of them has no folders.
    let routable = !ends_are_whole
        || sources
            .iter()
            .any(|s| s.store.is_pop3() || s.store.is_local());
    let dedup = dedup(&top, faults);
    let collapse = top.flag("collapse", false, faults);
    let verify = verify(&top, faults);
    let routes = rules::routes(&top, routable, faults);
    let account = Account {
        name,
        folders: rules::folders(&top, faults)?,
        filter: rules::filter(&top, faults)?,
        archive: archive?,
        sources,
        destinations,
        routes,
        dedup,
        collapse,
        verify,
        retry_rejected: false,
        explain_time: false,
    };
    let place = destination_place(&top);
    let place = row.map_or(place.clone(), |row| row.place(&place));
    if ends_are_whole {
        same::check(&account, &place, faults, warnings);
    }
    vanish_needs(&top, &account, faults);
    warn_plain(&account, warnings);
    Some(account)
}

/// A job has one archive: `[archive]`, or a destination that is one; the former alone makes the job a backup.
fn one_archive(
    top: &Section<'_>,
    archive: ArchiveSpec,
    destinations: &mut Vec<DestinationSpec>,
    faults: &mut Faults,
) -> Option<ArchiveSpec> {
    let named = top.get("archive");
    if top.get("destination").is_none()
        && let Some(node) = named
    {
        if !archive.keep_mail {
            let message =
                "expected true: without a [destination] the archive is where the mail goes";
            faults.add(&node.place, "archive.keep-mail", message);
            return None;
        }
        destinations.push(ends::backup(&archive));
        return Some(archive);
    }
    let archives = destinations.iter().filter(|d| d.store.is_archive());
    let mut locals = archives.filter_map(|d| d.store.local());
    let Some(local) = locals.next() else {
        return Some(archive);
    };
    let place = destination_place(top);
    if locals.next().is_some() {
        let message = "a job has one archive, found two destinations that are archives";
        faults.add(&place, "destination", message);
        return None;
    }
    if named.is_some() && archive.path != local.path {
        let message = "a job has one archive, found [archive] and a destination with another path";
        faults.add_try(&place, "destination.path", message, "leave [archive] out");
        return None;
    }
    let archive = match named {
        Some(_) => archive,
        None => ArchiveSpec {
            path: local.path.clone(),
            keep_mail: true,
            format: local.mail,
            layout: local.layout.unwrap_or_default(),
            ..archive
        },
    };
    // What [archive] says holds for it as a destination too.
    for destination in destinations.iter_mut().filter(|d| d.store.is_archive()) {
        *destination = ends::backup(&archive);
    }
    Some(archive)
}

/// `on-vanish` is for backups whose source is left as it is: there, what is gone was taken away by its user.
fn vanish_needs(top: &Section<'_>, account: &Account, faults: &mut Faults) {
    if account.archive.on_vanish == OnVanish::Keep {
        return;
    }
    let backup = account.destinations.iter().any(|d| d.store.is_archive());
    let kept = account.sources.iter().all(|s| s.after == After::Keep);
    let message = match (backup, kept) {
        (true, true) => return,
        (false, _) => "on-vanish is for backups: the archive has to be the job's destination",
        (true, false) => {
            "on-vanish and `after` do not go together: what `after` takes away at the source would be lost in the archive too"
        }
    };
    let place = top
        .get("archive")
        .map_or(Place::Whole, |node| node.place.clone());
    faults.add(&place, "archive.on-vanish", message);
}

fn destination_place(top: &Section<'_>) -> Place {
    let node = top.get("destination");
    node.map_or(Place::Whole, |node| node.place.clone())
}

fn no_column_in_path(root: &Table, faults: &mut Faults) {
    use super::tree::Value;
    let Some(Value::Table(archive)) = root.get("archive").map(|node| &node.value) else {
        return;
    };
    if let Some(node) = archive.get("path")
        && let Some(column) = as_text(node).and_then(first_column)
    {
        let message = format!(
            "{} is a column, and the job has no accounts",
            quoted(column)
        );
        let hint = r#"accounts = "users.csv" at the top of the job"#;
        faults.add_try(&node.place, "archive.path", message, hint);
    }
}

fn dedup(top: &Section<'_>, faults: &mut Faults) -> Dedup {
    let words = [
        ("message-id", Some(Dedup::MessageId)),
        ("content", Some(Dedup::Content)),
        ("strict-message-id", Some(Dedup::StrictMessageId)),
        ("off", Some(Dedup::Off)),
    ];
    top.choice("dedup", &words, faults).unwrap_or_default()
}

fn verify(top: &Section<'_>, faults: &mut Faults) -> Verify {
    let words = [
        ("risky", Some(Verify::Risky)),
        ("all", Some(Verify::All)),
        ("none", Some(Verify::None)),
    ];
    top.choice("verify", &words, faults).unwrap_or_default()
}

/// Mail and password in plain text are allowed where the job says so, and told.
fn warn_plain(account: &Account, warnings: &mut Vec<String>) {
    let sources = account.sources.iter().map(|s| &s.store);
    let stores = sources.chain(account.destinations.iter().map(|d| &d.store));
    let servers = stores.filter_map(Store::server);
    for server in servers.filter(|s| is_plain_abroad(s)) {
        let host = &server.endpoint.host;
        let warning = format!(
            "security = \"plain\": mail and password go to {host} unencrypted, readable on the way"
        );
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }
}

fn is_plain_abroad(server: &Server) -> bool {
    server.endpoint.security == Security::Plain && !is_loopback(&server.endpoint.host)
}

/// Each account needs its own archive.
pub(super) fn distinct_archives(job: &Job, rows: &[Row], place: &Place, faults: &mut Faults) {
    let mut owners: HashMap<&Path, &str> = HashMap::new();
    for (account, row) in job.accounts.iter().zip(rows) {
        let path = account.archive.path.as_path();
        // A column that could not be filled has been told already.
        if first_column(&path.to_string_lossy()).is_some() {
            continue;
        }
        if let Some(other) = owners.insert(path, &account.name) {
            let message = format!(
                "the accounts {} and {} (line {} of the CSV) have the same archive",
                quoted(other),
                quoted(&account.name),
                row.number
            );
            let hint = r#"path = "{user}.archive", with a column that differs from line to line"#;
            faults.add_try(place, "archive.path", message, hint);
        }
    }
}
