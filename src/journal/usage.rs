//! Bytes that passed on a day, for ends whose day has a limit.

use super::{Journal, RunId, now};
use crate::error::Result;
use crate::net::Way;
use rusqlite::params;

/// What was counted of one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Used {
    pub bytes: u64,
    /// When a run found the day used up, unix seconds.
    pub paused: Option<i64>,
}

fn word(way: Way) -> &'static str {
    match way {
        Way::Down => "down",
        Way::Up => "up",
    }
}

impl Journal {
    /// Bytes of an end (`imap://user@host`) on a day (days since 1970, UTC); nothing where none were counted.
    ///
    /// # Errors
    /// `Code::Disk`, `Code::Journal`.
    pub fn used(&self, end: &str, way: Way, day: i64) -> Result<Used> {
        if !self.counts_usage()? {
            return Ok(Used::default());
        }
        let found = self.list(
            "SELECT bytes, paused FROM usage WHERE day = ? AND end = ? AND way = ?",
            params![day, end, word(way)],
            |row| {
                Ok(Used {
                    bytes: u64::try_from(row.get::<_, i64>("bytes")?).unwrap_or(0),
                    paused: row.get("paused")?,
                })
            },
        )?;
        Ok(found.into_iter().next().unwrap_or_default())
    }

    /// A journal that is only read may be an older mailhaul's, which counted nothing.
    fn counts_usage(&self) -> Result<bool> {
        let sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'usage'";
        Ok(!self.list(sql, [], |_| Ok(()))?.is_empty())
    }

    /// Sets how many bytes of the end count as used on that day.
    ///
    /// # Errors
    /// As every write: see [`Journal::end_run`].
    pub fn use_up_to(
        &mut self,
        run: RunId,
        end: &str,
        way: Way,
        day: i64,
        bytes: u64,
    ) -> Result<()> {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.write(run, |tx| {
            tx.execute(
                "INSERT INTO usage (day, end, way, bytes, run) VALUES (?, ?, ?, ?, ?)
                 ON CONFLICT DO UPDATE SET bytes = excluded.bytes, run = excluded.run",
                params![day, end, word(way), bytes, run.0],
            )
        })?;
        Ok(())
    }

    /// Remembers that a run found the day used up, the first time that it does.
    ///
    /// # Errors
    /// As every write: see [`Journal::end_run`].
    pub fn day_is_used(&mut self, run: RunId, end: &str, way: Way, day: i64) -> Result<()> {
        self.write(run, |tx| {
            tx.execute(
                "INSERT INTO usage (day, end, way, bytes, paused, run) VALUES (?, ?, ?, 0, ?, ?)
                 ON CONFLICT DO UPDATE SET paused = coalesce(paused, excluded.paused), run = excluded.run",
                params![day, end, word(way), now(), run.0],
            )
        })?;
        Ok(())
    }
}
