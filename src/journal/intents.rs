//! Intents: written before a batch's first byte leaves, looked at again after a run that did not end.

use super::key;
use super::messages::record;
use super::{
    FolderId, Intent, IntentId, IntentMessage, Journal, MessageRow, OpenIntent, RunId, Seen, now,
    unsigned,
};
use crate::error::Result;
use crate::journal::fault;
use rusqlite::{Connection, Result as SqlResult, Row as SqlRow, params};

const OPEN: &str = "
SELECT i.*, f.name FROM intent i JOIN sink_folder f ON f.id = i.sink_folder
WHERE i.settled IS NULL AND f.sink = ? ORDER BY i.id";

const MEMBERS: &str = "
SELECT m.*, o.n IS NOT NULL AS concluded, o.uid
FROM intent_message im
JOIN message m ON m.id = im.message
LEFT JOIN outcome o ON o.message = m.id AND o.sink = ?2
     AND o.n = (SELECT MAX(n) FROM outcome WHERE message = m.id AND sink = ?2 AND intent >= ?1)
WHERE im.intent = ?1 ORDER BY im.position";

impl Journal {
    /// Writes down what is about to be sent.
    ///
    /// # Errors
    /// As every write: see [`Journal::end_run`].
    pub fn intend(&mut self, run: RunId, intent: &Intent) -> Result<IntentId> {
        self.sink_id(intent.sink)?;
        self.write(run, |tx| intend(tx, run, intent, &[]))
    }

    /// [`Journal::record`] and [`Journal::intend`] in one transaction; the messages recorded are sent behind those that
    /// `intent` names.
    ///
    /// # Errors
    /// As every write: see [`Journal::end_run`].
    pub fn record_and_intend(
        &mut self,
        run: RunId,
        folder: FolderId,
        seen: &[Seen],
        intent: &Intent,
    ) -> Result<(Vec<MessageRow>, IntentId)> {
        self.sink_id(intent.sink)?;
        self.write(run, |tx| {
            let rows = record(tx, run, folder, seen)?;
            let id = intend(tx, run, intent, &rows)?;
            Ok((rows, id))
        })
    }

    /// The batches of a sink of which it is not known what arrived, the oldest first.
    ///
    /// # Errors
    /// `Code::Disk`; `Code::Journal`, also where a member has no digest to be found by.
    pub fn open_intents(&self, sink: u32) -> Result<Vec<OpenIntent>> {
        let sink = self.sink_id_or_none(sink);
        let mut intents = self.list(OPEN, [sink], read_intent)?;
        for intent in &mut intents {
            intent.messages = self.members(intent.id, sink)?;
        }
        Ok(intents)
    }

    fn members(&self, intent: IntentId, sink: i64) -> Result<Vec<IntentMessage>> {
        let members: Option<Vec<_>> = self
            .list(MEMBERS, [intent, sink], read_member)?
            .into_iter()
            .collect();
        members.ok_or_else(|| {
            fault::damaged(
                &self.path,
                &format!("intent {intent} has a message without digest"),
            )
        })
    }
}

fn intend(
    tx: &Connection,
    run: RunId,
    intent: &Intent,
    more: &[MessageRow],
) -> SqlResult<IntentId> {
    tx.prepare_cached(
        "INSERT INTO intent (sink_folder, uid_validity, floor, created, run) VALUES (?, ?, ?, ?, ?)",
    )?
    .execute(params![intent.folder, intent.uid_validity, intent.floor, now(), run.0])?;
    let id = tx.last_insert_rowid();
    let mut insert = tx.prepare_cached("INSERT INTO intent_message VALUES (?, ?, ?)")?;
    for (position, row) in (0_i64..).zip(intent.messages.iter().chain(more)) {
        insert.execute(params![id, position, row])?;
    }
    Ok(id)
}

fn read_intent(row: &SqlRow<'_>) -> SqlResult<OpenIntent> {
    Ok(OpenIntent {
        id: row.get("id")?,
        created_unix: row.get("created")?,
        folder: row.get("sink_folder")?,
        name: row.get("name")?,
        uid_validity: row.get("uid_validity")?,
        floor: row.get("floor")?,
        messages: Vec::new(),
    })
}

fn read_member(row: &SqlRow<'_>) -> SqlResult<Option<IntentMessage>> {
    let Some(digests) = key::digests(row)? else {
        return Ok(None);
    };
    Ok(Some(IntentMessage {
        row: row.get("id")?,
        folder: row.get("folder")?,
        key: key::key(row)?,
        digests,
        message_id: row.get("message_id")?,
        size: unsigned(row.get("size")?),
        flags: key::flags(row, "flags")?.unwrap_or_default(),
        date: key::date(row)?,
        place: key::place(row)?,
        concluded: row.get("concluded")?,
        uid: row.get("uid")?,
    }))
}
