//! Messages of a source: what was seen, what changed there.

use super::key::{self, to_columns};
use super::outcomes::flags_delivered;
use super::{Delivered, FolderId, Journal, MessageRow, Row, RunId, Seen, signed, unsigned};
use crate::error::Result;
use crate::message::Flags;
use rusqlite::{Connection, Result as SqlResult, Row as SqlRow, params};

/// What a later look does not tell (a listing knows no digest) does not wipe out what is known.
const RECORD: &str = "
INSERT INTO message (folder, key, ordinal, size, flags, date, zone, digest, loose, message_id, place, run)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (folder, key, ordinal) DO UPDATE SET
    size = excluded.size,
    flags = excluded.flags,
    date = COALESCE(excluded.date, date),
    zone = COALESCE(excluded.zone, zone),
    digest = COALESCE(excluded.digest, digest),
    loose = COALESCE(excluded.loose, loose),
    message_id = COALESCE(excluded.message_id, message_id),
    place = COALESCE(excluded.place, place)
RETURNING id";

const KEEP_FLAGS: &str = "
INSERT INTO flag_history (message, run, flags)
SELECT id, ?1, flags FROM message WHERE id = ?2 AND flags <> ?3
ON CONFLICT DO NOTHING";

const KEEP_FLAGS_BY_KEY: &str = "
INSERT INTO flag_history (message, run, flags)
SELECT id, ?1, flags FROM message WHERE folder = ?2 AND key = ?3 AND ordinal = ?4 AND flags <> ?5
ON CONFLICT DO NOTHING";

const EACH: &str = "
SELECT m.*, o.outcome, o.words, o.uid, o.flags AS delivered_flags, f.id AS sink_folder, f.uid_validity,
       EXISTS (SELECT 1 FROM open_message WHERE open_message.message = m.id) AS open
FROM message m
LEFT JOIN outcome o ON o.message = m.id AND o.sink = ?2
     AND o.n = (SELECT MAX(n) FROM outcome WHERE message = m.id AND sink = ?2)
LEFT JOIN sink_folder f ON f.id = o.sink_folder
WHERE m.folder = ?1
ORDER BY m.key, m.ordinal";

/// Members of open intents whose outcome is not known; few, so they are looked up before the rows.
const OPEN: &str = "
WITH open_message AS MATERIALIZED (
    SELECT im.message FROM intent i
    JOIN sink_folder s ON s.id = i.sink_folder AND s.sink = ?2
    JOIN intent_message im ON im.intent = i.id
    WHERE i.settled IS NULL AND NOT EXISTS (
        SELECT 1 FROM outcome o WHERE o.message = im.message AND o.sink = ?2 AND o.intent >= i.id)
)";

impl Journal {
    /// Gives every message of a folder, as one sink sees it, to `f`, in the order of the keys.
    ///
    /// # Errors
    /// `Code::Disk`, `Code::Journal`.
    pub fn for_each_message(
        &self,
        folder: FolderId,
        sink: u32,
        f: &mut dyn FnMut(Row),
    ) -> Result<()> {
        let sink = self.sink_id_or_none(sink);
        self.each(&format!("{OPEN}{EACH}"), [folder, sink], read_row, f)
    }

    /// Writes down messages of one folder, or what is new about them; gives their rows in the same order.
    ///
    /// # Errors
    /// As every write: see [`Journal::end_run`].
    pub fn record(
        &mut self,
        run: RunId,
        folder: FolderId,
        seen: &[Seen],
    ) -> Result<Vec<MessageRow>> {
        self.write(run, |tx| record(tx, run, folder, seen))
    }

    /// The flags of these messages changed at the source, and the sink has been told; the old ones go to the history.
    ///
    /// # Errors
    /// As every write: see [`Journal::end_run`].
    pub fn flags_changed(
        &mut self,
        run: RunId,
        sink: u32,
        changes: &[(MessageRow, Flags)],
    ) -> Result<()> {
        let sink = self.sink_id(sink)?;
        self.write(run, |tx| {
            flags_delivered(tx, run, sink, changes)?;
            let mut keep = tx.prepare_cached(KEEP_FLAGS)?;
            let mut update = tx.prepare_cached("UPDATE message SET flags = ? WHERE id = ?")?;
            for (row, flags) in changes {
                let flags = flags.to_text();
                keep.execute(params![run.0, row, flags])?;
                update.execute(params![flags, row])?;
            }
            Ok(())
        })
    }

    /// These messages were marked as read at the source by this run: not a change that somebody else made there.
    ///
    /// # Errors
    /// As every write: see [`Journal::end_run`].
    pub fn marked_read(&mut self, run: RunId, rows: &[MessageRow]) -> Result<()> {
        self.write(run, |tx| mark(tx, None, rows, |flags| flags.seen = true))
    }

    /// These messages are about to be marked at the source, as deleted or else as read: such a mark found there on any other is
    /// somebody else's.
    ///
    /// # Errors
    /// As every write: see [`Journal::end_run`].
    pub fn about_to_mark(&mut self, run: RunId, rows: &[MessageRow], deleted: bool) -> Result<()> {
        self.write(run, |tx| {
            mark(tx, Some(run), rows, |flags| match deleted {
                true => flags.deleted = true,
                false => flags.seen = true,
            })
        })
    }

    /// These messages are gone from the source: deleted by this run, or found missing.
    ///
    /// # Errors
    /// As every write: see [`Journal::end_run`].
    pub fn removed_at_source(&mut self, run: RunId, rows: &[MessageRow]) -> Result<()> {
        self.write(run, |tx| {
            let mut update = tx
                .prepare_cached("UPDATE message SET removed = COALESCE(removed, ?) WHERE id = ?")?;
            for row in rows {
                update.execute(params![run.0, row])?;
            }
            Ok(())
        })
    }
}

/// Notes what mailhaul itself does to the flags at the source; `by` is the run that is about to.
fn mark(
    tx: &Connection,
    by: Option<RunId>,
    rows: &[MessageRow],
    set: impl Fn(&mut Flags),
) -> SqlResult<()> {
    let mut read = tx.prepare_cached("SELECT flags FROM message WHERE id = ?")?;
    let mut update = tx.prepare_cached("UPDATE message SET flags = ?, marked = ? WHERE id = ?")?;
    for row in rows {
        let text: String = read.query_row([row], |found| found.get(0))?;
        let mut flags = Flags::from_text(&text);
        set(&mut flags);
        update.execute(params![flags.to_text(), by.map(|run| run.0), row])?;
    }
    Ok(())
}

pub(super) fn record(
    tx: &Connection,
    run: RunId,
    folder: FolderId,
    seen: &[Seen],
) -> SqlResult<Vec<MessageRow>> {
    let mut keep = tx.prepare_cached(KEEP_FLAGS_BY_KEY)?;
    let mut insert = tx.prepare_cached(RECORD)?;
    let mut rows = Vec::with_capacity(seen.len());
    for message in seen {
        let (key, ordinal) = to_columns(&message.key);
        let flags = message.flags.to_text();
        keep.execute(params![run.0, folder, key, ordinal, flags])?;
        rows.push(insert.query_row(
            params![
                folder,
                key,
                ordinal,
                signed(message.size),
                flags,
                message.date.map(|d| d.epoch),
                message.date.map(|d| d.offset_minutes),
                message.digests.map(|d| d.exact.0),
                message.digests.map(|d| d.loose.0),
                message.message_id,
                message.place.as_ref().map(|p| &p.path),
                run.0
            ],
            |row| row.get(0),
        )?);
    }
    if !seen.is_empty() {
        tx.prepare_cached("UPDATE folder SET complete = 0 WHERE id = ? AND complete = 1")?
            .execute([folder])?;
    }
    Ok(rows)
}

fn read_row(row: &SqlRow<'_>) -> SqlResult<Row> {
    let delivered = delivered(row)?;
    Ok(Row {
        row: row.get("id")?,
        key: key::key(row)?,
        size: unsigned(row.get("size")?),
        flags: key::flags(row, "flags")?.unwrap_or_default(),
        flags_delivered: match delivered {
            Some(_) => key::flags(row, "delivered_flags")?,
            None => None,
        },
        date: key::date(row)?,
        place: key::place(row)?,
        digests: key::digests(row)?,
        message_id: row.get("message_id")?,
        outcome: row.get("outcome")?,
        words: row.get("words")?,
        delivered,
        open_intent: row.get("open")?,
        removed_at_source: row.get::<_, Option<i64>>("removed")?.is_some(),
    })
}

/// From the columns `sink_folder`, `uid_validity` and `uid`.
pub(super) fn delivered(row: &SqlRow<'_>) -> SqlResult<Option<Delivered>> {
    let folder: Option<i64> = row.get("sink_folder")?;
    let uid_validity: Option<u32> = row.get("uid_validity")?;
    let uid = row.get("uid")?;
    Ok(folder
        .zip(uid_validity)
        .map(|(folder, uid_validity)| Delivered {
            folder,
            uid_validity,
            uid,
        }))
}
