//! Opening `journal.db`: made whole at once, and refused with words where it is not ours, newer or damaged.

use super::fault::{damaged, foreign, refused};
use super::schema;
use crate::error::{Error, Result};
use crate::failpoint;
use crate::fs;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::time::Duration;

const FILE: &str = "journal.db";
const PATIENCE: Duration = Duration::from_secs(10);

/// The journal's file in a directory; links above it are resolved here, and none is followed from there on.
pub(super) fn path_in(dir: &Path) -> PathBuf {
    dir.canonicalize().unwrap_or_else(|_| dir.into()).join(FILE)
}

pub(super) fn exists(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok()
}

pub(super) fn read_write(path: &Path) -> Result<Connection> {
    if !exists(path) {
        create(path)?;
    }
    fs::open(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|e| refused(path, &e))?;
    let version = recognise(&connection, path)?;
    prepare(&connection, path).map_err(|e| refused(path, &e))?;
    upgrade(&connection, path, version)?;
    Ok(connection)
}

/// Without a write-ahead log beside it nobody writes, and SQLite is told so: it then makes no file at all.
pub(super) fn read_only(path: &Path) -> Result<Connection> {
    fs::open(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let quiet = !exists(&beside(path, "-wal")) && !exists(&beside(path, "-journal"));
    let uri = uri(path, quiet);
    let connection = Connection::open_with_flags(uri, flags).map_err(|e| refused(path, &e))?;
    connection
        .busy_timeout(PATIENCE)
        .map_err(|e| refused(path, &e))?;
    recognise(&connection, path)?;
    Ok(connection)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn uri(path: &Path, quiet: bool) -> String {
    use std::os::unix::ffi::OsStrExt;
    let mut uri = String::from("file:");
    for &b in path.as_os_str().as_bytes() {
        if b.is_ascii_alphanumeric() || matches!(b, b'/' | b'.' | b'-' | b'_') {
            uri.push(char::from(b));
        } else {
            uri.push_str(&format!("%{b:02x}"));
        }
    }
    uri.push_str(if quiet { "?immutable=1" } else { "?mode=ro" });
    uri
}

/// The file appears under its name with all tables or not at all: a kill leaves no half journal.
fn create(path: &Path) -> Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let temporary = tempfile::Builder::new()
        .prefix(".journal.")
        .tempfile_in(dir)
        .map_err(|e| Error::disk("create", path, &e))?
        .into_temp_path();
    let connection = Connection::open(&temporary).map_err(|e| refused(path, &e))?;
    fill(&connection).map_err(|e| refused(path, &e))?;
    connection.close().map_err(|(_, e)| refused(path, &e))?;
    failpoint::pass("journal: made, not in place");
    // Never over a journal that somebody else made meanwhile.
    temporary
        .persist_noclobber(path)
        .map_err(|e| Error::disk("put in place", path, &e.error))?;
    failpoint::pass("journal: in place");
    fs::sync_dir(dir)
}

fn fill(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "synchronous", "FULL")?;
    let (id, version) = (schema::APPLICATION_ID, schema::VERSION);
    connection.execute_batch(&format!(
        "BEGIN; PRAGMA application_id = {id}; PRAGMA user_version = {version}; {} {} COMMIT;",
        schema::TABLES,
        schema::UPGRADES.concat()
    ))
}

/// Its version, for a journal of ours.
fn recognise(connection: &Connection, path: &Path) -> Result<i32> {
    let number = |name: &str| -> Result<i32> {
        connection
            .pragma_query_value(None, name, |row| row.get(0))
            .map_err(|e| refused(path, &e))
    };
    let (id, version) = (number("application_id")?, number("user_version")?);
    let shown = path.display();
    if id != schema::APPLICATION_ID {
        return Err(foreign(format!("{shown} is not a journal of mailhaul"))
            .hint("give the job another archive path, or move that file away"));
    }
    if version > schema::VERSION {
        return Err(foreign(format!(
            "{shown} was written by a newer mailhaul (version {version}; this one knows {})",
            schema::VERSION
        ))
        .hint("use the newer mailhaul"));
    }
    if version < 1 {
        return Err(damaged(path, &format!("version {version} never was")));
    }
    Ok(version)
}

/// Makes an older mailhaul's journal one of ours, whole or not at all; a copy of it as it was is kept beside it. Nothing in it is lost.
fn upgrade(connection: &Connection, path: &Path, from: i32) -> Result<()> {
    let done = usize::try_from(from - 1).unwrap_or(0);
    let missing = schema::UPGRADES.get(done..).unwrap_or_default();
    if missing.is_empty() {
        return Ok(());
    }
    keep_copy(connection, path, from)?;
    failpoint::pass("journal: before an upgrade");
    let version = schema::VERSION;
    connection
        .execute_batch(&format!(
            "BEGIN IMMEDIATE; {} PRAGMA user_version = {version}; COMMIT;",
            missing.concat()
        ))
        .map_err(|e| refused(path, &e))?;
    failpoint::pass("journal: after an upgrade");
    Ok(())
}

/// `journal.v1.db`, durable; one that a killed upgrade left is as good and is replaced.
fn keep_copy(connection: &Connection, path: &Path, version: i32) -> Result<()> {
    let copy = path.with_file_name(format!("journal.v{version}.db"));
    let broken = |e: &std::io::Error| Error::disk("copy the journal to", &copy, e);
    let dir = path.parent().unwrap_or(Path::new("."));
    let file = tempfile::Builder::new()
        .prefix(".journal.")
        .tempfile_in(dir)
        .map_err(|e| broken(&e))?;
    let name = file.path().to_string_lossy();
    connection
        .execute("VACUUM INTO ?1", [name])
        .map_err(|e| refused(&copy, &e))?;
    failpoint::pass("journal: copied, the copy not in place");
    let file = file.persist(&copy).map_err(|e| broken(&e.error))?;
    file.sync_all().map_err(|e| broken(&e))?;
    fs::sync_dir(dir)
}

fn prepare(connection: &Connection, path: &Path) -> rusqlite::Result<()> {
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    if network(path) || !wal(connection) {
        connection.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))?;
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 4000)?;
    connection.set_prepared_statement_cache_capacity(64);
    // Else SQLite plans a cached statement anew whenever it is given other values: a tenth of a run's processor time.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

fn wal(connection: &Connection) -> bool {
    connection
        .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0))
        .is_ok_and(|mode| mode.eq_ignore_ascii_case("wal"))
}

/// A write-ahead log needs memory shared between its readers, which a network file system has not.
fn network(path: &Path) -> bool {
    std::fs::read_to_string("/proc/self/mounts").is_ok_and(|mounts| {
        let kind = mounts
            .lines()
            .filter_map(|line| {
                let mut words = line.split(' ').skip(1);
                Some((words.next()?, words.next()?))
            })
            .filter(|(at, _)| path.starts_with(at.replace("\\040", " ")))
            .max_by_key(|(at, _)| at.len())
            .map(|(_, kind)| kind);
        kind.is_some_and(is_network)
    })
}

fn is_network(kind: &str) -> bool {
    const KINDS: [&str; 12] = [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "9p",
        "afs",
        "ceph",
        "glusterfs",
        "lustre",
        "ocfs2",
        "ncpfs",
    ];
    KINDS.contains(&kind) || kind.starts_with("fuse.")
}

/// Pages that a kill or the disk spoilt show here and not in the middle of a run.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<()> {
    let found: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(|e| refused(path, &e))?;
    if found == "ok" {
        Ok(())
    } else {
        Err(damaged(path, &found))
    }
}
