//! Single questions that a run asks about messages it knows.

use super::messages::delivered;
use super::{Copy, FolderId, Journal, MessageRow, SinkFolderId, key};
use crate::error::Result;
use crate::message::{Digest, SourceKey};
use rusqlite::{Row as SqlRow, params};

/// The first message of a folder with this digest that stands at the sink.
const COPY: &str = "
SELECT m.*, o.uid, f.id AS sink_folder, f.uid_validity
FROM message m
JOIN outcome o ON o.message = m.id AND o.sink = ?2
     AND o.n = (SELECT MAX(n) FROM outcome WHERE message = m.id AND sink = ?2)
LEFT JOIN sink_folder f ON f.id = o.sink_folder
WHERE m.digest = ?3 AND m.folder = ?1 AND o.outcome IN ('copied', 'present', 'altered')
ORDER BY m.id";

const READ: &str = "SELECT digest FROM message WHERE folder = ?1 AND removed IS NULL AND digest IS NOT NULL AND ?2 >= 0 ORDER BY digest";

const STANDING: &str = "
SELECT m.digest FROM message m
JOIN outcome o ON o.message = m.id AND o.sink = ?2
     AND o.n = (SELECT MAX(n) FROM outcome WHERE message = m.id AND sink = ?2)
WHERE m.folder = ?1 AND m.removed IS NULL AND m.digest IS NOT NULL AND o.outcome IN ('copied', 'present', 'duplicate')
ORDER BY m.digest";

impl Journal {
    /// A message of the same folder, equal in digest and not the one with key `own`, that stands at the sink.
    ///
    /// # Errors
    /// `Code::Disk`, `Code::Journal`.
    pub fn copy_of(
        &self,
        folder: FolderId,
        sink: u32,
        digest: &Digest,
        own: &SourceKey,
    ) -> Result<Option<Copy>> {
        let sink = self.sink_id_or_none(sink);
        let mut found = None;
        self.each(
            COPY,
            params![folder, sink, digest.0],
            |row: &SqlRow<'_>| {
                let copy = Copy {
                    row: row.get("id")?,
                    flags: key::flags(row, "flags")?.unwrap_or_default(),
                    delivered: delivered(row)?,
                };
                Ok((key::key(row)?, copy))
            },
            |(key, copy)| {
                if found.is_none() && key != *own {
                    found = Some(copy);
                }
            },
        )?;
        Ok(found)
    }

    /// The source (from 0, in the job's order; `None` if the job has it no more) and the wire name of a message's folder.
    ///
    /// # Errors
    /// `Code::Disk`, `Code::Journal`.
    pub fn folder_of(&self, row: MessageRow) -> Result<Option<(u32, Vec<u8>)>> {
        let found: Vec<(i64, Vec<u8>)> = self.list(
            "SELECT f.source, f.name FROM message m JOIN folder f ON f.id = m.folder WHERE m.id = ?",
            [row],
            |row| Ok((row.get("source")?, row.get("name")?)),
        )?;
        Ok(found.into_iter().next().and_then(|(source, name)| {
            let at = self.sources.iter().position(|id| *id == Some(source))?;
            Some((u32::try_from(at).ok()?, name))
        }))
    }

    /// What names a message to a person: its key at the source, and its Message-ID.
    ///
    /// # Errors
    /// `Code::Disk`, `Code::Journal`.
    pub fn name_of(&self, row: MessageRow) -> Result<Option<(SourceKey, Option<Vec<u8>>)>> {
        let found = self.list("SELECT * FROM message WHERE id = ?", [row], |row| {
            Ok((key::key(row)?, row.get("message_id")?))
        })?;
        Ok(found.into_iter().next())
    }

    /// Was any message of this source folder ever seen?
    ///
    /// # Errors
    /// `Code::Disk`, `Code::Journal`.
    pub fn has_messages(&self, folder: FolderId) -> Result<bool> {
        let found = self.list(
            "SELECT EXISTS (SELECT 1 FROM message WHERE folder = ?)",
            [folder],
            |row| row.get::<_, bool>(0),
        )?;
        Ok(found.into_iter().any(|any| any))
    }

    /// The wire name of a destination folder.
    ///
    /// # Errors
    /// `Code::Disk`, `Code::Journal`.
    pub fn sink_folder_name(&self, folder: SinkFolderId) -> Result<Option<Vec<u8>>> {
        let names = self.list(
            "SELECT name FROM sink_folder WHERE id = ?",
            [folder],
            |row| row.get("name"),
        )?;
        Ok(names.into_iter().next())
    }

    /// BLAKE3 over the sorted digests of what was read of a folder, and of what of it is known to stand at the sink as it was
    /// read. `None`: nothing.
    ///
    /// # Errors
    /// `Code::Disk`, `Code::Journal`.
    pub fn fingerprints(
        &self,
        folder: FolderId,
        sink: u32,
    ) -> Result<(Option<Digest>, Option<Digest>)> {
        Ok((
            self.fingerprint(READ, folder, sink)?,
            self.fingerprint(STANDING, folder, sink)?,
        ))
    }

    fn fingerprint(&self, sql: &str, folder: FolderId, sink: u32) -> Result<Option<Digest>> {
        let mut hasher = blake3::Hasher::new();
        let mut any = false;
        self.each(
            sql,
            [folder, self.sink_id_or_none(sink)],
            |row: &SqlRow<'_>| row.get::<_, Vec<u8>>("digest"),
            |digest| {
                hasher.update(&digest);
                any = true;
            },
        )?;
        Ok(any.then(|| Digest(*hasher.finalize().as_bytes())))
    }
}
