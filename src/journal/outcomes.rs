//! Outcomes: what became of a message at a sink. The newest counts, none is overwritten.

use super::{Conclusion, IntentId, Journal, MessageRow, RunId, now};
use crate::error::Result;
use crate::message::Flags;
use rusqlite::{Connection, params};

const CONCLUDE: &str = "
INSERT INTO outcome (message, sink, n, outcome, words, sink_folder, uid, flags, same_as, intent, at, run)
SELECT ?1, ?2, COALESCE(MAX(n), 0) + 1, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11
FROM outcome WHERE message = ?1 AND sink = ?2";

/// The same outcome once more, of the same time, with other flags.
const FLAGS: &str = "
INSERT INTO outcome (message, sink, n, outcome, words, sink_folder, uid, flags, same_as, intent, at, run)
SELECT message, sink, n + 1, outcome, words, sink_folder, uid, ?3, same_as, intent, at, ?4
FROM outcome WHERE message = ?1 AND sink = ?2 ORDER BY n DESC LIMIT 1";

impl Journal {
    /// Writes down outcomes, and with `settled` that nothing of the intent is unknown any more: one transaction.
    ///
    /// # Errors
    /// As every write: see [`Journal::end_run`].
    pub fn conclude(
        &mut self,
        run: RunId,
        intent: Option<IntentId>,
        conclusions: &[Conclusion],
        settled: bool,
    ) -> Result<()> {
        let sinks = conclusions
            .iter()
            .map(|c| self.sink_id(c.sink))
            .collect::<Result<Vec<i64>>>()?;
        self.write(run, |tx| {
            for (c, sink) in conclusions.iter().zip(sinks) {
                insert(tx, run, sink, c, intent)?;
            }
            if settled && intent.is_some() {
                tx.prepare_cached("UPDATE intent SET settled = ? WHERE id = ?")?
                    .execute(params![run.0, intent])?;
            }
            Ok(())
        })
    }
}

/// The sink has these messages with these flags now. A message without an outcome there is passed over.
pub(super) fn flags_delivered(
    tx: &Connection,
    run: RunId,
    sink: i64,
    changes: &[(MessageRow, Flags)],
) -> rusqlite::Result<()> {
    let mut insert = tx.prepare_cached(FLAGS)?;
    for (row, flags) in changes {
        insert.execute(params![row, sink, flags.to_text(), run.0])?;
    }
    Ok(())
}

/// Writes down outcomes at one sink that no intent is about.
pub(super) fn conclude(
    tx: &Connection,
    run: RunId,
    sink: i64,
    conclusions: &[Conclusion],
) -> rusqlite::Result<()> {
    let mut each = conclusions.iter();
    each.try_for_each(|one| insert(tx, run, sink, one, None))
}

fn insert(
    tx: &Connection,
    run: RunId,
    sink: i64,
    c: &Conclusion,
    intent: Option<IntentId>,
) -> rusqlite::Result<()> {
    tx.prepare_cached(CONCLUDE)?
        .execute(params![
            c.row,
            sink,
            c.outcome,
            c.words,
            c.delivered.map(|d| d.folder),
            c.delivered.and_then(|d| d.uid),
            c.flags.to_text(),
            c.of,
            intent,
            now(),
            run.0
        ])
        .map(drop)
}
