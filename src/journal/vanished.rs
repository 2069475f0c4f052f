//! Messages that are gone from the source and still stand at a sink.

use super::messages::delivered;
use super::{FolderId, Journal, MessageRow, RunId, Vanished, key, unsigned};
use crate::error::Result;
use rusqlite::{Row as SqlRow, params};

/// Not those that mailhaul itself took away there (`marked`), nor those whose place at the sink another message still stands for.
const VANISHED: &str = "
SELECT m.*, r.started AS since, o.uid, f.id AS sink_folder, f.uid_validity, f.name AS sink_name
FROM message m
JOIN run r ON r.id = m.removed
JOIN outcome o ON o.message = m.id AND o.sink = ?2
     AND o.n = (SELECT MAX(n) FROM outcome WHERE message = m.id AND sink = ?2)
JOIN sink_folder f ON f.id = o.sink_folder
WHERE m.folder = ?1 AND m.marked IS NULL AND o.uid IS NOT NULL
  AND o.outcome IN ('copied', 'present', 'altered', 'duplicate')
  AND NOT EXISTS (
    SELECT 1 FROM outcome other
    JOIN message still ON still.id = other.message AND still.removed IS NULL
    WHERE other.sink_folder = o.sink_folder AND other.uid = o.uid
      AND other.n = (SELECT MAX(n) FROM outcome WHERE message = other.message AND sink = ?2))
ORDER BY m.id";

const STANDING: &str = "
SELECT COUNT(*) FROM message m
JOIN outcome o ON o.message = m.id AND o.sink = ?2
     AND o.n = (SELECT MAX(n) FROM outcome WHERE message = m.id AND sink = ?2)
WHERE m.folder = ?1 AND o.sink_folder IS NOT NULL";

impl Journal {
    /// Gives the messages of a folder that complete listings no longer showed and that still stand at the sink to `f`.
    ///
    /// # Errors
    /// `Code::Disk`, `Code::Journal`.
    pub fn vanished(&self, folder: FolderId, sink: u32, f: &mut dyn FnMut(Vanished)) -> Result<()> {
        let sink = self.sink_id_or_none(sink);
        self.each(VANISHED, [folder, sink], read, |found| {
            if let Some(found) = found {
                f(found);
            }
        })
    }

    /// How many messages of the folder stand at the sink, gone from the source or not.
    ///
    /// # Errors
    /// `Code::Disk`, `Code::Journal`.
    pub fn standing_at(&self, folder: FolderId, sink: u32) -> Result<u64> {
        let sink = self.sink_id_or_none(sink);
        let counts: Vec<i64> = self.list(STANDING, [folder, sink], |row| row.get(0))?;
        Ok(counts.into_iter().map(unsigned).sum())
    }

    /// These messages are listed again, though once they were gone: a file that was put back, a message that was undeleted.
    ///
    /// # Errors
    /// As every write: see [`Journal::end_run`].
    pub fn returned_to_source(&mut self, run: RunId, rows: &[MessageRow]) -> Result<()> {
        self.write(run, |tx| {
            let mut update = tx.prepare_cached("UPDATE message SET removed = NULL WHERE id = ?")?;
            for row in rows {
                update.execute(params![row])?;
            }
            Ok(())
        })
    }
}

fn read(row: &SqlRow<'_>) -> rusqlite::Result<Option<Vanished>> {
    let Some(delivered) = delivered(row)? else {
        return Ok(None);
    };
    Ok(Some(Vanished {
        row: row.get("id")?,
        key: key::key(row)?,
        date: key::date(row)?,
        digest: key::digests(row)?.map(|digests| digests.exact),
        flags: key::flags(row, "flags")?.unwrap_or_default(),
        since_unix: row.get("since")?,
        delivered,
        place: row.get("sink_name")?,
    }))
}
