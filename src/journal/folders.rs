//! Folders of both ends.

use super::{FolderId, Journal, RunId, SinkFolderId, SourceFolder, signed, unsigned};
use crate::error::Result;
use rusqlite::params;

impl Journal {
    /// The folders of a source, each UIDVALIDITY one of its own, in the order in which they were first seen.
    ///
    /// # Errors
    /// `Code::Disk`, `Code::Journal`.
    pub fn folders(&self, source: u32) -> Result<Vec<SourceFolder>> {
        let Ok(id) = self.source_id(source) else {
            return Ok(Vec::new());
        };
        self.list(
            "SELECT * FROM folder WHERE source = ? ORDER BY id",
            [id],
            |row| {
                Ok(SourceFolder {
                    id: row.get("id")?,
                    source,
                    name: row.get("name")?,
                    uid_validity: row.get("uid_validity")?,
                    uid_next: row.get("uid_next")?,
                    messages: row.get("messages")?,
                    highest_modseq: row.get::<_, Option<i64>>("highest_modseq")?.map(unsigned),
                    complete: row.get("complete")?,
                })
            },
        )
    }

    /// The HIGHESTMODSEQ that a folder had when a run last did all of it; `None` where it had none, or something was left to do.
    ///
    /// # Errors
    /// `Code::Disk`, `Code::Journal`.
    pub fn modseq_when_done(&self, id: FolderId) -> Result<Option<u64>> {
        let found: Vec<Option<i64>> = self.list(
            "SELECT highest_modseq FROM folder WHERE id = ? AND complete = 1",
            [id],
            |row| row.get(0),
        )?;
        Ok(found.into_iter().flatten().next().map(unsigned))
    }

    /// Finds a source folder or writes it down; `name` is the wire name.
    ///
    /// # Errors
    /// As every write: see [`Journal::end_run`].
    pub fn folder(
        &mut self,
        run: RunId,
        source: u32,
        name: &[u8],
        uid_validity: u32,
    ) -> Result<FolderId> {
        let source = self.source_id(source)?;
        self.write(run, |tx| {
            tx.prepare_cached(
                "INSERT INTO folder (source, name, uid_validity, run) VALUES (?, ?, ?, ?)
                 ON CONFLICT (source, name, uid_validity) DO UPDATE SET name = excluded.name RETURNING id",
            )?
            .query_row(params![source, name, uid_validity, run.0], |row| row.get(0))
        })
    }

    /// Every message of the folder has been dealt with: what STATUS must say for there to be nothing new.
    ///
    /// # Errors
    /// As every write: see [`Journal::end_run`].
    pub fn folder_done(
        &mut self,
        run: RunId,
        id: FolderId,
        uid_next: Option<u32>,
        messages: Option<u32>,
        highest_modseq: Option<u64>,
    ) -> Result<()> {
        self.write(run, |tx| {
            tx.prepare_cached(
                "UPDATE folder SET uid_next = ?, messages = ?, highest_modseq = ?, complete = 1 WHERE id = ?",
            )?
            .execute(params![uid_next, messages, highest_modseq.map(signed), id])
        })?;
        Ok(())
    }

    /// Finds a destination folder or writes it down; `name` is the wire name.
    ///
    /// # Errors
    /// As every write: see [`Journal::end_run`].
    pub fn sink_folder(
        &mut self,
        run: RunId,
        sink: u32,
        name: &[u8],
        uid_validity: u32,
    ) -> Result<SinkFolderId> {
        let sink = self.sink_id(sink)?;
        self.write(run, |tx| {
            tx.prepare_cached(
                "INSERT INTO sink_folder (sink, name, uid_validity, run) VALUES (?, ?, ?, ?)
                 ON CONFLICT (sink, name, uid_validity) DO UPDATE SET name = excluded.name RETURNING id",
            )?
            .query_row(params![sink, name, uid_validity, run.0], |row| row.get(0))
        })
    }
}
