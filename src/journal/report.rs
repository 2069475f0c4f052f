//! What `status` shows, and what may be deleted at a source.

use super::messages::delivered;
use super::{Count, Deletable, DeletableAt, Failed, FolderId, Journal, KeptRow, key, unsigned};
use crate::error::Result;
use rusqlite::{Result as SqlResult, Row as SqlRow};

const COUNTS: &str = "
SELECT m.folder, o.outcome, COUNT(*) AS messages, SUM(m.size) AS bytes
FROM message m
LEFT JOIN outcome o ON o.message = m.id AND o.sink = ?1
     AND o.n = (SELECT MAX(n) FROM outcome WHERE message = m.id AND sink = ?1)
WHERE m.removed IS NULL
GROUP BY m.folder, o.outcome ORDER BY m.folder, o.outcome";

/// The same of one folder, without a look at the others.
const COUNTS_OF: &str = "
SELECT m.folder, o.outcome, COUNT(*) AS messages, SUM(m.size) AS bytes
FROM message m
LEFT JOIN outcome o ON o.message = m.id AND o.sink = ?1
     AND o.n = (SELECT MAX(n) FROM outcome WHERE message = m.id AND sink = ?1)
WHERE m.removed IS NULL AND m.folder = ?2
GROUP BY o.outcome ORDER BY o.outcome";

const FAILED: &str = "
SELECT m.*, f.name, o.outcome, o.words, o.run AS last_run
FROM message m
JOIN folder f ON f.id = m.folder
JOIN outcome o ON o.message = m.id AND o.sink = ?1
     AND o.n = (SELECT MAX(n) FROM outcome WHERE message = m.id AND sink = ?1)
WHERE o.outcome IN ('failed', 'rejected')
ORDER BY m.folder, m.key, m.ordinal";

/// One line a message and sink. A message that a batch still open holds is left out.
const DELIVERED: &str = "
SELECT m.*, o.sink, o.outcome, o.uid, o.at, f.id AS sink_folder, f.uid_validity
FROM message m
JOIN outcome o ON o.message = m.id
     AND o.n = (SELECT MAX(n) FROM outcome WHERE message = m.id AND sink = o.sink)
JOIN sink_folder f ON f.id = o.sink_folder
WHERE m.folder = ?1 AND m.removed IS NULL
  AND o.outcome IN ('copied', 'present', 'duplicate', 'altered')
  AND m.id NOT IN (SELECT im.message FROM intent i JOIN intent_message im ON im.intent = i.id
                   WHERE i.settled IS NULL)
ORDER BY m.key, m.ordinal, o.sink";

/// Delivered or adopted without their bytes ever having been read.
const WITHOUT_DIGEST: &str = "
SELECT COUNT(DISTINCT m.id) FROM message m
JOIN outcome o ON o.message = m.id
     AND o.n = (SELECT MAX(n) FROM outcome WHERE message = m.id AND sink = o.sink)
WHERE m.folder = ?1 AND m.removed IS NULL AND m.digest IS NULL
  AND o.outcome IN ('copied', 'present', 'duplicate', 'altered')";

const KEPT: &str = "
SELECT m.*, f.name, f.uid_validity, s.identity
FROM message m JOIN folder f ON f.id = m.folder JOIN source s ON s.id = f.source
WHERE m.place IS NOT NULL AND m.removed IS NULL ORDER BY m.place";

impl Journal {
    /// Gives every message that is kept, and has not gone from its source, to `f`: of all sources that the journal knows.
    ///
    /// # Errors
    /// `Code::Disk`, `Code::Journal`.
    pub fn each_place(&self, f: &mut dyn FnMut(KeptRow)) -> Result<()> {
        let read = |row: &SqlRow<'_>| {
            let message_id: Option<Vec<u8>> = row.get("message_id")?;
            let (source, folder): (String, Vec<u8>) = (row.get("identity")?, row.get("name")?);
            let validity = row.get("uid_validity")?;
            Ok(KeptRow {
                path: row.get("place")?,
                source: key::source_text(&source, &folder, validity, &key::key(row)?),
                message_id: message_id.map(|id| String::from_utf8_lossy(&id).into_owned()),
            })
        };
        self.each(KEPT, [], read, f)
    }

    /// How many messages of a source folder stand at a sink by their headers alone: nobody has read their bytes, so
    /// [`Journal::deletable`] leaves them out.
    ///
    /// # Errors
    /// `Code::Disk`, `Code::Journal`.
    pub fn without_digest(&self, folder: FolderId) -> Result<u64> {
        let counts: Vec<i64> = self.list(WITHOUT_DIGEST, [folder], |row| row.get(0))?;
        Ok(counts.into_iter().next().map_or(0, unsigned))
    }

    /// How many messages of each source folder have which outcome at a sink.
    ///
    /// # Errors
    /// `Code::Disk`, `Code::Journal`.
    pub fn counts(&self, sink: u32) -> Result<Vec<Count>> {
        self.list(COUNTS, [self.sink_id_or_none(sink)], read_count)
    }

    /// How many messages of one source folder have which outcome at a sink.
    ///
    /// # Errors
    /// `Code::Disk`, `Code::Journal`.
    pub fn counts_of(&self, folder: FolderId, sink: u32) -> Result<Vec<Count>> {
        self.list(COUNTS_OF, [self.sink_id_or_none(sink), folder], read_count)
    }

    /// Gives the messages that a sink rejected or that failed, with the words, to `f`.
    ///
    /// # Errors
    /// `Code::Disk`, `Code::Journal`.
    pub fn failed(&self, sink: u32, f: impl FnMut(Failed)) -> Result<()> {
        self.each(FAILED, [self.sink_id_or_none(sink)], read_failed, f)
    }

    /// Gives the messages of a source folder that *every* sink of the job has, and that are not deleted yet, to `f`. Whether a
    /// sink still has the bytes is for the caller to look, before anything is deleted.
    ///
    /// # Errors
    /// `Code::Disk`, `Code::Journal`.
    pub fn deletable(&self, folder: FolderId, f: &mut dyn FnMut(Deletable)) -> Result<()> {
        let Some(sinks) = self.sinks.iter().copied().collect::<Option<Vec<i64>>>() else {
            return Ok(());
        };
        let mut gathered: Option<Gathered> = None;
        self.each(DELIVERED, [folder], read_delivered, |next| {
            let Some((sink, next)) = next else { return };
            match &mut gathered {
                Some(same) if same.message.row == next.row => same.add(sink, next),
                _ => {
                    let whole = gathered.replace(Gathered::new(sink, next));
                    hand_over(whole, &sinks, f);
                }
            }
        })?;
        hand_over(gathered, &sinks, f);
        Ok(())
    }
}

/// A message with the sinks found so far, by their rows.
struct Gathered {
    message: Deletable,
    sinks: Vec<i64>,
}

impl Gathered {
    fn new(sink: i64, message: Deletable) -> Self {
        Gathered {
            message,
            sinks: vec![sink],
        }
    }

    fn add(&mut self, sink: i64, mut next: Deletable) {
        let at = next.delivered_at_unix.max(self.message.delivered_at_unix);
        self.message.delivered_at_unix = at;
        self.message.at.append(&mut next.at);
        self.sinks.push(sink);
    }
}

fn hand_over(whole: Option<Gathered>, sinks: &[i64], f: &mut dyn FnMut(Deletable)) {
    let Some(whole) = whole else { return };
    let found = |sink: &i64| whole.sinks.iter().position(|s| s == sink);
    let order: Option<Vec<usize>> = sinks.iter().map(found).collect();
    let Some(order) = order.filter(|order| !order.is_empty()) else {
        return;
    };
    let mut message = whole.message;
    message.at = order.iter().map(|&i| message.at[i].clone()).collect();
    f(message);
}

fn read_count(row: &SqlRow<'_>) -> SqlResult<Count> {
    Ok(Count {
        folder: row.get("folder")?,
        outcome: row.get("outcome")?,
        messages: unsigned(row.get("messages")?),
        bytes: unsigned(row.get("bytes")?),
    })
}

fn read_failed(row: &SqlRow<'_>) -> SqlResult<Failed> {
    Ok(Failed {
        row: row.get("id")?,
        folder: row.get("name")?,
        key: key::key(row)?,
        message_id: row.get("message_id")?,
        size: unsigned(row.get("size")?),
        outcome: row.get("outcome")?,
        words: row.get("words")?,
        run: row.get("last_run")?,
    })
}

fn read_delivered(row: &SqlRow<'_>) -> SqlResult<Option<(i64, Deletable)>> {
    let (Some(digests), Some(delivered)) = (key::digests(row)?, delivered(row)?) else {
        return Ok(None);
    };
    let message = Deletable {
        row: row.get("id")?,
        key: key::key(row)?,
        digests,
        size: unsigned(row.get("size")?),
        flags: key::flags(row, "flags")?.unwrap_or_default(),
        marked: row.get::<_, Option<i64>>("marked")?.is_some(),
        place: key::place(row)?,
        delivered_at_unix: row.get("at")?,
        at: vec![DeletableAt {
            outcome: row.get("outcome")?,
            delivered,
        }],
    };
    Ok(Some((row.get("sink")?, message)))
}
