//! Both ends of the job: whose mail the journal is about.

use super::fault::{foreign, refused};
use super::values::JournalIdentity;
use crate::error::Result;
use rusqlite::Connection;
use std::path::Path;

/// The rows of both ends, in the job's order; `None` for one that is not known.
pub(super) struct Ends {
    pub(super) sources: Vec<Option<i64>>,
    pub(super) sinks: Vec<Option<i64>>,
}

pub(super) fn find(
    connection: &Connection,
    path: &Path,
    identity: &JournalIdentity,
) -> Result<Ends> {
    let known = names(connection, "source").map_err(|e| refused(path, &e))?;
    if has_folders(connection).map_err(|e| refused(path, &e))? {
        refuse_other_source(path, &known, &identity.sources)?;
    }
    let sinks = names(connection, "sink").map_err(|e| refused(path, &e))?;
    Ok(Ends {
        sources: pick(&known, &identity.sources),
        sinks: pick(&sinks, &identity.destinations),
    })
}

/// Before any folder was seen the journal is about nobody's mail: a first run that failed for a misspelt host or user binds
/// nothing.
fn has_folders(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT EXISTS (SELECT 1 FROM folder)", [], |row| row.get(0))
}

/// Sources may be added, and left out; one in the place of another is another account's mail.
fn refuse_other_source(path: &Path, known: &[(i64, String)], wanted: &[String]) -> Result<()> {
    let new = wanted.iter().find(|w| known.iter().all(|(_, k)| k != *w));
    let gone = known.iter().find(|(_, k)| !wanted.contains(k));
    let (Some(new), Some((_, gone))) = (new, gone) else {
        return Ok(());
    };
    let shown = path.display();
    let quoted = |text: &str| text.replace('\'', "''");
    Err(foreign(format!("{shown} is about {gone}, the job about {new}")).hint(format!(
        "give the job another archive path; if both are the same mailbox, link it anew: \
         open {shown} with sqlite3 and say UPDATE source SET identity = '{}' WHERE identity = '{}';",
        quoted(new),
        quoted(gone)
    )))
}

fn names(connection: &Connection, table: &str) -> rusqlite::Result<Vec<(i64, String)>> {
    connection
        .prepare(&format!("SELECT id, identity FROM {table}"))?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

fn pick(known: &[(i64, String)], wanted: &[String]) -> Vec<Option<i64>> {
    let id = |w: &String| known.iter().find(|(_, k)| k == w).map(|(id, _)| *id);
    wanted.iter().map(id).collect()
}

/// Writes down the ends that are new.
pub(super) fn add(connection: &Connection, identity: &JournalIdentity) -> rusqlite::Result<()> {
    if !has_folders(connection)? {
        connection.execute("DELETE FROM source", [])?;
    }
    for (table, names) in [
        ("source", &identity.sources),
        ("sink", &identity.destinations),
    ] {
        let sql = format!("INSERT INTO {table} (identity) VALUES (?) ON CONFLICT DO NOTHING");
        let mut insert = connection.prepare(&sql)?;
        for name in names {
            insert.execute([name])?;
        }
    }
    Ok(())
}
