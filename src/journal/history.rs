//! What runs did with single messages at a sink, for `verify` and `undo`. Read, never written.

use super::{Delivery, FolderId, Journal, SinkFolderId, key};
use crate::error::Result;
use crate::message::SourceKey;
use rusqlite::{Result as SqlResult, Row as SqlRow, params};

/// The newest outcome, and the run that first had it so (later rows may carry other flags alone).
const DELIVERY: &str = "
SELECT m.*, o.outcome, o.words, o.uid, s.name AS sink_name, s.uid_validity,
       (SELECT MIN(first.run) FROM outcome first WHERE first.message = m.id AND first.sink = ?4
        AND first.outcome = o.outcome AND first.sink_folder IS o.sink_folder AND first.uid IS o.uid) AS since
FROM message m
JOIN outcome o ON o.message = m.id AND o.sink = ?4
     AND o.n = (SELECT MAX(n) FROM outcome WHERE message = m.id AND sink = ?4)
LEFT JOIN sink_folder s ON s.id = o.sink_folder
WHERE m.folder = ?1 AND m.key = ?2 AND m.ordinal = ?3";

const AT: &str = "
SELECT o.uid, MIN(o.run) AS run FROM outcome o
WHERE o.sink_folder = ? AND o.uid IS NOT NULL AND o.outcome IN ('copied', 'altered')
GROUP BY o.uid ORDER BY o.uid";

impl Journal {
    /// What became of a message of a source folder at a sink; `None`: no run has dealt with it.
    ///
    /// # Errors
    /// `Code::Disk`, `Code::Journal`.
    pub fn delivery(
        &self,
        folder: FolderId,
        sink: u32,
        message: &SourceKey,
    ) -> Result<Option<Delivery>> {
        let (name, ordinal) = key::to_columns(message);
        let sink = self.sink_id_or_none(sink);
        let found = self.list(DELIVERY, params![folder, name, ordinal, sink], read)?;
        Ok(found.into_iter().next())
    }

    /// A source folder in one UIDVALIDITY; `None`: no run has seen it.
    ///
    /// # Errors
    /// `Code::Disk`, `Code::Journal`.
    pub fn find_folder(
        &self,
        source: u32,
        name: &[u8],
        uid_validity: u32,
    ) -> Result<Option<FolderId>> {
        let found = self.folders(source)?.into_iter();
        let same = |f: &super::SourceFolder| f.name == name && f.uid_validity == uid_validity;
        Ok(found.filter(same).map(|folder| folder.id).next())
    }

    /// A destination folder in one UIDVALIDITY; `None`: no run has delivered there.
    ///
    /// # Errors
    /// `Code::Disk`, `Code::Journal`.
    pub fn find_sink_folder(
        &self,
        sink: u32,
        name: &[u8],
        uid_validity: u32,
    ) -> Result<Option<SinkFolderId>> {
        let sink = self.sink_id_or_none(sink);
        let found = self.list(
            "SELECT id FROM sink_folder WHERE sink = ? AND name = ? AND uid_validity = ?",
            params![sink, name, uid_validity],
            |row| row.get(0),
        )?;
        Ok(found.into_iter().next())
    }

    /// UIDs that runs delivered into a destination folder, each with the run.
    ///
    /// # Errors
    /// `Code::Disk`, `Code::Journal`.
    pub fn delivered_at(&self, folder: SinkFolderId, f: &mut dyn FnMut(u32, i64)) -> Result<()> {
        self.each(
            AT,
            [folder],
            |row: &SqlRow<'_>| Ok((row.get("uid")?, row.get("run")?)),
            |(uid, run)| f(uid, run),
        )
    }
}

fn read(row: &SqlRow<'_>) -> SqlResult<Delivery> {
    Ok(Delivery {
        outcome: row.get("outcome")?,
        words: row.get("words")?,
        run: row.get::<_, Option<i64>>("since")?.unwrap_or_default(),
        folder: row.get("sink_name")?,
        uid_validity: row.get("uid_validity")?,
        uid: row.get("uid")?,
    })
}
