//! The journal: what was seen, intended and delivered, in one SQLite file an account.
//!
//! Intent before effect, outcome after it; each write is one durable transaction, or a part of one that is gathered, and is refused
//! once a later run has begun. One thread owns the [`Journal`]. Nothing is deleted and no outcome overwritten. `docs/journal.md` shows the tables.

mod ends;
mod fault;
mod folders;
mod history;
mod intents;
mod key;
mod lookup;
mod messages;
mod open;
mod outcomes;
mod report;
mod schema;
mod standing;
mod undo;
mod usage;
mod values;
mod vanished;

pub use key::{Origin, key_text, parse_source_text, source_text};
pub use undo::{ABOUT, UNDONE};
pub use usage::Used;
pub use values::*;

use crate::error::{Code, Error, Kind, Result};
use crate::failpoint;
use rusqlite::{Connection, Row as SqlRow, params};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// An account's journal. Not for two threads at once, but it can be handed over.
#[derive(Debug)]
pub struct Journal {
    connection: Connection,
    path: PathBuf,
    /// Rows of the job's ends; `None` for one that a journal opened for reading does not know.
    sources: Vec<Option<i64>>,
    sinks: Vec<Option<i64>>,
    /// Writes wait for one commit: `Some(true)` once there were any.
    gathering: Option<bool>,
}

impl Journal {
    /// Opens `journal.db` in `dir`, and makes it, 0600, where there is none. The caller holds the lock of `dir`.
    ///
    /// # Errors
    /// `Code::Foreign`: another account's, another program's, or a newer mailhaul's. `Code::Journal`: damaged.
    /// `Code::Disk`. None of them changes the file.
    pub fn open(dir: &Path, identity: &JournalIdentity) -> Result<Self> {
        let path = open::path_in(dir);
        let connection = open::read_write(&path)?;
        ends::find(&connection, &path, identity)?;
        ends::add(&connection, identity).map_err(|e| fault::refused(&path, &e))?;
        let journal = Journal::with_ends(connection, path, identity)?;
        if !journal.ended_well()? {
            open::check(&journal.connection, &journal.path)?;
        }
        Ok(journal)
    }

    /// Is there a journal, of whatever state?
    #[must_use]
    pub fn exists(dir: &Path) -> bool {
        open::exists(&open::path_in(dir))
    }

    /// For `plan` and `status`: `None` where there is no journal yet. Records nothing; every write is refused.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn open_read_only(dir: &Path, identity: &JournalIdentity) -> Result<Option<Self>> {
        let path = open::path_in(dir);
        if !open::exists(&path) {
            return Ok(None);
        }
        let connection = open::read_only(&path)?;
        Journal::with_ends(connection, path, identity).map(Some)
    }

    fn with_ends(connection: Connection, path: PathBuf, of: &JournalIdentity) -> Result<Self> {
        let ends = ends::find(&connection, &path, of)?;
        Ok(Journal {
            connection,
            path,
            sources: ends.sources,
            sinks: ends.sinks,
            gathering: None,
        })
    }

    /// Folds what is written into the one file, so that it can be moved: nothing stands beside it any more.
    ///
    /// # Errors
    /// `Code::Disk`, `Code::Journal`.
    pub fn close(self) -> Result<()> {
        let closed = self.connection.close();
        closed.map_err(|(_, e)| fault::refused(&self.path, &e))
    }

    /// The journal's file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Begins a run: from now on the writes of every earlier one are refused.
    ///
    /// # Errors
    /// `Code::Disk`, `Code::Journal`.
    pub fn begin_run(&mut self, job: &str) -> Result<RunId> {
        failpoint::pass("journal: before a run begins");
        self.connection
            .execute(
                "INSERT INTO run (job, started) VALUES (?, ?)",
                params![job, now()],
            )
            .map_err(|e| fault::refused(&self.path, &e))?;
        failpoint::pass("journal: after a run began");
        Ok(RunId(self.connection.last_insert_rowid()))
    }

    /// Ends a run; `summary_json` is kept for `status`.
    ///
    /// # Errors
    /// As every write: `Code::Locked` where a later run has begun; `Code::Disk`, `Code::Journal`.
    pub fn end_run(&mut self, run: RunId, summary_json: &str) -> Result<()> {
        self.write(run, |tx| {
            tx.execute(
                "UPDATE run SET ended = ?, summary = ? WHERE id = ?",
                params![now(), summary_json, run.0],
            )
        })?;
        Ok(())
    }

    /// All runs, the oldest first.
    ///
    /// # Errors
    /// `Code::Disk`, `Code::Journal`.
    pub fn runs(&self) -> Result<Vec<Run>> {
        self.list("SELECT * FROM run ORDER BY id", [], |row| {
            Ok(Run {
                id: row.get("id")?,
                job: row.get("job")?,
                started_unix: row.get("started")?,
                ended_unix: row.get("ended")?,
                summary: row.get("summary")?,
            })
        })
    }

    /// Did the newest run come to its end?
    ///
    /// # Errors
    /// `Code::Disk`, `Code::Journal`.
    pub fn ended_well(&self) -> Result<bool> {
        let sql = "SELECT COUNT(*) FROM run WHERE ended IS NULL AND id = (SELECT MAX(id) FROM run)";
        let open: i64 = self
            .connection
            .query_row(sql, [], |row| row.get(0))
            .map_err(|e| fault::refused(&self.path, &e))?;
        Ok(open == 0)
    }

    /// From now on writes wait for [`Journal::commit`], each still whole or not at all by itself.
    pub fn gather(&mut self) {
        self.gathering = Some(false);
    }

    /// Makes durable, at once, what was written since [`Journal::gather`].
    ///
    /// # Errors
    /// `Code::Disk`, `Code::Journal`: then nothing of it is written, whatever those writes had said.
    pub fn commit(&mut self) -> Result<()> {
        if self.gathering.take() != Some(true) {
            return Ok(());
        }
        failpoint::pass("journal: before a commit");
        if let Err(e) = self.connection.execute_batch("COMMIT") {
            // Where SQLite has not taken it back itself. Nothing is committed either way.
            drop(self.connection.execute_batch("ROLLBACK"));
            return Err(fault::refused(&self.path, &e));
        }
        failpoint::pass("journal: after a commit");
        Ok(())
    }

    /// One durable transaction, fenced by the run's number; part of a larger one while writes are gathered.
    fn write<T>(
        &mut self,
        run: RunId,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T> {
        let alone = self.gathering.is_none();
        if alone {
            self.gather();
        }
        let done = self.write_part(run, work);
        match (alone, done) {
            (true, Ok(done)) => self.commit().map(|()| done),
            (true, Err(error)) => {
                // Nothing was written in it; its failure counts.
                drop(self.connection.execute_batch("ROLLBACK"));
                self.gathering = None;
                Err(error)
            }
            (false, done) => done,
        }
    }

    fn write_part<T>(
        &mut self,
        run: RunId,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T> {
        let path = &self.path;
        let refused = |e: rusqlite::Error| fault::refused(path, &e);
        if self.gathering == Some(false) {
            self.connection
                .execute_batch("BEGIN IMMEDIATE")
                .map_err(refused)?;
            self.gathering = Some(true);
        }
        // Without the transaction, which SQLite ends by itself where the disk fails, this would be one of its own.
        if self.connection.is_autocommit() {
            return Err(taken_back(path));
        }
        let part = self.connection.savepoint().map_err(refused)?;
        let newest: Option<i64> = part
            .prepare_cached("SELECT MAX(id) FROM run")
            .and_then(|mut newest| newest.query_row([], |row| row.get(0)))
            .map_err(refused)?;
        if newest != Some(run.0) {
            return Err(overtaken(path, run));
        }
        let done = work(&part).map_err(refused)?;
        part.commit().map_err(refused)?;
        Ok(done)
    }

    fn list<T>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        read: impl FnMut(&SqlRow<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let rows = || {
            self.connection
                .prepare_cached(sql)?
                .query_map(params, read)?
                .collect::<rusqlite::Result<Vec<T>>>()
        };
        rows().map_err(|e| fault::refused(&self.path, &e))
    }

    /// Row by row, so that a large mailbox is never in memory whole.
    fn each<T>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        read: impl Fn(&SqlRow<'_>) -> rusqlite::Result<T>,
        mut take: impl FnMut(T),
    ) -> Result<()> {
        let walk = || {
            let mut statement = self.connection.prepare_cached(sql)?;
            let mut rows = statement.query(params)?;
            while let Some(row) = rows.next()? {
                take(read(row)?);
            }
            Ok(())
        };
        walk().map_err(|e: rusqlite::Error| fault::refused(&self.path, &e))
    }

    fn source_id(&self, source: u32) -> Result<i64> {
        end(&self.sources, source).ok_or_else(|| unknown("source", source))
    }

    fn sink_id(&self, sink: u32) -> Result<i64> {
        end(&self.sinks, sink).ok_or_else(|| unknown("destination", sink))
    }

    /// For reading: a sink that was never written to matches nothing.
    fn sink_id_or_none(&self, sink: u32) -> i64 {
        end(&self.sinks, sink).unwrap_or(-1)
    }
}

fn end(ends: &[Option<i64>], index: u32) -> Option<i64> {
    ends.get(usize::try_from(index).ok()?).copied().flatten()
}

fn unknown(what: &str, index: u32) -> Error {
    let what = format!("the journal knows no {what} number {index}");
    Error::new(Kind::Internal, Code::Internal, what)
}

fn taken_back(path: &Path) -> Error {
    let what = format!(
        "a write to {} failed, and took others with it",
        path.display()
    );
    Error::new(Kind::Account, Code::Journal, what)
        .hint("run the same command again: it goes on where this run stopped")
}

fn overtaken(path: &Path, run: RunId) -> Error {
    let what = format!(
        "a later run has begun in {}; run {} may not write any more",
        path.display(),
        run.0
    );
    Error::new(Kind::Account, Code::Locked, what)
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
}

/// SQLite's integers are signed; hashes and modification sequences use all 64 bits.
fn signed(n: u64) -> i64 {
    i64::from_ne_bytes(n.to_ne_bytes())
}

fn unsigned(n: i64) -> u64 {
    u64::from_ne_bytes(n.to_ne_bytes())
}

#[cfg(test)]
mod tests;
