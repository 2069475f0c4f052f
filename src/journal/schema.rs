//! The tables of `journal.db`, in one place. `docs/journal.md` explains them to people.

/// "mhau": `file journal.db` shows it, and no other program's database is taken for ours.
pub(super) const APPLICATION_ID: i32 = 0x6d68_6175;

/// Raised with every change of the tables; a journal with a higher one is refused.
pub(super) const VERSION: i32 = 1 + UPGRADES.len() as i32;

/// What makes a journal of version 1 one of version 2, and so on; a new journal has them behind [`TABLES`].
pub(super) const UPGRADES: [&str; 1] = [USAGE];

/// Since version 2.
pub(super) const USAGE: &str = "
-- Bytes that passed on a day, where the day has a limit: counted ahead, so that a killed run has counted too much, never too little.
CREATE TABLE usage (
    day    INTEGER NOT NULL,          -- days since 1970-01-01, UTC
    end    TEXT NOT NULL,             -- imap://user@host
    way    TEXT NOT NULL,             -- down up
    bytes  INTEGER NOT NULL,
    paused INTEGER,                   -- when a run found the day used up
    run    INTEGER NOT NULL,          -- that counted last
    PRIMARY KEY (day, end, way)
) STRICT, WITHOUT ROWID;
";

/// Times are unix seconds, sizes bytes of the canonical form, digests 32 bytes of BLAKE3, names wire bytes.
pub(super) const TABLES: &str = "
-- A run that writes; the highest id holds the journal, and what older runs still want to write is refused.
CREATE TABLE run (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    job      TEXT NOT NULL,
    started  INTEGER NOT NULL,
    ended    INTEGER,                 -- NULL: it goes on, or was killed
    summary  TEXT                     -- JSON
) STRICT;

CREATE TABLE source (
    id       INTEGER PRIMARY KEY,
    identity TEXT NOT NULL UNIQUE     -- imap://user@host
) STRICT;

CREATE TABLE sink (
    id       INTEGER PRIMARY KEY,
    identity TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE folder (
    id             INTEGER PRIMARY KEY,
    source         INTEGER NOT NULL REFERENCES source,
    name           BLOB NOT NULL,
    uid_validity   INTEGER NOT NULL,
    uid_next       INTEGER,           -- these three as they were when a run had done the whole folder
    messages       INTEGER,
    highest_modseq INTEGER,
    complete       INTEGER NOT NULL DEFAULT 0,
    run            INTEGER NOT NULL,
    UNIQUE (source, name, uid_validity)
) STRICT;

-- Every message ever seen at a source; never deleted.
CREATE TABLE message (
    id         INTEGER PRIMARY KEY,
    folder     INTEGER NOT NULL REFERENCES folder,
    key        ANY NOT NULL,          -- IMAP UID as an integer, else the source's own name for it as a blob
    ordinal    INTEGER NOT NULL,      -- among messages that share a name, else 0
    size       INTEGER NOT NULL,
    flags      TEXT NOT NULL,         -- at the source, as last seen
    date       INTEGER,               -- INTERNALDATE
    zone       INTEGER,               -- minutes east of UTC
    digest     BLOB,
    loose      BLOB,
    message_id BLOB,
    place      TEXT,                  -- in the archive, relative to it
    marked     INTEGER,               -- the run that was about to mark it as deleted or read at the source
    removed    INTEGER,               -- the run that deleted it at the source or found it gone
    run        INTEGER NOT NULL,      -- that saw it first
    UNIQUE (folder, key, ordinal)
) STRICT;
CREATE INDEX message_digest ON message (digest);

-- The flags that a message had before they changed at the source.
CREATE TABLE flag_history (
    message INTEGER NOT NULL REFERENCES message,
    run     INTEGER NOT NULL,         -- that saw the change
    flags   TEXT NOT NULL,
    PRIMARY KEY (message, run)
) STRICT, WITHOUT ROWID;

CREATE TABLE sink_folder (
    id           INTEGER PRIMARY KEY,
    sink         INTEGER NOT NULL REFERENCES sink,
    name         BLOB NOT NULL,
    uid_validity INTEGER NOT NULL,
    run          INTEGER NOT NULL,
    UNIQUE (sink, name, uid_validity)
) STRICT;

-- Written before a batch's first byte leaves.
CREATE TABLE intent (
    id           INTEGER PRIMARY KEY,
    sink_folder  INTEGER NOT NULL REFERENCES sink_folder,
    uid_validity INTEGER NOT NULL,
    floor        INTEGER NOT NULL,    -- no message of the batch can get a lower UID
    created      INTEGER NOT NULL,
    settled      INTEGER,             -- the run that found out about every message
    run          INTEGER NOT NULL
) STRICT;
CREATE INDEX intent_open ON intent (id) WHERE settled IS NULL;

CREATE TABLE intent_message (
    intent   INTEGER NOT NULL REFERENCES intent,
    position INTEGER NOT NULL,        -- order in which the batch is sent
    message  INTEGER NOT NULL REFERENCES message,
    PRIMARY KEY (intent, position)
) STRICT, WITHOUT ROWID;

-- What became of a message at a sink. Never overwritten: the highest n counts.
CREATE TABLE outcome (
    message     INTEGER NOT NULL REFERENCES message,
    sink        INTEGER NOT NULL REFERENCES sink,
    n           INTEGER NOT NULL,
    outcome     TEXT NOT NULL,        -- copied present duplicate altered rejected vanished failed skipped undone
    words       TEXT,                 -- the server's
    sink_folder INTEGER REFERENCES sink_folder,   -- NULL: it is not there
    uid         INTEGER,
    flags       TEXT NOT NULL,        -- as delivered
    same_as     INTEGER REFERENCES message,       -- the message that it is a duplicate of
    intent      INTEGER REFERENCES intent,
    at          INTEGER NOT NULL,
    run         INTEGER NOT NULL,
    PRIMARY KEY (message, sink, n)
) STRICT, WITHOUT ROWID;

CREATE INDEX outcome_adopted ON outcome (sink_folder, uid) WHERE outcome IN ('present', 'duplicate');

-- What stands in a destination folder, so that its headers are fetched once. The hashes are those of identity.rs.
CREATE TABLE standing (
    sink_folder INTEGER NOT NULL REFERENCES sink_folder,
    uid         INTEGER NOT NULL,
    key         INTEGER NOT NULL,     -- 0: it has none
    date        INTEGER,
    sender      INTEGER NOT NULL,
    subject     INTEGER NOT NULL,
    loose       BLOB,                 -- first 16 bytes
    size        INTEGER NOT NULL,
    message     INTEGER REFERENCES message,       -- that it stands for
    run         INTEGER NOT NULL,
    PRIMARY KEY (sink_folder, uid)
) STRICT, WITHOUT ROWID;
";
