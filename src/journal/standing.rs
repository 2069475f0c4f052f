//! The standing index of a destination folder: its headers are fetched once.

use super::{FolderId, Journal, RunId, SinkFolderId, StandingRow, signed, unsigned};
use crate::error::Result;
use rusqlite::{Result as SqlResult, Row as SqlRow, params};

impl Journal {
    /// Gives what is known to stand in a destination folder to `f`, in the order of the UIDs.
    ///
    /// # Errors
    /// `Code::Disk`, `Code::Journal`.
    pub fn standing(&self, folder: SinkFolderId, f: impl FnMut(StandingRow)) -> Result<()> {
        self.each(
            "SELECT s.*, m.folder FROM standing s LEFT JOIN message m ON m.id = s.message WHERE s.sink_folder = ? ORDER BY s.uid",
            [folder],
            read,
            f,
        )
    }

    /// Gives what stands in a destination folder for messages that were not delivered as it (adopted, or duplicates) to `f`: its
    /// UID and the source folder of the message.
    ///
    /// # Errors
    /// `Code::Disk`, `Code::Journal`.
    pub fn adopted(&self, folder: SinkFolderId, f: &mut dyn FnMut(u32, FolderId)) -> Result<()> {
        self.each(
            "SELECT DISTINCT o.uid, m.folder FROM outcome o JOIN message m ON m.id = o.message
             WHERE o.sink_folder = ? AND o.uid IS NOT NULL AND o.outcome IN ('present', 'duplicate')",
            [folder],
            |row| Ok((row.get(0)?, row.get(1)?)),
            |(uid, folder)| f(uid, folder),
        )
    }

    /// Adds to the index, or replaces what it says of the same UIDs.
    ///
    /// # Errors
    /// As every write: see [`Journal::end_run`].
    pub fn add_standing(
        &mut self,
        run: RunId,
        folder: SinkFolderId,
        rows: &[StandingRow],
    ) -> Result<()> {
        self.write(run, |tx| {
            let mut insert = tx.prepare_cached(
                "INSERT OR REPLACE INTO standing VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?;
            for row in rows {
                insert.execute(params![
                    folder,
                    row.uid,
                    signed(row.key),
                    row.date,
                    signed(row.from),
                    signed(row.subject),
                    row.loose,
                    row.size,
                    row.row,
                    run.0
                ])?;
            }
            Ok(())
        })
    }
}

fn read(row: &SqlRow<'_>) -> SqlResult<StandingRow> {
    Ok(StandingRow {
        uid: row.get("uid")?,
        key: unsigned(row.get("key")?),
        date: row.get("date")?,
        from: unsigned(row.get("sender")?),
        subject: unsigned(row.get("subject")?),
        loose: row.get("loose")?,
        size: row.get("size")?,
        row: row.get("message")?,
        folder: row.get("folder")?,
    })
}
