//! What a run added to a sink, and that it was taken back.

use super::outcomes::conclude;
use super::{Added, Conclusion, Delivered, Journal, RunId, SinkFolderId, key};
use crate::error::Result;
use rusqlite::{Result as SqlResult, Row as SqlRow, params};

/// The journal's word for a delivery that was taken back: nothing stands at the sink, so that the next run copies the message again.
pub const UNDONE: &str = "undone";

/// The words of an outcome that is about to be taken back: should the message be gone by the next look, it was us.
pub const ABOUT: &str = "about to be taken back";

/// The first row of each delivery of the run, and the newest of its message.
const ADDED: &str = "
SELECT m.*, f.name AS folder_name, s.id AS sink_folder, s.name AS sink_name, s.uid_validity, o.uid,
       last.outcome AS last_outcome, last.words AS last_words, last.run AS last_run, last.flags AS last_flags,
       last.sink_folder IS o.sink_folder AND last.uid IS o.uid AS stands
FROM outcome o
JOIN message m ON m.id = o.message
JOIN folder f ON f.id = m.folder
JOIN sink_folder s ON s.id = o.sink_folder
JOIN outcome last ON last.message = o.message AND last.sink = o.sink
     AND last.n = (SELECT MAX(n) FROM outcome WHERE message = o.message AND sink = o.sink)
WHERE o.run = ?1 AND o.sink = ?2 AND o.outcome IN ('copied', 'altered') AND NOT EXISTS (
    SELECT 1 FROM outcome earlier
    WHERE earlier.message = o.message AND earlier.sink = o.sink AND earlier.n < o.n
      AND earlier.outcome IN ('copied', 'altered') AND earlier.sink_folder IS o.sink_folder AND earlier.uid IS o.uid)
ORDER BY s.id, o.uid";

/// Messages for which this one stood too: nothing stands for them any more either.
const DEPENDENT: &str = "
SELECT o.message FROM outcome o
WHERE o.sink = ?1 AND o.sink_folder = ?2 AND o.uid = ?3 AND o.outcome IN ('present', 'duplicate')
  AND o.n = (SELECT MAX(n) FROM outcome WHERE message = o.message AND sink = o.sink)";

impl Journal {
    /// Gives every message that a run delivered to a sink to `f`, by destination folder and UID.
    ///
    /// # Errors
    /// `Code::Disk`, `Code::Journal`.
    pub fn added_by(&self, run: i64, sink: u32, f: &mut dyn FnMut(Added)) -> Result<()> {
        let sink = self.sink_id_or_none(sink);
        self.each(ADDED, params![run, sink], read, f)
    }

    /// Destination folders that a run was the first to deliver into: wire name and UIDVALIDITY.
    ///
    /// # Errors
    /// `Code::Disk`, `Code::Journal`.
    pub fn first_used_by(&self, run: i64, sink: u32) -> Result<Vec<(Vec<u8>, u32)>> {
        let sink = self.sink_id_or_none(sink);
        self.list(
            "SELECT name, uid_validity FROM sink_folder WHERE run = ? AND sink = ? ORDER BY id",
            params![run, sink],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
    }

    /// These are about to be removed at the sink: written down before it is done.
    ///
    /// # Errors
    /// As every write: see [`Journal::end_run`].
    pub fn about_to_take_back(&mut self, run: RunId, sink: u32, added: &[Added]) -> Result<()> {
        let sink_id = self.sink_id(sink)?;
        let rows = added
            .iter()
            .map(|one| conclusion(one, sink, ABOUT))
            .collect::<Vec<_>>();
        self.write(run, |tx| conclude(tx, run, sink_id, &rows))
    }

    /// These were removed at the sink, or (`gone` false) marked as deleted there. The messages that they stood for are open again.
    ///
    /// # Errors
    /// As every write: see [`Journal::end_run`].
    pub fn taken_back(
        &mut self,
        run: RunId,
        sink: u32,
        added: &[Added],
        of_run: i64,
        gone: bool,
    ) -> Result<()> {
        let sink_id = self.sink_id(sink)?;
        let words = format!("run {of_run} was undone");
        self.write(run, |tx| {
            let mut dependent = tx.prepare_cached(DEPENDENT)?;
            let mut forget =
                tx.prepare_cached("DELETE FROM standing WHERE sink_folder = ? AND uid = ?")?;
            let mut rows = Vec::new();
            for one in added {
                let place = params![sink_id, one.delivered.folder, one.delivered.uid];
                let others: Vec<i64> = dependent
                    .query_map(place, |row| row.get(0))?
                    .collect::<SqlResult<_>>()?;
                for row in std::iter::once(one.row).chain(others) {
                    rows.push(Conclusion {
                        row,
                        outcome: UNDONE,
                        delivered: None,
                        ..conclusion(one, sink, &words)
                    });
                }
                if gone {
                    forget.execute(params![one.delivered.folder, one.delivered.uid])?;
                }
            }
            conclude(tx, run, sink_id, &rows)
        })
    }
}

/// The outcome as it is, in other words.
fn conclusion(added: &Added, sink: u32, words: &str) -> Conclusion {
    Conclusion {
        row: added.row,
        sink,
        outcome: match added.outcome.as_str() {
            "altered" => "altered",
            _ => "copied",
        },
        words: Some(words.to_owned()),
        delivered: Some(added.delivered),
        flags: added.flags.clone(),
        of: None,
    }
}

fn read(row: &SqlRow<'_>) -> SqlResult<Added> {
    let folder: SinkFolderId = row.get("sink_folder")?;
    Ok(Added {
        row: row.get("id")?,
        folder: row.get("folder_name")?,
        key: key::key(row)?,
        message_id: row.get("message_id")?,
        date: key::date(row)?,
        digests: key::digests(row)?,
        outcome: row.get("last_outcome")?,
        words: row.get("last_words")?,
        run: row.get("last_run")?,
        flags: key::flags(row, "last_flags")?.unwrap_or_default(),
        stands: row.get("stands")?,
        only_copy: row.get::<_, Option<i64>>("removed")?.is_some()
            || row.get::<_, Option<i64>>("marked")?.is_some(),
        place: row.get("sink_name")?,
        delivered: Delivered {
            folder,
            uid_validity: row.get("uid_validity")?,
            uid: row.get("uid")?,
        },
    })
}
